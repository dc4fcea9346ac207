"""Run each operation while one allocation of memory fails, each in turn, or all from one on.

    python -m tests.reliability.memory_run [--only NAME ...] [--every COUNT] [--short]

An operation ends with an exception or without, never with a crash, and the loop is whole
afterwards. Each runs in an interpreter of its own, since that is what a crash would end.
"""

import argparse
import os
import subprocess
import sys

SELF = "tests.reliability.memory_run"

# An operation has been seen whole when so many in a row have met no failure.
ENOUGH = 12
MOST = 400

# subprocess.Popen() is a function in which CPython runs for ever if `except` finds no memory.
ONE_ALONE = {"subprocess"}

WATCHERS = {
    "Io": "loop.io(here, EV_READ, noop)",
    "Stray": "loop.io(10**6, EV_READ, noop)",
    "Timer": "loop.timer(0.0, 60.0, noop)",
    "Periodic": "loop.periodic(0.5, 60.0, noop)",
    "Scheduler": "loop.scheduler(lambda w, now: now + 60.0, noop)",
    "Signal": "loop.signal(signal.SIGUSR1, noop)",
    "Child": "loop.child(pid, False, noop)",
    "Stat": "loop.stat('/tmp', 0.0, noop)",
    "Idle": "loop.idle(noop)",
    "Prepare": "loop.prepare(noop)",
    "Check": "loop.check(noop)",
    "Fork": "loop.fork(noop)",
    "Async": "loop.async_(noop)",
    "Embed": "loop.embed(inner)",
}
SET = {
    "Io": "w.set(there, EV_WRITE)",
    "Timer": "w.set(1e9, 1.0)",
    "Periodic": "w.set(0.0, 1.0)",
    "Scheduler": "w.reschedule = lambda w, now: now + 1.0",
    "Signal": "w.set(signal.SIGUSR2)",
    "Child": "w.set(pid, False)",
    "Stat": "w.set('/', 1.0)",
    "Embed": "w.set(other)",
}
AGAIN = {"Timer", "Periodic", "Scheduler"}


