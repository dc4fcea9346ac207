"""examples/embedded_loop.py: both loops are served."""

import signal
import socket
import subprocess

from patience import patient

PATIENCE = patient(30)


def test_both_loops(run_example):
    example = run_example("embedded_loop.py", "--port", "0", stdin=subprocess.PIPE)
    address = example.address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        for number in range(10):
            client.sendto(b"%d" % number, address)
            assert client.recv(100) == b"%d" % number
            example.expect(f"library: {number}")
            example.process.stdin.write(f"line {number}\n")
            example.process.stdin.flush()
            example.expect(f"application: line {number}")
    example.process.stdin.close()
    example.ends()


def test_signal(run_example):
    example = run_example("embedded_loop.py", "--port", "0", stdin=subprocess.PIPE)
    example.address()
    example.end(signal.SIGTERM)
