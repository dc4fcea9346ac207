"""How fast the numbers of two snapshots grow, for those that show them."""

from typing import Any

# What is shown a second, and what it is called.
COUNTERS = {
    "passes": "passes",
    "polls": "polls",
    "blocked_waits": "blocked waits",
    "wakeups": "wake-ups",
    "callbacks": "callbacks",
    "calls": "asyncio's calls",
    "transports_made": "new transports",
    "bytes_received": "bytes in",
    "bytes_sent": "bytes out",
}


def rates(now: dict[str, Any], before: dict[str, Any]) -> dict[str, float]:
    """How much each counter grew in a second, from one answer of /statistics to another."""
    seconds = max(now["time"] - before["time"], 1e-9)
    return {name: (now[name] - before[name]) / seconds for name in COUNTERS}


def event_rates(now: dict[str, Any], before: dict[str, Any]) -> dict[str, float]:
    """The same of each kind of event."""
    seconds = max(now["time"] - before["time"], 1e-9)
    then = before["events"]
    return {kind: (count - then[kind]) / seconds for kind, count in now["events"].items()}


def utilisation(now: dict[str, Any], before: dict[str, Any]) -> float:
    """The share of the time in between that the loop was busy."""
    busy = now["busy"] - before["busy"]
    total = busy + now["blocked"] - before["blocked"]
    return min(max(busy / total, 0.0), 1.0) if total > 0.0 else 0.0


def scaled(value: float, unit: str = "") -> str:
    """A number in four figures or less: 12.3k, 4.5M."""
    prefixes = ["", "k", "M", "G", "T"]
    while abs(value) >= 1000.0 and len(prefixes) > 1:
        value /= 1000.0
        del prefixes[0]
    digits = 0 if value >= 100.0 or value == int(value) else 1
    return f"{value:.{digits}f}{prefixes[0]}{unit}"


def span(seconds: float) -> str:
    """A length of time, in a unit that suits it."""
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
