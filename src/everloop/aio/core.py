"""Core: the compiled part of EventLoop, whose rooms are its bases.

    Loop <- Turn <- Scheduling <- Watching <- Driving <- Carrying <- Core

Each base knows those before it only. Here is what concerns them all: sock_recv() and
its relatives, what tools look at, and the end.
"""

import asyncio
import collections
import os
from types import CoroutineType

import cython
from cython.cimports.everloop.aio.descriptors.callback_io import CallbackIo
from cython.cimports.everloop.aio.descriptors.operation import (
    Accept,
    Receive,
    ReceiveInto,
    SendAll,
    perform,
)
from cython.cimports.everloop.aio.transports.carrying import Carrying
from cython.cimports.everloop.constants import EV_READ, EV_WRITE
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.sys.threads import Section
from cython.cimports.everloop.watcher import Watcher
from cython.cimports.everloop.watchers.io import Io

from everloop.aio.awaiting import Awaited
from everloop.aio.descriptors.selecting import ReadyCalls
from everloop.process.signals import share

StandardLoop = asyncio.SelectorEventLoop


@cython.cclass
class Core(Carrying):
    """The compiled part of EventLoop; not to be used by itself."""

    def __cinit__(self, *args, **kwargs):
        # Until __init__() has succeeded there is nothing to close.
        self._closed = True
        self.runs_coroutines = True
        self.callback_tasks = set()

    def __del__(self):
        # Where a base's __cinit__() failed, the attributes of those after it are not even None.
        # While the interpreter ends, the names of this module are None.
        made: cython.bint = cython.cast(cython.p_void, self.listeners) != cython.NULL
        if made and self.listeners is not None and StandardLoop is not None:
            StandardLoop.__del__(self)

    # Watchers and coroutines

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def run_coroutine(self, answer: object) -> cython.int:
        """A task runs what an async callback has returned, and is kept until it is done."""
        if type(answer) is not CoroutineType:
            return 0
        task: object = self.create_task(answer)
        self.callback_tasks.add(task)
        task.add_done_callback(self.callback_tasks.discard)
        return 0

    @cython.cfunc
    def stand_in(self) -> object:
        return Awaited()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def told(self, watcher: Watcher, refusal: object) -> cython.bint:
        if type(watcher._callback) is not Awaited:
            return False
        watcher._callback.fail(refusal)
        return True

    def _start_awaited(self, watcher: Watcher) -> None:
        """Start a watcher that is waited for; OSError if the kernel can't watch its descriptor."""
        watcher.start()
        error: cython.int = self.tell_at_once(watcher) if isinstance(watcher, Io) else 0
        if error:
            watcher.stop()
            raise OSError(error, f"{os.strerror(error)}: {watcher!r} can't be watched")

    # What sock_recv() and its relatives do first: the result, or an Operation to wait for

    def _receive(self, sock, size):
        section: Section
        enter_loop(cython.address(section), self)
        operation: Receive = Receive.__new__(Receive)
        operation.size = size
        return perform(operation, self, sock, EV_READ)

    def _receive_into(self, sock, room):
        section: Section
        enter_loop(cython.address(section), self)
        operation: ReceiveInto = ReceiveInto.__new__(ReceiveInto)
        operation.room = room
        return perform(operation, self, sock, EV_READ)

    def _send_all(self, sock, data):
        section: Section
        enter_loop(cython.address(section), self)
        operation: SendAll = SendAll.__new__(SendAll)
        operation.data = data
        return perform(operation, self, sock, EV_WRITE)

    def _accept(self, sock):
        section: Section
        enter_loop(cython.address(section), self)
        return perform(Accept.__new__(Accept), self, sock, EV_READ)

    # What tools look at

    def _watched_descriptors(self):
        """Each descriptor with a reader or a writer, and their handles or None."""
        section: Section
        enter_loop(cython.address(section), self)
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
        section: Section
        enter_loop(cython.address(section), self)
        self.take_mail()
        return ReadyCalls(self.ready, self._take_ready, self._put_ready)

    @_ready.setter
    def _ready(self, queue):
        section: Section
        enter_loop(cython.address(section), self)
        # A queue of calls of one's own is taken over; anything else, as a mock, changes nothing.
        if isinstance(queue, (collections.deque, list)):
            handles: list = list(queue)
            self.take_mail()
            self.ready.clear()
            for handle in handles:
                self._put_ready(handle)

    # Opening and closing

    def _open_descriptors(self):
        """Whatever the loop can't run without: not when there may be none left."""
        section: Section
        enter_loop(cython.address(section), self)
        self.kernel.in_order = True
        try:
            self.open_waker()
        except BaseException:
            Loop.close(self)
            raise

    def is_closed(self) -> bool:
        """Whether the loop has been closed."""
        return self._closed

    def _forget(self):
        """Drop what a closed loop will not call any more."""
        section: Section
        enter_loop(cython.address(section), self)
        self.counted = False
        self.take_mail()
        self.ready.clear()
        self.due.clear()
        self.readers.clear()
        self.writers.clear()
        self.listeners.clear()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def signal_claimed(self, signum: cython.int) -> cython.int:
        share(self, signum, signum in self._signal_handlers)
        return 0
