"""The table of descriptors, seen through Io watchers and loop.feed_fd_event()."""

import os
import random

import pytest

from everloop import EV_READ, EV_WRITE, EVRUN_NOWAIT


@pytest.fixture
def called():
    return []


def test_watchers_of_a_descriptor_are_called_in_the_order_of_starting(loop, pipe, called):
    r, w = pipe()
    watchers = [loop.io(r, EV_READ, lambda w, e: called.append(w.data), n) for n in range(4)]
    for n in (2, 0, 3, 1):
        watchers[n].start()
        loop.verify()
    os.write(w, b"x")
    loop.start(EVRUN_NOWAIT)
    assert called == [2, 0, 3, 1]


@pytest.mark.parametrize("place", range(4))
def test_any_one_can_leave_the_chain(loop, pipe, called, place):
    r, w = pipe()
    watchers = [loop.io(r, EV_READ, lambda w, e: called.append(w.data), n) for n in range(4)]
    for watcher in watchers:
        watcher.start()
    os.write(w, b"x")
    watchers[place].stop()
    loop.verify()
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    assert called == [n for n in range(4) if n != place]


def test_each_gets_only_what_it_asked_for(loop, pipe, called):
    r, _ = pipe()
    for events in (EV_READ, EV_WRITE, EV_READ | EV_WRITE, 0):
        loop.io(r, events, lambda w, e: called.append((w.events, e))).start()
    loop.feed_fd_event(r, EV_READ)
    loop.invoke()
    assert called == [(EV_READ, EV_READ), (EV_READ | EV_WRITE, EV_READ)]
    called.clear()
    loop.feed_fd_event(r, EV_READ | EV_WRITE)
    loop.verify()
    loop.invoke()
    assert sorted(called) == [(1, 1), (2, 2), (3, 3)]


def test_feeding_a_descriptor_that_nobody_watches(loop, pipe):
    r, _ = pipe()
    for fd in (0, r, 63, 64, 10**6, 2**31 - 1):
        loop.feed_fd_event(fd, EV_READ)
        loop.verify()
    assert loop.pending == 0
    with pytest.raises(ValueError, match="fd"):
        loop.feed_fd_event(-1, EV_READ)


def test_table_grows_to_the_descriptor(loop, pipe, called):
    r, w = pipe()
    os.write(w, b"x")
    copies = [700, 65, 300, 64]
    watchers = []
    for fd in copies:
        os.dup2(r, fd)
        watchers.append(loop.io(fd, EV_READ, lambda w, e: called.append(w.fd)))
        watchers[-1].start()
        loop.verify()
    loop.start(EVRUN_NOWAIT)
    assert sorted(called) == sorted(copies)
    for watcher in watchers:
        watcher.stop()
        os.close(watcher.fd)
    loop.start(EVRUN_NOWAIT)


def test_start_and_stop_without_a_pass_in_between(loop, pipe, called):
    r, w = pipe()
    os.write(w, b"x")
    watcher = loop.io(r, EV_READ, lambda w, e: called.append(e))
    for _ in range(5):
        watcher.start()
        watcher.stop()
        loop.verify()
    loop.start(EVRUN_NOWAIT)
    assert called == []
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    assert called == [EV_READ]


def test_events_of_a_restarted_watcher_are_the_new_ones(loop, pipe, called):
    r, w = pipe()
    watcher = loop.io(w, EV_WRITE, lambda w, e: called.append(e))
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    watcher.stop()
    watcher.set(w, EV_READ)
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    assert called == [EV_WRITE]


@pytest.mark.parametrize("seed", range(3))
def test_random_work_agrees_with_a_model(loop, pipe, seed):
    chance = random.Random(seed)
    fds = [end for _ in range(5) for end in pipe()]
    called = []
    watchers = [
        loop.io(chance.choice(fds), chance.randrange(4), lambda w, e: called.append((w.data, e)), n)
        for n in range(40)
    ]
    for _ in range(1500):
        n = chance.randrange(40)
        watcher = watchers[n]
        action = chance.randrange(4)
        if action == 0:
            watcher.start()
        elif action == 1:
            watcher.stop()
        elif action == 2 and not watcher.active:
            watcher.set(chance.choice(fds), chance.randrange(4))
        else:
            fd, revents = chance.choice(fds), chance.randrange(4)
            loop.feed_fd_event(fd, revents)
            loop.invoke()
            assert sorted(called) == [
                (w.data, w.events & revents)
                for w in watchers
                if w.active and w.fd == fd and w.events & revents
            ]
            called.clear()
        loop.verify()
