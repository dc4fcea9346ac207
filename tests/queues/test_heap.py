"""The heap of times, seen through Timers and a clock that the tests move."""

import random

import pytest

from everloop import EVRUN_NOWAIT

# A unit of time that is a whole number of nanoseconds and exact as a float, too.
TICK = 1 / 512


class Model:
    """A sorted list of (time, timer) that does what the heap should."""

    def __init__(self):
        self.now = 0
        self.due = {}

    def start(self, timer, after):
        self.due[timer] = self.now + after

    def stop(self, timer):
        self.due.pop(timer, None)

    def advance(self, ticks):
        self.now += ticks

    def expire(self):
        """Those that are due, the earliest first, and each once."""
        fired = sorted((at, timer) for timer, at in self.due.items() if at <= self.now)
        for _, timer in fired:
            del self.due[timer]
        return fired


def pass_of(loop):
    loop.start(EVRUN_NOWAIT)
    loop.verify()


def test_timers_fire_in_the_order_of_their_times(loop, clock):
    fired = []
    for n in random.Random(0).sample(range(100), 100):
        loop.timer(n / 100, 0.0, lambda w, e: fired.append(w.data), n).start()
        loop.verify()
    assert loop.start() is False
    assert fired == list(range(100))


@pytest.mark.parametrize("count", [1, 2, 5, 63, 64, 65, 200, 1000])
def test_many_that_are_due_at_once_fire_in_order(loop, clock, count):
    """Few are taken one by one, many in one sweep: the order is that of the times."""
    fired = []
    for n in random.Random(count).sample(range(count), count):
        loop.timer(1.0 + n / 1000, 0.0, lambda w, e: fired.append(w.data), n).start()
    later = loop.timer(1000.0, 0.0, lambda w, e: fired.append("later"))
    later.start()
    clock.advance(100.0)
    pass_of(loop)
    assert fired == list(range(count))
    assert loop.watchers == (later,)


