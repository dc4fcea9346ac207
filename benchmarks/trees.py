"""Trees of files: everloop's Tree beside watchfiles and watchdog, each in a process of its own.

    pip install -r requirements/bench.txt
    python -m benchmarks.trees [--peers everloop,watchfiles,watchdog] [--changes N]

A storm: a process makes and deletes files as fast as it can, a hundred directories full. What is
counted is the changes that the peer told, the files whose last state it told rightly (each of
them is gone in the end or not), and the CPU time that it took. Then the latency of single
changes: from before a file is made until the peer tells of it.
"""

import argparse
import asyncio
import importlib
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

PEERS = ("everloop", "watchfiles", "watchdog")
SELF = "benchmarks.trees"
DIRECTORIES = 100
SINGLE = 200  # changes whose latency is measured
QUIET = 2.0  # seconds without news after which a storm is over

# Called with each change: whether the path is there now, and the path.
Told = Callable[[bool, str], None]


def everloop_peer(root: str, told: Told) -> Callable[[], None]:
    everloop = importlib.import_module("everloop")
    loop = everloop.Loop()

    def changed(tree: Any, revents: int) -> None:
        for change in tree.changes():
            told(change.kind != "deleted", change.path)

    loop.tree(root, changed).start()
    return lambda: loop.start() and None


def watchfiles_peer(root: str, told: Told) -> Callable[[], None]:
    watchfiles = importlib.import_module("watchfiles")

    async def watch() -> None:
        changes = watchfiles.awatch(root, debounce=50, step=5, watch_filter=None)
        async for batch in changes:
            # A set tells no order: here nothing is made again that was deleted.
            for kind, path in sorted(batch):
                told(kind != watchfiles.Change.deleted, path)

    return lambda: asyncio.run(watch())


def watchdog_peer(root: str, told: Told) -> Callable[[], None]:
    events = importlib.import_module("watchdog.events")
    observers = importlib.import_module("watchdog.observers")

    def on_any_event(handler: object, event: Any) -> None:
        if event.event_type in ("created", "modified", "closed", "deleted"):
            told(event.event_type != "deleted", event.src_path)

    handler = type("Handler", (events.FileSystemEventHandler,), {"on_any_event": on_any_event})
    observer = observers.Observer()
    observer.schedule(handler(), root, recursive=True)
    observer.start()
    return observer.join


def storm(root: str, changes: int) -> set[str]:
    """Make files, and delete every other one; returns those that are left."""
    left = set()
    for number in range(changes * 2 // 3):
        path = f"{root}/{number % DIRECTORIES}/{number}"
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY))
        if number % 2:
            os.unlink(path)
        else:
            left.add(path)
    return left


def measure(peer: str, changes: int) -> dict[str, float]:
    """In the process of one peer."""
    with tempfile.TemporaryDirectory() as root:
        for number in range(DIRECTORIES):
            os.mkdir(f"{root}/{number}")
        there: dict[str, bool] = {}
        count = 0
        latest = time.monotonic()
        single = threading.Event()

        def told(present: bool, path: str) -> None:
            nonlocal count, latest
            count += 1
            latest = time.monotonic()
            there[path] = present
            if os.path.basename(path).startswith("single"):
                single.set()

        run = globals()[f"{peer}_peer"](root, told)
        threading.Thread(target=run, daemon=True).start()
        time.sleep(1)
        latencies = []
        for number in range(SINGLE):
            single.clear()
            began = time.perf_counter()
            os.close(os.open(f"{root}/1/single{number}", os.O_CREAT | os.O_RDONLY))
            if single.wait(5):
                latencies.append(time.perf_counter() - began)
            time.sleep(0.01)
        count = 0
        before = time.process_time()
        command = [sys.executable, "-m", SELF, "--storm", root, "--changes", str(changes)]
        left = set(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.split())
        while time.monotonic() - latest < QUIET:
            time.sleep(0.1)
        used = time.process_time() - before
        names = (f"{root}/{n % DIRECTORIES}/{n}" for n in range(changes * 2 // 3))
        wrong = sum(there.get(path, False) != (path.encode() in left) for path in names)
        latencies.sort()
        return {
            "told": count,
            "wrong": wrong,
            "CPU": used,
            "median": statistics.median(latencies) * 1e3,
            "p99": latencies[int(len(latencies) * 0.99)] * 1e3,
        }


def version(peer: str) -> str:
    return str(getattr(importlib.import_module(peer), "__version__", "")) or (
        importlib.metadata.version(peer)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--storm", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.storm:
        print("\n".join(storm(args.storm, args.changes)))
        return
    if args.measure:
        print(json.dumps(measure(args.measure, args.changes)), flush=True)
        os._exit(0)  # whatever threads the peer has
    print(f"| | changes told of {args.changes} | files told wrongly | CPU s | median ms | p99 ms |")
    print("|---|---|---|---|---|---|")
    for peer in args.peers.split(","):
        command = [sys.executable, "-m", SELF, "--measure", peer, "--changes", str(args.changes)]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(
            f"| {peer} {version(peer)} | {row['told']} | {row['wrong']} "
            f"| {row['CPU']:.2f} | {row['median']:.2f} | {row['p99']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
