"""Have threads do to loops of other threads whatever they may, all at once.

    python -m tests.reliability.threads_run [--seconds SECONDS] [--seed SEED]

Two loops of watchers and two of asyncio run in threads of their own; eight more threads
send, start, stop, reset, set, feed, clear, stop loops, feed signals, and have calls and
coroutines made. Each call has to be made once if it was not cancelled, each coroutine has
to end, the last of the sends has to arrive, and the loops' structures have to be in order.
"""

import argparse
import asyncio
import contextlib
import faulthandler
import os
import random
import signal
import sys
import threading
import time

import everloop
from everloop import EV_CUSTOM, EV_READ, EVBREAK_ALL, EVBREAK_ONE, Error

SELF = "tests.reliability.threads_run"
WORKERS = 8
PATIENCE = 120


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come in {PATIENCE} s")
        time.sleep(0.001)


class Runner(threading.Thread):
    """A thread that runs a loop, again and again as others stop it, until `end`."""

    def __init__(self, loop):
        super().__init__(daemon=True)
        self.loop = loop
        self.over = False
        self.failure = None
        loop.ref()
        self.watchers = Watchers(loop)

    def run(self):
        try:
            while not self.over:
                self.run_once()
                self.loop.verify()
        except BaseException as error:
            self.failure = error
            raise

    def run_once(self):
        self.loop.start()

    def end(self):
        self.over = True
        # The loop may just not have begun to run again, which takes a stop back.
        while self.is_alive():
            self.loop.stop(EVBREAK_ALL)
            self.join(0.01)
        assert self.failure is None
        self.loop.verify()
        self.watchers.close()
        self.loop.close()

    def act(self, chance):
        self.watchers.act(chance)


class Watchers:
    """Of each kind that other threads may start and stop; shared by all threads."""

    def __init__(self, loop):
        self.loop = loop
        self.counts = {}
        self.reading, self.writing = os.pipe()
        os.write(self.writing, b"x")
        self.ios = [loop.io(self.reading, EV_READ, self.stop_it) for _ in range(3)]
        self.timers = [loop.timer(0.001, every, self.note) for every in (0, 0.001, 0.01)]
        self.others = [
            loop.periodic(0, 0.001, self.note),
            loop.idle(self.stop_it),
            loop.prepare(self.note),
            loop.check(self.note),
            loop.fork(self.note),
            loop.stat("/", 0.1, self.note),
        ]
        self.scheduler = loop.scheduler(lambda watcher, now: now + 0.001, self.note)
        self.sent = [loop.async_(self.note) for _ in range(2)]
        self.answer = loop.async_(self.note)
        self.answer.start()
        self.all = [*self.ios, *self.timers, *self.others, *self.sent]

    def note(self, watcher, revents):
        self.counts[watcher] = self.counts.get(watcher, 0) + 1

    def stop_it(self, watcher, revents):
        self.note(watcher, revents)
        watcher.stop()

    def act(self, chance):
        # A Scheduler can't be started while another thread is in its reschedule callback.
        with contextlib.suppress(Error):
            self.do(chance, chance.choice([*self.all, self.scheduler]))
        self.do(chance, chance.choice(self.all))

    def do(self, chance, watcher):
        action = chance.randrange(12)
        if action < 4:
            watcher.start()
        elif action < 6:
            watcher.stop()
        elif action == 6:
            watcher.feed(EV_CUSTOM)
        elif action == 7:
            watcher.clear()
        elif action == 8:
            watcher.data, watcher.callback = object(), watcher.callback
            repr(watcher.data)
        elif action == 9:
            chance.choice(self.sent).send()
        elif action == 10:
            timer = chance.choice(self.timers)
            timer.reset()
            with contextlib.suppress(Error):  # it is active
                timer.set(0.002, chance.choice((0, 0.001)))
        else:
            self.loop.io(self.reading, EV_READ, self.stop_it).start()
            self.loop.timer(0, 0, self.note).start()
            assert watcher.remaining >= -PATIENCE if watcher in self.timers else repr(watcher)

    def check_send(self):
        """What is sent when nobody disturbs it arrives."""
        before = self.counts.get(self.answer, 0)
        self.answer.send()
        wait_for(lambda: self.counts.get(self.answer, 0) > before, "a send")

    def close(self):
        os.close(self.reading)
        os.close(self.writing)


