"""guest_tk.py: coroutines beside a window, on a display of the test's own."""

import os
import shutil
import signal
import socket
import subprocess

import pytest
from patience import patient


@pytest.fixture(scope="module")
def display():
    """An X server without a screen; its display."""
    pytest.importorskip("tkinter", reason="this Python has no tkinter (apt-get install python3-tk)")
    if not shutil.which("Xvfb"):
        pytest.skip("there is no Xvfb (apt-get install xvfb)")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24"],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with open(reading) as told:
        number = told.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(patient(30))


def test_the_window_and_the_loop_are_served(run_example, display):
    example = run_example("guest_tk.py", "--port", "0", env=os.environ | {"DISPLAY": display})
    with socket.create_connection(example.address(), patient(10)) as connection:
        answers = connection.makefile("rb")
        for line in ("one", "two"):
            connection.sendall(f"{line}\n".encode())
            example.expect(f"the window shows: {line}")
            assert answers.readline() == f"{line}\n".encode()
        answers.close()
    example.end(signal.SIGTERM)


def test_without_a_display(run_example):
    pytest.importorskip("tkinter", reason="this Python has no tkinter (apt-get install python3-tk)")
    names = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    assert "there is no display" in run_example("guest_tk.py", env=names).ends(1)
