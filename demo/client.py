"""Clients of the echo server, in a process of their own and with the standard library alone.

Each connection sends a line, waits until it has come back and sends the next. The
process prints a report as JSON: what was sent, what came back, and how long it took.
"""

import argparse
import hashlib
import json
import random
import selectors
import socket
import sys
import time

READ_SIZE = 256 * 1024
POOL_SIZE = 1024 * 1024
LARGE = 512 * 1024  # more than the socket buffers take, now and then
LARGE_ONE_IN = 2000


class Client:
    """One connection, which sends a number of lines of random lengths."""

    def __init__(self, address: tuple[str, int], lines: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.pool = self.random.randbytes(POOL_SIZE // 2).hex().encode()
        self.lines_left = lines
        self.sent = hashlib.sha256()
        self.returned = hashlib.sha256()
        self.bytes_sent = 0
        self.latencies: list[float] = []
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.socket.setblocking(False)
        self.next_line()

    def next_line(self) -> None:
        length = LARGE if self.random.randrange(LARGE_ONE_IN) == 0 else self.random.randrange(2000)
        begin = self.random.randrange(POOL_SIZE - length)
        line = self.pool[begin : begin + length] + b"\n"
        self.sent.update(line)
        self.bytes_sent += len(line)
        self.lines_left -= 1
        self.missing = len(line)
        self.unsent = memoryview(line)
        self.began = time.perf_counter()

    def run(self) -> int:
        """Do what can be done without waiting; returns the events to wait for, 0 at the end."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
            while self.missing:
                self.receive()
                if not self.missing and self.lines_left:
                    self.next_line()
                    self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            writing = selectors.EVENT_WRITE if self.unsent else 0
            return selectors.EVENT_READ | writing
        self.socket.close()
        return 0

    def receive(self) -> None:
        data = self.socket.recv(READ_SIZE)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.returned.update(data)
        self.missing -= len(data)
        if self.missing < 0:
            raise ConnectionError("more came back than was sent")
        if self.missing == 0:
            self.latencies.append(time.perf_counter() - self.began)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.client", description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--lines", type=int, default=1000, help="of each connection")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    address = (arguments.host, arguments.port)
    clients = [
        Client(address, arguments.lines, arguments.seed + number)
        for number in range(arguments.connections)
    ]
    run_all(clients)
    json.dump(report(clients), sys.stdout)
    return 0


def run_all(clients: list[Client]) -> None:
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, client.run(), client)
        while selector.get_map():
            for key, _ in selector.select():
                serve(selector, key)


def serve(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    # The descriptor is the key's: the client's socket may be closed by then.
    events = key.data.run()
    if not events:
        selector.unregister(key.fd)
    elif events != key.events:
        selector.modify(key.fd, events, key.data)


def report(clients: list[Client]) -> dict[str, object]:
    return {
        "lines": sum(len(client.latencies) for client in clients),
        "bytes": sum(client.bytes_sent for client in clients),
        "intact": sum(client.sent.digest() == client.returned.digest() for client in clients),
        "latencies": [latency for client in clients for latency in client.latencies],
    }


if __name__ == "__main__":
    sys.exit(main())
