"""Faults that users of event loops have met, as programs that run on any loop.

    python -m tests.reliability.known_faults [asyncio] [uvloop] [everloop]

prints a row for each program: whether it is right on each of these loops, and the public
threads that tell of the fault. Loops that are not installed are left out. Each program runs in
an interpreter of its own, since some faults end it.
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.util
import io
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

SELF = "tests.reliability.known_faults"
PATIENCE = 20.0

# Long enough for what happens at once, for those that wait for it in vain.
SOON = 3.0


async def timers_are_never_early():
    loop = asyncio.get_running_loop()
    early = []

    def called(due, done):
        if loop.time() < due:
            early.append(due - loop.time())
        done.set_result(None)

    calls = []
    for number in range(300):
        done = loop.create_future()
        due = loop.time() + number * 0.000_37
        loop.call_at(due, called, due, done)
        calls.append(done)
    await asyncio.gather(*calls)
    return not early


async def a_descriptor_is_closed_once():
    """Its number is another file's by the second time."""
    loop = asyncio.get_running_loop()
    others = []
    try:
        for _ in range(20):
            one, other = socket.socketpair()
            number = one.fileno()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=one)
            transport.close()
            await asyncio.sleep(0.001)
            one.close()
            del transport, one
            others.append(open(os.devnull, "rb"))
            others.append(other)
            gc.collect()
            await asyncio.sleep(0)
            with contextlib.suppress(OSError):
                if others[-2].fileno() == number:
                    os.fstat(number)
        for other in others:
            os.fstat(other.fileno())
    except OSError:
        return False
    finally:
        for other in others:
            with contextlib.suppress(OSError):
                other.close()
    return True


async def sendfile_sends_a_file():
    data = os.urandom(300_000)
    received = bytearray()
    ended = asyncio.Event()

    async def receive(reader, writer):
        while piece := await reader.read(100_000):
            received.extend(piece)
        writer.close()
        ended.set()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        await asyncio.get_running_loop().sendfile(writer.transport, file)
    writer.close()
    await ended.wait()
    server.close()
    return received == data


async def pipes_of_subprocesses_are_pipes():
    code = "import os, stat; print([stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in range(3)])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=-1, stdout=-1, stderr=-1
    )
    output, _ = await process.communicate(b"")
    return output.strip() == b"[True, True, True]"


async def transports_of_pipes_tell_their_pipe():
    loop = asyncio.get_running_loop()
    r, w = os.pipe()
    with open(r, "rb", 0) as reading, open(w, "wb", 0) as writing:
        source, _ = await loop.connect_read_pipe(asyncio.Protocol, reading)
        target, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, writing)
        told = source.get_extra_info("pipe"), target.get_extra_info("pipe")
        target.close()
        source.close()
        await asyncio.sleep(0.01)
    return told == (reading, writing)


async def what_was_written_before_close_arrives():
    data = os.urandom(3_000_000)

    async def send(reader, writer):
        writer.write(data)
        writer.close()

    server = await asyncio.start_server(send, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    await asyncio.sleep(0.05)
    received = await reader.read()
    writer.close()
    server.close()
    return received == data


async def what_a_program_wrote_before_its_end_arrives():
    for _ in range(5):
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", "head -c 200000 /dev/zero", stdout=-1
        )
        await asyncio.sleep(0.02)
        output = await process.stdout.read()
        await process.wait()
        if len(output) != 200_000:
            return False
    return True


async def a_number_used_again_is_watched_anew():
    """The number of a descriptor that was closed before its reader was removed."""
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    number = one.fileno()
    loop.add_reader(number, lambda: None)
    await asyncio.sleep(0.001)
    one.close()
    other.close()
    await asyncio.sleep(0.001)
    one, other = socket.socketpair()
    seen = asyncio.Event()
    with one, other:
        if one.fileno() != number:
            raise RuntimeError("the number was not used again")
        loop.add_reader(one, seen.set)
        other.send(b"x")
        try:
            await asyncio.wait_for(seen.wait(), SOON)
        finally:
            loop.remove_reader(number)
    return True


