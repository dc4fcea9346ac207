"""Runs a command, and runs it again whenever one of some files changes.

Shows Tree, Stat, Timer, Child and Signal watchers at work together. Editors often change a
file in several steps, so the command starts only when the files have been quiet for a moment.
If it still runs then, it is ended first. Of a directory everything below it counts, but for
hidden directories and Python's caches.

    python examples/rerun.py -w src/main.py -w src -- python -m pytest -x

Ctrl-C or SIGTERM ends it, and the command.
"""

import argparse
import contextlib
import logging
import os
import signal
import subprocess

import everloop

KILL_AFTER = 5.0  # seconds that the command has to end when it is asked to


def is_source(path: str) -> bool:
    """Whether a file is of interest, or what is in a directory."""
    name = os.path.basename(path)
    return name in (".", "..") or not (name.startswith(".") or name == "__pycache__")


class Rerunner:
    """Keeps one run of the command going: ends it or starts it as the files change."""

    def __init__(
        self, loop: everloop.Loop, paths: list[str], command: list[str], delay: float
    ) -> None:
        self.loop = loop
        self.command = command
        self.process: subprocess.Popen[bytes] | None = None
        self.run_again = False
        self.quiet = loop.timer(0.0, delay, self.on_quiet)
        self.overdue = loop.timer(0.0, KILL_AFTER, self.on_overdue)
        self.files = [self.watch(path) for path in paths]

    def watch(self, path: str) -> everloop.Tree | everloop.Stat:
        if os.path.isdir(path):
            return self.loop.tree(path, self.on_changes_below, filter=is_source)
        return self.loop.stat(path, 0.0, self.on_change)

    def start(self) -> None:
        for file in self.files:
            file.start()
        self.run()

    def on_change(self, watcher: everloop.Stat, revents: int) -> None:
        logging.info("--- %s has changed", watcher.path)
        self.quiet.reset()

    def on_changes_below(self, watcher: everloop.Tree, revents: int) -> None:
        for change in watcher.changes():
            if is_source(change.path):
                logging.info("--- %s was %s", change.path, change.kind)
                self.quiet.reset()

    def on_quiet(self, watcher: everloop.Timer, revents: int) -> None:
        self.quiet.stop()
        self.run_again = True
        if self.process is None:
            self.run()
        else:
            self.end_run()

    def run(self) -> None:
        self.run_again = False
        logging.info("--- running %s", " ".join(self.command))
        try:
            # A process group of its own: what the command starts is ended with it, and
            # Ctrl-C reaches only this program, which then ends the command itself.
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, process_group=0)
        except OSError as error:
            logging.error("--- can't run %s: %s", self.command[0], error.strerror)
            return
        self.loop.child(self.process.pid, False, self.on_ended).start()

    def on_ended(self, watcher: everloop.Child, revents: int) -> None:
        watcher.stop()
        self.overdue.stop()
        logging.info("--- ended with status %s", watcher.returncode)
        if self.process is not None:
            # The watcher has taken the status, so Popen has to be told of it.
            self.process.returncode = watcher.returncode
            self.process = None
        if self.run_again:
            self.run()

    def end_run(self) -> None:
        """Ask the command to end, if it runs; on_ended sees to the rest."""
        if self.process is not None and not self.overdue.active:
            self.signal_run(signal.SIGTERM)
            self.overdue.reset()

    def on_overdue(self, watcher: everloop.Timer, revents: int) -> None:
        self.overdue.stop()
        self.signal_run(signal.SIGKILL)

    def signal_run(self, signum: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signum)

    def end(self) -> None:
        """Watch the files no longer and end the command: then nothing keeps the loop."""
        for file in self.files:
            file.stop()
        self.quiet.stop()
        self.run_again = False
        self.end_run()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run a command again whenever files change.",
        usage="%(prog)s -w PATH [-w PATH ...] [--delay SECONDS] -- COMMAND [ARGUMENT ...]",
    )
    parser.add_argument("-w", "--watch", action="append", required=True, metavar="PATH")
    parser.add_argument("--delay", type=float, default=0.2, help="how long files must be quiet")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    args = parser.parse_args()
    if args.delay <= 0:
        parser.error("--delay must be more than 0")
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    # The default loop watches children on every system; other loops need a recent kernel.
    with everloop.default_loop() as loop:
        rerunner = Rerunner(loop, args.watch, args.command, args.delay)
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: rerunner.end()).start()
            loop.unref()  # these two watchers alone are no reason to go on
        rerunner.start()
        loop.start()


if __name__ == "__main__":
    main()
