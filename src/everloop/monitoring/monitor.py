"""Monitor: serves what a loop does and waits for, by HTTP, from a thread of its own.

It answers while the loop is stuck. Statistics need nothing of the loop's thread. Watchers and
tasks are looked at while nothing in the loop changes: with the GIL that is at once, without
it when the loop's thread is between two callbacks or waits.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

from everloop import Loop
from everloop.monitoring.prometheus import CONTENT_TYPE, exposed
from everloop.monitoring.sockets import listen_at, remove

LOCAL = "127.0.0.1"
# Seconds for a client to send its request.
PATIENCE = 10.0
# Seconds for the loop to let others look.
LOOK_LIMIT = 1.0


_T = TypeVar("_T")


class Busy(Exception):
    """The loop's thread has let nobody look for LOOK_LIMIT."""


class Monitor:
    """Serves what is to be seen of one loop, until `stop`. See `monitor`.

    address: where: a path, or the port.
    """

    def __init__(self, loop: Loop, where: str | int):
        self._loop: Any = loop
        self._server: UnixServer | PortServer = (
            UnixServer(where, self) if isinstance(where, str) else PortServer(where, self)
        )
        self.address: str | int = self._server.address
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="everloop monitor", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer, and remove the socket."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop()

    # What is served

    def statistics(self, limit: int) -> dict[str, Any]:
        return {**self._loop.statistics().as_dict(), **self._present()}

    def watchers(self, limit: int) -> list[dict[str, Any]]:
        ages = self._look(self._loop._active_since)
        oldest = sorted(ages, key=lambda pair: pair[1], reverse=True)[:limit]
        return self._look(lambda: [described(*pair) for pair in oldest])

    def tasks(self, limit: int) -> list[dict[str, Any]]:
        if "everloop.aio" not in sys.modules:
            return []
        from everloop.monitoring.tasks import tasks_of

        return self._look(lambda: tasks_of(self._loop, limit))

    def metrics(self, limit: int) -> str:
        return exposed(self._loop.statistics())

    def _present(self) -> dict[str, Any]:
        """What the loop's thread does at this moment."""
        _, idle, thread, _ = self._loop._observation()
        frame = sys._current_frames().get(thread) if not idle else None
        stack = traceback.extract_stack(frame) if frame else []
        return {
            "pid": os.getpid(),
            "loop": type(self._loop).__name__,
            "state": "waiting" if thread and idle else "running" if thread else "stopped",
            "stack": [f"{each.filename}:{each.lineno} in {each.name}" for each in stack],
        }

    def _look(self, function: Callable[[], list[_T]]) -> list[_T]:
        """Call a function while nothing in the loop changes. Raises Busy."""
        results: list[list[_T]] = []
        failures: list[BaseException] = []

        def look() -> None:
            try:
                results.append(self._loop._inside(function))
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        thread.join(LOOK_LIMIT)
        if failures:
            raise failures[0]
        if not results:
            raise Busy
        return results[0]


def described(watcher: Any, age: float) -> dict[str, Any]:
    callback = watcher.callback
    return {
        "kind": type(watcher).__name__,
        "descriptor": getattr(watcher, "fd", None),
        "callback": getattr(callback, "__qualname__", None) or (callback and repr(callback)),
        "age": age,
        "priority": watcher.priority,
        "pending": watcher.pending,
        "description": repr(watcher),
    }


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server_version = "everloop"
    sys_version = ""
    timeout = PATIENCE
    server: "UnixServer | PortServer"

    def do_GET(self) -> None:
        if not self.server.is_for(self.headers.get("Host")):
            self._answer(403, {"error": "only for clients of this machine"})
            return
        url = urlsplit(self.path)
        monitor = self.server.monitor
        views = {
            "/statistics": monitor.statistics,
            "/watchers": monitor.watchers,
            "/tasks": monitor.tasks,
            "/metrics": monitor.metrics,
        }
        if url.path not in views:
            self._answer(404, {"error": "no such view", "views": list(views)})
            return
        try:
            limit = int(parse_qs(url.query).get("limit", ["1000000"])[0])
            found = views[url.path](limit)
        except ValueError:
            self._answer(400, {"error": "limit must be a number"})
        except Busy:
            text = f"the loop has let nobody look for {LOOK_LIMIT:g} s"
            self._answer(503, {"error": text, **monitor._present()})
        else:
            self._answer(200, found)

    def _answer(self, status: int, content: Any) -> None:
        if isinstance(content, str):
            kind, body = CONTENT_TYPE, content
        else:
            kind, body = "application/json", json.dumps(content, default=repr) + "\n"
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        with contextlib.suppress(ConnectionError, TimeoutError):
            self.wfile.write(raw)

    def log_message(self, *arguments: Any) -> None:
        pass


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """At a path, for the owner of the process."""

    daemon_threads = True

    def __init__(self, path: str, monitor: Monitor):
        self.monitor = monitor
        self.address = path
        super().__init__(path, Handler)

    def server_bind(self) -> None:
        self._made = listen_at(self.socket, self.address)

    def server_close(self) -> None:
        super().server_close()
        if hasattr(self, "_made"):
            remove(self.address, self._made)

    def is_for(self, host: str | None) -> bool:
        return True

    def get_request(self) -> tuple[socket.socket, Any]:
        # BaseHTTPRequestHandler takes what it gets for a host and a port.
        request, _ = self.socket.accept()
        return request, ("local", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class PortServer(ThreadingMixIn, TCPServer):
    """At a port of 127.0.0.1."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, monitor: Monitor):
        self.monitor = monitor
        super().__init__((LOCAL, port), Handler)
        self.address: int = self.socket.getsockname()[1]

    def is_for(self, host: str | None) -> bool:
        """A web page in a browser of this machine asks for its own host, whatever that is now."""
        return host is None or host.partition(":")[0] in {LOCAL, "localhost"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def monitor(loop: Loop, where: "str | os.PathLike[str] | int") -> Monitor:
    """Serve what a loop does and waits for, to `python -m everloop top`, curl and Prometheus.

    where: the path of a Unix socket, which its owner alone may use; or a port of 127.0.0.1,
    which every user of the machine may: 0 for any that is free (`Monitor.address`).

    GET by HTTP: /statistics, /watchers (the oldest first) and /tasks give JSON, of up to
    ?limit= entries; /metrics is for Prometheus. A thread answers, while the loop is stuck, too;
    on a Python without the GIL /watchers and /tasks answer 503 then, with the loop's stack.

    Returns a `Monitor`, which is a context manager; call `Monitor.stop` in the end.

    Raises OSError: EADDRINUSE if somebody listens there already, EEXIST for a path of something
    else than a socket; TypeError for what is not a loop, a path or a port.
    """
    if not isinstance(loop, Loop):
        raise TypeError(f"loop must be a Loop, not {type(loop).__name__}")
    if isinstance(where, int):
        return Monitor(loop, where)
    path = os.fspath(where)
    if not isinstance(path, str):
        raise TypeError(f"where must be a path or a port, not {where!r}")
    return Monitor(loop, path)
