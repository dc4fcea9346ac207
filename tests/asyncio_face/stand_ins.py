"""Event loops with a fault each, to see that faults are reported. They load without everloop."""

import asyncio
import os
from typing import Any


class Wrong(asyncio.SelectorEventLoop):
    """Runs a delayed callback at once."""

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        return super().call_at(self.time(), callback, *args, **kwargs)


class Deaf(asyncio.SelectorEventLoop):
    """Never runs a delayed callback."""

    def call_at(self, when: float, callback: Any, *args: Any, **kwargs: Any) -> Any:
        return super().call_at(self.time() + 1e6, callback, *args, **kwargs)


class Crashing(asyncio.SelectorEventLoop):
    """Takes the whole process with it."""

    def call_at(self, *args: Any, **kwargs: Any) -> Any:
        os.abort()


class Leaking(asyncio.SelectorEventLoop):
    """Raises where nobody can catch it."""

    def close(self) -> None:
        super().close()
        Unraisable()


class Unraisable:
    def __del__(self) -> None:
        raise RuntimeError("left by a loop")
