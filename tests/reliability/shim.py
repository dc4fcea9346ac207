"""A library that is loaded before all others: it has system calls fail, and sets the wall clock.

Only calls that come from everloop's own extension modules are counted and fail: what Python
and libraries call is let through. The clock is set for the whole process, and for it alone.
"""

import ctypes
import errno
import os
import pathlib
import subprocess

# By function: what it takes, and the numbers of errors that its manual page has.
SOCKET = "EAGAIN EINTR ECONNRESET ENOBUFS ENOMEM ENOTCONN EPIPE"
CALLS = {
    "accept4": (
        "int a, void *b, void *c, int d",
        "EAGAIN EINTR ECONNABORTED EMFILE ENFILE ENOBUFS ENOMEM EPROTO EPERM",
    ),
    "close": ("int a", "EINTR EIO"),
    "epoll_create1": ("int a", "EMFILE ENFILE ENOMEM"),
    "epoll_ctl": ("int a, int b, int c, void *d", "ENOMEM ENOSPC"),
    "epoll_wait": ("int a, void *b, int c, int d", "EINTR"),
    "eventfd": ("unsigned a, int b", "EMFILE ENFILE ENODEV ENOMEM"),
    "eventfd_read": ("int a, void *b", "EAGAIN EINTR"),
    "eventfd_write": ("int a, unsigned long b", "EAGAIN EINTR"),
    "getsockname": ("int a, void *b, void *c", "ENOBUFS"),
    "inotify_add_watch": ("int a, void *b, unsigned c", "EACCES ENOENT ENOMEM ENOSPC"),
    "inotify_init1": ("int a", "EMFILE ENFILE ENOMEM"),
    "inotify_rm_watch": ("int a, int b", "EINVAL"),
    "ppoll": ("void *a, unsigned long b, void *c, void *d", "EINTR ENOMEM"),
    "pselect": ("int a, void *b, void *c, void *d, void *e, void *f", "EINTR ENOMEM"),
    "recv": ("int a, void *b, size_t c, int d", "EAGAIN EINTR ECONNRESET ENOMEM ENOTCONN"),
    "recvfrom": ("int a, void *b, size_t c, int d, void *e, void *f", "EAGAIN EINTR ENOMEM"),
    "recvmmsg": ("int a, void *b, unsigned c, int d, void *e", "EAGAIN EINTR ENOMEM"),
    "send": ("int a, void *b, size_t c, int d", SOCKET),
    "sendmmsg": ("int a, void *b, unsigned c, int d", "EAGAIN EINTR ENOBUFS ENOMEM"),
    "sendmsg": ("int a, void *b, int c", SOCKET),
    "sendto": ("int a, void *b, size_t c, int d, void *e, unsigned f", "EAGAIN EINTR ENOBUFS"),
    "setsockopt": ("int a, int b, int c, void *d, unsigned e", "ENOPROTOOPT ENOBUFS"),
    "shutdown": ("int a, int b", "ENOTCONN ENOBUFS"),
    "signalfd": ("int a, void *b, int c", "EMFILE ENFILE ENODEV ENOMEM"),
    "syscall": (
        "long a, long b, long c, long d, long e, long f, long g",
        "ENOSYS EMFILE ENFILE ENOMEM",
    ),
    "timerfd_create": ("int a, int b", "EMFILE ENFILE ENODEV ENOMEM"),
    "timerfd_settime": ("int a, int b, void *c, void *d", "EINVAL ECANCELED"),
    "waitid": ("int a, int b, void *c, int d", "ECHILD"),
    "waitpid": ("int a, void *b, int c", "ECHILD"),
}
NAMES = list(CALLS)

# Errors after which a program has nothing to do but to try again.
PASSING = {"EAGAIN", "EINTR"}

HEAD = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <stddef.h>
#include <time.h>

static long counts[COUNT];
static int armed = -1, number;
static long left, one_in;
static unsigned seed = 1;
static volatile long made;
static int numbers[COUNT];

/* Whether this call of everloop's is the one to fail, or one of those at random. */
static int fails(int which, void *from)
{
    Dl_info info;
    if (!dladdr(from, &info) || !info.dli_fname || !strstr(info.dli_fname, "/everloop/")
        || !strstr(info.dli_fname, "/_compiled."))
        return 0;
    counts[which]++;
    if (one_in && numbers[which]) {
        seed = seed * 1103515245 + 12345;
        if ((seed >> 8) % one_in)
            return 0;
        number = numbers[which];
    } else if (which != armed || --left > 0)
        return 0;
    armed = -1;
    made++;
    errno = number;
    return 1;
}

/* How far the wall clock is off, and the timers that tell that it was set. */
static volatile long long offset;
static volatile int watching[64];
static volatile unsigned watchers;

