"""Watching: add_reader() and its relatives, and whatever else waits for a descriptor.

Invariants: a descriptor has one reader and one writer at most, and its own CallbackIo
each; none of them while a transport that is not closing uses it. What descriptors bring
is served in the kernel's order; what waits for one never ends the loop by an error.
"""

import cython
from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.everloop.aio.calls.handle import RANK, Handle, new_handle
from cython.cimports.everloop.aio.calls.own_thread import check_thread
from cython.cimports.everloop.aio.calls.scheduling import Scheduling
from cython.cimports.everloop.aio.calls.turn import Turn
from cython.cimports.everloop.aio.descriptors.callback_io import CallbackIo, new_callback_io
from cython.cimports.everloop.aio.descriptors.kernel_order import put_in_order
from cython.cimports.everloop.aio.descriptors.operation import abandon, refuse_closed
from cython.cimports.everloop.aio.descriptors.served_io import ServedIo
from cython.cimports.everloop.clock import nanoseconds
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.queues.descriptors import DOUBTED
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.libc.errno import EPERM


@cython.cclass
class Watching(Scheduling):
    """What is to be called when a descriptor is ready."""

    def __cinit__(self, *args, **kwargs):
        self.readers = {}
        self.writers = {}
        self.transports = {}
        self.scratch = cython.cast(cython.p_char, PyMem_RawMalloc(SCRATCH))
        if self.scratch == cython.NULL:
            raise MemoryError("no memory to read into")

    def __dealloc__(self):
        PyMem_RawFree(self.scratch)

    def add_reader(self, fd, callback, *args) -> None:
        """Call ``callback(*args)`` whenever fd is readable, until `remove_reader`.

        Replaces the reader that fd has. Raises ValueError for what is not a
        descriptor, RuntimeError if a transport uses it or the loop is closed, OSError
        for what the kernel can't watch: EBADF for a descriptor that is not open, EPERM
        for a regular file (with epoll).
        """
        section: Section
        enter_loop(cython.address(section), self)
        self._ensure_fd_no_transport(fd)
        self._add_reader(fd, callback, *args)
        self.check_waits(self.readers, descriptor_of(fd))

    def remove_reader(self, fd) -> bool:
        """Call no longer when fd is readable. Returns whether it had a reader.

        A `sock_recv` or the like that waits is never woken then, but when it is cancelled.
        fd may be a file object that has been closed since it was given to `add_reader`.
        """
        section: Section
        enter_loop(cython.address(section), self)
        number: cython.int = self.watched_descriptor(fd)
        removed: cython.bint = self._remove_reader(number)
        return abandon(self, number, EV_READ) or removed

    def add_writer(self, fd, callback, *args) -> None:
        """The same as `add_reader` for when fd is writable."""
        section: Section
        enter_loop(cython.address(section), self)
        self._ensure_fd_no_transport(fd)
        self._add_writer(fd, callback, *args)
        self.check_waits(self.writers, descriptor_of(fd))

    def remove_writer(self, fd) -> bool:
        """The same as `remove_reader` for its writer."""
        section: Section
        enter_loop(cython.address(section), self)
        number: cython.int = self.watched_descriptor(fd)
        removed: cython.bint = self._remove_writer(number)
        return abandon(self, number, EV_WRITE) or removed

    def _add_reader(self, fd, callback, *args, context=None):
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        return self.watch(self.readers, fd, EV_READ, callback, args, context)

    def _remove_reader(self, fd):
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        return self.unwatch(self.readers, descriptor_of(fd))

    def _add_writer(self, fd, callback, *args, context=None):
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        return self.watch(self.writers, fd, EV_WRITE, callback, args, context)

    def _remove_writer(self, fd):
        section: Section
        enter_loop(cython.address(section), self)
        check_thread(self)
        return self.unwatch(self.writers, descriptor_of(fd))

    def _ensure_fd_no_transport(self, fd):
        """Raises RuntimeError if a transport that is not closing uses fd."""
        reference = self.transports.get(descriptor_of(fd))
        transport = reference() if reference is not None else None
        if transport is not None and not transport.is_closing():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")

    # In a pass

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def wait(self, timeout: nanoseconds) -> cython.int:
        before: cython.uint = self.queue.lanes[RANK].count
        Turn.wait(self, timeout)
        if self.queue.lanes[RANK].count > before + 1:
            put_in_order(self.queue, RANK, before)
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def is_for_handle(self, watcher: Watcher) -> cython.bint:
        return type(watcher) is CallbackIo or Turn.is_for_handle(self, watcher)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def serve(self, watcher: Watcher, revents: cython.int) -> cython.int:
        if isinstance(watcher, ServedIo):
            return serve_io(self, cython.cast(ServedIo, watcher), revents)
        return Turn.serve(self, watcher, revents)

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def refuse(self, watcher: Watcher, error: cython.int) -> cython.int:
        """A descriptor can't be watched: what uses it is told, and the loop goes on."""
        if isinstance(watcher, ServedIo):
            cython.cast(ServedIo, watcher).end()
            return cython.cast(ServedIo, watcher).refused(error)
        if self.runner == 0:
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

    # Steps

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
    def unwatch(self, table: dict, fd: cython.int) -> cython.bint:
        io: CallbackIo = table.pop(fd, None)
        if io is None:
            return False
        io.handle.cancel()
        io.end()
        return True

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
        except OverflowError:
            return NUMBER_OF_NONE

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
def serve_io(loop: Watching, io: ServedIo, revents: cython.int) -> cython.int:
    """What waits for a descriptor must not end the loop by an error of its own."""
    try:
        io.serve(revents)
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        loop.call_exception_handler({"message": f"Exception in {io!r}", "exception": error})
    return 0


@cython.cfunc
@cython.exceptval(-1, check=False)
def descriptor_of(fd: object) -> cython.int:
    if not isinstance(fd, int):
        try:
            fd = int(fd.fileno())
        except (AttributeError, TypeError, ValueError):
            raise ValueError(f"Invalid file object: {fd!r}") from None
    try:
        number: cython.int = fd
    except OverflowError:
        if fd > 0:
            raise
        number = -1
    if number < 0:
        raise ValueError(f"Invalid file descriptor: {fd}")
    return number
