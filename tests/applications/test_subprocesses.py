"""asyncio's subprocesses: much data through pipes, and many processes."""

import asyncio
import hashlib
import signal

from .running import on_everloop

PIPE = asyncio.subprocess.PIPE

CHUNKS = 1600  # of 62,500 bytes: 100 MB


def chunk(number):
    return f"{number:10}".encode() * 6250


async def feed(process):
    """Write the 100 MB, at the pace of the process."""
    for number in range(CHUNKS):
        process.stdin.write(chunk(number))
        await process.stdin.drain()
    process.stdin.close()
    await process.stdin.wait_closed()


async def digest_of(stream):
    digest = hashlib.sha256()
    while data := await stream.read(1024 * 1024):
        digest.update(data)
    return digest.hexdigest()


@on_everloop
async def test_much_data():
    """100 MB through cat, which comes out while it goes in."""
    process = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    _, received = await asyncio.gather(feed(process), digest_of(process.stdout))
    assert await process.wait() == 0
    expected = hashlib.sha256()
    for number in range(CHUNKS):
        expected.update(chunk(number))
    assert received == expected.hexdigest()


@on_everloop
async def test_both_outputs():
    """10 MB that a shell sends to each of its outputs."""
    process = await asyncio.create_subprocess_shell(
        "tee /dev/stderr", stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    data = b"".join(map(chunk, range(160)))
    output, errors = await process.communicate(data)
    assert process.returncode == 0
    assert output == data
    assert errors == data


@on_everloop
async def test_many_processes():
    """100 at the same time; half of them end when they are told, half are killed."""
    program = 'echo $$; read word; echo "$word"; exit "$word"'
    processes = await asyncio.gather(
        *(
            asyncio.create_subprocess_exec("sh", "-c", program, stdin=PIPE, stdout=PIPE)
            for _ in range(100)
        )
    )
    for process in processes:
        assert int(await process.stdout.readline()) == process.pid
    assert [process.returncode for process in processes] == [None] * 100
    for process in processes[1::2]:
        process.kill()

    async def end(number):
        process = processes[number]
        output, _ = await process.communicate(f"{number}\n".encode() if number % 2 == 0 else None)
        return output.decode().strip(), process.returncode

    results = await asyncio.gather(*map(end, range(100)))
    assert results[0::2] == [(str(number), number) for number in range(0, 100, 2)]
    assert results[1::2] == [("", -signal.SIGKILL)] * 50
