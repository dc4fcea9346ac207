"""A clock for tests of programs that use everloop; the fixtures of pytest_plugin.py give it."""

import math
import select

from everloop import EVBACKEND_EPOLL, EVRUN_NOWAIT, Error, Loop, ManualClock

# So many passes at one time, for a loop that never rests: one with an Idle watcher, say.
PASSES = 1000


class SteppingClock(ManualClock):
    """A ManualClock that runs its loops while it is advanced.

    loops: those that get it as their clock. monotonic, wall: its first readings, in seconds.

    Only these loops see its time. Other threads, executors, child processes, peers of
    connections, and what calls time.sleep() or time.time() live in real time.
    """

    def __init__(
        self, *loops: Loop, monotonic: float = 1000.0, wall: float = 1_000_000_000.0
    ) -> None:
        super().__init__(monotonic, wall)
        self.loops = loops
        for loop in loops:
            loop.clock = self

    def advance(self, seconds: float) -> None:
        """Let time pass, and run what becomes due meanwhile, each at its own time.

        What is to be done at once is done before. Raises ValueError for a negative or
        infinite time, Error while one of the loops runs: there time passes by waiting, as by
        ``await asyncio.sleep(seconds)``.
        """
        if not 0.0 <= seconds < math.inf:
            raise ValueError(f"seconds must be a time, and not negative, not {seconds!r}")
        self._serve()
        left = seconds
        while (step := self._until_due()) < left:
            super().advance(step)
            left -= step
            self._serve()
        super().advance(left)
        self._serve()

    def set_wall(self, wall: float) -> None:
        """Set the wall clock, as an administrator does, and run what becomes due by that.

        Raises ValueError for NaN, Error while one of the loops runs.
        """
        self._check_at_rest()
        super().set_wall(wall)
        self._serve()

    def _check_at_rest(self) -> None:
        if any(loop.depth for loop in self.loops):
            raise Error("the clock can't be moved by what its loop runs: wait there instead")

    def _until_due(self) -> float:
        """Seconds to the next timer of any of the loops."""
        waits = [loop.timeout() for loop in self.loops if not loop.closed]
        # 0.0: of one that never rests.
        return min((wait for wait in waits if wait), default=math.inf)

    def _serve(self) -> None:
        """Run passes until there is nothing to do at the present time."""
        self._check_at_rest()
        for _ in range(PASSES):
            for loop in self.loops:
                if not loop.closed:
                    loop.start(EVRUN_NOWAIT)
            if not any(map(has_to_do, self.loops)):
                break


def has_to_do(loop: Loop) -> bool:
    """Whether there is something to do at once; as far as its descriptors go, with epoll."""
    if loop.closed:
        return False
    if loop.timeout() == 0.0:
        return True
    if loop.backend != EVBACKEND_EPOLL:
        return False
    descriptor = select.poll()
    descriptor.register(loop.fileno(), select.POLLIN)
    return bool(descriptor.poll(0))
