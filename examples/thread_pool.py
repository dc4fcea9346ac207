"""Prints the SHA-256 digests of files, worked out by a pool of threads.

Shows an Async watcher: threads put their results in a queue and call send(), which wakes
the loop. All callbacks run in the loop's thread, so they need no locks, and the loop stays
free for other things, here a timer that reports progress.

    python examples/thread_pool.py --threads 4 *.iso

Ctrl-C or SIGTERM ends it early. The exit status is 1 if a file could not be read.
"""

import argparse
import concurrent.futures
import functools
import hashlib
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import everloop

CHUNK = 1024 * 1024


class ThreadPool:
    """Runs functions in threads, and callbacks with their results in the loop."""

    def __init__(self, loop: everloop.Loop, threads: int) -> None:
        self.executor = concurrent.futures.ThreadPoolExecutor(threads)
        self.done: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self.wakeup = loop.async_(self.on_wakeup)
        self.wakeup.start()
        self.unfinished = 0

    def submit(
        self,
        callback: Callable[[concurrent.futures.Future[Any]], object],
        function: Callable[..., object],
        *args: object,
    ) -> None:
        """Call function(*args) in a thread, then callback(future) in the loop."""

        def on_done(future: concurrent.futures.Future[Any]) -> None:
            # In the worker's thread: queue first, then wake the loop.
            self.done.put(functools.partial(callback, future))
            self.wakeup.send()

        self.unfinished += 1
        self.executor.submit(function, *args).add_done_callback(on_done)

    def on_wakeup(self, watcher: everloop.Async, revents: int) -> None:
        # Several sends may have made one call: take all that is there.
        while not self.done.empty():
            callback = self.done.get()
            self.unfinished -= 1
            callback()

    def close(self) -> None:
        """Wait for the threads; what they have not begun is dropped."""
        self.executor.shutdown(cancel_futures=True)
        self.wakeup.stop()


class Digests:
    """The program itself: a digest for each path."""

    def __init__(self, loop: everloop.Loop, pool: ThreadPool, paths: list[str]) -> None:
        self.loop = loop
        self.pool = pool
        self.failed = False
        self.stopping = threading.Event()
        for path in paths:
            pool.submit(functools.partial(self.on_digest, path), self.digest, path)

    def digest(self, path: str) -> str:
        """Runs in a thread of the pool."""
        sha256 = hashlib.sha256()
        with open(path, "rb") as file:
            # A thread can't be ended from outside, so it has to look whether it should.
            while not self.stopping.is_set() and (chunk := file.read(CHUNK)):
                sha256.update(chunk)
        return sha256.hexdigest()

    def on_digest(self, path: str, future: concurrent.futures.Future[str]) -> None:
        try:
            print(f"{future.result()}  {path}", flush=True)
        except OSError as error:
            print(f"{path}: {error.strerror}", file=sys.stderr)
            self.failed = True
        if self.pool.unfinished == 0:
            self.loop.stop()

    def on_progress(self, watcher: everloop.Timer, revents: int) -> None:
        print(f"{self.pool.unfinished} to go", file=sys.stderr)

    def on_signal(self, watcher: everloop.Signal, revents: int) -> None:
        self.stopping.set()
        self.loop.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the SHA-256 digests of files.")
    parser.add_argument("paths", nargs="+", metavar="path")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--progress", type=float, default=1.0, help="seconds between reports")
    args = parser.parse_args()
    if args.threads < 1 or args.progress <= 0:
        parser.error("--threads and --progress must be more than 0")
    with everloop.Loop() as loop:
        pool = ThreadPool(loop, args.threads)
        digests = Digests(loop, pool, args.paths)
        loop.timer(args.progress, args.progress, digests.on_progress).start()
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.signal(signum, digests.on_signal).start()
        loop.start()
        pool.close()
    if digests.stopping.is_set():
        raise SystemExit("interrupted")
    raise SystemExit(1 if digests.failed else 0)


if __name__ == "__main__":
    main()
