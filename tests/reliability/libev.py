"""libev itself, as installed here, as far as the programs of model_run.py need it.

It runs in a process that begins with a library which gives it, and it alone, a clock that stands
still until it is told to move, as a ManualClock does.
"""

import ctypes
import functools
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
from types import SimpleNamespace

import everloop

from .shim import first_library, loaded_first

NANO = 1_000_000_000
MODULE = "everloop_test_libev"

DECLARATIONS = """
    struct ev_loop;
    typedef struct { int active, pending, priority; ...; } ev_watcher;
    typedef struct { int fd, events; ...; } ev_io;
    typedef struct { double at, repeat; ...; } ev_timer;
    typedef struct { double offset, interval; ...; } ev_periodic;
    typedef struct { int signum; ...; } ev_signal;
    typedef struct { ...; } ev_idle;
    typedef struct { ...; } ev_prepare;
    typedef struct { ...; } ev_check;
    typedef struct { ...; } ev_fork;
    typedef struct { ...; } ev_async;

    struct ev_loop *ev_loop_new(unsigned int);
    void ev_loop_destroy(struct ev_loop *);
    void ev_loop_fork(struct ev_loop *);
    int ev_run(struct ev_loop *, int);
    void ev_break(struct ev_loop *, int);
    void ev_now_update(struct ev_loop *);
    void ev_invoke_pending(struct ev_loop *);
    void ev_verify(struct ev_loop *);
    void ev_unref(struct ev_loop *);

    void ev_feed_event(struct ev_loop *, void *, int);
    void ev_invoke(struct ev_loop *, void *, int);
    int ev_clear_pending(struct ev_loop *, void *);
    void ev_timer_again(struct ev_loop *, ev_timer *);
    void ev_periodic_again(struct ev_loop *, ev_periodic *);
    void ev_async_send(struct ev_loop *, ev_async *);

    void initialize(void *, int);
    void set_io(ev_io *, int, int);
    void set_timer(ev_timer *, double, double);
    void set_periodic(ev_periodic *, double, double);
    void set_signal(ev_signal *, int);
    void set_scheduler(ev_periodic *);
    extern "Python" double reschedule(ev_periodic *, double);
    extern "Python" void called(struct ev_loop *, ev_watcher *, int);
"""
KINDS = ("io", "timer", "periodic", "signal", "idle", "prepare", "check", "fork", "async")
for _kind in KINDS:
    DECLARATIONS += f"""
    void ev_{_kind}_start(struct ev_loop *, ev_{_kind} *);
    void ev_{_kind}_stop(struct ev_loop *, ev_{_kind} *);
    """

SOURCE = """
    #include <ev.h>

    static void called(struct ev_loop *, ev_watcher *, int);

    static void initialize(void *watcher, int priority)
    {
        ev_watcher *each = watcher;
        ev_init(each, called);
        ev_set_priority(each, priority);
    }

    static void set_io(ev_io *watcher, int fd, int events) { ev_io_set(watcher, fd, events); }

    static void set_timer(ev_timer *watcher, double after, double repeat)
    {
        ev_timer_set(watcher, after, repeat);
    }

    static void set_periodic(ev_periodic *watcher, double offset, double interval)
    {
        ev_periodic_set(watcher, offset, interval, 0);
    }

    static double reschedule(ev_periodic *, double);

    static void set_scheduler(ev_periodic *watcher)
    {
        ev_periodic_set(watcher, 0.0, 0.0, reschedule);
    }

    static void set_signal(ev_signal *watcher, int signum) { ev_signal_set(watcher, signum); }
"""


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

/* Descriptors that are ready at once come by number: the kernel's order is not the loops'. */
static int by_number(const void *one, const void *other)
{
    const struct epoll_event *a = one, *b = other;
    return (int)a->data.u32 - (int)b->data.u32;
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);
    if (!real)
        real = dlsym(RTLD_NEXT, "epoll_wait");
    int count = real(epoll, events, room, timeout);
    if (count > 1)
        qsort(events, count, sizeof *events, by_number);
    return count;
}

static long long reading;

void set_clock(long long nanoseconds) { reading = nanoseconds; }

