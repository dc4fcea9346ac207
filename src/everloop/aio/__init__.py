"""The asyncio face: coroutines and their transports on a loop of watchers."""