class WatcherRunner(Runner):
    """A Loop."""

    def act(self, chance):
        super().act(chance)
        if chance.random() < 0.01:
            self.loop.stop(chance.choice((EVBREAK_ONE, EVBREAK_ALL)))

    def check(self):
        self.watchers.check_send()


class SignalRunner(WatcherRunner):
    """The one that has a signal, too."""

    def __init__(self, loop):
        super().__init__(loop)
        self.arrived = 0
        self.signal = loop.signal(signal.SIGUSR1, self.on_signal)
        self.signal.start()

    def on_signal(self, watcher, revents):
        self.arrived += 1

    def act(self, chance):
        super().act(chance)
        if chance.random() < 0.05:
            everloop.feed_signal(signal.SIGUSR1)
        elif chance.random() < 0.01:
            self.signal.stop()
            self.signal.start()

    def check(self):
        super().check()
        before = self.arrived
        everloop.feed_signal(signal.SIGUSR1)
        wait_for(lambda: self.arrived > before, "a signal")


class EventRunner(Runner):
    """An EventLoop."""

    def __init__(self, loop):
        super().__init__(loop)
        self.lock = threading.Lock()
        self.asked = 0
        self.made = 0
        self.cancelled = 0
        self.futures = []

    def run_once(self):
        self.loop.run_forever()

    def call(self):
        self.made += 1

    async def coroutine(self, number):
        await asyncio.sleep(0.0005 * (number % 3))
        return number

    def act(self, chance):
        action = chance.randrange(5)
        if action == 0:
            super().act(chance)
        elif action < 3:
            handle = self.loop.call_soon_threadsafe(self.call)
            with self.lock:
                self.asked += 1
            if chance.random() < 0.1:
                self.cancel(handle)
        elif action == 3:
            number = chance.randrange(1000)
            future = asyncio.run_coroutine_threadsafe(self.coroutine(number), self.loop)
            with self.lock:
                self.futures.append((number, future))
        elif chance.random() < 0.02:
            self.loop.call_soon_threadsafe(self.loop.stop)
        else:
            assert self.loop.is_running() in (True, False)

    def cancel(self, handle):
        """Its call has been made, or will not be: it can't tell which."""
        called = []
        other = self.loop.call_soon_threadsafe(called.append, True)
        other.cancel()
        assert other.cancelled()
        at_once = list(called)
        time.sleep(0)
        assert called == at_once
        assert not handle.cancelled()

    def check(self):
        wait_for(lambda: self.made == self.asked, "a call")
        for number, future in self.futures:
            assert future.result(PATIENCE) == number
        self.watchers.check_send()


def work(runners, seed, deadline, failures):
    chance = random.Random(seed)
    try:
        while time.monotonic() < deadline and not failures:
            for _ in range(20):
                chance.choice(runners).act(chance)
            # Not more than the loops can take.
            time.sleep(chance.choice((0, 0.0005)))
    except BaseException as error:
        failures.append(error)
        raise


def run(seconds, seed):
    loops = [everloop.Loop(), everloop.Loop(), everloop.EventLoop(), everloop.EventLoop()]
    kinds = (SignalRunner, WatcherRunner, EventRunner, EventRunner)
    runners = [kind(loop) for kind, loop in zip(kinds, loops, strict=True)]
    for runner in runners:
        runner.start()
    failures = []
    deadline = time.monotonic() + seconds
    workers = [
        threading.Thread(target=work, args=(runners, seed + n, deadline, failures), daemon=True)
        for n in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    for runner in runners:
        runner.check()
    for runner in runners:
        runner.end()
    return sum(runner.made for runner in runners[2:])


def main():
    parser = argparse.ArgumentParser(prog=f"python -m {SELF}", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    faulthandler.dump_traceback_later(options.seconds + 2 * PATIENCE, exit=True)
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    made = run(options.seconds, options.seed)
    print(f"{WORKERS} threads, 4 loops, {'with' if gil else 'without'} the GIL: {made} calls made")


if __name__ == "__main__":
    main()
