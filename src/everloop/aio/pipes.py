"""Pipes: the standard library's transports of pipes and subprocesses, each in one context."""

import contextvars

from everloop.aio.stdlib import ReadPipeTransport, WritePipeTransport
from everloop.aio.transport import call_in


class Pipes:
    """The part of EventLoop that makes transports of pipes."""

    def _make_read_pipe_transport(self, pipe, protocol, waiter=None, extra=None):
        return ReadPipeTransport(LoopInContext(self), pipe, protocol, waiter, extra)

    def _make_write_pipe_transport(self, pipe, protocol, waiter=None, extra=None):
        return WritePipeTransport(LoopInContext(self), pipe, protocol, waiter, extra)


class LoopInContext:
    """What a transport takes for its loop: all that it asks for happens in one context.

    That is a copy of the one in which the transport was asked for; what its protocol sets
    there, it finds again.
    """

    def __init__(self, loop):
        self._loop = loop
        self._context = contextvars.copy_context()

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def call_soon(self, callback, *args):
        return self._loop.call_soon(call_in, self._context, callback, *args)

    def create_task(self, coro):
        return self._loop.create_task(coro, context=self._context)

    def _add_reader(self, fd, callback, *args):
        return self._loop._add_reader(fd, call_in, self._context, callback, *args)

    def _add_writer(self, fd, callback, *args):
        return self._loop._add_writer(fd, call_in, self._context, callback, *args)
