"""A loop a thread, and other threads beside them: programs that each do one thing hard.

    python -m tests.reliability.loops_run [--seconds SECONDS] [--seed SEED] [PROGRAM ...]

Each program runs in a process of its own, so that a crash or a hang is told of as that of the
program. What is asked for has to come, once, whatever the others do meanwhile.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import faulthandler
import gc
import os
import queue
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import everloop
from everloop import EV_CUSTOM, EV_WRITE, Error

from .faults_run import make_certificate

SELF = "tests.reliability.loops_run"
PATIENCE = 60
THREADS = 4

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


class Threads:
    """Run functions in threads until the time is over; what one raises is raised in the end."""

    def __init__(self, seconds, seed):
        self.deadline = time.monotonic() + seconds
        self.seed = seed
        self.failures = []
        self.threads = []

    def goes_on(self):
        return time.monotonic() < self.deadline and not self.failures

    def start(self, function, *args):
        def run():
            try:
                function(*args)
            except BaseException as error:
                self.failures.append(error)
                raise

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def again_and_again(self, function, *args):
        """Start a thread that calls function(chance, *args) as long as it goes on."""
        chance = random.Random(self.seed + len(self.threads))

        def repeat():
            while self.goes_on():
                function(chance, *args)

        self.start(repeat)

    def join(self):
        for thread in self.threads:
            thread.join(max(0.0, self.deadline - time.monotonic()) + PATIENCE)
            assert not thread.is_alive(), "a thread hangs"
        if self.failures:
            raise self.failures[0]


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come in {PATIENCE} s"
        time.sleep(0.001)


@contextlib.contextmanager
def running(loop):
    """The EventLoop runs in a thread of its own; closed in the end."""
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        assert not thread.is_alive(), "a loop does not stop"
        loop.verify()
        loop.close()


# Programs: each returns how much of its work was done


def end(threads, loops, runners):
    """Stop the loops, which ``runners`` run, and close them."""
    threads.threads = runners
    for loop in loops:
        loop.stop()
    threads.join()
    for loop in loops:
        loop.verify()
        loop.close()


@program
def lives(seconds, seed):
    """Loops are made, run, closed and dropped in threads, while others do to them what they may."""
    threads = Threads(seconds, seed)
    # What is there at the moment, and some that is not any more.
    seen = [None] * 16
    made = []

    def note(watcher, revents):
        pass

    def live(chance):
        loop = everloop.Loop()
        ends = loop.timer(chance.choice((0, 0.001, 0.003)), 0, lambda w, e: loop.stop())
        ends.start()
        sent = loop.async_(note)
        sent.start()
        seen[chance.randrange(16)] = (loop, sent, ends)
        loop.start()
        loop.verify()
        # Or else it is dropped with all that it has.
        if chance.random() < 0.5:
            loop.close()
        made.append(1)

    def live_with_asyncio(chance):
        async def main():
            loop = asyncio.get_running_loop()
            sent = loop.async_(note)
            sent.start()
            seen[chance.randrange(16)] = (loop, sent, None)
            await asyncio.sleep(chance.choice((0, 0.001)))
            sent.stop()

        loop = everloop.EventLoop()
        loop.run_until_complete(main())
        loop.close()
        made.append(1)

    def disturb(chance):
        at = chance.randrange(16)
        found = seen[at]
        if found is None:
            return
        loop, sent, ends = found
        action = chance.randrange(8)
        # It may be closed.
        with contextlib.suppress(Error, RuntimeError):
            if action < 2:
                sent.send()
            elif action == 2:
                everloop.feed_signal(signal.SIGUSR1)
            elif action == 3:
                loop.ref()
                loop.unref()
            elif action == 4 and ends is not None:
                ends.feed(EV_CUSTOM)
            elif action == 5 and ends is not None:
                loop.timer(0, 0, note).start()
            elif action == 6 and ends is None:
                loop.call_soon_threadsafe(len, "")
            else:
                repr(loop), repr(sent), loop.watchers
        if chance.random() < 0.05:
            seen[at] = None

    def collect(chance):
        gc.collect()
        time.sleep(0.01 * chance.random())

    for work in (live, live, live_with_asyncio, live_with_asyncio, disturb, disturb, collect):
        threads.again_and_again(work)
    threads.join()
    seen.clear()
    gc.collect()
    return len(made)


@program
def sends(seconds, seed):
    """What was said before a send is seen by a call after it, of the watcher that was sent to."""
    threads = Threads(seconds, seed)
    said = [0] * THREADS
    noted = [0] * THREADS
    loops = [everloop.Loop() for _ in range(2)]
    asyncs = []

    def note(watcher, revents):
        noted[watcher.data] = said[watcher.data]

    for number in range(THREADS):
        asyncs.append(loops[number % 2].async_(note, number))
        asyncs[number].start()

    def say(chance, number):
        said[number] += 1
        asyncs[number].send()
        if chance.random() < 0.01:
            wait_until(lambda: noted[number] == said[number], "a send")

    def come_and_go(chance, loop):
        other = loop.async_(lambda watcher, revents: None)
        other.start()
        other.send()
        time.sleep(0.0005 * chance.randrange(2))
        other.stop()

    for loop in loops:
        threads.start(loop.start)
    runners, threads.threads = threads.threads, []
    for number in range(THREADS):
        threads.again_and_again(say, number)
    for loop in loops:
        threads.again_and_again(come_and_go, loop)
    threads.join()
    wait_until(lambda: noted == said, "the last send")
    end(threads, loops, runners)
    return sum(said)


@program
def calls(seconds, seed):
    """Calls are made once, or not at all if cancelled; coroutines end, or are cancelled."""
    threads = Threads(seconds, seed)
    made, expected = [], []

    async def answer(number, event):
        if number % 3 == 0:
            await asyncio.sleep(0.001 * (number % 2))
        if number % 7 == 0:
            raise KeyError(number)
        if event is not None:
            await event.wait()
        return number

    def ask(chance, loop):
        number = chance.randrange(1000)
        action = chance.randrange(4)
        if action == 0:
            expected.append(number)
            loop.call_soon_threadsafe(made.append, number)
        elif action == 1:
            handle = loop.call_soon_threadsafe(int)
            handle.cancel()
            assert handle.cancelled()
        elif action == 2:
            # An event that nobody sets: only a cancel ends it.
            waits = asyncio.run_coroutine_threadsafe(answer(1, asyncio.Event()), loop)
            time.sleep(0.0005 * chance.randrange(2))
            assert waits.cancel()
        else:
            future = asyncio.run_coroutine_threadsafe(answer(number, None), loop)
            try:
                assert future.result(PATIENCE) == number
            except KeyError:
                assert number % 7 == 0

    async def to_other(other):
        """From one loop to another, awaited."""
        while threads.goes_on():
            future = asyncio.run_coroutine_threadsafe(answer(2, None), other)
            assert await asyncio.wait_for(asyncio.wrap_future(future), PATIENCE) == 2

    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(running(everloop.EventLoop())) for _ in range(2)]
        crossing = [
            asyncio.run_coroutine_threadsafe(to_other(loops[1 - number]), loops[number])
            for number in range(2)
        ]
        for number in range(THREADS):
            threads.again_and_again(ask, loops[number % 2])
        threads.join()
        for each in crossing:
            each.result(PATIENCE)
        wait_until(lambda: len(made) == len(expected), "a call")
        for loop in loops:
            left = asyncio.run_coroutine_threadsafe(others_of(loop), loop).result(PATIENCE)
            assert not left, left
    assert sorted(made) == sorted(expected)
    return len(made)


async def others_of(loop):
    """Tasks that do not end; those that were cancelled last may need a few turns."""
    for _ in range(100):
        left = asyncio.all_tasks(loop) - {asyncio.current_task()}
        if not left:
            break
        await asyncio.sleep(0.01)
    return left


@program
def executors(seconds, seed):
    """Several loops share a pool of threads, whose results come back in any order."""
    threads = Threads(seconds, seed)
    done = []
    pool = concurrent.futures.ThreadPoolExecutor(THREADS)

    def work(number):
        if number % 11 == 0:
            raise ValueError(number)
        return number * 2

    async def one(loop, number):
        try:
            if number % 2:
                result = await loop.run_in_executor(pool, work, number)
            else:
                result = await asyncio.to_thread(work, number)
            assert result == number * 2
        except ValueError as error:
            assert error.args == (number,) and number % 11 == 0
        done.append(1)

    async def main():
        loop = asyncio.get_running_loop()
        while threads.goes_on():
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*[one(loop, number) for number in range(50)])

    for _ in range(THREADS):
        threads.start(everloop.run, main())
    threads.join()
    pool.shutdown()
    return len(done)


@program
def processes(seconds, seed):
    """Several loops have children at once: each gets its own output and status."""
    threads = Threads(seconds, seed)
    done = []

    async def one(number):
        data = b"%d" % number * 1000
        killed = number % 5 == 0
        # What the shell has started would outlive it, and keep the pipes.
        command = "exec cat" if killed else f"cat; exit {number % 100}"
        process = await asyncio.create_subprocess_shell(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if killed:
            process.kill()
            assert await process.wait() == -signal.SIGKILL
            process.stdin.close()
        else:
            output, _ = await process.communicate(data)
            assert output == data and process.returncode == number % 100
        done.append(1)

    async def main(chance):
        while threads.goes_on():
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*[one(chance.randrange(1000)) for _ in range(4)])

    for number in range(3):
        threads.start(everloop.run, main(random.Random(seed + number)))
    threads.join()
    return len(done)


@program
def runners(seconds, seed):
    """An asyncio.Runner a thread, with TLS and plain streams to itself and to its neighbours."""
    threads = Threads(seconds, seed)
    done = []
    with tempfile.TemporaryDirectory() as directory:
        certificate = os.path.join(directory, "certificate.pem")
        make_certificate(certificate)
        # Shared by all threads, as programs do.
        of_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        of_server.load_cert_chain(certificate)
        of_client = ssl.create_default_context(cafile=certificate)
    addresses, over = [], []

    async def echo(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def exchange(address, tls):
        options = {"ssl": of_client, "server_hostname": "localhost"} if tls else {}
        reader, writer = await asyncio.open_connection(*address, **options)
        for size in (1, 1000, 100_000):
            data = os.urandom(size)
            writer.write(data)
            assert await reader.readexactly(size) == data
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        done.append(1)

    async def main(chance):
        plain = await asyncio.start_server(echo, "127.0.0.1", 0)
        safe = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=of_server)
        addresses.extend((each.sockets[0].getsockname(), each is safe) for each in (plain, safe))
        while threads.goes_on():
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*[exchange(*chance.choice(addresses)) for _ in range(4)])
        # Others may be on their way here.
        over.append(1)
        while len(over) < THREADS and not threads.failures:
            await asyncio.sleep(0.01)
        plain.close()
        safe.close()

    def run(number):
        with asyncio.Runner(loop_factory=everloop.EventLoop) as runner:
            runner.run(main(random.Random(seed + number)))

    for number in range(THREADS):
        threads.start(run, number)
    threads.join()
    return len(done)


@program
def drops(seconds, seed):
    """What a loop made is dropped by other threads, while the loop runs."""
    threads = Threads(seconds, seed)
    dropped = []
    things = queue.SimpleQueue()

    class Kept(asyncio.Protocol):
        """Refers to its transport, which refers to it: the collector's to end."""

        def connection_made(self, transport):
            self.transport = transport

    async def make(loop, address):
        if things.qsize() > 1000:
            await asyncio.sleep(0.001)
            return
        waits = asyncio.ensure_future(asyncio.sleep(PATIENCE))
        await asyncio.sleep(0)
        waits.cancel()
        transport, protocol = await loop.create_connection(Kept, *address)
        transport.write(b"x" * 1000)
        one, other = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=one)
        writer.write(b"x")
        other.close()
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        transport.close()
        things.put(
            [
                loop.call_soon(len, ""),
                loop.call_later(0.001, len, ""),
                loop.call_later(PATIENCE, len, ""),
                loop.timer(0, 0, lambda w, e: None),
                loop.async_(lambda w, e: None),
                loop.create_future(),
                waits,
                (transport, protocol),
                (reader, writer),
            ]
        )

    async def main():
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        while threads.goes_on():
            async with asyncio.timeout(PATIENCE):
                await make(loop, server.sockets[0].getsockname())
        server.close()

    def drop(chance):
        with contextlib.suppress(queue.Empty):
            several = things.get(timeout=0.01)
            chance.shuffle(several)
            while several:
                several.pop()
                dropped.append(1)
        if chance.random() < 0.01:
            gc.collect()

    for _ in range(2):
        threads.start(everloop.run, main())
        threads.again_and_again(drop)
    threads.again_and_again(drop)
    threads.join()
    return len(dropped)


