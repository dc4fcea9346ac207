"""Running: what is set up while an EventLoop runs, and taken down again.

Compiled, so that Ctrl-C can't come between two steps, but only in a call of Python
code: whatever happens there, all that was set up is taken down.
"""

import sys
import threading
from asyncio import events

import cython


@cython.final
@cython.cclass
class Running:
    """While a loop runs: asyncio knows of it, in this thread."""

    loop: object
    hooks: object

    def __init__(self, loop):
        self.loop = loop

    def __enter__(self):
        loop: object = self.loop
        loop._check_closed()
        loop._check_running()
        loop._listen_to_signals()
        self.hooks = sys.get_asyncgen_hooks()
        try:
            loop._thread_id = threading.get_ident()
            loop._set_coroutine_origin_tracking(loop._debug)
            sys.set_asyncgen_hooks(
                firstiter=loop._asyncgen_firstiter_hook, finalizer=loop._asyncgen_finalizer_hook
            )
            events._set_running_loop(loop)
        except BaseException:
            self.take_down()
            raise

    def __exit__(self, *exc_info):
        self.take_down()

    @cython.cfunc
    @cython.exceptval(-1, check=False)
    def take_down(self) -> cython.int:
        loop: object = self.loop
        loop._thread_id = None
        loop._stopping = False
        try:
            events._set_running_loop(None)
        finally:
            try:
                sys.set_asyncgen_hooks(*self.hooks)
            finally:
                try:
                    loop._set_coroutine_origin_tracking(False)
                finally:
                    loop._show_ready()
        return 0
