"""Makes an event loop the default of a process, and counts the loops that are made."""

import asyncio
import functools
import importlib
import warnings

# Where an event loop policy is looked up that nobody has set; newer Pythons have it underscored.
DEFAULT_POLICIES = ("DefaultEventLoopPolicy", "_DefaultEventLoopPolicy")


class Loops:
    """How many loops under test were made in this process."""

    made = 0


def use(name, replaces=()):
    """Make the loop the default of this process."""
    kind = {"asyncio": stock_loop, "uvloop": uvloop_loop, "everloop": everloop_loop}[name]()
    count(kind)
    for each in replaces:
        module, _, attribute = each.rpartition(".")
        setattr(importlib.import_module(module), attribute, kind)


def stock_loop():
    return asyncio.SelectorEventLoop


def uvloop_loop():
    import uvloop

    install(uvloop)
    return uvloop.Loop


def everloop_loop():
    import everloop

    install(everloop)
    return everloop.EventLoop


def install(module):
    """Set the module's policy, which a test may undo by setting none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        module.install()
        policy = type(asyncio.get_event_loop_policy())
        for name in DEFAULT_POLICIES:
            if name in vars(asyncio):
                setattr(asyncio, name, policy)


def count(kind):
    make = kind.__init__

    @functools.wraps(make)
    def init(*args, **kwargs):
        Loops.made += 1
        make(*args, **kwargs)

    kind.__init__ = init
