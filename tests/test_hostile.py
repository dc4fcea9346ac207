"""Programs that do what they should not, each in an interpreter of its own.

None of them may crash, hang or lose what others are waiting for.
"""

import pytest

# Arguments


def test_objects_made_without_init(run_program):
    run_program(
        """
        for kind in (*KINDS, Loop):
            bare = kind.__new__(kind)
            class Forgetful(kind):
                def __init__(self):
                    pass
            for each in (bare, Forgetful()):
                for name in dir(each):
                    if name.startswith("__"):
                        continue
                    try:
                        attribute = getattr(each, name)
                    except Exception:
                        continue
                    if not callable(attribute):
                        continue
                    for arguments in ((), (1,), (1, 1), (0, 1, noop), (noop,)):
                        try:
                            attribute(*arguments)
                        except (Error, TypeError, ValueError, AttributeError):
                            pass
                for name in ("priority", "callback", "data", "repeat", "io_interval",
                             "timeout_interval", "debug", "clock"):
                    for value in (1, None, noop, 1.0):
                        try:
                            setattr(each, name, value)
                        except (Error, TypeError, ValueError, AttributeError):
                            pass
                repr(each)
                gc.collect()
                raised(each.__enter__)
                raised(each.__exit__)
        print("ok")
        """,
        "ok",
    )


def test_watcher_of_a_loop_made_without_init(run_program):
    run_program(
        """
        loop = Loop.__new__(Loop)
        print(*(raised(make, kind, loop) for kind in KINDS))
        print(raised(loop.start), raised(loop.invoke), raised(loop.verify), loop.closed)
        """,
        "Error Error Error Error Error Error Error Error Error False",
    )


def test_watchers_without_init_say_so(run_program):
    run_program(
        """
        for kind in KINDS:
            bare = kind.__new__(kind)
            print(raised(bare.start), raised(bare.feed, 1), raised(bare.invoke, 1))
            print(bare.loop, bare.callback, bare.data, bare.active, bare.pending)
            print(raised(bare.stop), bare.clear())
        print(raised(Timer.__new__(Timer).reset), Timer.__new__(Timer).remaining)
        """,
        "Error Error Error None None None False False nothing 0 " * 6 + "Error 0.0",
    )


def test_failed_init_leaves_the_watcher_as_it_was(run_program):
    run_program(
        """
        class Bad:
            def __index__(self):
                raise ZeroDivisionError
        loop, other, closed = Loop(), Loop(), Loop()
        closed.close()
        for kind in KINDS:
            data = object()
            watcher = make(kind, loop, noop, data, 1)
            own = arguments_of(kind)
            def state():
                return [getattr(watcher, name) for name in
                    ("loop", "callback", "data", "priority", "active", "pending")] + [
                    getattr(watcher, name, None) for name in
                    ("fd", "events", "repeat", "remaining")]
            watcher.feed(EV_CUSTOM)
            before = state()
            for arguments in (
                (), own, own + (None,), own + (loop,), own + ("x", noop), own + (None, noop),
                own + (other, 5), own + (other, noop, 2, "x"), own + (other, noop, 2, Bad()),
                own + (other, noop, 2, 2**40), own + (closed, noop), own + (other, None),
                ("x", *own[1:], other, noop), (float("nan"), 0.0, other, noop),
                (*own[:1], -1, other, noop), (*own[:1], 2**70, other, noop),
                own + (other, noop, 1, 2, 3, 4), (Bad(), *own[1:], other, noop),
            ):
                error = raised(watcher.__init__, *arguments)
                if error == "nothing":
                    print(kind, arguments)
                if state() != before:
                    print(kind, arguments, error, before, state())
            loop.verify()
            watcher.clear()
            watcher.start()
            if raised(watcher.__init__, *own, other, noop) != "Error":
                print(kind, "active")
            watcher.stop()
        """
    )


def test_init_again_with_data_that_starts_the_watcher_when_it_goes(run_program):
    run_program(
        """
        class Starts:
            def __del__(self):
                raised(watcher.start)
        for kind in KINDS:
            loop, other = Loop(), Loop()
            r, w = pipe()
            for old, new in ((0, 2), (2, -2)):
                for target in (loop, other):
                    watcher = make(kind, loop, noop, Starts(), old)
                    own = {Io: (r, EV_WRITE), Timer: (0.0, 1.0)}.get(kind, ())
                    raised(watcher.__init__, *own, target, noop, None, new)
                    loop.verify()
                    other.verify()
                    watcher.stop()
                    loop.verify()
                    other.verify()
                    print(watcher.active, loop.watchers, other.watchers)
        """,
        "False () () " * 4 * 6,
    )


def test_init_again_with_a_callback_that_starts_the_watcher_when_it_goes(run_program):
    run_program(
        """
        class Starts:
            def __call__(self, watcher, revents):
                pass
            def __del__(self):
                raised(watcher.start)
        for kind in KINDS:
            loop, other = Loop(), Loop()
            for target in (loop, other):
                watcher = make(kind, loop, Starts(), None, 0)
                raised(watcher.__init__, *arguments_of(kind), target, noop, None, 2)
                loop.verify()
                other.verify()
                watcher.stop()
                loop.verify()
                other.verify()
                print(watcher.active)
        """,
        "False " * 2 * 6,
    )


def test_init_again_drops_the_old_loop(run_program):
    run_program(
        """
        class Loud(Loop):
            def __del__(self):
                raised(watcher.start)
        watcher = Timer(1.0, 0.0, Loud(), noop)
        loop = Loop()
        raised(watcher.__init__, 1.0, 0.0, loop, noop)
        print(watcher.loop is loop)
        watcher.stop()
        loop.verify()
        """,
        "True",
    )


def test_first_callback_with_no_events_at_all(run_program):
    run_program(
        """
        for act in (lambda w: w.invoke(0), lambda w: (w.feed(0), w.loop.invoke())):
            loop = Loop()
            act(loop.idle(lambda w, e: print(e)))
        """,
        "0 0",
    )


def test_no_callback(run_program):
    run_program(
        """
        loop = Loop()
        for kind in KINDS:
            print(raised(make, kind, loop, None), raised(setattr, make(kind, loop), "callback", None))
        """,
        "TypeError TypeError " * 6,
    )


def test_callback_that_would_never_run(run_program):
    run_program(
        """
        async def coroutine(watcher, revents):
            pass
        def generator(watcher, revents):
            yield
        async def both(watcher, revents):
            yield
        class Holder:
            async def method(self, watcher, revents):
                pass
            @staticmethod
            async def static(watcher, revents):
                pass
        loop = Loop()
        for callback in (coroutine, generator, both, Holder().method, Holder.static):
            print(*(raised(make, kind, loop, callback) for kind in KINDS))
            print(raised(setattr, loop.idle(noop), "callback", callback))
        """,
        "TypeError " * 7 * 5,
    )


def test_callback_that_leads_to_one_that_would_never_run(run_program):
    run_program(
        """
        import functools
        async def coroutine(watcher, revents):
            pass
        def generator(more, watcher, revents):
            yield
        class Called:
            async def __call__(self, watcher, revents):
                pass
        class Fine(Called):
            def __call__(self, watcher, revents):
                pass
        partial = functools.partial
        class Partial(partial):
            pass
        loop, idle = Loop(), Loop().idle(noop)
        for callback in (
            partial(coroutine), partial(generator, 1), Partial(partial(coroutine)), Called(),
            Called().__call__, partial(Called()), partial(Called().__call__),
        ):
            print(*(raised(make, kind, loop, callback) for kind in KINDS))
            print(raised(setattr, idle, "callback", callback))
            print(raised(loop.scheduler, callback, noop), raised(setattr, loop, "callback", callback))
            print(raised(Loop, 0, callback))
        class Runs(partial):
            def __call__(self, watcher, revents):
                self.func(watcher, revents).close()
        itself = partial(noop)
        itself.__setstate__((itself, (), {}, None))
        fine = partial(noop), Fine(), Fine, Called, Fine().__call__, print, [].append
        for callback in (*fine, Runs(coroutine), itself):
            loop.idle(callback)
            loop.callback = callback
        """,
        "TypeError " * 10 * 7,
    )


@pytest.mark.parametrize("priority", [3, -3, 10**5, -(10**5), 2**31 - 1, -(2**31)])
def test_priority_out_of_range_is_clamped(run_program, priority):
    run_program(
        f"""
        loop = Loop()
        for kind in KINDS:
            watcher = make(kind, loop, lambda w, e: print(w.priority), None, {priority})
            watcher.feed(EV_CUSTOM)
            loop.verify()
            loop.invoke()
            watcher.priority = {priority}
            watcher.feed(EV_CUSTOM)
            watcher.clear()
            watcher.start()
            loop.verify()
            watcher.stop()
        """,
        f"{2 if priority > 0 else -2} " * 6,
    )


