"""No room on the disk: under a pipe, a file that is watched, and what a child writes."""

import asyncio
import ctypes
import errno
import os
import subprocess
import sys

import pytest
from patience import patient

import everloop

CLONE_NEWNS = 0x00020000
MS_PRIVATE, MS_REC = 1 << 18, 1 << 14


def run(main):
    with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(main(), patient(20)))


class Writing(asyncio.BaseProtocol):
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error):
        self.lost.set_result(error)


def test_a_device_that_is_full():
    """The transport is lost with the error; nothing is tried for ever."""

    async def main():
        file = open("/dev/full", "wb", 0)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: None)
        transport, protocol = await loop.connect_write_pipe(Writing, file)
        transport.write(b"x" * 100)
        transport.write(b"y" * 100)
        return await protocol.lost

    error = run(main)
    assert error.errno == errno.ENOSPC


def test_a_child_that_finds_the_device_full():
    """Its end is told, and so is that nobody reads what is written to it."""

    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, open('/dev/full', 'wb'))",
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _, told = await process.communicate(b"x" * 3_000_000)
        return process.returncode, told

    status, told = run(main)
    assert status == 1
    assert b"No space left on device" in told


IN_A_FULL_FILE_SYSTEM = """
import asyncio, errno, os, sys
import everloop

path = sys.argv[1] + "/watched"


async def main():
    loop = asyncio.get_running_loop()
    changes = asyncio.Queue()
    with loop.stat(path, 0.0, lambda watcher, revents: changes.put_nowait(watcher.current.st_size if watcher.current else 0)):
        file = open(path, "wb", 0)
        await changes.get()
        written = 0
        try:
            while True:
                written += file.write(b"x" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        while await changes.get() != written:
            pass
        process = await asyncio.create_subprocess_exec(
            "/bin/cat", "/dev/zero", stdout=file, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate()
        assert process.returncode == 1 and b"No space" in told, told
        os.truncate(path, 0)
        while await changes.get() != 0:
            pass
        reader, writer = await asyncio.open_connection(sock=sockets[0])
        writer.write(b"still alive")
        assert sockets[1].recv(100) == b"still alive"
        writer.close()
        sockets[1].close()


import socket
sockets = socket.socketpair()
with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
    runner.run(asyncio.wait_for(main(), PATIENCE))
"""


def mount_small(directory):
    """Mount some pages of memory there, for this process alone; whether that can be done."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        return False
    if libc.mount(None, b"/", None, MS_PRIVATE | MS_REC, None):
        return False
    return libc.mount(b"none", directory.encode(), b"tmpfs", 0, b"size=64k") == 0


def test_a_file_system_that_is_full(tmp_path):
    """A Stat sees what there was room for; a child that writes to it fails, and no more does."""
    child = os.fork()
    if child == 0:
        status = 77
        try:
            if mount_small(str(tmp_path)):
                program = IN_A_FULL_FILE_SYSTEM.replace("PATIENCE", str(patient(20)))
                status = subprocess.call([sys.executable, "-c", program, str(tmp_path)])
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 77:
        pytest.skip("no file system can be mounted")
    assert status == 0
