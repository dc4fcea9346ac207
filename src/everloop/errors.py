"""What goes wrong: misuse of the interface, and exceptions that leave callbacks."""


class Error(Exception):
    """Misuse of the interface: the message names what was used wrongly, and how."""


Error.__module__ = "everloop"


def fatal(callback):
    """Mark a callback: an exception that leaves it stops the loop.

    To be used as a decorator. The loop stops as by ``stop(EVBREAK_ALL)``, and
    `Loop.start` raises the exception instead of reporting it. What was pending
    stays pending for the next start.

    callback: any callable that takes attributes; a bound method or a builtin
    does not (AttributeError), so decorate the function.

    Returns callback itself, with its attribute ``__err_fatal__`` set to True. It is
    the attribute that counts, whatever its value.
    """
    callback.__err_fatal__ = True
    return callback


fatal.__module__ = "everloop"
