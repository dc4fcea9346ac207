"""Two loops in one thread: a library's own loop runs inside the application's.

Shows an Embed watcher. The library knows nothing of the application: it has a loop of its
own, with whatever Io watchers it needs. Embedding that loop serves them all, and the
priority of the Embed watcher says what matters more when both loops have events.

    python examples/embedded_loop.py --port 7003
    echo hello | nc -u -w1 localhost 7003

The library answers messages (UDP), the application the lines of its input. It ends with
the input, or by Ctrl-C or SIGTERM.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys

import everloop

CHUNK = 64 * 1024


class Library:
    """Something that comes with a loop of its own."""

    def __init__(self, host: str, port: int) -> None:
        # Only a loop on an embeddable backend can run inside another one.
        self.loop = everloop.Loop(everloop.embeddable_backends())
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, port))
        self.reader = self.loop.io(self.socket, everloop.EV_READ, self.on_message)
        self.reader.start()

    def on_message(self, watcher: everloop.Io, revents: int) -> None:
        try:
            message, address = self.socket.recvfrom(CHUNK)
        except OSError:
            return  # nothing there after all, or an earlier answer was refused
        print(f"library: {message.decode(errors='replace').strip()}", flush=True)
        with contextlib.suppress(OSError):  # full or refused: messages may get lost
            self.socket.sendto(message, address)

    def close(self) -> None:
        self.loop.close()
        self.socket.close()


class Application:
    """Answers lines, and lets the library's loop run inside its own."""

    def __init__(self, loop: everloop.Loop, library: Library) -> None:
        self.loop = loop
        self.received = b""
        self.reader = loop.io(sys.stdin, everloop.EV_READ, self.on_readable)
        # Below the others: the application's own events come first.
        self.embedding = loop.embed(library.loop, priority=-1)
        self.reader.start()
        self.embedding.start()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: loop.stop()).start()

    def on_readable(self, watcher: everloop.Io, revents: int) -> None:
        data = os.read(watcher.fd, CHUNK)
        if not data:
            self.loop.stop()
            return
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            print(f"application: {line.decode(errors='replace')}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A loop inside another loop.")
    parser.add_argument("--host", default="127.0.0.1", help="address to receive messages on")
    parser.add_argument("--port", type=int, default=7003, help="0: any that is free")
    args = parser.parse_args()
    with everloop.Loop() as loop:
        try:
            library = Library(args.host, args.port)
        except OSError as error:
            raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
        Application(loop, library)
        print("listening on {}:{}".format(*library.socket.getsockname()), flush=True)
        loop.start()
        library.close()


if __name__ == "__main__":
    main()
