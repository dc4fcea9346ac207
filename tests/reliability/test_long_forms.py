"""The short forms of the long tests that are programs, each in a process of its own."""

import shutil
import subprocess
import sys

import pytest
from patience import patient

pytest.importorskip("_testcapi")

COMMANDS = {
    "memory": ["memory_run", "--every", "5", "--short"],
    "fuzz": ["fuzz_run", "--programs", "200"],
    "leaks": ["leaks_run", "--times", "200"],
    "clock": ["clock_run", "--seconds", "1"],
    "signals": ["signals_run", "--seconds", "2", "--backends", "epoll"],
    "soak": ["soak", "--minutes", "0.15", "--connections", "30"],
}


@pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("openssl")), reason="needs cc and openssl"
)
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_short_form(command):
    module, *arguments = command
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.reliability.{module}", *arguments],
        capture_output=True,
        text=True,
        timeout=patient(90),
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
