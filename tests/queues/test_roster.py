"""Who owns watchers: the loop does while they are active or pending."""

import gc
import random
import weakref

from everloop import EV_CUSTOM, EVRUN_NOWAIT


def noop(watcher, revents):
    pass


def test_watchers_in_the_order_of_starting(loop):
    a, b, c = (loop.idle(noop) for _ in range(3))
    for watcher in (b, c, a):
        watcher.start()
    assert loop.watchers == (b, c, a)
    c.stop()
    assert loop.watchers == (b, a)
    c.start()
    assert loop.watchers == (b, a, c)


def test_order_of_starting_counts_not_that_of_feeding(loop):
    a, b = loop.idle(noop), loop.idle(noop)
    b.feed(EV_CUSTOM)
    a.start()
    b.start()
    assert loop.watchers == (a, b)


def test_pending_ones_are_not_listed_as_active(loop):
    watcher = loop.idle(noop)
    watcher.feed(EV_CUSTOM)
    assert loop.watchers == ()


def test_active_watcher_lives_without_other_references(loop):
    ghost = weakref.ref(loop.timer(10.0, 0.0, noop))
    assert ghost() is None
    watcher = loop.timer(10.0, 0.0, noop)
    ghost = weakref.ref(watcher)
    watcher.start()
    del watcher
    gc.collect()
    loop.verify()
    assert ghost() is not None
    ghost().stop()
    assert ghost() is None


def test_fed_watcher_is_forgotten_with_its_last_reference(loop):
    called = []
    watcher = loop.idle(lambda w, e: called.append(e))
    ghost = weakref.ref(watcher)
    watcher.feed(EV_CUSTOM)
    del watcher
    loop.invoke()
    loop.verify()
    assert called == []
    assert ghost() is None


def test_expired_timer_is_owned_until_its_callback_has_run(loop, clock):
    called = []
    loop.timer(0.0, 0.0, lambda w, e: (called.append(w.active), gc.collect())).start()
    assert loop.start() is False
    assert called == [False]


def test_restarted_in_its_callback_stays_owned(loop, clock):
    called = []

    def again(watcher, revents):
        called.append(len(called))
        if len(called) < 4:
            watcher.set(1.0, 0.0)
            watcher.start()
            loop.verify()

    loop.timer(0.0, 0.0, again).start()
    assert loop.start() is False
    assert called == [0, 1, 2, 3]


def test_random_starts_and_stops_keep_the_order(loop):
    chance = random.Random(1)
    watchers = [loop.idle(noop, n) for n in range(400)]
    model = []
    for step in range(6000):
        # Long runs of starting and of stopping, so that the seats are moved up.
        watcher = chance.choice(watchers)
        if chance.randrange(10) < (8 if step // 700 % 2 else 2):
            if not watcher.active:
                watcher.start()
                model.append(watcher)
        elif watcher.active:
            watcher.stop()
            model.remove(watcher)
        if step % 20 == 0:
            loop.verify()
            assert loop.watchers == tuple(model)
    for watcher in watchers:
        watcher.stop()
    assert loop.watchers == ()
    assert loop.start(EVRUN_NOWAIT) is False


def test_nothing_is_left_of_watchers_that_are_gone(loop):
    def of_everloop():
        return sum(str(type(each).__module__).startswith("everloop") for each in gc.get_objects())

    def work():
        for kind in (loop.idle, loop.prepare, loop.check, loop.async_):
            watchers = [kind(noop) for _ in range(50)]
            for watcher in watchers:
                watcher.start()
                watcher.feed(EV_CUSTOM)
            loop.start(EVRUN_NOWAIT)
            for watcher in watchers[::2]:
                watcher.feed(EV_CUSTOM)
            for watcher in watchers:
                watcher.stop()
        for after in range(50):
            loop.timer(after / 1e9, 0.0, noop).start()
        loop.start()
        loop.verify()

    work()
    gc.collect()
    before = of_everloop()
    for _ in range(5):
        work()
    gc.collect()
    assert of_everloop() == before


def test_references_of_callbacks_and_data_are_given_back(loop):
    class Thing:
        def __call__(self, watcher, revents):
            pass

    ghosts = []
    for kind in (loop.idle, loop.prepare, loop.check, loop.async_):
        callback, data = Thing(), Thing()
        ghosts += [weakref.ref(callback), weakref.ref(data)]
        watcher = kind(callback, data)
        watcher.start()
        watcher.feed(EV_CUSTOM)
        loop.invoke()
        watcher.stop()
        del callback, data, watcher
    assert [ghost() for ghost in ghosts] == [None] * 8
