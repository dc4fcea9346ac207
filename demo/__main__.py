"""The demonstration: `python -m demo` puts the echo server under load and checks it.

The server runs in this process, on everloop, and its clients in others. Prints what
the server does as it goes, and a summary at the end. Exit status 1 if anything was
lost or changed on the way, or took too long.
"""

import argparse
import sys
import time

from demo.load import Load
from demo.server import EchoServer
from everloop import Async, Loop, Timer

FIGURES_EVERY = 0.5


class Demo:
    """The server, its load, and the watchers that look after both."""

    def __init__(self, loop: Loop, arguments: argparse.Namespace) -> None:
        self.loop = loop
        self.connections = arguments.processes * arguments.connections
        self.lines = self.connections * arguments.lines
        self.timed_out = False
        self.server = EchoServer(loop)
        self.done = loop.async_(self.end)
        self.load = Load(self.server.address, arguments, self.done.send)
        self.figures = loop.timer(FIGURES_EVERY, FIGURES_EVERY, self.print_figures)
        self.limit = loop.timer(arguments.limit, 0.0, self.give_up)

    def run(self) -> None:
        """Returns when all clients have ended: the loop has no active watcher then."""
        watchers = (self.done, self.figures, self.limit)
        print("seconds  connections  lines/s  MB/s each way  passes/s  pending")
        self.began = self.reported = time.perf_counter()
        self.counts = (0, 0, 0)
        self.server.start()
        for watcher in watchers:
            watcher.start()
        try:
            self.load.start()
            self.loop.start()
        finally:
            self.load.stop()
        self.seconds = time.perf_counter() - self.began

    def end(self, done: Async, revents: int) -> None:
        self.server.close()
        self.done.stop()
        self.figures.stop()
        self.limit.stop()

    def give_up(self, limit: Timer, revents: int) -> None:
        self.timed_out = True
        self.load.kill()

    def print_figures(self, figures: Timer, revents: int) -> None:
        now = time.perf_counter()
        counts = (self.server.lines, self.server.received, self.loop.iteration)
        lines, received, passes = (
            (count - before) / (now - self.reported)
            for count, before in zip(counts, self.counts, strict=True)
        )
        self.reported, self.counts = now, counts
        print(
            f"{now - self.began:7.1f}  {len(self.server.connections):11}  {lines:7.0f}"
            f"  {received / 1e6:13.1f}  {passes:8.0f}  {self.loop.pending:7}",
            flush=True,
        )

    def print_summary(self) -> None:
        load, server = self.load, self.server
        print(
            f"\n{server.accepted} connections from {len(load.reports)} processes sent "
            f"{load.lines} lines, {load.sent / 1e6:.1f} MB, in {self.seconds:.1f} s: "
            f"{load.lines / self.seconds:.0f} lines/s"
        )
        print(
            f"latency, as the clients saw it: p50 {load.latency(0.50) * 1e3:.2f} ms, "
            f"p99 {load.latency(0.99) * 1e3:.2f} ms, worst {load.latency(1.0) * 1e3:.2f} ms"
        )
        print(f"checksums: {load.intact} of {self.connections} connections got back what they sent")

    def faults(self) -> list[str]:
        """What went wrong; nothing, as a rule."""
        load, server = self.load, self.server
        checks = {
            "it took too long": not self.timed_out,
            f"{load.failed} client processes failed": not load.failed,
            "lines were lost": load.lines == server.lines == self.lines,
            "bytes were lost": load.sent == server.received,
            "what came back is not what was sent": load.intact == self.connections,
            "connections were lost": server.accepted == self.connections,
            f"{server.broken} connections broke": not server.broken,
            "the server still has connections": not server.connections,
        }
        return [fault for fault, fine in checks.items() if not fine]


def main() -> int:
    with Loop(debug=True) as loop:
        demo = Demo(loop, parse())
        demo.run()
    demo.print_summary()
    faults = demo.faults()
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--processes", type=int, default=2, help="that clients run in")
    parser.add_argument("--connections", type=int, default=50, help="of each process")
    parser.add_argument("--lines", type=int, default=3000, help="that each connection sends")
    parser.add_argument("--limit", type=float, default=50.0, help="seconds that it may take")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