@program
def signals(seconds, seed):
    """Loops in threads take a signal from each other; whoever has it is told of it."""
    threads = Threads(seconds, seed)
    seen = [0] * 2
    taken = []
    # If no loop has it.
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    loops = [everloop.Loop(), everloop.Loop()]
    watchers = []

    def note(watcher, revents):
        seen[watcher.data] += 1

    for number, loop in enumerate(loops):
        loop.ref()
        watchers.append(loop.signal(signal.SIGUSR1, note, number))
        threads.start(loop.start)
    runners, threads.threads = threads.threads, []

    def take(chance, number):
        with contextlib.suppress(Error):
            watchers[number].start()
            taken.append(1)
            if chance.random() < 0.1:
                before = seen[number]
                everloop.feed_signal(signal.SIGUSR1)
                wait_until(lambda: seen[number] > before, "a signal")
        watchers[number].stop()

    def take_for_oneself(chance):
        """By a loop that is not there for long."""
        loop = everloop.Loop()
        with contextlib.suppress(Error):
            loop.signal(signal.SIGUSR1, lambda watcher, revents: None).start()
            loop.start(everloop.EVRUN_NOWAIT)
        if chance.random() < 0.9:
            loop.close()
        else:
            # It has the signal until the collector finds it.
            del loop
            gc.collect()

    def send(chance):
        if chance.random() < 0.5:
            os.kill(os.getpid(), signal.SIGUSR1)
        else:
            everloop.feed_signal(signal.SIGUSR1)

    for number in range(2):
        threads.again_and_again(take, number)
    threads.again_and_again(take_for_oneself)
    threads.again_and_again(send)
    threads.join()
    end(threads, loops, runners)
    return len(taken)


