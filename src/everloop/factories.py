"""FactoryLoop: makes the watchers of a loop. A kind of watcher has one method here."""

import cython
from cython.cimports.cpython.float import PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.phases.passing import PassingLoop
from cython.cimports.everloop.sys.python import Method, put_in_front
from cython.cimports.everloop.watchers.io import new_io
from cython.cimports.everloop.watchers.stat import new_stat
from cython.cimports.everloop.watchers.timer import new_timer

from everloop.watchers.async_ import Async
from everloop.watchers.check import Check
from everloop.watchers.child import Child
from everloop.watchers.embed import Embed
from everloop.watchers.fork import Fork
from everloop.watchers.idle import Idle
from everloop.watchers.periodic import Periodic
from everloop.watchers.prepare import Prepare
from everloop.watchers.scheduler import Scheduler
from everloop.watchers.signal import Signal
from everloop.watchers.tree import Tree


@cython.cclass
class FactoryLoop(PassingLoop):
    """The methods of a loop that make a watcher of its own, with the arguments of its class."""

    def io(self, fd, events, callback=None, data=None, priority=0):
        """A new Io watcher of this loop."""
        return new_io(self, fd, events, callback, data, priority)

    def timer(
        self, after: cython.double, repeat: cython.double, callback=None, data=None, priority=0
    ):
        """A new Timer of this loop."""
        return new_timer(self, after, repeat, callback, data, priority)

    def periodic(self, offset, interval, callback=None, data=None, priority=0):
        """A new Periodic of this loop."""
        return Periodic(offset, interval, self, callback, data, priority)

    def scheduler(self, reschedule, callback=None, data=None, priority=0):
        """A new Scheduler of this loop."""
        return Scheduler(reschedule, self, callback, data, priority)

    def signal(self, signum, callback=None, data=None, priority=0):
        """A new Signal watcher of this loop."""
        return Signal(signum, self, callback, data, priority)

    def child(self, pid, trace, callback=None, data=None, priority=0):
        """A new Child watcher of this loop."""
        return Child(pid, trace, self, callback, data, priority)

    def embed(self, other, callback=None, data=None, priority=0):
        """A new Embed watcher of this loop."""
        return Embed(other, self, callback, data, priority)

    def fork(self, callback=None, data=None, priority=0):
        """A new Fork watcher of this loop."""
        return Fork(self, callback, data, priority)

    def stat(self, path, interval: cython.double, callback=None, data=None, priority=0):
        """A new Stat of this loop."""
        return new_stat(self, path, interval, callback, data, priority)

    def tree(self, path, callback=None, data=None, priority=0, *, filter=None):
        """A new Tree of this loop."""
        return Tree(path, self, callback, data, priority, filter=filter)

    def idle(self, callback=None, data=None, priority=0):
        """A new Idle watcher of this loop."""
        return Idle(self, callback, data, priority)

    def prepare(self, callback=None, data=None, priority=0):
        """A new Prepare watcher of this loop."""
        return Prepare(self, callback, data, priority)

    def check(self, callback=None, data=None, priority=0):
        """A new Check watcher of this loop."""
        return Check(self, callback, data, priority)

    def async_(self, callback=None, data=None, priority=0):
        """A new Async watcher of this loop; getattr(loop, "async") is the same."""
        return Async(self, callback, data, priority)


@cython.cfunc
def timer_by_position(
    self: object,
    arguments: cython.pointer[cython.pointer[PyObject]],
    count: cython.Py_ssize_t,
    names: cython.pointer[PyObject],
) -> object:
    """loop.timer() as it is called most, with three arguments and two of them floats.

    To find out which arguments there are, by position or by name, takes as long as making
    and starting the timer.
    """
    if names == cython.NULL and count == 3:
        after = arguments[0]
        repeat = arguments[1]
        if PyFloat_CheckExact(cython.cast(object, after)) and PyFloat_CheckExact(
            cython.cast(object, repeat)
        ):
            return new_timer(
                cython.cast(FactoryLoop, self),
                PyFloat_AS_DOUBLE(cython.cast(object, after)),
                PyFloat_AS_DOUBLE(cython.cast(object, repeat)),
                cython.cast(object, arguments[2]),
                None,
                0,
            )
    return timer_by_name(self, arguments, count, names)


timer_by_name = cython.declare(Method, put_in_front(FactoryLoop, b"timer", timer_by_position))
