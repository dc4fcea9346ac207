"""Work on a loop while one system call of its fails, each in turn and with each error.

    python -m tests.reliability.faults_run [--every COUNT]

builds the library of shim.py and runs itself with it: for every work, backend, function and
error, each call in turn fails (or one in COUNT). A connection that was told of no error has
lost nothing and got nothing twice; at most one is told; nothing hangs.
"""

import argparse
import asyncio
import contextlib
import errno
import faulthandler
import gc
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings

import everloop

from .shim import CALLS, PASSING, Faults, build, loaded_first

BACKENDS = {
    "epoll": everloop.EVBACKEND_EPOLL,
    "poll": everloop.EVBACKEND_POLL,
    "select": everloop.EVBACKEND_SELECT,
}
# Errors of these are told to protocols; asyncio's streams and TLS make others of them.
OF_CONNECTIONS = {"epoll_ctl", "recv", "send", "sendmsg", "shutdown"}
PATIENCE = 20
SIZES = (1, 100, 5000, 200_000)
SELF = "tests.reliability.faults_run"


class Lost(AssertionError):
    """Something that the loop promises was not so."""


# What the exception handler of the loop was called with.
reported = []

# What servers were told, whose clients may see no more than an end.
served = []


# Works on an EventLoop: they return what each of their connections was told


async def told(exchange):
    """What an exchange was told: None or its exception, or what the handler was told of it."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(exchange)
    end = loop.time() + PATIENCE
    while not (await asyncio.wait({task}, timeout=0.3))[0]:
        if loop.time() > end:
            raise Lost("hangs")
        if reported:
            task.cancel()
            await asyncio.wait({task})
            return reported[0]
    error = task.exception()
    if error is None or isinstance(error, (OSError, EOFError)):
        return error
    raise error


async def echo(reader, writer):
    try:
        while data := await reader.read(100_000):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
    except OSError as error:
        served.append(error)
    finally:
        writer.close()


async def exchange(address, **options):
    """Send, and read the same back."""
    reader, writer = await asyncio.open_connection(*address, **options)
    try:
        for size in SIZES:
            data = os.urandom(size)
            writer.write(data[: size // 2])
            writer.writelines([data[size // 2 :], b"."])
            if await reader.readexactly(size + 1) != data + b".":
                raise Lost("other data came back")
        if writer.can_write_eof():
            writer.write_eof()
            if await reader.read() != b"":
                raise Lost("data came twice")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def streams(**options):
    server = await asyncio.start_server(echo, "127.0.0.1", 0, **options.pop("server", {}))
    async with server:
        address = server.sockets[0].getsockname()
        return await asyncio.gather(*[told(exchange(address, **options)) for _ in range(3)])


async def tls():
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(os.environ["FAULTS_CERTIFICATE"])
    client = ssl.create_default_context(cafile=os.environ["FAULTS_CERTIFICATE"])
    return await streams(server={"ssl": server}, ssl=client, server_hostname="localhost")


async def datagrams():
    """Datagrams may be lost, but none may come twice or changed."""
    loop = asyncio.get_running_loop()
    seen, errors = [], []

    class Seeing(asyncio.DatagramProtocol):
        def datagram_received(self, data, address):
            seen.append(data)

        def error_received(self, error):
            errors.append(error)

        def connection_lost(self, error):
            if error is not None:
                errors.append(error)

    one, _ = await loop.create_datagram_endpoint(Seeing, local_addr=("127.0.0.1", 0))
    other, _ = await loop.create_datagram_endpoint(
        Seeing, remote_addr=one.get_extra_info("sockname")
    )
    sent = [b"%d" % number for number in range(30)]
    for data in sent:
        other.sendto(data)
    for turn in range(5000):
        # The first ten are for what may come twice.
        if turn >= 10 and (errors or len(seen) >= len(sent)):
            break
        await asyncio.sleep(0.001)
    one.close()
    other.close()
    await asyncio.sleep(0)
    if not set(seen) <= set(sent) or len(set(seen)) < len(seen):
        raise Lost(f"sent {sent}, seen {seen}")
    if len(seen) < len(sent) and not errors:
        raise Lost(f"{len(sent) - len(seen)} datagrams lost, and {errors}")
    return errors


async def processes():
    async def run():
        process = await asyncio.create_subprocess_exec(
            "/bin/cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        data = os.urandom(100_000)
        output, _ = await process.communicate(data)
        if reported:
            # communicate() says nothing of an input that was not taken.
            raise reported[0]
        if output != data:
            raise Lost("other data came back")
        if process.returncode == 255:
            # As asyncio tells that somebody else has taken the exit status.
            raise ChildProcessError(errno.ECHILD, "no exit status")
        if process.returncode != 0:
            raise Lost(f"exit status {process.returncode}")

    return [await told(run())]


async def calls():
    """Calls from threads, timers and signals."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, done.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(done.wait(), PATIENCE)
    loop.remove_signal_handler(signal.SIGUSR1)
    for _ in range(3):
        called = asyncio.Event()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=[called.set])
        thread.start()
        await asyncio.wait_for(called.wait(), PATIENCE)
        thread.join()
        await asyncio.sleep(0.001)
    return []


WORKS = {work.__name__: work for work in (streams, tls, datagrams, processes, calls)}


