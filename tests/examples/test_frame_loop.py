"""examples/frame_loop.py: messages and timers while frames are drawn."""

import signal
import socket

from patience import patient

PATIENCE = patient(30)


def test_messages_and_timers_between_frames(run_example):
    example = run_example("frame_loop.py", "--port", "0", "--report", "0.05")
    address = example.address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        for number in range(100):
            client.sendto(b"%d" % number, address)
            assert client.recv(100) == b"%d" % number
    example.expect(r"frame \d+, messages 100,")
    frame = int(example.expect(r"frame (\d+),")[1])
    while int(example.expect(r"frame (\d+),")[1]) <= frame:
        pass
    example.end(signal.SIGINT)


def test_a_flood_does_not_stop_the_frames(run_example):
    example = run_example("frame_loop.py", "--port", "0", "--budget", "1", "--frames", "60")
    address = example.address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        while example.process.poll() is None:
            client.sendto(b"flood", address)
    assert "ended after frame 60" in example.ends()


def test_frames_alone(run_example):
    output = run_example("frame_loop.py", "--port", "0", "--frames", "5", "--fps", "1000").ends()
    assert "ended after frame 5" in output
