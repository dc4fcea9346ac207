"""The monitor: what is served of a loop, to whom, and when."""

import asyncio
import http.client
import json
import os
import socket
import stat
import threading

import pytest
from patience import patient

import everloop
from everloop import EV_READ
from everloop.monitoring import monitor as module
from everloop.monitoring.client import NoAnswer, UnixConnection, fetch
from everloop.monitoring.monitor import Monitor

LONG = patient(30)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "loop.sock")


@pytest.fixture
def event_loop():
    with everloop.new_event_loop() as loop:
        yield loop


def get(where, view, headers=()):
    """A real HTTP client's GET; the answer and its content."""
    connection = (
        UnixConnection(where)
        if isinstance(where, str)
        else http.client.HTTPConnection("127.0.0.1", where)
    )
    connection.request("GET", view, headers=dict(headers))
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer, content


def test_statistics(loop, path):
    loop.timer(0.0, 0.0, lambda watcher, revents: None).start()
    loop.start()
    with everloop.monitor(loop, path) as served:
        assert (type(served), served.address) == (Monitor, path)
        answer, content = get(path, "/statistics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    found = json.loads(content)
    assert found["events"]["timer"] == 1
    assert (found["pid"], found["loop"], found["state"]) == (os.getpid(), "Loop", "stopped")
    assert found["stack"] == []


def test_watchers(loop, path, pipe):
    def on_data(watcher, revents):
        pass

    reader, _ = pipe()
    loop.io(reader, EV_READ, on_data, priority=1).start()
    loop.timer(60.0, 0.0, on_data).start()
    with everloop.monitor(loop, path):
        io, timer = sorted(fetch(path, "/watchers"), key=lambda each: each["kind"])
        assert len(fetch(path, "/watchers?limit=1")) == 1
    assert (io["kind"], io["descriptor"], io["priority"]) == ("Io", reader, 1)
    assert io["callback"].endswith("on_data")
    assert "EV_READ" in io["description"]
    assert (timer["kind"], timer["descriptor"]) == ("Timer", None)
    assert 0.0 <= timer["age"] < LONG


def test_age(loop, path, when_blocked):
    """A watcher is as old as the time since it was started, to about an eighth of a second."""
    ages = []

    def look():
        everloop.sleep(0.6)
        ages.extend(each["age"] for each in fetch(path, "/watchers"))
        loop.stop()

    loop.timer(60.0, 0.0, lambda watcher, revents: None).start()
    with everloop.monitor(loop, path):
        when_blocked(look)
        loop.start()
    assert 0.4 < ages[0] < LONG


def test_tasks(event_loop, path):
    async def inner():
        await asyncio.Event().wait()

    async def outer():
        await inner()

    async def main():
        task = asyncio.create_task(outer(), name="waits for ever")
        await asyncio.sleep(0)
        try:
            return await event_loop.run_in_executor(None, fetch, path, "/tasks")
        finally:
            task.cancel()

    with everloop.monitor(event_loop, path):
        found = event_loop.run_until_complete(main())
    event_loop.run_until_complete(event_loop.shutdown_default_executor())
    [task] = [each for each in found if each["name"] == "waits for ever"]
    assert task["coroutine"].endswith("outer")
    assert [line.partition(":")[0] != "" for line in task["stack"]] == [True] * len(task["stack"])
    assert " in outer: await inner()" in task["stack"][0]
    assert " in inner: " in task["stack"][1]
    assert " in wait: " in task["stack"][2]


def test_a_loop_without_asyncio_has_no_tasks(loop, path):
    with everloop.monitor(loop, path):
        assert fetch(path, "/tasks") == []


def test_it_answers_while_the_loop_is_stuck(event_loop, path):
    """A callback that blocks lets others look, with the GIL and without it."""
    go_on, seen = threading.Event(), []

    def get_stuck():
        assert go_on.wait(LONG)
        event_loop.stop()

    def look():
        try:
            while not seen or seen[0]["state"] != "running":
                seen[:] = [fetch(path, "/statistics"), fetch(path, "/watchers")]
        finally:
            go_on.set()

    event_loop.call_later(3600, get_stuck)
    event_loop.call_soon(get_stuck)
    thread = threading.Thread(target=look)
    with everloop.monitor(event_loop, path):
        thread.start()
        event_loop.run_forever()
        thread.join()
    assert any("get_stuck" in line for line in seen[0]["stack"])
    assert [each["kind"] for each in seen[1]] == ["TimerHandle"]


def test_a_loop_that_lets_nobody_look(loop, path, monkeypatch):
    """As one whose thread never waits, without the GIL."""
    over = threading.Event()
    monkeypatch.setattr(module, "LOOK_LIMIT", 0.05)
    with everloop.monitor(loop, path) as served:

        class Closed:
            def __getattr__(self, name):
                return getattr(loop, name)

            def _inside(self, function):
                over.wait(LONG)

        served._loop = Closed()
        answer, content = get(path, "/watchers")
        assert get(path, "/statistics")[0].status == 200
        over.set()
    assert answer.status == 503
    assert json.loads(content)["state"] == "stopped"


def test_metrics(loop, path):
    loop.timer(0.0, 0.0, lambda watcher, revents: None).start()
    loop.start()
    with everloop.monitor(loop, path):
        answer, content = get(path, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = content.splitlines()
    assert 'everloop_events_total{kind="timer"} 1' in lines
    assert "# TYPE everloop_passes_total counter" in lines
    assert "# TYPE everloop_ready gauge" in lines
    assert "# TYPE everloop_timer_lateness_seconds histogram" in lines
    assert "everloop_timer_lateness_seconds_count 1" in lines
    assert 'everloop_timer_lateness_seconds_bucket{le="+Inf"} 1' in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0.0 for line in samples)
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_a_port_of_this_machine(loop):
    with everloop.monitor(loop, 0) as served:
        assert served._server.socket.getsockname() == ("127.0.0.1", served.address)
        assert get(served.address, "/statistics")[0].status == 200
        for host, status in (("localhost:1", 200), ("evil.example", 403), ("127.0.0.1.evil", 403)):
            assert get(served.address, "/statistics", {"Host": host})[0].status == status
        assert fetch(str(served.address), "/tasks") == []


def test_what_is_not_there(loop, path):
    with everloop.monitor(loop, path):
        answer, content = get(path, "/secrets")
        assert answer.status == 404
        assert "/watchers" in json.loads(content)["views"]
        assert get(path, "/watchers?limit=many")[0].status == 400
        connection = UnixConnection(path)
        connection.request("POST", "/statistics")
        assert connection.getresponse().status == 501
        connection.close()


def test_only_its_owner_may_use_the_socket(loop, path):
    with everloop.monitor(loop, path):
        mode = os.lstat(path).st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        assert os.listdir(os.path.dirname(path)) == ["loop.sock"]
    assert not os.path.lexists(path)


def test_a_socket_that_is_left_over_is_replaced(loop, path):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with everloop.monitor(loop, path):
        assert fetch(path, "/statistics")["pid"] == os.getpid()


def test_a_socket_at_which_somebody_listens_is_not(loop, path):
    with everloop.monitor(loop, path):
        with pytest.raises(OSError, match="somebody listens"):
            everloop.monitor(loop, path)
        assert fetch(path, "/statistics")["pid"] == os.getpid()


def test_a_file_is_not_replaced(loop, path, tmp_path):
    (tmp_path / "loop.sock").write_text("precious")
    with pytest.raises(FileExistsError):
        everloop.monitor(loop, path)
    assert (tmp_path / "loop.sock").read_text() == "precious"
    (tmp_path / "link").symlink_to(tmp_path / "loop.sock")
    with pytest.raises(FileExistsError):
        everloop.monitor(loop, str(tmp_path / "link"))


def test_a_socket_that_another_has_put_there_is_not_removed(loop, path):
    with everloop.monitor(loop, path):
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as another:
            another.bind(path)
    assert os.path.lexists(path)


def test_a_folder_that_is_not_there(loop, tmp_path):
    with pytest.raises(FileNotFoundError):
        everloop.monitor(loop, tmp_path / "nowhere" / "loop.sock")


def test_no_answer(path, pipe, tmp_path):
    with pytest.raises(NoAnswer, match="no monitor answers"):
        fetch(path, "/statistics")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NoAnswer, match="no monitor of everloop"):
            fetch(str(server.getsockname()[1]), "/statistics")
        thread.join()


def test_a_closed_loop_is_still_told_of(loop, path):
    with everloop.monitor(loop, path):
        loop.close()
        assert fetch(path, "/statistics")["state"] == "stopped"
        assert fetch(path, "/watchers") == []


def test_arguments(loop, path):
    with pytest.raises(TypeError, match="Loop"):
        everloop.monitor(asyncio, path)
    with pytest.raises(TypeError):
        everloop.monitor(loop, None)
    with pytest.raises(TypeError, match="path or a port"):
        everloop.monitor(loop, b"/tmp/bytes")
