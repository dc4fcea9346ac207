"""Loops in forked processes: what a child does must not reach its parent, nor the reverse."""

import os
import textwrap

import pytest

from everloop import EV_READ, EV_WRITE, EVRUN_NOWAIT, Error

# Programs for child interpreters: fork() runs a function in a forked child and tells how it ended.
FORK = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)


def fork(function):
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            function()
            status = 0
        finally:
            if status:
                import traceback
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


"""


@pytest.fixture
def run_forking(run_program):
    def run(source, expected):
        return run_program(FORK + textwrap.dedent(source), expected)

    return run


def test_reset_keeps_all_watchers(new_loop, backend, pipe):
    loop = new_loop(backend)
    r, w = pipe()
    os.write(w, b"x")
    called = []
    loop.io(r, EV_READ, lambda w, e: called.append("read")).start()
    loop.io(w, EV_WRITE, lambda w, e: called.append("write")).start()
    wake = loop.async_(lambda w, e: called.append("wake"))
    wake.start()
    for _ in range(3):
        loop.reset()
        loop.reset()
        wake.send()
        loop.start(EVRUN_NOWAIT)
        loop.verify()
        assert sorted(called) == ["read", "wake", "write"]
        called.clear()


def test_reset_keeps_timers_in_time(loop, clock):
    timer = loop.timer(5.0, 0.0, lambda w, e: None)
    timer.start()
    clock.advance(2.0)
    loop.reset()
    loop.start(EVRUN_NOWAIT)
    assert timer.remaining == pytest.approx(3.0)


def test_reset_in_a_callback(loop, pipe):
    _, w = pipe()
    called = []
    loop.io(w, EV_WRITE, lambda w, e: (called.append(e), loop.reset())).start()
    for n in range(1, 4):
        loop.start(EVRUN_NOWAIT)
        loop.verify()
        assert len(called) == n


def test_reset_opens_no_more_descriptors(new_loop, backend):
    loop = new_loop(backend)
    loop.async_(lambda w, e: None).start()
    loop.start(EVRUN_NOWAIT)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        loop.reset()
        loop.start(EVRUN_NOWAIT)
    assert len(os.listdir("/proc/self/fd")) == before


def test_reset_of_a_closed_loop(new_loop):
    loop = new_loop()
    loop.close()
    with pytest.raises(Error, match="closed"):
        loop.reset()


@pytest.mark.parametrize("reset", [False, True])
def test_child_goes_on_with_the_loop(run_forking, reset):
    run_forking(
        f"""
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            served = []
            io = loop.io(r, EV_READ, lambda w, e: served.append(os.read(r, 9)))
            io.start()
            wake = loop.async_(lambda w, e: served.append("wake"))
            wake.start()
            loop.timer(0.001, 0.0, lambda w, e: served.append("timer")).start()
            loop.start(EVRUN_NOWAIT)
            def child():
                served.clear()
                if {reset}:
                    loop.reset()
                os.write(w, b"child")
                wake.send()
                while len(served) < 3:
                    loop.start(EVRUN_ONCE)
                loop.verify()
                print(sorted(map(str, served)))
                loop.close()
            print(fork(child))
            while "timer" not in served:
                loop.start(EVRUN_ONCE)
            loop.verify()
            print(served)
            loop.close()
        """,
        "[\"b'child'\", 'timer', 'wake'] 0 ['timer'] " * 3,
    )


def test_watchers_of_the_child_are_not_the_parents(run_forking):
    """Stopped, started and closed in the child: the parent's kernel side stays as it was."""
    run_forking(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            other, into = pipe()
            served = []
            io = loop.io(r, EV_READ, lambda w, e: served.append(os.read(r, 9)))
            io.start()
            loop.start(EVRUN_NOWAIT)
            def child():
                io.stop()
                loop.io(other, EV_READ, noop).start()
                loop.io(into, EV_WRITE, noop).start()
                for _ in range(3):
                    loop.start(EVRUN_NOWAIT)
                io.start()
                loop.start(EVRUN_NOWAIT)
                loop.close()
            print(fork(child))
            print(fork(loop.close))
            os.write(w, b"parent")
            os.write(into, b"x")
            loop.start(EVRUN_ONCE)
            before = loop.iteration
            loop.timer(0.1, 0.0, noop).start()
            loop.timer(0.2, 0.0, lambda w, e: loop.stop()).start()
            loop.start()
            print(served, loop.iteration - before < 20)
            loop.verify()
            loop.close()
        """,
        "0 0 [b'parent'] True " * 3,
    )


def test_child_that_closes_and_reuses_descriptors(run_forking):
    run_forking(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            served = []
            io = loop.io(r, EV_READ, lambda w, e: (served.append(os.read(r, 9)), loop.stop()))
            io.start()
            loop.start(EVRUN_NOWAIT)
            def child():
                mine, into = os.pipe()
                os.dup2(mine, r)
                os.write(into, b"child")
                loop.start()
                print(served)
            print(fork(child))
            os.write(w, b"parent")
            loop.start()
            print(served)
            loop.verify()
            loop.close()
        """,
        "[b'child'] 0 [b'parent'] " * 3,
    )


