"""python -m everloop top: a live view of a loop in the terminal."""

import re
import sys
import time
from collections.abc import Callable
from typing import Any

from everloop.monitoring.client import NoAnswer, fetch
from everloop.monitoring.rates import COUNTERS, event_rates, rates, scaled, span, utilisation

try:
    from rich.console import Console, Group, RenderableType
    from rich.live import Live
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text
except ImportError as error:
    raise NoAnswer(
        "the live view needs the package rich: pip install 'everloop[monitor]'"
    ) from error

# How many tasks and watchers are shown.
SHOWN = 8
BLOCKS = " ▁▂▃▄▅▆▇█"


def top(where: str, interval: float, count: int | None) -> int:
    """Show the view until Ctrl-C, or count times; returns the exit status."""
    view = View(where)
    try:
        with Live(view.drawn(), screen=True, auto_refresh=False) as live:
            while count is None or count > 0:
                time.sleep(interval)
                live.update(view.drawn(), refresh=True)
                count = count if count is None else count - 1
    except KeyboardInterrupt:
        pass
    return 0


def picture(where: str, interval: float, path: str) -> int:
    """Write the view into an SVG file; returns the exit status."""
    view = View(where)
    view.drawn()
    time.sleep(interval)
    with open("/dev/null", "w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(view.drawn())
        drawn = console.export_svg(title=f"python -m everloop top {where}")
    with open(path, "w") as file:
        # No fonts from elsewhere: what looks at it has one.
        file.write(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))
    print(f"{path} written", file=sys.stderr)
    return 0


class View:
    """What is drawn, from one look at the monitor to the next."""

    def __init__(self, where: str):
        self._where = where
        self._before: dict[str, Any] | None = None

    def drawn(self) -> "RenderableType":
        """The view of now. Raises NoAnswer when there is no monitor any more."""
        now = fetch(self._where, "/statistics")
        before = self._before or now
        self._before = now
        return Group(
            headline(now, before),
            side_by_side(counters(now, before), events(now, before), queues(now)),
            side_by_side(
                histogram("timers late", now["timer_lateness"]),
                histogram("callbacks took", now["callback_duration"]),
            ),
            self._list("tasks", f"/tasks?limit={SHOWN}", task_row),
            self._list("watchers, oldest first", f"/watchers?limit={SHOWN}", watcher_row),
            *stuck(now),
        )

    def _list(
        self, title: str, view: str, row: Callable[[dict[str, Any]], tuple[str, ...]]
    ) -> "RenderableType":
        try:
            found = fetch(self._where, view)
        except NoAnswer as error:
            return Panel(str(error), title=title, title_align="left", border_style="red")
        table = Table.grid(padding=(0, 2))
        for each in found:
            table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row(each)))
        return Panel(table, title=title, title_align="left", border_style="dim")


def headline(now: dict[str, Any], before: dict[str, Any]) -> "RenderableType":
    busy = utilisation(now, before)
    colour = "red" if busy > 0.9 else "yellow" if busy > 0.6 else "green"
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(f"{now['loop']} of process {now['pid']}", style="bold"),
        Text(now["state"], style="cyan"),
        Text(f"{now['seconds']:,.0f} s old"),
        Text(f"busy {busy:4.0%}", style=colour),
        ProgressBar(total=1.0, completed=busy, width=24, complete_style=colour),
    )
    return table


def counters(now: dict[str, Any], before: dict[str, Any]) -> "RenderableType":
    grown = rates(now, before)
    return numbers("a second", [(title, scaled(grown[name])) for name, title in COUNTERS.items()])


def events(now: dict[str, Any], before: dict[str, Any]) -> "RenderableType":
    grown = event_rates(now, before)
    most = sorted(grown, key=lambda kind: (-now["events"][kind], kind))[: len(COUNTERS)]
    return numbers("events a second", [(kind, scaled(grown[kind])) for kind in most])


def queues(now: dict[str, Any]) -> "RenderableType":
    names = ("ready", "ready_most", "pending", "pending_most", "timers", "descriptors")
    rows = [(name.replace("_", ", "), str(now[name])) for name in (*names, "watchers")]
    return numbers("now", [*rows, ("transports", str(now["transports"]))])


def numbers(title: str, rows: list[tuple[str, str]]) -> "RenderableType":
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column()
    table.add_column(justify="right", style="bold")
    for row in rows:
        table.add_row(*row)
    return Panel(table, title=title, title_align="left", border_style="dim")


def histogram(title: str, found: dict[str, Any]) -> "RenderableType":
    """Its quantiles, and a bar for each bucket up to the last one that has any."""
    counts = found["counts"]
    used = max((place for place, count in enumerate(counts) if count), default=0) + 1
    highest = max(counts) or 1
    bars = "".join(BLOCKS[-(-count * 8 // highest)] for count in counts[:used])
    quantiles = "  ".join(f"{name} {span(found[name])}" for name in ("p50", "p90", "p99"))
    text = Text(f"{quantiles}  of {scaled(found['count'])}\n")
    text.append(bars, style="green")
    text.append(f" up to {span(found['bounds'][min(used, len(found['bounds'])) - 1])}", "dim")
    return Panel(text, title=title, title_align="left", border_style="dim")


def side_by_side(*views: "RenderableType") -> "RenderableType":
    table = Table.grid(expand=True)
    for _ in views:
        table.add_column(ratio=1)
    table.add_row(*views)
    return table


def task_row(task: dict[str, Any]) -> tuple[str, ...]:
    where = task["stack"][-1] if task["stack"] else ""
    return task["name"], task["coroutine"], where.rpartition("/")[2]


def watcher_row(watcher: dict[str, Any]) -> tuple[str, ...]:
    return span(watcher["age"]), watcher["description"]


def stuck(now: dict[str, Any]) -> "list[RenderableType]":
    """What the loop's thread does, if it does not wait."""
    if not now["stack"]:
        return []
    text = "\n".join(now["stack"][-SHOWN:])
    return [Panel(Text(text), title="running", title_align="left", border_style="yellow")]
