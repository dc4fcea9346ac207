"""SocketTransport: what all transports tell about themselves, and how they end unclosed."""

import asyncio
import contextvars
import gc
import os
import socket
import warnings
import weakref

import pytest

import everloop

from .helpers import Recorder, connected, connection, tcp_pair, unix_pair


def test_kinds(run):
    async def main():
        async with connection() as here:
            assert isinstance(here.transport, asyncio.Transport)
            assert isinstance(here.transport, asyncio.ReadTransport)
            assert isinstance(here.transport, asyncio.WriteTransport)
            assert isinstance(here.transport, asyncio.transports._FlowControlMixin)
            assert not isinstance(here.transport, asyncio.DatagramTransport)
            with pytest.raises(TypeError):
                type(here.transport)()

    run(main())


def test_every_method_of_asyncio_is_there(run):
    async def main():
        async with connection() as here:
            names = {name for name in dir(asyncio.Transport) if not name.startswith("_")}
            assert names <= set(dir(here.transport))

    run(main())


def test_extra_info(run):
    async def main():
        async with connection() as here:
            transport = here.transport
            sock = transport.get_extra_info("socket")
            assert sock.fileno() >= 0 and sock.family == socket.AF_INET
            assert transport.get_extra_info("sockname") == here.peer.getpeername()
            assert transport.get_extra_info("peername") == here.peer.getsockname()
            assert transport.get_extra_info("nothing") is None
            assert transport.get_extra_info("nothing", "default") == "default"
            assert transport.get_extra_info("sslcontext") is None
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            with pytest.raises((AttributeError, TypeError)):
                sock.recv(1)
            transport.abort()
            await here.protocol.gets("lost")
            await asyncio.sleep(0)
            assert transport.get_extra_info("peername") == here.peer.getsockname()
            assert transport.get_extra_info("sockname") == here.peer.getpeername()

    run(main())


