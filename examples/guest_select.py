"""An everloop loop as the guest of another main loop, here one of select() alone.

Shows Loop.fileno() and Loop.timeout(): the host waits for the one, as long as the other
says, and then runs a pass. This is all that it takes in a program whose main loop is not
everloop's. The guest is an EventLoop, with coroutines and watchers; the host reads lines.

    python examples/guest_select.py --port 7004
    echo hello | nc -w1 localhost 7004

Lines that are typed are the host's, those that come by TCP the guest's. It ends with the
input, or by Ctrl-C or SIGTERM.
"""

import argparse
import asyncio
import contextlib
import os
import select
import signal
import sys

import everloop

CHUNK = 64 * 1024


class Host:
    """A main loop of the program's own."""

    def __init__(self, guest: everloop.Loop) -> None:
        self.guest = guest
        self.received = b""
        self.ended = False

    def run(self) -> None:
        # What was started by now: the guest tells its kernel of it in a pass.
        self.guest.start(everloop.EVRUN_NOWAIT)
        while not self.ended:
            files = [sys.stdin.fileno(), self.guest.fileno()]
            readable, _, _ = select.select(files, [], [], self.guest.timeout())
            if sys.stdin.fileno() in readable:
                self.read()
            # The guest's descriptor is readable, or its time has come, or neither: all the same.
            self.guest.start(everloop.EVRUN_NOWAIT)

    def read(self) -> None:
        data = os.read(sys.stdin.fileno(), CHUNK)
        if not data:
            self.ended = True
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            print(f"host: {line.decode(errors='replace')}", flush=True)

    def end(self) -> None:
        self.ended = True


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
        async for line in reader:
            print(f"guest: {line.decode(errors='replace').strip()}", flush=True)
            writer.write(line)
            await writer.drain()
    writer.close()


async def end(server: asyncio.Server) -> None:
    """Stop listening, and have each connection closed by its coroutine."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


def main() -> None:
    parser = argparse.ArgumentParser(description="A loop as a guest of select().")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7004, help="0: any that is free")
    args = parser.parse_args()
    guest = everloop.EventLoop()
    host = Host(guest)
    try:
        server = guest.run_until_complete(asyncio.start_server(echo, args.host, args.port))
    except OSError as error:
        guest.close()
        raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
    for signum in (signal.SIGINT, signal.SIGTERM):
        guest.signal(signum, lambda watcher, revents: host.end()).start()
    print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
    host.run()
    guest.run_until_complete(end(server))
    guest.close()


if __name__ == "__main__":
    main()
