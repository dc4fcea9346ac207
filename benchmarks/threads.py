"""How one loop a thread scales: the work of two loops in two threads, over that of one.

    python -m benchmarks.threads [--peers everloop,uvloop,asyncio] [--only ROW] [--rounds N]

For a free-threaded Python with the GIL off; with the GIL two loops do the work of one. Each
measurement is a process of its own. `of 2` is 2 if two loops do twice the work of one in
the same time; `by CPU` is that for the time that the processor gave the process, which
tells what the loops cost each other even on a machine that others use, too. `per CPU s` is
what one loop does in a second of that time. The clients of a server run in its own loop: no
other process or thread has a share in what is measured.
"""

import argparse
import asyncio
import importlib
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PEERS = ("everloop", "uvloop", "asyncio")
SELF = "benchmarks.threads"
SECONDS = 0.4

Work = Callable[[Any, list[int]], Any]


def new_loop(peer: str) -> Any:
    return importlib.import_module(peer).new_event_loop()


def call_soon(loop: Any, count: list[int]) -> None:
    """Fifty chains of calls, each of which asks for the next."""

    def step() -> None:
        count[0] += 1
        loop.call_soon(step)

    for _ in range(50):
        loop.call_soon(step)


def timers(loop: Any, count: list[int]) -> None:
    """Fifty chains of timers that are due, among two hundred that are not."""

    def step() -> None:
        count[0] += 1
        loop.call_later(0, step)

    for _ in range(200):
        loop.call_later(1000, step)
    for _ in range(50):
        step()


def dispatch(loop: Any, count: list[int]) -> list[socket.socket]:
    """Fifty descriptors that are always ready."""

    def ready() -> None:
        count[0] += 1

    ends = []
    for _ in range(50):
        one, other = socket.socketpair()
        other.send(b"x")
        ends += [one, other]
        loop.add_reader(one, ready)
    return ends


class Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def server(loop: Any, count: list[int]) -> Any:
    """Ten connections to a server of this port (reuse_port), each with a kilobyte on its way."""

    class Client(Echo):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"x" * 1024)

        def data_received(self, data: bytes) -> None:
            count[0] += 1
            self.transport.write(data)

    async def serve() -> None:
        served = await loop.create_server(Echo, "127.0.0.1", 0, reuse_port=True)
        port = served.sockets[0].getsockname()[1]
        for _ in range(10):
            await loop.create_connection(Client, "127.0.0.1", port)

    return loop.create_task(serve())


def watchers(loop: Any, count: list[int]) -> list[Any]:
    """Everloop's own interface: fifty timers that are started anew, and fifty descriptors."""

    def expired(watcher: Any, revents: int) -> None:
        count[0] += 1
        watcher.start()

    def ready(watcher: Any, revents: int) -> None:
        count[0] += 1

    kept: list[Any] = []
    for _ in range(50):
        one, other = socket.socketpair()
        other.send(b"x")
        kept += [one, other, loop.io(one, 1, ready), loop.timer(0, 0, expired)]
        kept[-1].start()
        kept[-2].start()
    return kept


ROWS: dict[str, Work] = {
    "call_soon": call_soon,
    "timers": timers,
    "dispatch": dispatch,
    "server": server,
    "watchers": watchers,
}


def measure(peer: str, row: str, threads: int) -> dict[str, float]:
    """In this process: what so many loops do in SECONDS, each in a thread."""
    counts = [[0] for _ in range(threads)]
    loops = [new_loop(peer) for _ in range(threads)]
    ready = threading.Barrier(threads + 1)

    def run(loop: Any, count: list[int]) -> None:
        kept = ROWS[row](loop, count)
        loop.call_soon(ready.wait)
        loop.run_forever()
        del kept

    for loop, count in zip(loops, counts, strict=True):
        threading.Thread(target=run, args=(loop, count), daemon=True).start()
    ready.wait()
    time.sleep(SECONDS / 4)
    before, cpu, wall = [c[0] for c in counts], time.process_time(), time.perf_counter()
    time.sleep(SECONDS)
    after = [c[0] for c in counts]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    done = sum(after) - sum(before)
    return {"per second": done / wall, "per CPU second": done / cpu}


def sample(peer: str, row: str, threads: int) -> dict[str, float]:
    command = [sys.executable, "-m", SELF, "--measure", peer, row, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(peers: list[str], rows: list[str], rounds: int) -> None:
    print(
        f"{'row':<10} {'loop':<9} {'1 loop':>12} {'2 loops':>12} "
        f"{'per CPU s':>12} {'of 2':>6} {'by CPU':>7}"
    )
    for row in rows:
        of_row = [peer for peer in peers if row != "watchers" or peer == "everloop"]
        samples: dict[tuple[str, int], list[dict[str, float]]] = {}
        # In turns, so that whatever else the machine does befalls all of them.
        for _ in range(rounds):
            for peer in of_row:
                for threads in (1, 2):
                    samples.setdefault((peer, threads), []).append(sample(peer, row, threads))
        for peer in of_row:
            one, two = (medians(samples[peer, threads]) for threads in (1, 2))
            wall = two["per second"] / one["per second"]
            cpu = 2 * two["per CPU second"] / one["per CPU second"]
            print(
                f"{row:<10} {peer:<9} {one['per second']:>10,.0f}/s {two['per second']:>10,.0f}/s "
                f"{one['per CPU second']:>12,.0f} {wall:>6.2f} {cpu:>7.2f}",
                flush=True,
            )


def medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in samples) for key in samples[0]}


def missing(peer: str) -> bool:
    try:
        importlib.import_module(peer)
    except ImportError as error:
        print(f"{peer} is not available and is skipped: {error}")
        return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {SELF}")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--only", action="append", choices=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        peer, row, threads = options.measure
        print(json.dumps(measure(peer, row, int(threads))), flush=True)
        # The loops run on.
        os._exit(0)
    peers = [peer for peer in options.peers.split(",") if not missing(peer)]
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    cores = len(os.sched_getaffinity(0))
    print(f"Python {sys.version.split()[0]} {'with' if gil else 'without'} the GIL, {cores} cores")
    compare(peers, options.only or list(ROWS), options.rounds)


if __name__ == "__main__":
    main()
