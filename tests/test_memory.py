"""Without memory: an exception, and a loop as it was."""

import textwrap

import pytest

pytest.importorskip("_testcapi")

PROGRAM = """
import _testcapi


def with_failing(n, function):
    '''Call function while the n-th allocation from here fails; returns whether it raised.'''
    _testcapi.set_nomemory(n, n + 1)
    try:
        function()
    except MemoryError:
        return True
    except SystemError as error:
        # What CPython makes of an exception that it has no memory for, os.environ.get() as well.
        assert str(error).endswith(("without exception set", "without setting an exception")), error
        return True
    finally:
        _testcapi.remove_mem_hooks()
    return False


"""


@pytest.fixture
def run_without_memory(run_program):
    def run(source, expected=""):
        return run_program(PROGRAM + textwrap.dedent(source), expected, hangs_after=60)

    return run


MAKE = {
    "Io": "loop.io(r, EV_READ, noop)",
    "Stray": "loop.io(10**6, EV_READ, noop)",
    "Timer": "loop.timer(60.0, 0.0, noop)",
    "Periodic": "loop.periodic(2e9, 0.0, noop)",
    "Scheduler": "loop.scheduler(lambda w, now: now + 60.0, noop)",
    "Idle": "loop.idle(noop)",
    "Prepare": "loop.prepare(noop)",
    "Check": "loop.check(noop)",
    "Fork": "loop.fork(noop)",
    "Async": "loop.async_(noop)",
    "Signal": "loop.signal(signal.SIGUSR1, noop)",
    "Signal by signalfd": "by_fd.signal(signal.SIGUSR1, noop)",
    "Child": "loop.child(pid, False, noop)",
    "Any child": "ev.default_loop().child(0, False, noop)",
    "Embed": "loop.embed(inner)",
    "Stat": "loop.stat('/', 0.0, noop)",
    "Stat of nothing": "loop.stat('/nothing/there', 0.0, noop)",
    "Stat of a link": "loop.stat('/proc/self/cwd', 0.0, noop)",
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("started", [0, 7, 8])  # how full the loop's tables are
def test_start_that_fails_changes_nothing(run_without_memory, kind, started):
    run_without_memory(
        f"""
        import warnings
        gc.disable()
        r, w = pipe()
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        reported([])  # a reschedule that fails
        warnings.simplefilter('ignore')
        for n in range(70):
            loop = Loop()
            inner = Loop(EVBACKEND_EPOLL)
            by_fd = Loop(EVFLAG_SIGNALFD)
            others = [loop.timer(60.0, 0.0, noop) for _ in range({started})]
            for other in others:
                other.start()
            watcher = {MAKE[kind]}
            if with_failing(n, watcher.start) and watcher.active:
                print("active", n)
            loop.verify()
            watcher.stop()
            del watcher
            loop.verify()
            loop.start(EVRUN_NOWAIT)
            print(*loop.watchers[{started}:], end="")
            loop.close()
            for other in (inner, by_fd, ev.default_loop()):
                other.verify()
                other.start(EVRUN_NOWAIT)
                print(*other.watchers, end="")
                other.close()
        os.kill(pid, signal.SIGKILL)
        """
    )


@pytest.mark.parametrize("kind", ["Loop", "ev.EventLoop"])
def test_loop_that_can_not_be_made(run_without_memory, kind):
    run_without_memory(
        f"""
        import asyncio.base_events, asyncio.selector_events, weakref

        class Strong:
            # Where CPython has no memory for a function it drops a reference too many, which
            # ends in a crash; those of the library make functions.
            WeakSet, WeakValueDictionary, ref = set, dict, weakref.ref

        asyncio.base_events.weakref = asyncio.selector_events.weakref = Strong
        {kind}().close()
        descriptors = len(os.listdir("/proc/self/fd"))
        loops = []
        for n in range(400):
            if not with_failing(n, lambda: loops.append({kind}())) and not loops:
                print("neither", n)
            while loops:
                loop = loops.pop()
                loop.verify()
                loop.close()
        gc.collect()
        print(len(os.listdir("/proc/self/fd")) - descriptors)
        """,
        "0",
    )


def test_feed_that_fails_changes_nothing(run_without_memory):
    run_without_memory(
        """
        for started in (0, 7, 8, 15, 16):
            for n in range(10):
                loop = Loop()
                called = []
                others = [loop.idle(noop) for _ in range(started)]
                for other in others:
                    other.feed(1)
                watcher = loop.idle(lambda w, e: called.append(e))
                failed = with_failing(n, lambda: watcher.feed(1))
                loop.verify()
                if watcher.pending == failed:
                    print("pending", started, n)
                del watcher
                loop.start(EVRUN_NOWAIT)
                loop.verify()
                loop.close()
        """
    )


@pytest.mark.parametrize("count", [3, 20, 1500])
def test_timers_that_expire_without_memory_stay_due(run_without_memory, count):
    run_without_memory(
        f"""
        reports = reported([])
        for repeat in (0.0, 60.0):
            for n in range(12):
                loop = Loop()
                loop.clock = ev.clock.ManualClock()
                called = []
                reports.clear()
                for i in range({count}):
                    loop.timer(1.0 + i / 1e6, repeat, lambda w, e: called.append(w), i, i % 5 - 2).start()
                loop.clock.advance(2.0)
                failed = with_failing(n, lambda: loop.start(EVRUN_NOWAIT))
                loop.verify()
                loop.start(EVRUN_NOWAIT)
                loop.verify()
                # A call may fail as well; none is forgotten.
                if len(called) + len(reports) != {count}:
                    print(repeat, n, failed, len(called), reports)
                loop.close()
        """
    )


def test_asyncio_timer_that_can_not_be_scheduled(run_without_memory):
    run_without_memory(
        """
        import asyncio
        loop = ev.EventLoop()
        loop.run_until_complete(asyncio.sleep(0))
        for n in range(20):
            with_failing(n, lambda: loop.call_later(0.0, int))
            loop.verify()
            loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()
        """
    )


# What happens, and what is watched for it. The kernel tells it once only.
HAPPENS = {
    "Signal": ("loop.signal(signal.SIGUSR1, count)", "os.kill(os.getpid(), signal.SIGUSR1)"),
    "Async": ("loop.async_(count)", "watcher.send()"),
    "Child": ("loop.child(child(), False, count)", "end(watcher)"),
    "Any child": ("loop.child(0, False, count)", "end(child())"),
    "Traced child": ("loop.child(child(), True, count)", "end(watcher)"),
    "Stat": ("loop.stat(path, 0.0, count)", "os.truncate(path, 1 + os.stat(path).st_size)"),
    "Periodic": ("loop.periodic(0.0, 1.0, count)", "clock.advance(1.0)"),
    "Scheduler": (
        "loop.scheduler(lambda w, now: 5.0 if now < 5.0 else 1e30, count)",
        "clock.advance(5.0)",
    ),
}


@pytest.mark.parametrize("flags", ["", "EVFLAG_SIGNALFD"])
@pytest.mark.parametrize("kind", HAPPENS)
@pytest.mark.parametrize("others", [0, 15, 16])  # how full the pending queue is
def test_what_happens_without_memory_is_not_lost(run_without_memory, kind, flags, others):
    make, happen = HAPPENS[kind]
    run_without_memory(
        f"""
        import tempfile
        gc.disable()
        reported([])
        counts = [0]
        file = tempfile.NamedTemporaryFile()
        path = file.name

        def count(watcher, revents):
            counts[0] += 1

        def child():
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            return pid

        def end(watcher):
            pid = watcher if isinstance(watcher, int) else watcher.pid
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

        for n in range(60):
            loop = ev.default_loop({flags})
            if "clock" in {happen!r}:
                clock = loop.clock = ev.clock.ManualClock(wall=1.5)
            watcher = {make}
            watcher.start()
            loop.start(EVRUN_NOWAIT)
            counts[0] = 0
            for _ in range({others}):
                loop.idle(noop, None, watcher.priority).feed(1)
            {happen}
            failed = with_failing(n, lambda: loop.start(EVRUN_NOWAIT))
            loop.verify()
            for _ in range(5):
                loop.start(EVRUN_NOWAIT)
            if counts != [1]:
                print(n, failed, counts)
            loop.verify()
            watcher.stop()
            loop.close()
        """
    )


@pytest.mark.parametrize("backend", ["EVBACKEND_EPOLL", "EVBACKEND_POLL", "EVBACKEND_SELECT"])
def test_a_loop_that_could_not_be_made_is_not_complained_of(run_without_memory, backend):
    run_without_memory(
        f"""
        import contextvars

        # CPython 3.11 crashes without memory for these.
        contextvars.copy_context()
        weakref.WeakValueDictionary.update = noop
        ev.EventLoop().close()

        def complained(report):
            # What has no object is CPython's: later ones have no memory to free an object's dict.
            if report.object is not None:
                print(report.exc_type, report.exc_value, report.object)

        sys.unraisablehook = complained
        whole = n = 0
        while whole < 20:
            failed = with_failing(n, lambda: ev.EventLoop({backend}).close())
            whole = 0 if failed else whole + 1
            gc.collect()
            n += 1
        """
    )
