"""Tells whether this process was forked off since something was made.

fork(2) copies a loop's memory but not the kernel's side of it: the child shares
epoll sets and eventfds with its parent. ``generation`` grows by one in each
child that is made through the C library's fork(), so that comparing it with a
remembered value costs nothing.
"""

import cython
from cython.cimports.everloop.sys.process import pthread_atfork

generation = 0


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def note_fork() -> cython.void:
    global generation
    generation += 1


pthread_atfork(cython.NULL, cython.NULL, note_fork)
