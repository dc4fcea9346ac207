"""What everloop, and the kernel below it, can do here. Used by ``python -m everloop``."""

import ctypes
import errno
import os
import platform
import sys

import everloop

BACKENDS = {
    "epoll": everloop.EVBACKEND_EPOLL,
    "poll": everloop.EVBACKEND_POLL,
    "select": everloop.EVBACKEND_SELECT,
    "io_uring": everloop.EVBACKEND_IOURING,
    "linuxaio": everloop.EVBACKEND_LINUXAIO,
    "kqueue": everloop.EVBACKEND_KQUEUE,
}

# The numbers of the calls that the C library may not know; the same on all
# architectures of Linux.
IO_URING_SETUP = 425
PIDFD_OPEN = 434
EPOLL_PWAIT2 = 441


def collect() -> dict:
    """The report: plain dicts, strings and bools, ready for JSON."""
    return {
        "version": everloop.__version__,
        "abi": ".".join(map(str, everloop.abi_version())),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "backends": {name: describe_backend(bit) for name, bit in BACKENDS.items()},
        "kernel": find_kernel_features(),
    }


def describe_backend(bit: int) -> dict[str, bool]:
    return {
        "compiled": bool(everloop.supported_backends() & bit),
        "works": backend_works(bit),
        "recommended": bool(everloop.recommended_backends() & bit),
        "embeddable": bool(everloop.embeddable_backends() & bit),
    }


def backend_works(bit: int) -> bool:
    """Whether a loop on this backend sees a readable pipe."""
    seen = []
    reader, writer = os.pipe()
    try:
        with everloop.Loop(bit | everloop.EVFLAG_NOENV) as loop:
            os.write(writer, b"x")
            loop.io(reader, everloop.EV_READ, lambda watcher, revents: seen.append(revents)).start()
            loop.start(everloop.EVRUN_NOWAIT)
    except (OSError, everloop.Error):
        return False
    finally:
        os.close(reader)
        os.close(writer)
    return seen == [everloop.EV_READ]


def find_kernel_features() -> dict[str, bool]:
    """Which calls the running kernel has, found out by calling them."""
    return {
        "epoll_pwait2": call_exists(EPOLL_PWAIT2, -1, None, 0, None, None, 0),
        "eventfd": opens("eventfd", 0, 0),
        "signalfd": call_known("signalfd"),
        "timerfd": opens("timerfd_create", 0, 0),
        "inotify": opens("inotify_init1", 0),
        "pidfd": call_exists(PIDFD_OPEN, -1, 0),
        "io_uring": call_exists(IO_URING_SETUP, 0, None),
    }


def library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def opens(name: str, *arguments: int) -> bool:
    """Whether a function of the C library gives a descriptor, which is closed again."""
    function = getattr(library(), name, None)
    if function is None:
        return False
    fd = function(*arguments)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def call_known(name: str) -> bool:
    """Whether the C library has the function and the kernel the call behind it."""
    function = getattr(library(), name, None)
    if function is None:
        return False
    function(-1, None, 0)
    return ctypes.get_errno() != errno.ENOSYS


def call_exists(number: int, *arguments: int | None) -> bool:
    """Whether the kernel knows, and allows, a call: with these arguments it can only fail."""
    if sys.platform != "linux":
        return False
    values = [ctypes.c_long(argument or 0) for argument in arguments]
    library().syscall(ctypes.c_long(number), *values)
    return ctypes.get_errno() not in (errno.ENOSYS, errno.EPERM)
