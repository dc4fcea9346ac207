"""Random programs on asyncio's own loop and on everloop's: they have to see the same.

    python -m tests.reliability.differential [--first SEED] [--programs COUNT] [--shrink]

prints the seed, the shortest form of the program and the first difference of each program
that sees something else.
"""

import argparse
import asyncio
import gc
import logging
import pprint
import selectors
import struct
import sys
import warnings

import everloop

from .programs import Generator
from .world import World

WORD = 8 * struct.calcsize("l")


class ByNumber(selectors.SelectSelector):
    """Gives what is ready in the order in which everloop's select does."""

    def select(self, timeout=None):
        return sorted(
            super().select(timeout), key=lambda ready: (ready[0].fd // WORD, -ready[0].fd)
        )


# What asyncio's transports of pipes do when they end twice; ours do not.
FAULT_OF_ASYNCIO = "AttributeError 'NoneType' object has no attribute 'close'"


def asyncio_loop():
    return asyncio.SelectorEventLoop(ByNumber())


def everloop_loop():
    return everloop.EventLoop(everloop.EVBACKEND_SELECT)


def seen_on(make_loop, program):
    """The log of the program on a new loop, which is closed in the end."""
    loop = make_loop()
    asyncio.set_event_loop(loop)
    try:
        gc.disable()
        return [each for each in World(loop, program).run() if each[-1] != FAULT_OF_ASYNCIO]
    finally:
        gc.enable()
        asyncio.set_event_loop(None)
        if hasattr(loop, "verify"):
            loop.verify()
        loop.close()


def difference(program):
    """Where the logs first differ, as (asyncio's part, everloop's part), or None.

    None as well where asyncio's loop does not always see the same, as when TCP's buffers
    are full: how much they take then depends on the time.
    """
    expected = seen_on(asyncio_loop, program)
    seen = seen_on(everloop_loop, program)
    if expected == seen:
        return None
    for _ in range(3):
        again = seen_on(asyncio_loop, program)
        if again != expected or again == seen_on(everloop_loop, program):
            return None
    at = next(
        (i for i, (one, other) in enumerate(zip(expected, seen, strict=False)) if one != other),
        min(len(expected), len(seen)),
    )
    return expected[max(at - 3, 0) : at + 8], seen[max(at - 3, 0) : at + 8]


def shrunk(program):
    """The program without whatever can be left out while it still differs."""
    progress = True
    while progress:
        progress = False
        for path in paths(program):
            smaller = without(program, path)
            if difference(smaller) is not None:
                program, progress = smaller, True
                break
    return program


def paths(part, path=()):
    """Where there is something to be left out, outer parts first."""
    if isinstance(part, list):
        yield from ((*path, i) for i in range(len(part)))
    if isinstance(part, (list, tuple)):
        for i, each in enumerate(part):
            yield from paths(each, (*path, i))


def without(part, path):
    at, *rest = path
    parts = list(part)
    if rest:
        parts[at] = without(part[at], rest)
    else:
        del parts[at]
    return type(part)(parts)


def quiet():
    """Loops that end with calls left are part of the programs."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--most", type=int, default=1, help="differences to stop at")
    parser.add_argument("--shrink", action="store_true")
    options = parser.parse_args()
    quiet()
    different = []
    for seed in range(options.first, options.first + options.programs):
        program = Generator(seed).program(options.turns)
        if (found := difference(program)) is not None:
            different.append(seed)
            if options.shrink:
                program = shrunk(program)
                found = difference(program) or found
            print(f"\nseed {seed}")
            if options.shrink:
                pprint.pprint(program, width=110)
            print("asyncio:", *found[0], "everloop:", *found[1], sep="\n  ", flush=True)
            if len(different) >= options.most:
                break
        if seed % 50 == 0:
            gc.collect()
    print(f"{seed - options.first + 1} programs, {len(different)} differ: {different}")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
