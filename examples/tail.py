"""Follows files as they grow, as ``tail -F`` does.

Shows Stat watchers, which tell of every change of a path, whether anything is there or
not. Handles files that are appended to, truncated, replaced (log rotation), removed, or
that do not exist yet.

    python examples/tail.py -n 5 /var/log/syslog /var/log/auth.log

Ctrl-C or SIGTERM ends it.
"""

import argparse
import collections
import os
import shutil
import signal
import stat
import sys
from typing import BinaryIO

import everloop


class Output:
    """Standard output, with a heading wherever another file goes on."""

    def __init__(self, headings: bool) -> None:
        self.headings = headings
        self.last = ""

    def begin(self, path: str) -> BinaryIO:
        """Return where to write what comes from path."""
        if self.headings and path != self.last:
            separator = "\n" if self.last else ""
            sys.stdout.write(f"{separator}==> {path} <==\n")
            sys.stdout.flush()
        self.last = path
        return sys.stdout.buffer


class Follower:
    """Follows one path. `file` is what was found there last, read up to its end."""

    def __init__(
        self, loop: everloop.Loop, path: str, lines: int, interval: float, output: Output
    ) -> None:
        self.path = path
        self.output = output
        self.file: BinaryIO | None = None
        # Watched before it is read: what is written in between is then told of, too.
        self.watcher = loop.stat(path, interval, self.on_change)
        self.watcher.start()
        self.open()
        if self.file is not None:
            last_lines = collections.deque(self.file, maxlen=lines)
            self.output.begin(path).writelines(last_lines)
            sys.stdout.flush()

    def on_change(self, watcher: everloop.Stat, revents: int) -> None:
        if self.file is not None:
            opened = os.fstat(self.file.fileno())
            if opened.st_size < self.file.tell():
                self.say("has been truncated")
                self.file.seek(0)
            self.copy()
            if os.path.samestat(watcher.current, opened) and watcher.current.st_nlink:
                return
            # Writers may not have noticed yet that their file was renamed or removed,
            # but its last lines up to now have just been copied.
            self.say("has been replaced" if watcher.current.st_nlink else "has gone")
            self.close()
        if watcher.current.st_nlink:
            self.open()
            self.copy()

    def open(self) -> None:
        if self.watcher.current.st_nlink == 0:
            self.say("does not exist yet")
        elif not stat.S_ISREG(self.watcher.current.st_mode):
            self.say("is not a regular file")
        else:
            try:
                self.file = open(self.path, "rb")  # noqa: SIM115, it stays open
            except OSError as error:
                self.say(f"can't be read: {error.strerror}")

    def copy(self) -> None:
        """Write out what has been appended since the last time."""
        if self.file is not None and os.fstat(self.file.fileno()).st_size > self.file.tell():
            shutil.copyfileobj(self.file, self.output.begin(self.path))
            sys.stdout.flush()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None

    def say(self, what: str) -> None:
        print(f"tail: {self.path} {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Follow files as they grow.")
    parser.add_argument("paths", nargs="+", metavar="path")
    parser.add_argument("-n", "--lines", type=int, default=10, help="lines to show at first")
    parser.add_argument(
        "--interval", type=float, default=0.0, help="seconds between looks where polling is needed"
    )
    args = parser.parse_args()
    if args.lines < 0 or args.interval < 0:
        parser.error("--lines and --interval must not be negative")
    # As for other filters: when the reader of the output has gone, end without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    output = Output(headings=len(args.paths) > 1)
    with everloop.Loop() as loop:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, lambda watcher, revents: loop.stop()).start()
        followers = [Follower(loop, path, args.lines, args.interval, output) for path in args.paths]
        loop.start()
        for follower in followers:
            follower.close()


if __name__ == "__main__":
    main()
