"""Keeps programs running: what crashes is started again, a little later each time.

Shows Child, Timer and Signal watchers. A program that ends with status 0 has finished; any
other end is a crash. The delay doubles with each crash, up to a limit, and starts small
again once the program has run for a while. When all have finished, so has the supervisor.

    python examples/supervisor.py "python -m http.server 8000" "sh worker.sh"

Ctrl-C or SIGTERM ends the programs, by force those that do not go, and then itself.
"""

import argparse
import contextlib
import logging
import os
import shlex
import signal
import subprocess

import everloop


class Service:
    """One program: it runs, or waits to be started again, or has ended for good."""

    def __init__(self, loop: everloop.Loop, command: list[str], args: argparse.Namespace) -> None:
        self.loop = loop
        self.command = command
        self.name = command[0]
        self.first_delay: float = args.delay
        self.max_delay: float = args.max_delay
        self.stable_after: float = args.stable_after
        self.delay = self.first_delay
        self.started_at = 0.0
        self.ending = False
        self.process: subprocess.Popen[bytes] | None = None
        self.restart = loop.timer(0.0, 0.0, self.on_restart)
        self.overdue = loop.timer(0.0, args.stop_timeout, self.on_overdue)

    def start(self) -> None:
        self.loop.update()
        self.started_at = self.loop.now()
        try:
            # In a process group of its own: Ctrl-C reaches only the supervisor, and
            # what the program has started is ended with it.
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, process_group=0)
        except OSError as error:
            logging.error("%s can't be started: %s", self.name, error.strerror)
            self.start_later()
            return
        logging.info("%s started as %d", self.name, self.process.pid)
        self.loop.child(self.process.pid, False, self.on_ended).start()

    def on_ended(self, watcher: everloop.Child, revents: int) -> None:
        watcher.stop()
        self.overdue.stop()
        if self.process is not None:
            # The watcher has taken the status, so Popen has to be told of it.
            self.process.returncode = watcher.returncode
            self.process = None
        if self.ending:
            logging.info("%s stopped", self.name)
        elif watcher.returncode == 0:
            logging.info("%s finished", self.name)
        else:
            logging.warning("%s crashed with status %s", self.name, watcher.returncode)
            self.start_later()

    def start_later(self) -> None:
        if self.loop.now() - self.started_at >= self.stable_after:
            self.delay = self.first_delay
        logging.info("%s starts again in %g s", self.name, self.delay)
        self.restart.set(self.delay, 0.0)
        self.restart.start()
        self.delay = min(2 * self.delay, self.max_delay)

    def on_restart(self, watcher: everloop.Timer, revents: int) -> None:
        self.start()

    def end(self) -> None:
        """Ask the program to end, and start it no more."""
        self.ending = True
        self.restart.stop()
        if self.process is not None and not self.overdue.active:
            self.signal(signal.SIGTERM)
            self.overdue.reset()

    def on_overdue(self, watcher: everloop.Timer, revents: int) -> None:
        self.overdue.stop()
        logging.warning("%s does not stop: killed", self.name)
        self.signal(signal.SIGKILL)

    def signal(self, signum: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signum)


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep programs running.")
    parser.add_argument("commands", nargs="+", metavar="command", help="quoted as for a shell")
    parser.add_argument("--delay", type=float, default=0.5, help="before the first restart")
    parser.add_argument("--max-delay", type=float, default=60.0, help="before any restart")
    parser.add_argument(
        "--stable-after", type=float, default=30.0, help="a crash after this is the first again"
    )
    parser.add_argument(
        "--stop-timeout", type=float, default=10.0, help="seconds to end in before a kill"
    )
    args = parser.parse_args()
    if min(args.delay, args.max_delay, args.stable_after, args.stop_timeout) <= 0:
        parser.error("times must be more than 0")
    commands = [shlex.split(command) for command in args.commands]
    if not all(commands):
        parser.error("a command must not be empty")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    # The default loop watches children on every system; other loops need a recent kernel.
    with everloop.default_loop() as loop:
        services = [Service(loop, command, args) for command in commands]

        def on_signal(watcher: everloop.Signal, revents: int) -> None:
            for service in services:
                service.end()

        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, on_signal).start()
            loop.unref()  # these two watchers alone are no reason to go on
        for service in services:
            service.start()
        loop.start()


if __name__ == "__main__":
    main()