def test_huge_numbers(run_program):
    run_program(
        """
        loop = Loop()
        timer, io, idle = loop.timer(1.0, 0.0, noop), loop.io(0, EV_READ, noop), loop.idle(noop)
        for number in (2**31, -2**31 - 1, 2**63, 2**64, -2**63, -2**64, 10**30, -10**30, 10**400):
            for call in (
                lambda: Loop(number), lambda: loop.start(number), lambda: loop.stop(number),
                lambda: loop.io(number, EV_READ, noop), lambda: loop.io(0, number, noop),
                lambda: io.set(number, EV_READ), lambda: io.set(0, number),
                lambda: loop.feed_fd_event(number, 1), lambda: loop.feed_fd_event(0, number),
                lambda: idle.feed(number), lambda: idle.invoke(number),
                lambda: loop.idle(noop, None, number), lambda: setattr(idle, "priority", number),
            ):
                if raised(call) not in ("OverflowError", "ValueError"):
                    print(number, call.__code__.co_firstlineno, raised(call))
        for number in (10**400, -10**400):
            print(raised(loop.timer, number, 0.0, noop), raised(loop.timer, 0.0, number, noop))
            print(raised(timer.set, number, 0.0), raised(setattr, timer, "repeat", number))
            print(raised(ev.sleep, number), raised(Loop, 0, None, None, number))
        loop.verify()
        """,
        "OverflowError " * 12,
    )


def test_numbers_that_are_not_whole(run_program):
    run_program(
        """
        loop = Loop()
        io, idle = loop.io(0, EV_READ, noop), loop.idle(noop)
        for value in (1.0, "1", None, b"1", [], object(), 1j):
            for call in (
                lambda: Loop(value), lambda: loop.start(value), lambda: loop.stop(value),
                lambda: loop.io(0, value, noop), lambda: io.set(0, value),
                lambda: loop.feed_fd_event(value, 1), lambda: loop.feed_fd_event(0, value),
                lambda: idle.feed(value), lambda: idle.invoke(value),
                lambda: setattr(idle, "priority", value),
            ):
                if raised(call) != "TypeError":
                    print(value, call.__code__.co_firstlineno, raised(call))
        """
    )


def test_numbers_of_ones_own(run_program):
    """Whatever has __index__ is an int, and what it raises is raised."""
    run_program(
        """
        class One:
            def __index__(self):
                return 1
        class Failing:
            def __index__(self):
                raise ZeroDivisionError
        loop = Loop()
        io, idle = loop.io(0, One(), noop), loop.idle(noop, None, One())
        io.set(0, One())
        idle.priority = One()
        idle.feed(One())
        print(io.events, idle.priority, loop.signal(One(), noop).signum)
        loop.start(EVRUN_NOWAIT)
        for call in (
            lambda: loop.io(0, Failing(), noop), lambda: loop.idle(noop, None, Failing()),
            lambda: idle.feed(Failing()), lambda: loop.signal(Failing(), noop),
            lambda: loop.start(Failing()), lambda: loop.child(Failing(), False, noop),
        ):
            print(raised(call))
        """,
        "1 1 1" + " ZeroDivisionError" * 6,
    )


def test_arguments_that_are_refused_are_named(run_program):
    run_program(
        """
        loop = Loop()
        io, idle = loop.io(0, EV_READ, noop), loop.idle(noop)
        for wrong in (2**31, -2**31 - 1, 2**63, 2**64, -2**64, 10**400, 10**5000, 1.0, "x", None):
            for name, call in (
                ("fd", lambda: loop.io(wrong, EV_READ, noop)),
                ("fd", lambda: io.set(wrong, EV_READ)),
                ("events", lambda: loop.io(0, wrong, noop)),
                ("priority", lambda: loop.idle(noop, None, wrong)),
                ("revents", lambda: idle.feed(wrong)),
                ("revents", lambda: idle.invoke(wrong)),
                ("signum", lambda: loop.signal(wrong, noop)),
                ("pid", lambda: loop.child(wrong, False, noop)),
                ("flags", lambda: loop.start(wrong)),
                ("how", lambda: loop.stop(wrong)),
            ):
                try:
                    call()
                except (OverflowError, TypeError) as error:
                    if not str(error).startswith(name + " "):
                        print(name, error)
                else:
                    print(name, "was taken")
        """
    )


def test_unknown_bits(run_program):
    run_program(
        """
        loop = Loop()
        io = loop.io(0, EV_READ, noop)
        for bit in range(2, 31):
            print(raised(loop.io, 0, EV_READ | 1 << bit, noop), raised(io.set, 0, 1 << bit))
            print(raised(loop.start, 1 << bit), raised(loop.stop, 1 << bit))
        for value in (-1, -2, -2**31):
            print(raised(loop.io, 0, value, noop), raised(loop.start, value))
            print(raised(loop.stop, value), raised(Loop, value))
        print(raised(loop.stop, 0x80), raised(Loop, 1 << 30), raised(Loop, EVFLAG_NOENV))
        """,
        "ValueError " * (4 * 29 + 4 * 3 + 2) + "nothing",
    )


def test_nan_everywhere(run_program):
    run_program(
        """
        nan = float("nan")
        loop = Loop()
        timer = loop.timer(1.0, 1.0, noop)
        print(raised(loop.timer, nan, 0.0, noop), raised(loop.timer, 0.0, nan, noop))
        print(raised(timer.set, nan, 0.0), raised(timer.set, 0.0, nan))
        print(raised(setattr, timer, "repeat", nan))
        print(raised(setattr, loop, "io_interval", nan))
        print(raised(setattr, loop, "timeout_interval", nan))
        print(raised(Loop, 0, None, None, nan), raised(Loop, 0, None, None, 0.0, nan))
        print(raised(ev.sleep, nan))
        print(timer.remaining, timer.repeat, loop.io_interval, loop.timeout_interval)
        """,
        "ValueError " * 10 + "1.0 1.0 0.0 0.0",
    )


def test_infinite_and_enormous_times(run_program):
    run_program(
        """
        inf = float("inf")
        loop = Loop()
        loop.clock = ev.clock.ManualClock()
        fired = []
        timers = [
            loop.timer(after, repeat, lambda w, e: fired.append(w))
            for after in (-inf, -1e300, -1.0, 0.0, 5e-324, 1.0, 1e9, 4e9, 9e9, 1e18, 1e300, inf)
            for repeat in (0.0, 5e-324, 1e-9, 1.0, 1e9, 9e9, 1e300, inf)
        ]
        for timer in timers:
            timer.start()
        loop.verify()
        for _ in range(3):
            loop.start(EVRUN_NOWAIT)
            loop.verify()
            loop.suspend()
            loop.clock.advance(1e8)
            loop.resume()
            loop.verify()
            for timer in timers:
                repr(timer)
                if timer.repeat:
                    timer.reset()
                timer.stop()
                timer.start()
            loop.verify()
        for step in (1e9, 4e9, 1e18, 1e300, inf):
            loop.clock.advance(step)
            loop.update()
            loop.start(EVRUN_NOWAIT)
            loop.verify()
        print(len(fired) > 20)
        """,
        "True",
    )


def test_unknown_keywords(run_program):
    run_program(
        """
        loop = Loop()
        print(raised(Loop, flag=1), raised(Loop, 0, None, None, 0.0, 0.0, True))
        print(*(raised(make, kind, loop, noop, None, 0, 0) for kind in KINDS))
        print(raised(loop.timer, 1.0, 0.0, noop, nothing=1), raised(loop.idle))
        print(Loop(timeout_interval=0.5, io_interval=0.25).timeout_interval)
        """,
        "TypeError " * 10 + "0.5",
    )


def test_arguments_that_change_what_they_are_given_to(run_program):
    run_program(
        """
        class Does:
            def __init__(self, action, value=1):
                self.action, self.value = action, value
            def __index__(self):
                self.action()
                return self.value
            def __float__(self):
                self.action()
                return float(self.value)
            fileno = __index__
        r, w = pipe()
        for kind in KINDS:
            for action in ("start", "stop", "close", "again"):
                loop = Loop()
                watcher = make(kind, loop)
                does = {
                    "start": watcher.start, "stop": watcher.stop, "close": loop.close,
                    "again": lambda: watcher.__init__(*arguments_of(kind), loop, noop),
                }[action]
                act, now = Does(does, 2), Does(does, EVRUN_NOWAIT)
                for call in (
                    lambda: watcher.feed(act), lambda: watcher.invoke(act),
                    lambda: setattr(watcher, "priority", act),
                    lambda: loop.feed_fd_event(act, act), lambda: loop.start(now),
                    lambda: loop.stop(act), lambda: loop.invoke(),
                    lambda: make(kind, loop, noop, None, act),
                    lambda: watcher.__init__(*arguments_of(kind), loop, noop, None, act),
                    lambda: watcher.__init__(act, act, loop, noop),
                    lambda: watcher.set(act, act), lambda: setattr(watcher, "repeat", act),
                    lambda: setattr(loop, "io_interval", act),
                ):
                    error = raised(call)
                    if error not in ("nothing", "Error", "AttributeError", "TypeError",
                                     "KeyboardInterrupt"):
                        print(kind.__name__, action, call.__code__.co_firstlineno, error)
                    watcher.stop()
                    loop.closed or loop.verify()
        """
    )


