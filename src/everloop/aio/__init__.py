"""The asyncio face: coroutines and their transports on a loop of watchers."""

import everloop.aio._compiled as _compiled

# First, as modules that need each other are imported in the order that it asks for.
from everloop.aio import core
