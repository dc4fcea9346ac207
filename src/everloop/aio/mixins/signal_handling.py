"""Signal handlers of an EventLoop, as asyncio has them.

Python's own handler for a signal does nothing; that the signal came is told through a
pair of sockets, of which Python writes to one end (signal.set_wakeup_fd) and the loop
reads from the other. So programs may put another Python handler in the place of ours,
as they do with asyncio, and both are called.

The pair takes some hundred signals. Those that come while it is full are noted by our Python
handler, so that none is lost that came with many others.

A `Signal` watcher of the same loop takes the signal before Python sees it. It passes it
on while there is a handler here.

A forked child has a pair of its own, with the numbers of the parent's: what the child
gets is none of the parent's business.
"""

import asyncio
import errno
import inspect
import os
import signal
import socket
import threading
import weakref
from asyncio import events

from everloop.errors import Error
from everloop.process.signals import check_available, share

# Those that have a pair.
loops = weakref.WeakSet()

# When so many are read at once, the pair may have been full.
MANY = 100


class SignalHandling:
    """The part of EventLoop that has signal handlers."""

    _signal_reader = _signal_writer = None
    _signals_noted = frozenset()

    def add_signal_handler(self, sig, callback, *args):
        """Call ``callback(*args)`` in the loop whenever the signal comes.

        In the main thread only. Python's handler for the signal is replaced, by one that
        does nothing. Raises ValueError for what is not a signal, RuntimeError for one that
        can't be caught or in another thread.
        """
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)
        self._check_closed()
        try:
            check_available(self, sig)
        except (Error, ValueError) as error:
            raise RuntimeError(f"sig {int(sig)} cannot be caught: {error}") from error
        self._open_signal_pair()
        self._signal_handlers[sig] = events.Handle(callback, args, self, None)
        try:
            signal.signal(sig, ignore)
            signal.siginterrupt(sig, False)
        except OSError as error:
            del self._signal_handlers[sig]
            self._close_signal_pair()
            if error.errno == errno.EINVAL:
                raise RuntimeError(f"sig {sig} cannot be caught") from error
            raise
        share(self, sig, True)

    def remove_signal_handler(self, sig):
        """Call no longer when the signal comes. Returns whether there was a handler.

        The signal does again what it does by default.
        """
        self._check_signal(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        default = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
        signal.signal(sig, default)
        share(self, sig, False)
        self._close_signal_pair()
        return True

    def _handle_signal(self, sig):
        handle = self._signal_handlers.get(sig)
        if handle is None:
            return
        if handle.cancelled():
            self.remove_signal_handler(sig)
        else:
            self.call_soon(handle._run)

    def _read_signals(self):
        try:
            arrived = self._signal_reader.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        noted, self._signals_noted = self._signals_noted, set()
        if len(arrived) >= MANY:
            arrived = [*arrived, *noted.difference(arrived)]
        for sig in arrived:
            self._handle_signal(sig)

    def _open_signal_pair(self):
        """Have signals told here. Raises RuntimeError in any but the main thread."""
        pair = self._signal_reader, self._signal_writer
        if self._signal_reader is None:
            pair = socket.socketpair()
        try:
            for end in pair:
                end.setblocking(False)
            signal.set_wakeup_fd(pair[1].fileno(), warn_on_full_buffer=False)
        except ValueError as error:
            if self._signal_reader is None:
                close_both(pair)
            raise RuntimeError(str(error)) from error
        if self._signal_reader is None:
            self._signal_reader, self._signal_writer = pair
            loops.add(self)
            self._signals_noted = set()
            self._add_reader(self._signal_reader.fileno(), self._read_signals)

    def _listen_to_signals(self):
        """The loop begins to run: in a forked child, or after another loop, it has to."""
        if self._signal_handlers and threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._signal_writer.fileno(), warn_on_full_buffer=False)

    def _close_signal_pair(self):
        """When there is no handler left."""
        if self._signal_handlers or self._signal_reader is None:
            return
        signal.set_wakeup_fd(-1)
        loops.discard(self)
        self._remove_reader(self._signal_reader.fileno())
        close_both((self._signal_reader, self._signal_writer))
        self._signal_reader = self._signal_writer = None

    def _renew_signal_pair(self):
        """In a forked child: other sockets under the same numbers."""
        pair = socket.socketpair()
        try:
            for end, mine in zip(pair, (self._signal_reader, self._signal_writer), strict=True):
                end.setblocking(False)
                os.dup2(end.fileno(), mine.fileno(), inheritable=False)
        finally:
            close_both(pair)


def ignore(signum, frame):
    """Python's handler: the loop is told by the pair, if there is room in it."""
    for loop in loops:
        loop._signals_noted.add(signum)


def close_both(pair):
    for end in pair:
        end.close()


def renew_pairs():
    for loop in list(loops):
        loop._renew_signal_pair()


os.register_at_fork(after_in_child=renew_pairs)
