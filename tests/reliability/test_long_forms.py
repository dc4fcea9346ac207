"""The short forms of memory_run.py, fuzz_run.py, leaks_run.py and soak.py, in processes of their own."""

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
    "soak": ["soak", "--minutes", "0.15", "--connections", "30"],
}


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
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
