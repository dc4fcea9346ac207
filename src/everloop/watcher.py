"""Watcher: what the watchers of every kind share."""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.arguments import whole
from cython.cimports.everloop.constants import EV_MAXPRI, EV_MINPRI
from cython.cimports.everloop.engine.calling import CallingLoop
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.engine.inline import enter_loop_of, own_thread
from cython.cimports.everloop.queues.entry import ACTIVE, Entry
from cython.cimports.everloop.sys.python import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    PyCFunction_Check,
    PyCodeObject,
    PyFunction_Check,
    PyFunction_GET_CODE,
    PyMethod_Check,
    PyMethod_GET_FUNCTION,
    PyObject_GenericSetAttr,
)
from cython.cimports.everloop.sys.threads import Section

from everloop.errors import Error

# Most watchers are made with it, and ints as small as this are always the same object.
USUAL_PRIORITY = 0
USUAL_RANK = cython.declare(cython.int, -EV_MINPRI)


@cython.cclass
class StandIn:
    """The base of what is called for a watcher that was made without a callback.

    Coroutines wait by it. Nothing else tells it from any other callback.
    """


@cython.cclass
class Watcher(Entry):
    """Watcher(loop, callback=None, data=None, priority=0)\n--\n
    What the watchers of every kind share; not to be made itself.

    A watcher belongs to one loop. It is active between `start` and `stop`; while
    it is, the loop keeps it alive and calls ``callback(watcher, revents)`` when
    its event happens.

    In an `EventLoop` the callback may be left out: the watcher can then be awaited,
    iterated by ``async for`` and held by ``async with``.
    """

    def __init__(
        self, loop: object, callback: object = None, data: object = None, priority: object = 0
    ):
        section: Section
        enter_loop_of(cython.address(section), self)
        if type(self) is Watcher:
            raise TypeError("Watcher is the base of Io, Timer and so on: make one of those")
        callback = wanted_callback(loop, callback)
        rank: cython.int = check_new(self, loop, callback, priority)
        adopt(self, loop, callback, data, rank)

    def start(self):
        raise TypeError(f"{type(self).__name__} is not a kind of watcher that can be started")

    def stop(self):
        raise TypeError(f"{type(self).__name__} is not a kind of watcher that can be stopped")

    @cython.always_allow_keywords(False)
    def clear(self) -> int:
        """Take back the watcher's pending event, if it has one.

        Returns the bits of that event, or 0. The callback is not called.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.loop is None:
            return 0
        return self.loop.take_back(self)

    def feed(self, revents) -> None:
        """Queue an event as if it had happened; the watcher need not be active.

        revents: the bits to pass to the callback; they add to a pending event's.
        A watcher that is fed while inactive is not kept alive by that.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        bits: cython.int = whole("revents", revents)
        loop: CallingLoop = self.loop
        if loop is None or loop.state != OPEN:
            raise_unusable(self)
        loop.feed(self, bits)

    def invoke(self, revents) -> None:
        """Call the callback now, with these revents, and change nothing else.

        An exception in it is treated as one in a callback that the loop calls:
        reported, or raised from here if it is fatal.
        """
        section: Section
        enter_loop_of(cython.address(section), self)
        bits: cython.int = whole("revents", revents)
        loop: CallingLoop = self.loop
        if loop is None or loop.state != OPEN:
            raise_unusable(self)
        own_thread(loop, "Watcher.invoke()")
        if bits >= 0 and bits != loop.last_revents:
            loop.last_number = bits
            loop.last_revents = bits
        loop.nest()
        try:
            loop.call(self, bits)
        finally:
            loop.unnest()

    @property
    def active(self) -> bool:
        """Whether the watcher has been started and not stopped. Read only."""
        return self.flags & ACTIVE != 0

    @property
    def pending(self) -> bool:
        """Whether an event waits for the callback to be called. Read only."""
        return self.slot != 0

    @property
    def callback(self):
        """Called as ``callback(watcher, revents)``. May be replaced at any time."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._callback

    @callback.setter
    def callback(self, callback):
        section: Section
        enter_loop_of(cython.address(section), self)
        callback = wanted_callback(self.loop, callback)
        check_callback(callback, self.loop is not None and self.loop.runs_coroutines)
        self._callback, callback = callback, self._callback

    @property
    def data(self):
        """Anything; everloop does nothing with it."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self._data

    @data.setter
    def data(self, data):
        section: Section
        enter_loop_of(cython.address(section), self)
        self._data, data = data, self._data

    @property
    def priority(self) -> int:
        """From EV_MINPRI to EV_MAXPRI; of what is pending, the highest goes first.

        Values out of range are clamped. Raises Error when set while the watcher
        is active or pending.
        """
        return cython.cast(cython.int, self.rank) + EV_MINPRI

    @priority.setter
    def priority(self, priority):
        section: Section
        enter_loop_of(cython.address(section), self)
        rank: cython.uchar = rank_of(priority)
        if self.flags & ACTIVE or self.slot:
            raise Error(f"priority can't be changed while {self!r} is active or pending")
        self.rank = rank

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self.stop()

    def __await__(self):
        return awaited(self).wait(self).__await__()

    def __aiter__(self):
        return awaited(self).iterate(self)

    def __aenter__(self):
        return awaited(self).enter(self)

    def __aexit__(self, *exc_info):
        return awaited(self).leave(self)

    def __delattr__(self, name):
        delete_attribute(self, name)

    def __repr__(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        state = "active" if self.flags & ACTIVE else "stopped"
        if self.slot:
            state += ", pending"
        priority = f", priority {self.priority}" if self.priority else ""
        detail = self._describe()
        calls = ""
        if self._callback is not None:
            calls = ", calls "
            calls += getattr(self._callback, "__qualname__", None) or type(self._callback).__name__
        return f"<{type(self).__name__}{detail and ' ' + detail} {state}{priority}{calls}>"

    def _describe(self) -> str:
        """What __repr__ says of the kind's own arguments."""
        return ""


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_new(self: Watcher, loop: object, callback: object, priority: object) -> cython.int:
    """The checks of every __init__, before it changes anything; returns the rank.

    Between them and adopt() no foreign code may run: it could start the watcher.
    """
    rank: cython.int = check_given(loop_of("loop", loop), callback, priority)
    if self.flags & ACTIVE or self.slot:
        raise Error(f"__init__() can't be called while {self!r} is active or pending")
    return rank


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_given(loop: CallingLoop, callback: object, priority: object) -> cython.int:
    """The checks of what every watcher is made with; returns the rank."""
    rank: cython.int = USUAL_RANK
    if priority is not USUAL_PRIORITY:
        rank = rank_of(priority)
    check_callback(callback, loop.runs_coroutines)
    loop.check_open()
    return rank


@cython.cfunc
@cython.exceptval(-1, check=False)
def adopt_new(
    self: Watcher, loop: CallingLoop, callback: object, data: object, priority: object
) -> cython.int:
    """check_new() and adopt() in one, for a watcher that nobody else has seen yet."""
    if callback is None:
        callback = loop.stand_in()
    self.rank = cython.cast(cython.uchar, check_given(loop, callback, priority))
    self.loop = loop
    self._callback = callback
    self._data = data
    return 0


@cython.cfunc
def wanted_callback(loop: object, callback: object) -> object:
    """The callback given, or what the loop has for a watcher without one, if anything."""
    if callback is None and isinstance(loop, CallingLoop):
        return cython.cast(CallingLoop, loop).stand_in()
    return callback


@cython.cfunc
def loop_of(name: str, value: object) -> CallingLoop:
    """The loop that an argument is."""
    if not isinstance(value, CallingLoop):
        kind: str = "None" if value is None else type(value).__name__
        raise TypeError(f"{name} must be a Loop, not {kind}")
    return cython.cast(CallingLoop, value)


@cython.cfunc
@cython.exceptval(-1, check=False)
def adopt(
    self: Watcher, loop: CallingLoop, callback: object, data: object, rank: cython.int
) -> cython.int:
    """The common part of every __init__: give the watcher its loop.

    Values are exchanged, here and in setters, not assigned: the old one must not end
    before the new one is in place, since its end may run foreign code.
    """
    self.rank = cython.cast(cython.uchar, rank)
    self.loop, loop = loop, self.loop
    self._callback, callback = callback, self._callback
    self._data, data = data, self._data
    return 0


@cython.cfunc
def awaited(self: Watcher) -> object:
    """What coroutines wait by: the callback of a watcher that was made without one."""
    if not isinstance(self._callback, StandIn):
        raise TypeError(f"{self!r} can't be awaited: make it without a callback, in an EventLoop")
    return self._callback


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_inactive(self: Watcher, action: str) -> cython.int:
    if self.flags & ACTIVE:
        raise Error(f"{action} while {self!r} is active; stop it first")
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def raise_unusable(self: Watcher) -> cython.int:
    """For a watcher without a loop, or whose loop is not open."""
    if self.loop is None:
        raise Error(f"{type(self).__name__}.__init__() has not been called")
    self.loop.check_open()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def make_able(self: Watcher) -> cython.int:
    """For start(), before it changes anything: the loop must have all that it will need.

    What it needs to wait, and a seat: what boards later can't fail half-way.
    """
    raise_unusable(self)
    if self.loop.waker.fd < 0:
        self.loop.open_waker()
    return self.loop.roster.reserve()


@cython.cfunc
@cython.exceptval(-1, check=False)
def delete_attribute(self: object, name: object) -> cython.int:
    """What del does, but for the attributes of compiled classes: those stay."""
    if type(getattr(type(self), name, None)) is type(Watcher.active):
        raise TypeError(f"attribute {name!r} of {type(self).__name__} can't be deleted")
    PyObject_GenericSetAttr(
        cython.cast(cython.pointer[PyObject], self),
        cython.cast(cython.pointer[PyObject], name),
        cython.NULL,
    )
    return 0


@cython.cfunc
@cython.exceptval(255, check=True)
def rank_of(priority: object) -> cython.uchar:
    value: cython.int = whole("priority", priority)
    if value < EV_MINPRI:
        value = EV_MINPRI
    elif value > EV_MAXPRI:
        value = EV_MAXPRI
    return cython.cast(cython.uchar, value - EV_MINPRI)


@cython.cfunc
def function_behind(called: object) -> object:
    """The function of Python's that a call of another object leads to, or None."""
    if PyCFunction_Check(called):
        return None
    from functools import partial

    # One of another has been made one by partial() itself.
    if getattr(type(called), "__call__", None) is partial.__call__:  # noqa: B004 to look at it
        called = called.func
    if PyMethod_Check(called):
        called = cython.cast(object, PyMethod_GET_FUNCTION(called))
    if not PyFunction_Check(called):
        called = getattr(type(called), "__call__", None)  # noqa: B004 to look at it
    return called if PyFunction_Check(called) else None


@cython.cfunc
def check_callback(callback: object, coroutines: cython.bint = False) -> object:
    """Return callback; raises TypeError if calling it would not do what it says.

    coroutines: whether a coroutine that it returns is run.
    """
    if not callable(callback):
        raise TypeError(f"callback must be callable, not {type(callback).__name__}")
    function: object = callback
    if PyMethod_Check(function):
        function = cython.cast(object, PyMethod_GET_FUNCTION(function))
    if not PyFunction_Check(function):
        function = function_behind(function)
    if function is None:
        return callback
    code: cython.pointer[PyCodeObject] = cython.cast(
        cython.pointer[PyCodeObject], PyFunction_GET_CODE(function)
    )
    if coroutines and code.co_flags & CO_COROUTINE:
        return callback
    if code.co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR):
        raise TypeError(
            f"callback {callback!r} is a coroutine or generator function: "
            "calling it would only make an object and never run its body"
        )
    return callback


@cython.cfunc
@cython.exceptval(-1, check=False)
def check_loop_callback(callback: object) -> cython.int:
    if callback is None:
        return 0
    if not callable(callback):
        raise TypeError(f"callback must be callable or None, not {type(callback).__name__}")
    check_callback(callback)
    return 0
