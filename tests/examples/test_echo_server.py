"""examples/echo_server.py: real connections, well behaved and not."""

import contextlib
import resource
import signal
import socket
import struct
import threading

import pytest
from patience import patient

PATIENCE = patient(30)


@pytest.fixture
def server(run_example):
    return run_example("echo_server.py", "--port", "0")


@pytest.fixture
def connect(server):
    address = server.address()
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(address, PATIENCE))


def receive(client, size):
    data = bytearray()
    while len(data) < size and (more := client.recv(65536)):
        data += more
    return bytes(data)


def test_echo_to_several(server, connect):
    clients = [connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    for number, client in enumerate(clients):
        assert receive(client, len(str(number))) == b"%d" % number
    assert "Error" not in server.end(signal.SIGTERM)
    assert clients[0].recv(1) == b""


def test_more_than_the_buffers_hold(server, connect):
    client = connect()
    data = bytes(range(256)) * 64 * 1024

    def send():
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    # What comes back after the end of sending is not cut off.
    assert receive(client, len(data) + 1) == data
    sender.join()
    server.expect("closed$")
    server.end(signal.SIGINT)


def test_a_reset_hurts_nobody_else(server, connect):
    rude, polite = connect(), connect()
    rude.sendall(b"x")
    assert receive(rude, 1) == b"x"
    rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rude.close()
    server.expect("lost: .*reset")
    polite.sendall(b"still there?")
    assert receive(polite, 12) == b"still there?"
    server.end()


def test_out_of_descriptors(server, connect):
    first = connect()
    first.sendall(b"1")
    assert receive(first, 1) == b"1"
    used = 64
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, used))
    clients = [connect() for _ in range(used)]
    server.expect("can't accept: .*Too many open files")
    # Those that were accepted are served meanwhile, and the last one in the end.
    first.sendall(b"2")
    assert receive(first, 1) == b"2"
    for client in clients[:-1]:
        client.close()
    clients[-1].sendall(b"3")
    assert receive(clients[-1], 1) == b"3"
    assert server.end().count("can't accept") < 20
