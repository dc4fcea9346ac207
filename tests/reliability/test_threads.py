"""The short form of threads_run.py."""

import subprocess
import sys

from patience import patient

from .threads_run import SELF


def test_threads_do_whatever_they_may():
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", SELF, "--seconds", "3", "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=patient(90),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 threads, 4 loops" in done.stdout