def test_deleting_attributes(run_program):
    run_program(
        """
        loop = Loop()
        for each in (loop, *(make(kind, loop) for kind in KINDS)):
            for name in dir(each):
                if not name.startswith("_") and not callable(getattr(each, name)):
                    if raised(delattr, each, name) not in ("TypeError", "AttributeError"):
                        print(each, name)
        for name in ("loop", "callback", "data"):
            print(getattr(loop.idle(noop), name, "gone") == "gone")
        """,
        "False False False",
    )


def test_copies_and_pickles(run_program):
    run_program(
        """
        import copy, pickle
        loop = Loop()
        for each in (loop, *(make(kind, loop) for kind in KINDS)):
            print(raised(copy.copy, each), raised(copy.deepcopy, each), raised(pickle.dumps, each))
        """,
        "TypeError " * 21,
    )


# Callbacks that change watchers


ACTIONS = """
def set_and_start(watcher):
    watcher.stop()
    if isinstance(watcher, Io):
        watcher.set(watcher.fd, EV_READ | EV_WRITE)
    elif isinstance(watcher, Timer):
        watcher.set(0.0, 0.001)
    watcher.start()


def again(watcher):
    watcher.stop()
    own = {Io: (w, EV_WRITE), Timer: (0.0, 0.001)}.get(type(watcher), ())
    watcher.__init__(*own, loop, act, None, chance.randrange(-2, 3))
    watcher.start()


def promote(watcher):
    watcher.stop()
    watcher.priority = chance.randrange(-2, 3)
    watcher.start()


def replace(watcher):
    place = watchers.index(watcher)
    kind = chance.choice(KINDS)
    own = {Io: (w, EV_WRITE), Timer: (0.0, 0.001)}.get(kind, ())
    watchers[place] = kind(*own, loop, act, None, chance.randrange(-2, 3))
    crowded = len(loop.watchers) >= 40
    if crowded or chance.randrange(2):
        watcher.stop()
    if not crowded:
        watchers[place].start()


def send(watcher):
    if isinstance(watcher, Async):
        watcher.send()


def reset(watcher):
    if isinstance(watcher, Timer):
        watcher.reset()


def nested(watcher):
    if loop.depth < 3 and chance.randrange(4) == 0:
        loop.start(EVRUN_NOWAIT)


actions = [
    lambda watcher: watcher.start(), lambda watcher: watcher.stop(),
    lambda watcher: watcher.feed(EV_CUSTOM) if chance.randrange(3) == 0 else None,
    lambda watcher: watcher.clear(), lambda watcher: gc.collect(0),
    lambda watcher: loop.stop(chance.randrange(3)), lambda watcher: loop.update(),
    lambda watcher: 1 / 0,
    set_and_start, again, promote, replace, send, reset, nested,
]
"""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("backend", ["EPOLL", "POLL", "SELECT"])
def test_anything_in_callbacks_at_random(run_program, backend, seed):
    run_program(
        """
        import random
        chance = random.Random(SEED)
        r, w = pipe()
        os.write(w, b"x")
        loop = Loop(EVBACKEND_NAME)
        loop.clock = ev.clock.ManualClock()
        calls, failures = 0, reported([])
        """.replace("SEED", str(seed))
        .replace("NAME", backend)
        .replace("\n        ", "\n")
        + ACTIONS
        + """
def act(watcher, revents):
    global calls
    calls += 1
    if calls % 7 == 0:
        loop.verify()
    for _ in range(chance.randrange(3)):
        chance.choice(actions)(chance.choice(watchers))

watchers = []
for n in range(24):
    kind = KINDS[n % 6]
    own = {Io: (r if n % 2 else w, EV_READ if n % 2 else EV_WRITE), Timer: (0.0, 0.001)}
    watchers.append(kind(*own.get(kind, ()), loop, act, None, chance.randrange(-2, 3)))
for watcher in watchers:
    watcher.start()
for _ in range(300):
    loop.clock.advance(0.001)
    loop.start(EVRUN_NOWAIT)
    loop.verify()
    for watcher in chance.sample(watchers, 3):
        watcher.start()
print(calls > 1000, set(failures) <= {"ZeroDivisionError"}, len(failures) > 10)
loop.close()
""",
        "True True True",
    )


def test_callback_stops_everything_that_is_pending(run_program):
    run_program(
        """
        loop = Loop()
        r, w = pipe()
        os.write(w, b"x")
        def stop_all(watcher, revents):
            print("called")
            for each in watchers:
                each.stop()
            loop.verify()
        watchers = []
        for kind in KINDS:
            own = {Io: (r, EV_READ), Timer: (0.0, 1.0)}.get(kind, ())
            watchers += [kind(*own, loop, stop_all) for _ in range(3)]
        prepares = [each for each in watchers if isinstance(each, Prepare)]
        for each in watchers:
            if each not in prepares:
                each.start()
            if isinstance(each, Async):
                each.send()
        print(loop.start())
        """,
        "called False",
    )


def test_callback_drops_everything(run_program):
    run_program(
        """
        class Data:
            pass
        for kind in KINDS:
            loop = Loop()
            r, w = pipe()
            os.write(w, b"x")
            def drop(watcher, revents):
                watchers.clear()
                gc.collect()
                watcher.data.loop.verify()
            own = {Io: (r, EV_READ), Timer: (0.0, 1.0)}.get(kind, ())
            watchers = [kind(*own, loop, drop, Data()) for _ in range(5)]
            for each in watchers:
                each.data.me, each.data.loop = each, loop
                each.start()
                each.feed(EV_CUSTOM)
            ghost = weakref.ref(watchers[0])
            del each
            loop.start(EVRUN_NOWAIT)
            loop.verify()
            loop.close()
            del loop
            gc.collect()
            print(ghost())
        """,
        "None " * 6,
    )


def test_watcher_drops_its_own_callback(run_program):
    run_program(
        """
        loop = Loop()
        class Callback:
            def __call__(self, watcher, revents):
                watcher.callback = noop
                watcher.data = None
                gc.collect()
                self.still = "here"
                print(self.still)
            def __del__(self):
                print("gone")
        watcher = loop.idle(Callback(), object())
        watcher.start()
        loop.start(EVRUN_NOWAIT)
        """,
        "here gone",
    )


def test_data_that_uses_its_watcher_when_it_goes(run_program):
    run_program(
        """
        class Data:
            def __del__(self):
                for each in watchers:
                    each.stop()
                    each.start()
                    each.feed(1)
        loop = Loop()
        watchers = [make(kind, loop, lambda w, e: setattr(w, "data", None), Data())
                    for kind in KINDS]
        for each in watchers:
            each.start()
        for _ in range(5):
            loop.start(EVRUN_NOWAIT)
            loop.verify()
        print("ok")
        """,
        "ok",
    )


def test_callback_closes_the_loop(run_program):
    run_program(
        """
        for backend in BACKENDS:
            for kind in KINDS:
                loop = Loop(backend)
                r, w = pipe()
                os.write(w, b"x")
                def close(watcher, revents):
                    loop.close()
                    print(loop.closed, watcher.active, raised(watcher.start), raised(loop.start))
                own = {Io: (r, EV_READ), Timer: (0.0, 1.0)}.get(kind, ())
                watchers = [kind(*own, loop, close) for _ in range(3)]
                for each in watchers:
                    each.start()
                    each.feed(EV_CUSTOM)
                print(loop.start(), [each.pending for each in watchers], loop.watchers)
        """,
        "True False Error Error False [False, False, False] () " * 18,
    )


def test_callback_closes_the_loop_and_takes_back_the_stop(run_program):
    run_program(
        """
        for backend in BACKENDS:
            for late in (False, True):
                loop = Loop(backend)
                def close(watcher, revents):
                    loop.close()
                    raised(loop.stop, EVBREAK_CANCEL)
                    if late:
                        raised(loop.ref)
                loop.idle(close).start()
                print(raised(loop.start) in ("nothing", "Error"))
        """,
        "True " * 6,
    )


def test_close_in_nested_starts(run_program):
    run_program(
        """
        loop = Loop()
        def nest(watcher, revents):
            if loop.depth == 5:
                loop.close()
            else:
                watcher.feed(EV_CUSTOM)
                loop.start()
            print(loop.depth, loop.closed)
        watcher = loop.idle(nest)
        watcher.start()
        print(loop.start(), loop.depth)
        """,
        "5 True 4 True 3 True 2 True 1 True False 0",
    )


def test_close_in_the_loops_own_callback(run_program):
    run_program(
        """
        loop = Loop(callback=lambda loop: loop.close())
        loop.timer(0.0, 0.0, noop).start()
        print(loop.start(), raised(loop.start))
        loop = Loop(callback=lambda loop: (loop.close(), loop.invoke()))
        loop.timer(0.0, 0.0, noop).start()
        print(raised(loop.start))
        """,
        "False Error Error",
    )