@program
def shared_signals(seconds, seed):
    """Watchers of one signal come and go in one loop: as long as one is active, it is told."""
    threads = Threads(seconds, seed)
    seen = [0] * THREADS
    # If none is.
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    loops = [everloop.Loop(), everloop.Loop()]

    def note(watcher, revents):
        seen[watcher.data] += 1

    for loop in loops:
        loop.ref()
        threads.start(loop.start)
    runners, threads.threads = threads.threads, []
    watchers = [loops[0].signal(signal.SIGUSR1, note, number) for number in range(THREADS)]
    other = loops[1].signal(signal.SIGUSR2, note, 0)

    def be_told(number):
        before = seen[number]
        everloop.feed_signal(signal.SIGUSR1)
        wait_until(lambda: seen[number] > before, "a signal")

    def come_and_go(chance, number):
        watchers[number].start()
        if chance.random() < 0.2:
            be_told(number)
        watchers[number].stop()

    def start_or_stop(chance, watcher):
        chance.choice((watcher.start, watcher.stop))()

    for number in range(1, THREADS):
        threads.again_and_again(come_and_go, number)
    for watcher in (watchers[0], watchers[0], other):
        threads.again_and_again(start_or_stop, watcher)
    threads.join()
    watchers[0].start()
    be_told(0)
    end(threads, loops, runners)
    return sum(seen)


