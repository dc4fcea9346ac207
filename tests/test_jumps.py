"""The timerfd that tells a waiting loop that somebody set the clock."""

import os
import time

import pytest

import everloop
from everloop import EVFLAG_NOTIMERFD, EVRUN_NOWAIT


def noop(watcher, revents):
    pass


def timerfds():
    """The descriptors that are timerfds by the wall clock."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[timerfd]":
                with open(f"/proc/self/fdinfo/{name}") as file:
                    if f"clockid: {time.CLOCK_REALTIME}\n" in file.read():
                        found.add(int(name))
        except OSError:
            pass  # that of the listing itself
    return found


@pytest.fixture
def opened():
    """A function that tells how many timerfds were opened since the test began."""
    before = timerfds()
    return lambda: len(timerfds() - before)


def dates(loop):
    return [
        loop.periodic(0.0, 3600.0, noop),
        loop.periodic(loop.now() + 1e6, 0.0, noop),
        loop.scheduler(lambda w, now: now + 1e6, noop),
    ]


def test_no_descriptor_without_dates(loop, opened):
    loop.timer(60.0, 1.0, noop).start()
    loop.prepare(noop).start()
    for watcher in dates(loop):
        watcher.start()
        watcher.stop()
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
    assert opened() == 0


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["periodic", "moment", "scheduler"])
def test_one_descriptor_from_the_first_pass_with_a_date_on(loop, opened, kind):
    dates(loop)[kind].start()
    assert opened() == 0
    loop.start(EVRUN_NOWAIT)
    assert opened() == 1


def test_one_descriptor_for_all_dates(new_loop, backend, opened):
    loop = new_loop(backend)
    for _ in range(3):
        for watcher in dates(loop):
            watcher.start()
        loop.start(EVRUN_NOWAIT)
    assert opened() == 1


def test_each_loop_has_its_own(new_loop, opened):
    for count in (1, 2, 3):
        loop = new_loop()
        dates(loop)[0].start()
        loop.start(EVRUN_NOWAIT)
        assert opened() == count


def test_none_with_the_flag(new_loop, opened):
    loop = new_loop(EVFLAG_NOTIMERFD)
    for watcher in dates(loop):
        watcher.start()
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
    assert opened() == 0


def test_dates_come_with_the_flag_all_the_same(new_loop):
    called = []
    loop = new_loop(EVFLAG_NOTIMERFD)
    loop.periodic(loop.now() + 0.01, 0.0, lambda w, e: called.append(e)).start()
    assert loop.start() is False
    assert called == [everloop.EV_PERIODIC]


def test_none_with_a_manual_clock(loop, clock, opened):
    dates(loop)[0].start()
    loop.start(EVRUN_NOWAIT)
    assert opened() == 0


def test_another_clock_closes_it(loop, opened):
    dates(loop)[0].start()
    loop.start(EVRUN_NOWAIT)
    assert opened() == 1
    loop.clock = everloop.ManualClock()
    assert opened() == 0
    loop.verify()
    loop.start(EVRUN_NOWAIT)
    loop.clock = everloop.Clock()
    loop.start(EVRUN_NOWAIT)
    assert opened() == 1


def test_closed_with_the_loop(new_loop, opened):
    loop = new_loop()
    dates(loop)[0].start()
    loop.start(EVRUN_NOWAIT)
    assert opened() == 1
    loop.close()
    assert opened() == 0


def test_closed_when_the_loop_is_dropped(opened):
    loop = everloop.Loop()
    dates(loop)[1].start()
    loop.start(EVRUN_NOWAIT)
    assert opened() == 1
    loop.close()
    del loop
    assert opened() == 0


def test_does_not_keep_the_loop_running(loop):
    called = []
    loop.periodic(0.0, 0.001, lambda w, e: called.append(e) or w.stop()).start()
    assert loop.start() is False
    assert len(called) == 1
    assert loop.watchers == ()


def test_is_not_listed_among_the_watchers(loop):
    watcher = dates(loop)[0]
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert loop.watchers == (watcher,)


def test_survives_a_reset(loop, opened):
    dates(loop)[0].start()
    loop.start(EVRUN_NOWAIT)
    loop.reset()
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    assert opened() == 1