def test_watcher_that_starts_others_when_the_loop_closes(run_program):
    run_program(
        """
        loop = Loop()
        class Stubborn(Idle):
            def __del__(self):
                raised(others[0].start)
                raised(others[1].feed, EV_CUSTOM)
        others = [loop.timer(1.0, 0.0, noop), loop.idle(noop)]
        Stubborn(loop, noop).start()
        loop.close()
        print(loop.watchers, [(each.active, each.pending) for each in others])
        for each in others:
            each.stop()
        """,
        "() [(False, False), (False, False)]",
    )


def test_subclass_whose_stop_does_nothing(run_program):
    run_program(
        """
        loop = Loop()
        for kind in KINDS:
            class Deaf(kind):
                __module__ = "everloop.watchers.own"
                def start(self):
                    pass
                def stop(self):
                    pass
            watcher = make(Deaf, loop) if kind is not Io and kind is not Timer else Deaf(
                *arguments_of(kind), loop, noop)
            kind.start(watcher)
            watcher.stop()
            watcher.feed(EV_CUSTOM)
        loop.close()
        print(loop.watchers)
        """,
        "()",
    )


def test_use_after_close(run_program):
    run_program(
        """
        loop = Loop()
        watchers = [make(kind, loop) for kind in KINDS]
        for each in watchers:
            each.start()
        loop.close()
        loop.close()
        for each in watchers:
            print(each.active, each.pending, raised(each.start), raised(each.feed, 1),
                  raised(each.invoke, 1), raised(each.stop), each.clear(), each.loop is loop)
            repr(each), each.priority, each.data
        print(raised(watchers[1].reset), watchers[1].remaining > 59)
        print(raised(loop.start), raised(loop.invoke), raised(loop.reset), raised(loop.verify))
        print(raised(loop.idle, noop), raised(loop.__enter__), raised(loop.feed_fd_event, 0, 1))
        for call in (loop.stop, loop.ref, loop.unref, loop.now, loop.update, loop.suspend,
                     loop.resume):
            assert raised(call) in ("nothing", "Error"), call
        print(loop.watchers, loop.pending, loop.depth, loop.closed, repr(loop))
        watchers[5].send()
        """,
        "False False Error Error Error nothing 0 True " * 6
        + "Error True Error Error Error Error Error Error Error () 0 0 True <Loop closed>",
    )


# Recursion


def test_recursion_through_invoke_with_a_high_limit(run_program):
    complained = run_program(
        """
        sys.setrecursionlimit(10**6)
        loop = Loop()
        def again(watcher, revents):
            watcher.invoke(revents)
        loop.idle(again).invoke(1)
        loop.verify()
        def nest(watcher, revents):
            watcher.data += 1
            if watcher.data < 5000:
                watcher.feed(1)
                loop.invoke()
        watcher = loop.idle(nest, 0)
        watcher.feed(1)
        print(raised(loop.start), watcher.data, loop.depth)
        loop.verify()
        """,
        "nothing 5000 0",
    )
    assert "RecursionError" in complained


def test_recursion_through_start(run_program):
    run_program(
        """
        for limit in (sys.getrecursionlimit(), 10**6):
            sys.setrecursionlimit(limit)
            failures = reported([])
            loop = Loop()
            def nest(watcher, revents):
                loop.start(EVRUN_NOWAIT)
            loop.idle(nest).start()
            loop.start(EVRUN_NOWAIT)
            loop.verify()
            print(set(failures) <= {"RecursionError"}, loop.depth)
            loop.close()
        """,
        "True 0 " * 2,
    )


def test_recursion_through_many_loops(run_program):
    complained = run_program(
        """
        sys.setrecursionlimit(10**6)
        loops = [Loop(EVBACKEND_POLL) for _ in range(150)]
        watchers = []
        depth = 0
        def again(watcher, revents):
            global depth
            depth += 1
            watchers[depth % len(watchers)].invoke(revents)
        watchers = [loop.idle(again) for loop in loops]
        watchers[0].invoke(1)
        print(depth > 100)
        """,
        "True",
    )
    assert "RecursionError" in complained


def test_recursion_without_python_code(run_program):
    run_program(
        """
        sys.setrecursionlimit(10**5)
        failures = reported([])
        loop = Loop()
        watcher = loop.idle(Idle.invoke)
        watcher.invoke(1)
        print(set(failures))
        loop.callback = Loop.invoke
        watcher.feed(1)
        print(raised(loop.start))
        loop.callback = Loop.start
        print(raised(loop.start), loop.depth)
        """,
        "{'RecursionError'} RecursionError RecursionError 0",
    )


# Exceptions


def test_exception_in_every_kind_of_callback(run_program):
    run_program(
        """
        failures = reported([])
        r, w = pipe()
        loop = Loop()
        def bad(watcher, revents):
            raise ValueError(watcher)
        for kind in KINDS:
            own = {Io: (w, EV_WRITE), Timer: (0.0, 1.0)}.get(kind, ())
            watcher = kind(*own, loop, bad)
            watcher.start()
            if kind is Async:
                watcher.send()
        loop.start(EVRUN_NOWAIT)
        loop.start(EVRUN_NOWAIT)
        print(len(failures), set(failures), len(loop.watchers))
        """,
        "8 {'ValueError'} 6",
    )


def test_fatal_exception_with_others_pending(run_program):
    run_program(
        """
        for mark in ("fatal", "debug", "callback"):
            loop = Loop(debug=mark == "debug")
            if mark == "callback":
                loop.callback = Loop.invoke
            def bad(watcher, revents):
                raise ValueError("first")
            if mark == "fatal":
                bad = fatal(bad)
            ran = []
            watchers = [loop.idle(bad, None, 1), loop.timer(0.0, 0.0, lambda w, e: ran.append("python")),
                        loop.timer(0.0, 0.0, lambda w, e: ran.append("too")), loop.check(ran.append)]
            failures = reported([])
            for watcher in watchers:
                watcher.feed(EV_CUSTOM)
            try:
                loop.start()
            except ValueError as error:
                print(error, ran, failures, loop.pending)
            watchers[3].callback = lambda w, e: ran.append("builtin")
            loop.verify()
            loop.start(EVRUN_NOWAIT)
            print(sorted(ran), failures, loop.depth)
        """,
        "first [] [] 3 ['builtin', 'python', 'too'] [] 0 " * 3,
    )


def test_base_exceptions_always_stop_the_loop(run_program):
    run_program(
        """
        failures = reported([])
        for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
            loop = Loop()
            def bad(watcher, revents):
                raise kind
            loop.timer(0.0, 0.0, bad).start()
            later = loop.timer(0.0, 0.0, lambda w, e: print("later"))
            later.start()
            print(raised(loop.start), failures)
            loop.start()
        """,
        "KeyboardInterrupt [] later SystemExit [] later GeneratorExit [] later",
    )


def test_exception_that_ends_outer_starts_too(run_program):
    run_program(
        """
        outer, inner = Loop(), Loop()
        @fatal
        def bad(watcher, revents):
            raise ValueError("inner")
        @fatal
        def nest(watcher, revents):
            inner.start()
        inner.idle(bad).start()
        outer.idle(nest).start()
        try:
            outer.start()
        except ValueError as error:
            print(error, outer.depth, inner.depth, outer.watchers[0].active)
        """,
        "inner 0 0 True",
    )


def test_unraisable_hook_that_fails(run_program):
    complained = run_program(
        """
        loop = Loop()
        def hook(report):
            raise RuntimeError("in the hook")
        sys.unraisablehook = hook
        def bad(watcher, revents):
            raise ValueError("in the callback")
        for _ in range(3):
            loop.timer(0.0, 0.0, bad).start()
        print(loop.start())
        sys.unraisablehook = None
        loop.timer(0.0, 0.0, bad).start()
        print(loop.start())
        del sys.unraisablehook
        loop.timer(0.0, 0.0, bad).start()
        print(loop.start())
        """,
        "False False False",
    )
    assert "in the hook" in complained


def test_unraisable_hook_that_uses_the_loop(run_program):
    run_program(
        """
        loop = Loop()
        def hook(report):
            print("reported")
            gc.collect()
            loop.start(EVRUN_NOWAIT)
            loop.close()
        sys.unraisablehook = hook
        def bad(watcher, revents):
            raise ValueError
        loop.timer(0.0, 0.0, bad).start()
        loop.timer(1.0, 0.0, noop).start()
        print(loop.start(), loop.closed)
        """,
        "reported False True",
    )


def test_exceptions_are_reported_with_their_traceback(run_program):
    run_program(
        """
        import traceback
        loop = Loop()
        def bad(watcher, revents):
            try:
                1 / 0
            except ZeroDivisionError as error:
                raise ValueError("second") from error
        def hook(report):
            error = report.exc_value
            print(report.exc_type.__name__, error, repr(error.__cause__), report.object is bad)
            print(traceback.extract_tb(report.exc_traceback)[-1].name)
            print(error.__context__ is error.__cause__)
        sys.unraisablehook = hook
        loop.timer(0.0, 0.0, bad).start()
        loop.start()
        """,
        "ValueError second ZeroDivisionError('division by zero') True bad True",
    )


