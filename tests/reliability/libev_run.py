"""The random programs of model_run.py, on libev itself and on everloop: the same calls, in order.

    python -m tests.reliability.libev_run [--first SEED] [--programs COUNT] [--steps COUNT]

ends at the first difference, with the seed and the operations that led to it on everloop and on
libev. Where libev is not to be had, it says so. What a program could tell libev by, for it is
everloop's by design or libev's by chance, is left out: the methods of Same say what and why.
"""

import argparse
import fcntl
import itertools
import os
import socket
import subprocess
import sys
import tempfile

from . import libev
from .model_run import BACKENDS, Difference, Program

SELF = "tests.reliability.libev_run"
FIRST_NUMBER = 500


class Same(Program):
    """A program that has one meaning only, and notes what is called."""

    def __init__(self, seed, backend):
        super().__init__(seed, backend)
        self.backend, self.resetting = backend, False
        # libev makes what wakes a loop with its first Async, and anew after a fork; that, not the
        # callback, is what a program could tell. So there is always one.
        self.waker = self.loop.async_(lambda *_: None, None, -2)
        self.waker.start()
        self.loop.unref()

    def called(self, watcher, revents):
        fd = f", fd {watcher.data.fd}" if watcher.data.kind == "io" else ""
        self.done.append(f"{watcher.data.kind}: {revents:#x}{fd}, {watcher.data.priority}")
        super().called(watcher, revents)

    def outside_pass(self):
        """libev expects that time has passed since the last time it looked."""
        self.advance(1e-6)
        super().outside_pass()
        if not self.depth:
            self.resetting = False

    outside_pass_again = outside_pass_and_again = outside_pass

    def times(self, state):
        """No two are due at the same time, whose order is none, or at once.

        What is due at once libev calls a pass later if no time has passed meanwhile.
        """
        super().times(state)
        state.rest += self.random.randrange(2, 1_000_000) * 1e-9
        state.repeat = self.unique(state.repeat)
        return state.rest, state.repeat

    def unique(self, repeat):
        return repeat and repeat + self.random.randrange(1_000_000) * 1e-9

    def do_repeat(self):
        watcher, state = self.watcher("timer")
        if watcher:
            watcher.repeat = state.repeat = self.unique(self.random.choice((0.0, 0.5, 2.0)))

    def dates(self, state):
        """No two have the same date, either."""
        super().dates(state)
        state.offset += self.random.randrange(1_000_000) * 1e-7 + 5e-8
        return state.offset, state.interval

    def outside_kill(self):
        """libev calls for a signal that arrived before its only watcher was stopped and started."""
        if not self.model.reset_requested:
            super().outside_kill()
            while self.model.signals:
                self.outside_pass()

    def may_reset(self):
        """libev is awake after a reset: that holds back Idles, and comes before all descriptors.

        And it goes on with the array that poll(2) takes, where everloop makes another.
        """
        return self.backend != "poll" and not any(state.sent for state in self.model.states)

    def do_reset_loop(self):
        """For one that comes after they are due in a pass, libev calls no Forks."""
        if not self.depth and self.may_reset() and self.random.random() < 0.3:
            self.forked()

    def forked(self):
        self.loop.reset()
        self.model.reset_requested = self.resetting = True
        self.waker.send()
        self.model.wakeup = True

    def outside_fork(self):
        if self.may_reset():
            super().outside_fork()

    def do_nested_start(self):
        """libev calls Forks again in what they start."""
        if not self.resetting:
            super().do_nested_start()

    def do_stop_loop(self):
        """libev calls Forks again if they or a Prepare stop it."""
        if not self.resetting:
            super().do_stop_loop()

    def outside_send(self):
        """libev wakes up, which holds back Idles, for one that is not active, too."""
        watcher, state = self.watcher("async")
        if watcher and state.active and not self.model.reset_requested:
            watcher.send()
            self.model.send(state)

    def placed(self, sock):
        """At the same number in both: those that are ready at once come by number."""
        with sock:
            return socket.socket(fileno=fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, FIRST_NUMBER))

    def replaced(self, fd):
        """libev has to be told, by set()."""
        for watcher, state in zip(self.watchers, self.model.states, strict=True):
            if state.kind == "io" and state.fd == fd:
                watcher.set(fd, state.events)

    def compare_order(self):
        active = [each.data for each in self.loop.watchers if each is not self.waker]
        if active != self.model.active():
            raise Difference(f"other watchers are active: {self.loop.watchers}")


class OnLibev(Same):
    def new_loop(self, flags):
        return libev.Loop(flags)

    def compare_order(self):
        """libev does not tell it."""


def run_on(kind, seed, backend, steps):
    """What was done and called, and how it ended."""
    program = kind(seed, backend)
    try:
        program.run(steps)
    except BaseException as error:
        return [*program.done, repr(error)]
    return [*program.done, "agrees with the model"]


def run_both(seed, backend, steps):
    everloops, libevs = (run_on(kind, seed, backend, steps) for kind in (Same, OnLibev))
    if everloops == libevs and libevs[-1] == "agrees with the model":
        return
    both = list(itertools.zip_longest(everloops, libevs, fillvalue=""))
    at = next((at for at, (one, other) in enumerate(both) if one != other), len(both))
    lines = [f"{one:50} {other}" for one, other in [*both[max(at - 60, 0) : at + 10], both[-1]]]
    trace = "\n".join([f"{'everloop':50} libev", *lines])
    raise Difference(f"seed {seed}, {backend}:\n{trace}")


def main(arguments):
    if (missing := libev.missing()) is not None:
        print(f"not run: it needs {missing}")
        return 0
    if "LIBEV_MODULE" not in os.environ:
        with tempfile.TemporaryDirectory() as directory:
            environment = os.environ | libev.build(directory)
            command = [sys.executable, "-X", "faulthandler", "-m", SELF, *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args(arguments)
    for seed in range(options.first, options.first + options.programs):
        for backend in BACKENDS:
            run_both(f"{seed}", backend, options.steps)
    steps = options.programs * options.steps * len(BACKENDS)
    print(f"{steps} steps without a difference between everloop and libev")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
