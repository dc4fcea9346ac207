"""The programs of docs/asyncio.md, taken from the page, do what it says."""

import re
import sys

import aiohttp
import pytest

from .documentation import PROGRAM, installed, sections
from .running import LOOP, on_everloop, started

_, SECTIONS = sections("asyncio.md")
SERVERS = ["uvicorn", "aiohttp"]
SUITES = [title for title, section in SECTIONS.items() if section.commands == ["pytest"]]
PROSE = [title for title, section in SECTIONS.items() if not section.files]
PROGRAMS = [title for title in SECTIONS if title not in SERVERS + SUITES + PROSE]


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """What the environment tells pytest and others is not for the programs of the page."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_PLUGINS", raising=False)


def test_sections():
    assert set(SERVERS) < set(SECTIONS)
    assert len(SUITES) == 2
    assert all(PROGRAM in SECTIONS[title].files for title in PROGRAMS)


@pytest.mark.parametrize("title", PROGRAMS)
@on_everloop
async def test_programs(tmp_path, monkeypatch, title):
    section = SECTIONS[title]
    if sys.version_info < section.needs():
        pytest.skip(f"needs Python {section.needs()}")
    section.write(tmp_path)
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    async with started(sys.executable, PROGRAM, cwd=tmp_path) as program:
        assert f"on {LOOP}" in await program.ends()


@pytest.mark.parametrize("title", SUITES)
@on_everloop
async def test_suites(tmp_path, title):
    section = SECTIONS[title]
    section.write(tmp_path)
    # Without it, pytest looks for settings in the directories above.
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )
    (command,) = section.commands
    async with started(*installed(command), cwd=tmp_path) as program:
        assert "1 passed" in await program.ends()


async def answer(program):
    """What the server answers to a request, once it runs."""
    url = (await program.expect(r"[Rr]unning on (http://\S+)")).group(1)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


@on_everloop
async def test_uvicorn(tmp_path):
    section = SECTIONS["uvicorn"]
    section.write(tmp_path)
    (command,) = section.commands
    async with started(*installed(command), "--port", "0", cwd=tmp_path) as program:
        assert await answer(program) == f"hello from {LOOP}"
        await program.end(status=-15)


@on_everloop
async def test_uvicorn_in_a_program(tmp_path):
    section = SECTIONS["uvicorn"]
    section.write(tmp_path)
    call = re.search(r"`(uvicorn\.run\(.*)\)`", section.text).group(1)
    (tmp_path / PROGRAM).write_text(f"import uvicorn\n{call}, port=0)\n")
    async with started(sys.executable, PROGRAM, cwd=tmp_path) as program:
        assert await answer(program) == f"hello from {LOOP}"
        await program.end(status=-15)


@on_everloop
async def test_aiohttp(tmp_path):
    section = SECTIONS["aiohttp"]
    assert "port=8080" in section.files[PROGRAM]
    section.files[PROGRAM] = section.files[PROGRAM].replace("port=8080", "port=0")
    section.write(tmp_path)
    async with started(sys.executable, PROGRAM, cwd=tmp_path) as program:
        assert await answer(program) == f"hello from {LOOP}"
        await program.end()
