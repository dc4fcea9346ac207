"""A model in plain Python of what a Loop does: what is active, what is pending, what comes.

It does not tell in which order equals are called, but everything else: a callback that comes
with other bits, before one of a higher priority, twice, or not at all, is a difference.
"""

import math

from everloop import (
    EV_ASYNC,
    EV_CHECK,
    EV_FORK,
    EV_IDLE,
    EV_PERIODIC,
    EV_PREPARE,
    EV_READ,
    EV_SIGNAL,
    EV_TIMER,
    EV_WRITE,
    EVBREAK_CANCEL,
    EVBREAK_ONE,
)

NANO = 1_000_000_000


def nanoseconds(seconds):
    """Rounded up."""
    return math.ceil(seconds * NANO)


class Difference(AssertionError):
    """The loop did what the model does not know, or not what it knows."""


class State:
    """What the model knows of one watcher."""

    def __init__(self, kind, priority):
        self.kind, self.priority = kind, priority
        self.active = False
        self.pending = 0
        self.sent = False
        self.fd = self.events = None
        self.rest, self.repeat, self.at = 0.0, 0.0, 0
        self.offset = self.interval = 0.0
        self.signum = None


class Model:
    """All watchers of one loop."""

    def __init__(self, now, ready):
        """now: in nanoseconds, on both clocks. ready(fd): for what bits a descriptor is ready."""
        self.now, self.ready = now, ready
        self.states = []
        self.started = {}
        self.runs = []
        self.breaking = EVBREAK_CANCEL
        self.reset_requested = self.wakeup = False
        self.signals = set()

    # What the program does

    def start(self, state):
        if state.active:
            return
        state.active = True
        state.sent = False
        if state.kind == "timer":
            state.at = self.now + nanoseconds(state.rest)
        if state.kind in ("periodic", "scheduler"):
            state.at = self.moment(state)
        self.started.pop(state, None)
        self.started[state] = None

    def stop(self, state):
        if state.active and state.kind == "timer":
            state.rest = (state.at - self.now) / NANO
        state.active = False
        state.pending = 0
        self.started.pop(state, None)
        # Nobody is left for a signal that has arrived.
        if not any(each.signum == state.signum for each in self.active()):
            self.signals.discard(state.signum)

    def reset_timer(self, state):
        state.pending = 0
        if not state.repeat:
            self.stop(state)
            return
        if not state.active:
            self.started.pop(state, None)
            state.rest = state.repeat
        self.start(state)
        state.at = self.now + nanoseconds(state.repeat)

    def moment(self, state):
        """The next one of a Periodic, or of a Scheduler that asks for one in the next second."""
        offset, interval = nanoseconds(state.offset), nanoseconds(state.interval)
        if state.kind == "scheduler":
            return (self.now // NANO + 1) * NANO + offset
        return offset + ((self.now - offset) // interval + 1) * interval if interval else offset

    def reset_periodic(self, state):
        self.stop(state)
        self.start(state)

    def feed(self, state, revents):
        state.pending |= revents

    def clear(self, state):
        revents, state.pending = state.pending, 0
        if not state.active:
            self.started.pop(state, None)
        return revents

    def send(self, state):
        if not state.sent:
            state.sent = True
            self.wakeup = self.wakeup or state.active

    def kill(self, signum):
        """A signal arrives that is watched."""
        self.signals.add(signum)
        self.wakeup = True

    def active(self):
        return [state for state in self.started if state.active]

    # What the loop does

    def begin(self, phases):
        self.runs.append(phases)

    def end(self):
        """The innermost run has returned: nothing may be left of it."""
        while True:
            self.expect_nothing()
            if next(self.runs[-1], None) is None:
                break
        self.runs.pop()

    def expect_nothing(self):
        for state in self.states:
            if state.pending:
                raise Difference(f"{state.kind} {self.states.index(state)} was not called")

    def called(self, state, revents):
        """A callback has come: go on to where it is due."""
        while not any(each.pending for each in self.states):
            if next(self.runs[-1], None) is None:
                raise Difference("called though nothing is due")
        if state.pending != revents:
            raise Difference(f"called with {revents:#x}, but {state.pending:#x} is pending")
        if any(each.pending and each.priority > state.priority for each in self.states):
            raise Difference("called before one of a higher priority")
        state.pending = 0
        if not state.active:
            self.started.pop(state, None)

    def invoking(self):
        """The phases of invoke(): what is pending already."""
        return iter(())

    def one_pass(self):
        """The phases of start(EVRUN_NOWAIT); each ends when nothing is pending."""
        self.breaking = EVBREAK_CANCEL
        return self.phases()

    def phases(self):
        if self.reset_requested:
            self.reset_requested = False
            self.feed_all("fork", EV_FORK)
            yield "forks"
        self.feed_all("prepare", EV_PREPARE)
        yield "prepares"
        if self.breaking == EVBREAK_CANCEL:
            self.poll()
            yield "events"

    def feed_all(self, kind, revents):
        for state in self.active():
            if state.kind == kind:
                state.pending |= revents

    def poll(self):
        for state in self.active():
            if state.kind == "io":
                state.pending |= self.ready(state.fd) & state.events
        woken, self.wakeup = self.wakeup, False
        signals = self.signals if woken else set()
        for state in self.active():
            if state.kind == "signal" and state.signum in signals:
                state.pending |= EV_SIGNAL
        signals.clear()
        for state in self.active():
            if state.kind == "async" and state.sent and woken:
                state.sent = False
                state.pending |= EV_ASYNC
        self.expire()
        self.reach_dates()
        self.feed_idles(woken)
        self.feed_all("check", EV_CHECK)

    def expire(self):
        for state in self.active():
            if state.kind != "timer" or state.at > self.now:
                continue
            state.pending |= EV_TIMER
            if state.repeat:
                state.at = max(state.at + nanoseconds(state.repeat), self.now + 1)
            else:
                state.rest = (state.at - self.now) / NANO
                state.active = False

    def reach_dates(self):
        for state in self.active():
            if state.kind in ("periodic", "scheduler") and state.at <= self.now:
                state.pending |= EV_PERIODIC
                if state.interval or state.kind == "scheduler":
                    state.at = self.moment(state)
                else:
                    state.active = False

    def feed_idles(self, woken):
        idles = [state for state in self.active() if state.kind == "idle"]
        highest = max((state.priority for state in idles), default=None)
        if highest is None or woken:
            return
        if any(state.pending and state.priority >= highest for state in self.states):
            return
        for state in idles:
            if state.priority == highest:
                state.pending |= EV_IDLE

    def started_ended(self):
        """start() returns: a stop() of one run has been obeyed."""
        if self.breaking == EVBREAK_ONE:
            self.breaking = EVBREAK_CANCEL


IO_EVENTS = (EV_READ, EV_WRITE, EV_READ | EV_WRITE)
