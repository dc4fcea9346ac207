"""python -m everloop top and watch, as a terminal and a script see them."""

import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest
from patience import patient

import everloop
from everloop.__main__ import main
from everloop.monitoring.rates import scaled, span

LONG = patient(60)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "loop.sock")


@pytest.fixture
def busy(loop, path):
    """A loop that runs in a thread, with a monitor."""

    def every_second(watcher, revents):
        pass

    loop.timer(0.01, 0.01, every_second).start()
    stop = loop.async_(lambda watcher, revents: loop.stop())
    stop.start()
    thread = threading.Thread(target=loop.start)
    with everloop.monitor(loop, path):
        thread.start()
        yield loop
        stop.send()
        thread.join()


def environment():
    package = pathlib.Path(everloop.__file__).parent.parent
    names = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    return names | {"PYTHONPATH": str(package), "TERM": "xterm-256color"}


def command(*arguments):
    return [sys.executable, "-m", "everloop", *arguments]


def run(*arguments):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=LONG, env=environment()
    )


def read_until(terminal, words):
    """What a program writes to its terminal, until all of the words have come."""
    seen, end = "", time.monotonic() + LONG
    while not all(word in seen for word in words):
        assert time.monotonic() < end, seen
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 65536).decode(errors="replace")
            except OSError as error:
                assert error.errno == errno.EIO
                break
    return seen


def test_top_in_a_terminal(busy, path):
    pytest.importorskip("rich")
    terminal, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 110, 0, 0))
    try:
        process = subprocess.Popen(
            command("top", path, "--interval", "0.05"),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment(),
            start_new_session=True,
        )
        os.close(inner)
        words = ("Loop of process", "callbacks took", "timers late", "every_second", "a second")
        seen = read_until(terminal, words)
        assert f"process {os.getpid()}" in seen
        # It goes on, and ends in peace.
        read_until(terminal, ["busy"])
        process.send_signal(signal.SIGINT)
        rest = read_until(terminal, ["\x1b[?1049l"])
        assert process.wait(LONG) == 0
        assert "Traceback" not in seen + rest
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_a_picture_of_top(busy, path, tmp_path):
    pytest.importorskip("rich")
    result = run("top", path, "--interval", "0.05", "--svg", str(tmp_path / "top.svg"))
    assert result.returncode == 0, result.stderr
    drawn = (tmp_path / "top.svg").read_text()
    assert drawn.startswith("<svg")
    assert "every_second" in drawn


def test_top_without_rich(busy, path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich", None)
    for name in [name for name in sys.modules if name.startswith("rich.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "everloop.monitoring.top", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["top", path]) == 1
    assert "pip install 'everloop[monitor]'" in capsys.readouterr().err


def test_watch_json(busy, path):
    result = run("watch", path, "--json", "--interval", "0.05", "--count", "3")
    assert (result.returncode, result.stderr) == (0, "")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(found) == 3
    assert found[0]["passes"] <= found[1]["passes"] <= found[2]["passes"]
    assert {each["pid"] for each in found} == {os.getpid()}


def test_watch(busy, path):
    result = run("watch", path, "--interval", "0.05", "--count", "2")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.match(rf"Loop {os.getpid()} \w+  busy +\d+%  callbacks ", result.stdout)
    assert len(result.stdout.splitlines()) == 2


def test_nobody_answers(path):
    pytest.importorskip("rich")
    for arguments in (("watch", path), ("top", path), ("top", path, "--svg", os.devnull)):
        result = run(*arguments)
        assert (result.returncode, result.stdout) == (1, "")
        assert result.stderr.startswith("everloop: no monitor answers at")


def test_numbers_for_people():
    assert [scaled(value) for value in (0, 5, 5.25, 999, 1000, 12345, 5.5e6, 1e9, 3e15)] == [
        *("0", "5", "5.2", "999", "1k", "12.3k", "5.5M", "1G", "3000T")
    ]
    assert [span(value) for value in (0.0, 1.5e-6, 0.0123, 1.0, 75.0)] == [
        *("0 µs", "1.5 µs", "12.3 ms", "1 s", "75 s")
    ]
