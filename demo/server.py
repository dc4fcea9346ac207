"""An echo server: the Io watchers of a listening socket and of its connections."""

import errno
import socket

from everloop import EV_READ, EV_WRITE, Io, Loop, Timer

READ_SIZE = 256 * 1024
ACCEPTED_AT_ONCE = 64
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
RETRY_AFTER = 0.1


class EchoServer:
    """Sends back to each client what the client sends.

    Counts what it does in ``lines``, ``received``, ``accepted`` and ``broken``.
    """

    def __init__(self, loop: Loop, host: str = "127.0.0.1", port: int = 0) -> None:
        self.loop = loop
        self.lines = 0
        self.received = 0
        self.accepted = 0
        self.broken = 0
        self.connections: set[Connection] = set()
        self._socket = socket.create_server((host, port), backlog=1024)
        self._socket.setblocking(False)
        self._acceptor = loop.io(self._socket, EV_READ, self._accept)
        self._retry = loop.timer(RETRY_AFTER, 0.0, self._accept_again)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()
        return host, port

    def start(self) -> None:
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening and close all connections: the loop has nothing more to do for it."""
        self._acceptor.stop()
        self._retry.stop()
        self._socket.close()
        for connection in list(self.connections):
            connection.close()

    def _accept(self, acceptor: Io, revents: int) -> None:
        # No more than some at once, so that a flood of clients does not keep the others waiting.
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, _ = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in OUT_OF_DESCRIPTORS:
                    raise
                self._pause()
                return
            self.accepted += 1
            self.connections.add(Connection(self, client))

    def _pause(self) -> None:
        """The waiting client keeps the socket readable: look again when one may have gone."""
        self._acceptor.stop()
        self._retry.set(RETRY_AFTER, 0.0)
        self._retry.start()

    def _accept_again(self, retry: Timer, revents: int) -> None:
        self._acceptor.start()


class Connection:
    """One client. While it does not take what it is owed, nothing more is read from it."""

    def __init__(self, server: EchoServer, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._server = server
        self._socket = client
        self._unsent = memoryview(b"")
        self._reader = server.loop.io(client, EV_READ, self._read)
        self._writer = server.loop.io(client, EV_WRITE, self._write)
        self._reader.start()

    def close(self) -> None:
        # First the watchers, then the descriptor that they watch.
        self._reader.stop()
        self._writer.stop()
        self._socket.close()
        self._server.connections.discard(self)

    def _read(self, reader: Io, revents: int) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            self._break_off()
            return
        if not data:
            self.close()
            return
        self._server.received += len(data)
        self._server.lines += data.count(b"\n")
        self._send(memoryview(data))

    def _write(self, writer: Io, revents: int) -> None:
        self._send(self._unsent)

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break_off()
            return
        self._unsent = data[sent:]
        self._watch(self._writer if self._unsent else self._reader)

    def _watch(self, wanted: Io) -> None:
        """Wait for one of the two: to be able to send, or for something to send."""
        if not wanted.active:
            self._reader.stop()
            self._writer.stop()
            wanted.start()

    def _break_off(self) -> None:
        """The client is gone without saying so: reset, or timed out."""
        self._server.broken += 1
        self.close()