class Heap(list):
    """A heap with four children a node, of (time, number), as libev's: it decides among equals."""

    def push(self, node):
        place = len(self)
        self.append(node)
        while place and self[(place - 1) // 4][0] > node[0]:
            self[place] = self[(place - 1) // 4]
            place = (place - 1) // 4
        self[place] = node

    def take_first(self):
        first, node = self[0], self.pop()
        if self:
            place = 0
            while children := range(place * 4 + 1, min(place * 4 + 5, len(self))):
                best = min(children, key=lambda child: self[child][0])
                if node[0] <= self[best][0]:
                    break
                self[place] = self[best]
                place = best
            self[place] = node
        return first


@pytest.mark.parametrize("times", [1, 5, 1000])
@pytest.mark.parametrize("count", [5, 64, 65, 66, 300, 1000])
def test_order_among_equal_times(loop, clock, count, times):
    fired = []
    heap = Heap()
    chance = random.Random(count)
    for n in range(count):
        after = chance.randrange(times)
        loop.timer(after * TICK, 0.0, lambda w, e: fired.append(w.data), n).start()
        heap.push((after, n))
    clock.advance(100.0)
    pass_of(loop)
    assert fired == [heap.take_first()[1] for _ in range(count)]


@pytest.mark.parametrize("quiet", [0, 10, 3000])
def test_due_ones_among_others_that_are_not(loop, clock, quiet):
    fired = []
    for n in range(quiet):
        loop.timer(500.0 + n % 7, 0.0, lambda w, e: fired.append("early")).start()
    for n in reversed(range(100)):
        loop.timer(n / 1000, 1000.0, lambda w, e: fired.append(w.data), n).start()
    clock.advance(1.0)
    pass_of(loop)
    assert fired == list(range(100))
    assert len(loop.watchers) == quiet + 100


@pytest.mark.parametrize("place", range(12))
def test_stopping_any_one_keeps_the_order_of_the_rest(loop, clock, place):
    fired = []
    timers = [
        loop.timer(after, 0.0, lambda w, e: fired.append(w.data), after)
        for after in (5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 0.0, 11.0, 10.0)
    ]
    for timer in timers:
        timer.start()
    timers[place].stop()
    loop.verify()
    loop.start()
    assert fired == sorted(timer.data for timer in timers if timer is not timers[place])


def test_stopping_all_at_random_leaves_nothing(loop, clock):
    chance = random.Random(2)
    timers = [loop.timer(chance.random(), 0.0, lambda w, e: None) for _ in range(500)]
    for timer in timers:
        timer.start()
    chance.shuffle(timers)
    for timer in timers:
        timer.stop()
        loop.verify()
    assert loop.start() is False


@pytest.mark.parametrize("seed", range(4))
def test_random_work_agrees_with_a_sorted_list(loop, clock, seed):
    """One-shot timers are started, stopped and fired."""
    chance = random.Random(seed)
    model, fired = Model(), []
    loop.update()
    timers = [loop.timer(0.0, 0.0, lambda w, e: fired.append(w.data), n) for n in range(80)]
    base = loop.now()
    for step in range(2500):
        n = chance.randrange(80)
        action = chance.randrange(10)
        if action < 5:
            timers[n].stop()
            after = chance.randrange(400)
            timers[n].set(after * TICK, 0.0)
            timers[n].start()
            model.start(n, after)
        elif action < 7:
            timers[n].stop()
            model.stop(n)
        else:
            span = chance.randrange(60)
            clock.advance(span * TICK)
            model.advance(span)
            pass_of(loop)
            due = model.expire()
            # Among equal times the order is not the model's business.
            times = [at for at, _ in due]
            at_of = {n: at for at, n in due}
            assert sorted(fired) == sorted(at_of), f"step {step}"
            assert [at_of[n] for n in fired] == times, f"step {step}"
            fired.clear()
            assert round((loop.now() - base) / TICK) == model.now
        loop.verify()
        assert {n for n in range(80) if timers[n].active} == set(model.due)


@pytest.mark.parametrize("seed", range(4))
def test_random_work_with_repeating_timers(loop, clock, seed):
    """Repeating timers are reset, re-timed and fired; at most once a pass, without drift."""
    chance = random.Random(100 + seed)
    now, due, repeats, fired = 0, {}, {}, []
    timers = [loop.timer(0.0, TICK, lambda w, e: fired.append(w.data), n) for n in range(60)]
    for step in range(2500):
        n = chance.randrange(60)
        action = chance.randrange(10)
        if action < 3:
            repeats[n] = chance.randrange(1, 100)
            timers[n].repeat = repeats[n] * TICK
            timers[n].reset()
            due[n] = now + repeats[n]
        elif action < 4:
            repeats[n] = chance.randrange(1, 100)
            timers[n].repeat = repeats[n] * TICK
        elif action < 6:
            timers[n].stop()
            due.pop(n, None)
        else:
            span = chance.randrange(80)
            clock.advance(span * TICK)
            now += span
            pass_of(loop)
            expected = sorted(n for n, at in due.items() if at <= now)
            assert sorted(fired) == expected, f"step {step}"
            assert [due[n] for n in fired] == sorted(due[n] for n in expected), f"step {step}"
            fired.clear()
            for n in expected:
                # One that missed its next time as well is due at once, in the next pass.
                due[n] = due[n] + repeats[n] if due[n] + repeats[n] > now else now + 0.5
        loop.verify()
        assert {n for n in range(60) if timers[n].active} == set(due)


def test_suspending_moves_all_times_alike(loop, clock):
    chance = random.Random(5)
    fired = []
    for _ in range(300):
        after = chance.randrange(1, 1000)
        loop.timer(after / 1000, 0.0, lambda w, e: fired.append(w.data), after).start()
    for _ in range(20):
        loop.suspend()
        clock.advance(10.0)
        loop.resume()
        loop.verify()
    assert fired == []
    loop.start()
    assert fired == sorted(fired)
    assert len(fired) == 300


def test_times_at_the_end_of_the_range_keep_their_order_when_suspended(loop, clock):
    """The largest time that fits is 146 years; beyond it all are the same."""
    fired = []
    century = 2**62 / 1e9
    for after in (century - 500, century - 1000, century - 1500, century * 2, 1e300, 5.0):
        loop.timer(after, 0.0, lambda w, e: fired.append(w.data), after).start()
    for _ in range(5):
        loop.suspend()
        clock.advance(250.0)
        loop.resume()
        loop.verify()