async def a_closed_descriptor_that_is_watched_harms_nobody():
    """It is to be watched for something else after it was closed."""
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    number = one.fileno()
    with other:
        loop.add_reader(number, lambda: None)
        await asyncio.sleep(0.001)
        one.close()
        with contextlib.suppress(OSError):
            loop.add_writer(number, lambda: None)
        await asyncio.sleep(0.001)
        loop.remove_writer(number)
        loop.remove_reader(number)
        await asyncio.sleep(0.001)
    return True


async def a_socket_is_closed_once_if_the_connection_is_cancelled():
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    number = one.fileno()
    with other:
        connecting = asyncio.ensure_future(loop.create_connection(asyncio.Protocol, sock=one))
        await asyncio.sleep(0)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connecting.result()[0].close()
        await asyncio.sleep(0.01)
        with open(os.devnull, "rb") as file:
            if file.fileno() != number:
                raise RuntimeError("the number was not used again")
            del one, connecting
            gc.collect()
            try:
                os.fstat(number)
            except OSError:
                return False
    return True


class Probed(io.FileIO):
    """A file that notes whether its descriptor was still open when it was closed."""

    def __init__(self, fd, mode, found):
        super().__init__(fd, mode)
        self.found = found

    def close(self):
        if not self.closed:
            try:
                os.fstat(self.fileno())
                self.found.append(True)
            except OSError:
                self.found.append(False)
        with contextlib.suppress(OSError):
            super().close()


async def a_pipe_is_closed_once():
    loop = asyncio.get_running_loop()
    r, w = os.pipe()
    found = []
    source, _ = await loop.connect_read_pipe(asyncio.Protocol, Probed(r, "rb", found))
    target, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, Probed(w, "wb", found))
    target.close()
    source.close()
    await asyncio.sleep(0.01)
    return found == [True, True]


async def pipes_of_subprocesses_tell_their_pipe():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.subprocess_exec(
        asyncio.SubprocessProtocol, "/bin/true", stdin=-1, stdout=-1, stderr=-1
    )
    told = [transport.get_pipe_transport(fd).get_extra_info("pipe") for fd in range(3)]
    transport.close()
    await asyncio.sleep(0.01)
    return None not in told


async def a_program_reads_its_standard_input_by_name():
    process = await asyncio.create_subprocess_exec("/bin/cat", "/dev/stdin", stdin=-1, stdout=-1)
    output, _ = await process.communicate(b"xyz")
    return output == b"xyz"


async def what_was_written_to_a_pipe_before_close_arrives():
    loop = asyncio.get_running_loop()
    r, w = os.pipe()
    data = os.urandom(1_000_000)
    target, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, open(w, "wb", 0))
    target.write(data)
    target.close()
    reader = asyncio.StreamReader()
    source, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), open(r, "rb", 0)
    )
    received = await reader.read()
    source.close()
    return received == data


async def a_call_that_is_due_is_a_timer():
    call = asyncio.get_running_loop().call_later(0, int)
    return isinstance(call, asyncio.TimerHandle) and call.when() > 0.0


async def a_timer_tells_its_time_after_its_call():
    loop = asyncio.get_running_loop()
    before = loop.time()
    timer = loop.call_later(0.001, int)
    await asyncio.sleep(0.01)
    return before < timer.when() < loop.time()


async def time_passes_while_the_loop_is_blocked():
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.001)
    time.sleep(0.1)
    due = time.monotonic() + 0.05
    await asyncio.sleep(0.05)
    return time.monotonic() >= due and loop.time() > 0.0


