"""guest_select.py: a main loop of select(), with an EventLoop as its guest."""

import signal
import socket
import subprocess

from patience import patient


def test_both_are_served(run_example):
    example = run_example("guest_select.py", "--port", "0", stdin=subprocess.PIPE)
    address = example.address()
    with socket.create_connection(address, patient(10)) as connection:
        connection.sendall(b"one\n")
        example.expect("guest: one")
        example.process.stdin.write("two\n")
        example.process.stdin.flush()
        example.expect("host: two")
        connection.sendall(b"three\n")
        answers = connection.makefile("rb")
        assert [answers.readline(), answers.readline()] == [b"one\n", b"three\n"]
        answers.close()
    example.process.stdin.close()
    example.ends()


def test_it_ends_by_a_signal_with_a_connection_open(run_example):
    example = run_example("guest_select.py", "--port", "0", stdin=subprocess.PIPE)
    with socket.create_connection(example.address(), patient(10)) as connection:
        connection.sendall(b"line\n")
        example.expect("guest: line")
        example.end(signal.SIGTERM)


def test_a_port_in_use(run_example):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "can't listen" in run_example("guest_select.py", "--port", port).ends(1)
