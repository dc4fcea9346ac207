"""Carrying: the transports and listeners of a loop, and the memory they share.

Invariants: transports has each descriptor that a transport uses, listeners each that is
listened to. The loop lends its memory for the time of one call: whoever takes a batch
or the spare bytes leaves None, so that a callback that leads to another finds it gone.
"""

import cython
from cython.cimports.everloop.aio.descriptors.driving import Driving
from cython.cimports.everloop.aio.transports.datagram import new_datagram
from cython.cimports.everloop.aio.transports.datagram_batch import DatagramBatch
from cython.cimports.everloop.aio.transports.listener import Listener, new_listener
from cython.cimports.everloop.aio.transports.stream import new_stream
from cython.cimports.everloop.engine.failures import system_error
from cython.cimports.everloop.engine.inline import enter_loop
from cython.cimports.everloop.sys.threads import Section

from everloop.aio.transports.tls import FastSSLProtocol


@cython.cclass
class Carrying(Driving):
    """Makes transports and listeners."""

    def __cinit__(self, *args, **kwargs):
        self.listeners = {}

    def _make_socket_transport(
        self, sock, protocol, waiter=None, *, extra=None, server=None, context=None
    ):
        section: Section
        enter_loop(cython.address(section), self)
        self._check_own_thread()
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
        section: Section
        enter_loop(cython.address(section), self)
        self._check_own_thread()
        self._ensure_fd_no_transport(rawsock)
        tls = FastSSLProtocol(self, protocol, sslcontext, waiter, **options)
        new_stream(self, rawsock, tls, None, extra, server, context)
        return tls._app_transport

    def _make_datagram_transport(self, sock, protocol, address=None, waiter=None, extra=None):
        section: Section
        enter_loop(cython.address(section), self)
        self._check_own_thread()
        self._ensure_fd_no_transport(sock)
        return new_datagram(self, sock, protocol, address, waiter, extra)

    def _start_serving(self, sock, server):
        section: Section
        enter_loop(cython.address(section), self)
        self._check_own_thread()
        listener: Listener = new_listener(self, sock, server)
        self.listeners[listener.fd] = listener
        listener.begin()
        error: cython.int = self.tell_at_once(listener)
        if error:
            listener.give_up()
            raise system_error(error)

    def _stop_serving(self, sock):
        section: Section
        enter_loop(cython.address(section), self)
        self._check_own_thread()
        listener: Listener = self.listeners.pop(sock.fileno(), None)
        if listener is not None:
            listener.end()
        sock.close()

    @property
    def _transport_references(self):
        """Descriptors that transports use, and a weak reference to each transport."""
        return self.transports

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def tell_counts(self, counts: dict) -> cython.int:
        Driving.tell_counts(self, counts)
        counts["transports"] = len(self.transports)
        counts["transports_made"] = self.transports_made
        counts["bytes_received"] = self.received
        counts["bytes_sent"] = self.sent
        return 0

    @cython.cfunc
    def take_batch(self) -> DatagramBatch:
        """Room for datagrams, to be put back: one callback may lead to another."""
        batch: DatagramBatch = self.batch
        self.batch = None
        return DatagramBatch() if batch is None else batch
