"""examples/tail.py: files that grow, shrink, go and come back."""

import os
import signal


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_last_lines_and_what_is_appended(run_example, tmp_path):
    log = tmp_path / "log"
    log.write_text("1\n2\n3\n")
    tail = run_example("tail.py", "-n", "2", log)
    tail.expect("^3$")
    append(log, "4\n")
    tail.expect("^4$")
    append(log, "5\n6\n")
    tail.expect("^6$")
    assert tail.end(signal.SIGINT) == "2\n3\n4\n5\n6\n"


def test_truncation(run_example, tmp_path):
    log = tmp_path / "log"
    log.write_text("a long line to begin with\n")
    tail = run_example("tail.py", log)
    tail.expect("begin with")
    log.write_text("")
    tail.expect("truncated")
    append(log, "short\n")
    tail.expect("^short$")
    tail.end()


def test_rotation(run_example, tmp_path):
    log, old = tmp_path / "log", tmp_path / "log.1"
    log.write_text("one\n")
    tail = run_example("tail.py", log)
    tail.expect("^one$")
    for turn in range(5):
        log.rename(old)
        append(old, f"last of {turn}\n")
        log.write_text(f"first of {turn + 1}\n")
        tail.expect(f"^first of {turn + 1}$")
        append(log, f"more of {turn + 1}\n")
        tail.expect(f"^more of {turn + 1}$")
    tail.end()


def test_comes_goes_and_comes_again(run_example, tmp_path):
    log = tmp_path / "log"
    tail = run_example("tail.py", log)
    tail.expect("does not exist yet")
    log.write_text("here\n")
    tail.expect("^here$")
    log.unlink()
    tail.expect("has gone")
    log.write_text("again\n")
    tail.expect("^again$")
    append(log, "more\n")
    tail.expect("^more$")
    tail.end()


def test_directory_that_does_not_exist_yet(run_example, tmp_path):
    log = tmp_path / "later" / "log"
    tail = run_example("tail.py", "--interval", "0.1", log)
    tail.expect("does not exist yet")
    log.parent.mkdir()
    log.write_text("here\n")
    tail.expect("^here$")
    tail.end()


def test_several_files(run_example, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("1\n")
    second.write_text("2\n")
    tail = run_example("tail.py", first, second, tmp_path)
    tail.expect("is not a regular file")
    append(first, "11\n")
    tail.expect(f"==> {first} <==")
    tail.expect("^11$")
    append(second, "22\n")
    tail.expect(f"==> {second} <==")
    tail.expect("^22$")
    tail.end()


def test_reader_of_the_output_goes(run_example, tmp_path):
    log = tmp_path / "log"
    log.write_text("1\n")
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as reader:
        try:
            tail = run_example("tail.py", log, stdout=write_end)
        finally:
            os.close(write_end)
        assert reader.readline() == b"1\n"
    append(log, "2\n")
    tail.ends(-signal.SIGPIPE)