@program
def embeds(seconds, seed):
    """Loops are embedded and taken out again in threads, while others change what is in them."""
    threads = Threads(seconds, seed)
    outers = [everloop.Loop() for _ in range(2)]
    inners = [everloop.Loop(), everloop.Loop(), everloop.EventLoop(), everloop.EventLoop()]
    embeds = [outers[number % 2].embed(inner) for number, inner in enumerate(inners)]
    told = [0] * len(inners)
    one, other = socket.socketpair()

    def note(watcher, revents):
        told[watcher.data] += 1

    def is_told(number):
        before = told[number]
        asyncs[number].send()
        wait_until(lambda: told[number] > before, "a send")

    asyncs = [inner.async_(note, number) for number, inner in enumerate(inners)]
    for watcher in asyncs:
        watcher.start()
    for loop in outers:
        loop.ref()
        threads.start(loop.start)
    runners, threads.threads = threads.threads, []

    def embed(chance):
        embed = chance.choice(embeds)
        chance.choice((embed.start, embed.start, embed.stop))()

    def change(chance):
        inner = chance.choice(inners)
        several = [inner.io(one, EV_WRITE, lambda w, e: w.stop()) for _ in range(4)]
        for watcher in several:
            watcher.start()
        asyncs[inners.index(inner)].send()
        # All: a loop that is not embedded for long would have a long chain of them.
        for watcher in several:
            watcher.stop()

    def embed_running(chance, embed):
        """In a loop that stands still; the one that is embedded runs by itself."""
        embed.start()
        embed.stop()

    def send(chance):
        is_told(0)

    for function in (embed, embed, change, change):
        threads.again_and_again(function)
    threads.join()
    for number in range(len(inners)):
        embeds[number].start()
        is_told(number)
        embeds[number].stop()
    end(threads, outers, runners)

    threads = Threads(seconds / 2, seed)
    inners[0].ref()
    threads.start(inners[0].start)
    runners, threads.threads = threads.threads, []
    still = [everloop.Loop() for _ in range(2)]
    for loop in (*still, still[0]):
        threads.again_and_again(embed_running, loop.embed(inners[0]))
    threads.again_and_again(send)
    threads.join()
    end(threads, inners[:1], runners)
    for loop in (*inners[1:], *still):
        loop.verify()
        loop.close()
    one.close()
    other.close()
    return sum(told)


