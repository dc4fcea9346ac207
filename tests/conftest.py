"""What the tests share: loops that are verified and closed, descriptors that are closed,
child interpreters for programs that may go wrong, and a check for leaks around every test."""

import contextlib
import faulthandler
import gc
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

import pytest
from patience import patient

import everloop
from everloop import EVBACKEND_EPOLL, EVBACKEND_POLL, EVBACKEND_SELECT

# Most of what the applications need has no build for a free-threaded Python.
collect_ignore = ["applications"] if "t" in getattr(sys, "abiflags", "") else []

BACKENDS = {"epoll": EVBACKEND_EPOLL, "poll": EVBACKEND_POLL, "select": EVBACKEND_SELECT}

# A loop that runs so long in a test hangs: it is stopped, and the test has failed.
LOOP_HANGS_AFTER = patient(60)

# A test that takes so long hangs: everything ends, with a traceback of each thread.
HANGS_AFTER = patient(150)

PRELUDE = """\
import faulthandler
faulthandler.dump_traceback_later(PROGRAM_HANGS_AFTER, exit=True)

import everloop as ev
from everloop.constants import *
from everloop import Async, Check, Child, Embed, Fork, Idle, Io, Periodic, Prepare, Scheduler
from everloop import Error, Loop, Signal, Stat, Timer, default_loop, fatal, feed_signal
import contextlib, gc, os, resource, signal, socket, sys, threading, time, weakref
# A shell's background job is told to ignore SIGINT, and tells its children.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.register_at_fork(after_in_child=lambda: signal.alarm(FORK_HANGS_AFTER))

KINDS = (Io, Timer, Idle, Prepare, Check, Async)
BACKENDS = (EVBACKEND_EPOLL, EVBACKEND_POLL, EVBACKEND_SELECT)


def noop(watcher, revents):
    pass


def arguments_of(kind):
    return {Io: (0, EV_READ), Timer: (60.0, 0.0)}.get(kind, ())


def make(kind, loop, callback=noop, *rest):
    return kind(*arguments_of(kind), loop, callback, *rest)


def pipe():
    ends = os.pipe()
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


def raised(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except BaseException as error:
        return type(error).__name__
    return "nothing"


def when_blocked(function, thread=threading.main_thread()):
    '''Call function, in a thread of its own, once the given thread sleeps in the kernel.'''
    def sleeps():
        with open(f"/proc/self/task/{thread.native_id}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "S"

    def watch():
        seen = 0
        while seen < 5:
            time.sleep(0.01)
            seen = seen + 1 if thread.native_id and sleeps() else 0
        function()

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    return watching


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def reported(seen):
    '''Collect the class names of exceptions that are reported, instead of printing them.'''
    sys.unraisablehook = lambda report: seen.append(report.exc_type.__name__)
    return seen
"""


def pytest_report_header():
    if collect_ignore:
        return "applications/ is left out: what it needs has no builds for free-threaded Pythons"
    return None


def pytest_configure(config):
    capture = config.pluginmanager.getplugin("capturemanager")
    shown = capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
    with shown:
        config.terminal_fd = os.dup(2)


def pytest_unconfigure(config):
    faulthandler.cancel_dump_traceback_later()
    os.close(config.terminal_fd)


def open_descriptors():
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def nothing_left(request, monkeypatch):
    """Around every test: an end to hangs, a clean environment, no descriptor left open."""
    monkeypatch.delenv("LIBEV_FLAGS", raising=False)
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=request.config.terminal_fd)
    before = len(open_descriptors())
    yield
    if len(open_descriptors()) > before:
        gc.collect()  # what a failed test left in its frames is not a leak of the loop's
    faulthandler.cancel_dump_traceback_later()
    # ThreadSanitizer has some of its own from its first report on.
    if "TSAN_OPTIONS" not in os.environ:
        assert len(open_descriptors()) <= before, "descriptors were left open"


@pytest.fixture(params=BACKENDS.values(), ids=BACKENDS)
def backend(request):
    """The EVBACKEND_* bit of each backend in turn."""
    return request.param


