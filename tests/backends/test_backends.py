"""What every backend has to do, epoll, poll and select alike."""

import errno
import gc
import itertools
import os
import random
import resource
import socket
import tempfile
import threading
import time

import pytest

import everloop
from everloop import (
    EV_READ,
    EV_WRITE,
    EVBACKEND_EPOLL,
    EVBACKEND_POLL,
    EVBACKEND_SELECT,
    EVFLAG_NOENV,
    EVRUN_NOWAIT,
    EVRUN_ONCE,
)


@pytest.fixture
def fresh_loop(new_loop, backend):
    return new_loop(backend)


@pytest.fixture
def loop(fresh_loop):
    """A loop that has waited once, and so has all descriptors of its own."""
    timer = fresh_loop.timer(0.001, 0.0, lambda w, e: None)
    timer.start()
    fresh_loop.start()
    return fresh_loop


@pytest.fixture
def many_descriptors():
    """Leave to have at least 6000 descriptors open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 6000:
        if hard != resource.RLIM_INFINITY and hard < 6000:
            pytest.skip("the system does not allow 6000 descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (6000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Seen(list):
    """A callback that remembers what it was called with."""

    def __call__(self, watcher, revents):
        self.append((watcher, revents))

    def take(self):
        taken = list(self)
        self.clear()
        return taken


@pytest.fixture
def seen():
    return Seen()


def passes(loop, count=3):
    for _ in range(count):
        loop.start(EVRUN_NOWAIT)
        loop.verify()


def refused(loop, flags=EVRUN_NOWAIT):
    """Start the loop; return the OSError that it raises."""
    with pytest.raises(OSError) as caught:
        loop.start(flags)
    loop.verify()
    return caught.value


def fill(fd):
    with pytest.raises(BlockingIOError):
        while True:
            os.write(fd, bytes(65536))


# Choosing


def test_flags_choose_the_backend(loop, backend):
    assert loop.backend == backend


def test_default_is_the_best_recommended_one(new_loop):
    assert everloop.recommended_backends() & EVBACKEND_EPOLL
    assert new_loop().backend == EVBACKEND_EPOLL


def test_of_several_bits_the_best_is_taken(new_loop):
    assert new_loop(EVBACKEND_SELECT | EVBACKEND_POLL).backend == EVBACKEND_POLL


def test_environment_replaces_the_flags(new_loop, monkeypatch):
    monkeypatch.setenv("LIBEV_FLAGS", str(EVBACKEND_SELECT))
    assert new_loop().backend == EVBACKEND_SELECT
    assert new_loop(EVBACKEND_POLL).backend == EVBACKEND_SELECT
    assert new_loop(EVBACKEND_POLL | EVFLAG_NOENV).backend == EVBACKEND_POLL


@pytest.mark.parametrize("text", ["", "epoll", "-1", "0x2", "1e3", str(1 << 31), "9" * 30])
def test_nonsense_in_the_environment_is_ignored_with_a_warning(new_loop, monkeypatch, text):
    monkeypatch.setenv("LIBEV_FLAGS", text)
    with pytest.warns(RuntimeWarning, match="LIBEV_FLAGS"):
        assert new_loop(EVBACKEND_POLL).backend == EVBACKEND_POLL


def test_a_backend_that_is_not_there_is_an_error():
    with pytest.raises(everloop.Error):
        everloop.Loop(everloop.EVBACKEND_KQUEUE)


# Being ready


def test_readable_when_there_is_data(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    assert seen == []
    os.write(w, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_level_triggered_until_read(loop, pipe, seen):
    r, w = pipe()
    loop.io(r, EV_READ, seen).start()
    os.write(w, b"xy")
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
        assert len(seen.take()) == 1
    os.read(r, 1)
    passes(loop, 1)
    assert len(seen.take()) == 1
    os.read(r, 1)
    passes(loop)
    assert seen == []


def test_writable_until_full_and_again_when_drained(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(w, EV_WRITE, seen)
    watcher.start()
    passes(loop, 1)
    assert seen.take() == [(watcher, EV_WRITE)]
    fill(w)
    passes(loop)
    assert seen == []
    os.read(r, 1 << 20)
    passes(loop, 1)
    assert seen == [(watcher, EV_WRITE)]


def test_each_watcher_of_a_descriptor_gets_its_own_events(loop, pair, seen):
    a, b = pair()
    reader = loop.io(a, EV_READ, seen)
    writer = loop.io(a, EV_WRITE, seen)
    both = loop.io(a, EV_READ | EV_WRITE, seen)
    for watcher in (reader, writer, both):
        watcher.start()
    passes(loop, 1)
    assert set(seen.take()) == {(writer, EV_WRITE), (both, EV_WRITE)}
    b.send(b"x")
    passes(loop, 1)
    assert set(seen) == {(reader, EV_READ), (writer, EV_WRITE), (both, EV_READ | EV_WRITE)}


def test_stopping_one_of_several_watchers_leaves_the_others(loop, pair, seen):
    a, b = pair()
    reader = loop.io(a, EV_READ, seen)
    writer = loop.io(a, EV_WRITE, seen)
    reader.start()
    writer.start()
    b.send(b"x")
    passes(loop, 1)
    assert len(seen.take()) == 2
    writer.stop()
    passes(loop, 1)
    assert seen.take() == [(reader, EV_READ)]
    writer.start()
    reader.stop()
    passes(loop, 1)
    assert seen.take() == [(writer, EV_WRITE)]
    writer.stop()
    passes(loop)
    assert seen == []


@pytest.mark.parametrize("events", [EV_READ, EV_WRITE, EV_READ | EV_WRITE])
def test_hang_up_of_a_socket_is_delivered_as_asked_for(loop, pair, seen, events):
    a, b = pair()
    watcher = loop.io(a, events, seen)
    watcher.start()
    b.close()
    passes(loop, 1)
    assert seen == [(watcher, events)]


def test_hang_up_of_a_pipe_makes_it_readable(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    os.close(w)
    passes(loop, 1)
    assert seen == [(watcher, EV_READ)]


def test_error_of_a_pipe_makes_it_writable(loop, pipe, seen):
    r, w = pipe()
    fill(w)
    watcher = loop.io(w, EV_WRITE, seen)
    watcher.start()
    passes(loop)
    assert seen == []
    os.close(r)
    passes(loop, 1)
    assert seen == [(watcher, EV_WRITE)]


def test_refused_connection_is_reported(loop, seen):
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        watcher = loop.io(client, EV_WRITE, seen)
        watcher.start()
        loop.start(EVRUN_ONCE)
        assert seen == [(watcher, EV_WRITE)]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        watcher.stop()


def test_regular_file_is_always_ready(loop, pipe, seen):
    r, _ = pipe()
    quiet = loop.io(r, EV_READ, seen)
    quiet.start()
    with tempfile.TemporaryFile() as file:
        watcher = loop.io(file, EV_READ | EV_WRITE, seen)
        watcher.start()
        for _ in range(3):
            loop.start(EVRUN_ONCE)
            assert seen.take() == [(watcher, EV_READ | EV_WRITE)]
        watcher.stop()
        passes(loop)
        assert seen == []
        watcher.start()
        passes(loop, 1)
        assert seen.take() == [(watcher, EV_READ | EV_WRITE)]
        watcher.stop()


def test_no_events_asked_for_none_delivered(loop, pair, seen):
    a, b = pair()
    watcher = loop.io(a, 0, seen)
    watcher.start()
    b.close()
    passes(loop)
    assert seen == []
    assert watcher.active


# Many


def test_descriptor_above_1024(loop, pipe, seen, many_descriptors):
    r, w = pipe()
    high = 5000
    os.dup2(r, high)
    try:
        watcher = loop.io(high, EV_READ, seen)
        watcher.start()
        passes(loop)
        os.write(w, b"x")
        loop.start(EVRUN_ONCE)
        assert seen == [(watcher, EV_READ)]
        watcher.stop()
        passes(loop)
    finally:
        os.close(high)


def test_none_of_thousands_of_ready_descriptors_starves(loop, many_descriptors):
    read_end, write_end = os.pipe()
    os.write(write_end, b"x")
    copies = [os.dup(read_end) for _ in range(4000)]
    counts = dict.fromkeys(copies, 0)

    def count(watcher, revents):
        counts[watcher.fd] += 1

    watchers = [loop.io(fd, EV_READ, count) for fd in copies]
    try:
        for watcher in watchers:
            watcher.start()
        for _ in range(100):
            loop.start(EVRUN_NOWAIT)
            if min(counts.values()):
                break
        loop.verify()
        assert min(counts.values()) >= 1
        for _ in range(10):
            before = dict(counts)
            loop.start(EVRUN_NOWAIT)
            assert all(counts[fd] <= before[fd] + 1 for fd in copies)
        for watcher in watchers:
            watcher.stop()
        before = dict(counts)
        passes(loop)
        assert counts == before
    finally:
        for fd in (read_end, write_end, *copies):
            os.close(fd)


def test_one_quiet_descriptor_among_many_ready_ones(loop, pipe, seen, many_descriptors):
    """The last one to become ready is served too, although others are ready all the time."""
    r, w = pipe()
    copies = [os.dup(w) for _ in range(1500)]
    busy = [loop.io(fd, EV_WRITE, lambda w, e: None) for fd in copies]
    late = loop.io(r, EV_READ, seen)
    try:
        late.start()
        for watcher in busy:
            watcher.start()
        passes(loop, 5)
        os.write(w, b"x")
        for _ in range(20):
            loop.start(EVRUN_NOWAIT)
        assert seen.take()[0] == (late, EV_READ)
    finally:
        for watcher in (late, *busy):
            watcher.stop()
        for fd in copies:
            os.close(fd)


def test_starting_and_stopping_at_random_agrees_with_a_model(loop, pipe):
    """Watchers come and go on a few descriptors; each pass serves just those that it should."""
    chance = random.Random(4)
    pipes = [pipe() for _ in range(6)]
    called = set()
    watchers = []
    for r, w in pipes:
        for fd, events in ((r, EV_READ), (w, EV_WRITE), (r, EV_READ), (w, EV_READ | EV_WRITE)):
            watchers.append(loop.io(fd, events, lambda w, e: called.add(w)))
    readable = set()
    for step in range(1500):
        for _ in range(chance.randrange(4)):
            watcher = chance.choice(watchers)
            if watcher.active:
                watcher.stop()
            else:
                watcher.start()
        r, w = chance.choice(pipes)
        if r in readable:
            os.read(r, 1)
            readable.discard(r)
        else:
            os.write(w, b"x")
            readable.add(r)
        called.clear()
        loop.start(EVRUN_NOWAIT)
        due = {
            watcher
            for watcher in watchers
            if watcher.active and (watcher.events & EV_WRITE or watcher.fd in readable)
        }
        assert called == due, f"step {step}"
        loop.verify()
    for watcher in watchers:
        watcher.stop()


# Bad descriptors


@pytest.mark.parametrize("fd", [2**31 - 1, 10**8, 900])
def test_descriptor_that_is_not_open(loop, pipe, seen, fd):
    r, w = pipe()
    good = loop.io(r, EV_READ, seen)
    bad = loop.io(fd, EV_READ, seen)
    good.start()
    bad.start()
    os.write(w, b"x")
    error = refused(loop)
    assert error.errno == errno.EBADF
    assert f"fd={fd} " in str(error)
    assert not bad.active
    assert good.active
    loop.start(EVRUN_ONCE)
    assert seen == [(good, EV_READ)]


def test_not_yet_open_when_started_is_fine_if_open_when_run(loop, pipe, seen):
    r, w = pipe()
    os.write(w, b"x")
    number = os.dup(r)
    os.close(number)
    watcher = loop.io(number, EV_READ, seen)
    watcher.start()
    os.dup2(r, number)
    loop.start(EVRUN_NOWAIT)
    assert seen == [(watcher, EV_READ)]
    watcher.stop()
    os.close(number)
    passes(loop)


def test_bad_watcher_that_is_stopped_in_time_does_no_harm(loop, seen):
    for fd in (10**8, 2**31 - 1, 901):
        watcher = loop.io(fd, EV_READ, seen)
        watcher.start()
        loop.verify()
        watcher.stop()
        loop.verify()
    assert loop.start() is False


@pytest.mark.parametrize("fds", [(900, 901), (10**8, 10**8 + 1), (900, 10**8), (900, 900)])
def test_two_bad_ones_are_reported_one_by_one(loop, pipe, seen, fds):
    r, w = pipe()
    good = loop.io(r, EV_READ, seen)
    bad = [loop.io(fd, EV_READ, seen) for fd in fds]
    for watcher in (bad[0], good, bad[1]):
        watcher.start()
    os.write(w, b"x")
    left = 2
    while left:
        assert refused(loop).errno == errno.EBADF
        left -= 1
        assert sum(watcher.active for watcher in bad) == left
    loop.start(EVRUN_ONCE)
    assert seen[0] == (good, EV_READ)
    assert loop.watchers == (good,)


@pytest.mark.parametrize("polled", [False, True])
@pytest.mark.parametrize("fds", list(itertools.permutations([50, 51, 900, 901], 2)))
def test_second_bad_one_that_was_opened_meanwhile_is_not_refused(loop, pipe, seen, fds, polled):
    """Nor if the kernel had named it before the first one was reported."""
    r, w = pipe()
    watchers = [loop.io(fd, EV_READ, seen) for fd in fds]
    for watcher in watchers:
        if polled:
            os.dup2(r, watcher.fd)
        watcher.start()
    if polled:
        loop.start(EVRUN_NOWAIT)
        for fd in fds:
            os.close(fd)
    refused(loop, 0)
    (left,) = [watcher for watcher in watchers if watcher.active]
    os.dup2(r, left.fd)
    os.write(w, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(left, EV_READ)]
    left.stop()
    os.close(left.fd)
    passes(loop)


def test_stopping_one_bad_watcher_leaves_another_that_claims_to_be_equal(loop):
    class Same(everloop.Io):
        def __eq__(self, other):
            return True

        __hash__ = everloop.Io.__hash__

    one = Same(10**8, EV_READ, loop, lambda w, e: None, "one")
    two = Same(10**8 + 1, EV_READ, loop, lambda w, e: None, "two")
    one.start()
    two.start()
    two.stop()
    assert "fd=100000000 " in str(refused(loop))
    assert not one.active
    assert loop.start(EVRUN_NOWAIT) is False


def test_closed_before_the_first_pass(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    os.close(r)
    error = refused(loop)
    assert error.errno == errno.EBADF
    assert f"fd={r} " in str(error)
    assert not watcher.active
    assert loop.start() is False


def test_closed_after_it_was_polled(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    os.close(r)
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active
    assert loop.start() is False


def test_closed_before_the_loop_opens_descriptors_of_its_own(fresh_loop, pipe, seen):
    """What the loop opens for itself may get the number, and is not what is watched."""
    r, w = pipe()
    watcher = fresh_loop.io(r, EV_READ, seen)
    watcher.start()
    passes(fresh_loop)
    os.close(r)
    assert refused(fresh_loop, 0).errno == errno.EBADF
    assert not watcher.active
    assert seen == []


def test_stopped_and_closed_before_the_loop_opens_descriptors_of_its_own(fresh_loop, pipe, seen):
    r, w = pipe()
    copy = os.dup(r)
    watcher = fresh_loop.io(r, EV_READ, seen)
    watcher.start()
    passes(fresh_loop)
    watcher.stop()
    os.close(r)
    os.write(w, b"x")
    stop = fresh_loop.timer(0.2, 0.0, lambda w, e: fresh_loop.stop())
    stop.start()
    before = fresh_loop.iteration
    fresh_loop.start()
    os.close(copy)
    assert fresh_loop.iteration - before < 20
    assert seen == []


def test_closed_in_a_callback(loop, pipe, seen):
    r, w = pipe()
    other, _ = pipe()
    watcher = loop.io(r, EV_READ, lambda w, e: os.close(other))
    quiet = loop.io(other, EV_READ, seen)
    watcher.start()
    quiet.start()
    os.write(w, b"x")
    watcher.callback = lambda w, e: (os.read(r, 1), os.close(other))
    error = refused(loop, 0)
    assert error.errno == errno.EBADF
    assert f"fd={other} " in str(error)
    assert watcher.active
    assert not quiet.active


def test_closed_by_another_thread_while_blocked(loop, pipe, seen, when_blocked):
    """poll(2) and select(2) don't notice before they return, so that is what is asked for."""
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    wake = loop.async_(lambda w, e: None)
    wake.start()

    def close():
        os.close(r)
        wake.send()

    when_blocked(close)
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active
    assert wake.active


