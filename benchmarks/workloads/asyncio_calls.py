"""What asyncio programs ask of a loop in one process: callbacks, timers, futures and tasks."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from contextlib import closing
from functools import partial
from itertools import repeat
from threading import Event, Thread
from typing import Any

from benchmarks.peers import LOOPS
from benchmarks.peers.peer import Peer
from benchmarks.timing import cpu_ns, per_operation
from benchmarks.workload import ASYNCIO, Group, Row, Scale, Target, Workload, single

_BATCH = 1000
_GATHERED = 100
_DELAY = 10.0

Call = Callable[[Callable[[], object]], object]


def _ignore() -> None:
    pass


async def _nothing() -> None:
    pass


def _chain(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time per callback, each of which calls the next one soon."""
    with closing(peer_class.new_event_loop()) as loop:
        remaining = 0
        call_soon, stop = loop.call_soon, loop.stop

        def step() -> None:
            nonlocal remaining
            remaining -= 1
            if remaining:
                call_soon(step)
            else:
                stop()

        def run(count: int) -> int:
            nonlocal remaining
            remaining = count
            call_soon(step)
            return cpu_ns(loop.run_forever)

        return per_operation(run, scale)


def _batches(
    perform: Callable[[AbstractEventLoop], None], peer_class: type[Peer], scale: Scale
) -> float:
    """CPU time per operation of `perform`, which does a batch of them in each pass of the loop."""
    with closing(peer_class.new_event_loop()) as loop:
        remaining = 0

        def step() -> None:
            nonlocal remaining
            remaining -= 1
            if remaining >= 0:
                perform(loop)
                loop.call_soon(step)
            else:
                loop.stop()

        def run(count: int) -> int:
            nonlocal remaining
            batches = remaining = max(1, count // _BATCH)
            loop.call_soon(step)
            return cpu_ns(loop.run_forever) * count // (batches * _BATCH)

        return per_operation(run, scale)


def _call_soon(loop: AbstractEventLoop) -> None:
    call_soon = loop.call_soon
    for _ in repeat(None, _BATCH):
        call_soon(_ignore)


def _call_soon_threadsafe(loop: AbstractEventLoop) -> None:
    call_soon = loop.call_soon_threadsafe
    for _ in repeat(None, _BATCH):
        call_soon(_ignore)


def _call_later_and_cancel(loop: AbstractEventLoop) -> None:
    call_later = loop.call_later
    for _ in repeat(None, _BATCH):
        call_later(_DELAY, _ignore).cancel()


def _from_thread(peer_class: type[Peer], scale: Scale) -> float:
    """CPU time of both threads per callback that another thread asks for."""
    with closing(peer_class.new_event_loop()) as loop:
        running = Event()

        def send(count: int) -> None:
            running.wait()
            call_soon = loop.call_soon_threadsafe
            for _ in repeat(None, count):
                call_soon(_ignore)
            call_soon(loop.stop)

        def run(count: int) -> int:
            running.clear()
            loop.call_soon(running.set)
            sender = Thread(target=send, args=(count,))
            sender.start()
            spent = cpu_ns(loop.run_forever)
            sender.join()
            return spent

        return per_operation(run, scale)


def _coroutine(
    perform: Callable[[AbstractEventLoop, int], Coroutine[Any, Any, object]],
    peer_class: type[Peer],
    scale: Scale,
) -> float:
    """CPU time per operation of `perform(loop, count)`, which does `count` of them."""
    with closing(peer_class.new_event_loop()) as loop:
        return per_operation(
            lambda count: cpu_ns(loop.run_until_complete, perform(loop, count)), scale
        )


async def _sleep_0(_loop: AbstractEventLoop, count: int) -> None:
    sleep = asyncio.sleep
    for _ in repeat(None, count):
        await sleep(0)


async def _sleep_0_in_tasks(loop: AbstractEventLoop, count: int) -> None:
    tasks = 100
    share, more = divmod(count, tasks)
    shares = [share + (index < more) for index in range(tasks)]
    await asyncio.gather(*(_sleep_0(loop, each) for each in shares))


async def _create_and_await_tasks(loop: AbstractEventLoop, count: int) -> None:
    create_task = loop.create_task
    for _ in repeat(None, count):
        await create_task(_nothing())


async def _gather(_loop: AbstractEventLoop, count: int) -> None:
    gather = asyncio.gather
    batches, more = divmod(count, _GATHERED)
    for _ in repeat(None, batches):
        await gather(*[_nothing() for _ in repeat(None, _GATHERED)])
    await gather(*[_nothing() for _ in repeat(None, more)])


async def _in_executor(loop: AbstractEventLoop, count: int) -> None:
    run_in_executor = loop.run_in_executor
    for _ in repeat(None, count):
        await run_in_executor(None, _ignore)


async def _futures(loop: AbstractEventLoop, count: int) -> None:
    create_future, call_soon = loop.create_future, loop.call_soon
    for _ in repeat(None, count):
        future = create_future()
        call_soon(future.set_result, None)
        await future


def _workload(
    name: str,
    title: str,
    unit: str,
    target: Target | None,
    measure: Callable[[type[Peer], Scale], float],
    incomparable: tuple[str, ...] = (),
) -> Workload:
    return single(Row(name, title, unit, (target,) if target else (), incomparable), measure)


_GOOD = Target(0.95)
_BETTER = Target(0.75)

# They make a call from a thread without a copy of the caller's context: it reads other values of
# context variables, and what it sets is there for all calls after it.
_WITHOUT_CONTEXTS = ("rloop",)

GROUP = Group(
    "asyncio-calls",
    "asyncio: callbacks and tasks",
    (
        _workload("call-soon-chain", "call_soon, a chain", "ns/call", _BETTER, _chain),
        _workload(
            "call-soon-batch",
            "call_soon, 1,000 at once",
            "ns/call",
            _BETTER,
            partial(_batches, _call_soon),
        ),
        _workload(
            "threadsafe-own",
            "call_soon_threadsafe, own thread",
            "ns/call",
            _GOOD,
            partial(_batches, _call_soon_threadsafe),
            _WITHOUT_CONTEXTS,
        ),
        _workload(
            "threadsafe-other",
            "call_soon_threadsafe, another",
            "ns/call",
            _GOOD,
            _from_thread,
            _WITHOUT_CONTEXTS,
        ),
        _workload(
            "call-later-cancel",
            "call_later + cancel",
            "ns/pair",
            Target(0.5, "uvloop"),
            partial(_batches, _call_later_and_cancel),
        ),
        _workload("sleep-0", "sleep(0), 1 task", "ns/sleep", _GOOD, partial(_coroutine, _sleep_0)),
        _workload(
            "sleep-0-100",
            "sleep(0), 100 tasks",
            "ns/sleep",
            _GOOD,
            partial(_coroutine, _sleep_0_in_tasks),
        ),
        _workload(
            "create-task",
            "create_task + await",
            "ns/task",
            _GOOD,
            partial(_coroutine, _create_and_await_tasks),
        ),
        _workload("gather", "gather of 100", "ns/task", None, partial(_coroutine, _gather)),
        _workload(
            "executor",
            "run_in_executor",
            "ns/call",
            Target(1.0),
            partial(_coroutine, _in_executor),
        ),
        _workload(
            "future", "future set and awaited", "ns/future", _GOOD, partial(_coroutine, _futures)
        ),
    ),
    ASYNCIO,
    LOOPS,
)
