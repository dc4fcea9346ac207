"""Io: arguments, set(), state and repr. What is ready when is in backends/test_backends.py."""

import os
import tempfile

import pytest

import everloop
from everloop import EV_READ, EV_WRITE, EVRUN_NOWAIT, EVRUN_ONCE, Error, Io


def noop(watcher, revents):
    pass


def test_takes_a_number_or_an_object_with_fileno(loop, pipe):
    r, _ = pipe()

    class Wrapped:
        def fileno(self):
            return r

    assert loop.io(r, EV_READ, noop).fd == r
    assert loop.io(Wrapped(), EV_READ, noop).fd == r
    with tempfile.TemporaryFile() as file:
        assert loop.io(file, EV_READ, noop).fd == file.fileno()


@pytest.mark.parametrize(
    ("fd", "error"),
    [
        ("x", TypeError),
        (1.5, TypeError),
        (None, TypeError),
        (object(), TypeError),
        (-1, ValueError),
        (2**31, OverflowError),
        (2**70, OverflowError),
    ],
)
def test_bad_descriptor(loop, fd, error):
    with pytest.raises(error):
        loop.io(fd, EV_READ, noop)
    watcher = loop.io(0, EV_READ, noop)
    with pytest.raises(error):
        watcher.set(fd, EV_WRITE)
    assert (watcher.fd, watcher.events) == (0, EV_READ)


@pytest.mark.parametrize("events", [4, -1, EV_READ | 0x80, everloop.EV_TIMER, 2**31 - 1])
def test_unknown_events(loop, events):
    with pytest.raises(ValueError, match="events"):
        loop.io(0, events, noop)
    watcher = loop.io(0, EV_READ, noop)
    with pytest.raises(ValueError, match="events"):
        watcher.set(1, events)
    assert (watcher.fd, watcher.events) == (0, EV_READ)


@pytest.mark.parametrize("events", [0, EV_READ, EV_WRITE, EV_READ | EV_WRITE])
def test_events_are_as_asked_for(loop, pipe, events):
    """No internal bits show, before or after the start."""
    r, _ = pipe()
    watcher = loop.io(r, events, noop)
    assert watcher.events == events
    watcher.start()
    loop.start(EVRUN_NOWAIT)
    assert watcher.events == events


def test_set_is_refused_while_active(loop, pipe):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, noop)
    watcher.start()
    with pytest.raises(Error, match="set"):
        watcher.set(w, EV_WRITE)
    assert (watcher.fd, watcher.events) == (r, EV_READ)
    watcher.stop()
    watcher.set(w, EV_WRITE)
    assert (watcher.fd, watcher.events) == (w, EV_WRITE)


def test_set_takes_both_arguments(loop):
    watcher = loop.io(0, EV_READ, noop)
    for arguments in ((), (0,), (0, EV_READ, 1)):
        with pytest.raises(TypeError):
            watcher.set(*arguments)


def test_stop_takes_back_what_is_pending(loop, pipe):
    r, w = pipe()
    called = []
    os.write(w, b"x")
    low = loop.io(r, EV_READ, lambda w, e: called.append("low"), None, -1)
    high = loop.io(r, EV_READ, lambda w, e: (called.append(low.pending), low.stop()), None, 1)
    low.start()
    high.start()
    loop.start(EVRUN_NOWAIT)
    assert called == [True]
    assert not low.pending


def test_stop_of_an_inactive_one_takes_back_what_was_fed(loop):
    watcher = loop.io(0, EV_READ, noop)
    watcher.feed(EV_READ)
    watcher.stop()
    assert not watcher.pending


def test_started_in_a_callback_is_served_in_the_next_pass(loop, pipe):
    r, w = pipe()
    os.write(w, b"x")
    called = []
    reader = loop.io(r, EV_READ, lambda w, e: (called.append("read"), w.stop()))
    loop.timer(0.0, 0.0, lambda w, e: (called.append("start"), reader.start())).start()
    loop.start(EVRUN_NOWAIT)
    assert called == ["start"]
    loop.start(EVRUN_ONCE)
    assert called == ["start", "read"]


def test_constructor_by_position_and_by_name(loop):
    by_position = Io(0, EV_READ, loop, noop, "data", 2)
    by_name = Io(fd=0, events=EV_READ, loop=loop, callback=noop, data="data", priority=2)
    by_factory = loop.io(0, EV_READ, noop, "data", 2)
    factory_by_name = loop.io(fd=0, events=EV_READ, callback=noop, data="data", priority=2)
    for watcher in (by_position, by_name, by_factory, factory_by_name):
        assert type(watcher) is Io
        assert (watcher.fd, watcher.events, watcher.data, watcher.priority) == (0, 1, "data", 2)
        assert watcher.loop is loop
        assert watcher.callback is noop


def test_attributes_are_read_only(loop):
    watcher = loop.io(0, EV_READ, noop)
    for name in ("fd", "events"):
        with pytest.raises(AttributeError):
            setattr(watcher, name, 1)
        with pytest.raises((AttributeError, TypeError)):
            delattr(watcher, name)


def test_repr_tells_descriptor_events_and_state(loop):
    watcher = loop.io(0, EV_READ | EV_WRITE, noop, None, 1)
    assert repr(watcher) == "<Io fd=0 EV_READ|EV_WRITE stopped, priority 1, calls noop>"
    watcher.start()
    watcher.feed(EV_READ)
    assert "active, pending" in repr(watcher)
    watcher.stop()


def test_echo_over_a_socket_pair(loop, pair):
    a, b = pair()
    got = bytearray()

    def echo(watcher, revents):
        b.send(b.recv(100))

    def receive(watcher, revents):
        got.extend(a.recv(100))
        if len(got) == 300:
            loop.stop()
        else:
            a.send(bytes(100))

    loop.io(b, EV_READ, echo).start()
    loop.io(a, EV_READ, receive).start()
    a.send(bytes(100))
    loop.start()
    assert len(got) == 300