def test_default_report_names_the_callback(run_program):
    complained = run_program(
        """
        def bad(watcher, revents):
            raise ValueError("on purpose")
        loop = Loop()
        loop.timer(0.0, 0.0, bad).start()
        loop.start()
        """
    )
    assert "ValueError: on purpose" in complained
    assert "in bad" in complained
    assert "<function bad" in complained


def test_callback_with_attributes_that_fail(run_program):
    run_program(
        """
        class Odd:
            def __getattr__(self, name):
                raise RuntimeError(name)
            def __call__(self, watcher, revents):
                raise ValueError
        loop = Loop()
        failures = reported([])
        loop.timer(0.0, 0.0, Odd()).start()
        print(raised(loop.start) in ("nothing", "RuntimeError"), loop.depth)
        loop.verify()
        print(raised(loop.start))
        """,
        "True 0 nothing",
    )


def test_repr_that_fails_does_not_keep_a_bad_watcher(run_program):
    run_program(
        """
        class Odd(Io):
            def __repr__(self):
                raise RuntimeError("no repr")
        for fd in (900, 10**8):
            loop = Loop()
            watcher = Odd(fd, EV_READ, loop, noop)
            watcher.start()
            print(raised(loop.start) in ("OSError", "RuntimeError"), watcher.active)
            print(raised(loop.start))
        """,
        "True False nothing " * 2,
    )


def test_callback_whose_name_fails(run_program):
    run_program(
        """
        class Odd:
            def __getattr__(self, name):
                raise RuntimeError("no " + name)
            def __call__(self, watcher, revents):
                pass
        loop = Loop()
        watcher = loop.io(900, EV_READ, Odd())
        watcher.start()
        print(raised(loop.start) in ("OSError", "RuntimeError"), watcher.active)
        print(raised(loop.start))
        """,
        "True False nothing",
    )


def test_error_event(run_program):
    run_program(
        """
        import warnings
        warnings.simplefilter("ignore")
        r, w = pipe()
        loop = Loop()
        for kind in KINDS:
            watcher = make(kind, loop)
            watcher.start()
            watcher.feed(EV_ERROR)
            print(raised(loop.start), watcher.active, raised(watcher.invoke, EV_ERROR))
            watcher.feed(EV_UNDEF)
            print(watcher.clear() == EV_UNDEF, loop.watchers)
        warnings.simplefilter("error")
        watcher.start()
        watcher.feed(EV_ERROR)
        print(raised(loop.start) in ("Error", "RuntimeWarning"), watcher.active)
        """,
        "Error False Error True () " * 6 + "True False",
    )


# Signals


def test_interrupt_of_a_start_that_waits_for_quiet_descriptors(run_program):
    run_program(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            watcher = loop.io(r, EV_READ, noop)
            watcher.start()
            when_blocked(interrupt)
            print(raised(loop.start), loop.depth, watcher.active)
            loop.verify()
            print(loop.start(EVRUN_NOWAIT))
        """,
        "KeyboardInterrupt 0 True True " * 3,
    )


def test_interrupt_while_waiting_for_a_timer(run_program):
    run_program(
        """
        loop = Loop()
        loop.timer(1000.0, 0.0, noop).start()
        when_blocked(interrupt)
        print(raised(loop.start))
        """,
        "KeyboardInterrupt",
    )


def test_interrupt_with_an_io_interval(run_program):
    run_program(
        """
        for backend in BACKENDS:
            loop = Loop(backend, io_interval=3.0)
            r, w = pipe()
            loop.io(r, EV_READ, noop).start()
            loop.start(EVRUN_NOWAIT)
            when_blocked(interrupt)
            print(raised(loop.start))
        """,
        "KeyboardInterrupt " * 3,
    )


def test_stop_by_a_thread_with_an_io_interval(run_program):
    run_program(
        """
        for backend in BACKENDS:
            loop = Loop(backend, io_interval=1000.0)
            r, w = pipe()
            loop.io(r, EV_READ, noop).start()
            loop.start(EVRUN_NOWAIT)
            when_blocked(loop.stop)
            print(loop.start())
        """,
        "True " * 3,
    )


def test_python_signal_handler_runs_while_blocked(run_program):
    run_program(
        """
        loop = Loop()
        r, w = pipe()
        loop.io(r, EV_READ, noop).start()
        signal.signal(signal.SIGTERM, lambda *_: (print("handled"), loop.stop()))
        when_blocked(lambda: os.kill(os.getpid(), signal.SIGTERM))
        print(loop.start())
        """,
        "handled True",
    )


def test_signal_handler_that_uses_the_loop(run_program):
    run_program(
        """
        actions = [
            lambda: loop.close(), lambda: loop.start(EVRUN_NOWAIT) and loop.stop(),
            lambda: wake.send(), lambda: (timer.stop(), loop.stop()),
            lambda: loop.timer(0.0, 0.0, lambda w, e: loop.stop()).start(),
        ]
        for action in actions:
            loop = Loop()
            wake = loop.async_(lambda w, e: loop.stop())
            wake.start()
            timer = loop.timer(1000.0, 0.0, noop)
            timer.start()
            signal.signal(signal.SIGUSR1, lambda *_: action())
            when_blocked(lambda: os.kill(os.getpid(), signal.SIGUSR1))
            print(raised(loop.start), loop.depth)
        """,
        "nothing 0 " * 5,
    )


def test_signal_that_came_just_before_the_wait(run_program):
    """Its handler has not run yet when the loop is about to block."""
    run_program(
        """
        import ctypes, functools
        libc = ctypes.PyDLL(None)
        libc.raise_ = libc["raise"]
        libc.raise_.argtypes = (ctypes.c_int, ctypes.py_object, ctypes.py_object)
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            loop.io(r, EV_READ, noop).start()
            loop.timer(0.0, 0.0, functools.partial(libc.raise_, signal.SIGINT)).start()
            print(raised(loop.start))
        """,
        "KeyboardInterrupt " * 3,
    )


def test_interrupt_while_c_callbacks_raise(run_program):
    run_program(
        """
        for hook in (lambda report: None, sys.__unraisablehook__):
            sys.unraisablehook = hook
            sys.stderr = open(os.devnull, "w")
            loop = Loop()
            r, w = pipe()
            loop.io(w, EV_WRITE, int).start()
            started = threading.Event()
            loop.timer(0.0, 0.0, lambda w, e: started.set()).start()
            threading.Thread(target=lambda: (started.wait(), interrupt())).start()
            print(raised(loop.start), len(loop.watchers))
        """,
        "KeyboardInterrupt 1 " * 2,
    )


def test_interrupt_while_c_callbacks_do_not_raise(run_program):
    run_program(
        """
        import operator
        loop = Loop()
        r, w = pipe()
        loop.io(w, EV_WRITE, operator.is_).start()
        started = threading.Event()
        loop.timer(0.0, 0.0, lambda w, e: started.set()).start()
        threading.Thread(target=lambda: (started.wait(), interrupt())).start()
        print(raised(loop.start), len(loop.watchers))
        """,
        "KeyboardInterrupt 1",
    )


def test_interrupt_of_a_watcher_that_feeds_itself_in_c(run_program):
    run_program(
        """
        loop = Loop()
        watcher = loop.idle(Idle.feed)
        started = threading.Event()
        threading.Thread(target=lambda: (started.wait(), interrupt())).start()
        loop.timer(0.0, 0.0, lambda w, e: (started.set(), watcher.feed(1))).start()
        print(raised(loop.start))
        """,
        "KeyboardInterrupt",
    )


def test_interrupt_in_the_unraisable_hook(run_program):
    run_program(
        """
        loop = Loop()
        def hook(report):
            signal.raise_signal(signal.SIGINT)
        sys.unraisablehook = hook
        timer = loop.timer(0.0, 0.001, int)
        timer.start()
        print(raised(loop.start), timer.active)
        """,
        "KeyboardInterrupt True",
    )


def test_interrupt_in_the_unraisable_hook_with_another_thread_around(run_program):
    run_program(
        """
        ended = threading.Event()
        other = threading.Thread(target=ended.wait)
        other.start()
        arrived, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written)
        loop = Loop()
        count = 0
        def hook(report):
            global count
            count += 1
            if count == 1:
                interrupt()
                os.read(arrived, 1)
                sum(range(10))
            if count == 50:
                loop.stop()
        sys.unraisablehook = hook
        timer = loop.timer(0.0, 0.001, int)
        timer.start()
        print(raised(loop.start), timer.active)
        ended.set()
        """,
        "KeyboardInterrupt True",
    )


def test_signals_are_not_held_back_for_good(run_program):
    run_program(
        """
        loop = Loop()
        masks = []
        sys.unraisablehook = lambda report: masks.append(
            signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        for _ in range(3):
            loop.timer(0.0, 0.0, int).start()
        loop.start()
        print(len(masks), signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)
        """,
        "3 True",
    )


def test_nested_start_in_the_hook_can_be_interrupted(run_program):
    run_program(
        """
        loop = Loop()
        inner = Loop()
        r, w = pipe()
        inner.io(r, EV_READ, noop).start()
        def hook(report):
            print(raised(inner.start))
        sys.unraisablehook = hook
        loop.timer(0.0, 0.0, int).start()
        when_blocked(interrupt)
        raised(loop.start)
        """,
        "KeyboardInterrupt",
        hangs_after=10,
    )


# Threads


def test_start_in_two_threads_at_once(run_program):
    run_program(
        """
        loop = Loop()
        stop = loop.async_(lambda w, e: loop.stop())
        stop.start()
        running = threading.Event()
        loop.timer(0.0, 0.0, lambda w, e: running.set()).start()
        thread = threading.Thread(target=loop.start)
        thread.start()
        running.wait()
        print(raised(loop.start), raised(loop.start, EVRUN_NOWAIT), raised(loop.close))
        print(loop.depth)
        stop.send()
        thread.join()
        print(loop.depth, loop.start(EVRUN_NOWAIT))
        """,
        "Error Error Error 1 0 True",
    )


def test_stop_from_a_thread_while_blocked(run_program):
    run_program(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            loop.io(r, EV_READ, noop).start()
            when_blocked(loop.stop)
            print(loop.start())
            when_blocked(lambda: loop.stop(EVBREAK_ALL))
            print(loop.start())
        """,
        "True True " * 3,
    )


