"""Faults that users of event loops have met, as programs that run on any loop.

    python -m tests.reliability.known_faults [asyncio] [uvloop] [everloop]

prints a row for each program: whether it is right on each of these loops. Those that are not
installed are left out.
"""

import asyncio
import contextlib
import gc
import importlib
import os
import socket
import sys
import tempfile

PATIENCE = 20.0


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
    """A reader of a descriptor that was closed without being removed is not the new one's."""
    loop = asyncio.get_running_loop()
    one, other = socket.socketpair()
    number = one.fileno()
    loop.add_reader(number, lambda: None)
    loop.remove_reader(number)
    one.close()
    other.close()
    one, other = socket.socketpair()
    seen = asyncio.Event()
    with one, other:
        loop.add_reader(one, seen.set)
        other.send(b"x")
        await seen.wait()
        loop.remove_reader(one)
    return True


PROGRAMS = [
    timers_are_never_early,
    a_descriptor_is_closed_once,
    sendfile_sends_a_file,
    pipes_of_subprocesses_are_pipes,
    transports_of_pipes_tell_their_pipe,
    what_was_written_before_close_arrives,
    what_a_program_wrote_before_its_end_arrives,
    a_number_used_again_is_watched_anew,
]


def result(program, new_event_loop):
    """'right', 'wrong', or the class of what was raised."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            right = runner.run(asyncio.wait_for(program(), PATIENCE))
        except Exception as error:
            return type(error).__name__
    return "right" if right else "wrong"


def main(names):
    loops = {}
    for name in names or ["asyncio", "uvloop", "everloop"]:
        with contextlib.suppress(ImportError):
            loops[name] = importlib.import_module(name).new_event_loop
    for program in PROGRAMS:
        told = [f"{name}: {result(program, new)}" for name, new in loops.items()]
        print(f"{program.__name__.replace('_', ' '):48}", ", ".join(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
