"""Where a loop's time comes from.

All times inside the loop are whole nanoseconds: exact to compare, exact to
add, and precise for centuries. Seconds as ``float`` exist only at the public
interface. A loop reads its clock through one small object, so that tests can
put a clock of their own in its place (`ManualClock`).
"""

import cython
from cython.cimports.everloop.sys.python import PyErr_CheckSignals
from cython.cimports.libc.math import isnan
from cython.cimports.posix.time import (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    clock_gettime,
    clockid_t,
    nanosleep,
    timespec,
)


@cython.cfunc
@cython.exceptval(check=False)
def read_system_clock(which: clockid_t) -> nanoseconds:
    """clock_gettime(2)."""
    now: timespec
    clock_gettime(which, cython.address(now))
    return now.tv_sec * cython.cast(nanoseconds, NANO) + now.tv_nsec


@cython.cfunc
@cython.exceptval(check=False)
def moved(reading: nanoseconds, step: nanoseconds) -> nanoseconds:
    """The reading, step later, within what leaves room for adding to it."""
    limit: nanoseconds = FOREVER // 2
    if step > 0:
        return limit if reading > limit - step else reading + step
    return -limit if reading < -limit - step else reading + step


@cython.cclass
class Clock:
    """Clock()\n--\n
    The system's clocks: CLOCK_MONOTONIC and CLOCK_REALTIME, clock_gettime(2)."""

    @cython.cfunc
    @cython.exceptval(check=False)
    def monotonic(self) -> nanoseconds:
        return read_system_clock(CLOCK_MONOTONIC)

    @cython.cfunc
    @cython.exceptval(check=False)
    def wall(self) -> nanoseconds:
        return read_system_clock(CLOCK_REALTIME)

    @cython.cfunc
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> nanoseconds:
        """What is left for the kernel to wait of a timeout that the loop has to spend."""
        return timeout


@cython.cclass
class ManualClock(Clock):
    """ManualClock(monotonic=1000.0, wall=1000000000.0)\n--\n
    A clock that moves only when it is told to, for tests of timed programs.

    Give it to a loop (``loop.clock = ManualClock()``). Instead of waiting for
    a timer the loop moves the clock to the timer's time at once, after a look
    at the descriptors, so that hours of timers run in no time.

    monotonic and wall are its first readings, in seconds. Raises ValueError for NaN.
    """

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_000_000_000.0):
        check_number("monotonic", monotonic)
        check_number("wall", wall)
        self.manual = True
        self._monotonic = moved(0, from_seconds(monotonic))
        self._wall = moved(0, from_seconds(wall))

    def advance(self, seconds: float) -> None:
        """Let time pass: both readings grow by that many seconds."""
        check_number("seconds", seconds)
        step: nanoseconds = from_seconds(seconds)
        if step < 0:
            raise ValueError(f"seconds must not be negative, not {seconds!r}")
        self._monotonic = moved(self._monotonic, step)
        self._wall = moved(self._wall, step)

    def set_wall(self, wall: float) -> None:
        """Set the wall clock, as an administrator does; the monotonic one goes on."""
        check_number("wall", wall)
        self._wall = moved(0, from_seconds(wall))

    @cython.cfunc
    @cython.exceptval(check=False)
    def monotonic(self) -> nanoseconds:
        return self._monotonic

    @cython.cfunc
    @cython.exceptval(check=False)
    def wall(self) -> nanoseconds:
        return self._wall

    @cython.cfunc
    @cython.exceptval(check=False)
    def wait(self, timeout: nanoseconds) -> nanoseconds:
        if 0 < timeout < FOREVER:
            self._monotonic = moved(self._monotonic, timeout)
            self._wall = moved(self._wall, timeout)
            return 0
        return timeout


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_number(name: str, seconds: cython.double) -> cython.int:
    if isnan(seconds):
        raise ValueError(f"{name} must be a number of seconds, not NaN")
    return 0


def time() -> float:
    """The wall-clock time now, in seconds since 1970."""
    now: timespec
    clock_gettime(CLOCK_REALTIME, cython.address(now))
    return now.tv_sec + now.tv_nsec / 1e9


def sleep(interval: cython.double) -> None:
    """Block this thread for interval seconds, or until a signal is handled.

    Other threads run meanwhile. Returns at once for 0 or less. Raises ValueError
    for NaN, and whatever a Python signal handler raises.
    """
    check_number("interval", interval)
    span: nanoseconds = from_seconds(interval)
    if span <= 0:
        return
    request: timespec
    request.tv_sec = span // NANO
    request.tv_nsec = span % NANO
    with cython.nogil:
        nanosleep(cython.address(request), cython.NULL)
    PyErr_CheckSignals()
