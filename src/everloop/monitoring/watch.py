"""python -m everloop watch: what a monitor serves, line by line."""

import json
import sys
import time

from everloop.monitoring.client import NoAnswer, fetch
from everloop.monitoring.rates import rates, scaled, span, utilisation


def watch(where: str, as_json: bool, interval: float, count: int | None) -> int:
    """Print a line each interval, count times or for ever; returns the exit status."""
    before = None
    try:
        while count is None or count > 0:
            now = fetch(where, "/statistics")
            if as_json:
                print(json.dumps(now), flush=True)
            else:
                print(line_of(now, now if before is None else before), flush=True)
            before = now
            if count is not None:
                count -= 1
            if count != 0:
                time.sleep(interval)
    except NoAnswer as error:
        print(f"everloop: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def line_of(now: dict, before: dict) -> str:
    grown = rates(now, before)
    return (
        f"{now['loop']} {now['pid']} {now['state']}"
        f"  busy {utilisation(now, before):4.0%}"
        f"  callbacks {scaled(grown['callbacks'])}/s"
        f"  in {scaled(grown['bytes_received'], 'B')}/s"
        f"  out {scaled(grown['bytes_sent'], 'B')}/s"
        f"  ready {now['ready']}  timers {now['timers']}  transports {now['transports']}"
        f"  late p99 {span(now['timer_lateness']['p99'])}"
        f"  callback p99 {span(now['callback_duration']['p99'])}"
    )