int clock_gettime(clockid_t which, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(which, now);
    if (result == 0 && which == CLOCK_REALTIME && offset) {
        long long time = now->tv_sec * 1000000000LL + now->tv_nsec + offset;
        now->tv_sec = time / 1000000000;
        now->tv_nsec = time % 1000000000;
    }
    return result;
}

/* A timer that waits for the clock to be set: it has TFD_TIMER_CANCEL_ON_SET, which is 2. */
static void watch(int fd)
{
    for (unsigned i = 0; i < watchers; i++)
        if (watching[i] == fd)
            return;
    if (watchers < 64)
        watching[watchers++] = fd;
}

void faults_set_clock(long long by)
{
    int (*real)(int, int, void *, void *) = dlsym(RTLD_NEXT, "timerfd_settime");
    struct itimerspec now = {{0, 0}, {0, 1}};
    offset += by;
    for (unsigned i = 0; i < watchers; i++)
        real(watching[i], 0, &now, 0);
}

void faults_at_random(long often) { one_in = often; }
void faults_random_error(int which, int error) { numbers[which] = error; }

void faults_arm(int which, long at, int error) { armed = which; left = at; number = error; }
void faults_disarm(void) { armed = -1; }
long faults_made(void) { return made; }
long faults_count(int which) { return counts[which]; }
void faults_forget(void) { memset(counts, 0, sizeof counts); made = 0; }
"""

CALL = """
long NAME(PARAMETERS)
{
    static long (*real)(PARAMETERS);
    if (!real)
        real = dlsym(RTLD_NEXT, "NAME");
    if (fails(WHICH, __builtin_return_address(0))) {
        INSTEAD
        errno = number;
        return -1;
    }
    BEFORE
    return RESULTreal(ARGUMENTS);
}
"""


def source():
    parts = [HEAD.replace("COUNT", str(len(CALLS)))]
    for which, (name, (parameters, _)) in enumerate(CALLS.items()):
        arguments = ", ".join(each.split()[-1].lstrip("*") for each in parameters.split(","))
        long = (name.startswith(("recv", "send")) and "mmsg" not in name) or name == "syscall"
        parts.append(
            CALL.replace("NAME", name)
            .replace("PARAMETERS", parameters)
            .replace("ARGUMENTS", arguments)
            .replace("WHICH", str(which))
            # Linux closes the descriptor whatever close() returns.
            .replace("INSTEAD", "real(a);" if name == "close" else "")
            .replace("BEFORE", "if (b & 2) watch(a);" if name == "timerfd_settime" else "")
            .replace("RESULT", "" if long else "(int)")
        )
    return "".join(parts)


def build(directory):
    """Compile the library; returns its path."""
    path = pathlib.Path(directory) / "faults.so"
    path.with_suffix(".c").write_text(source())
    compiler = os.environ.get("CC", "cc")
    flags = ["-shared", "-fPIC", "-O1", "-w", "-fno-builtin"]
    command = [compiler, *flags, "-o", str(path), str(path.with_suffix(".c")), "-ldl"]
    subprocess.run(command, check=True)
    return path


def loaded_first(path):
    """What to add to the environment of a process for it to begin with that library."""
    return {"LD_PRELOAD": " ".join([str(path), *os.environ.get("LD_PRELOAD", "").split()])}


def first_library():
    """The library that this process has begun with."""
    return ctypes.CDLL(os.environ["LD_PRELOAD"].split()[0])


class Faults:
    """The library, in a process that it was loaded into."""

    def __init__(self):
        self.library = first_library()
        self.library.faults_made.restype = ctypes.c_long
        self.library.faults_count.restype = ctypes.c_long

    def arm(self, name, at, error):
        """The call of that name that is the at-th from now on fails."""
        number = getattr(errno, error)
        self.library.faults_forget()
        self.library.faults_arm(NAMES.index(name), ctypes.c_long(at), number)

    def disarm(self):
        """Returns whether the call has failed."""
        self.library.faults_disarm()
        return self.library.faults_made() > 0

    def counts(self):
        """How many calls of each name there were since they were last forgotten."""
        counted = {name: self.library.faults_count(i) for i, name in enumerate(NAMES)}
        return {name: count for name, count in counted.items() if count}

    def at_random(self, often, errors):
        """From now on one in so many calls fails, of those of the names that errors has.

        errors: by name, the error. Nothing fails any more for 0.
        """
        for name, error in errors.items():
            self.library.faults_random_error(NAMES.index(name), getattr(errno, error))
        self.library.faults_at_random(ctypes.c_long(often))

    def made(self):
        """How many calls have failed since they were last forgotten."""
        return self.library.faults_made()

    def set_clock(self, by):
        """Set the wall clock of the process, by so many seconds: what waits for it is told."""
        self.library.faults_set_clock(ctypes.c_longlong(round(by * 1e9)))

    def forget(self):
        self.library.faults_forget()