def test_stop_from_a_thread_while_busy(run_program):
    run_program(
        """
        import operator
        for callback in (noop, operator.is_):
            for backend in BACKENDS:
                loop = Loop(backend)
                started = threading.Event()
                loop.timer(0.0, 0.0, lambda w, e: started.set()).start()
                loop.idle(callback).start()
                threading.Thread(target=lambda: (started.wait(), loop.stop())).start()
                print(loop.start())
        """,
        "True " * 6,
    )


def test_watchers_started_and_stopped_from_a_thread(run_program):
    run_program(
        """
        loop = Loop()
        keep = loop.async_(noop)
        keep.start()
        for kind in KINDS:
            r, w = pipe()
            os.write(w, b"x")
            own = {Io: (r, EV_READ), Timer: (0.0, 0.0)}.get(kind, ())
            watcher = kind(*own, loop, lambda w, e: (w.stop(), loop.stop()))
            def begin():
                watcher.start()
                kind is Async and watcher.send()
            when_blocked(begin)
            print(loop.start())
        when_blocked(keep.stop)
        print(loop.start())
        when_blocked(lambda: loop.timer(0.0, 0.0, noop).start())
        loop.ref()
        loop.timer(0.5, 0.0, lambda w, e: loop.unref()).start()
        print(loop.start())
        """,
        "True " * 6 + "False False",
    )


def test_fed_and_reset_from_a_thread(run_program):
    run_program(
        """
        loop = Loop()
        r, w = pipe()
        io = loop.io(r, EV_READ, lambda w, e: loop.stop())
        io.start()
        when_blocked(lambda: io.feed(EV_CUSTOM))
        print(loop.start())
        when_blocked(lambda: loop.feed_fd_event(r, EV_READ))
        print(loop.start())
        timer = loop.timer(1000.0, 0.001, lambda w, e: loop.stop())
        timer.start()
        when_blocked(timer.reset)
        print(loop.start())
        timer.stop()
        timer.set(1000.0, 0.0)
        timer.start()
        when_blocked(loop.unref)
        loop.unref()
        when_blocked(io.stop)
        print(loop.start())
        """,
        "True True True False",
        hangs_after=20,
    )


def test_unref_from_a_thread_while_blocked(run_program):
    run_program(
        """
        loop = Loop()
        loop.ref()
        when_blocked(loop.unref)
        print(loop.start())
        """,
        "False",
        hangs_after=10,
    )


def test_threads_that_do_everything_to_a_running_loop(run_program):
    run_program(
        """
        import random
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            os.write(w, b"x")
            watchers = []
            for n in range(30):
                kind = KINDS[n % 6]
                own = {Io: (r, EV_READ), Timer: (0.0, 0.001)}.get(kind, ())
                watchers.append(kind(*own, loop, noop, None, n % 5 - 2))
            deadline = loop.async_(lambda w, e: loop.stop(EVBREAK_ALL))
            deadline.start()
            ready = threading.Barrier(5)
            def work(seed):
                chance = random.Random(seed)
                ready.wait()
                for _ in range(4000):
                    watcher = chance.choice(watchers)
                    action = chance.randrange(6)
                    if action < 2:
                        watcher.start()
                    elif action < 4:
                        watcher.stop()
                    elif action == 4:
                        watcher.feed(EV_CUSTOM)
                    elif isinstance(watcher, Async):
                        watcher.send()
                    elif isinstance(watcher, Timer):
                        watcher.reset()
            sys.setswitchinterval(1e-5)
            threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
            for thread in threads:
                thread.start()
            def finish():
                for thread in threads:
                    thread.join()
                deadline.send()
            ready.wait()
            threading.Thread(target=finish).start()
            print(loop.start())
            sys.setswitchinterval(0.005)
            loop.verify()
            loop.close()
        """,
        "True " * 3,
        hangs_after=60,
    )


def test_waker_opened_by_a_thread_during_a_poll(run_program):
    """The backend's arrays must not move while the kernel reads and writes them."""
    run_program(
        """
        import operator
        count = 16384
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < count + 100:
            print("ok ok")
            sys.exit()
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 100), hard))
        r, w = os.pipe()
        copies = [os.dup(r) for _ in range(count)]
        for backend in (EVBACKEND_POLL, EVBACKEND_SELECT):
            loop = Loop(backend)
            for fd in copies:
                loop.io(fd, EV_READ, noop).start()
            loop.idle(operator.is_).start()
            loop.start(EVRUN_NOWAIT)
            started = threading.Event()
            loop.timer(0.0, 0.0, lambda w, e: started.set()).start()
            wake = loop.async_(lambda w, e: loop.stop())
            def begin():
                started.wait()
                wake.start()
                wake.send()
            thread = threading.Thread(target=begin)
            thread.start()
            loop.start()
            thread.join()
            loop.close()
            print("ok")
        """,
        "ok ok",
        hangs_after=60,
    )


def test_sends_while_the_loop_closes(run_program):
    run_program(
        """
        for backend in BACKENDS * 10:
            loop = Loop(backend)
            wakes = [loop.async_(noop) for _ in range(4)]
            for wake in wakes:
                wake.start()
            go, ended = threading.Event(), threading.Event()
            def work(wake):
                go.wait()
                while not ended.is_set():
                    wake.send()
                    raised(wake.start)
                    wake.stop()
            threads = [threading.Thread(target=work, args=(wake,)) for wake in wakes]
            for thread in threads:
                thread.start()
            loop.timer(0.003, 0.0, lambda w, e: loop.close()).start()
            go.set()
            loop.start()
            print(loop.closed)
            ended.set()
            for thread in threads:
                thread.join()
        """,
        "True " * 30,
        hangs_after=60,
    )


def test_too_many_sends(run_program):
    run_program(
        """
        loop = Loop()
        calls = []
        wake = loop.async_(lambda w, e: calls.append(w.sent))
        wake.start()
        for _ in range(300000):
            wake.send()
        loop.start(EVRUN_ONCE)
        loop.start(EVRUN_NOWAIT)
        print(calls)
        """,
        "[False]",
    )


def test_send_before_anything_was_started(run_program):
    run_program(
        """
        loop = Loop()
        wake = loop.async_(lambda w, e: print("called"))
        wake.send()
        print(wake.sent, loop.start())
        wake.start()
        print(wake.sent, loop.start(EVRUN_NOWAIT))
        wake.send()
        print(loop.start(EVRUN_ONCE))
        """,
        "True False False True called True",
    )


def test_loop_dropped_by_the_thread_that_does_not_run_it(run_program):
    run_program(
        """
        loop = Loop()
        r, w = pipe()
        loop.io(r, EV_READ, lambda w, e: w.loop.stop()).start()
        thread = threading.Thread(target=loop.start)
        thread.start()
        started = when_blocked(lambda: os.write(w, b"x"), thread)
        del loop
        gc.collect()
        thread.join()
        print("ended")
        """,
        "ended",
    )


# Memory


def test_loop_with_active_watchers_in_cycles_is_collected(run_program):
    run_program(
        """
        class Data:
            pass
        fds = len(os.listdir("/proc/self/fd"))
        ghosts = []
        for backend in BACKENDS:
            for n in range(10):
                loop = Loop(backend)
                loop.data = Data()
                loop.data.loop = loop
                for kind in KINDS:
                    watcher = make(kind, loop, lambda w, e, loop=loop: None, Data())
                    watcher.data.me = watcher
                    watcher.start()
                    watcher.feed(EV_CUSTOM)
                    ghosts.append(weakref.ref(watcher))
                if n % 2:
                    loop.start(EVRUN_NOWAIT)
                ghosts.append(weakref.ref(loop))
        del loop, watcher
        gc.collect()
        print(sum(ghost() is not None for ghost in ghosts))
        print(len(os.listdir("/proc/self/fd")) - fds)
        """,
        "0 0",
    )


