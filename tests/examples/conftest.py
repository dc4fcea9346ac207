"""Runs the examples as the programs that they are, and waits for what they print."""

import pathlib
import queue
import re
import signal
import subprocess
import sys
import threading

import pytest
from patience import patient

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"

# How long an example may take to do anything that a test waits for.
PATIENCE = patient(30)

# What no example may print: it runs in development mode, so leaks are told of as well.
COMPLAINTS = re.compile(r"Traceback|Exception ignored|\w*Warning:")

STREAMS = {
    "stdin": subprocess.DEVNULL,
    "stdout": subprocess.PIPE,
    "stderr": subprocess.STDOUT,
}


class Example:
    """A running example; its output, standard error included, is read by lines."""

    def __init__(self, command, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", *command],
            text=True,
            **{**STREAMS, **options},
        )
        self.pid = self.process.pid
        self.output = []
        self.lines = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout or ():
            self.output.append(line)
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def expect(self, pattern):
        """Wait for a line that matches, skipping others; returns the match."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no line matches {pattern!r} in:\n{''.join(self.output)}")
            if match := re.search(pattern, line):
                return match

    def address(self):
        """The address that a server says it listens on."""
        host, port = self.expect(r"listening on (.*):(\d+)$").groups()
        return host, int(port)

    def ends(self, status=0):
        """Wait for the end; returns all that was printed."""
        assert self.process.wait(PATIENCE) == status, "".join(self.output)
        self.reader.join(PATIENCE)
        output = "".join(self.output)
        assert not COMPLAINTS.search(output), output
        return output

    def end(self, signum=signal.SIGTERM, status=0):
        """Ask for a clean end with a signal; returns all that was printed."""
        self.process.send_signal(signum)
        return self.ends(status)

    def discard(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        # Its children may hold the other end of the pipe if a test has failed.
        self.reader.join(1)
        if self.process.stdout and not self.reader.is_alive():
            self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()


@pytest.fixture
def run_example():
    """A function that starts an example, by the name of its file, with arguments."""
    started = []

    def run(name, *arguments, **options):
        example = Example([str(EXAMPLES / name), *map(str, arguments)], **options)
        started.append(example)
        return example

    yield run
    for example in started:
        example.discard()


@pytest.fixture
def run_driver():
    """A function that runs source with the examples importable."""
    started = []

    def run(source, *arguments, **options):
        prelude = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r})\n"
        example = Example(["-c", prelude + source, *map(str, arguments)], **options)
        started.append(example)
        return example

    yield run
    for example in started:
        example.discard()


def pytest_generate_tests(metafunc):
    if "example_path" in metafunc.fixturenames:
        paths = sorted(EXAMPLES.glob("*.py"))
        metafunc.parametrize("example_path", paths, ids=[path.name for path in paths])
