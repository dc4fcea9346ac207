"""asyncpg with a PostgreSQL."""

import asyncio
import hashlib
import ssl

import asyncpg
import pytest

from .running import on_everloop


def options(server, **others):
    names = {"host": "127.0.0.1", "port": server.port, "user": "tester", "database": "postgres"}
    return {**names, "ssl": False, **others}


async def connect(server, **others):
    return await asyncpg.connect(**options(server, **others))


async def sleeping(connection, pid):
    """Wait until the server's process with this number is in pg_sleep."""
    query = "select wait_event = 'PgSleep' from pg_stat_activity where pid = $1"
    while not await connection.fetchval(query, pid):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("transport", ["tcp", "unix", "tls"])
@on_everloop
async def test_transports(postgresql, authority, transport):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    others = {"unix": {"host": str(postgresql.directory)}, "tls": {"ssl": context}}
    connection = await connect(postgresql, **others.get(transport, {}))
    encrypted = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    assert await connection.fetchval(encrypted) is (transport == "tls")
    sent = "0123456789abcdef" * 512 * 1024
    received = await connection.fetchval("select $1 || 'x' || $1", sent)
    assert received == f"{sent}x{sent}"
    await connection.close()


@on_everloop
async def test_pool(postgresql):
    pool = asyncpg.create_pool(**options(postgresql), min_size=2, max_size=8)
    async with pool:
        queries = [pool.fetchrow("select $1::int, pg_backend_pid()", each) for each in range(500)]
        rows = await asyncio.gather(*queries)
    assert [row[0] for row in rows] == list(range(500))
    assert 2 <= len({row[1] for row in rows}) <= 8


@on_everloop
async def test_transactions(postgresql):
    connection = await connect(postgresql)
    await connection.execute("create temporary table accounts (name text primary key, sum int)")
    insert = "insert into accounts values ($1, $2)"
    async with connection.transaction():
        await connection.execute(insert, "kept", 1)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute(insert, "lost with its savepoint", 2)
                await connection.execute(insert, "kept", 2)
    with pytest.raises(ZeroDivisionError):
        async with connection.transaction():
            await connection.execute(insert, "rolled back", 3)
            raise ZeroDivisionError
    rows = await connection.fetch("select * from accounts")
    assert list(map(tuple, rows)) == [("kept", 1)]
    await connection.close()


@on_everloop
async def test_conflicting_transactions(postgresql):
    """Of two transactions that change the same row, the second waits, and is then refused."""
    first, second = await connect(postgresql), await connect(postgresql)
    await first.execute("create table counters (value int); insert into counters values (0)")
    outer = first.transaction(isolation="repeatable_read")
    await outer.start()
    await first.execute("update counters set value = value + 1")

    async def conflict():
        async with second.transaction(isolation="repeatable_read"):
            assert await second.fetchval("select value from counters") == 0
            await second.execute("update counters set value = value + 1")

    conflicting = asyncio.create_task(conflict())
    waiting = "select cardinality(pg_blocking_pids($1))"
    while not await first.fetchval(waiting, second.get_server_pid()):
        await asyncio.sleep(0.01)
    await outer.commit()
    with pytest.raises(asyncpg.SerializationError):
        await conflicting
    assert await second.fetchval("select value from counters") == 1
    await first.execute("drop table counters")
    await first.close()
    await second.close()


@on_everloop
async def test_cursor(postgresql):
    connection = await connect(postgresql)
    async with connection.transaction():
        cursor = connection.cursor("select generate_series(1, 10000)", prefetch=100)
        assert [row[0] async for row in cursor] == list(range(1, 10_001))
    await connection.close()


@on_everloop
async def test_copy(postgresql):
    """100,000 rows into a table, and as text out of it and into another."""
    connection = await connect(postgresql)
    rows = [(number, f"row {number}") for number in range(100_000)]
    text = "".join(f"{number},{name}\n" for number, name in rows).encode()
    for table in "first", "second":
        await connection.execute(f"create temporary table {table} (number int, name text)")
    assert await connection.copy_records_to_table("first", records=rows) == "COPY 100000"

    parts = []

    async def receive(data):
        await asyncio.sleep(0)  # a receiver that the server has to wait for
        parts.append(data)

    await connection.copy_from_table("first", output=receive, format="csv")
    assert hashlib.sha256(b"".join(parts)).digest() == hashlib.sha256(text).digest()

    async def source():
        for start in range(0, len(text), 50_000):
            yield text[start : start + 50_000]

    await connection.copy_to_table("second", source=source(), format="csv")
    assert await connection.fetch("select * from second order by number") == rows
    await connection.close()


@on_everloop
async def test_listen_and_notify(postgresql):
    listener, speaker = await connect(postgresql), await connect(postgresql)
    heard = asyncio.Queue()
    await listener.add_listener("news", lambda *arguments: heard.put_nowait(arguments[1:]))
    for number in range(100):
        await speaker.execute("select pg_notify('news', $1)", str(number))
    pid = speaker.get_server_pid()
    for number in range(100):
        assert await heard.get() == (pid, "news", str(number))
    await listener.reset()
    await listener.close()
    await speaker.close()


@on_everloop
async def test_cancelled_query(postgresql):
    """The server is told, and the connection can be used again."""
    connection, observer = await connect(postgresql), await connect(postgresql)
    pid = connection.get_server_pid()
    query = asyncio.create_task(connection.execute("select pg_sleep(600)"))
    await sleeping(observer, pid)
    query.cancel()
    with pytest.raises(asyncio.CancelledError):
        await query
    assert await connection.fetchval("select pg_backend_pid()") == pid
    with pytest.raises(TimeoutError):
        await connection.execute("select pg_sleep(600)", timeout=0.05)
    assert await connection.fetchval("select pg_backend_pid()") == pid
    await connection.close()
    await observer.close()


@on_everloop
async def test_lost_connection(postgresql):
    lost, observer = await connect(postgresql), await connect(postgresql)
    pid = lost.get_server_pid()
    query = asyncio.create_task(lost.execute("select pg_sleep(600)"))
    await sleeping(observer, pid)
    assert await observer.fetchval("select pg_terminate_backend($1)", pid)
    with pytest.raises((asyncpg.AdminShutdownError, asyncpg.PostgresConnectionError)):
        await query
    assert lost.is_closed()
    await observer.close()
