"""Give constructors, setters and methods arguments of all kinds, and transports streams in pieces.

    python -m tests.reliability.fuzz_run [--only TARGET ...] [--first SEED] [--programs COUNT]
    python -m tests.reliability.fuzz_run --atheris TARGET [--seconds COUNT]
    python -m tests.reliability.fuzz_run --keep TARGET

Targets are "calls", each of which does what it says or raises one of USUAL, with the loop whole
afterwards, and those of fuzz_streams.py. Inputs are bytes that make the choices: those of a seed,
or, where atheris is installed, those that it finds to lead to other code: in the C as well, with
`make fuzz`. Those that --keep has put into corpus/, by target, are run by `make test`.
"""

import argparse
import contextlib
import math
import os
import pathlib
import signal
import sys
import warnings

import everloop

from .choices import Choices, seeded
from .fuzz_streams import TARGETS as STREAMS

CORPUS = pathlib.Path(__file__).parent / "corpus"
USUAL = (TypeError, ValueError, OverflowError, OSError, AttributeError, everloop.Error)
CALLS = 60


class Index:
    def __index__(self):
        return 3


class Bad:
    def __index__(self):
        raise ValueError("no index")

    __float__ = __fspath__ = fileno = __bool__ = __call__ = __index__


class Big(int):
    pass


VALUES = [
    *[None, True, False, 0, 1, 2, 3, -1, -2, 5, 255, 256, 1024, 1 << 15, 1 << 31, -(1 << 31)],
    *[(1 << 31) - 1, 1 << 32, 1 << 63, 1 << 200, -(1 << 200), Big(1), Index(), Bad()],
    *[0.0, -0.0, 0.5, 1e-300, 1e9, 1e30, 1e308, -1.0, math.inf, -math.inf, math.nan],
    *["", "/", "/tmp", "x\0y", "\udc80", b"", b"/tmp", b"\xff", bytearray(b"/tmp"), "x" * 5000],
    *[(), [], {}, object(), int, len, repr, lambda *arguments: 1e30, lambda *arguments: None],
]
KINDS = [
    *["io", "timer", "periodic", "scheduler", "stat", "idle", "prepare", "check", "fork"],
    *["async_", "embed", "signal"],
]
METHODS = [
    *["start", "stop", "set", "feed", "invoke", "clear", "reset", "send", "again", "remaining"],
    *["sweep", "__repr__", "__enter__", "__exit__", "__init__"],
]
ATTRIBUTES = [
    *["callback", "data", "priority", "offset", "interval", "reschedule", "repeat", "events"],
    *["active", "pending", "rpid", "rstatus", "path", "loop", "at", "fd"],
]
ON_LOOP = [
    *["stop", "invoke", "reset", "update", "suspend", "resume", "ref", "unref", "incref", "decref"],
    *["feed_fd_event", "feed_signal_event", "now", "verify", "__repr__"],
]
LOOP_ATTRIBUTES = ["callback", "data", "io_interval", "timeout_interval", "clock", "debug"]
# What a callback of a random kind would be called for by a signal is no test.
HARMLESS = {signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGURG}


class Fuzz:
    def __init__(self, data):
        self.random = Choices(data)
        self.ends = os.pipe()
        self.loop = everloop.Loop(self.random.choice([0, 1, 2, 4]) | everloop.EVFLAG_NOENV)
        self.watchers = []

    def close(self):
        self.loop.close()
        for fd in self.ends:
            os.close(fd)

    def values(self, most):
        more = [*VALUES, *self.watchers, self.loop, self.ends[0], self.ends[1]]
        return [self.random.choice(more) for _ in range(self.random.randrange(most + 1))]

    def make(self):
        kind = self.random.choice(KINDS)
        first = [self.random.choice(sorted(HARMLESS))] if kind == "signal" else self.values(1)
        self.watchers.append(getattr(self.loop, kind)(*first, *self.values(3), lambda *args: None))

    def make_loop(self):
        everloop.Loop(*self.values(5)).close()

    def call(self):
        if self.watchers:
            watcher = self.random.choice(self.watchers)
            getattr(watcher, self.random.choice(METHODS))(*self.values(3))

    def set(self):
        if self.watchers:
            watcher = self.random.choice(self.watchers)
            setattr(watcher, self.random.choice(ATTRIBUTES), *(self.values(1) or [0]))

    def call_loop(self):
        getattr(self.loop, self.random.choice(ON_LOOP))(*self.values(2))

    def set_loop(self):
        name = self.random.choice(LOOP_ATTRIBUTES)
        before = getattr(self.loop, name, None)
        setattr(self.loop, name, *(self.values(1) or [0]))
        if name in ("callback", "io_interval", "timeout_interval"):
            setattr(self.loop, name, before)  # it would be called, or let much time pass

    def run_loop(self):
        if self.loop.io_interval == 0.0:
            self.loop.start(everloop.EVRUN_NOWAIT)

    def step(self):
        steps = [self.make, self.make_loop, self.call, self.set, self.call_loop, self.set_loop]
        with contextlib.suppress(USUAL):
            self.random.choice([*steps, self.make, self.call, self.call, self.run_loop])()
        self.loop.verify()


def run_calls(data):
    fuzz = Fuzz(data)
    try:
        for _ in range(CALLS):
            fuzz.step()
    finally:
        fuzz.close()


TARGETS = {"calls": run_calls, **STREAMS}


def kept(target):
    """The inputs in corpus/ of a target."""
    return sorted((CORPUS / target).glob("*"))


def run_seeds(target, first, programs):
    for seed in range(first, first + programs):
        try:
            TARGETS[target](seeded(f"{target} {seed}"))
        except BaseException:
            print(f"{target}, seed {seed}", flush=True)
            raise
    print(f"{target}: {programs} inputs", flush=True)


def run_atheris(target, found, seconds):
    """Have atheris look for inputs."""
    import atheris

    directories = found / target, CORPUS / target
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
    arguments = [sys.argv[0], f"-max_total_time={seconds}", "-max_len=400", *map(str, directories)]
    atheris.instrument_all()
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()


def keep(target, found, rest):
    """Add to corpus/ what was found and leads to code that nothing there leads to."""
    import atheris

    # libFuzzer runs this command with arguments of its own, again after an input that crashed.
    command = f"{sys.executable} -m tests.reliability.fuzz_run --keep {target}"
    directories = str(CORPUS / target), str(found / target)
    atheris.Setup(
        [command, *(rest or ("-set_cover_merge=1", "-use_counters=0", *directories))],
        TARGETS[target],
    )
    atheris.Fuzz()


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(TARGETS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--programs", type=int, default=20_000, help="of calls; a tenth of others")
    parser.add_argument("--atheris", help="the target")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--found", default="build/fuzz/found", help="where atheris puts inputs")
    parser.add_argument(
        "--keep", help="the target of whose inputs those are kept that lead to new code"
    )
    options, rest = parser.parse_known_args(arguments)
    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda report: None
    if options.atheris:
        run_atheris(options.atheris, pathlib.Path(options.found), options.seconds)
    if options.keep:
        keep(options.keep, pathlib.Path(options.found), rest)
    for target in options.only:
        programs = options.programs if target == "calls" else options.programs // 10
        run_seeds(target, options.first, programs)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
