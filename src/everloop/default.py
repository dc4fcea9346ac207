"""The default loop of the process."""

import cython
from cython.cimports.cpython.object import PyObject
from cython.cimports.everloop.engine.failures import warn
from cython.cimports.everloop.engine.gate import Gate
from cython.cimports.everloop.engine.holding import OPEN
from cython.cimports.everloop.loop import Loop
from cython.cimports.everloop.sys.threads import Section, enter_section

default_gate = Gate()
the_default_loop: Loop | None = None


@cython.embedsignature(False)
def default_loop(*args, **kwargs) -> Loop:
    """default_loop(flags=0, callback=None, data=None, io_interval=0.0, timeout_interval=0.0, \
    *, debug=False)\n--\n
    The one default loop of the process, made on the first call.

    Takes the arguments of `Loop`. Later calls return the same loop, until it is
    closed; they warn (RuntimeWarning) if arguments are given, which come too late.
    """
    section: Section
    enter_section(cython.address(section), cython.cast(cython.pointer[PyObject], default_gate))
    global the_default_loop
    loop: Loop = the_default_loop
    if loop is not None and loop.state == OPEN:
        if args or kwargs:
            warn("the default loop exists already: the arguments are ignored")
        return loop
    loop = Loop(*args, **kwargs)
    loop.is_default = True
    the_default_loop = loop
    return loop
