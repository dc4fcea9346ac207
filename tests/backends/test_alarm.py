"""Where events keep ending waits that have a time limit, a timerfd takes the limit's place."""

import os
import signal
import threading
import time

import pytest
from patience import patient

from everloop import EV_READ, EVBACKEND_EPOLL, EVFLAG_NOTIMERFD, EVRUN_NOWAIT, EVRUN_ONCE

ENOUGH = 30  # events, so that waits are taken to be cut short


def alarms():
    """The numbers of the process' timerfds."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "anon_inode:[timerfd]":
                found.add(int(name))
        except FileNotFoundError:
            pass
    return found


class Traffic:
    """Has a loop wait ``count`` times for an event that another thread brings meanwhile."""

    def __init__(self, loop, pair):
        self.loop = loop
        self.near, self.far = pair()
        self.left = 0
        self.ended = False
        self.asked = threading.Semaphore(0)
        self.io = loop.io(self.near, EV_READ, self.take)
        self.thread = threading.Thread(target=self.bring, daemon=True)
        self.thread.start()

    def bring(self):
        while self.asked.acquire() and not self.ended:
            time.sleep(0.002)
            self.far.send(b"x")

    def take(self, io, revents):
        self.near.recv(1)
        self.left -= 1
        if self.left:
            self.asked.release()
        else:
            io.stop()
            self.loop.stop()

    def flow(self, count=ENOUGH):
        self.left = count
        self.io.start()
        self.asked.release()
        self.loop.start()

    def end(self):
        self.ended = True
        self.asked.release()
        self.thread.join(patient(60))


@pytest.fixture
def traffic(new_loop, pair):
    made = []

    def make(flags=0):
        loop = new_loop(EVBACKEND_EPOLL | flags)
        made.append(Traffic(loop, pair))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_timers_are_neither_early_nor_lost(traffic):
    traffic = traffic()
    loop, late = traffic.loop, []

    def note(timer, revents):
        late.append(time.monotonic() - timer.data)

    began = time.monotonic()
    loop.update()
    for span in (0.05, 0.1, 0.1001, 0.3):
        loop.timer(span, 0.0, note, data=began + span).start()
    traffic.flow()
    loop.start()
    assert len(late) == 4
    assert min(late) >= 0.0


def test_it_does_not_end_the_wait_for_an_event(traffic):
    traffic = traffic()
    loop, passes = traffic.loop, []
    with loop.timer(0.4, 0.0, lambda timer, revents: None):
        traffic.flow()
    # Set for a timer that is gone: it rings within this wait, which has no limit.
    loop.prepare(lambda watcher, revents: passes.append(watcher)).start()
    traffic.left = 1
    traffic.io.start()
    ringing = threading.Timer(0.8, traffic.far.send, [b"x"])
    ringing.start()
    loop.start(EVRUN_ONCE)
    ringing.join()
    assert traffic.left == 0
    assert len(passes) == 1
    # And one with a later limit.
    expired = []
    began = time.monotonic()
    loop.timer(0.5, 0.0, lambda timer, revents: expired.append(time.monotonic() - began)).start()
    loop.start(EVRUN_ONCE)
    assert len(passes) == 2
    assert expired[0] >= 0.5


def test_without_one(traffic):
    before = alarms()
    traffic = traffic(EVFLAG_NOTIMERFD)
    loop, expired = traffic.loop, []
    loop.timer(0.2, 0.0, lambda timer, revents: expired.append(True)).start()
    traffic.flow()
    loop.start()
    assert expired == [True]
    assert alarms() == before


def test_where_there_is_room_for_no_more_than_the_eventfd(run_program):
    run_program(
        """
        loop = Loop(EVBACKEND_EPOLL)
        near, far = socket.socketpair()
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        held = []
        while raised(lambda: held.append(os.dup(0))) == "nothing":
            pass
        os.close(held.pop())
        expired, left = [], [30]
        loop.timer(0.3, 0.0, lambda w, e: expired.append(True)).start()

        def take(io, revents):
            near.recv(1)
            left[0] -= 1
            if not left[0]:
                io.stop()

        loop.io(near, EV_READ, take).start()

        def bring():
            for _ in range(30):
                time.sleep(0.002)
                far.send(b"x")

        threading.Thread(target=bring).start()
        loop.start()
        print(expired, left)
        """,
        "[True] [0]",
    )


def test_a_forked_child_has_its_own(traffic):
    traffic = traffic()
    loop, expired = traffic.loop, []
    timer = loop.timer(0.3, 0.0, lambda timer, revents: expired.append(True))
    timer.start()
    traffic.flow()
    child = os.fork()
    if not child:
        signal.alarm(int(patient(60)))
        traffic.left = 0
        loop.timer(0.1, 0.0, lambda timer, revents: None).start()
        loop.start()
        os._exit(expired != [True])
    loop.start()
    assert expired == [True]
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def alarmed(traffic):
    """Traffic of a loop whose alarm is set, and the number of that."""
    before = alarms()
    traffic = traffic()
    with traffic.loop.timer(0.5, 0.0, lambda timer, revents: None):
        traffic.flow()
    (fd,) = alarms() - before
    return traffic, fd


def test_timers_fire_though_somebody_has_closed_its_descriptor(alarmed):
    traffic, fd = alarmed
    loop, expired = traffic.loop, []
    os.close(fd)
    loop.timer(0.3, 0.0, lambda timer, revents: expired.append(True)).start()
    for _ in range(int(patient(60)) * 100):
        traffic.flow(5)
        if expired:
            break
    assert expired == [True]


def test_timer_comes_though_nothing_else_does_and_somebody_has_closed_its_descriptor(alarmed):
    traffic, fd = alarmed
    loop, expired = traffic.loop, []
    ours, theirs = os.pipe()
    os.dup2(ours, fd)
    loop.timer(1.0, 0.0, lambda timer, revents: expired.append(True)).start()
    loop.start()
    assert expired == [True]
    loop.close()
    # Its number is somebody else's.
    os.write(theirs, b"x")
    assert os.read(fd, 1) == b"x"
    for each in (ours, theirs, fd):
        os.close(each)


def test_it_is_open_from_the_start_and_set_once_it_is_worth_it(traffic):
    before = alarms()
    traffic = traffic()
    traffic.loop.timer(60.0, 0.0, lambda timer, revents: None).start()
    traffic.loop.start(EVRUN_NOWAIT)
    (fd,) = alarms() - before
    assert not is_set(fd)
    traffic.flow(4)
    assert not is_set(fd)
    traffic.flow()
    assert is_set(fd)
    assert alarms() - before == {fd}
    # Not the number of a file that a program has closed.
    assert fd >= 48
    traffic.loop.close()
    assert alarms() == before


def is_set(fd):
    with open(f"/proc/self/fdinfo/{fd}") as file:
        return "it_value: (0, 0)" not in file.read()
