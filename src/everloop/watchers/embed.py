"""Embed: another loop has events.

The other loop's epoll descriptor is readable when any of its descriptors is ready,
and an internal Io watches it. What the other loop has not told its kernel yet would
not show there: before each wait an internal Prepare runs a pass of it where there is
such news.

A loop that needs a host, as an EventLoop does, has more to do than its descriptors tell.
This one is its host: it wakes this one whenever there is something new, and the internal
Prepare has an internal Timer go off when it is due.

``Loop.embedders`` of the other loop lists the Prepares of the active Embed watchers on it,
which follow it when its kernel's side is made anew and stop when it is closed.

An Embed is changed in the section of its own loop, the other loop in that of the other.
To enter one may give up the other one: what was looked at before is looked at again.
"""

import cython
from cython.cimports.everloop.clock import FOREVER, nanoseconds
from cython.cimports.everloop.constants import (
    EV_EMBED,
    EV_MINPRI,
    EV_READ,
    EVBACKEND_EPOLL,
    EVRUN_NOWAIT,
)
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.engine.inline import enter_loop, enter_loop_of, own_thread, unable
from cython.cimports.everloop.queues.entry import ACTIVE, INTERNAL, remove_from
from cython.cimports.everloop.queues.pending_inline import push
from cython.cimports.everloop.sys.threads import Section, fence
from cython.cimports.everloop.watcher import (
    Watcher,
    adopt,
    check_callback,
    check_inactive,
    check_new,
    loop_of,
    make_able,
    raise_unusable,
)
from cython.cimports.everloop.watchers.io import Io, new_internal_io
from cython.cimports.everloop.watchers.prepare import Prepare
from cython.cimports.everloop.watchers.timer import Timer

from everloop.errors import Error

LONG = 3600.0  # seconds


