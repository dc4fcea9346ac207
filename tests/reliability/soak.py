"""Soak: a loop under everything at once, for a long time, with checks that nothing is lost.

    python -m tests.reliability.soak [--minutes COUNT] [--connections COUNT] [--faults ONE_IN]

Connections come and go, plain and by TLS, with slow readers, and peers that vanish; beside
them timers, files, children, signals, threads, and loops that are made and closed. Each
message has a number and a checksum. Meanwhile system calls of the loop's fail, one in so many:
with errors that it has to bear, so that nobody notices, but for connections that are reset.
In the end, memory, descriptors and threads are what they were after a third of the time.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import os
import random
import resource
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import everloop

from .faults_run import make_certificate
from .leaks_run import resident
from .shim import Faults, build, loaded_first

SELF = "tests.reliability.soak"
# A loop has to bear these, or they end a connection.
ERRORS = {
    "accept4": "ECONNABORTED",
    "epoll_wait": "EINTR",
    "eventfd_write": "EINTR",
    "recv": "EINTR",
    "send": "EAGAIN",
    "sendmsg": "EAGAIN",
}
RESETS = {"recv": "ECONNRESET", "send": "ECONNRESET"}
HEADER = struct.Struct("!IIII")  # size, number, checksum of the data, of which connection
LARGEST = 60_000
SIZES = (0, 10, 10, 100, 1000, 1000, 5000, LARGEST)
# A message that takes so many seconds has been lost.
PATIENCE = 60.0
# What memory may grow by, in KiB: buffers of connections are full or empty by chance.
SLACK, OF_A_CONNECTION = 16 * 1024, 64


class Lost(AssertionError):
    pass


class Soak:
    def __init__(self, seconds, connections, certificate, resets):
        self.end = time.monotonic() + seconds
        self.connections, self.resets = connections, resets
        self.random = random.Random(0)
        self.counts = dict.fromkeys(
            [
                "connections",
                "messages",
                "bytes",
                "vanished",
                "reset",
                "timers",
                "files",
                "children",
                "signals",
                "calls",
                "loops",
            ],
            0,
        )
        self.delays = []
        self.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server_tls.load_cert_chain(certificate)
        self.client_tls = ssl.create_default_context(cafile=certificate)

    @property
    def over(self):
        return time.monotonic() >= self.end

    def took(self, since):
        delay = time.monotonic() - since
        if delay > PATIENCE:
            raise Lost(f"a message took {delay:.1f} seconds")
        # A sample is enough to tell the percentile.
        if len(self.delays) < 200_000:
            self.delays.append(delay)
        else:
            self.delays[self.random.randrange(200_000)] = delay

    async def serve(self, reader, writer):
        """Echo whole messages, checked."""
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            expected = 0
            while True:
                message = await self.message(reader, expected)
                expected += 1
                writer.write(message)
                await writer.drain()
        writer.close()

    async def message(self, reader, expected, key=None):
        header = await reader.readexactly(HEADER.size)
        size, number, checksum, of = HEADER.unpack(header)
        if size > LARGEST or number != expected or key not in (None, of):
            raise Lost(f"message {number} of {of} came in place of {expected} of {key}")
        data = await reader.readexactly(size)
        if zlib.crc32(data) != checksum:
            raise Lost(f"message {number} of {of} came changed")
        return header + data

    async def client(self, address, tls, key):
        options = {"ssl": self.client_tls, "server_hostname": "localhost"} if tls else {}
        reader, writer = await asyncio.open_connection(*address, **options)
        self.counts["connections"] += 1
        slow, vanishes = self.random.random() < 0.05, self.random.random() < 0.1
        try:
            for first in range(0, self.random.randrange(1, 60), 3):
                begin = time.monotonic()
                sent = []
                for number in range(first, first + 3):
                    data = self.random.randbytes(self.random.choice(SIZES))
                    header = HEADER.pack(len(data), number, zlib.crc32(data), key)
                    sent.append(header + data)
                    writer.write(header + data)
                if slow:
                    await asyncio.sleep(self.random.random() / 2)
                    begin = time.monotonic()
                if vanishes and first > 6:
                    self.counts["vanished"] += 1
                    writer.transport.abort()
                    return
                for number, each in enumerate(sent, first):
                    got = await asyncio.wait_for(self.message(reader, number, key), PATIENCE)
                    if got != each:
                        raise Lost(f"message {number} of {key} is another one")
                    self.counts["messages"] += 1
                    self.counts["bytes"] += 2 * len(each)
                self.took(begin)
        finally:
            writer.close()
            if not tls:
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def clients(self, addresses):
        """One after the other; many of these run at once."""
        key = self.random.getrandbits(31)
        while not self.over:
            tls = self.random.random() < 0.3
            try:
                await self.client(addresses[tls], tls, key)
            except (OSError, EOFError):
                if not self.resets:
                    raise
                self.counts["reset"] += 1
            key += 1

    async def timers(self):
        loop = asyncio.get_running_loop()
        while not self.over:
            late = [loop.create_future() for _ in range(20)]
            for each in late:
                after = self.random.random() / 50
                loop.call_later(after, self.timer, each, loop.time() + after)
                loop.call_later(after, print).cancel()
            await asyncio.wait_for(asyncio.gather(*late), PATIENCE)

    def timer(self, future, due):
        early = due - asyncio.get_running_loop().time()
        if early > 0.0:
            raise Lost(f"a timer was {early} seconds early")
        self.counts["timers"] += 1
        future.set_result(None)

    async def files(self, directory):
        """A Stat watcher sees each change."""
        loop = asyncio.get_running_loop()
        path = os.path.join(directory, "watched")
        changed = asyncio.Event()
        with loop.stat(path, 0.0, lambda watcher, revents: changed.set()):
            while not self.over:
                changed.clear()
                with open(path, "ab") as file:
                    file.write(b"x" * 100)
                await asyncio.wait_for(changed.wait(), PATIENCE)
                self.counts["files"] += 1
                if os.path.getsize(path) > 100_000:
                    os.truncate(path, 0)
                await asyncio.sleep(0.01)

    async def children(self):
        while not self.over:
            data = self.random.randbytes(self.random.randrange(100_000))
            process = await asyncio.create_subprocess_exec("/bin/cat", stdin=-1, stdout=-1)
            output, _ = await asyncio.wait_for(process.communicate(data), PATIENCE)
            if output != data or process.returncode:
                raise Lost(f"a child ended with {process.returncode}")
            self.counts["children"] += 1

    async def signals(self):
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, arrived.set)
        while not self.over:
            arrived.clear()
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(arrived.wait(), PATIENCE)
            self.counts["signals"] += 1
            await asyncio.sleep(0.003)
        loop.remove_signal_handler(signal.SIGUSR1)

    async def threads(self):
        loop = asyncio.get_running_loop()
        seen = []

        def call():
            for number in range(100):
                loop.call_soon_threadsafe(seen.append, number)

        while not self.over:
            seen.clear()
            await loop.run_in_executor(None, call)
            await asyncio.sleep(0.02)
            if seen != list(range(100)):
                raise Lost(f"of 100 calls of another thread came {seen}")
            self.counts["calls"] += 100

    async def loops(self):
        """Others are made, used and closed, in a thread of their own."""
        while not self.over:
            await asyncio.get_running_loop().run_in_executor(None, other_loops)
            self.counts["loops"] += 2
            await asyncio.sleep(0.05)

    async def watch(self, states):
        """Note what memory the process has, after a third of the time; the end is noted later."""
        await asyncio.sleep((self.end - time.monotonic()) / 3)
        states.append(in_use())

    async def run(self, directory):
        servers, states = [], []
        for options in ({}, {"ssl": self.server_tls}):
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=1000, **options)
            servers.append(server)
        addresses = [server.sockets[0].getsockname() for server in servers]
        async with asyncio.TaskGroup() as group:
            for _ in range(self.connections):
                group.create_task(self.clients(addresses))
            for work in (self.timers, self.children, self.signals, self.threads, self.loops):
                group.create_task(work())
            group.create_task(self.files(directory))
            group.create_task(self.watch(states))
        for server in servers:
            server.close()
            await server.wait_closed()
        states.append(in_use())
        return states


def in_use():
    """The memory of the process, in KiB, without what the C library keeps for itself."""
    ctypes.CDLL(None).malloc_trim(0)
    return resident()


def other_loops():
    with everloop.Loop() as loop:
        loop.timer(0.001, 0.0, lambda watcher, revents: None).start()
        loop.start()
    with everloop.EventLoop() as loop:
        loop.run_until_complete(asyncio.sleep(0.001))


def bears(error):
    """Whether it is told of a connection that was reset."""
    return isinstance(error, OSError)


def soak(seconds, connections, faults=None, one_in=0, resets=False):
    """Returns a report; raises Lost."""
    errors = []
    allow_descriptors(4 * connections + 500)
    threads = threading.active_count()
    with tempfile.TemporaryDirectory() as directory:
        certificate = os.path.join(directory, "certificate.pem")
        make_certificate(certificate)
        descriptors = len(os.listdir("/proc/self/fd"))
        soaked = Soak(seconds, connections, certificate, resets)
        if one_in:
            faults.at_random(one_in, RESETS if resets else ERRORS)
        with asyncio.Runner(loop_factory=everloop.EventLoop) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: errors.append(context))
            early, late = runner.run(soaked.run(directory))
            runner.get_loop().verify()
        gc.collect()
        if len(os.listdir("/proc/self/fd")) > descriptors:
            raise Lost("descriptors are left open")
        if one_in:
            faults.at_random(0, {})
            soaked.counts["faults"] = faults.made()
    if resets:
        errors = [each for each in errors if not bears(each.get("exception"))]
    if errors:
        raise Lost(f"{len(errors)} errors were told of: {errors[0]}")
    if threading.active_count() > threads:
        raise Lost("threads are left")
    if late - early > SLACK + OF_A_CONNECTION * connections:
        raise Lost(f"memory has grown from {early} to {late} KiB")
    delays = sorted(soaked.delays)
    counts = ", ".join(f"{count} {name}" for name, count in soaked.counts.items())
    middle, last = (1000 * delays[int(share * len(delays))] for share in (0.5, 0.99))
    return f"{counts}; {early} KiB, then {late} KiB; half within {middle:.1f} ms, p99 {last:.1f} ms"


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--faults", type=int, default=1000, help="one in so many calls; 0: none")
    parser.add_argument("--resets", action="store_true", help="the faults reset connections")
    options = parser.parse_args(arguments)
    if options.faults and "SOAK_FAULTS" not in os.environ:
        with tempfile.TemporaryDirectory() as directory:
            environment = os.environ | loaded_first(build(directory)) | {"SOAK_FAULTS": "1"}
            command = [sys.executable, "-X", "faulthandler", "-m", SELF, *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
    faults = Faults() if options.faults else None
    seconds = 60.0 * options.minutes
    print(
        soak(seconds, options.connections, faults, options.faults, options.resets),
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
