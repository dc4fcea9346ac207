"""Random programs of all operations on watchers, on a Loop and on the model of it.

    python -m tests.reliability.model_run [--first SEED] [--programs COUNT] [--steps COUNT]

ends at the first difference, with the seed and the operations that led to it.
"""

import argparse
import contextlib
import gc
import math
import os
import random
import select
import signal
import socket
import sys

import everloop
from everloop import (
    EV_CUSTOM,
    EV_READ,
    EV_WRITE,
    EVBACKEND_EPOLL,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
    EVBREAK_ALL,
    EVBREAK_ONE,
    EVRUN_NOWAIT,
)

from .model import IO_EVENTS, NANO, Difference, Model, State

BACKENDS = {"epoll": EVBACKEND_EPOLL, "poll": EVBACKEND_POLL, "select": EVBACKEND_SELECT}
KINDS = ("io", "io", "timer", "timer", "idle", "prepare", "check", "fork", "async")
KINDS = (*KINDS, "io", "timer", "periodic", "scheduler", "signal")
# These become pending in the middle of a round.
SUDDEN = ("async", "signal")
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
# Operations in callbacks of one step: enough to meet, too few to go on for ever.
WITHIN = 60


class Raised(Exception):
    """Raised by a callback on purpose."""


class Program:
    """One random program. Each method named do_... is an operation."""

    def __init__(self, seed, backend):
        self.random = random.Random(seed)
        self.loop = self.new_loop(BACKENDS[backend])
        self.model = Model(1000 * NANO, self.ready)
        self.watchers, self.sockets, self.done = [], [], []
        self.failure = None
        self.killed = False
        self.within = self.raised = self.reported = self.depth = 0
        self.operations = [name for name in dir(self) if name.startswith("do_")]
        self.outside = [name for name in dir(self) if name.startswith("outside_")]
        for _ in range(3):
            self.outside_pair()

    def new_loop(self, flags):
        loop = everloop.Loop(flags)
        loop.clock = everloop.ManualClock(1000.0, 1000.0)
        loop.update()
        return loop

    def run(self, steps):
        hook, sys.unraisablehook = sys.unraisablehook, self.report
        try:
            for _ in range(steps):
                self.step()
            self.loop.close()
            if any(watcher.active or watcher.pending for watcher in self.watchers):
                raise Difference("active or pending after close()")
        finally:
            sys.unraisablehook = hook
            self.loop.close()
            for sock in self.sockets:
                sock.close()

    def report(self, report):
        if report.exc_type is Raised:
            self.reported += 1
        else:
            self.failure = self.failure or report.exc_value

    def step(self):
        self.within = WITHIN
        self.operate(self.random.choice([*self.operations, *self.outside, "outside_pass"]))
        self.loop.verify()
        if self.failure:
            raise self.failure
        if self.raised != self.reported:
            raise Difference(f"{self.raised} exceptions, {self.reported} reported")
        self.compare(also_sudden=True)

    def operate(self, name):
        self.done.append("  " * self.depth + name)
        getattr(self, name)()

    def compare(self, also_sudden=False):
        """The state of every watcher."""
        for watcher, state in zip(self.watchers, self.model.states, strict=True):
            if watcher.active != state.active:
                raise Difference(f"{watcher!r} is active: {watcher.active}")
            if bool(state.pending) != watcher.pending and (also_sudden or state.kind not in SUDDEN):
                raise Difference(f"{watcher!r} is pending: {watcher.pending}")
        self.compare_order()

    def compare_order(self):
        if [each.data for each in self.loop.watchers] != self.model.active():
            raise Difference(f"other watchers are active: {self.loop.watchers}")

    # Callbacks

    def called(self, watcher, revents):
        state = watcher.data
        self.done.append("  " * self.depth + f"called {self.model.states.index(state)}")
        self.depth += 1
        try:
            if self.invoked is state:
                self.invoked = None
            else:
                self.model.called(state, revents)
            self.compare()
            if self.failure is None:
                self.react()
        except Raised:
            raise
        except BaseException as error:
            self.failure = self.failure or error
        finally:
            self.depth -= 1

    invoked = None

    def react(self):
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2))):
            if self.within:
                self.within -= 1
                self.operate(self.random.choice(self.operations))
                self.compare()
        if self.random.random() < 0.05:
            self.raised += 1
            raise Raised

    # What operations are about

    def ready(self, fd):
        poll = select.poll()
        poll.register(fd, select.POLLIN | select.POLLOUT)
        bits = dict(poll.poll(0)).get(fd, 0)
        other = select.POLLHUP | select.POLLERR
        return (EV_READ if bits & (select.POLLIN | other) else 0) | (
            EV_WRITE if bits & (select.POLLOUT | other) else 0
        )

    def watcher(self, *kinds):
        """Some watcher and its state, of one of these kinds; None, None if there is none."""
        places = [
            place
            for place, state in enumerate(self.model.states)
            if (not kinds or state.kind in kinds) and self.within_reach(state)
        ]
        if not places:
            return None, None
        place = self.random.choice(places)
        return self.watchers[place], self.model.states[place]

    def within_reach(self, state):
        """A signal comes to those that are active in the middle of a round, which is not seen."""
        return not (state.kind == "signal" and self.depth and self.killed)

    def refused(self, call, *arguments):
        """The call has to raise Error."""
        try:
            call(*arguments)
        except everloop.Error:
            return
        raise Difference(f"{call} did not raise Error")

    # Operations that callbacks make, too

    def do_make(self):
        if len(self.watchers) >= 40:
            return
        state = State(self.random.choice(KINDS), self.random.randint(-2, 2))
        arguments = ()
        if state.kind == "io":
            state.fd = self.random.choice(self.sockets).fileno()
            state.events = self.random.choice(IO_EVENTS)
            arguments = (state.fd, state.events)
        if state.kind == "timer":
            arguments = self.times(state)
        if state.kind == "periodic":
            arguments = self.dates(state)
        if state.kind == "scheduler":
            self.dates(state)
            state.offset = state.offset % 1.0
            arguments = (self.reschedule,)
        if state.kind == "signal":
            state.signum = self.random.choice(SIGNALS)
            arguments = (state.signum,)
        make = getattr(self.loop, state.kind if state.kind != "async" else "async_")
        self.watchers.append(make(*arguments, self.called, state, state.priority))
        self.model.states.append(state)

    def times(self, state):
        state.rest = self.random.choice((0.0, 0.0, 0.5, 1.0, 2.5))
        state.repeat = self.random.choice((0.0, 0.0, 0.5, 2.0))
        return state.rest, state.repeat

    def dates(self, state):
        state.interval = self.random.choice((0.0, 1.0, 2.5))
        state.offset = 0.25
        if not state.interval:
            state.offset += self.model.now // NANO + self.random.choice((-1.0, 0.5, 1.0, 3.0))
        return state.offset, state.interval

    def reschedule(self, watcher, now):
        return math.floor(now) + 1.0 + watcher.data.offset

    def do_start(self):
        watcher, state = self.watcher()
        if watcher:
            watcher.start()
            self.model.start(state)

    def do_stop(self):
        watcher, state = self.watcher()
        if watcher:
            watcher.stop()
            self.model.stop(state)

    do_start_more = do_start_even_more = do_start

    def do_stop_and_start(self):
        watcher, state = self.watcher()
        if watcher:
            watcher.stop()
            self.model.stop(state)
            watcher.start()
            self.model.start(state)

    def do_priority(self):
        watcher, state = self.watcher()
        if not watcher or (state.kind in SUDDEN and self.depth):
            return
        priority = self.random.randint(-2, 2)
        if state.active or state.pending:
            self.refused(setattr, watcher, "priority", priority)
        else:
            watcher.priority = state.priority = priority

    def do_feed(self):
        watcher, state = self.watcher()
        if watcher and not (state.kind in SUDDEN and self.depth):
            watcher.feed(EV_CUSTOM)
            self.model.feed(state, EV_CUSTOM)

    def do_clear(self):
        watcher, state = self.watcher()
        if watcher and not (state.kind in SUDDEN and self.depth):
            expected = self.model.clear(state)
            if (cleared := watcher.clear()) != expected:
                raise Difference(f"clear() gave {cleared:#x}, not {expected:#x}")

    def do_invoke_watcher(self):
        watcher, state = self.watcher()
        if watcher and self.depth < 4:
            self.invoked = state
            watcher.invoke(EV_CUSTOM)
            if self.invoked is not None:
                raise Difference("invoke() did not call")

    def do_set_io(self):
        watcher, state = self.watcher("io")
        if not watcher:
            return
        fd = self.random.choice(self.sockets).fileno()
        events = self.random.choice(IO_EVENTS)
        if state.active:
            self.refused(watcher.set, fd, events)
        else:
            watcher.set(fd, events)
            state.fd, state.events = fd, events

    def do_set_timer(self):
        watcher, state = self.watcher("timer")
        if watcher and state.active:
            self.refused(watcher.set, 1.0, 1.0)
        elif watcher:
            watcher.set(*self.times(state))

    def do_repeat(self):
        watcher, state = self.watcher("timer")
        if watcher:
            watcher.repeat = state.repeat = self.random.choice((0.0, 0.5, 2.0))

    def do_reset_timer(self):
        watcher, state = self.watcher("timer")
        if watcher:
            watcher.reset()
            self.model.reset_timer(state)

    def do_set_periodic(self):
        watcher, state = self.watcher("periodic")
        if watcher and state.active:
            self.refused(watcher.set, 1.0, 1.0)
        elif watcher:
            watcher.set(*self.dates(state))

    def do_interval(self):
        watcher, state = self.watcher("periodic")
        if watcher and state.offset <= 1.0:
            watcher.interval = state.interval = self.random.choice((0.0, 1.0, 1.5))

    def do_reset_periodic(self):
        watcher, state = self.watcher("periodic", "scheduler")
        if watcher:
            watcher.reset()
            self.model.reset_periodic(state)

    def do_reset_loop(self):
        if self.random.random() < 0.3:
            self.loop.reset()
            self.model.reset_requested = True

    def do_nested_start(self):
        if self.depth < 3:
            self.outside_pass()

    def do_invoke(self):
        if self.depth < 3:
            self.model.begin(self.model.invoking())
            self.loop.invoke()
            self.model.end()

    def do_stop_loop(self):
        if self.depth and self.random.random() < 0.3:
            how = self.random.choice((EVBREAK_ONE, EVBREAK_ALL))
            self.loop.stop(how)
            self.model.breaking = how

    def do_write(self):
        with contextlib.suppress(OSError):
            self.random.choice(self.sockets).send(b"x")

    def do_read(self):
        with contextlib.suppress(OSError):
            self.random.choice(self.sockets).recv(100)

    def do_collect(self):
        if self.random.random() < 0.1:
            gc.collect()

    def do_fill(self):
        """Until the socket is not writable."""
        sock = self.random.choice(self.sockets)
        with contextlib.suppress(OSError):
            while True:
                sock.send(b"x" * 100_000)

    # Operations outside callbacks only

    def outside_pass(self):
        self.model.begin(self.model.one_pass())
        left = self.loop.start(EVRUN_NOWAIT)
        if self.failure is None:
            self.model.end()
            self.model.started_ended()
            if left != bool(self.model.active()):
                raise Difference(f"start() returned {left}")
        if not self.depth:
            self.killed = False

    outside_pass_again = outside_pass_and_again = outside_pass

    def outside_pair(self):
        if len(self.sockets) < 10:
            for sock in map(self.placed, socket.socketpair()):
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
                self.sockets.append(sock)

    def placed(self, sock):
        """The number of its descriptor does not matter."""
        return sock

    def outside_advance(self):
        self.advance(self.random.choice((0.0, 0.5, 1.0, 5.0)) + 1e-6)

    def advance(self, step):
        self.loop.clock.advance(step)
        self.loop.update()
        self.model.now += round(step * NANO)

    def outside_send(self):
        watcher, state = self.watcher("async")
        if watcher:
            watcher.send()
            self.model.send(state)

    def outside_kill(self):
        watcher, state = self.watcher("signal")
        if watcher and state.active:
            os.kill(os.getpid(), state.signum)
            self.killed = True
            self.model.kill(state.signum)

    def outside_reuse(self):
        """Another file under the number of a socket, between two passes."""
        sock = self.random.choice(self.sockets)
        fd = sock.fileno()
        users = [
            (watcher, state)
            for watcher, state in zip(self.watchers, self.model.states, strict=True)
            if state.active and state.kind == "io" and state.fd == fd
        ]
        for watcher, state in users:
            watcher.stop()
            self.model.stop(state)
        one, other = socket.socketpair()
        one.setblocking(False)
        os.dup2(one.fileno(), fd, inheritable=False)
        one.close()
        if self.random.random() < 0.5:
            other.send(b"y")
        other.close()
        self.replaced(fd)
        for watcher, state in users:
            watcher.start()
            self.model.start(state)

    def replaced(self, fd):
        """A Loop notices by itself."""

    def outside_fork(self):
        """A child goes on with what there is, and then the parent does."""
        if self.random.random() > 0.05:
            return
        child = os.fork()
        if child:
            if os.waitpid(child, 0)[1]:
                raise Difference("the child has seen a difference")
            return
        status = 1
        try:
            self.forked()
            for _ in range(3):
                self.outside_pass()
                self.loop.verify()
                self.compare(also_sudden=True)
            if self.failure:
                raise self.failure
            status = 0
        except BaseException as error:
            print(f"child: {error!r} after", *self.done[-40:], sep="\n", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)

    def forked(self):
        """In a child. A Loop notices by itself."""
        self.model.reset_requested = True


def run_program(seed, backend, steps):
    program = Program(f"{seed}", backend)
    try:
        program.run(steps)
    except BaseException as error:
        trace = "\n".join(program.done[-80:])
        raise Difference(f"seed {seed}, {backend}: {error!r} after\n{trace}") from error


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    for seed in range(options.first, options.first + options.programs):
        for backend in BACKENDS:
            run_program(seed, backend, options.steps)
    print(f"{options.programs * options.steps * len(BACKENDS)} steps without a difference")


if __name__ == "__main__":
    main()