def test_active_watcher_is_kept_alive(run_program):
    run_program(
        """
        loop = Loop()
        loop.timer(0.001, 0.0, lambda w, e: print("timer")).start()
        gc.collect()
        print(loop.start())
        """,
        "timer False",
    )


def test_collection_in_every_callback(run_program):
    run_program(
        """
        loop = Loop()
        loop.clock = ev.clock.ManualClock()
        r, w = pipe()
        os.write(w, b"x")
        class Node:
            pass
        def collect(watcher, revents):
            node = Node()
            node.me, node.watcher = node, watcher
            gc.collect()
            other = make(KINDS[watcher.data % 6], loop, collect, watcher.data + 1)
            other.start()
            watcher.stop()
            if other.data % 4:
                other.feed(EV_CUSTOM)
        for kind in KINDS:
            make(kind, loop, collect, 0).start()
        for _ in range(30):
            loop.start(EVRUN_NOWAIT)
            loop.verify()
        print("ok")
        """,
        "ok",
    )


def test_collections_at_every_allocation(run_program):
    """Finalizers start, stop and feed watchers at any moment."""
    run_program(
        """
        import random
        chance = random.Random(3)
        loop = Loop()
        loop.clock = ev.clock.ManualClock()
        r, w = pipe()
        class Ghost:
            def __init__(self, action):
                self.me, self.action = self, action
            def __del__(self):
                self.action()
        watchers = []
        for n in range(60):
            kind = KINDS[n % 6]
            own = {Io: (w, EV_WRITE), Timer: (0.0, 0.01)}.get(kind, ())
            watchers.append(kind(*own, loop, noop, None, n % 5 - 2))
        def haunt(watcher):
            action = chance.choice((watcher.start, watcher.stop, lambda: watcher.feed(1)))
            gc.disable()
            for _ in range(3):
                Ghost(action)
            gc.set_threshold(1)
            gc.enable()
        for n in range(3000):
            watcher = chance.choice(watchers)
            act = watcher.stop if watcher.active else watcher.start
            haunt(watcher)
            act()
            gc.disable()
            if n % 10 == 0:
                loop.verify()
                loop.clock.advance(0.01)
                loop.start(EVRUN_NOWAIT)
        gc.collect()
        loop.verify()
        loop.close()
        print(loop.watchers)
        """,
        "()",
    )


def test_start_during_which_a_finalizer_starts_the_same_watcher(run_program):
    run_program(
        """
        class Ghost:
            def __init__(self):
                self.me = self
            def __del__(self):
                watcher.start()
        r, w = pipe()
        for kind in KINDS:
            loop = Loop()
            own = {Io: (w, EV_WRITE), Timer: (1.0, 0.0)}.get(kind, ())
            for n in range(40):
                watcher = kind(*own, loop, noop)
                gc.collect()
                gc.disable()
                for _ in range(5):
                    Ghost()
                gc.set_threshold(1)
                gc.enable()
                watcher.start()
                gc.disable()
                loop.verify()
                if len(loop.watchers) != n + 1:
                    print(kind, n, len(loop.watchers))
            for watcher in loop.watchers:
                watcher.stop()
            loop.verify()
            print(loop.start(EVRUN_NOWAIT))
        """,
        "False " * 6,
    )


def test_a_million_timers(run_program):
    run_program(
        """
        import random
        chance = random.Random(1)
        loop = Loop()
        loop.clock = ev.clock.ManualClock()
        fired = 0
        last = 0.0
        def fire(watcher, revents):
            global fired, last
            fired += 1
            if watcher.data < last:
                print("out of order")
            last = watcher.data
        for _ in range(10**6):
            after = chance.randrange(1000) / 10
            loop.timer(after, 0.0, fire, after).start()
        loop.verify()
        print(loop.start(), fired, loop.iteration <= 1001)
        loop.verify()
        """,
        "False 1000000 True",
        hangs_after=80,
        PYTHONMALLOC="default",
    )


def test_many_watchers_dropped_while_active_with_the_loop(run_program):
    run_program(
        """
        loop = Loop()
        for n in range(20000):
            make(KINDS[n % 6], loop).start()
        print(len(loop.watchers))
        del loop
        print(gc.collect() > 0)
        """,
        "20000 True",
    )


def test_interpreter_exit_with_active_watchers(run_program):
    run_program(
        """
        import atexit
        loop = Loop()
        default = ev.default_loop()
        class Loud:
            def __del__(self):
                raised(self.watcher.start)
                raised(self.watcher.loop.start, EVRUN_NOWAIT)
        for each in (loop, default):
            for kind in KINDS:
                watcher = make(kind, each, noop, Loud())
                watcher.data.watcher = watcher
                watcher.start()
                watcher.feed(EV_CUSTOM)
        atexit.register(lambda: loop.start(EVRUN_NOWAIT))
        sys.loop = loop
        """
    )


def test_interpreter_exit_while_a_daemon_thread_waits(run_program):
    run_program(
        """
        loop = Loop()
        loop.async_(noop).start()
        thread = threading.Thread(target=loop.start, daemon=True)
        thread.start()
        blocked = threading.Event()
        when_blocked(blocked.set, thread)
        print(blocked.wait(20))
        """,
        "True",
    )


def test_exit_out_of_a_callback(run_program):
    run_program(
        """
        loop = Loop()
        loop.timer(0.0, 0.0, lambda w, e: sys.exit(0)).start()
        loop.timer(0.0, 0.0, noop).start()
        print("before")
        loop.start()
        print("not reached")
        """,
        "before",
    )


def test_weak_references(run_program):
    run_program(
        """
        loop = Loop()
        for kind in KINDS:
            watcher = make(kind, loop)
            gone = []
            ghost = weakref.ref(watcher, gone.append)
            weakref.finalize(watcher, loop.verify)
            watcher.start()
            del watcher
            kept = ghost() is not None
            ghost().stop()
            print(kept, ghost(), len(gone))
        ghost = weakref.ref(loop)
        del loop
        gc.collect()
        print(ghost())
        """,
        "True None 1 " * 6 + "None",
    )


def test_watcher_resurrected_by_its_finalizer(run_program):
    run_program(
        """
        saved = []
        class Phoenix(Timer):
            def __del__(self):
                saved.append(self)
        loop = Loop()
        Phoenix(0.0, 0.0, loop, noop).start()
        loop.start()
        gc.collect()
        watcher = saved.pop()
        watcher.start()
        print(loop.start(), watcher.active)
        loop.verify()
        """,
        "False False",
    )


def test_loop_resurrected_by_its_finalizer(run_program):
    run_program(
        """
        saved = []
        class Phoenix(Loop):
            def __del__(self):
                saved.append(self)
        loop = Phoenix()
        for kind in KINDS:
            make(kind, loop).start()
        del loop
        gc.collect()
        loop = saved.pop()
        loop.verify()
        print(len(loop.watchers), loop.start(EVRUN_NOWAIT))
        loop.close()
        """,
        "6 True",
    )


# Subclasses


def test_subclasses_that_override_everything(run_program):
    run_program(
        """
        class MyLoop(Loop):
            def __init__(self, name, **rest):
                super().__init__(**rest)
                self.name = name
            def stop(self, how=EVBREAK_ONE):
                print("stop")
                super().stop(how)
        class MyTimer(Timer):
            kept = 1
            def start(self):
                print("start")
                super().start()
            def __call__(self, watcher, revents):
                print(self is watcher, self.loop.name)
                self.loop.stop()
        loop = MyLoop("mine", data=3)
        def call(watcher, revents):
            watcher(watcher, revents)
        timer = MyTimer(0.0, 0.0, loop, call)
        timer.callback = timer
        timer.start()
        print(loop.start(), loop.data, timer.kept)
        loop.close()
        """,
        "start True mine stop False 3 1",
    )


def test_subclass_with_init_of_its_own(run_program):
    run_program(
        """
        class Ticker(Timer):
            def __init__(self, loop):
                super().__init__(0.0, 0.001, loop, self.tick)
                self.ticks = 0
            def tick(self, watcher, revents):
                self.ticks += 1
                if self.ticks == 3:
                    self.stop()
        loop = Loop()
        ticker = Ticker(loop)
        ghost = weakref.ref(ticker)
        with ticker:
            loop.start()
        print(ticker.ticks)
        del ticker
        gc.collect()
        print(ghost())
        """,
        "3 None",
    )


def test_kind_of_ones_own(run_program):
    run_program(
        """
        Watcher = Timer.__mro__[1]
        class Own(Watcher):
            pass
        loop = Loop()
        own = Own(loop, lambda w, e: print("fed", e))
        own.feed(1)
        loop.start(EVRUN_NOWAIT)
        own.feed(2)
        print(raised(own.start), raised(own.stop), raised(Watcher, loop, noop))
        loop.close()
        print(own.pending)
        """,
        "fed 1 TypeError TypeError TypeError False",
    )


# Descriptors