def operations():
    """By name: what is done before, and what is done without memory."""
    found = {}
    for kind, make in WATCHERS.items():
        started = f"w = {make}; w.start()"
        found[f"{kind} made"] = ("", make)
        found[f"{kind} start"] = (f"w = {make}", "w.start()")
        found[f"{kind} stop"] = (started, "w.stop()")
        found[f"{kind} feed"] = (f"w = {make}", "w.feed(EV_CUSTOM)")
        found[f"{kind} feed, active"] = (started, "w.feed(EV_CUSTOM)")
        found[f"{kind} clear"] = (f"{started}; w.feed(1)", "w.clear()")
        found[f"{kind} invoke"] = (started, "w.invoke(EV_CUSTOM)")
        found[f"{kind} pass"] = (f"{started}; happen()", "loop.start(EVRUN_NOWAIT)")
        found[f"{kind} repr"] = (started, "repr(w)")
        found[f"{kind} close"] = (started, "loop.close()")
        found[f"{kind} after reset()"] = (f"{started}; loop.reset()", "loop.start(EVRUN_NOWAIT)")
        if kind in SET:
            found[f"{kind} set"] = (f"w = {make}", SET[kind])
        if kind in AGAIN:
            found[f"{kind} reset"] = (started, "w.reset()")
    for name, operation in {
        "loop": "Loop()",
        "event loop": "EventLoop()",
        "select": "Loop(EVBACKEND_SELECT)",
        "poll": "Loop(EVBACKEND_POLL)",
        "feed_fd_event": "loop.feed_fd_event(here.fileno(), 1)",
        "feed_signal_event": "loop.feed_signal_event(10)",
        "watchers": "loop.watchers",
    }.items():
        found[name] = ("w = loop.io(here, EV_READ, noop); w.start()", operation)
    for name, operation in {
        "call_soon": "aio.call_soon(noop, 1, 2)",
        "call_soon_threadsafe": "aio.call_soon_threadsafe(noop, 1, 2)",
        "call_later": "aio.call_later(1.0, noop, 1, 2)",
        "call_at": "aio.call_at(1.0, noop, 1, 2)",
        "add_reader": "aio.add_reader(here, noop, 1, 2)",
        "add_writer": "aio.add_writer(here, noop, 1, 2)",
        "create_future": "aio.create_future()",
        "sock_recv": "drive(aio.sock_recv(here, 10))",
        "sock_recv_into": "drive(aio.sock_recv_into(here, bytearray(10)))",
        "sock_sendall": "drive(aio.sock_sendall(here, bytes(10**6)))",
        "sock_accept": "drive(aio.sock_accept(listening))",
    }.items():
        found[name] = ("", operation)
    for name, operation in {
        "cancel": "call.cancel(); timer.cancel()",
        "turn": "turn()",
        "run": "aio.call_soon(aio.stop); aio.run_forever()",
        "remove_reader": "aio.remove_reader(here)",
        "event loop closed": "aio.close()",
    }.items():
        calls = "aio.call_soon(noop, 1, 2); timer = aio.call_later(0.0, noop, 1, 2)"
        found[name] = (f"aio.add_reader(here, noop, 1, 2); call = {calls}; happen()", operation)
    for name, operation in {
        "write": "transport.write(b'x' * 100)",
        "write much": "transport.write(b'x' * 10**6)",
        "write twice": "transport.write(b'x' * 10**6); transport.write(b'y' * 10**6)",
        "writelines": "transport.writelines([b'x' * 10**6, b'y'])",
        "flush": "transport.write(b'x' * 10**6); drain(); turn()",
        "write_eof": "transport.write_eof()",
        "transport closed": "transport.close()",
        "transport aborted": "transport.write(b'x' * 10**6); transport.abort()",
        "pause and resume": "transport.pause_reading(); transport.resume_reading()",
        "set_protocol": "transport.set_protocol(asyncio.Protocol())",
        "get_extra_info": "transport.get_extra_info('peername')",
        "read": "there.send(b'x' * 1000); turn(); turn()",
        "end": "there.close(); turn(); turn()",
    }.items():
        found[name] = ("transport = connected(); turn()", operation)
        found[f"{name}, buffered"] = ("transport = connected(Buffered)", operation)
    found["connection made"] = ("", "connected(); turn()")
    found["sendto"] = ("transport = bound()", "transport.sendto(b'x', name)")
    found["datagram"] = ("transport = bound()", "sender.sendto(b'x', name); turn()")
    found["accept"] = ("served()", "client(); turn(); turn(); turn()")
    found["pipe made"] = ("", "piped(); turn(); turn()")
    found["pipe write"] = ("pipe = piped()", "pipe.write(b'x' * 10**6)")
    found["subprocess"] = ("", "drive(process())")
    return found


