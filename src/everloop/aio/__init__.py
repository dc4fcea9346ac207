"""The asyncio face: coroutines and their transports on a loop of watchers.

EventLoop is Core, compiled, with the mixins, which are plain Python. calls/ knows the
loop below only, descriptors/ knows calls/, transports/ knows both, mixins/ none but
transports/. Nothing below aio/ knows of it; the standard library's private names are
in stdlib.py and nowhere else.
"""

try:
    import everloop.aio._compiled as _compiled
except ImportError as error:
    from everloop.unusable import explained

    raise explained(error, __file__) from error

# First, as modules that need each other are imported in the order that it asks for.
from everloop.aio import core
