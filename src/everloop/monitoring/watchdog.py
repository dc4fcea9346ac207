"""Watchdog: a thread that tells of callbacks that take too long, while they do.

The loop counts its callbacks and reads no clock for this; the thread looks at the count.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

from everloop import Loop

logger = logging.getLogger("everloop.watchdog")


@dataclass(frozen=True, eq=False)
class SlowCallback:
    """A callback, or a step of a task, that has taken too long.

    loop: whose it is.
    seconds: how long it has taken so far, at least.
    running: whether it still runs. If not, C code kept all other threads from running for so
    long, and what is told here is what the loop did right after.
    called: the watcher or handle that is called, or None if that is not known.
    task: the asyncio.Task whose step it is, or None.
    thread: the identity of the loop's thread.
    stack: of that thread, the innermost call last.
    unreported: how many were not reported since the last report, which came too soon after it.
    """

    loop: Loop
    seconds: float
    running: bool
    called: object
    task: object
    thread: int
    stack: traceback.StackSummary
    unreported: int

    def __str__(self) -> str:
        what = self.task or self.called or "something"
        if self.running:
            text = f"{what!r} has run for {self.seconds:.3f} s and is still running"
        else:
            text = (
                f"no other thread could run for {self.seconds:.3f} s, until now: "
                f"by {what!r} or what was called before it"
            )
        if self.unreported:
            text += f" ({self.unreported} more were not reported)"
        return f"{text}\n{''.join(self.stack.format())}".rstrip()


class Watchdog:
    """Watches over one loop, until `stop` or until the loop is closed. See `watchdog`."""

    def __init__(
        self, loop: Loop, threshold: float, report: Callable[[SlowCallback], object], pause: float
    ):
        self._loop = cast(Any, loop)  # whose stub keeps some names to itself
        self._threshold = threshold
        self._report = report
        self._pause = pause
        self._not_before = 0.0
        self._unreported = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="everloop watchdog", daemon=True)
        self._loop._observe(True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer. Waits for a report that is being made, unless that is what calls."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._loop._observe(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        interval = self._threshold / 2
        seen, since = -1, time.monotonic()
        last = since
        owner = used = 0
        reported = False
        while not self._stopping.wait(interval) and not self._loop.closed:
            progress, idle, thread, called = self._loop._observation()
            now = time.monotonic()
            held_up = now - last - interval
            if thread not in (0, owner):
                owner, used = thread, cpu_time(thread)
            before, used = used, cpu_time(owner)
            last = now
            if idle or progress != seen:
                # The machine may have had no time for this thread: what counts is what the
                # loop's has computed meanwhile.
                if held_up >= self._threshold and used - before >= self._threshold * 1e9:
                    self._tell(now, held_up, False, owner, called)
                seen, since, reported = progress, now, False
            elif now - since >= self._threshold and not reported:
                reported = True
                self._tell(now, now - since, True, thread, called)

    def _tell(self, now: float, seconds: float, running: bool, thread: int, called: object) -> None:
        if now < self._not_before:
            self._unreported += 1
            return
        frame = sys._current_frames().get(thread)
        slow = SlowCallback(
            loop=self._loop,
            seconds=seconds,
            running=running,
            called=called,
            task=task_in(self._loop),
            thread=thread,
            stack=traceback.extract_stack(frame) if frame else traceback.StackSummary(),
            unreported=self._unreported,
        )
        self._not_before = now + self._pause
        self._unreported = 0
        try:
            self._report(slow)
        except Exception:
            logger.exception("The watchdog's report function failed")


def watchdog(
    loop: Loop,
    threshold: float = 0.1,
    report: Callable[[SlowCallback], object] | None = None,
    pause: float = 1.0,
) -> Watchdog:
    """Have a thread tell of callbacks of a loop, and steps of its tasks, that take too long.

    They are told of while they run, with the stack of the loop's thread.

    threshold: how many seconds are too long. The thread looks twice in that time, so that
    what takes half as long again is always seen.
    report: called in that thread with a `SlowCallback`; None logs it as a warning to the
    logger "everloop.watchdog". Each callback is reported once.
    pause: at least so many seconds pass between two reports.

    Returns a `Watchdog`, which is a context manager; call `Watchdog.stop` in the end.

    C code that does not release the GIL lets no other thread run: what takes too long in it is
    reported when it is over, and only if it uses the processor.

    Raises ValueError for a threshold that is not positive, TypeError for what is not a loop.
    """
    if not threshold > 0.0:
        raise ValueError(f"threshold must be a positive number of seconds, not {threshold!r}")
    if not isinstance(loop, Loop):
        raise TypeError(f"loop must be a Loop, not {type(loop).__name__}")
    return Watchdog(loop, threshold, log if report is None else report, pause)


def log(slow: SlowCallback) -> None:
    logger.warning("%s", slow)


def task_in(loop: Loop) -> object:
    """The task whose step the loop runs, if asyncio's face is in use at all."""
    if "everloop.aio" not in sys.modules:
        return None
    from everloop.monitoring.tasks import current_task

    return current_task(loop)


def cpu_time(thread: int) -> int:
    """How many nanoseconds a thread has computed; 0 if that can't be told.

    Not by pthread_getcpuclockid(3), which must not be asked about a thread that has ended.
    """
    for each in threading.enumerate():
        if each.ident == thread and each.native_id:
            try:
                with open(f"/proc/self/task/{each.native_id}/schedstat") as file:
                    return int(file.read().split()[0])
            except (OSError, ValueError, IndexError):
                return 0
    return 0
