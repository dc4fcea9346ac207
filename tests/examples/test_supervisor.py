"""examples/supervisor.py: programs that crash, finish, and do not want to end."""

import os
import re
import shlex
import signal
import sys

import pytest

# Said in one write: the supervisor says something, too.
PATIENT = "import os, signal; os.write(1, b'run %d\\n' % os.getpid()); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PATIENT


def python(source):
    return shlex.join([sys.executable, "-c", source])


def assert_gone(pid):
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_back_off(run_example):
    example = run_example("supervisor.py", "--delay", "0.01", "--max-delay", "0.05", "false")
    for _ in range(5):
        example.expect("false crashed with status 1")
    delays = re.findall(r"again in (\S+) s", example.end())
    assert delays[:4] == ["0.01", "0.02", "0.04", "0.05"]


def test_killed_program_comes_back(run_example):
    example = run_example("supervisor.py", "--delay", "0.01", python(PATIENT))
    first = int(example.expect(r"^run (\d+)")[1])
    os.kill(first, signal.SIGKILL)
    example.expect("crashed with status -9")
    second = int(example.expect(r"^run (\d+)")[1])
    assert first != second
    assert "stopped" in example.end(signal.SIGTERM)
    assert_gone(second)


def test_delay_starts_small_again_after_a_long_run(run_example):
    example = run_example(
        "supervisor.py", "--delay", "0.01", "--stable-after", "0.001", python("raise SystemExit(7)")
    )
    for _ in range(4):
        example.expect("crashed with status 7")
    assert set(re.findall(r"again in (\S+) s", example.end(signal.SIGINT))) == {"0.01"}


def test_finished_programs_are_left_alone(run_example):
    output = run_example("supervisor.py", "true", "true").ends()
    assert output.count("true finished") == 2


def test_by_force(run_example):
    example = run_example(
        "supervisor.py", "--stop-timeout", "0.1", python(STUBBORN), "tail -f /dev/null"
    )
    pid = int(example.expect(r"^run (\d+)")[1])
    output = example.end()
    assert "does not stop: killed" in output
    assert_gone(pid)


def test_no_such_program(run_example):
    example = run_example("supervisor.py", "--delay", "0.01", "/no/such/program")
    example.expect("can't be started: No such file")
    example.expect("starts again in 0.02 s")
    example.end()
