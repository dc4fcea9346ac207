"""ReadyQueue: the calls that are to be made as soon as possible."""

import asyncio
import contextvars
import gc
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


def test_contexts_of_long_queues_are_hidden_until_their_calls(loop, run_round):
    """The garbage collector would look at thousands of them, again and again."""
    seen = []
    given = contextvars.copy_context()

    def look():
        handles = [loop.call_soon(Called()) for _ in range(1000)]
        handles.append(loop.call_soon(Called(), context=given))
        contexts = [handle.get_context() for handle in handles]
        seen.extend(contexts)
        seen.append([gc.is_tracked(context) for context in contexts])
        for handle in handles[::2]:
            handle.cancel()

    loop.call_soon(look)
    run_round()
    run_round()
    tracked = seen.pop()
    assert tracked[0] and not any(tracked[500:-1]) and tracked[-1]
    assert all(gc.is_tracked(context) for context in seen)


def test_contexts_of_long_queues_end(run_program):
    """In whatever way a call leaves the queue, and whoever keeps its context."""
    run_program(
        """
        import asyncio, contextvars, gc, threading

        variable = contextvars.ContextVar("variable")

        class Member:
            pass

        def fill(loop, kept):
            handles = [loop.call_soon_threadsafe(variable.set, Member()) for _ in range(3000)]
            for handle in handles[1::3]:
                handle.cancel()
            kept.extend(handle.get_context() for handle in handles[2::3])
            gc.collect()

        def stop_with_them(loop):
            loop.call_soon(lambda: (fill(loop, kept), loop.stop()))
            loop.run_forever()
            assert all(map(gc.is_tracked, kept))

        def run_them(loop):
            loop.call_soon(lambda: (fill(loop, kept), loop.call_soon(loop.stop)))
            loop.run_forever()
            assert all(map(gc.is_tracked, kept))

        def from_a_thread(loop):
            def send():
                fill(loop, kept)
                loop.call_soon_threadsafe(loop.stop)

            thread = threading.Thread(target=send)
            loop.call_soon(thread.start)
            loop.run_forever()
            thread.join()

        def drop_the_loop_in_a_call(loop):
            loop.call_soon(lambda: (fill(loop, kept), ev.Loop.close(loop)))
            loop.run_forever()

        for use in stop_with_them, run_them, from_a_thread, drop_the_loop_in_a_call:
            for end in ev.EventLoop.close, lambda loop: None:
                kept = []
                loop = ev.new_event_loop()
                use(loop)
                end(loop)
                del loop
                gc.collect()
                assert len(kept) == 1000
                kept.clear()
                gc.collect()
        print("ended")
        """,
        "ended",
        hangs_after=60,
    )


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