@pytest.mark.parametrize("asked_first", [True, False])
def test_extra_info_of_an_accepted_connection(loop, run, asked_first):
    """Is the same after the connection is closed, whether somebody asked before or not."""

    async def main():
        protocol = Recorder()
        server = await loop.create_server(lambda: protocol, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as client:
            await protocol.gets("made")
            expected = client.getpeername(), client.getsockname()
            names = "sockname", "peername"
            info = protocol.transport.get_extra_info
            if asked_first:
                assert tuple(map(info, names)) == expected
                assert info("socket").getsockname() == expected[0]
            protocol.transport.abort()
            await protocol.gets("lost")
            await asyncio.sleep(0)
            assert tuple(map(info, names)) == expected
            assert info("socket") is not None
        server.close()
        await server.wait_closed()

    run(main())


def test_extra_info_of_ipv6(loop, run):
    async def main():
        protocol = Recorder()
        try:
            server = await loop.create_server(lambda: protocol, "::1", 0)
        except OSError:
            pytest.skip("no IPv6 here")
        with socket.create_connection(server.sockets[0].getsockname()[:2]) as client:
            await protocol.gets("made")
            assert protocol.transport.get_extra_info("peername") == client.getsockname()
            assert protocol.transport.get_extra_info("sockname") == client.getpeername()
            protocol.transport.abort()
            await protocol.gets("lost")
        server.close()
        await server.wait_closed()

    run(main())


def test_extra_info_of_unix_sockets(loop, run, tmp_path):
    async def main():
        for path in str(tmp_path / "socket"), f"\0everloop-{os.getpid()}":
            protocol = Recorder()
            server = await loop.create_unix_server(lambda p=protocol: p, path)
            transport, client = await loop.create_unix_connection(Recorder, path)
            await protocol.gets("made")
            real = server.sockets[0].getsockname()
            assert transport.get_extra_info("peername") == real
            assert protocol.transport.get_extra_info("sockname") == real
            assert protocol.transport.get_extra_info("peername") == ""
            for each in protocol, client:
                each.transport.abort()
                await each.gets("lost")
            server.close()
            await server.wait_closed()

    run(main())


def test_repr(run):
    async def main():
        async with connection() as here:
            text = repr(here.transport)
            fd = here.transport.get_extra_info("socket").fileno()
            assert f"fd={fd}" in text and "read=polling" in text and "write=<idle" in text
            here.transport.pause_reading()
            assert "read=idle" in repr(here.transport)
            here.transport.close()
            assert "closing" in repr(here.transport)
            await here.protocol.gets("lost")
            await asyncio.sleep(0)
            assert "closed" in repr(here.transport)

    run(main())


def test_weak_references_and_attributes(run):
    async def main():
        async with connection() as here:
            assert weakref.ref(here.transport)() is here.transport
            assert {here.transport: 1}[here.transport] == 1

    run(main())


def test_everything_after_the_end(run):
    """No method of a closed transport fails, but for those that say so."""

    async def main():
        async with connection() as here:
            transport = here.transport
            transport.abort()
            await here.protocol.gets("lost")
            await asyncio.sleep(0)
            transport.close()
            transport.abort()
            transport.write(b"x")
            transport.writelines([b"x"])
            transport.write_eof()
            transport.pause_reading()
            transport.resume_reading()
            transport.set_write_buffer_limits(1)
            transport.set_protocol(here.protocol)
            assert transport.is_closing() and not transport.is_reading()
            assert transport.get_write_buffer_size() == 0
            assert transport.can_write_eof()
            repr(transport)
            await asyncio.sleep(0.001)
            assert here.protocol.calls.count("lost") == 1

    run(main())


def test_readers_of_a_transports_descriptor_are_refused(loop, run):
    async def main():
        async with connection() as here:
            sock = here.transport.get_extra_info("socket")
            for method in "add_reader", "add_writer":
                with pytest.raises(RuntimeError, match="is used by transport"):
                    getattr(loop, method)(sock.fileno(), int)
            for method in "remove_reader", "remove_writer":
                with pytest.raises(RuntimeError, match="is used by transport"):
                    getattr(loop, method)(sock.fileno())

    run(main())


def test_protocol_runs_in_the_context_of_its_maker(run):
    variable = contextvars.ContextVar("variable")

    class Noting(Recorder):
        def note(self, what):
            super().note(what)
            contexts.append((what, variable.get(None)))

    async def main():
        variable.set("mine")
        async with connection(Noting()) as here:
            here.peer.send(b"x")
            await here.protocol.gets("data")
            here.peer.shutdown(socket.SHUT_WR)
            await here.protocol.gets("lost")

    contexts = []
    run(main())
    assert contexts == [(what, "mine") for what in ("made", "data", "eof", "lost")]


# Transports that nobody closes


def unclosed(loop):
    async def main():
        one, peer = unix_pair()
        one.setblocking(False)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
        return transport, peer

    return loop.run_until_complete(main())


def test_dropped_transport_is_closed_with_a_warning(loop):
    transport, peer = unclosed(loop)
    transport.pause_reading()
    # The collector may come to its socket first, which warns for itself.
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del transport
        gc.collect()
    assert any("unclosed transport" in str(each.message) for each in seen)
    peer.settimeout(5)
    assert peer.recv(1) == b""
    peer.close()


def test_reading_transport_is_kept(loop, run):
    transport, peer = unclosed(loop)
    gone = weakref.ref(transport)
    del transport
    gc.collect()
    assert gone() is not None
    gone().abort()
    run(asyncio.sleep(0.001))
    peer.close()


def test_loop_closed_with_live_transports():
    loop = everloop.new_event_loop()
    transport, peer = unclosed(loop)
    loop.close()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        del transport
        gc.collect()
    assert any("unclosed transport" in str(each.message) for each in seen)
    peer.settimeout(5)
    assert peer.recv(1) == b""
    peer.close()


@pytest.mark.parametrize("method", ["close", "abort"])
def test_ending_a_transport_after_its_loop(method):
    """asyncio raises RuntimeError, since nothing can be called; or the socket is closed."""
    loop = everloop.new_event_loop()
    transport, peer = unclosed(loop)
    loop.close()
    peer.setblocking(False)
    try:
        getattr(transport, method)()
    except RuntimeError as error:
        assert "closed" in str(error)
    else:
        assert peer.recv(1) == b""
    finally:
        peer.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del transport
            gc.collect()


def test_other_methods_after_the_loop_is_closed(run_program):
    run_program(
        """
        import asyncio, warnings
        warnings.simplefilter("ignore")
        loop = ev.new_event_loop()
        one, peer = socket.socketpair()
        one.setblocking(False)
        peer.setblocking(False)
        transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=one))
        loop.close()
        for call in (
            lambda: transport.write(b"x"),
            lambda: transport.write(bytes(10_000_000)),
            lambda: transport.writelines([b"x"]),
            transport.pause_reading,
            transport.resume_reading,
            transport.write_eof,
            lambda: transport.get_extra_info("socket"),
            transport.get_write_buffer_size,
            lambda: repr(transport),
            transport.close,
            transport.abort,
        ):
            raised(call)
        del transport
        gc.collect()
        print("alive")
        """,
        "alive",
    )


def test_socket_closed_under_a_transport(run, handled):
    """The descriptor may be somebody else's by then, and is left alone."""

    async def main():
        async with connected() as (near, far):
            os.close(near.transport.get_extra_info("socket").fileno())
            await far.gets("lost")
            near.transport.abort()
            await near.gets("lost")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run(main())
        except OSError as error:
            raise AssertionError("the loop stopped") from error
    del handled[:]


def test_idle_connections_that_are_reset_in_masses(loop, run):
    async def main():
        protocols = []
        for _ in range(100):
            one, peer = tcp_pair()
            one.setblocking(False)
            _, protocol = await loop.create_connection(Recorder, sock=one)
            protocols.append(protocol)
            peer.close()
        for protocol in protocols:
            await protocol.gets("lost")
        await asyncio.sleep(0)

    run(main())
