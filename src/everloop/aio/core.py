"""Core: the compiled part of EventLoop, on the phases of Loop.

What asyncio calls has priority 0. A pass makes, in this order, as asyncio's loop does:
watchers' calls of a higher priority; the calls that were ready when the look at the
descriptors ended; what descriptors brought, in the kernel's order, with the watchers of
priority 0; timers; watchers of a lower priority. What those make ready is called in the
next pass, after another look: neither side can starve the other. Where nothing is to be
looked at, round follows round of calls without the rest of a pass.
"""

import asyncio
import threading
from asyncio import futures, tasks
from inspect import iscoroutinefunction

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.aio.callback_io import CallbackIo, new_callback_io
from cython.cimports.everloop.aio.datagram import new_datagram
from cython.cimports.everloop.aio.datagram_batch import DatagramBatch
from cython.cimports.everloop.aio.handle import (
    RANK,
    Handle,
    TimerHandle,
    new_handle,
    new_timer_handle,
    run_handle,
    run_timer,
)
from cython.cimports.everloop.aio.kernel_order import pending_descriptors, put_in_order
from cython.cimports.everloop.aio.listener import Listener, new_listener
from cython.cimports.everloop.aio.operation import (
    Accept,
    Receive,
    ReceiveInto,
    SendAll,
    perform,
    refuse_closed,
)
from cython.cimports.everloop.aio.patched_clock import PatchedClock
from cython.cimports.everloop.aio.ready import ReadyQueue
from cython.cimports.everloop.aio.ready_inline import append, hide, show, take
from cython.cimports.everloop.aio.served_io import ServedIo
from cython.cimports.everloop.aio.stream import new_stream
from cython.cimports.everloop.clock import FOREVER, Clock, check_number, from_seconds, nanoseconds
from cython.cimports.everloop.constants import (
    EV_READ,
    EV_WRITE,
    EVBREAK_CANCEL,
    EVRUN_NOWAIT,
)
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.process import forking
from cython.cimports.everloop.queues.descriptors import DOUBTED
from cython.cimports.everloop.queues.descriptors_inline import feed
from cython.cimports.everloop.sys.python import Py_REFCNT, PyErr_CheckSignals
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.libc.errno import EPERM

from everloop.aio.selecting import LONGEST_SELECT, Handles, ReadyCalls
from everloop.aio.tls import FastSSLProtocol
from everloop.process.signals import share

StandardLoop = asyncio.SelectorEventLoop


