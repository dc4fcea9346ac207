"""What a program of programs.py does on a loop, and the log of what it saw.

Time is told by the program: nothing waits, and each turn of the loop is counted. Whatever
the loop does in another turn, or in another order, makes another log.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import socket
import zlib

from .acting import Acting
from .ends import End
from .tasks import Tasks

PATTERN = random.Random(1).randbytes(1 << 20)

# Turns in which what goes on may end by itself, and then those in which all is ended.
DRAIN, FINISH = 20, 12


class Expected(Exception):
    """Raised where a program says so."""


def described(error):
    if error is None:
        return None
    if isinstance(error, OSError):
        return f"{type(error).__name__} {error.errno}"
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__} {[described(each) for each in error.exceptions]}"
    text = str(error).replace("writelines", "write")
    return f"{type(error).__name__} {text if '<' not in text and '0x' not in text else '...'}"


class Watched(asyncio.Protocol):
    """Logs what it is told, and does what the program says."""

    def __init__(self, world, flavour, reactions):
        self.world, self.flavour, self.reactions = world, flavour, reactions
        self.number = world.next_number()
        self.counts = {}
        self.transport = None

    def called(self, name, *info):
        count = self.counts[name] = self.counts.get(name, -1) + 1
        self.world.note(f"protocol {self.number}", name, *info)
        for on, at, body in self.reactions:
            if on == name and at == count:
                self.world.perform(body, self.transport)

    def connection_made(self, transport):
        self.transport = transport
        self.called("made")

    def data_received(self, data):
        self.called("data", type(data).__name__, summary(data))

    def eof_received(self):
        self.called("eof")
        return self.flavour == "keep_open"

    def connection_lost(self, error):
        self.world.lost.append(self.transport)
        self.called("lost", described(error))

    def pause_writing(self):
        self.called("pause")

    def resume_writing(self):
        self.world.resuming = True
        try:
            self.called("resume")
        finally:
            self.world.resuming = False


class WatchedBuffer(Watched, asyncio.BufferedProtocol):
    """The same, with a buffer of its own."""

    def get_buffer(self, size):
        self.buffer = bytearray(5000)
        return self.buffer

    def buffer_updated(self, count):
        self.data_received(self.buffer[:count])


def summary(data):
    return (len(data), zlib.crc32(data))


class World(Acting, Tasks):
    """One run of one program on one loop."""

    def __init__(self, loop, program):
        self.loop, self.program = loop, program
        self.log = []
        self.last_fd = 60
        self.turn = self.numbers = self.written = 0
        self.resuming = False
        self.now = 100.0
        self.done = self.ending = False
        self.handles, self.timers, self.futures, self.tasks = [], [], [], []
        self.scripts, self.lost = [], []
        self.ends, self.transports, self.streams = [], [], []
        self.pipe_ends = []
        self.locks = [asyncio.Lock() for _ in range(2)]
        self.events = [asyncio.Event() for _ in range(2)]
        self.queues = [asyncio.Queue() for _ in range(2)]
        self.stack = contextlib.ExitStack()

    def run(self):
        with self.stack:
            self.stack.callback(self.close_pipes)
            self.loop.time = lambda: self.now
            self.loop.set_exception_handler(self.handled)
            self.loop.call_soon(self.step)
            while not self.done:
                self.loop.run_forever()
                self.note("ended")
        return [*self.log]

    def step(self):
        """One turn of the program; the next one in the next turn of the loop."""
        turn, self.turn = self.turn, self.turn + 1
        if turn < len(self.program) + DRAIN + FINISH:
            self.loop.call_soon(self.step)
        else:
            self.done = True
            self.loop.stop()
        self.now += 0.25
        if turn < len(self.program):
            with contextlib.suppress(Expected):
                self.perform(self.program[turn], None)
        elif turn == len(self.program) + DRAIN:
            self.finish()
        elif turn > len(self.program) + DRAIN:
            self.cancel_tasks()

    def finish(self):
        """End what has not ended by itself."""
        self.ending = True
        self.cancel_tasks()
        for transport in [*self.transports, *(writer.transport for _, writer in self.streams)]:
            # asyncio's raises it if what was left has been sent after close().
            with contextlib.suppress(AttributeError):
                transport.abort()
        for end in self.ends:
            if "receiving" not in end.users:
                self.loop.remove_reader(end.sock)
            if "sending" not in end.users:
                self.loop.remove_writer(end.sock)
        del self.ends[:]

    def close_pipes(self):
        for fd, _ in self.pipe_ends:
            os.close(fd)

    def cancel_tasks(self):
        """Those too that an end of gather() has left alone."""
        for task in dict.fromkeys([*self.tasks, *self.scripts]):
            task.cancel()

    # The log

    def note(self, *what):
        self.log.append((self.turn, *what))

    def handled(self, loop, context):
        """Texts differ: asyncio's name its own functions."""
        self.note("handler", described(context.get("exception")))

    def next_number(self):
        self.numbers += 1
        return self.numbers

    # Operations

    def perform(self, body, own):
        for name, *arguments in body:
            if name == "raise":
                raise Expected("raised by the program")
            self.do(name, arguments, own)

    def do(self, name, arguments, own):
        """One operation; what it returns or raises goes into the log."""
        try:
            result = getattr(self, f"do_{name}")(*arguments, own=own)
        except Expected:
            raise
        except Exception as error:
            self.note(name, described(error))
        else:
            if result is not None:
                self.note(name, result)

    def body(self, name, body, own):
        """A callback that performs a body."""
        number = self.next_number()

        def call(*arguments):
            self.note(name, number)
            self.perform(body, own)

        return call

    def moment(self, delay):
        """A delay that no other has, so that there are no equals."""
        return delay + self.next_number() * 1e-4

    def data(self, size):
        start = self.written % 500_000
        self.written += size
        return PATTERN[start : start + size]

    def end(self, index):
        return self.ends[index % len(self.ends)] if self.ends else None

    def free_end(self, index):
        """An end that nothing waits for, which is the caller's from now on."""
        end = self.end(index)
        if end is None or end.users:
            return None
        self.ends.remove(end)
        return end

    def transport(self, index, own):
        """One that is not lost: asyncio's fails oddly then."""
        if (index != -1 or own is None) and self.transports:
            own = self.transports[index % len(self.transports)]
        return None if own in self.lost else own

    def of_a_socket(self, index, own):
        """The same, none of a pipe: asyncio's lack methods, or have some that only raise."""
        transport = self.transport(index, own)
        return transport if transport and transport.get_extra_info("socket") else None

    def add_end(self, sock):
        self.ends.append(End(self.own_socket(sock), self.next_number()))

    def own_socket(self, sock):
        """The socket by a number of its own, which is closed in the end."""
        with sock:
            return self.stack.enter_context(socket.socket(fileno=self.distinct(sock.fileno())))

    def has_room(self):
        """Whether select() takes two descriptors more."""
        return self.last_fd < 1000

    def distinct(self, fd):
        """A duplicate of a descriptor whose number is above that of all before."""
        self.last_fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self.last_fd + 1)
        return self.last_fd

    def make_protocol(self, flavour, reactions):
        kind = WatchedBuffer if flavour == "buffered" else Watched
        return kind(self, flavour, reactions)

    def task_of(self, coroutine, kind):
        """A task whose end goes into the log."""
        task = self.loop.create_task(coroutine)
        number = self.next_number()
        self.tasks.append(task)

        def ended(task):
            if task.cancelled():
                self.note(kind, number, "cancelled")
            else:
                error = task.exception()
                self.note(kind, number, described(error) if error else "ended")

        task.add_done_callback(ended)
        return task

    def pair(self, kind):
        if kind == "unix":
            return socket.socketpair()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            one = socket.create_connection(listening.getsockname())
            other, _ = listening.accept()
        for sock in (one, other):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return one, other
