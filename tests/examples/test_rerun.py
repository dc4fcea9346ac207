"""examples/rerun.py: files change, runs end by themselves and by force."""

import os
import signal
import sys

import pytest

# Says who it is, and ends when it is asked to.
PATIENT = "import os, signal; print('run', os.getpid(), flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PATIENT


@pytest.fixture
def rerun(run_example, tmp_path):
    path = tmp_path / "source"
    path.write_text("1")

    def start(*command):
        return run_example("rerun.py", "-w", path, "--delay", "0.1", "--", *command), path

    return start


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_runs_again_after_each_change(rerun):
    example, path = rerun("cat", "/dev/null")
    example.expect("ended with status 0")
    for turn in range(3):
        path.write_text("x" * (turn + 2))
        example.expect("running cat")
        example.expect("ended with status 0")
    assert example.end(signal.SIGINT).count("running cat") >= 4


def test_a_change_ends_the_run(rerun):
    example, path = rerun(sys.executable, "-c", PATIENT)
    first = int(example.expect(r"^run (\d+)")[1])
    path.write_text("22")
    example.expect("ended with status -15")
    second = int(example.expect(r"^run (\d+)")[1])
    assert not is_alive(first)
    example.end()
    assert not is_alive(second)


def test_bursts_of_changes_make_one_run(rerun):
    example, path = rerun("true")
    example.expect("ended with status 0")
    for turn in range(20):
        path.write_text("x" * (turn + 2))
    example.expect("ended with status 0")
    assert example.end().count("running true") < 10


def test_by_force(rerun):
    example, _ = rerun(sys.executable, "-c", STUBBORN)
    pid = int(example.expect(r"^run (\d+)")[1])
    example.process.send_signal(signal.SIGINT)
    example.expect("ended with status -9")
    example.ends()
    assert not is_alive(pid)


def test_replaced_removed_and_new_files(rerun, tmp_path):
    example, path = rerun("true")
    example.expect("ended with status 0")
    other = tmp_path / "other"
    other.write_text("as editors do")
    other.rename(path)
    example.expect("ended with status 0")
    path.unlink()
    example.expect("ended with status 0")
    path.write_text("new")
    example.expect("ended with status 0")
    example.end()


def test_no_such_command(rerun):
    example, path = rerun("/no/such/command")
    example.expect("can't run /no/such/command: No such file")
    path.write_text("22")
    example.expect("can't run")
    example.end()


def test_anywhere_below_a_directory(run_example, tmp_path):
    source = tmp_path / "src"
    (source / "package" / "inner").mkdir(parents=True)
    (source / ".git").mkdir()
    example = run_example("rerun.py", "-w", source, "--delay", "0.1", "--", "true")
    example.expect("ended with status 0")
    (source / ".git" / "index").write_text("of no interest")
    (source / "package" / "inner" / "module.py").write_text("1")
    assert "module.py" in example.expect("--- .* was")[0]
    example.expect("ended with status 0")
    (source / "package" / "new").mkdir()
    (source / "package" / "new" / "other.py").write_text("2")
    example.expect("other.py was created")
    example.expect("ended with status 0")
    assert "index" not in example.end()