def test_no_descriptor_left(run_program):
    run_program(
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
        for backend in BACKENDS:
            loop = Loop(backend)
            hoard = []
            try:
                while True:
                    hoard.append(os.dup(0))
            except OSError:
                pass
            wake = loop.async_(noop)
            fired = []
            timer = loop.timer(0.001, 0.0, lambda w, e: fired.append(1))
            print(raised(wake.start), wake.active, raised(Loop, EVBACKEND_EPOLL))
            # Said where it is asked for, not by a loop that is about to wait.
            print(raised(timer.start), timer.active)
            print(raised(loop.start), loop.depth)
            loop.verify()
            for fd in hoard:
                os.close(fd)
            timer.start()
            print(loop.start(), fired)
            wake.start()
            wake.send()
            print(loop.start(EVRUN_ONCE))
            loop.close()
        """,
        "OSError False OSError OSError False nothing 0 False [1] True " * 3,
    )


def test_no_descriptor_left_to_rebuild_with(run_program):
    run_program(
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
        for backend in BACKENDS:
            loop = Loop(backend)
            r, w = pipe()
            loop.io(w, EV_WRITE, noop).start()
            wake = loop.async_(lambda w, e: print("woken"))
            wake.start()
            loop.start(EVRUN_NOWAIT)
            loop.reset()
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            error = raised(loop.start, EVRUN_NOWAIT)
            resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
            print(error in ("OSError", "nothing"))
            loop.verify()
            wake.send()
            print(loop.start(EVRUN_NOWAIT))
            loop.close()
            os.close(r), os.close(w)
        """,
        "True woken True " * 3,
    )


def test_accept_without_descriptors_left(run_program):
    run_program(
        """
        import errno
        loop = Loop()
        failures = reported([])
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        idle = loop.timer(0.01, 0.0, noop)
        idle.start()
        loop.start()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        def accept(watcher, revents):
            watcher.data += 1
            if watcher.data == 3:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            listener.accept()
            watcher.stop()
        loop.io(listener, EV_READ, accept, 0).start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        print(loop.start(), failures)
        """,
        "False ['OSError', 'OSError']",
    )


def test_somebody_closes_the_loops_own_descriptors(run_program):
    run_program(
        """
        for backend in BACKENDS:
            before = set(os.listdir("/proc/self/fd"))
            loop = Loop(backend)
            wake = loop.async_(noop)
            wake.start()
            loop.start(EVRUN_NOWAIT)
            for name in set(os.listdir("/proc/self/fd")) - before:
                try:
                    os.close(int(name))
                except OSError:
                    pass
            loop.timer(0.01, 0.0, lambda w, e: loop.stop()).start()
            print(raised(loop.start) in ("OSError", "nothing"), loop.depth)
            loop.verify()
            wake.send()
            print(raised(loop.start, EVRUN_NOWAIT) in ("OSError", "nothing"))
            loop.reset()
            raised(loop.start, EVRUN_NOWAIT)
            loop.verify()
            loop.close()
        """,
        "True 0 True " * 3,
    )


def test_watching_the_loops_own_descriptors(run_program):
    run_program(
        """
        import random
        for backend in BACKENDS:
            chance = random.Random(2)
            before = set(os.listdir("/proc/self/fd"))
            loop = Loop(backend)
            wake = loop.async_(noop)
            wake.start()
            r, w = pipe()
            loop.start(EVRUN_NOWAIT)
            own = [int(name) for name in set(os.listdir("/proc/self/fd")) - before
                   if os.path.exists("/proc/self/fd/" + name)]
            watchers = [loop.io(fd, events, noop) for fd in own for events in (1, 2, 3)]
            for _ in range(500):
                watcher = chance.choice(watchers)
                raised(watcher.stop if watcher.active else watcher.start)
                wake.send()
                raised(loop.start, EVRUN_NOWAIT)
                loop.verify()
            for watcher in watchers:
                watcher.stop()
            served = []
            wake.callback = lambda w, e: served.append(e)
            loop.start(EVRUN_NOWAIT)
            wake.send()
            when_blocked(wake.send)
            loop.start(EVRUN_ONCE)
            print(len(served) >= 1)
            loop.close()
        """,
        "True " * 3,
    )


def test_references_out_of_balance(run_program):
    run_program(
        """
        loop = Loop()
        for _ in range(5):
            loop.unref()
        loop.timer(0.001, 0.0, noop).start()
        print(loop.start(EVRUN_NOWAIT))
        print(loop.start())
        for _ in range(10):
            loop.ref()
        loop.timer(0.001, 0.0, lambda w, e: [loop.unref() for _ in range(50)]).start()
        print(loop.start())
        """,
        "False False False",
    )


def test_suspend_and_resume_out_of_balance(run_program):
    run_program(
        """
        loop = Loop()
        loop.clock = clock = ev.clock.ManualClock()
        timer = loop.timer(10.0, 0.0, noop)
        timer.start()
        loop.resume()
        loop.resume()
        print(timer.remaining)
        for _ in range(3):
            loop.suspend()
            clock.advance(1.0)
        loop.resume()
        loop.resume()
        print(timer.remaining)
        loop.suspend()
        """,
        "10.0 10.0",
    )


# Forks


def test_fork_in_a_prepare_callback(run_program):
    """What the child starts in the same pass must not reach the parent's kernel side."""
    run_program(
        """
        import errno
        for backend in BACKENDS:
            for opened in (False, True):
                loop = Loop(backend)
                if opened:
                    loop.async_(noop).start()
                ready, told = os.pipe()
                go, leave = os.pipe()
                state = {}
                def prepare(watcher, revents):
                    watcher.stop()
                    state["pid"] = os.fork()
                    if state["pid"]:
                        return
                    r, w = os.pipe()
                    os.dup2(r, 900)
                    os.write(w, b"x")
                    loop.io(900, EV_READ, lambda w, e: (w.stop(), os.write(told, b"x"),
                                                        os.read(go, 1), os._exit(0))).start()
                    state["wake"] = loop.async_(noop)
                    state["wake"].start()
                    loop.timer(5.0, 0.0, lambda w, e: os._exit(1)).start()
                loop.prepare(prepare).start()
                loop.timer(0.001, 0.0, noop).start()
                loop.start(EVRUN_NOWAIT)
                if state["pid"] == 0:
                    loop.start()
                    os._exit(2)
                os.read(ready, 1)
                before = loop.iteration
                end = loop.timer(0.2, 0.0, lambda w, e: loop.stop())
                end.start()
                loop.start()
                loop.verify()
                print(loop.iteration - before < 20)
                os.write(leave, b"x")
                print(os.waitstatus_to_exitcode(os.waitpid(state["pid"], 0)[1]))
                loop.close()
        """,
        "True 0 " * 6,
    )


def test_fork_in_every_kind_of_callback(run_program):
    run_program(
        """
        for backend in BACKENDS:
            for kind in KINDS:
                loop = Loop(backend)
                r, w = pipe()
                os.write(w, b"x")
                children = []
                def fork(watcher, revents):
                    watcher.stop()
                    children.append(os.fork())
                    loop.timer(0.001, 0.0, lambda w, e: loop.stop()).start()
                own = {Io: (r, EV_READ), Timer: (0.0, 1.0)}.get(kind, ())
                watcher = kind(*own, loop, fork)
                watcher.start()
                watcher.feed(EV_CUSTOM)
                left = loop.start()
                loop.verify()
                loop.close()
                if children == [0]:
                    os._exit(7)
                print(left, os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]))
        """,
        "False 7 " * 18,
    )


def test_fork_while_another_thread_runs_the_loop(run_program):
    run_program(
        """
        import warnings
        warnings.simplefilter("ignore")
        for backend in BACKENDS:
            loop = Loop(backend)
            calls = []
            wake = loop.async_(lambda w, e: loop.stop())
            wake.start()
            r, w = pipe()
            loop.io(r, EV_READ, noop).start()
            thread = threading.Thread(target=loop.start)
            thread.start()
            blocked = threading.Event()
            when_blocked(blocked.set, thread)
            blocked.wait()
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    depth = loop.depth
                    mine, into = pipe()
                    loop.io(mine, EV_READ, lambda w, e: (
                        calls.append(os.read(mine, 9)), loop.stop())).start()
                    os.write(into, b"child")
                    loop.start()
                    wake.send()
                    loop.start()
                    loop.verify()
                    loop.close()
                    if calls == [b"child"]:
                        code = 2 if depth else 0
                finally:
                    os._exit(code)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            wake.send()
            thread.join()
            print(status, loop.depth)
            loop.verify()
            loop.close()
        """,
        "0 0 " * 3,
    )


# Closing without end


def test_files_above_all_limits(run_program):
    run_program(
        """
        for backend in BACKENDS:
            loop = Loop(backend)
            for fd in (2**31 - 1, 10**8, 2**20, 2**24):
                watcher = loop.io(fd, EV_READ | EV_WRITE, noop)
                watcher.start()
                loop.feed_fd_event(fd, EV_READ)
                loop.verify()
            for _ in range(4):
                print(raised(loop.start))
            print(raised(loop.start), loop.watchers)
        """,
        "OSError OSError OSError OSError nothing () " * 3,
    )
