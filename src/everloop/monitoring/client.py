"""Client: gets what a monitor serves."""

import http.client
import json
import socket
from typing import Any

# Seconds until an answer must be there.
PATIENCE = 10.0


class NoAnswer(Exception):
    """Nothing was got, and why."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP by a Unix socket."""

    def __init__(self, path: str):
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def fetch(where: str, view: str) -> Any:
    """What a monitor serves as view: read from JSON.

    where: the path of its socket, or its port. Raises NoAnswer.
    """
    connection = (
        http.client.HTTPConnection("127.0.0.1", int(where), timeout=PATIENCE)
        if where.isdecimal()
        else UnixConnection(where)
    )
    try:
        connection.request("GET", view)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"no monitor answers at {where}: {error}") from error
    finally:
        connection.close()
    try:
        found = json.loads(content)
    except ValueError as error:
        raise NoAnswer(f"what answers at {where} is no monitor of everloop's") from error
    if answer.status != 200:
        raise NoAnswer(str(found.get("error", answer.reason)))
    return found
