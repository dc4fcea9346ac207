"""Running: what is set up while an EventLoop runs, and taken down again.

One compiled call for all of it: nothing that Python runs between two of its lines, such
as a signal handler or a trace function, can come between two steps, but only in a call of
Python code. Whatever happens there, all that was set up is taken down.
"""

import sys
import threading
from asyncio import events, tasks

import cython


def run_as_guest(loop, function, *args):
    """The same where another loop of asyncio's may run, which goes on afterwards."""
    host: object = events._get_running_loop()
    if host is None:
        return run_as_running(loop, function, *args)
    task: object = tasks.current_task(host)
    try:
        if task is not None:
            tasks._leave_task(host, task)
        events._set_running_loop(None)
        return run_as_running(loop, function, *args)
    finally:
        events._set_running_loop(host)
        if task is not None:
            tasks._enter_task(host, task)


def run_as_running(loop, function, *args):
    """``function(loop, *args)``, while asyncio knows of the loop, in this thread."""
    loop._check_closed()
    loop._check_running()
    loop._listen_to_signals()
    hooks: object = sys.get_asyncgen_hooks()
    try:
        loop._thread_id = threading.get_ident()
        loop._set_coroutine_origin_tracking(loop._debug)
        sys.set_asyncgen_hooks(
            firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
        )
        events._set_running_loop(loop)
        return function(loop, *args)
    finally:
        take_down(loop, hooks)


@cython.cfunc
@cython.exceptval(-1, check=False)
def take_down(loop: object, hooks: object) -> cython.int:
    loop._thread_id = None
    loop._stopping = False
    try:
        events._set_running_loop(None)
    finally:
        try:
            sys.set_asyncgen_hooks(*hooks)
        finally:
            try:
                loop._set_coroutine_origin_tracking(False)
            finally:
                loop._show_ready()
    return 0
