"""Runs the event loop inside another program's loop, here that of a game without a screen.

The game draws a frame every so often and owns the main loop. In each frame it gives the
event loop a few milliseconds: as many passes that do not block as there are events for,
but no more than the budget allows, so that a flood of messages can't delay the frames.
The players' messages (UDP) and timers go on all the while.

    python examples/frame_loop.py --frames 600 --port 7002
    echo hello | nc -u -w1 localhost 7002

A graphical program does the same from its idle time, with Tk for example:

    def on_frame():
        pump.run(0.004)
        root.after(16, on_frame)

Ctrl-C or SIGTERM ends it.
"""

import argparse
import contextlib
import logging
import signal
import socket
import time

import everloop


class Pump:
    """Gives a loop that somebody else drives its share of the time."""

    def __init__(self, loop: everloop.Loop) -> None:
        self.loop = loop
        self.busy = False
        # Right after each look at the kernel, and before all callbacks of that pass: the
        # moment to see whether there are any.
        self.check = loop.check(self.on_check, priority=everloop.EV_MAXPRI)
        self.check.start()

    def on_check(self, watcher: everloop.Check, revents: int) -> None:
        self.busy = self.loop.pending > 0

    def run(self, budget: float) -> None:
        """Handle what has happened, for no more than about budget seconds.

        What is left over stays with the kernel until the next frame.
        """
        until = time.monotonic() + budget
        self.busy = True
        while self.busy and time.monotonic() < until:
            self.loop.start(everloop.EVRUN_NOWAIT)


class Network:
    """Echoes messages: stands for what the game does with them."""

    def __init__(self, loop: everloop.Loop, host: str, port: int) -> None:
        self.received = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, port))
        self.reader = loop.io(self.socket, everloop.EV_READ, self.on_message)
        self.reader.start()

    def on_message(self, watcher: everloop.Io, revents: int) -> None:
        # One message at a time, so that the budget is looked at after each.
        try:
            message, address = self.socket.recvfrom(64 * 1024)
        except OSError:
            return  # nothing there after all, or an earlier answer was refused
        self.received += 1
        with contextlib.suppress(OSError):  # full or refused: messages may get lost
            self.socket.sendto(message, address)

    def close(self) -> None:
        self.reader.stop()
        self.socket.close()


class Game:
    """The program that owns the main loop."""

    def __init__(self, loop: everloop.Loop, network: Network, args: argparse.Namespace) -> None:
        self.pump = Pump(loop)
        self.network = network
        self.frames: int = args.frames
        self.frame_time = 1 / args.fps
        self.budget: float = args.budget / 1000
        self.running = True
        self.frame = 0
        self.longest = 0.0
        loop.timer(args.report, args.report, self.on_report).start()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, self.on_signal).start()

    def run(self) -> None:
        next_frame = time.monotonic()
        while self.running and (self.frame < self.frames or not self.frames):
            began = time.monotonic()
            self.draw()
            self.pump.run(self.budget)
            now = time.monotonic()
            self.longest = max(self.longest, now - began)
            # A frame that came late does not make those after it hurry.
            next_frame = max(next_frame + self.frame_time, now)
            time.sleep(next_frame - now)

    def draw(self) -> None:
        self.frame += 1

    def on_report(self, watcher: everloop.Timer, revents: int) -> None:
        longest = 1000 * self.longest
        received = self.network.received
        logging.info("frame %d, messages %d, longest %.1f ms", self.frame, received, longest)
        self.longest = 0.0

    def on_signal(self, watcher: everloop.Signal, revents: int) -> None:
        self.running = False


def main() -> None:
    parser = argparse.ArgumentParser(description="A game's loop with an event loop inside.")
    parser.add_argument("--frames", type=int, default=0, help="0: until it is ended")
    parser.add_argument("--fps", type=float, default=60.0, help="frames per second")
    parser.add_argument("--budget", type=float, default=4.0, help="milliseconds per frame")
    parser.add_argument("--report", type=float, default=1.0, help="seconds between reports")
    parser.add_argument("--host", default="127.0.0.1", help="address to receive messages on")
    parser.add_argument("--port", type=int, default=7002, help="0: any that is free")
    args = parser.parse_args()
    if min(args.fps, args.budget, args.report) <= 0 or args.frames < 0:
        parser.error("--fps, --budget and --report must be more than 0, --frames not less")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    with everloop.Loop() as loop:
        try:
            network = Network(loop, args.host, args.port)
        except OSError as error:
            raise SystemExit(f"can't listen on {args.host}:{args.port}: {error}") from None
        game = Game(loop, network, args)
        logging.info("listening on %s:%d", *network.socket.getsockname())
        game.run()
        logging.info("ended after frame %d", game.frame)
        network.close()


if __name__ == "__main__":
    main()
