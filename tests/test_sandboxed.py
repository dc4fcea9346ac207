"""System calls that a sandbox refuses, by a filter of seccomp(2): there are other ways."""

import errno
import platform

import pytest

NUMBERS = {
    "x86_64": {
        "epoll_pwait2": 441,
        "pidfd_open": 434,
        "inotify_init1": 294,
        "timerfd_create": 283,
    },
    "aarch64": {"epoll_pwait2": 441, "pidfd_open": 434, "inotify_init1": 26, "timerfd_create": 85},
}.get(platform.machine(), {})

REFUSE = """
import ctypes, struct
def refuse(number, error):
    code = b"".join(struct.pack("HBBI", *each) for each in (
        (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7FFF0000)
    ))
    code = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
"""

USE = """
import asyncio
from everloop import *

loop = default_loop()
with tempfile.NamedTemporaryFile() as file:
    loop.timer(0.01, 0.0, lambda w, e: (print("timer"), file.write(b"x"), file.flush())).start()
    loop.stat(file.name, 0.1, lambda w, e: (print("stat"), w.stop(), loop.stop())).start()
    loop.periodic(0.0, 1e9, lambda w, e: None).start()
    loop.start()
pid = os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "exit 3")
loop.child(pid, False, lambda w, e: (print("child", os.waitstatus_to_exitcode(w.rstatus)), loop.stop())).start()
loop.start()
loop.close()

async def main():
    process = await asyncio.create_subprocess_exec("sh", "-c", "cat; exit 3", stdin=-1, stdout=-1)
    print(*(await process.communicate(b"data"))[:1], await process.wait())
    killed = await asyncio.create_subprocess_exec("sleep", "60")
    killed.kill()
    print(await killed.wait())

run(main())
"""


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_call_that_is_refused_is_done_without(run_program, name, error):
    program = (
        f"{REFUSE}\nimport os, tempfile\nrefuse({NUMBERS[name]}, {getattr(errno, error)})\n{USE}"
    )
    run_program(program, "timer stat child 3 b'data' 3 -9")
