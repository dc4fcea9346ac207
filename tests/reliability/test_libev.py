"""The short form of libev_run.py, in a process of its own."""

import subprocess
import sys

import pytest
from patience import patient

from . import libev


def test_random_programs_on_libev():
    if (missing := libev.missing()) is not None:
        pytest.skip(f"needs {missing}")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.reliability.libev_run", "--programs", "10"],
        capture_output=True,
        text=True,
        timeout=patient(90),
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    assert "12000 steps without a difference" in ran.stdout