@cython.cclass
class Core(Loop):
    """The compiled part of EventLoop; not to be used by itself."""

    def __cinit__(self, *args, **kwargs):
        # Until __init__() has succeeded there is nothing to close.
        self._closed = True
        self.ready = ReadyQueue()
        self.due = []
        self.readers = {}
        self.writers = {}
        self.listeners = {}
        self.transports = {}
        self.scratch = cython.cast(cython.p_char, PyMem_RawMalloc(SCRATCH))
        if self.scratch == cython.NULL:
            raise MemoryError("no memory to read into")

    def __dealloc__(self):
        PyMem_RawFree(self.scratch)

    def __del__(self):
        # Where the base's __cinit__() failed, the attributes of this class are not even None.
        if cython.cast(cython.p_void, self.ready) != cython.NULL:
            StandardLoop.__del__(self)

    # Calls

    def call_soon(self, callback, *args, context=None):
        """Call ``callback(*args)`` in this round of the loop or the next.

        context: the contextvars.Context to call in; a copy of the current one if None.

        Calls are made in the order in which they were asked for. Returns a Handle.
        Raises RuntimeError if the loop is closed. Not thread-safe.
        """
        if self.state != OPEN:
            self.raise_closed()
        if self._debug:
            self._check_thread()
            self.check_call(callback, "call_soon")
        return self.soon(callback, args, context)

    def call_soon_threadsafe(self, callback, *args, context=None):
        """The same as `call_soon`, for other threads and signal handlers.

        Many calls before the loop wakes up cost one wake-up. The Handle, too, may be used
        by other threads: while the call is being made, its `cancel` and `cancelled` wait.
        """
        if self.state != OPEN:
            self.raise_closed()
        if self._debug:
            self.check_call(callback, "call_soon_threadsafe")
        handle: Handle = self.soon(callback, args, context)
        handle.threadsafe = True
        if self.alert and not self.waking:
            self.waking = True
            self.waker.wake_without_gil()
        return handle

    def call_later(self, delay, callback, *args, context=None):
        """Call ``callback(*args)`` after delay seconds; never earlier.

        Returns a TimerHandle. Raises RuntimeError if the loop is closed, ValueError for
        NaN. Not thread-safe.
        """
        if delay is None:
            raise TypeError("delay must not be None")
        return self.at(self.seconds() + cython.cast(cython.double, delay), callback, args, context)

    def call_at(self, when, callback, *args, context=None):
        """Call ``callback(*args)`` when the loop's `time` is ``when``; never earlier.

        Returns a TimerHandle. Raises RuntimeError if the loop is closed, ValueError for
        NaN. Not thread-safe.
        """
        if when is None:
            raise TypeError("when cannot be None")
        timer: TimerHandle = self.at(when, callback, args, context)
        if type(when) is not float:
            timer.given = when
        return timer

    def _system_time(self) -> float:
        """The loop's time in seconds, whatever has been put in the place of time()."""
        return cython.cast(cython.double, unpatched(self._clock).monotonic()) / 1e9

    def _patch_time(self, function, ready=True):
        """Have time() told by a function, or as before (None).

        ready: whether the function works by now; else its errors are ignored at first.
        """
        clock: Clock = unpatched(self._clock)
        self.clock = clock if function is None else PatchedClock(function, clock, ready)
        handle: TimerHandle
        for handle in self._scheduled:
            self.timers.move(handle, from_seconds(handle.moment))

    # The classes are looked up at each call, as asyncio does: tools replace them

    def create_future(self):
        """A new asyncio.Future of this loop."""
        return futures.Future(loop=self)

    def create_task(self, coro, **options):
        """A new asyncio.Task of this loop that runs a coroutine.

        options: those of asyncio.Task, such as name, context and eager_start. With a
        task factory set, that makes it. Raises RuntimeError if the loop is closed. Not
        thread-safe.
        """
        if self.state != OPEN:
            self.raise_closed()
        if self._task_factory is not None:
            return StandardLoop.create_task(self, coro, **options)
        return tasks.Task(coro, loop=self, **options)

    # Descriptors

    def add_reader(self, fd, callback, *args) -> None:
        """Call ``callback(*args)`` whenever fd is readable, until `remove_reader`.

        Replaces the reader that fd has. Raises ValueError for what is not a
        descriptor, RuntimeError if a transport uses it or the loop is closed, OSError
        for what the kernel can't watch: EBADF for a descriptor that is not open, EPERM
        for a regular file (with epoll).
        """
        self._ensure_fd_no_transport(fd)
        self._add_reader(fd, callback, *args)
        self.check_waits(self.readers, descriptor_of(fd))

    def remove_reader(self, fd) -> bool:
        """Call no longer when fd is readable. Returns whether it had a reader.

        fd may be a file object that has been closed since it was given to `add_reader`.
        """
        return self._remove_reader(self.watched_descriptor(fd))

    def add_writer(self, fd, callback, *args) -> None:
        """The same as `add_reader` for when fd is writable."""
        self._ensure_fd_no_transport(fd)
        self._add_writer(fd, callback, *args)
        self.check_waits(self.writers, descriptor_of(fd))

    def remove_writer(self, fd) -> bool:
        """The same as `remove_reader` for its writer."""
        return self._remove_writer(self.watched_descriptor(fd))

    def _add_reader(self, fd, callback, *args, context=None):
        return self.watch(self.readers, fd, EV_READ, callback, args, context)

    def _remove_reader(self, fd):
        return self.unwatch(self.readers, descriptor_of(fd))

    def _add_writer(self, fd, callback, *args, context=None):
        return self.watch(self.writers, fd, EV_WRITE, callback, args, context)

    def _remove_writer(self, fd):
        return self.unwatch(self.writers, descriptor_of(fd))

    def _ensure_fd_no_transport(self, fd):
        """Raises RuntimeError if a transport that is not closing uses fd."""
        reference = self.transports.get(descriptor_of(fd))
        transport = reference() if reference is not None else None
        if transport is not None and not transport.is_closing():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")

    # Transports and listeners

    def _make_socket_transport(
        self, sock, protocol, waiter=None, *, extra=None, server=None, context=None
    ):
        self._ensure_fd_no_transport(sock)
        return new_stream(self, sock, protocol, waiter, extra, server, context)

    def _make_ssl_transport(
        self,
        rawsock,
        protocol,
        sslcontext,
        waiter=None,
        *,
        extra=None,
        server=None,
        context=None,
        **options,
    ):
        self._ensure_fd_no_transport(rawsock)
        tls = FastSSLProtocol(self, protocol, sslcontext, waiter, **options)
        new_stream(self, rawsock, tls, None, extra, server, context)
        return tls._app_transport

    def _make_datagram_transport(self, sock, protocol, address=None, waiter=None, extra=None):
        self._ensure_fd_no_transport(sock)
        return new_datagram(self, sock, protocol, address, waiter, extra)

    def _start_serving(self, sock, server):
        listener: Listener = new_listener(self, sock, server)
        self.listeners[listener.fd] = listener
        listener.begin()
        error: cython.int = self.tell_at_once(listener)
        if error:
            listener.give_up()
            raise system_error(error)

    def _stop_serving(self, sock):
        listener: Listener = self.listeners.pop(sock.fileno(), None)
        if listener is not None:
            listener.end()
        sock.close()

    # What sock_recv() and its relatives do first: the result, or an Operation to wait for

    def _receive(self, sock, size):
        operation: Receive = Receive.__new__(Receive)
        operation.size = size
        return perform(operation, self, sock, EV_READ)

    def _receive_into(self, sock, room):
        operation: ReceiveInto = ReceiveInto.__new__(ReceiveInto)
        operation.room = room
        return perform(operation, self, sock, EV_READ)

    def _send_all(self, sock, data):
        operation: SendAll = SendAll.__new__(SendAll)
        operation.data = data
        return perform(operation, self, sock, EV_WRITE)

    def _accept(self, sock):
        return perform(Accept.__new__(Accept), self, sock, EV_READ)

    @property
    def _transport_references(self):
        """Descriptors that transports use, and a weak reference to each transport."""
        return self.transports

    def _open_descriptors(self):
        """Whatever the loop can't run without: not when there may be none left."""
        try:
            self.open_waker()
        except BaseException:
            Loop.close(self)
            raise

    def _forget(self):
        """Drop what a closed loop will not call any more."""
        self.counted = False
        self.ready.clear()
        self.due.clear()
        self.readers.clear()
        self.writers.clear()
        self.listeners.clear()

    def _show_ready(self):
        """The loop has ended: let the garbage collector see the calls that are left."""
        self.ready.rest()

    # What tools look at

    def _watched_descriptors(self):
        """Each descriptor with a reader or a writer, and their handles or None."""
        watched = {}
        for fd in {*self.readers, *self.writers, *self.listeners}:
            reader: CallbackIo = self.readers.get(fd)
            writer: CallbackIo = self.writers.get(fd)
            watched[fd] = (
                self.listeners.get(fd) if reader is None else reader.handle,
                None if writer is None else writer.handle,
            )
        return watched

    @property
    def _ready(self):
        return ReadyCalls(self.ready, self._take_ready, self.call_soon)

    @_ready.setter
    def _ready(self, queue):
        self.ready.clear()

    def _take_ready(self):
        """The handle of the next call that is ready, which is not made. Raises IndexError."""
        if not self.ready.count:
            raise IndexError("no call is ready")
        handle: Handle = take(self.ready)
        show(handle)
        return handle

    @property
    def _scheduled(self):
        """The calls that wait for their time, the next one first."""
        return sorted(
            [
                watcher
                for watcher in self.roster.watchers()
                if type(watcher) is TimerHandle and watcher.active
            ]
        )

    @_scheduled.setter
    def _scheduled(self, timers):
        pass

    def is_closed(self) -> bool:
        """Whether the loop has been closed."""
        return self._closed

    # Running

    def _run_until_stopped(self):
        """Pass after pass until stop(): what run_forever() does when all is set up."""
        self.check_open()
        self.enter()
        self.references += 1
        try:
            self.run(EVRUN_NOWAIT if self._stopping else 0)
        finally:
            self.references -= 1
            self.runs -= 1
            self.unnest()
            self.breaking = EVBREAK_CANCEL

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run(self, flags: cython.int) -> cython.int:
        outer: cython.bint = self.continuous
        self.continuous = flags == 0
        try:
            return Loop.run(self, flags)
        finally:
            self.continuous = outer

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def blocking_time(self, flags: cython.int) -> nanoseconds:
        return 0 if self.ready.count or self.due else Loop.blocking_time(self, flags)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        self.waking = False
        before: cython.uint = self.queue.lanes[RANK].count
        if self.driver is None:
            Loop.wait(self, timeout)
        else:
            self.wait_driven(timeout)
        self.ready_before = self.ready.count
        if self.queue.lanes[RANK].count > before + 1:
            put_in_order(self.queue, RANK, before)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait_driven(self, timeout: nanoseconds) -> cython.int:
        """Have the driver wait, and queue what it says is ready."""
        self.looked = False
        found: object = self.driver.select(self.seconds_to_wait(timeout))
        if not self.looked:
            # It knows nothing of the loop's own descriptors.
            Loop.wait(self, 0)
        fd: cython.int
        for key, events in found:
            if type(key.data) is not Handles:
                self._call_foreign(key, events)
                continue
            fd = key.fd
            if 0 <= fd < self.descriptors.capacity:
                feed(cython.address(self.descriptors.slots[fd]), events, self.queue)
        return 0

    @cython.cfunc
    def seconds_to_wait(self, timeout: nanoseconds) -> object:
        """As asyncio's loop says it: to the first timer exactly; None: for ever."""
        if timeout <= 0:
            return 0
        if timeout >= FOREVER:
            return None
        seconds: cython.double = cython.cast(cython.double, timeout) / 1e9
        if self.timers.count and timeout == self.timers.nodes[0].at - self.mono:
            first: object = cython.cast(object, self.timers.nodes[0].watcher)
            if type(first) is TimerHandle:
                seconds = cython.cast(TimerHandle, first).moment - self.seconds()
        return min(max(seconds, 0.0), LONGEST_SELECT)

    def _drive(self, selector):
        """Have a selector wait in place of the kernel; None: the kernel again."""
        self.driver = selector

    def _poll(self, timeout):
        """Wait as the loop does, seconds or None; the descriptors that are ready, and events."""
        self.check_open()
        self.looked = True
        self.waking = False
        self.hand_over_changes()
        self.passes += 1
        self.block(FOREVER if timeout is None else from_seconds(max(timeout, 0.0)))
        self.take_notice()
        found = pending_descriptors(self.queue)
        if self.kernel.woken or self.ready.count:
            found.append((self.waker.fd, EV_READ))
        return found

    @cython.cfunc
    @cython.exceptval(check=False)
    def hurries(self) -> cython.bint:
        return self.signals_pending != 0 or self.ready.count > 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def queue_idles(self) -> cython.int:
        return 0 if self.ready.count else Loop.queue_idles(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def invoke_pending(self) -> cython.int:
        if self.ready_before:
            self.invoke_lanes(RANK + 1)
            self.run_round()
        while self.queue.cursor >= RANK or self.due:
            self.invoke_lanes(RANK)
            self.run_due()
        if self.queue.cursor >= 0:
            self.invoke_lanes(0)
        while self.ready.count and self.only_calls():
            self.held += 1
            PyErr_CheckSignals()
            self.ready_before = self.ready.count
            self.run_round()
        self.count_ready()
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def only_calls(self) -> cython.bint:
        """Whether another pass would do nothing but make the calls that are ready."""
        return (
            self.continuous
            and self.driver is None
            and self.descriptors.linked == 0
            and self.timers.count == 0
            and self.dates.count == 0
            and self.queue.cursor < 0
            and self.prepares.count == 0
            and self.checks.count == 0
            and not self.wakeup_requested
            and self.signals_pending == 0
            and self.breaking == EVBREAK_CANCEL
            and not self.reset_requested
            and self.generation == forking.generation
            and self.held < 64
        )

    @cython.cfunc
    @cython.exceptval(check=False)
    def count_ready(self) -> cython.void:
        """Calls that are ready keep start() running, as an active watcher does."""
        if self.counted != (self.ready.count > 0):
            self.counted = not self.counted
            self.references += 1 if self.counted else -1

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_round(self) -> cython.int:
        """Make the calls that were ready when the look at the descriptors ended."""
        handle: Handle
        count: cython.Py_ssize_t = self.ready_before
        self.ready_before = 0
        self.audit_owed = True
        while count and self.ready.count:
            count -= 1
            handle = take(self.ready)
            if Py_REFCNT(cython.cast(cython.pointer[PyObject], handle)) > 1:
                show(handle)
            run_handle(handle)
            if Py_REFCNT(cython.cast(cython.pointer[PyObject], handle)) > 1:
                show(handle)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_due(self) -> cython.int:
        """Make the calls whose time has come."""
        due: list = self.due
        made: cython.Py_ssize_t = 0
        if not due:
            return 0
        self.due = []
        try:
            while made < len(due):
                made += 1
                run_timer(due[made - 1])
        finally:
            if made < len(due):
                self.due = due[made:] + self.due
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, watcher: Watcher, revents: cython.int) -> cython.int:
        if type(watcher) is TimerHandle:
            self.due.append(watcher)
            return 0
        if isinstance(watcher, ServedIo):
            return serve_io(self, cython.cast(ServedIo, watcher), revents)
        return Loop.serve(self, watcher, revents)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refuse(self, watcher: Watcher, error: cython.int) -> cython.int:
        """A descriptor can't be watched: what uses it is told, and the loop goes on."""
        if isinstance(watcher, ServedIo):
            cython.cast(ServedIo, watcher).end()
            return cython.cast(ServedIo, watcher).refused(error)
        if self._thread_id is None:
            return Loop.refuse(self, watcher, error)
        try:
            Loop.refuse(self, watcher, error)
        except OSError as failure:
            self.call_exception_handler({"message": "A watcher was stopped", "exception": failure})
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def audit_owners(self) -> cython.int:
        return refuse_closed(self)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signal_claimed(self, signum: cython.int) -> cython.int:
        share(self, signum, signum in self._signal_handlers)
        return 0

    @cython.cfunc
    def take_batch(self) -> DatagramBatch:
        """Room for datagrams, to be put back: one callback may lead to another."""
        batch: DatagramBatch = self.batch
        self.batch = None
        return DatagramBatch() if batch is None else batch

    # Steps

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def raise_closed(self) -> cython.int:
        raise RuntimeError("Event loop is closed")

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check_call(self, callback: object, method: str) -> cython.int:
        """In debug mode: is it something that can be called?"""
        if asyncio.iscoroutine(callback) or iscoroutinefunction(callback):
            raise TypeError(f"coroutines cannot be used with {method}()")
        if not callable(callback):
            raise TypeError(f"a callable object was expected by {method}(), got {callback!r}")
        return 0

    def _check_thread(self):
        """In debug mode: raises RuntimeError in a thread that does not run the loop."""
        if self._thread_id is not None and self._thread_id != threading.get_ident():
            raise RuntimeError(
                "Non-thread-safe operation invoked on an event loop other than the current one"
            )

    @cython.cfunc
    @cython.exceptval(-1, check=True)
    def seconds(self) -> cython.double:
        if type(self._clock) is PatchedClock:
            return cython.cast(PatchedClock, self._clock).function()
        return cython.cast(cython.double, self._clock.monotonic()) / 1e9

    @cython.cfunc
    def soon(self, callback: object, args: tuple, context: object) -> Handle:
        handle: Handle = new_handle(self, callback, args, context)
        if self.runs:
            hide(handle)
        append(self.ready, handle)
        return handle

    @cython.cfunc
    def at(
        self, when: cython.double, callback: object, args: tuple, context: object
    ) -> TimerHandle:
        if self.state != OPEN:
            self.raise_closed()
        if self._debug:
            self._check_thread()
            self.check_call(callback, "call_at")
        check_number("when", when)
        return new_timer_handle(self, when, callback, args, context)

    @cython.cfunc
    def watch(
        self,
        table: dict,
        file: object,
        events: cython.int,
        callback: object,
        args: tuple,
        context: object,
    ) -> object:
        """Have a handle called when file is ready; one that was there before is cancelled."""
        if self.state != OPEN:
            self.raise_closed()
        fd: cython.int = descriptor_of(file)
        handle: Handle = new_handle(self, callback, args, context)
        old: Handle
        io: CallbackIo = table.get(fd)
        if io is not None:
            io.handle, old = handle, io.handle
            old.cancel()
            if io.file is not file:
                # Another file may have got the number of one that was closed.
                self.descriptors.mark_changed(fd, DOUBTED)
            # What has come already was for the old one: asyncio shows the new one the next.
            self.take_back(io)
        else:
            io = new_callback_io(self, fd, events, handle)
            table[fd] = io
        io.file = file
        if table.get(fd) is io:
            io.begin()
            error: cython.int = self.tell_at_once(io)
            if error:
                self.unwatch(table, fd)
                raise system_error(error)
        return handle

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def watched_descriptor(self, file: object) -> cython.int:
        """The number of what no transport uses, or of what was closed while it was watched."""
        io: CallbackIo
        try:
            self._ensure_fd_no_transport(file)
            return descriptor_of(file)
        except ValueError:
            for table in (self.readers, self.writers):
                for io in cython.cast(dict, table).values():
                    if io.file is file:
                        return io.fd
            raise

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def check_waits(self, table: dict, fd: cython.int) -> cython.int:
        """A file that is always ready is refused, as asyncio's selector does."""
        if fd in table and not self.kernel.waits_for(fd):
            self.unwatch(table, fd)
            raise system_error(EPERM)
        return 0

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def unwatch(self, table: dict, fd: cython.int) -> cython.bint:
        io: CallbackIo = table.pop(fd, None)
        if io is None:
            return False
        io.handle.cancel()
        io.end()
        return True


@cython.cfunc
@cython.exceptval(-1, check=False)
def serve_io(loop: Core, io: ServedIo, revents: cython.int) -> cython.int:
    """What waits for a descriptor must not end the loop by an error of its own."""
    try:
        io.serve(revents)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        loop.call_exception_handler({"message": f"Exception in {io!r}", "exception": error})
    return 0


@cython.cfunc
def unpatched(clock: Clock) -> Clock:
    """The clock that time() was told by before it was replaced."""
    return cython.cast(PatchedClock, clock).base if type(clock) is PatchedClock else clock


@cython.cfunc
@cython.exceptval(-1, check=False)
def descriptor_of(fd: object) -> cython.int:
    if not isinstance(fd, int):
        try:
            fd = int(fd.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fd!r}") from None
    number: cython.int = fd
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {number}")
    return number
