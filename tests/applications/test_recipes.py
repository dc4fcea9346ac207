"""The servers of docs/recipes.md answer, on everloop."""

import asyncio
import importlib.util
import sys

import aiohttp
import pytest

from .documentation import PROGRAM, installed, sections
from .running import LOOP, on_everloop, started
from .servers import free_port

INTRODUCTION, SECTIONS = sections("recipes.md")
SERVERS = {
    "hypercorn": "hypercorn",
    "gunicorn": "uvicorn_worker",
    "granian": "granian",
    "Django": "django",
}
PORT = "8000"


async def answer(port):
    """What the server answers to a request, once it accepts one."""
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    return await response.text()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("title", SERVERS)
@on_everloop
async def test_servers(tmp_path, title):
    if not importlib.util.find_spec(SERVERS[title]):
        pytest.skip(f"{SERVERS[title]} can't be had for this Python")
    section, port = SECTIONS[title], str(free_port())
    INTRODUCTION.write(tmp_path)
    section.files = {name: text.replace(PORT, port) for name, text in section.files.items()}
    section.write(tmp_path)
    command = [sys.executable, PROGRAM]
    if section.commands:
        command = installed(section.commands[0].replace(PORT, port))
    async with started(*command, cwd=tmp_path) as program:
        ends = asyncio.ensure_future(program.process.wait())
        answers = asyncio.ensure_future(answer(port))
        await asyncio.wait([ends, answers], return_when=asyncio.FIRST_COMPLETED)
        if ends.done():
            answers.cancel()
            await program.ends()
        assert await answers == f"hello from {LOOP}"
        ends.cancel()
