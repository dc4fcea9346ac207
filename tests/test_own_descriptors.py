"""The descriptors that a loop opens for itself: they do not get higher numbers each time."""

import os
import signal

import pytest

import everloop
from everloop import EVFLAG_SIGNALFD, EVRUN_NOWAIT


def noop(watcher, revents):
    pass


def stat(loop):
    with loop.stat("/nothing/there", 0.0, noop):
        loop.start(EVRUN_NOWAIT)


def signal_by_descriptor(loop):
    with loop.signal(signal.SIGUSR1, noop):
        loop.start(EVRUN_NOWAIT)


def child(loop):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    loop.child(pid, False, lambda watcher, revents: loop.stop()).start()
    loop.start()


def date(loop):
    with loop.periodic(0.0, 3600.0, noop):
        loop.start(EVRUN_NOWAIT)
    loop.clock = everloop.clock.Clock()


def pair(loop):
    """A program's own: they leave their numbers to the loop."""
    ends = os.pipe()
    with loop.io(ends[0], everloop.EV_READ, noop):
        loop.start(EVRUN_NOWAIT)
    for fd in ends:
        os.close(fd)
    stat(loop)


@pytest.mark.parametrize("live", [stat, signal_by_descriptor, child, date, pair])
def test_numbers_are_used_again(new_loop, backend, live):
    loop = new_loop(backend | EVFLAG_SIGNALFD)
    numbers = set()

    def note(watcher, revents):
        numbers.update(map(int, os.listdir("/proc/self/fd")))

    with loop.prepare(note):
        loop.start(EVRUN_NOWAIT)
        others = len(numbers)
        for _ in range(20):
            live(loop)
    assert len(numbers) <= others + 6
