"""What is to be seen of asyncio's tasks, from another thread."""

import asyncio
import traceback
from typing import Any

from everloop import EventLoop


def current_task(loop: Any) -> "asyncio.Task[Any] | None":
    """The task whose step the loop runs now, if any."""
    return asyncio.current_task(loop) if isinstance(loop, EventLoop) else None


def tasks_of(loop: Any, limit: int) -> list[dict[str, Any]]:
    """Name, coroutine and stack, the innermost call last, of tasks that are not done."""
    found = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    return [described(task) for task in found[:limit]]


def described(task: "asyncio.Task[Any]") -> dict[str, Any]:
    coroutine = task.get_coro()
    stack = [
        traceback.FrameSummary(each.f_code.co_filename, each.f_lineno, each.f_code.co_name)
        for each in frames(coroutine)
    ]
    return {
        "name": task.get_name(),
        "coroutine": getattr(coroutine, "__qualname__", repr(coroutine)),
        "stack": [f"{each.filename}:{each.lineno} in {each.name}: {each.line}" for each in stack],
    }


def frames(coroutine: Any) -> list[Any]:
    """The frames of a coroutine and of those that it awaits."""
    found: list[Any] = []
    while coroutine is not None and len(found) < 100:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        found.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return found
