"""The scenarios recorded from libev 4.33, each in a process of its own, on each backend."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from patience import patient

import everloop

HERE = Path(__file__).parent
BACKENDS = {
    "epoll": everloop.EVBACKEND_EPOLL,
    "poll": everloop.EVBACKEND_POLL,
    "select": everloop.EVBACKEND_SELECT,
}


def load_runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("runner", HERE / "conformance" / "run.py")
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner


def read_exceptions() -> dict[str, str]:
    """Scenario ids that differ on purpose, with the reason."""
    lines = (HERE / "conformance_exceptions.txt").read_text().splitlines()
    return dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))


def on_backend(bit: int) -> ModuleType:
    """everloop with another default: loops that ask for no backend get this one."""

    def with_bit(flags: int) -> int:
        return flags if flags & everloop.EVBACKEND_MASK else flags | bit

    class Loop(everloop.Loop):
        def __init__(self, flags=0, *args, **kwargs):
            super().__init__(with_bit(flags), *args, **kwargs)

    def default_loop(flags=0, *args, **kwargs):
        return everloop.default_loop(with_bit(flags), *args, **kwargs)

    module = ModuleType("everloop_on_one_backend")
    vars(module).update(vars(everloop), Loop=Loop, default_loop=default_loop)
    return module


runner = load_runner()
scenarios = runner.load_scenarios(HERE / "conformance" / "scenarios")
expected = json.loads((HERE / "conformance" / "expected.json").read_text())
exceptions = read_exceptions()
sys.path.remove(str(HERE / "conformance" / "scenarios"))


def test_every_scenario_has_a_recording():
    assert set(scenarios) == set(expected)
    assert set(exceptions) <= set(expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scenario", [name for name in scenarios if name not in exceptions])
def test_as_recorded(scenario, backend):
    # Some have timers that are 0.01 s apart: a machine that is busy just then makes them one.
    for _attempt in range(3):
        trace = runner.run_one(
            scenarios[scenario], on_backend(BACKENDS[backend]), timeout=patient(60.0)
        )
        difference = runner.first_difference(expected[scenario], trace)
        if difference is None:
            break
    assert difference is None
