"""Handles: calls that the loop is to make, each in a context of its own.

A Handle is made by call_soon() and its relatives and waits in the ready queue. A
TimerHandle is a Timer whose event is to run a Handle.

Attributes that begin with an underscore are those of asyncio's own handles, which
tools and the standard library look at.
"""

import asyncio
import inspect
import threading

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.cpython.tuple import PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cython.cimports.everloop.aio.calls.observing import run_observed
from cython.cimports.everloop.aio.calls.own_thread import check_thread
from cython.cimports.everloop.aio.calls.turn import Turn
from cython.cimports.everloop.clock import from_seconds
from cython.cimports.everloop.engine.failures import propagate
from cython.cimports.everloop.engine.inline import enter_loop, enter_loop_of
from cython.cimports.everloop.queues.entry import ACTIVE, HIDDEN
from cython.cimports.everloop.sys.python import (
    PY_VECTORCALL_ARGUMENTS_OFFSET,
    Py_DECREF,
    PyContext_CopyCurrent,
    PyContext_Enter,
    PyContext_Exit,
    PyObject_Call,
    PyThread_get_thread_ident,
    alias_method,
    call_vector,
)
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import adopt
from cython.cimports.everloop.watchers.timer import Timer

from everloop.aio.stdlib import (
    ThreadSafeHandle,
    extract_stack,
    format_callback_source,
)

# Older Pythons do, newer ones in debug mode only.
SHOWS_ARGUMENTS_ALWAYS = "debug" not in inspect.signature(format_callback_source).parameters


@cython.final
@cython.cclass
class Trace:
    pass


@cython.freelist(1024)
@cython.no_gc_clear
@cython.nonecheck(True)
@cython.final
@cython.cclass
class Handle:
    """A call that the loop is to make, as call_soon() returns it.

    Is an asyncio.Handle as far as isinstance() can tell.
    """

    def __init__(self):
        raise TypeError("a Handle is made by call_soon() and the like")

    def cancel(self) -> None:
        """Do not call, if it has not been done yet.

        That of call_soon_threadsafe() waits if the call is being made in another thread.
        """
        section: Section
        enter_loop(cython.address(section), self.loop)
        if self.threadsafe:
            wait_until_over(self)
        else:
            check_thread(self.loop)
        forget(self)

    def cancelled(self) -> bool:
        """Whether `cancel` has been called. Waits as that does."""
        section: Section
        enter_loop(cython.address(section), self.loop)
        if self.threadsafe:
            wait_until_over(self)
        return self.is_cancelled

    def get_context(self):
        """The contextvars.Context that the callback runs in."""
        section: Section
        enter_loop(cython.address(section), self.loop)
        return self.context

    def _run(self):
        """Make the call now, as asyncio's loops do."""
        section: Section
        enter_loop(cython.address(section), self.loop)
        run_handle(self)

    @property
    def _cancelled(self):
        return self.is_cancelled

    @property
    def _callback(self):
        section: Section
        enter_loop(cython.address(section), self.loop)
        return self.callback

    @property
    def _args(self):
        section: Section
        enter_loop(cython.address(section), self.loop)
        return self.args

    @property
    def _context(self):
        section: Section
        enter_loop(cython.address(section), self.loop)
        return self.context

    @property
    def _loop(self):
        return self.loop

    @property
    def _source_traceback(self):
        return self.trace.made if self.trace is not None else None

    def _face(self):
        return ThreadSafeHandle if self.threadsafe else asyncio.Handle

    def _repr_info(self):
        section: Section
        enter_loop(cython.address(section), self.loop)
        return describe("Handle", self)

    def __repr__(self):
        section: Section
        enter_loop(cython.address(section), self.loop)
        if self.trace is not None and self.trace.text:
            return self.trace.text
        return f"<{' '.join(describe('Handle', self))}>"


