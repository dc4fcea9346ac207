"""The measured process: runs some workloads of one peer, and writes a line of JSON for each.

A sample is taken between two calibration spins. If either was slow, the machine was, and the sample
is taken again, a few times at most.
"""

import argparse
import json
import os
import sys
import traceback
from typing import Any, TextIO

from benchmarks import peers, workloads
from benchmarks.cores import MEASURED, pin
from benchmarks.descriptors import raise_limit
from benchmarks.outcomes import Failed, Unavailable
from benchmarks.peers.peer import Peer
from benchmarks.timing import spin_ns
from benchmarks.workload import SCALES, Scale, Workload

# A spin that takes so much longer than usual shows a slow spell.
SLOW = 1.2


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("peer")
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--scale", choices=SCALES, required=True)
    parser.add_argument(
        "--spin", type=float, required=True, help="what a spin usually takes, in ns"
    )
    arguments = parser.parse_args()

    raise_limit()
    pin(MEASURED)
    results = _private_stdout()
    scale = SCALES[arguments.scale]()
    peer = peers.load(arguments.peer)
    for name in arguments.workloads:
        result = _sample(workloads.find(name), peer, scale, arguments.spin * SLOW)
        print(json.dumps({"workload": name, **result}), file=results, flush=True)


def _private_stdout() -> TextIO:
    """Standard output for the results alone; whatever else is printed goes to standard error."""
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return results


def _sample(workload: Workload, peer: type[Peer], scale: Scale, slow: float) -> dict[str, Any]:
    """The figures of one sample, or why there are none."""
    try:
        sample = _attempt(workload, peer, scale, slow)
        for _ in range(scale.retakes if workload.retaken else 0):
            if not sample["slow"]:
                break
            again = _attempt(workload, peer, scale, slow)
            sample = min(sample, again, key=lambda taken: max(taken["spins"]))
    except Unavailable as reason:
        return {"unavailable": str(reason)}
    except Failed as failure:
        return {"failed": str(failure)}
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}
    return sample


def _attempt(workload: Workload, peer: type[Peer], scale: Scale, slow: float) -> dict[str, Any]:
    """Take one sample, with a calibration spin before and after."""
    before = _spin()
    figures = workload.measure(peer, scale)
    spins = [before, _spin()]
    return {"figures": figures, "spins": spins, "slow": max(spins) > slow}


def _spin() -> int:
    """A calibration spin; the first one of two warms up."""
    return min(spin_ns(), spin_ns())


if __name__ == "__main__":
    main()
