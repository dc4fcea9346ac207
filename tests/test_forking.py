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
            loop.timer(0.05, 0.0, lambda w, e: served.append("timer")).start()
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


# What the child starts before its first pass

BEFORE_THE_FIRST_PASS = """
def parents_loop(flags=0):
    '''A loop that watches something of each kind, and has waited.'''
    loop = Loop(flags)
    r, w = pipe()
    loop.io(r, EV_READ, noop).start()
    loop.async_(noop).start()
    loop.stat("/tmp", 60.0, noop).start()
    loop.periodic(0.0, 1e9, noop).start()
    loop.signal(signal.SIGUSR2, noop).start()
    loop.timer(0.001, 0.0, noop).start()
    loop.start(EVRUN_ONCE)
    return loop


def seen_in_child(loop, start, cause, before):
    '''Start in the child what start() makes; print whether its callback is called.'''
    def child():
        before(loop)
        called = []
        def callback(watcher, revents):
            called.append("told")
            loop.stop()
        cause(start(callback))
        loop.start()
        loop.verify()
        print(called)
        loop.close()
    print(fork(child))
    loop.start(EVRUN_NOWAIT)
    loop.verify()


def untouched(loop):
    pass


def started(watcher):
    watcher.start()
    return watcher


"""
BEFORE = ["untouched", "Loop.reset", "lambda loop: loop.depth"]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    "start, cause",
    [
        ("lambda cb: started(loop.io(mine[0], EV_READ, cb))", "lambda _: os.write(mine[1], b'x')"),
        ("lambda cb: started(loop.async_(cb))", "Async.send"),
        ("lambda cb: started(loop.timer(0.0, 0.01, cb))", "noop1"),
        ("lambda cb: started(loop.periodic(time.time() + 0.01, 0.0, cb))", "noop1"),
        ("lambda cb: started(loop.idle(cb))", "noop1"),
        ("lambda cb: started(loop.fork(cb))", "noop1"),
        ("lambda cb: started(loop.signal(signal.SIGUSR1, cb))", "lambda _: kill_me()"),
        (
            "lambda cb: started(loop.signal(signal.SIGUSR2, cb))",
            "lambda _: kill_me(signal.SIGUSR2)",
        ),
        ("lambda cb: started(loop.stat(path, 60.0, cb))", "lambda _: open(path, 'w').close()"),
        ("lambda cb: started(loop.child(ended(), False, cb))", "noop1"),
        (
            "lambda cb: started(loop.child(will_end(), False, cb))",
            "lambda _: os.write(mine[1], b'x')",
        ),
        ("lambda cb: started(loop.embed(inner(), cb))", "lambda _: os.write(mine[1], b'x')"),
    ],
)
def test_what_is_started_before_the_first_pass_is_the_childs(
    run_forking, tmp_path, start, cause, before
):
    run_forking(
        BEFORE_THE_FIRST_PASS
        + f"""
path = {str(tmp_path / "watched")!r}
for flags in (0, EVFLAG_SIGNALFD, EVBACKEND_POLL):
    mine = pipe()
    def noop1(watcher):
        pass
    def kill_me(signum=signal.SIGUSR1):
        os.kill(os.getpid(), signum)
    def ended():
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return pid
    def will_end():
        pid = os.fork()
        if pid == 0:
            os.set_blocking(mine[0], True)
            os.read(mine[0], 1)
            os._exit(3)
        return pid
    def inner():
        other = Loop(EVBACKEND_EPOLL)
        started(other.io(mine[0], EV_READ, noop))
        return other
    loop = parents_loop(flags)
    seen_in_child(loop, {start}, {cause}, {before})
    loop.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
""",
        "['told'] 0 " * 3,
    )


@pytest.mark.parametrize("before", BEFORE)
def test_embedded_loop_that_is_sent_to_before_the_first_pass(run_forking, before):
    run_forking(
        f"""
        outer, inner = Loop(), Loop(EVBACKEND_EPOLL)
        served = []
        wake = inner.async_(lambda w, e: (served.append(os.getpid()), outer.stop()))
        wake.start()
        outer.embed(inner).start()
        outer.start(EVRUN_NOWAIT)
        def child():
            for loop in (inner, outer):
                ({before if before != "untouched" else "id"})(loop)
            wake.send()
            outer.start()
            print(served == [os.getpid()])
        print(fork(child))
        outer.start(EVRUN_NOWAIT)
        print(served)
        """,
        "True 0 []",
    )


def test_end_of_the_parents_child_is_not_told_in_the_child(run_forking):
    """The fork comes while the news waits in the queue."""
    run_forking(
        """
        loop = Loop()
        pid = os.fork()
        if pid == 0:
            os._exit(3)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        watcher = loop.child(pid, False, lambda w, e: (print(os.getpid() == parent, w.returncode), w.stop()))
        parent = os.getpid()
        def act(check, revents):
            check.stop()
            def child():
                loop.start(EVRUN_NOWAIT)
                print(watcher.rpid)
            print(fork(child))
        watcher.start()
        loop.check(act, None, EV_MAXPRI).start()
        loop.start()
        """,
        "0 0 True 3",
    )


