"""Runs the tests of this package on everloop, and the programs that they start."""

import asyncio
import contextlib
import functools
import os
import pathlib
import re
import signal

from patience import patient

import everloop

# What a test waits for happens long before; it is less than tests/conftest.py grants a test.
PATIENCE = patient(80)

# What no program may print.
COMPLAINTS = re.compile(r"Traceback|Exception ignored|Task was destroyed|never awaited|\w*Warning:")

# What type(asyncio.get_running_loop()) prints as, on everloop.
LOOP = repr(everloop.EventLoop)


def on_everloop(test):
    """Make a test of a coroutine function: it runs on everloop, and all errors fail it."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        reported = []

        async def main():
            loop = asyncio.get_running_loop()
            assert type(loop) is everloop.EventLoop
            loop.set_exception_handler(lambda _, context: reported.append(context))
            async with asyncio.timeout(PATIENCE):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=everloop.new_event_loop) as runner:
            runner.run(main())
        assert not reported

    return run


class Program:
    """A running program; its output, standard error included, is read by lines."""

    def __init__(self, process):
        self.process = process
        self.output = ""

    async def expect(self, pattern):
        """Wait for a line that matches, skipping others; returns the match."""
        while line := (await self.process.stdout.readline()).decode():
            self.output += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"no line matches {pattern!r} in:\n{self.output}")

    async def ends(self, status=0):
        """Wait for the end; returns all that was printed."""
        self.output += (await self.process.stdout.read()).decode()
        assert await self.process.wait() == status, self.output
        assert not COMPLAINTS.search(self.output), self.output
        return self.output

    async def end(self, signum=signal.SIGTERM, status=0):
        """Ask for a clean end with a signal; returns all that was printed."""
        self.process.send_signal(signum)
        return await self.ends(status)


@contextlib.asynccontextmanager
async def started(*command, cwd):
    """A program that runs in the directory; whatever is left of it in the end is killed."""
    # It finds the everloop that is tested, wherever it was imported from.
    package = pathlib.Path(everloop.__file__).parent.parent
    path = f"{package}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield Program(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
