"""The asyncio face of everloop: what an asyncio event loop has to do, CPython's own tests included."""
