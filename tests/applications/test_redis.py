"""redis.asyncio with a Redis."""

import asyncio
import contextlib
import hashlib

import pytest
from redis.asyncio import Redis, UnixDomainSocketConnection

from .running import on_everloop


@contextlib.asynccontextmanager
async def connected(server, **options):
    """A client of the server, which has been emptied."""
    async with Redis(host="127.0.0.1", port=server.port, **options) as client:
        await client.flushall()
        yield client


async def blocked(client, count=1):
    """Wait until so many clients of the server wait for something."""
    while (await client.info("clients"))["blocked_clients"] != count:
        await asyncio.sleep(0.01)


@on_everloop
async def test_large_value(redis):
    value = bytes(range(256)) * 64 * 1024
    async with connected(redis) as client:
        await client.set("large", value)
        received = await client.get("large")
        assert hashlib.sha256(received).digest() == hashlib.sha256(value).digest()


@on_everloop
async def test_unix_socket(redis):
    async with Redis(unix_socket_path=str(redis.directory / "redis.sock")) as client:
        assert isinstance(client.connection_pool.make_connection(), UnixDomainSocketConnection)
        assert await client.set("over", "unix")
        assert await client.getdel("over") == b"unix"


@pytest.mark.parametrize("transaction", [True, False])
@on_everloop
async def test_pipeline(redis, transaction):
    async with connected(redis) as client:
        async with client.pipeline(transaction=transaction) as pipeline:
            for number in range(10_000):
                pipeline.set(f"key {number}", number).incr("count")
            replies = await pipeline.execute()
        assert replies == [each for number in range(10_000) for each in (True, number + 1)]
        assert await client.get("key 9999") == b"9999"


@on_everloop
async def test_optimistic_transactions(redis):
    """Clients that increase a number without locks repeat what another has come between."""

    async def increase(client):
        def doing(pipeline):
            return add(pipeline)

        async def add(pipeline):
            value = int(await pipeline.get("number") or 0)
            pipeline.multi()
            pipeline.set("number", value + 1)

        await client.transaction(doing, "number")

    async with connected(redis) as client:
        await asyncio.gather(*(increase(client) for _ in range(20)))
        assert await client.get("number") == b"20"


@on_everloop
async def test_many_clients(redis):
    async with connected(redis, max_connections=100) as client:
        barrier = asyncio.Barrier(100)

        async def add(number):
            async with client.client() as own:
                await own.ping()
                await barrier.wait()
                return await own.incrby("sum", number)

        sums = await asyncio.gather(*map(add, range(100)))
        assert max(sums) == sum(range(100))


@on_everloop
async def test_publish_and_subscribe(redis):
    async with connected(redis) as client, client.pubsub() as subscription:
        await subscription.subscribe("news")
        await subscription.psubscribe("weather.*")
        for _ in range(2):
            assert (await subscription.get_message(timeout=60))["type"].endswith("subscribe")
        assert await subscription.get_message(timeout=0.05) is None
        for number in range(100):
            await client.publish("news", number)
            await client.publish(f"weather.{number}", number)
        heard = []
        async for message in subscription.listen():
            heard.append((message["channel"].decode(), int(message["data"])))
            if len(heard) == 200:
                break
        expected = [
            (channel, number) for number in range(100) for channel in ("news", f"weather.{number}")
        ]
        assert heard == expected


@on_everloop
async def test_blocking_pop(redis):
    async with connected(redis) as client:
        assert await client.blpop("queue", timeout=0.05) is None
        popping = asyncio.create_task(client.blpop("queue", timeout=60))
        await blocked(client)
        await client.rpush("queue", "value")
        assert await popping == (b"queue", b"value")


@on_everloop
async def test_cancelled_pop(redis):
    """A pop that was cancelled takes nothing from the queue."""
    async with connected(redis) as client:
        popping = asyncio.create_task(client.blpop("queue", timeout=0))
        await blocked(client)
        popping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await popping
        await blocked(client, 0)
        await client.rpush("queue", "value")
        assert await client.lpop("queue") == b"value"