@program
def forks(seconds, seed):
    """Children are forked while loops run in threads, signals are taken, and calls are made."""
    threads = Threads(seconds, seed)
    forked = []

    def call(chance, loop):
        loop.call_soon_threadsafe(len, "")
        time.sleep(0.0002 * chance.randrange(3))

    def take(chance, number):
        with everloop.Loop() as loop:
            loop.signal(number, lambda w, e: None).start()
            everloop.feed_signal(number)
            loop.start(everloop.EVRUN_ONCE)
        everloop.default_loop().verify()

    def in_child():
        # Nobody runs the parent's loops here, but they can be called.
        for loop in loops:
            loop.call_soon_threadsafe(len, "")
            loop.verify()
        with everloop.Loop() as loop:
            told = []
            loop.timer(0, 0, lambda w, e: told.append(e)).start()
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                loop.signal(number, lambda w, e: (told.append(e), w.stop())).start()
                everloop.feed_signal(number)
            loop.start()
            assert len(told) == 3, told
        everloop.default_loop().start(everloop.EVRUN_NOWAIT)

    def fork(chance):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.alarm(PATIENCE // 2)
                in_child()
                status = 0
            finally:
                os._exit(status)
        ended = os.waitpid(pid, 0)
        assert ended == (pid, 0), f"exit status {ended[1]:#x}"
        forked.append(1)

    with contextlib.ExitStack() as stack:
        loops = [stack.enter_context(running(everloop.EventLoop())) for _ in range(2)]
        for loop in loops:
            threads.again_and_again(call, loop)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            threads.again_and_again(take, number)
        threads.again_and_again(fork)
        threads.join()
    return len(forked)


IMPORTS = """
import faulthandler, sys, threading
faulthandler.dump_traceback_later(50, exit=True)
barrier = threading.Barrier(6)
failures = []
def run(number):
    barrier.wait()
    try:
        if number % 3 == 0:
            import everloop
            everloop.EventLoop().close()
        elif number % 3 == 1:
            from everloop import Loop
            Loop().close()
        else:
            import asyncio
            import everloop.aio.event_loop
            everloop.run(asyncio.sleep(0))
    except BaseException as error:
        failures.append(error)
        raise
threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures
"""


@program
def imports(seconds, seed):
    """Threads import everloop at once, as the first that they do."""
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline or not count:
        # The chances are those of the system.
        subprocess.run([sys.executable, "-c", IMPORTS], check=True, timeout=PATIENCE)
        count += 1
    return count


def main():
    parser = argparse.ArgumentParser(prog=f"python -m {SELF}", description=__doc__.split("\n")[0])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    names = options.programs or list(PROGRAMS)
    if len(names) == 1:
        faulthandler.dump_traceback_later(options.seconds + 2 * PATIENCE, exit=True)
        print(f"{names[0]}: {PROGRAMS[names[0]](options.seconds, options.seed)} done", flush=True)
        return 0
    print(f"--seed {options.seed}", flush=True)
    limits = ["--seconds", str(options.seconds), "--seed", str(options.seed)]
    command = [sys.executable, "-X", "faulthandler", "-m", SELF, *limits]
    return max(subprocess.run([*command, name], check=False).returncode != 0 for name in names)


if __name__ == "__main__":
    sys.exit(main())