def test_child_of_a_child(run_forking):
    run_forking(
        """
        loop = Loop()
        r, w = pipe()
        loop.io(w, EV_WRITE, lambda w, e: loop.stop()).start()
        loop.start()
        def child():
            loop.start()
            print(fork(grandchild))
            loop.start()
        def grandchild():
            loop.start()
            loop.verify()
            print("grandchild")
        print(fork(child))
        print(loop.start())
        """,
        "grandchild 0 0 True",
    )


def test_loop_made_in_the_child_while_the_parent_has_one(run_forking):
    run_forking(
        """
        loop = ev.default_loop()
        loop.timer(60.0, 0.0, noop).start()
        def child():
            print(ev.default_loop() is loop, len(loop.watchers))
            other = Loop()
            other.timer(0.0, 0.0, noop).start()
            print(other.start())
        print(fork(child), len(loop.watchers))
        """,
        "True 1 False 0 1",
    )


def test_fork_in_a_callback_with_others_pending(run_forking):
    run_forking(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            who = ["parent"]
            def act(watcher, revents):
                def child():
                    who[0] = "child"
                    loop.start(EVRUN_NOWAIT)
                print(fork(child))
            watchers = [loop.idle(lambda w, e: print(who[0], w.data), n, -1) for n in (1, 2)]
            watchers.append(loop.idle(act))
            for watcher in watchers:
                watcher.feed(EV_CUSTOM)
            loop.start()
            loop.verify()
            loop.close()
        """,
        "child 2 child 1 0 parent 2 parent 1 " * 3,
    )


def test_sends_in_the_child_do_not_reach_the_parent(run_forking):
    run_forking(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            served = []
            wake = loop.async_(lambda w, e: served.append(os.getpid()))
            wake.start()
            loop.timer(0.001, 0.0, noop).start()
            loop.start(EVRUN_ONCE)
            def child():
                for _ in range(5):
                    wake.send()
                loop.start(EVRUN_ONCE)
                print(served == [os.getpid()])
            print(fork(child), wake.sent)
            loop.start(EVRUN_NOWAIT)
            print(served)
            wake.send()
            loop.start(EVRUN_ONCE)
            print(served == [os.getpid()])
            loop.close()
        """,
        "True 0 False [] True " * 3,
    )


def test_child_drops_the_loop(run_forking):
    run_forking(
        """
        loop = Loop()
        r, w = pipe()
        loop.io(w, EV_WRITE, lambda w, e: loop.stop()).start()
        loop.start()
        def child():
            global loop
            ghost = weakref.ref(loop)
            loop = None
            gc.collect()
            print(ghost() is None)
        loop.watchers[0].callback = lambda w, e: w.loop.stop()
        print(fork(child))
        print(loop.start())
        """,
        "True 0 True",
    )


def test_subprocess_does_not_get_the_loops_descriptors(run_forking):
    run_forking(
        """
        import subprocess
        listing = [sys.executable, "-c", "import os; print(len(os.listdir('/proc/self/fd')))"]
        def count():
            return subprocess.run(listing, close_fds=False, capture_output=True).stdout
        before = count()
        loops = []
        for backend in BACKENDS:
            loop = Loop(backend)
            loop.async_(noop).start()
            loop.start(EVRUN_NOWAIT)
            loops.append(loop)
        print(count() == before)
        """,
        "True",
    )