async def a_signal_is_not_lost_after_many_calls_of_threads():
    """What wakes the loop up may be full by then."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, arrived.set)
    for _ in range(100_000):
        loop.call_soon_threadsafe(int)
    with contextlib.redirect_stderr(io.StringIO()):
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            await asyncio.wait_for(arrived.wait(), SOON)
        except TimeoutError:
            return False
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)
    return True


async def the_peers_name_is_known_though_it_has_gone():
    names = []

    class Naming(asyncio.Protocol):
        def connection_made(self, transport):
            names.append(transport.get_extra_info("peername"))

    server = await asyncio.get_running_loop().create_server(Naming, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        name = client.getsockname()
    while not names:
        await asyncio.sleep(0.001)
    server.close()
    return names == [name]


async def a_server_without_descriptors_tries_again_later():
    """It is told once each time, not for each connection that might wait."""
    loop = asyncio.get_running_loop()
    told, served = [], asyncio.Event()
    loop.set_exception_handler(lambda _, context: told.append(context))

    class Serving(asyncio.Protocol):
        def connection_made(self, transport):
            served.set()
            transport.close()

    server = await loop.create_server(Serving, "127.0.0.1", 0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as client:
        spare = os.dup(client.fileno())
        os.close(spare)
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
        try:
            client.connect(server.sockets[0].getsockname())
            while not told:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await served.wait()
    server.close()
    return len(told) == 1


# The public threads that tell of each, as owner/repository#number on GitHub.
PROGRAMS = {
    timers_are_never_early: "uvloop#233 uvloop#739 cpython#127859",
    a_call_that_is_due_is_a_timer: "uvloop#482",
    a_timer_tells_its_time_after_its_call: "uvloop#468",
    time_passes_while_the_loop_is_blocked: "uvloop#29",
    a_descriptor_is_closed_once: "asyncio#449",
    a_socket_is_closed_once_if_the_connection_is_cancelled: "uvloop#738",
    a_pipe_is_closed_once: "uvloop#763",
    a_number_used_again_is_watched_anew: "cpython#88968 twisted#12681",
    a_closed_descriptor_that_is_watched_harms_nobody: "gevent#2100 gevent#1504 pyuv#54",
    sendfile_sends_a_file: "uvloop#228",
    pipes_of_subprocesses_are_pipes: "uvloop#505",
    a_program_reads_its_standard_input_by_name: "uvloop#532 cpython#90522",
    transports_of_pipes_tell_their_pipe: "",
    pipes_of_subprocesses_tell_their_pipe: "uvloop#595",
    what_was_written_before_close_arrives: "sanic#2921",
    what_was_written_to_a_pipe_before_close_arrives: "uvloop#317",
    what_a_program_wrote_before_its_end_arrives: "cpython#100133 cpython#85760 cpython#76011",
    a_signal_is_not_lost_after_many_calls_of_threads: "cpython#74224 uvloop#154",
    the_peers_name_is_known_though_it_has_gone: "uvloop#560",
    a_server_without_descriptors_tries_again_later: "cpython#151615 asyncio#78",
}


def result(program, new_event_loop):
    """'right', 'wrong', or the class of what was raised."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            right = runner.run(asyncio.wait_for(program(), PATIENCE))
        except Exception as error:
            return type(error).__name__
    return "right" if right else "wrong"


def result_alone(program, loop):
    """The same, from an interpreter of its own; or how that ended."""
    command = [sys.executable, "-m", SELF, loop, "--only", program.__name__]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout.strip() if ran.returncode == 0 else f"status {ran.returncode}"


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("loops", nargs="*", default=["asyncio", "uvloop", "everloop"])
    parser.add_argument("--only", help="one program, on one loop, in this interpreter")
    options = parser.parse_args(arguments)
    if options.only:
        new_event_loop = importlib.import_module(options.loops[0]).new_event_loop
        print(result(globals()[options.only], new_event_loop))
        return
    loops = [name for name in options.loops if importlib.util.find_spec(name)]
    for program, threads in PROGRAMS.items():
        told = [f"{name}: {result_alone(program, name)}" for name in loops]
        print(f"{program.__name__.replace('_', ' '):55} {', '.join(told)}  {threads}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
