"""The arrays of watchers that are served all at once: Prepare, Check, Idle, Async."""

import random

import pytest

from everloop import EVRUN_NOWAIT


@pytest.fixture(params=["prepare", "check", "idle", "async_"])
def factory(loop, request):
    return getattr(loop, request.param)


def serve(loop):
    for watcher in loop.watchers:
        if hasattr(watcher, "send"):
            watcher.send()
    loop.start(EVRUN_NOWAIT)
    loop.verify()


def test_all_are_served_each_pass(loop, factory):
    called = []
    watchers = [factory(lambda w, e: called.append(w.data), n) for n in range(20)]
    for watcher in watchers:
        watcher.start()
        loop.verify()
    for _ in range(3):
        serve(loop)
        assert sorted(called) == list(range(20))
        called.clear()


@pytest.mark.parametrize("place", [0, 1, 5, 8, 9])
def test_stopping_one_leaves_the_others(loop, factory, place):
    called = []
    watchers = [factory(lambda w, e: called.append(w.data), n) for n in range(10)]
    for watcher in watchers:
        watcher.start()
    watchers[place].stop()
    loop.verify()
    serve(loop)
    assert sorted(called) == [n for n in range(10) if n != place]


def test_last_one_takes_the_place_of_one_that_goes(loop):
    """The order among equals, last started first, is libev's."""
    called = []
    watchers = [loop.prepare(lambda w, e: called.append(w.data), n) for n in range(5)]
    for watcher in watchers:
        watcher.start()
    serve(loop)
    assert called == [4, 3, 2, 1, 0]
    called.clear()
    watchers[1].stop()
    serve(loop)
    assert called == [3, 2, 4, 0]


def test_one_that_stops_all_in_its_callback(loop, factory):
    called = []

    def stop_all(watcher, revents):
        called.append(watcher)
        for each in watchers:
            each.stop()
        loop.verify()

    watchers = [factory(stop_all) for _ in range(8)]
    for watcher in watchers:
        watcher.start()
    serve(loop)
    assert len(called) == 1
    assert loop.watchers == ()


def test_one_started_in_a_callback_waits_for_the_next_pass(loop, factory):
    called = []

    def start_another(watcher, revents):
        called.append(watcher)
        factory(lambda w, e: called.append(w)).start()
        watcher.stop()

    factory(start_another).start()
    serve(loop)
    assert len(called) == 1
    serve(loop)
    assert len(called) == 2


def test_random_starts_and_stops_agree_with_a_set(loop, factory):
    chance = random.Random(3)
    called = []
    watchers = [factory(lambda w, e: called.append(w.data), n) for n in range(50)]
    model = set()
    for _ in range(600):
        for _ in range(chance.randrange(6)):
            n = chance.randrange(50)
            if n in model:
                watchers[n].stop()
            else:
                watchers[n].start()
            model ^= {n}
            loop.verify()
        called.clear()
        serve(loop)
        assert sorted(called) == sorted(model)