@cython.nonecheck(True)
@cython.final
@cython.cclass
class TimerHandle(Timer):
    """A call that the loop is to make at a given time, as call_at() returns it.

    Is an asyncio.TimerHandle as far as isinstance() can tell, and compares by time.
    """

    def __init__(self):
        raise TypeError("a TimerHandle is made by call_later() and call_at()")

    def cancel(self) -> None:
        """Do not call, if it has not been done yet."""
        section: Section
        enter_loop_of(cython.address(section), self)
        check_thread(self.handle.loop)
        if self.handle.is_cancelled:
            return
        forget(self.handle)
        if self.flags & ACTIVE:
            self.loop.timers.remove(self)
            self.loop.deactivate(self)
        elif self.slot:
            self.loop.take_back(self)

    def cancelled(self) -> bool:
        """Whether `cancel` has been called."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self.handle.is_cancelled

    def when(self) -> float:
        """When the callback is to be called, in seconds of the loop's time()."""
        return self.moment if self.given is None else self.given

    def get_context(self):
        """The contextvars.Context that the callback runs in."""
        section: Section
        enter_loop_of(cython.address(section), self)
        return self.handle.context

    def _run(self):
        """Make the call now; it is not made again in its time."""
        section: Section
        enter_loop_of(cython.address(section), self)
        if self.flags & ACTIVE:
            self.loop.timers.remove(self)
            self.loop.deactivate(self)
        run_handle(self.handle)

    @property
    def _when(self):
        return self.when()

    @property
    def _scheduled(self):
        return self.flags & ACTIVE != 0

    @property
    def _cancelled(self):
        return self.handle.is_cancelled

    def _called(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        return self.handle.callback

    @property
    def _args(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        return self.handle.args

    @property
    def _context(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        return self.handle.context

    @property
    def _loop(self):
        return self.loop

    @property
    def _source_traceback(self):
        return self.handle._source_traceback

    def _repr_info(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        info = describe("TimerHandle", self.handle)
        info.insert(2 if self.handle.is_cancelled else 1, f"when={self.moment}")
        return info

    def __repr__(self):
        section: Section
        enter_loop_of(cython.address(section), self)
        return f"<{' '.join(self._repr_info())}>"

    def __hash__(self):
        return hash(self.moment)

    def __eq__(self, other):
        section: Section
        enter_loop_of(cython.address(section), self)
        if type(other) is not TimerHandle:
            return NotImplemented
        one: Handle = self.handle
        two: Handle = cython.cast(TimerHandle, other).handle
        return (
            self.moment == cython.cast(TimerHandle, other).moment
            and one.callback == two.callback
            and one.args == two.args
            and one.is_cancelled == two.is_cancelled
        )

    def __lt__(self, other):
        if type(other) is not TimerHandle:
            return NotImplemented
        return self.moment < cython.cast(TimerHandle, other).moment

    def __le__(self, other):
        if type(other) is not TimerHandle:
            return NotImplemented
        return self.moment < cython.cast(TimerHandle, other).moment or self == other

    def __gt__(self, other):
        if type(other) is not TimerHandle:
            return NotImplemented
        return self.moment > cython.cast(TimerHandle, other).moment

    def __ge__(self, other):
        if type(other) is not TimerHandle:
            return NotImplemented
        return self.moment > cython.cast(TimerHandle, other).moment or self == other


# isinstance() asks an object for its __class__: asyncio's classes can't be bases of
# compiled ones.
alias_method(Handle, "__class__", property(Handle._face))
alias_method(TimerHandle, "_callback", property(TimerHandle._called))
alias_method(TimerHandle, "__class__", property(lambda self: asyncio.TimerHandle))


@cython.cfunc
@cython.exceptval(-1, check=False)
def wait_until_over(handle: Handle) -> cython.int:
    """Wait while another thread makes the call.

    Whether it does is looked at in the loop's section, as it is begun and ended; the
    Event is made before, since that may let others run.
    """
    if handle.runner == 0 or handle.runner == PyThread_get_thread_ident():
        return 0
    over: object = threading.Event()
    if handle.runner == 0:
        return 0
    if handle.over is None:
        handle.over = over
    handle.over.wait()
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
@cython.nonecheck(True)
def forget(handle: Handle) -> cython.int:
    """What cancel() does."""
    if handle.is_cancelled:
        return 0
    handle.is_cancelled = True
    if handle.loop.debug_mode:
        text: str = repr(handle)
        if handle.trace is None:
            handle.trace = Trace()
        handle.trace.text = text
    handle.callback = None
    handle.args = None
    return 0


@cython.cfunc
def describe(name: str, handle: Handle) -> list:
    info = [name]
    if handle.is_cancelled:
        info.append("cancelled")
    if handle.callback is not None:
        info.append(source_of(handle))
    if handle.trace is not None and handle.trace.made:
        frame = handle.trace.made[len(handle.trace.made) - 1]
        info.append(f"created at {frame[0]}:{frame[1]}")
    return info


@cython.cfunc
def source_of(handle: Handle) -> object:
    """What is called, and where that is written."""
    if SHOWS_ARGUMENTS_ALWAYS:
        return format_callback_source(handle.callback, handle.args)
    return format_callback_source(handle.callback, handle.args, debug=handle.loop.debug_mode)


@cython.cfunc
def new_handle(loop: Turn, callback: object, args: tuple, context: object) -> Handle:
    self: Handle = Handle.__new__(Handle)
    self.loop = loop
    self.callback = callback
    self.args = args
    self.context = PyContext_CopyCurrent() if context is None else context
    if loop.debug_mode:
        self.trace = Trace()
        self.trace.made = extract_stack()
    return self


@cython.cfunc
def new_timer_handle(
    loop: Turn, when: cython.double, callback: object, args: tuple, context: object
) -> TimerHandle:
    """A call at a time, scheduled."""
    self: TimerHandle = TimerHandle.__new__(TimerHandle)
    self.handle = new_handle(loop, callback, args, context)
    self.moment = when
    adopt(self, loop, None, None, RANK)
    self.flags |= HIDDEN
    loop.roster.reserve()
    loop.timers.add(self, from_seconds(when))
    loop.activate(self)
    return self


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_timer(timer: TimerHandle) -> cython.int:
    """Make the call of a timer that has expired."""
    return run_shown(timer.handle, timer)


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_handle(handle: Handle) -> cython.int:
    """Make the call, and have an exception in it reported."""
    return run_shown(handle, handle)


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=False)
def run_shown(handle: Handle, shown: object) -> cython.int:
    """shown: what whoever asked for the call has got for it."""
    if handle.is_cancelled:
        return 0
    if handle.loop is None:
        raise TypeError("a Handle is made by call_soon() and the like")
    return run_threadsafe(handle, shown) if handle.threadsafe else make_call(handle, shown)


@cython.cfunc
@cython.exceptval(-1, check=False)
def run_threadsafe(handle: Handle, shown: object) -> cython.int:
    """The same, for whoever may wait in another thread for the end of the call."""
    handle.runner = PyThread_get_thread_ident()
    try:
        return make_call(handle, shown)
    finally:
        handle.runner = 0
        if handle.over is not None:
            handle.over.set()


@cython.cfunc
@cython.inline
@cython.exceptval(-1, check=False)
def make_call(handle: Handle, shown: object) -> cython.int:
    handle.loop.calls += 1
    if handle.loop.observed:
        return run_observed(handle, shown)
    if call_in_context(handle.context, handle.callback, handle.args) < 0:
        return handle_failed(handle, shown)
    return 0


@cython.cfunc
@cython.exceptval(check=False)
def call_in_context(context: object, callback: object, args: tuple) -> cython.int:
    """Call callback(*args) in the context; returns -1 with the exception set."""
    arguments: cython.pointer[PyObject][8]
    result: cython.pointer[PyObject]
    i: cython.Py_ssize_t
    count: cython.Py_ssize_t = PyTuple_GET_SIZE(args)
    if PyContext_Enter(context) < 0:
        return -1
    if count <= FEW_ARGUMENTS:
        for i in range(count):
            arguments[i + 1] = PyTuple_GET_ITEM(args, i)
        result = call_vector(
            cython.cast(cython.pointer[PyObject], callback),
            cython.address(arguments[1]),
            cython.cast(cython.size_t, count) | PY_VECTORCALL_ARGUMENTS_OFFSET,
        )
    else:
        result = PyObject_Call(
            cython.cast(cython.pointer[PyObject], callback),
            cython.cast(cython.pointer[PyObject], args),
            cython.NULL,
        )
    if PyContext_Exit(context) < 0:
        if result != cython.NULL:
            Py_DECREF(result)
        return -1
    if result == cython.NULL:
        return -1
    Py_DECREF(result)
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def handle_failed(handle: Handle, shown: object) -> cython.int:
    """Pass the exception that is set on to the loop's exception handler."""
    try:
        propagate()
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        context = {
            "message": f"Exception in callback {source_of(handle)}",
            "exception": error,
            "handle": shown,
        }
        if handle.trace is not None and handle.trace.made:
            context["source_traceback"] = handle.trace.made
        handle.loop.call_exception_handler(context)
    return 0
