"""Random programs for an asyncio loop: what they consist of, and how they are made.

A program is a list of turns, a turn a list of operations, an operation a tuple of a name
and arguments. Objects are meant by a number, modulo how many of them there are by then: so
every part can be left out of a program, and it still is one.
"""

import random

SIZES = (1, 7, 100, 3000, 70_000, 300_000)

# By kind of socket. How much TCP takes at once depends on the time, if it is much.
SIZES_OF = {"unix": SIZES, "tcp": SIZES[:4]}

BODIES_DEPTH = 3


class Generator:
    """Makes one program from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.depth = 0

    def program(self, turns=30):
        self.kind = self.random.choice(("unix", "unix", "tcp"))
        kinds = self.random.sample(sorted(FAMILIES), self.random.randint(1, 4))
        self.operations = [make for kind in kinds for make in FAMILIES[kind]]
        return [self.body(4) for _ in range(turns)]

    def body(self, most=3):
        """A list of operations, empty where bodies are nested too deeply."""
        if self.depth >= BODIES_DEPTH:
            return []
        self.depth += 1
        made = [self.operation() for _ in range(self.random.randint(0, most))]
        self.depth -= 1
        return made

    def operation(self):
        name, *kinds = self.random.choice(self.operations)
        return (name, *[getattr(self, kind)() for kind in kinds])

    # Arguments

    def index(self):
        return self.random.randint(0, 7)

    def own(self):
        """A transport by number, or -1: the one whose protocol is being called."""
        return self.random.choice((-1, -1, self.index()))

    def size(self):
        return self.random.choice(SIZES_OF[self.kind])

    def sizes(self):
        sizes = (0, *SIZES_OF[self.kind][:5])
        return [self.random.choice(sizes) for _ in range(self.random.randint(0, 4))]

    def delay(self):
        return self.random.choice((-1, 0, 0, 1, 1, 2, 3, 1000))

    def stream_kind(self):
        return self.kind

    def flavour(self):
        return self.random.choice(("plain", "plain", "buffered", "keep_open"))

    def limits(self):
        return self.random.choice(((None, None), (0, None), (1000, 10), (100_000, None), (1, 2)))

    def reactions(self):
        """What a protocol does: operations by the name of the call and how many came before."""
        calls = ("made", "data", "data", "eof", "lost", "pause", "resume")
        return [
            (self.random.choice(calls), self.random.randint(0, 2), self.body())
            for _ in range(self.random.randint(0, 3))
        ]

    def steps(self):
        """What a task does."""
        if self.depth >= BODIES_DEPTH:
            return []
        self.depth += 1
        made = [self.step() for _ in range(self.random.randint(1, 4))]
        self.depth -= 1
        return made

    def step(self):
        name, *kinds = self.random.choice(STEPS)
        return (name, *[getattr(self, kind)() for kind in kinds])


CALLS = [
    ("soon", "body"),
    ("soon", "body"),
    ("soon_threadsafe", "body"),
    ("later", "delay", "body"),
    ("later", "delay", "body"),
    ("at", "delay", "body"),
    ("cancel", "index"),
    ("cancel_timer", "index"),
    ("advance",),
    ("raise",),
    ("stop",),
    ("report",),
]

FUTURES = [
    ("future",),
    ("future_result", "index"),
    ("future_error", "index"),
    ("future_cancel", "index"),
    ("future_callback", "index", "body"),
    ("soon", "body"),
    ("later", "delay", "body"),
    ("advance",),
]

TASKS = [
    ("task", "steps"),
    ("task", "steps"),
    ("task", "steps"),
    ("task_cancel", "index"),
    ("task_callback", "index", "body"),
    ("future",),
    ("future_result", "index"),
    ("future_cancel", "index"),
    ("event_set", "index"),
    ("event_clear", "index"),
    ("queue_put", "index"),
    ("advance",),
    ("soon", "body"),
]

DESCRIPTORS = [
    ("pair", "stream_kind"),
    ("add_reader", "index", "size", "body"),
    ("add_writer", "index", "body"),
    ("remove_reader", "index"),
    ("remove_writer", "index"),
    ("send", "index", "size"),
    ("send", "index", "size"),
    ("receive", "index", "size"),
    ("shutdown", "index"),
    ("close_socket", "index"),
    ("soon", "body"),
    ("later", "delay", "body"),
    ("advance",),
]

SOCKETS = [
    ("pair", "stream_kind"),
    ("task", "steps"),
    ("task", "steps"),
    ("send", "index", "size"),
    ("receive", "index", "size"),
    ("shutdown", "index"),
    ("task_cancel", "index"),
]

TRANSPORTS = [
    ("pair", "stream_kind"),
    ("transport", "index", "flavour", "reactions"),
    ("transport", "index", "flavour", "reactions"),
    ("transport", "index", "flavour", "reactions"),
    ("send", "index", "size"),
    ("send", "index", "size"),
    ("receive", "index", "size"),
    ("receive", "index", "size"),
    ("shutdown", "index"),
    ("close_socket", "index"),
    ("reset", "index"),
    ("write", "own", "size"),
    ("write", "own", "size"),
    ("write", "own", "size"),
    ("writelines", "own", "sizes"),
    ("write_eof", "own"),
    ("close", "own"),
    ("abort", "own"),
    ("pause", "own"),
    ("resume", "own"),
    ("limits", "own", "limits"),
    ("look", "own"),
    ("set_protocol", "own", "flavour", "reactions"),
    ("soon", "body"),
    ("raise",),
]

PIPES = [
    ("pipe",),
    ("read_pipe", "index", "reactions"),
    ("write_pipe", "index", "reactions"),
    ("pipe_write", "index", "size"),
    ("pipe_read", "index", "size"),
    ("close_pipe", "index"),
    ("write", "own", "size"),
    ("write_eof", "own"),
    ("close", "own"),
    ("abort", "own"),
    ("pause", "own"),
    ("resume", "own"),
    ("look", "own"),
]

STREAM_READERS = [
    ("pair", "stream_kind"),
    ("stream", "index"),
    ("stream", "index"),
    ("send", "index", "size"),
    ("send", "index", "size"),
    ("receive", "index", "size"),
    ("shutdown", "index"),
    ("close_socket", "index"),
    ("task", "steps"),
    ("task", "steps"),
    ("task_cancel", "index"),
    ("advance",),
]

FAMILIES = {
    "calls": CALLS,
    "futures": FUTURES,
    "tasks": TASKS,
    "descriptors": DESCRIPTORS,
    "sockets": SOCKETS,
    "transports": TRANSPORTS,
    "pipes": PIPES,
    "streams": STREAM_READERS,
}

STEPS = [
    ("do", "operation"),
    ("do", "operation"),
    ("yield_",),
    ("yield_",),
    ("sleep", "delay"),
    ("sleep", "delay"),
    ("await_future", "index"),
    ("await_task", "index"),
    ("wait_for", "delay", "steps"),
    ("timeout", "delay", "steps"),
    ("group", "steps"),
    ("gather", "steps"),
    ("shield", "index"),
    ("wait", "delay"),
    ("suppress", "steps"),
    ("fail",),
    ("lock", "index", "steps"),
    ("event_wait", "index"),
    ("queue_get", "index"),
    ("sock_recv", "index", "size"),
    ("sock_recv_into", "index", "size"),
    ("sock_sendall", "index", "size"),
    ("read", "index", "size"),
    ("readexactly", "index", "size"),
    ("readline", "index"),
    ("stream_write", "index", "size"),
    ("drain", "index"),
    ("stream_close", "index"),
    ("wait_closed", "index"),
]
