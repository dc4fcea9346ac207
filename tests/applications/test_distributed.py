"""Dask's distributed: a scheduler and two workers, in one loop and in processes of their own."""

import asyncio
import contextlib
import hashlib
import sys

import dask
import pytest
from distributed import Client, LocalCluster

from .running import LOOP, on_everloop, started

NODE = """\
import asyncio
import logging
import signal
import sys

import everloop
from distributed import Scheduler, Worker

# It tells of connections that end while they are used, as they do when all is ended.
logging.getLogger("distributed").setLevel(logging.CRITICAL)
KINDS = {"scheduler": Scheduler, "worker": Worker}


async def main(kind, *arguments):
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    async with KINDS[kind](*arguments, host="127.0.0.1", dashboard_address="127.0.0.1:0") as node:
        print("address:", node.address)
        await end.wait()


if __name__ == "__main__":
    everloop.run(main(*sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """What is written to disk, here and in other processes, is in the test's directory."""
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        yield


async def check_loops(client):
    """The scheduler and both workers run on everloop."""

    def loop():  # sent by value, since the others have no tests to import
        return repr(type(asyncio.get_running_loop()))

    assert await client.run_on_scheduler(loop) == LOOP
    loops = await client.run(loop)
    assert list(loops.values()) == [LOOP] * 2


async def check_results(client):
    numbers = client.map(lambda number: number**2, range(500))
    assert await client.submit(sum, numbers) == sum(number**2 for number in range(500))

    def tree(numbers):
        if len(numbers) == 1:
            return numbers[0]
        middle = len(numbers) // 2
        return dask.delayed(lambda a, b: a + b)(tree(numbers[:middle]), tree(numbers[middle:]))

    assert await client.compute(tree(range(200))) == sum(range(200))


async def check_transfer(client):
    """What one worker has made, the other gets from it."""
    first, second = await client.run(lambda: None)

    def make():
        return bytes(range(256)) * 64 * 1024

    def checksum(data):
        return hashlib.sha256(data).hexdigest()

    made = client.submit(make, workers=[first])
    digest = client.submit(checksum, made, workers=[second])
    assert await digest == checksum(make())


async def check(client):
    await client.wait_for_workers(2)
    await check_loops(client)
    await check_results(client)
    await check_transfer(client)


@on_everloop
async def test_in_one_loop():
    async with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address=":0",
            asynchronous=True,
        ) as cluster,
        Client(cluster, asynchronous=True) as client,
    ):
        await check(client)


@on_everloop
async def test_in_processes(tmp_path):
    (tmp_path / "node.py").write_text(NODE)
    async with contextlib.AsyncExitStack() as nodes:

        async def start(*arguments):
            node = started(sys.executable, "node.py", *arguments, cwd=tmp_path)
            program = await nodes.enter_async_context(node)
            return program, (await program.expect(r"address: (\S+)")).group(1)

        scheduler, address = await start("scheduler")
        workers = await asyncio.gather(start("worker", address), start("worker", address))
        async with Client(address, asynchronous=True) as client:
            await check(client)
        for program, _ in [*workers, (scheduler, address)]:
            await program.end()
