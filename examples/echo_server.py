"""A TCP echo server: every byte that a client sends comes back to it.

Shows Io watchers: one for the listening socket, two for each connection. The reader
runs while there is room for more, the writer only while something is left to send.

    python examples/echo_server.py --port 7000
    nc localhost 7000

Ctrl-C or SIGTERM ends it.
"""

import argparse
import logging
import signal
import socket
from typing import Any

import everloop

CHUNK = 64 * 1024
MAX_UNSENT = 1024 * 1024  # a client that does not read is not read from either
ACCEPT_AGAIN_AFTER = 0.5


class Connection:
    """One client: what was received and could not be sent back yet waits in `unsent`."""

    def __init__(self, server: "EchoServer", client: socket.socket, address: Any) -> None:
        self.server = server
        self.socket = client
        self.address = address
        self.unsent = bytearray()
        self.ended = False
        client.setblocking(False)
        self.reader = server.loop.io(client, everloop.EV_READ, self.on_readable)
        self.writer = server.loop.io(client, everloop.EV_WRITE, self.on_writable)
        self.reader.start()

    def on_readable(self, watcher: everloop.Io, revents: int) -> None:
        try:
            data = self.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as error:  # most often a reset by the client
            self.close(f"lost: {error}")
            return
        self.unsent += data
        self.ended = not data
        self.send()

    def on_writable(self, watcher: everloop.Io, revents: int) -> None:
        self.send()

    def send(self) -> None:
        """Send what the kernel takes now, and choose what to watch for next."""
        try:
            if self.unsent:
                del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            self.close(f"lost: {error}")
            return
        # A client may end its side and still wait for the rest.
        if self.ended and not self.unsent:
            self.close("closed")
            return
        switch(self.writer, bool(self.unsent))
        switch(self.reader, not self.ended and len(self.unsent) < MAX_UNSENT)

    def close(self, reason: str) -> None:
        # The watchers go first: the descriptor's number may soon be another's.
        self.reader.stop()
        self.writer.stop()
        self.socket.close()
        self.server.connections.discard(self)
        logging.info("%s %s", self.address, reason)


class EchoServer:
    """Accepts connections until it is closed."""

    def __init__(self, loop: everloop.Loop, host: str, port: int) -> None:
        self.loop = loop
        self.connections: set[Connection] = set()
        self.socket = socket.create_server((host, port), backlog=1024)
        self.socket.setblocking(False)
        self.acceptor = loop.io(self.socket, everloop.EV_READ, self.on_client)
        self.pause = loop.timer(0.0, ACCEPT_AGAIN_AFTER, self.on_pause_over)
        self.acceptor.start()
        logging.info("listening on %s:%d", *self.socket.getsockname()[:2])

    def on_client(self, watcher: everloop.Io, revents: int) -> None:
        try:
            client, address = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # it has gone again
        except OSError as error:
            # No descriptors or no memory left. The client stays in the queue and keeps
            # the socket readable: without a pause the loop would do nothing but fail.
            logging.warning("can't accept: %s", error)
            self.acceptor.stop()
            self.pause.reset()
            return
        self.connections.add(Connection(self, client, address))

    def on_pause_over(self, watcher: everloop.Timer, revents: int) -> None:
        self.pause.stop()
        self.acceptor.start()

    def close(self) -> None:
        self.acceptor.stop()
        self.pause.stop()
        self.socket.close()
        for connection in list(self.connections):
            connection.close("closed by the server")


def switch(watcher: everloop.Io, on: bool) -> None:
    if on:
        watcher.start()
    else:
        watcher.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A TCP echo server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7000, help="0: any that is free")
    args = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    with everloop.Loop() as loop:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: loop.stop()).start()
        try:
            server = EchoServer(loop, args.host, args.port)
        except OSError as error:
            raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
        loop.start()
        server.close()


if __name__ == "__main__":
    main()