def test_closed_while_the_loop_never_blocks(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    idle = loop.idle(lambda w, e: None)
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    for each in (watcher, idle, limit):
        each.start()
    passes(loop)
    os.close(r)
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active
    assert idle.active


def test_closed_while_another_descriptor_is_always_ready(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    busy = loop.io(w, EV_WRITE, lambda w, e: None)
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    for each in (watcher, busy, limit):
        each.start()
    passes(loop)
    os.close(r)
    busy.callback = lambda w, e: None
    os.close(w)
    assert refused(loop, 0).errno == errno.EBADF
    assert refused(loop, 0).errno == errno.EBADF
    assert loop.watchers == (limit,)


def test_the_only_one_closed_while_always_ready(loop, pipe, seen):
    r, w = pipe()
    os.write(w, b"x")
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    watcher = loop.io(r, EV_READ, seen)
    for each in (watcher, limit):
        each.start()
    passes(loop, 10)
    assert len(seen.take()) == 10
    os.close(r)
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active
    os.close(w)


def test_number_of_the_only_one_reused_while_always_ready(loop, pipe, seen):
    r, w = pipe()
    quiet, other = pipe()
    os.write(w, b"x")
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop, 10)
    seen.clear()
    os.dup2(quiet, r)
    passes(loop, 10)
    assert seen.take() == []
    os.write(other, b"x")
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    watcher.callback = lambda w, e: (w.stop(), loop.stop())
    limit.start()
    loop.start()
    assert limit.active
    os.close(r)


@pytest.mark.parametrize("ready", [1, 2, 3, 16, 17])
def test_some_that_are_always_ready(loop, pipe, seen, ready):
    """All are told of in each pass, whether the number of those that are ready grows or falls."""
    pipes = [pipe() for _ in range(ready)]
    for r, w in pipes:
        os.write(w, b"x")
        loop.io(r, EV_READ, seen).start()
    for taken in range(ready):
        for _ in range(4):
            passes(loop, 1)
            assert {watcher.fd for watcher, _ in seen.take()} == {r for r, _ in pipes[taken:]}
        os.read(pipes[taken][0], 1)
    passes(loop)
    assert seen.take() == []
    for _, w in pipes:
        os.write(w, b"x")
        passes(loop, 1)
    seen.clear()
    passes(loop, 1)
    assert {watcher.fd for watcher, _ in seen.take()} == {r for r, _ in pipes}


def test_threads_are_heard_while_one_is_always_ready(loop, pipe):
    r, w = pipe()
    os.write(w, b"x")
    calls = itertools.count()
    started = threading.Event()
    watcher = loop.io(r, EV_READ, lambda w, e: next(calls) == 100 and started.set())
    sent = loop.async_(lambda w, e: loop.stop())
    for each in (watcher, sent):
        each.start()
    thread = threading.Thread(target=lambda: started.wait(20) and sent.send())
    thread.start()
    loop.start()
    thread.join()
    assert started.is_set()


def test_closed_while_a_short_timer_repeats(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    tick = loop.timer(0.001, 0.001, lambda w, e: None)
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    for each in (watcher, tick, limit):
        each.start()
    passes(loop)
    os.close(r)
    assert refused(loop, 0).errno == errno.EBADF
    assert tick.active


def test_one_of_thousands_closed_between_two_starts(loop, pipe, seen, many_descriptors):
    r, _ = pipe()
    copies = [os.dup(r) for _ in range(3000)]
    watchers = [loop.io(fd, EV_READ, seen) for fd in copies]
    for watcher in watchers:
        watcher.start()
    try:
        loop.start(EVRUN_NOWAIT)
        loop.start(EVRUN_NOWAIT)
        os.close(copies.pop(1000))
        with pytest.raises(OSError) as caught:
            loop.start()
        assert caught.value.errno == errno.EBADF
        assert not watchers.pop(1000).active
        assert all(watcher.active for watcher in watchers)
    finally:
        for watcher in watchers:
            watcher.stop()
        for fd in copies:
            os.close(fd)


def test_closed_regular_file(loop, seen):
    file = tempfile.TemporaryFile()
    watcher = loop.io(file, EV_READ, seen)
    limit = loop.timer(5.0, 0.0, lambda w, e: loop.stop())
    watcher.start()
    limit.start()
    passes(loop)
    file.close()
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active


def test_all_watchers_of_a_closed_descriptor_are_reported(loop, pipe, seen):
    r, w = pipe()
    watchers = [loop.io(r, EV_READ, seen) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    passes(loop)
    os.close(r)
    for left in (2, 1, 0):
        assert refused(loop, 0).errno == errno.EBADF
        assert len(loop.watchers) == left
    assert loop.start() is False


def test_what_was_pending_with_a_bad_descriptor_is_not_lost(loop, pipe, seen):
    r, w = pipe()
    bad, _ = pipe()
    good = loop.io(r, EV_READ, lambda w, e: (os.read(r, 1), seen(w, e)))
    closed = loop.io(bad, EV_READ, seen)
    timer = loop.timer(0.0, 0.0, seen)
    fed = loop.check(seen)
    good.start()
    closed.start()
    passes(loop)
    os.close(bad)
    os.write(w, b"x")
    timer.start()
    fed.feed(everloop.EV_CUSTOM)
    time.sleep(0.5)  # or the next look is put off, where the last took long
    assert refused(loop).errno == errno.EBADF
    for _ in range(3):
        loop.start(EVRUN_NOWAIT)
    assert set(seen) == {
        (good, EV_READ),
        (timer, everloop.EV_TIMER),
        (fed, everloop.EV_CUSTOM),
    }
    assert len(seen) == 3


def test_watcher_of_a_closed_descriptor_can_be_used_again(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    os.close(r)
    refused(loop, 0)
    fresh, into = pipe()
    watcher.set(fresh, EV_READ)
    watcher.start()
    os.write(into, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_stopped_in_the_same_pass_as_closed(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    os.write(w, b"x")
    passes(loop, 1)
    seen.clear()
    os.close(r)
    watcher.stop()
    passes(loop)
    assert loop.start() is False
    assert seen == []


# Numbers used again


def test_number_reused_after_a_stop(loop, pipe, seen):
    """Stopped, closed, opened anew under the number, started, all between two passes."""
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    watcher.stop()
    os.close(r)
    fresh, into = pipe()
    assert fresh == r
    watcher.start()
    passes(loop)
    assert seen == []
    os.write(into, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_number_reused_after_a_stop_and_a_pass(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    watcher.stop()
    passes(loop)
    os.close(r)
    fresh, into = pipe()
    assert fresh == r
    passes(loop)
    watcher.start()
    os.write(into, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_number_reused_without_a_stop(loop, pipe, seen):
    """Closed and opened anew under an active watcher: the new file is what is watched."""
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    limit = loop.timer(20.0, 0.0, lambda w, e: loop.stop())
    watcher.start()
    passes(loop)
    os.close(r)
    fresh, into = pipe()
    assert fresh == r
    passes(loop)
    assert seen == []
    os.write(into, b"x")
    watcher.callback = lambda w, e: (seen(w, e), loop.stop())
    limit.start()
    loop.start()
    assert seen == [(watcher, EV_READ)]


def test_number_of_a_pipe_reused_by_a_regular_file_and_back(loop, pipe, seen):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    watcher.stop()
    os.close(r)
    with tempfile.TemporaryFile() as file:
        assert file.fileno() == r
        watcher.start()
        passes(loop, 1)
        assert seen.take() == [(watcher, EV_READ)]
        watcher.stop()
    fresh, into = pipe()
    assert fresh == r
    watcher.start()
    passes(loop)
    assert seen == []
    os.write(into, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_number_of_a_regular_file_reused_by_a_pipe_without_a_stop(loop, pipe, seen):
    file = tempfile.TemporaryFile()
    number = file.fileno()
    watcher = loop.io(file, EV_READ, seen)
    watcher.start()
    passes(loop)
    file.close()
    fresh, into = pipe()
    assert fresh == number
    stop = loop.timer(0.5, 0.0, lambda w, e: loop.stop())
    stop.start()
    loop.start()
    seen.clear()
    passes(loop)
    assert seen == []
    os.write(into, b"x")
    loop.start(EVRUN_ONCE)
    assert seen == [(watcher, EV_READ)]


def test_regular_file_replaced_by_a_pipe_is_waited_for_in_the_next_pass(loop, pipe, seen):
    fresh, into = pipe()
    os.write(into, b"x")
    with tempfile.TemporaryFile(buffering=0) as file:
        watcher = loop.io(file, EV_READ, seen)
        watcher.start()
        passes(loop)
        seen.clear()
        os.dup2(fresh, file.fileno())
        loop.start(EVRUN_NOWAIT)
        assert seen == [(watcher, EV_READ)]
        os.read(fresh, 1)
        seen.clear()
        passes(loop)
        assert seen == []
        watcher.stop()


def test_closed_number_with_a_duplicate_kept_open(loop, pipe, seen):
    r, w = pipe()
    copy = os.dup(r)
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    os.close(r)
    os.write(w, b"x")
    assert refused(loop, 0).errno == errno.EBADF
    assert not watcher.active
    seen.clear()
    passes(loop)
    assert seen == []
    again = loop.io(copy, EV_READ, seen)
    again.start()
    loop.start(EVRUN_ONCE)
    assert seen == [(again, EV_READ)]
    again.stop()
    os.close(copy)


def test_duplicate_kept_open_and_number_reused(loop, pipe, seen):
    """Events of the old file, which the duplicate keeps alive, are not the new file's."""
    r, w = pipe()
    copy = os.dup(r)
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    watcher.stop()
    os.close(r)
    fresh, into = pipe()
    assert fresh == r
    os.write(w, b"old")
    watcher.start()
    passes(loop)
    assert seen == []
    os.write(into, b"new")
    loop.start(EVRUN_ONCE)
    assert seen.take() == [(watcher, EV_READ)]
    os.read(fresh, 9)
    passes(loop)
    assert seen == []
    os.close(copy)


def test_duplicate_kept_open_after_a_stop_does_not_make_the_loop_spin(loop, pipe, seen):
    r, w = pipe()
    copy = os.dup(r)
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    passes(loop)
    watcher.stop()
    os.close(r)
    os.write(w, b"x")
    stop = loop.timer(0.2, 0.0, lambda w, e: loop.stop())
    stop.start()
    before = loop.iteration
    loop.start()
    os.close(copy)
    assert loop.iteration - before < 20
    assert seen == []


def test_closing_and_opening_at_random_agrees_with_a_model(loop, pipe):
    """Files come and go under a few numbers; a watcher that was restarted sees its own."""
    chance = random.Random(9)
    called = set()
    files, spare = {}, []
    for _ in range(5):
        r, w = pipe()
        files[r] = [w, False]
    watchers = {fd: loop.io(fd, EV_READ, lambda w, e: called.add(w.fd)) for fd in files}
    for fd, watcher in watchers.items():
        assert watcher.fd == fd
        watcher.start()
    for step in range(600):
        fd = chance.choice(list(files))
        action = chance.randrange(4)
        if action == 0:
            watchers[fd].stop()
            if chance.randrange(2):
                spare.append(os.dup(fd))  # the old file lives on
            new_read, new_write = os.pipe()
            os.dup2(new_read, fd)
            os.close(new_read)
            if chance.randrange(2):
                os.close(files[fd][0])
            else:
                spare.append(files[fd][0])
            os.set_blocking(fd, False)
            files[fd] = [new_write, False]
            if chance.randrange(2):
                loop.start(EVRUN_NOWAIT)
            watchers[fd].start()
        elif action == 1 and not files[fd][1]:
            os.write(files[fd][0], b"x")
            files[fd][1] = True
        elif action == 2 and files[fd][1]:
            os.read(fd, 1)
            files[fd][1] = False
        elif action == 3:
            watchers[fd].stop()
            watchers[fd].start()
        called.clear()
        loop.start(EVRUN_NOWAIT)
        assert called == {fd for fd, (_, ready) in files.items() if ready}, f"step {step}"
        loop.verify()
    for watcher in watchers.values():
        watcher.stop()
    for fd in (*spare, *files, *(w for w, _ in files.values())):
        os.close(fd)


# Threads and descriptors of the loop's own


def test_other_thread_wakes_a_blocked_loop(loop, when_blocked):
    watcher = loop.async_(lambda w, e: loop.stop())
    watcher.start()
    when_blocked(watcher.send)
    assert loop.start() is True


def test_watcher_started_by_another_thread_is_noticed(loop, pipe, when_blocked):
    r, w = pipe()
    os.write(w, b"x")
    keep = loop.async_(lambda w, e: None)
    keep.start()
    watcher = loop.io(r, EV_READ, lambda w, e: loop.stop())
    when_blocked(watcher.start)
    assert loop.start() is True
    assert watcher.active


def test_descriptor_being_watched_is_stopped_by_another_thread(loop, pipe, seen, when_blocked):
    r, w = pipe()
    watcher = loop.io(r, EV_READ, seen)
    watcher.start()
    when_blocked(watcher.stop)
    assert loop.start() is False


def test_rebuilding_keeps_all_watchers(loop, pipe, seen):
    r, w = pipe()
    with tempfile.TemporaryFile() as file:
        watchers = [loop.io(r, EV_READ, seen), loop.io(w, EV_WRITE, seen)]
        watchers.append(loop.io(file, EV_READ, seen))
        for watcher in watchers:
            watcher.start()
        os.write(w, b"x")
        passes(loop, 1)
        assert len(seen.take()) == 3
        for _ in range(3):
            loop.reset()
            passes(loop, 1)
            assert {watcher for watcher, _ in seen.take()} == set(watchers)
        for watcher in watchers:
            watcher.stop()


def test_loop_without_references_releases_its_descriptors(backend):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        loop = everloop.Loop(backend)
        wake = loop.async_(lambda w, e: None)
        wake.start()
        wake.send()
        loop.start(EVRUN_ONCE)
    del loop, wake
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_close_releases_the_descriptors(backend):
    before = len(os.listdir("/proc/self/fd"))
    loop = everloop.Loop(backend)
    wake = loop.async_(lambda w, e: None)
    wake.start()
    loop.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_are_not_inherited(loop, backend):
    before = set(os.listdir("/proc/self/fd"))
    other = everloop.Loop(backend)
    other.async_(lambda w, e: None).start()
    for name in set(os.listdir("/proc/self/fd")) - before:
        if os.path.exists(f"/proc/self/fd/{name}"):
            assert not os.get_inheritable(int(name))
    other.close()
