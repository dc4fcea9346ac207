"""The wall clock is set back and forth under a loop with dates and timers.

    python -m tests.reliability.clock_run [--seconds COUNT] [--seed SEED]

runs itself with the library of shim.py, which sets the clock for that process alone: in
callbacks, between them, and by another thread while the loop waits. Dates follow it, at once;
timers do not care.
"""

import argparse
import asyncio
import math
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import everloop

from .faults_run import BACKENDS, Lost
from .shim import Faults, build, loaded_first

SELF = "tests.reliability.clock_run"
# What is due has come by then.
PATIENCE = 10.0 * float(os.environ.get("EVERLOOP_TEST_PATIENCE", "1"))
FLAGS = {"timerfd": 0, "no timerfd": everloop.EVFLAG_NOTIMERFD}


class Watched:
    """One loop, and what it is to do in time."""

    def __init__(self, loop, faults, seed):
        self.loop, self.faults = loop, faults
        self.random = random.Random(seed)
        self.jumps = self.called = self.timers = 0
        self.of_this_pass = 0
        self.off = 0.0
        self.due = {}
        self.dates = []
        for _ in range(5):
            interval = self.random.uniform(0.02, 0.2)
            offset = self.random.uniform(0.0, interval)
            self.dates.append(loop.periodic(offset, interval, self.date, interval))
        self.dates.append(loop.scheduler(self.next_tenth, self.date, 0.1))
        self.moment = loop.periodic(everloop.time() + 0.05, 0.0, self.moment_came)
        self.begin = loop.prepare(self.passing)
        self.every = loop.check(self.maybe_jump)
        self.failure = None

    def fail(self, text):
        self.failure = self.failure or Lost(text)

    def next_tenth(self, watcher, now):
        return math.floor(now * 10.0 + 1.0) / 10.0

    def maybe_jump(self, watcher, revents):
        if self.random.random() < 0.1:
            self.jump()

    def jump(self):
        self.jumps += 1
        by = self.random.choice((-1, 1)) * 10.0 ** self.random.uniform(-2, 6)
        # Up to some years off, and never before 1970.
        self.faults.set_clock(by if abs(self.off + by) < 1e8 else -self.off)
        self.off = self.off + by if abs(self.off + by) < 1e8 else 0.0

    def passing(self, watcher, revents):
        """At the begin of each pass: nothing may be due since long."""
        self.of_this_pass = self.jumps
        now = time.monotonic()
        for date in self.dates:
            if now - self.due.setdefault(date, now) > PATIENCE:
                self.fail(f"{date!r} has not been called for {now - self.due[date]} seconds")
        behind = everloop.time() - self.moment.offset
        if behind > 0.0:
            if now - self.due.setdefault(self.moment, now) > PATIENCE:
                self.fail(f"{self.moment!r} has not been called")
        else:
            self.due.pop(self.moment, None)
            if behind < -1.0:
                self.next_moment()

    def next_moment(self):
        self.due.pop(self.moment, None)
        self.moment.stop()
        self.moment.set(everloop.time() + self.random.uniform(0.0, 0.1), 0.0)
        self.moment.start()

    def date(self, watcher, revents):
        self.called += 1
        self.due[watcher] = time.monotonic()
        now = everloop.time()
        # What was due before the clock was set may come in the same pass.
        if self.jumps == self.of_this_pass and not now < watcher.at <= now + watcher.data + 0.001:
            self.fail(f"{watcher!r} is due next at {watcher.at}, and it is {now}")
        if self.random.random() < 0.05:
            self.jump()

    def moment_came(self, watcher, revents):
        self.called += 1
        if self.jumps == self.of_this_pass and everloop.time() < watcher.offset:
            self.fail(f"{watcher!r} was called {watcher.offset - everloop.time()} seconds early")
        self.next_moment()

    async def sleeps(self):
        loop = self.loop
        while True:
            due = loop.time() + self.random.uniform(0.0, 0.05)
            came = loop.create_future()
            loop.call_at(due, lambda came=came: came.done() or came.set_result(None))
            await asyncio.wait_for(came, PATIENCE)
            if loop.time() < due:
                self.fail(f"a timer was {due - loop.time()} seconds early")
            self.timers += 1

    async def run(self, seconds):
        for watcher in (*self.dates, self.moment, self.begin, self.every):
            watcher.start()
        tasks = [asyncio.create_task(self.sleeps()) for _ in range(5)]
        end = self.loop.time() + seconds
        while self.loop.time() < end and self.failure is None:
            await asyncio.sleep(0.01)
            self.loop.verify()
            for task in tasks:
                if task.done():
                    task.result()
        for task in tasks:
            task.cancel()
        for watcher in (*self.dates, self.moment, self.begin, self.every):
            watcher.stop()
        if self.failure:
            raise self.failure


def while_it_waits(faults, backend, times):
    """A loop that waits for a date that is far away is told when it has come."""
    with everloop.Loop(backend) as loop:
        for number in range(times):
            far = 1e6 + number
            if number % 2 == 0:
                came = is_told(loop, faults, far, 0.0, -1.0)
            else:
                # A regular one that is skipped does not come: the clock is set just before it, or
                # earlier if the loop was not there in time.
                came = any(is_told(loop, faults, far, 1e7, before) for before in (0.05, 0.5, 5.0))
            if not came:
                raise Lost("a date has not come though the clock was set to it")
    return times


def is_told(loop, faults, far, interval, before):
    """Whether a date that is far away comes when the clock is set to some seconds before it."""
    came = []
    at = everloop.time() + far
    at = at % interval if interval else at
    with loop.periodic(at, interval, lambda watcher, revents: came.append(watcher.stop())):
        loop.start(everloop.EVRUN_NOWAIT)
        setter = threading.Timer(0.01, faults.set_clock, [far - before])
        rescue = threading.Timer(PATIENCE, loop.stop)
        setter.start()
        rescue.start()
        loop.start()
        rescue.cancel()
        setter.join()
    faults.set_clock(before - far)
    return bool(came)


def work(options):
    """In the process with the library."""
    faults = Faults()
    for name, backend in BACKENDS.items():
        jumps = called = timers = 0
        for flags in FLAGS.values():
            loop = everloop.EventLoop(backend | flags)
            with asyncio.Runner(loop_factory=lambda loop=loop: loop) as runner:
                watched = Watched(loop, faults, options.seed)
                runner.run(watched.run(options.seconds))
            jumps += watched.jumps
            called += watched.called
            timers += watched.timers
        times = while_it_waits(faults, backend, max(2, int(5 * options.seconds)))
        print(
            f"{name}: the clock was set {jumps} times in callbacks and {times} times while the loop "
            f"waited, {called} dates, {timers} timers",
            flush=True,
        )


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="for each loop: there are six")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if "FAULTS_CLOCK" in os.environ:
        return work(options)
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | loaded_first(build(directory)) | {"FAULTS_CLOCK": "1"}
        command = [sys.executable, "-X", "faulthandler", "-m", SELF, *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
