"""The short form of faults_run.py: every sixtieth call fails, with each error."""

import shutil
import subprocess
import sys

import pytest

from .faults_run import SELF

needed = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("openssl")), reason="needs cc and openssl"
)


@needed
@pytest.mark.parametrize("backend", ["epoll", "select"])
def test_system_calls_that_fail(backend):
    command = [sys.executable, "-m", SELF, "--every", "60", "--backends", backend]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
