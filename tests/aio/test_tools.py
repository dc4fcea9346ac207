"""asyncio's tools that look at tasks: from Python 3.14 on."""

import asyncio
import os
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.version_info < (3, 14), reason="tools of Python 3.14")


async def in_a_task(coroutine):
    async def middle():
        return await coroutine

    return await asyncio.create_task(middle(), name="the task")


@pytest.mark.parametrize("command", ["ps", "pstree"])
def test_command_line(run, command):
    async def look():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "asyncio", command, str(os.getpid()), stdout=-1, stderr=-1
        )
        return *await process.communicate(), process.returncode

    out, errors, status = run(in_a_task(look()))
    if b"ermission" in errors:
        pytest.skip("this process may not be looked into")
    assert status == 0, errors
    assert b"the task" in out and b"look" in out and b"middle" in out


def test_call_graph(run):
    async def look():
        return asyncio.capture_call_graph()

    graph = run(in_a_task(look()))
    assert graph.future.get_name() == "the task"
    assert [entry.frame.f_code.co_name for entry in graph.call_stack][:2] == ["look", "middle"]
    (waiting,) = graph.awaited_by
    assert waiting.call_stack[0].frame.f_code.co_name == "in_a_task"


def test_tasks_that_start_at_once(loop, run):
    async def main():
        task = loop.create_task(asyncio.sleep(0, "done"), eager_start=True, name="eager")
        assert task.get_name() == "eager" and await task == "done"

        async def nothing():
            return asyncio.current_task().get_name()

        task = loop.create_task(nothing(), eager_start=True, name="eager")
        assert task.done() and task.result() == "eager"

    run(main())
