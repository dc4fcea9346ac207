"""The short forms of threads_run.py and loops_run.py."""

import shutil
import subprocess
import sys

import pytest
from patience import patient

from . import loops_run
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


@pytest.mark.parametrize("program", loops_run.PROGRAMS)
def test_a_loop_a_thread(program):
    if program == "runners" and not shutil.which("openssl"):
        pytest.skip("needs openssl")
    seconds = "3" if program in ("forks", "signals") else "1"
    command = [sys.executable, "-X", "faulthandler", "-m", loops_run.SELF, program]
    done = subprocess.run(
        [*command, "--seconds", seconds, "--seed", "1"],
        capture_output=True,
        text=True,
        # Longer than the program's own, which says where it hangs.
        timeout=patient(2.5 * loops_run.PATIENCE),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{program}: " in done.stdout