def watchers(backend):
    """Io watchers that echo, beside one of each other kind. Returns the errors told."""
    errors = []
    with everloop.Loop(backend) as loop, contextlib.ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(3)]
        for pair in pairs:
            for sock in pair:
                stack.enter_context(sock).setblocking(False)

        def answer(watcher, revents):
            watcher.data.send(watcher.data.recv(100))

        ios = [loop.io(one, everloop.EV_READ, answer, one) for one, _ in pairs]
        ticks = []
        path = stack.enter_context(tempfile.NamedTemporaryFile()).name
        others = [
            loop.timer(0.0, 0.001, lambda watcher, revents: ticks.append(1)),
            loop.stat(path, 0.0, lambda watcher, revents: None),
            loop.periodic(0.0, 0.001, lambda watcher, revents: None),
            loop.async_(lambda watcher, revents: None),
            loop.signal(signal.SIGUSR1, lambda watcher, revents: None),
        ]
        for watcher in [*ios, *others]:
            try:
                watcher.start()
            except OSError as error:
                errors.append(error)
        others[3].send()
        for round in range(3):
            for _, other in pairs:
                other.send(b"%d" % round)
            for _ in range(5):
                try:
                    loop.start(everloop.EVRUN_NOWAIT)
                    loop.start(everloop.EVRUN_ONCE)
                except OSError as error:
                    errors.append(error)
            loop.verify()
            for io, (_, other) in zip(ios, pairs, strict=True):
                with contextlib.suppress(BlockingIOError):
                    if other.recv(100) == b"%d" % round:
                        continue
                if io.active:
                    raise Lost(f"{io!r} has lost its event")
        if not ticks and others[0].active:
            raise Lost("the timer was not called")
    return errors


def on_event_loop(work, backend):
    """Returns what was told: by the work, or to the exception handler."""
    reported.clear()
    served.clear()
    loop = everloop.EventLoop(backend)
    loop.set_exception_handler(lambda _, context: reported.append(context.get("exception")))
    try:
        results = loop.run_until_complete(work())
    finally:
        # What ended the loop has not ended its tasks: it can run again.
        end_tasks(loop)
        loop.verify()
        loop.close()
    return [result for result in [*results, *reported] if result is not None]


def end_tasks(loop):
    while left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=PATIENCE))
    # Transports that were closed last are lost in the next turns.
    loop.run_until_complete(asyncio.sleep(0.01))


def attempt(name, backend):
    """What was told of errors; raises Lost."""
    try:
        told = watchers(backend) if name == "watchers" else on_event_loop(WORKS[name], backend)
    except (OSError, RuntimeError, everloop.Error) as error:
        # Told to the caller, before or instead of the work.
        told = [error]
    for error in [*told, *reported, *served]:
        forget_frames(error)
    return told


def forget_frames(error):
    """They would keep descriptors."""
    inner = error
    while inner is not None:
        inner.__traceback__ = None
        inner = inner.__cause__ or inner.__context__


def names(error, number):
    """Whether an exception, or what led to it, has that errno."""
    while error is not None:
        if isinstance(error, everloop.Error) or getattr(error, "errno", None) == number:
            return True
        error = error.__cause__ or error.__context__
    return False


def run_with(faults, name, backend, every, printing):
    """Each call of the work fails in turn; returns how many have."""
    faults.forget()
    attempt(name, BACKENDS[backend])
    counts = faults.counts()
    made = 0
    for function, count in counts.items():
        for error in CALLS[function][1].split():
            for at in range(1, count + 1, every):
                descriptors = len(os.listdir("/proc/self/fd"))
                where = f"{name}, {backend}, call {at} of {function} fails with {error}"
                if printing:
                    print(where, flush=True)
                faulthandler.dump_traceback_later(3 * PATIENCE, exit=True)
                faults.arm(function, at, error)
                try:
                    errors = attempt(name, BACKENDS[backend])
                except Lost as lost:
                    raise Lost(f"{where}: {lost}") from lost
                finally:
                    faulthandler.cancel_dump_traceback_later()
                if not faults.disarm():
                    continue
                made += 1
                if error in PASSING and [*errors, *served] and function != "close":
                    raise Lost(f"{where}: {errors}")
                number = getattr(errno, error)
                named = function in OF_CONNECTIONS or any(names(each, number) for each in errors)
                if errors and not named:
                    raise Lost(f"{where}: told is {errors}")
                gc.collect()
                if len(os.listdir("/proc/self/fd")) > descriptors:
                    raise Lost(f"{where}: descriptors are left open")
    return made


def work():
    """In the process with the library."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=["watchers", *WORKS])
    parser.add_argument("--backends", nargs="*", default=list(BACKENDS))
    parser.add_argument("--print", action="store_true")
    options = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    faults = Faults()
    failed = 0
    for name in options.only:
        for backend in options.backends:
            try:
                made = run_with(faults, name, backend, options.every, options.print)
                print(f"{name}, {backend}: {made} faults", flush=True)
            except Lost as lost:
                failed += 1
                print(f"{type(lost).__name__}: {lost}", flush=True)
    return failed


def make_certificate(path):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", path, "-out", f"{path}.crt"], check=True, stderr=-3)
    with open(path, "a") as both, open(f"{path}.crt") as certificate:
        both.write(certificate.read())


def main(arguments):
    """Run work() with the library, in a process of its own; returns its exit status."""
    if "FAULTS_CERTIFICATE" in os.environ:
        return work()
    with tempfile.TemporaryDirectory() as directory:
        certificate = os.path.join(directory, "certificate.pem")
        make_certificate(certificate)
        environment = os.environ | loaded_first(build(directory))
        environment["FAULTS_CERTIFICATE"] = certificate
        command = [sys.executable, "-m", SELF, *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
