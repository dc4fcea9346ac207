"""The asyncio face: coroutines and their transports on a loop of watchers."""

from everloop import linked

linked.load(__name__)

# First, as modules that need each other are imported in the order that it asks for.
import everloop.aio.core