SETTING = """
import asyncio, contextlib, contextvars, gc, os, signal, socket, sys, warnings, weakref
import _testcapi
import everloop
from everloop import *
from everloop import EventLoop
from everloop.aio.mixins.pipes import WritePipe
import logging
logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
warnings.simplefilter("ignore")
sys.unraisablehook = lambda report: None


def noop(*arguments):
    pass


class Buffered(asyncio.BufferedProtocol):
    def get_buffer(self, hint):
        return bytearray(100)

    def buffer_updated(self, count):
        pass


def turn():
    aio.start(EVRUN_NOWAIT)


def happen():
    there.send(b"x")
    os.kill(os.getpid(), signal.SIGUSR1)
    for loop in loops[:1]:
        loop.update()


def connected(kind=asyncio.Protocol):
    return aio._make_socket_transport(here, kind())


def bound():
    sender.sendto(b"x", name)
    return aio._make_datagram_transport(receiver, asyncio.DatagramProtocol())


def served():
    drive(aio.create_server(asyncio.Protocol, sock=listening))


def client():
    sender.close()
    one = socket.socket()
    left.append(one)
    one.setblocking(False)
    one.connect_ex(listening.getsockname())


def piped():
    r, w = os.pipe()
    left.append(open(r, "rb", 0))
    kept = open(w, "wb", 0)
    left.append(kept)
    return WritePipe(aio, kept, asyncio.Protocol())


def drive(coroutine):
    '''Run a coroutine for some turns, but not to its end, which may never come.'''
    task = aio.create_task(coroutine)
    tasks.append(task)
    for _ in range(4):
        turn()


async def process():
    await asyncio.create_subprocess_exec("/bin/true", stdout=-1)


def drain():
    with contextlib.suppress(BlockingIOError):
        while True:
            there.recv(10**6)


def finish():
    for task in tasks:
        task.cancel()
    if not aio.is_closed():
        for _ in range(4):
            turn()


def operate(n, fail=_testcapi.set_nomemory, restore=_testcapi.remove_mem_hooks):
    # Short: in a longer function CPython needs memory to handle exceptions, and hangs.
    fail(n, 0 if ALL else n + 1)
    try:
        OPERATION
    except BaseException as caught:
        restore()
        return caught
    restore()


signal.signal(signal.SIGUSR1, lambda *args: None)
signal.signal(signal.SIGUSR2, lambda *args: None)
pid = os.fork()
if pid == 0:
    os.closerange(0, 100)
    signal.alarm(300)
    while True:
        signal.pause()
whole = 0
# CPython 3.11 crashes without memory for the first context of a thread, and for an iterator of
# a dict's items, which asyncio's constructor makes here.
contextvars.copy_context()
weakref.WeakValueDictionary.update = noop
for n in range(0, MOST, EVERY):
    os.write(1, b"%d " % n)
    loops, left, tasks = [], [], []
    if WATCHERS:
        loop, inner, other = loops = [Loop(), Loop(EVBACKEND_EPOLL), Loop(EVBACKEND_EPOLL)]
    else:
        aio = EventLoop()
        aio.set_exception_handler(noop)
        loops.append(aio)
    here, there = socket.socketpair()
    listening = socket.create_server(("127.0.0.1", 0))
    receiver, sender = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
    receiver.bind(("127.0.0.1", 0))
    name = receiver.getsockname()
    for each in (here, there, listening, receiver, sender):
        each.setblocking(False)
    BEFORE
    error, met = operate(n), False
    # CPython needs memory to note that no loop runs any more.
    asyncio._set_running_loop(None)
    if error is not None:
        met = isinstance(error, (MemoryError, SystemError))
        if not met and not isinstance(error, OSError):
            raise error
        # The only other one is of what can't be watched.
        error = None
    for each in loops:
        if not (each.closed if type(each) is Loop else each.is_closed()):
            each.verify()
    if WATCHERS:
        with contextlib.suppress(OSError):
            loop.closed or loop.start(EVRUN_NOWAIT)
    else:
        finish()
    for each in loops:
        each.close()
    for each in (here, there, listening, receiver, sender, *left):
        each.close()
    w = transport = pipe = call = timer = None
    gc.collect()
    whole = 0 if met else whole + EVERY
    if whole >= ENOUGH:
        break
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
"""


def program(before, operation, every, all_fail):
    text = SETTING.replace("MOST", str(MOST)).replace("EVERY", str(every))
    text = text.replace("ENOUGH", str(ENOUGH)).replace("ALL", str(all_fail))
    # Operations on the loop of watchers have it in their text, as has what comes before.
    text = text.replace("WATCHERS", str("loop" in before + operation or "w." in operation))
    return text.replace("BEFORE", before or "pass").replace("OPERATION", operation)


def attempt(name, every, all_fail):
    """What went wrong with an operation, or None; and how many failures it has met."""
    before, operation = operations()[name]
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-c",
        program(before, operation, every, all_fail),
    ]
    environment = os.environ | {"PYTHONMALLOC": "debug"}
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return f"hangs: {(expired.output or b'')[-100:]}", 0
    met = ran.stdout.split()
    if ran.returncode:
        return f"allocation {met[-1:]}: status {ran.returncode}\n{ran.stderr[-3000:]}", len(met)
    return None, len(met)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(operations()))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="one operation in 16")
    options = parser.parse_args(arguments)
    if options.short:
        options.only = options.only[::16]
    failed = total = 0
    for name in options.only:
        for all_fail in (False,) if name in ONE_ALONE else (False, True):
            wrong, met = attempt(name, options.every, all_fail)
            total += met
            if wrong:
                failed += 1
                print(f"{name}{', and all after it' if all_fail else ''}: {wrong}", flush=True)
    print(f"{len(options.only)} operations, {total} allocations failed, {failed} wrong")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
