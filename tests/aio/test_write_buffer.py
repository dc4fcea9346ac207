"""WriteBuffer: what is kept, seen through transports whose peers read in odd steps."""

import asyncio
import random

import pytest

from .helpers import connection, received, small_pair


@pytest.mark.parametrize("step", [1, 7, 1000, 4096, 100_000])
def test_reading_in_steps(run, step):
    """Cuts fall within chunks, between them, and across many."""

    async def main():
        loop = asyncio.get_running_loop()
        random.seed(step)
        async with connection(make_pair=small_pair) as here:
            size = max(20_000, min(step * 200, 2_000_000))
            data, left = random.randbytes(size), size
            while left:
                piece = min(left, random.choice((1, 10, 1000, 30_000)))
                here.transport.write(data[size - left : size - left + piece])
                left -= piece
            await asyncio.sleep(0)
            kept = here.transport.get_write_buffer_size()
            seen = bytearray()
            while len(seen) < size:
                seen += await loop.sock_recv(here.peer, step)
                assert here.transport.get_write_buffer_size() <= kept
                kept = here.transport.get_write_buffer_size()
            assert seen == data and kept == 0

    run(main())


def test_more_pieces_than_one_call_takes(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            here.transport.write(bytes(100_000))
            for _ in range(5):
                await asyncio.sleep(0)
            for i in range(10_000):
                here.transport.write(b"%d," % i)
            expected = b"".join(b"%d," % i for i in range(10_000))
            assert here.transport.get_write_buffer_size() > len(expected)
            assert (await received(here.peer, 100_000 + len(expected)))[100_000:] == expected

    run(main())


def test_size_is_what_the_peer_has_not_got(run):
    async def main():
        async with connection(make_pair=small_pair) as here:
            total = 0
            for i in range(300):
                here.transport.write(bytes(i))
                total += i
            kept = here.transport.get_write_buffer_size()
            assert kept < total
            assert len(await received(here.peer, total - kept)) == total - kept
            here.transport.abort()
            assert here.transport.get_write_buffer_size() == 0

    run(main())
