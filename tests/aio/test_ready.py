"""ReadyQueue: the calls that are to be made as soon as possible."""

import asyncio
import weakref

import everloop


class Called:
    def __call__(self):
        pass


def test_order(loop, run_round):
    seen = []
    for i in range(5000):
        (loop.call_soon if i % 3 else loop.call_soon_threadsafe)(seen.append, i)
    run_round()
    assert seen == list(range(5000))


def test_calls_of_calls_come_after_those_that_were_ready(loop, run_round):
    seen = []
    loop.call_soon(lambda: (seen.append(1), loop.call_soon(seen.append, 4)))
    loop.call_soon(seen.append, 2)
    loop.call_soon(lambda: (seen.append(3), loop.call_soon(seen.append, 5)))
    run_round()
    run_round()
    assert seen == [1, 2, 3, 4, 5]


def test_what_tools_see(loop):
    assert len(loop._ready) == 0
    handles = [loop.call_soon(print), loop.call_soon(print)]
    assert len(loop._ready) == 2 and list(loop._ready) == handles


def test_close_drops_what_was_ready():
    loop = everloop.new_event_loop()
    called = Called()
    gone = weakref.ref(called)
    loop.call_soon(called)
    loop.call_later(1000, called)
    del called
    loop.close()
    assert gone() is None


def test_long_queues_are_dropped_without_deep_recursion(run_program):
    run_program(
        """
        for end in ev.EventLoop.close, lambda loop: None:
            loop = ev.new_event_loop()
            for i in range(500_000):
                loop.call_soon(noop)
            end(loop)
            del loop
            gc.collect()
        print("dropped")
        """,
        "dropped",
        hangs_after=60,
    )


def test_long_chains_of_handles_held_elsewhere(loop, run_round):
    """A handle that somebody keeps must not keep those that came after it."""
    called = [Called() for _ in range(3)]
    gone = [weakref.ref(each) for each in called]
    first = loop.call_soon(called[0])
    loop.call_soon(called[1])
    loop.call_soon(called[2])
    del called
    run_round()
    assert [each() for each in gone[1:]] == [None, None]
    first.cancel()


def test_calls_that_drop_the_queue(handled):
    """Loop.close() in a call: those that follow are not made, and nothing crashes."""
    loop = everloop.new_event_loop()
    seen = []
    loop.call_soon(everloop.Loop.close, loop)
    loop.call_soon(seen.append, 1)
    loop.run_forever()
    assert asyncio._get_running_loop() is None
    loop.close()
    assert loop.is_closed() and loop.closed