@cython.cclass
class Embed(Watcher):
    """Embed(other, loop, callback=None, data=None, priority=0)\n--\n
    Runs another loop inside this one.

    Without a callback the other loop is swept whenever it has events, at this
    watcher's priority; with one, that is called and has to call `sweep`.

    other: a loop on an embeddable backend (epoll; see embeddable_backends()).

    Of a plain Loop only descriptors wake this one (and what is built on them, such as
    Async and Signal); its timers and other watchers are served when it is swept. An
    EventLoop does all that it does by itself: tasks, calls, timers, transports.

    A fatal exception in the other loop stops this one too.

    Raises Error for a loop that can't be embedded, itself, or one that embeds
    this loop already.
    """

    def __init__(
        self,
        other: object,
        loop: object,
        callback: object = None,
        data: object = None,
        priority: object = 0,
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        if loop is not None:
            check_other(other, loop)
        rank: cython.int = check_new(self, loop, callback or on_readable, priority)
        self._other, other = other, self._other
        adopt(self, cython.cast(CallingLoop, loop), callback, data, rank)

    @cython.always_allow_keywords(False)
    def start(self):
        """Watch the other loop from now on; does nothing if active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            return
        loop: CallingLoop = self.loop
        if unable(loop):
            make_able(self)
        other: CallingLoop = self._other
        check_other(other, loop)
        open_waker(other)
        prepare: Prepare = Prepare(loop, on_prepare, self, EV_MINPRI)
        prepare.flags |= INTERNAL
        io: Io = kernel_watcher(self, other)
        alarm: Timer = new_alarm(self, loop) if other.needs_host else None
        if self.flags & ACTIVE or self._other is not other:
            # By a finalizer, or another thread, meanwhile.
            return Embed.start(self)
        self.prepare = prepare
        self.io = io
        self.alarm = alarm
        try:
            prepare.start()
            io.start()
            if alarm is not None:
                loop.guests.append(self)
            loop.activate(self)
            join(other, prepare)
        except BaseException:
            withdraw(self, other, prepare)
            raise
        if self.prepare is not prepare:
            part(other, prepare)

    @cython.always_allow_keywords(False)
    def stop(self):
        """Watch no longer and take back a pending event."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            withdraw(self, self._other, self.prepare)
        elif self.slot:
            self.loop.take_back(self)

    @cython.always_allow_keywords(False)
    def sweep(self):
        """Run one pass of the other loop, without blocking."""
        section: Section
        enter_loop_of(cython.address(section), self)
        loop: CallingLoop = self.loop
        if loop is None or loop.state != OPEN:
            raise_unusable(self)
        own_thread(loop, "Embed.sweep()")
        sweep_embedded(self)

    def set(self, other: object) -> None:
        """Embed another loop; raises Error while the watcher is active."""
        section: Section
        enter_loop_of(cython.address(section), self)
        check_inactive(self, "set() can't be called")
        if self.loop is not None:
            check_other(other, self.loop)
        self._other, other = other, self._other

    @property
    def other(self):
        """The loop that is embedded. Read only: see `set`."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._other

    @property
    def callback(self):
        """Called as ``callback(watcher, revents)``; None: the loop sweeps by itself."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._callback

    @callback.setter
    def callback(self, callback):
        section: Section
        enter_loop_of(cython.address(section), self)
        if callback is not None:
            check_callback(callback, self.loop is not None and self.loop.runs_coroutines)
        self._callback, callback = callback, self._callback

    def _describe(self) -> str:
        return f"other={self._other!r}"


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_other(candidate: object, loop: CallingLoop) -> cython.int:
    other: CallingLoop = loop_of("other", candidate)
    other.check_open()
    if other.kernel.flag != EVBACKEND_EPOLL:
        raise Error("other can't be embedded: its backend has no descriptor to watch")
    if reaches(other, loop):
        raise Error("a loop can't be embedded in itself, directly or in a circle")
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def open_waker(other: CallingLoop) -> cython.int:
    section: Section
    enter_loop(cython.address(section), other)
    return other.open_waker()


@cython.cfunc
@cython.exceptval(-1, check=False)
def join(other: CallingLoop, prepare: Prepare) -> cython.int:
    """Have the other loop know of a start."""
    section: Section
    enter_loop(cython.address(section), other)
    other.check_open()
    other.embedders.append(prepare)
    other.alert = True
    fence()
    if other.wakeup_requested or other.signals_pending:
        # From before anybody was to be woken for them.
        other.waker.wake()
    if other.needs_host:
        other.take_host()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def part(other: CallingLoop, prepare: Prepare) -> cython.int:
    """Have it forget the start; nothing if it has."""
    section: Section
    enter_loop(cython.address(section), other)
    if remove_from(other.embedders, prepare):
        if other.needs_host:
            other.leave_host()
        other.update_alert()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def notice_fork(other: CallingLoop) -> cython.int:
    section: Section
    enter_loop(cython.address(section), other)
    return other.notice_fork()


@cython.cfunc
@cython.exceptval(-1, check=False)
def hand_over_changes(other: CallingLoop) -> cython.int:
    section: Section
    enter_loop(cython.address(section), other)
    return other.hand_over_changes()


@cython.cfunc
@cython.exceptval(-1, check=False)
def until_due(other: CallingLoop) -> nanoseconds:
    section: Section
    enter_loop(cython.address(section), other)
    return other.until_due()


@cython.cfunc
@cython.exceptval(-1, check=False)
def reaches(inner: CallingLoop, sought: CallingLoop) -> cython.bint:
    """Whether sought is inner, or embedded in it at any depth."""
    if inner is sought:
        return True
    for prepare in sought.embedders:
        outer: CallingLoop = cython.cast(Prepare, prepare).loop
        if reaches(inner, outer):
            return True
    return False


@cython.cfunc
def kernel_watcher(self: Embed, other: CallingLoop) -> Io:
    """An Io for the other loop's descriptor, at this watcher's priority."""
    io: Io = new_internal_io(self.loop, other.kernel.fd, EV_READ, on_readable)
    io.data = self
    io.rank = self.rank
    return io


@cython.cfunc
def new_alarm(self: Embed, loop: CallingLoop) -> Timer:
    """A Timer that goes off when the other loop is due, at this watcher's priority.

    It repeats: one that fires once would not, being internal, be counted as it should.
    """
    alarm: Timer = Timer(0.0, LONG, loop, on_alarm, self)
    alarm.flags |= INTERNAL
    alarm.rank = self.rank
    return alarm


@cython.cfunc
@cython.exceptval(-1, check=False)
def withdraw(self: Embed, other: CallingLoop, prepare: Prepare) -> cython.int:
    """Take back a start, however far it came, unless that has been done."""
    if self.prepare is prepare:
        Io.stop(self.io)
        Prepare.stop(prepare)
        self.io = None
        self.prepare = None
        if self.alarm is not None:
            Timer.stop(self.alarm)
            self.alarm = None
            remove_from(self.loop.guests, self)
        if self.flags & ACTIVE:
            self.loop.deactivate(self)
    return part(other, prepare)


@cython.cfunc
def embed_of(io: Io) -> Embed:
    """The Embed that an internal Io serves, or None if it serves something else."""
    return io.data if isinstance(io.data, Embed) else None


def on_readable(io: Io, revents):
    """The other loop has events: sweep it, or have the callback do so."""
    self: Embed = io.data
    if self._callback is not None or self.alarm is not None:
        push(self.loop.queue, self, EV_EMBED)
    else:
        sweep_embedded(self)


def on_alarm(alarm: Timer, revents):
    """The other loop is due. With its descriptor ready, too, it is swept once."""
    self: Embed = alarm.data
    push(self.loop.queue, self, EV_EMBED)


def on_prepare(prepare: Prepare, revents):
    """Have the other loop tell its kernel what is new.

    By passes of it, as libev does; but one whose callbacks change something in every
    pass must not keep this loop from going on.
    """
    self: Embed = prepare.data
    other: CallingLoop = self._other
    notice_fork(other)
    if self.alarm is not None:
        set_alarm(self)
        return
    passes: cython.int = 8
    while passes and self.prepare is prepare and other.descriptors.change_count:
        passes -= 1
        sweep_embedded(self)
    if not passes and self.prepare is prepare:
        hand_over_changes(other)


@cython.cfunc
@cython.exceptval(-1, check=False)
def set_alarms(loop: CallingLoop) -> cython.int:
    """The same for all loops that this one is the host of."""
    for embed in loop.guests.copy():
        set_alarm(embed)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def set_alarm(self: Embed) -> cython.int:
    """Have the other loop swept when it is due: at once, at a time, or when it wakes this one."""
    alarm: Timer = self.alarm
    left: nanoseconds = until_due(self._other)
    if alarm is None or self.alarm is not alarm:
        return 0
    Timer.stop(alarm)
    if left < FOREVER:
        alarm.set(cython.cast(cython.double, max(left, 0)) / 1e9, LONG)
        alarm.start()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def sweep_embedded(self: Embed) -> cython.int:
    # Whatever a subclass makes of it.
    other: object = self._other
    other.start(EVRUN_NOWAIT)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def stop_embedders(other: CallingLoop) -> cython.int:
    """The other loop is about to be closed."""
    for prepare in other.embedders.copy():
        take_back(prepare, other)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def take_back(prepare: Prepare, other: CallingLoop) -> cython.int:
    section: Section
    enter_loop_of(cython.address(section), prepare)
    return withdraw(prepare._data, other, prepare)


@cython.cfunc
@cython.exceptval(-1, check=False)
def follow_rebuild(other: CallingLoop) -> cython.int:
    """The other loop has a new descriptor."""
    for prepare in other.embedders.copy():
        watch_anew(prepare, other)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def watch_anew(prepare: Prepare, other: CallingLoop) -> cython.int:
    section: Section
    enter_loop_of(cython.address(section), prepare)
    embed: Embed = prepare._data
    if embed.prepare is prepare:
        Io.stop(embed.io)
        embed.io = kernel_watcher(embed, other)
        embed.io.start()
    return 0
