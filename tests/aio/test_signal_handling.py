"""Signal handlers of asyncio, beside Python's own and beside Signal watchers."""

import asyncio
import os
import signal

import pytest

import everloop

from .helpers import PATIENCE

LOOPS = [asyncio.new_event_loop, everloop.new_event_loop]


@pytest.fixture
def usr1():
    """SIGUSR1, whose handler is the default one before and after."""
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def raised(loop, sig):
    """Have the process get the signal, and the loop take notice."""

    async def main():
        os.kill(os.getpid(), sig)
        for _ in range(5):
            await asyncio.sleep(0)

    loop.run_until_complete(main())


@pytest.mark.parametrize("make_loop", LOOPS)
def test_python_shows_a_handler(make_loop, usr1):
    loop = make_loop()
    loop.add_signal_handler(usr1, int)
    assert callable(signal.getsignal(usr1))
    assert loop.remove_signal_handler(usr1) is True
    assert loop.remove_signal_handler(usr1) is False
    assert signal.getsignal(usr1) == signal.SIG_DFL
    loop.add_signal_handler(signal.SIGINT, int)
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    loop.close()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("make_loop", LOOPS)
def test_another_python_handler(make_loop, usr1):
    """Set after the loop's: both are called, also when the one before is put back."""
    loop = make_loop()
    seen = []
    loop.add_signal_handler(usr1, seen.append, "loop")
    before = signal.signal(usr1, lambda *_: seen.append("python"))
    raised(loop, usr1)
    assert sorted(seen) == ["loop", "python"]
    signal.signal(usr1, before)
    raised(loop, usr1)
    assert sorted(seen) == ["loop", "loop", "python"]
    loop.close()


@pytest.mark.parametrize("first", ["watcher", "handler"])
def test_beside_a_watcher(loop, usr1, first):
    """In whichever order they come and go."""
    seen = []
    watcher = loop.signal(usr1, lambda *_: seen.append("watcher"))

    def add():
        loop.add_signal_handler(usr1, seen.append, "handler")

    for start in (watcher.start, add) if first == "watcher" else (add, watcher.start):
        start()
    for _ in range(2):
        del seen[:]
        raised(loop, usr1)
        assert sorted(seen) == ["handler", "watcher"]
    del seen[:]
    if first == "watcher":
        watcher.stop()
        raised(loop, usr1)
        assert seen == ["handler"]
        loop.remove_signal_handler(usr1)
    else:
        loop.remove_signal_handler(usr1)
        raised(loop, usr1)
        assert seen == ["watcher"]
        watcher.stop()
    assert signal.getsignal(usr1) == signal.SIG_DFL


def test_two_loops_take_turns(usr1):
    """Each is told while it runs."""
    with everloop.new_event_loop() as one, everloop.new_event_loop() as two:
        seen = []
        one.add_signal_handler(usr1, seen.append, "one")
        two.add_signal_handler(usr1, seen.append, "two")
        for loop, name in (one, "one"), (two, "two"), (one, "one"):
            del seen[:]
            raised(loop, usr1)
            assert seen == [name]


def test_signal_of_another_loops_watcher(loop, usr1):
    refused = pytest.raises(RuntimeError, match="cannot be caught")
    with everloop.Loop() as other, other.signal(usr1, int), refused:
        loop.add_signal_handler(usr1, int)


def in_child(function):
    """Run in a forked child; its exit status is 0 if the function returns True."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(int(PATIENCE))
            status = 0 if function() is True else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_forked_child_with_the_same_loop(loop, usr1):
    """It gets its own signals, and the parent none of them."""
    seen = []
    loop.add_signal_handler(usr1, seen.append, "told")

    def child():
        raised(loop, usr1)
        return seen == ["told"]

    assert in_child(child) == 0
    raised(loop, usr1)
    assert seen == ["told"]


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGUSR1])
def test_forked_child_with_a_loop_of_its_own(loop, usr1, sig):
    parents = []
    loop.add_signal_handler(sig, parents.append, "told")

    def child():
        seen = []
        mine = everloop.new_event_loop()
        mine.add_signal_handler(sig, seen.append, "told")
        raised(mine, sig)
        return seen == ["told"] and not parents

    assert in_child(child) == 0
    raised(loop, sig)
    assert parents == ["told"]
    loop.remove_signal_handler(sig)


def test_one_signal_after_many_others_is_not_lost(usr1):
    """There is no room for it in the pair of sockets; asyncio's loop loses it."""
    seen = []
    with everloop.new_event_loop() as loop:
        for sig in (signal.SIGHUP, usr1):
            loop.add_signal_handler(sig, seen.append, sig)

        async def main():
            for _ in range(5000):
                os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), usr1)
            for _ in range(5):
                await asyncio.sleep(0)

        loop.run_until_complete(main())
        assert seen.count(usr1) == 1
        raised(loop, signal.SIGHUP)
        assert seen[-1] == signal.SIGHUP
        assert seen.count(usr1) == 1
