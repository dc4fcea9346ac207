"""The queue of pending events, seen through feed(), clear() and invoke()."""

import random

import pytest

from everloop import EV_CUSTOM, EV_READ, EV_TIMER, EV_WRITE, Error


@pytest.fixture
def called():
    return []


@pytest.fixture
def watcher_of(loop, called):
    def make(priority=0, data=None):
        return loop.idle(lambda w, e: called.append((w.data, e)), data, priority)

    return make


def test_fed_watcher_is_pending_until_it_was_called(loop, watcher_of, called):
    watcher = watcher_of()
    watcher.feed(EV_CUSTOM)
    loop.verify()
    assert (watcher.pending, watcher.active, loop.pending) == (True, False, 1)
    assert called == []
    loop.invoke()
    loop.verify()
    assert (watcher.pending, loop.pending) == (False, 0)
    assert called == [(None, EV_CUSTOM)]
    loop.invoke()
    assert len(called) == 1


def test_feeding_again_adds_bits(loop, watcher_of, called):
    watcher = watcher_of()
    for bits in (EV_READ, EV_WRITE, EV_READ, EV_TIMER):
        watcher.feed(bits)
        loop.verify()
    assert loop.pending == 1
    loop.invoke()
    assert called == [(None, EV_READ | EV_WRITE | EV_TIMER)]


def test_clear_takes_back_and_tells(loop, watcher_of, called):
    watcher = watcher_of()
    assert watcher.clear() == 0
    watcher.feed(EV_READ)
    watcher.feed(EV_WRITE)
    assert watcher.clear() == EV_READ | EV_WRITE
    loop.verify()
    assert not watcher.pending
    assert watcher.clear() == 0
    loop.invoke()
    assert called == []


def test_higher_priorities_first(loop, watcher_of, called):
    watchers = [watcher_of(p, p) for p in (0, 2, -2, 1, -1)]
    for watcher in watchers:
        watcher.feed(EV_CUSTOM)
    loop.invoke()
    assert [data for data, _ in called] == [2, 1, 0, -1, -2]


def test_last_fed_is_called_first_among_equals(loop, watcher_of, called):
    watchers = [watcher_of(0, n) for n in range(5)]
    for watcher in watchers:
        watcher.feed(EV_CUSTOM)
    loop.invoke()
    assert [data for data, _ in called] == [4, 3, 2, 1, 0]


def test_higher_priority_fed_in_a_callback_goes_next(loop, called):
    high = loop.idle(lambda w, e: called.append("high"), None, 2)
    low = loop.idle(lambda w, e: called.append("low"), None, -1)
    first = loop.idle(lambda w, e: (called.append("first"), high.feed(EV_CUSTOM)))
    low.feed(EV_CUSTOM)
    first.feed(EV_CUSTOM)
    loop.invoke()
    assert called == ["first", "high", "low"]


def test_fed_in_its_own_callback_is_called_again(loop, called):
    def again(watcher, revents):
        called.append(revents)
        if revents < 4:
            watcher.feed(revents + 1)
            loop.verify()

    watcher = loop.idle(again)
    watcher.feed(1)
    loop.invoke()
    assert called == [1, 2, 3, 4]


def test_taken_back_in_anothers_callback(loop, watcher_of, called):
    low = watcher_of(-2, "low")
    high = loop.idle(lambda w, e: called.append(low.clear()), None, 2)
    low.feed(EV_READ)
    high.feed(EV_CUSTOM)
    loop.invoke()
    assert called == [EV_READ]


def test_priority_can_not_change_while_pending(loop, watcher_of):
    watcher = watcher_of()
    watcher.feed(EV_CUSTOM)
    with pytest.raises(Error, match="pending"):
        watcher.priority = 1
    watcher.clear()
    watcher.priority = 1
    assert watcher.priority == 1


def test_nested_invoke_runs_the_rest(loop, watcher_of, called):
    low = watcher_of(-1, "low")
    high = loop.idle(lambda w, e: (called.append("in"), loop.invoke(), called.append("out")))
    low.feed(EV_CUSTOM)
    high.feed(EV_CUSTOM)
    loop.invoke()
    assert called == ["in", ("low", EV_CUSTOM), "out"]


def test_thousands_of_events(loop, watcher_of, called):
    watchers = [watcher_of(n % 5 - 2, n) for n in range(5000)]
    for watcher in watchers:
        watcher.feed(EV_CUSTOM)
    loop.verify()
    assert loop.pending == 5000
    loop.invoke()
    loop.verify()
    assert len(called) == 5000
    assert [data % 5 for data, _ in called] == sorted((n % 5 for n in range(5000)), reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_random_work_agrees_with_lists(loop, called, seed):
    """Feeding, clearing and calling, also in callbacks, against one list a priority."""
    chance = random.Random(seed)
    lanes = {priority: [] for priority in range(-2, 3)}
    bits = {}

    def model_feed(watcher, revents):
        if watcher in bits:
            bits[watcher] |= revents
        else:
            lanes[watcher.priority].append(watcher)
            bits[watcher] = revents

    def model_clear(watcher):
        if watcher not in bits:
            return 0
        lanes[watcher.priority].remove(watcher)
        return bits.pop(watcher)

    def model_next():
        lane = next(lanes[p] for p in range(2, -3, -1) if lanes[p])
        watcher = lane.pop()
        return watcher, bits.pop(watcher)

    def something():
        watcher = chance.choice(watchers)
        if chance.randrange(3):
            revents = 1 << chance.randrange(8)
            watcher.feed(revents)
            model_feed(watcher, revents)
        else:
            assert watcher.clear() == model_clear(watcher)

    def call(watcher, revents):
        assert (watcher, revents) == model_next()
        called.append(watcher)
        for _ in range(chance.randrange(2)):
            something()

    watchers = [loop.idle(call, None, n % 5 - 2) for n in range(40)]
    loop.debug = True
    for _ in range(400):
        for _ in range(chance.randrange(20)):
            something()
            loop.verify()
        assert {w for w in watchers if w.pending} == set(bits)
        loop.invoke()
        assert not bits
        loop.verify()
    assert len(called) > 1000
