"""A chat server: every line that a client sends goes to all the others.

Shows Io watchers together with timers: each client has a Timer that is reset at every
line, which is cheap, and that throws the client out when it has been silent for long.
The first line of a client is its name.

    python examples/chat_server.py --port 7001 --idle 300
    nc localhost 7001

Ctrl-C or SIGTERM ends it.
"""

import argparse
import contextlib
import logging
import signal
import socket

import everloop

CHUNK = 16 * 1024
MAX_LINE = 4 * 1024
MAX_UNSENT = 256 * 1024  # what a client may lag behind the conversation
ACCEPT_AGAIN_AFTER = 0.5


class Client:
    """One participant; it has no name until its first line has come."""

    def __init__(self, server: "ChatServer", client: socket.socket) -> None:
        self.server = server
        self.socket = client
        self.name = ""
        self.received = b""
        self.unsent = bytearray()
        client.setblocking(False)
        self.reader = server.loop.io(client, everloop.EV_READ, self.on_readable)
        self.writer = server.loop.io(client, everloop.EV_WRITE, self.on_writable)
        self.idle = server.loop.timer(0.0, server.idle_limit, self.on_idle)
        self.reader.start()
        self.idle.reset()
        self.put("* your name?")

    def on_readable(self, watcher: everloop.Io, revents: int) -> None:
        try:
            data = self.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # reset by the client: it has gone as well
        if not data:
            self.server.remove(self, "left")
            return
        *lines, self.received = (self.received + data).split(b"\n")
        for line in lines:
            if self not in self.server.clients:
                return  # removed because of the line before
            self.idle.reset()
            self.server.on_line(self, line.decode(errors="replace").strip())
        if len(self.received) > MAX_LINE or len(self.unsent) > MAX_UNSENT:
            self.server.remove(self, "sent too much")

    def on_writable(self, watcher: everloop.Io, revents: int) -> None:
        try:
            del self.unsent[: self.socket.send(self.unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.server.remove(self, "left")
            return
        if not self.unsent:
            self.writer.stop()

    def on_idle(self, watcher: everloop.Timer, revents: int) -> None:
        self.put("* you said nothing for too long")
        self.server.remove(self, "fell asleep")

    def put(self, line: str) -> None:
        """Queue a line; the writer sends it as the client takes it."""
        self.unsent += line.encode() + b"\n"
        self.writer.start()

    def close(self) -> None:
        # A last try for what is queued; nobody waits for a client that has to go.
        with contextlib.suppress(OSError):
            self.socket.send(self.unsent)
        for watcher in (self.reader, self.writer, self.idle):
            watcher.stop()
        self.socket.close()


class ChatServer:
    """Accepts clients and passes on what they say."""

    def __init__(self, loop: everloop.Loop, host: str, port: int, idle_limit: float) -> None:
        self.loop = loop
        self.idle_limit = idle_limit
        self.clients: set[Client] = set()
        self.socket = socket.create_server((host, port), backlog=128)
        self.socket.setblocking(False)
        self.acceptor = loop.io(self.socket, everloop.EV_READ, self.on_client)
        self.pause = loop.timer(0.0, ACCEPT_AGAIN_AFTER, self.on_pause_over)
        self.acceptor.start()
        logging.info("listening on %s:%d", *self.socket.getsockname()[:2])

    def on_client(self, watcher: everloop.Io, revents: int) -> None:
        try:
            client, _ = self.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of descriptors: the socket stays readable, so look away for a while.
            logging.warning("can't accept: %s", error)
            self.acceptor.stop()
            self.pause.reset()
            return
        self.clients.add(Client(self, client))

    def on_pause_over(self, watcher: everloop.Timer, revents: int) -> None:
        self.pause.stop()
        self.acceptor.start()

    def on_line(self, client: Client, text: str) -> None:
        if client.name:
            self.tell_others(client, f"{client.name}: {text}")
        elif not text or any(other.name == text for other in self.clients):
            client.put("* that name can't be had; another one?")
        else:
            client.name = text
            self.tell_others(client, f"* {text} came")
            logging.info("%s came", text)

    def tell_others(self, sender: Client, line: str) -> None:
        listeners = [c for c in self.clients if c.name and c is not sender]
        for client in listeners:
            client.put(line)
        # Only now, as each removal tells the others in turn.
        for client in listeners:
            if len(client.unsent) > MAX_UNSENT:
                self.remove(client, "could not follow")

    def remove(self, client: Client, reason: str) -> None:
        if client in self.clients:
            self.clients.remove(client)
            client.close()
            if client.name:
                self.tell_others(client, f"* {client.name} {reason}")
                logging.info("%s %s", client.name, reason)

    def close(self) -> None:
        self.acceptor.stop()
        self.pause.stop()
        self.socket.close()
        for client in self.clients:
            client.put("* the server ends")
            client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A line-based chat server.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7001, help="0: any that is free")
    parser.add_argument("--idle", type=float, default=300.0, help="seconds of silence allowed")
    args = parser.parse_args()
    if args.idle <= 0:
        parser.error("--idle must be more than 0")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    with everloop.Loop() as loop:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: loop.stop()).start()
        try:
            server = ChatServer(loop, args.host, args.port, args.idle)
        except OSError as error:
            raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
        loop.start()
        server.close()


if __name__ == "__main__":
    main()
