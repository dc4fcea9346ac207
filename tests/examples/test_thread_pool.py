"""examples/thread_pool.py: results come as they are ready."""

import hashlib
import os
import signal


def test_digests(run_example, tmp_path):
    paths = [tmp_path / str(number) for number in range(50)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * number * 1000)
    output = run_example("thread_pool.py", *paths).ends()
    wanted = {f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}" for path in paths}
    assert set(output.splitlines()) == wanted


def test_the_loop_goes_on_meanwhile(run_example, tmp_path):
    quick, slow = tmp_path / "quick", tmp_path / "slow"
    quick.write_bytes(b"quick")
    os.mkfifo(slow)
    example = run_example("thread_pool.py", "--progress", "0.05", slow, quick)
    with slow.open("wb") as file:
        example.expect(hashlib.sha256(b"quick").hexdigest())
        example.expect("^1 to go$")
        example.expect("^1 to go$")
        file.write(b"slow")
    example.expect(f"{hashlib.sha256(b'slow').hexdigest()}  {slow}")
    example.ends()


def test_a_file_that_can_not_be_read(run_example, tmp_path):
    path = tmp_path / "there"
    path.write_bytes(b"")
    output = run_example("thread_pool.py", tmp_path / "missing", path).ends(1)
    assert "missing: No such file" in output
    assert hashlib.sha256().hexdigest() in output


def test_interrupted(run_example):
    example = run_example(
        "thread_pool.py", "--threads", "2", "--progress", "0.05", *["/dev/zero"] * 5
    )
    example.expect("5 to go")
    assert "interrupted" in example.end(signal.SIGINT, 1)