static int is_libev(void *from)
{
    Dl_info caller;
    return dladdr(from, &caller) && strstr(caller.dli_fname, "/libev.");
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    if (!is_libev(__builtin_return_address(0)))
        return real(which, now);
    now->tv_sec = reading / 1000000000;
    now->tv_nsec = reading % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);
    if (!real)
        real = dlsym(RTLD_NEXT, "gettimeofday");
    if (!is_libev(__builtin_return_address(0)))
        return real(now, zone);
    now->tv_sec = reading / 1000000000;
    now->tv_usec = reading / 1000 % 1000000;
    return 0;
}
"""


def missing():
    """What would have to be installed for it, or None."""
    if not shutil.which("cc"):
        return "a C compiler"
    if not all(map(importlib.util.find_spec, ("cffi", "setuptools"))):
        return "cffi and setuptools"
    asked = ["cc", "-E", "-include", "ev.h", "-xc", os.devnull]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        return "libev's header (libev-dev)"
    return None


def build(directory):
    """Compile what it takes; returns what to add to the environment of the process."""
    from cffi import FFI

    clock = pathlib.Path(directory) / "clock.c"
    clock.write_text(CLOCK)
    flags = ["-shared", "-fPIC", "-O1", "-fno-builtin"]
    subprocess.run(["cc", *flags, "-o", clock.with_suffix(".so"), clock, "-ldl"], check=True)
    builder = FFI()
    builder.cdef(DECLARATIONS)
    builder.set_source(MODULE, SOURCE, libraries=["ev"])
    module = builder.compile(tmpdir=directory)
    return loaded_first(clock.with_suffix(".so")) | {"LIBEV_MODULE": module}


@functools.cache
def compiled():
    """The module that cffi made."""
    spec = importlib.util.spec_from_file_location(MODULE, os.environ["LIBEV_MODULE"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ffi.def_extern("called")(call)
    module.ffi.def_extern("reschedule")(reschedule)
    return module


watchers = {}


def call(_, watcher, revents):
    """The callback of all watchers; what it raises is reported as everloop does."""
    called = watchers[watcher]
    try:
        called.callback(called, revents)
    except BaseException as error:
        sys.unraisablehook(SimpleNamespace(exc_type=type(error), exc_value=error))


def reschedule(periodic, now):
    watcher = watchers[compiled().ffi.cast("ev_watcher *", periodic)]
    return watcher.reschedule(watcher, now)


class Clock:
    def __init__(self):
        self.library = first_library()
        self.reading = 0
        self.advance(1000.0)

    def advance(self, seconds):
        self.reading += round(seconds * NANO)
        self.library.set_clock(ctypes.c_longlong(self.reading))


class Watcher:
    """A watcher of any kind, with the methods of everloop's that the programs use."""

    def __init__(self, loop, kind, callback, data, priority):
        self.lib, self.loop, self.kind = compiled().lib, loop, kind
        self.callback, self.data = callback, data
        ffi = compiled().ffi
        self.of_libev = "periodic" if kind == "scheduler" else kind
        self.it = ffi.new(f"ev_{self.of_libev} *")
        self.state = ffi.cast("ev_watcher *", self.it)
        self.lib.initialize(self.it, priority)
        watchers[self.state] = self
        loop.all.append(self)

    def __repr__(self):
        return f"<libev's {self.kind}>"

    @property
    def active(self):
        return self.state.active != 0

    @property
    def pending(self):
        return self.state.pending != 0

    @property
    def priority(self):
        return self.state.priority

    @priority.setter
    def priority(self, priority):
        if self.active or self.pending:
            raise everloop.Error
        self.state.priority = priority

    @property
    def repeat(self):
        return self.it.repeat

    @repeat.setter
    def repeat(self, repeat):
        self.it.repeat = repeat

    @property
    def interval(self):
        return self.it.interval

    @interval.setter
    def interval(self, interval):
        self.it.interval = interval

    def set(self, *arguments):
        if self.active:
            raise everloop.Error
        getattr(self.lib, f"set_{self.kind}")(self.it, *arguments)

    def start(self):
        getattr(self.lib, f"ev_{self.of_libev}_start")(self.loop.it, self.it)

    def stop(self):
        getattr(self.lib, f"ev_{self.of_libev}_stop")(self.loop.it, self.it)

    def reset(self):
        again = self.lib.ev_timer_again if self.kind == "timer" else self.lib.ev_periodic_again
        again(self.loop.it, self.it)

    def send(self):
        self.lib.ev_async_send(self.loop.it, self.it)

    def feed(self, revents):
        self.lib.ev_feed_event(self.loop.it, self.it, revents)

    def invoke(self, revents):
        self.lib.ev_invoke(self.loop.it, self.it, revents)

    def clear(self):
        return self.lib.ev_clear_pending(self.loop.it, self.it)


class Loop:
    """A loop, with the methods of everloop's that the programs use."""

    def __init__(self, flags):
        self.lib = compiled().lib
        self.clock = Clock()
        # A timerfd would tell that the clock was set: the kernel's is not this one.
        flags |= everloop.EVFLAG_NOENV | everloop.EVFLAG_NOTIMERFD
        self.it = self.lib.ev_loop_new(flags)
        self.all = []

    def make(self, kind, *arguments):
        *setting, callback, data, priority = arguments
        watcher = Watcher(self, kind, callback, data, priority)
        if kind == "scheduler":
            watcher.reschedule = setting.pop()
            watcher.lib.set_scheduler(watcher.it)
        elif setting:
            watcher.set(*setting)
        return watcher

    def __getattr__(self, kind):
        return functools.partial(self.make, kind.rstrip("_"))

    def start(self, flags):
        return self.lib.ev_run(self.it, flags) != 0

    def stop(self, how):
        self.lib.ev_break(self.it, how)

    def invoke(self):
        self.lib.ev_invoke_pending(self.it)

    def reset(self):
        self.lib.ev_loop_fork(self.it)

    def update(self):
        self.lib.ev_now_update(self.it)

    def unref(self):
        self.lib.ev_unref(self.it)

    def verify(self):
        self.lib.ev_verify(self.it)

    def close(self):
        if not self.it:
            return
        for watcher in self.all:
            watcher.stop()
            del watchers[watcher.state]
        self.lib.ev_loop_destroy(self.it)
        self.it = None
