"""Do each public operation many times: memory, objects and descriptors stay as they are.

    python -m tests.reliability.leaks_run [--times COUNT] [--only NAME ...]

Half of the times come first, for what is kept for good; what the other half adds is a leak.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys

import everloop
from everloop import EV_CUSTOM, EV_READ, EV_WRITE, EVRUN_NOWAIT

# What allocators keep for themselves, in KiB.
SLACK = 1024


def noop(*arguments):
    pass


class Setting:
    """Loops and sockets that operations work on."""

    def __init__(self):
        self.loop = everloop.Loop()
        self.inner = everloop.Loop(everloop.EVBACKEND_EPOLL)
        self.aio = everloop.EventLoop()
        self.here, self.there = socket.socketpair()
        for sock in (self.here, self.there):
            sock.setblocking(False)

    def close(self):
        for each in (self.loop, self.inner, self.aio, self.here, self.there):
            each.close()


def watchers(setting):
    loop, fd = setting.loop, setting.here
    return {
        "Io": lambda: loop.io(fd, EV_READ | EV_WRITE, noop),
        "Stray": lambda: loop.io(10**6, EV_READ, noop),
        "Timer": lambda: loop.timer(0.0, 60.0, noop),
        "Periodic": lambda: loop.periodic(0.5, 60.0, noop),
        "Scheduler": lambda: loop.scheduler(lambda w, now: now + 60.0, noop),
        "Signal": lambda: loop.signal(signal.SIGUSR1, noop),
        "Stat": lambda: loop.stat("/tmp", 0.0, noop),
        "Stat of nothing": lambda: loop.stat("/nothing/there", 0.0, noop),
        "Idle": lambda: loop.idle(noop),
        "Prepare": lambda: loop.prepare(noop),
        "Check": lambda: loop.check(noop),
        "Fork": lambda: loop.fork(noop),
        "Async": lambda: loop.async_(noop),
        "Embed": lambda: loop.embed(setting.inner),
    }


def lives(setting, make):
    """The life of a watcher, with all that every kind has."""
    loop = setting.loop

    def live():
        watcher = make()
        watcher.start()
        watcher.feed(EV_CUSTOM)
        watcher.clear()
        watcher.invoke(EV_CUSTOM)
        repr(watcher)
        watcher.data = watcher.callback = noop
        with contextlib.suppress(OSError):
            loop.start(EVRUN_NOWAIT)
        watcher.stop()
        watcher.priority = 1
        watcher.feed(EV_CUSTOM)
        loop.invoke()

    return live


def raised():
    raise ValueError


def calls(setting):
    loop, aio, here, there = setting.loop, setting.aio, setting.here, setting.there

    def run(main):
        return lambda: aio.run_until_complete(main())

    async def sleeping():
        await asyncio.sleep(0)
        aio.call_soon(noop, 1)
        aio.call_soon_threadsafe(noop).cancel()
        aio.call_later(60.0, noop, 1).cancel()
        aio.call_later(0.0, noop, 1)
        await asyncio.gather(*[asyncio.sleep(0) for _ in range(3)])
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(aio.create_future(), 0.0)

    async def failing():
        aio.call_soon(raised)
        task = aio.create_task(asyncio.sleep(60.0))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def descriptors():
        seen = asyncio.Event()
        aio.add_writer(here, seen.set)
        await seen.wait()
        aio.remove_writer(here)
        await aio.sock_sendall(there, b"x" * 10)
        aio.add_reader(here, noop)
        await asyncio.sleep(0)
        aio.remove_reader(here)
        await aio.sock_recv(here, 100)

    async def exchange():
        one, other = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=one)
        others_reader, others_writer = await asyncio.open_connection(sock=other)
        writer.write(b"x" * 100_000)
        writer.write_eof()
        await others_reader.read()
        others_writer.writelines([b"y", b"z"])
        others_writer.close()
        await reader.read()
        writer.transport.abort()

    async def serving():
        async def serve(reader, writer):
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(*address)
            await reader.read()
            writer.close()

    async def datagrams():
        one, _ = await aio.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        one.sendto(b"x", one.get_extra_info("sockname"))
        await asyncio.sleep(0)
        one.close()
        await asyncio.sleep(0)

    async def pipes():
        r, w = os.pipe()
        source, _ = await aio.connect_read_pipe(asyncio.Protocol, open(r, "rb", 0))
        target, _ = await aio.connect_write_pipe(asyncio.BaseProtocol, open(w, "wb", 0))
        target.write(b"x")
        await asyncio.sleep(0)
        target.close()
        source.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def program():
        process = await asyncio.create_subprocess_exec("/bin/true", stdout=-1)
        await process.communicate()

    def failing_callback():
        timer = loop.timer(0.0, 0.0, lambda w, e: raised())
        timer.start()
        loop.start()

    def signals():
        aio.add_signal_handler(signal.SIGUSR2, noop)
        os.kill(os.getpid(), signal.SIGUSR2)
        aio.run_until_complete(asyncio.sleep(0))
        aio.remove_signal_handler(signal.SIGUSR2)

    def child():
        pid = os.posix_spawn("/bin/true", ["true"], {})
        loop.child(pid, False, lambda w, e: w.stop()).start()
        loop.start()

    return {
        "Loop": lambda: everloop.Loop().close(),
        "Loop, dropped": everloop.Loop,
        "EventLoop": lambda: everloop.EventLoop().close(),
        "reset": lambda: (loop.reset(), loop.start(EVRUN_NOWAIT)),
        "a callback that fails": failing_callback,
        "signals": signals,
        "sleeping": run(sleeping),
        "failing": run(failing),
        "descriptors": run(descriptors),
        "exchange": run(exchange),
        "datagrams": run(datagrams),
        "pipes": run(pipes),
        "serving": run(serving),
        "child": child,
        "program": run(program),
    }


# Those take the kernel so long that there are fewer of them, by this factor.
SLOW = {
    "Stat": 20,
    "Stat of nothing": 20,
    "Embed": 10,
    "serving": 10,
    "child": 50,
    "program": 100,
    "exchange": 4,
    "EventLoop": 4,
    "pipes": 2,
}


def all_operations(setting):
    operations = {name: lives(setting, make) for name, make in watchers(setting).items()}
    return operations | calls(setting)


def resident():
    """The memory that the process has now, in KiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def state():
    gc.collect()
    return resident(), len(gc.get_objects()), len(os.listdir("/proc/self/fd"))


def leaks(operation, times):
    """What more there is after as many times again: memory, objects, descriptors."""
    for _ in range(times // 2):
        operation()
    before = state()
    for _ in range(times // 2):
        operation()
    after = state()
    return [late - early for late, early in zip(after, before, strict=True)]


def check(name, operation, times):
    """What has leaked, or None. Once more if it looks so: some memory is kept for good."""
    for _ in range(3):
        memory, objects, descriptors = leaks(operation, max(times // SLOW.get(name, 1), 10))
        if memory <= SLACK and objects <= 10 and descriptors <= 0:
            return None
    return f"{name}: {memory} KiB, {objects} objects, {descriptors} descriptors"


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=100_000)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args(arguments)
    sys.unraisablehook = noop
    setting = Setting()
    setting.aio.set_exception_handler(noop)
    operations = all_operations(setting)
    found = []
    for name in options.only or operations:
        wrong = check(name, operations[name], options.times)
        print(wrong or f"{name}: flat", flush=True)
        found += [wrong] if wrong else []
    setting.close()
    return len(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
