"""What holds for every example."""

import signal

PORT_OPTION = ["--port", "0"]


def test_help(example_path, run_example):
    assert "usage: " in run_example(example_path.name, "--help").ends()


def test_bad_option(example_path, run_example):
    assert "error: " in run_example(example_path.name, "--no-such-option").ends(2)


def test_is_described(example_path):
    source = example_path.read_text()
    assert source.startswith('"""')
    assert f"python examples/{example_path.name}" in source.split('"""')[1]
    assert f"[{example_path.name}]" in (example_path.parent / "README.md").read_text()


def test_port_in_use(run_example):
    first = run_example("echo_server.py", *PORT_OPTION)
    host, port = first.address()
    for name in ("echo_server.py", "chat_server.py"):
        message = run_example(name, "--port", port).ends(1)
        assert f"can't listen on {host}:{port}: " in message
    first.end(signal.SIGINT)