@pytest.fixture
def new_loop():
    """A function that makes a loop, which is verified and closed in the end."""
    loops, hung = [], []

    def rescue():
        hung.extend(loops)
        for loop in loops:
            loop.stop(everloop.EVBREAK_ALL)

    def make(*args, **kwargs):
        loops.append(everloop.Loop(*args, **kwargs))
        return loops[-1]

    rescuer = threading.Timer(LOOP_HANGS_AFTER, rescue)
    rescuer.daemon = True
    rescuer.start()
    yield make
    rescuer.cancel()
    rescuer.join()
    assert not hung, "the loop ran for too long and had to be stopped"
    for loop in loops:
        if not loop.closed:
            loop.verify()
            loop.close()


@pytest.fixture
def loop(new_loop):
    """A loop with the default backend."""
    return new_loop()


@pytest.fixture
def clock(loop):
    """A clock of the loop's that moves only when it is told to."""
    loop.clock = everloop.ManualClock()
    return loop.clock


@pytest.fixture
def pipe():
    """A function that makes a non-blocking pipe, as (read end, write end)."""
    made = []

    def make():
        ends = os.pipe()
        for fd in ends:
            os.set_blocking(fd, False)
            made.append((fd, os.fstat(fd).st_ino))
        return ends

    yield make
    for fd, number in made:
        # The test may have closed it, and others may have got its number since.
        with contextlib.suppress(OSError):
            if os.fstat(fd).st_ino == number:
                os.close(fd)


@pytest.fixture
def pair():
    """A function that makes two connected, non-blocking sockets."""
    with contextlib.ExitStack() as stack:

        def make():
            ends = socket.socketpair()
            for end in ends:
                stack.enter_context(end)
                end.setblocking(False)
            return ends

        yield make


@pytest.fixture
def reported(monkeypatch):
    """A list of what goes to sys.unraisablehook, as (exception, object)."""
    seen = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda report: seen.append((report.exc_value, report.object))
    )
    return seen


def sleeps(thread):
    """Whether the thread waits for something in the kernel."""
    stat = pathlib.Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "S"


@pytest.fixture
def when_blocked():
    """A function that has another one called, in a thread, when this thread blocks."""
    threads = []

    def call(function, thread=None):
        thread = thread or threading.current_thread()

        def watch():
            seen = 0
            while seen < 5:
                time.sleep(0.01)
                seen = seen + 1 if sleeps(thread) else 0
            function()

        threads.append(threading.Thread(target=watch, daemon=True))
        threads[-1].start()
        return threads[-1]

    yield call
    for thread in threads:
        thread.join(patient(30))
        assert not thread.is_alive()


@pytest.fixture
def run_program():
    """A function that runs a program in an interpreter of its own.

    The program finds the names of PRELUDE defined. It must end with exit status 0
    and print the words expected; anything else fails the test, a crash or a hang
    included. Returns what it wrote to sys.stderr.
    """

    def run(source, expected="", hangs_after=40, **environment):
        package = pathlib.Path(everloop.__file__).parent.parent
        names = {name: os.environ[name] for name in os.environ if name != "LIBEV_FLAGS"}
        names["PYTHONPATH"] = f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        names["PYTHONMALLOC"] = "debug"
        source = textwrap.dedent(source)
        prelude = PRELUDE.replace("PROGRAM_HANGS_AFTER", str(patient(hangs_after)))
        prelude = prelude.replace("FORK_HANGS_AFTER", str(math.ceil(patient(10))))
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-c", prelude + source],
                env=names | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            try:
                status = process.wait(0.9 * HANGS_AFTER)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # forked children too
                process.wait()
            output.seek(0)
            errors.seek(0)
            printed, complained = output.read(), errors.read()
        told = f"{printed}\n{complained[-4000:]}"
        assert status == 0, f"exit status {status}\n{told}"
        assert printed.split() == expected.split(), told
        return complained

    return run
