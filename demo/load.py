"""The processes with the clients, and what they report."""

import argparse
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class Load:
    """Client processes; a thread waits for them and then calls ``done``, once."""

    def __init__(
        self,
        address: tuple[str, int],
        arguments: argparse.Namespace,
        done: Callable[[], object],
    ) -> None:
        self.reports: list[dict[str, Any]] = []
        self.failed = 0
        self._commands = [command(address, arguments, i) for i in range(arguments.processes)]
        self._done = done
        self._processes: list[subprocess.Popen[str]] = []
        self._thread = threading.Thread(target=self._wait)

    def start(self) -> None:
        for line in self._commands:
            self._processes.append(
                subprocess.Popen(
                    line,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        self._thread.start()

    def kill(self) -> None:
        """Make `done` be called soon."""
        for process in self._processes:
            process.kill()

    def stop(self) -> None:
        """Leave no process and no thread behind."""
        self.kill()
        if self._thread.is_alive():
            self._thread.join()

    def _wait(self) -> None:
        for process in self._processes:
            output, _ = process.communicate()
            if process.returncode == 0:
                self.reports.append(json.loads(output))
            else:
                self.failed += 1
        self._done()

    @property
    def lines(self) -> int:
        return sum(report["lines"] for report in self.reports)

    @property
    def sent(self) -> int:
        return sum(report["bytes"] for report in self.reports)

    @property
    def intact(self) -> int:
        """How many connections got back what they sent, by its checksum."""
        return sum(report["intact"] for report in self.reports)

    def latency(self, part: float) -> float:
        """The time, in seconds, within which this part of all lines came back."""
        times = sorted(time for report in self.reports for time in report["latencies"])
        return times[round(part * (len(times) - 1))] if times else 0.0


def command(address: tuple[str, int], arguments: argparse.Namespace, number: int) -> list[str]:
    """The command line of one client process."""
    host, port = address
    options = {
        "--connections": arguments.connections,
        "--lines": arguments.lines,
        "--seed": number * arguments.connections,
    }
    words = [sys.executable, "-m", "demo.client", host, str(port)]
    return words + [str(word) for option in options.items() for word in option]
