"""Storms of signals in every phase of the loop, and stops of the whole process.

    python -m tests.reliability.signals_run [--seconds COUNT] [--seed SEED]

A process that does everything at once is sent signals by another one, without a pause, stopped
and continued; its own callbacks of every kind send it more. Each signal that was sent is seen,
connections lose nothing, and children that are stopped and continued are told of.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import everloop
from everloop import EV_READ, EVRUN_NOWAIT

from .faults_run import BACKENDS, WORKS, Lost, make_certificate, reported

SELF = "tests.reliability.signals_run"
PATIENCE = 20.0 * float(os.environ.get("EVERLOOP_TEST_PATIENCE", "1"))
# Those of watchers, and those of asyncio's handlers. SIGUSR1 is left to the works.
WATCHED = (signal.SIGUSR2, signal.SIGURG)
HANDLED = (signal.SIGHUP, signal.SIGWINCH, signal.SIGIO)
STORM = (*WATCHED, *HANDLED)


class Storm:
    """One loop, all that it does, and the signals that it was sent."""

    def __init__(self, loop, seed):
        self.loop = loop
        self.random = random.Random(seed)
        self.seen = dict.fromkeys(STORM, 0)
        self.sent = {}
        self.over = False
        self.alarms = self.phases = self.works = self.stops = 0
        # Only the default loop traces children.
        self.inner = everloop.default_loop(everloop.EVBACKEND_EPOLL)
        self.pairs = [socket.socketpair() for _ in range(3)]
        for pair in self.pairs:
            for sock in pair:
                sock.setblocking(False)

    def watchers(self):
        loop, phase = self.loop, self.phase
        return [
            *[loop.signal(number, self.signalled, number) for number in WATCHED],
            *[loop.io(one, EV_READ, self.echo, one) for one, _ in self.pairs],
            loop.prepare(phase),
            loop.check(phase),
            loop.fork(phase),
            loop.timer(0.0, 0.002, self.ticking),
            loop.periodic(0.0, 0.003, phase),
            loop.scheduler(lambda watcher, now: now + 0.003, phase),
            loop.stat("/proc/self", 0.1, phase),
            loop.embed(self.inner),
            self.inner.timer(0.0, 0.004, phase),
        ]

    def phase(self, watcher, revents):
        self.phases += 1
        if self.random.random() < 0.3:
            self.send()

    def send(self):
        if self.over:
            return
        number = self.random.choice(STORM)
        self.sent.setdefault(number, time.monotonic())
        os.kill(os.getpid(), number)

    def signalled(self, watcher, revents):
        self.arrived(watcher.data)

    def arrived(self, number):
        self.seen[number] += 1
        self.sent.pop(number, None)
        if self.random.random() < 0.3:
            self.send()

    def echo(self, watcher, revents):
        self.phase(watcher, revents)
        with contextlib.suppress(BlockingIOError):
            watcher.data.send(watcher.data.recv(100))

    def ticking(self, watcher, revents):
        self.phase(watcher, revents)
        for _, other in self.pairs:
            with contextlib.suppress(BlockingIOError):
                other.recv(100)
                other.send(b"x")
        chance = self.random.random()
        if chance < 0.02:
            self.loop.reset()
        elif chance < 0.04:
            self.loop.verify()
        elif chance < 0.06:
            self.idle.start()
        elif chance < 0.08:
            self.asynchronous.send()
        elif chance < 0.1 and self.loop.depth < 3:
            self.loop.start(EVRUN_NOWAIT)

    def idling(self, watcher, revents):
        watcher.stop()
        self.phase(watcher, revents)

    def check(self):
        for number, since in self.sent.items():
            if time.monotonic() - since > PATIENCE:
                raise Lost(f"{number!r} was sent and did not come")
        if reported:
            raise reported[0]

    async def stopped_children(self):
        """A child that is stopped and continued: each change is told, and then its end."""
        child = subprocess.Popen(["/bin/sleep", "1000"])
        changes = asyncio.Queue()
        watcher = self.inner.child(child.pid, True, lambda w, e: changes.put_nowait(w.rstatus))
        watcher.start()
        try:
            while not self.over:
                for number, changed in (
                    (signal.SIGSTOP, os.WIFSTOPPED),
                    (signal.SIGCONT, os.WIFCONTINUED),
                ):
                    child.send_signal(number)
                    status = await asyncio.wait_for(changes.get(), PATIENCE)
                    if not changed(status):
                        raise Lost(f"{number!r} was told of as status {status:#x}")
                    self.stops += 1
                await asyncio.sleep(0.005)
        finally:
            child.kill()
            while not os.WIFSIGNALED(await asyncio.wait_for(changes.get(), PATIENCE)):
                pass
            watcher.stop()
            child.returncode = -signal.SIGKILL

    async def sent_by_threads(self):
        while not self.over:
            thread = threading.Thread(target=self.from_a_thread)
            thread.start()
            try:
                await asyncio.sleep(0.01)
            finally:
                thread.join()

    def from_a_thread(self):
        for _ in range(20):
            os.kill(os.getpid(), self.random.choice(STORM))
            self.asynchronous.send()

    async def working(self, name):
        while not self.over:
            for told in await WORKS[name]():
                if told is not None:
                    raise told
            self.works += 1

    def alarm(self, *arguments):
        self.alarms += 1

    async def run(self):
        watchers = self.watchers()
        self.idle = self.loop.idle(self.idling)
        self.asynchronous = self.loop.async_(self.phase)
        for watcher in (*watchers, self.asynchronous):
            watcher.start()
        for number in HANDLED:
            self.loop.add_signal_handler(number, self.arrived, number)
        signal.signal(signal.SIGALRM, self.alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for _, other in self.pairs:
            other.send(b"x")
        tasks = [asyncio.create_task(self.working(name)) for name in WORKS]
        tasks += [asyncio.create_task(self.stopped_children())]
        tasks += [asyncio.create_task(self.sent_by_threads())]
        print("ready", flush=True)
        over = self.loop.run_in_executor(None, sys.stdin.readline)
        while not over.done():
            done, _ = await asyncio.wait(tasks, timeout=0.1)
            for task in done:
                task.result()
            self.check()
        self.over = True
        _, left = await asyncio.wait(tasks, timeout=3 * PATIENCE)
        if left:
            raise Lost(f"have not ended: {left}")
        for task in tasks:
            task.result()
        await self.last_of_each()
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for watcher in (*watchers, self.asynchronous, self.idle):
            watcher.stop()

    async def last_of_each(self):
        """The one that comes last is not lost either."""
        before = dict(self.seen)
        for number in STORM:
            os.kill(os.getpid(), number)
        end = time.monotonic() + PATIENCE
        while any(self.seen[number] == before[number] for number in STORM):
            await asyncio.sleep(0.01)
            if time.monotonic() > end:
                raise Lost(f"of the last signals, seen are {self.seen}, after {before}")

    def close(self):
        self.inner.close()
        for pair in self.pairs:
            for sock in pair:
                sock.close()


def stormed(options):
    """In the process that is sent the signals."""
    # What comes before there are handlers, or when they are gone, is let through.
    for number in STORM:
        signal.signal(number, lambda *arguments: None)
    loop = everloop.EventLoop(BACKENDS[options.stormed])
    loop.set_exception_handler(lambda _, context: reported.append(Lost(f"{context}")))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        storm = Storm(loop, options.seed)
        runner.run(storm.run())
        loop.verify()
        seen = sum(storm.seen.values())
        print(
            f"{seen} signals seen, {storm.alarms} alarms, {storm.phases} callbacks in their midst, "
            f"{storm.works} exchanges, {storm.stops} stops of a child",
            flush=True,
        )
        storm.close()
    return 0


def besiege(process, generator, seconds):
    """Send signals; returns how many, and how often the process was stopped.

    With pauses: a process that gets them faster than Python's handlers run does nothing else.
    """
    sent = stops = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        for _ in range(generator.randrange(1, 100)):
            process.send_signal(generator.choice(STORM))
            sent += 1
        if generator.random() < 0.05:
            process.send_signal(signal.SIGSTOP)
            time.sleep(generator.random() / 50)
            process.send_signal(signal.SIGCONT)
            stops += 1
        time.sleep(generator.random() / 50)
    return sent, stops


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0, help="for each backend")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS))
    parser.add_argument("--stormed", help="the backend, in the process that is sent signals")
    options = parser.parse_args(arguments)
    if options.stormed:
        return stormed(options)
    with tempfile.TemporaryDirectory() as directory:
        certificate = os.path.join(directory, "certificate.pem")
        make_certificate(certificate)
        for backend in options.backends:
            command = [sys.executable, "-X", "faulthandler", "-m", SELF, "--stormed", backend]
            command += ["--seed", str(options.seed)]
            environment = os.environ | {"FAULTS_CERTIFICATE": certificate}
            with subprocess.Popen(
                command, env=environment, stdin=-1, stdout=-1, text=True
            ) as process:
                if process.stdout.readline() != "ready\n":
                    return 1
                sent, stops = besiege(process, random.Random(options.seed), options.seconds)
                told, _ = process.communicate("\n")
            if process.returncode:
                print(f"{backend}: status {process.returncode}, {told}", flush=True)
                return 1
            print(f"{backend}: {sent} signals sent, {stops} stops; {told.strip()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
