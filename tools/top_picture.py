"""Draws the live view of a loop that has something to do: docs/pictures/top.svg.

Usage: python tools/top_picture.py [FILE], in the environment that everloop[monitor] is
installed in.
"""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

import everloop

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "top.svg"


async def serve(reader, writer):
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while line := await reader.readline():
            writer.write(line)
            await asyncio.sleep(0.001)
    writer.close()


async def talk(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        writer.write(b"hello\n" * 20)
        for _ in range(20):
            await reader.readline()


async def main(path):
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, asyncio.TaskGroup() as group:
        clients = [group.create_task(talk(port), name=f"client {n}") for n in range(1, 4)]
        minutely = loop.periodic(0, 60, lambda watcher, revents: None)
        minutely.start()
        with (
            tempfile.TemporaryDirectory() as folder,
            everloop.monitor(loop, f"{folder}/app.sock"),
        ):
            arguments = ("-m", "everloop", "top", "app.sock", "--interval", "3", "--svg", path)
            drawing = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=folder)
            await drawing.wait()
        minutely.stop()
        for client in clients:
            client.cancel()


if __name__ == "__main__":
    everloop.run(main(str(Path(sys.argv[1] if len(sys.argv) > 1 else PICTURE).resolve())))