def test_signals_of_the_parents_signalfd_stay_its_own(run_forking):
    """Stopping and starting in the child does not change what the parent's one takes."""
    run_forking(
        """
        loop = Loop(EVFLAG_SIGNALFD)
        called = []
        watchers = [loop.signal(n, lambda w, e: called.append(w.signum)) for n in (10, 12)]
        for watcher in watchers:
            watcher.start()
        loop.start(EVRUN_NOWAIT)
        def child():
            loop.depth
            watchers[0].stop()
            watchers[1].stop()
            print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        print(fork(child))
        for watcher in watchers:
            os.kill(os.getpid(), watcher.signum)
        while len(called) < 2:
            loop.start(EVRUN_ONCE)
        print(sorted(called))
        """,
        "set() 0 [10, 12]",
    )


# Signals that the parent's loops watch

CLAIMED = """
loop = Loop({flags})
called = []
loop.signal(signal.SIGUSR1, lambda w, e: called.append("parent")).start()
loop.start(EVRUN_NOWAIT)


"""


@pytest.mark.parametrize("theirs", ["0", "EVFLAG_SIGNALFD"])
@pytest.mark.parametrize("mine", ["0", "EVFLAG_SIGNALFD"])
def test_child_with_a_loop_of_its_own_watches_what_the_parent_watches(run_forking, theirs, mine):
    run_forking(
        CLAIMED.format(flags=theirs)
        + f"""
def child():
    own = Loop({mine})
    watcher = own.signal(signal.SIGUSR1, lambda w, e: (called.append("child"), own.stop()))
    watcher.start()
    os.kill(os.getpid(), signal.SIGUSR1)
    own.start()
    print(called)
    watcher.stop()
    own.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
print(fork(child) == -signal.SIGUSR1)
os.kill(os.getpid(), signal.SIGUSR1)
loop.start(EVRUN_ONCE)
print(called)
""",
        "['child'] True ['parent']",
    )


def test_child_that_goes_on_with_the_parents_loop_keeps_its_signals(run_forking):
    run_forking(
        CLAIMED.format(flags="0")
        + """
def child():
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.start(EVRUN_ONCE)
    print(called)
    print(raised(Loop().signal(signal.SIGUSR1, noop).start))
print(fork(child))
""",
        "['parent'] Error 0",
    )


@pytest.mark.parametrize("threaded", [False, True])
def test_process_started_by_an_asyncio_program_handles_its_own_signals(run_program, threaded):
    run_program(
        f"""
        import asyncio, multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        context = multiprocessing.get_context("fork")

        async def work(done):
            loop = asyncio.get_running_loop()
            event = asyncio.Event()
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(signum, event.set)
            os.kill(os.getpid(), signal.SIGINT)
            await event.wait()
            done.send("child")

        async def main():
            loop = asyncio.get_running_loop()
            event = asyncio.Event()
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(signum, event.set)
            ours, theirs = context.Pipe()
            process = context.Process(target=lambda: ev.run(work(theirs)))
            if {threaded}:
                await asyncio.to_thread(process.start)
            else:
                process.start()
            print(await asyncio.to_thread(ours.recv))
            await asyncio.to_thread(process.join)
            # Python itself says 1 of processes that other threads began.
            print(process.exitcode in (0, {threaded}), event.is_set())
            os.kill(os.getpid(), signal.SIGTERM)
            await event.wait()
            print("parent")

        ev.run(main())
        """,
        "child True False parent",
    )


@pytest.mark.parametrize("before", ["pass", "loop.reset()", "loop.depth"])
def test_asyncio_in_the_child_before_the_first_pass(run_forking, before):
    """With the parent's EventLoop: a transport, a subprocess, and a signal."""
    run_forking(
        f"""
        import asyncio
        loop = ev.EventLoop()
        async def parent():
            process = await asyncio.create_subprocess_exec("true")
            await process.wait()
        loop.run_until_complete(parent())
        def child():
            {before}
            one, other = socket.socketpair()
            reader = loop.create_task(asyncio.open_connection(sock=one))
            other.send(b"hello")
            event = asyncio.Event()
            loop.add_signal_handler(signal.SIGUSR1, event.set)
            os.kill(os.getpid(), signal.SIGUSR1)
            async def main():
                print(await (await reader)[0].readexactly(5))
                process = await asyncio.create_subprocess_exec("sh", "-c", "exit 5")
                print(await process.wait())
                await event.wait()
            loop.run_until_complete(main())
        print(fork(child))
        loop.run_until_complete(parent())
        loop.close()
        """,
        "b'hello' 5 0",
    )
