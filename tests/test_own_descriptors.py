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


# Somebody closes them


@pytest.mark.parametrize("other", ["nothing", "a pipe", "another set"])
def test_a_loop_without_its_set_says_so(run_program, other):
    """In a callback that starts a watcher, too: it is not that one's fault."""
    run_program(
        f"""
        loop, another = Loop(EVBACKEND_EPOLL), Loop(EVBACKEND_EPOLL)
        near, far = socket.socketpair()
        watched = loop.io(near, EV_READ, noop)
        def act(timer, revents):
            if {other!r} == "nothing":
                os.close(loop.fileno())
            elif {other!r} == "a pipe":
                os.dup2(os.pipe()[0], loop.fileno())
            else:
                # Events of descriptors of which the loop has never heard.
                os.dup2(another.fileno(), loop.fileno())
            watched.start()
            loop.timer(0.0, 0.0, lambda w, e: loop.stop()).start()
        sockets = [each for _ in range(200) for each in socket.socketpair()]
        another.io(sockets[-1], EV_WRITE, noop).start()
        another.start(EVRUN_NOWAIT)
        loop.timer(0.0, 0.0, act).start()
        try:
            loop.start()
            print("goes on")
        except OSError as error:
            print(error.strerror)
        loop.verify()
        print(watched.active)
        """,
        "goes on True" if other == "another set" else "the loop's backend is unusable True",
    )


def test_what_is_refused_after_the_set_itself_is_not_its_fault(run_program):
    """A loop can't watch its own set; that says nothing of the next one."""
    run_program(
        """
        loop = Loop(EVBACKEND_EPOLL)
        for fd in (loop.fileno(), 900):
            watcher = loop.io(fd, EV_READ, noop)
            watcher.start()
            try:
                loop.start(EVRUN_NOWAIT)
            except OSError as error:
                print(error.strerror.split(":")[0], watcher.active)
        """,
        "Invalid argument False Bad file descriptor False",
    )
