"""python -m everloop: the report, for people and for programs."""

import json
import pathlib
import platform
import subprocess
import sys

import pytest
from patience import patient

import everloop
from everloop.__main__ import main
from everloop.features import BACKENDS, collect


@pytest.fixture
def run_module(monkeypatch):
    package = pathlib.Path(everloop.__file__).parent.parent
    monkeypatch.setenv("PYTHONPATH", str(package))

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "everloop", *arguments],
            capture_output=True,
            text=True,
            timeout=patient(60),
        )

    return run


def test_json_report_is_what_was_found(run_module):
    result = run_module("--json")
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert report == collect()
    assert report["version"] == everloop.__version__
    assert report["abi"] == "4.33"
    assert report["python"].startswith(platform.python_version())


def test_json_report_tells_of_each_backend_what_the_module_says(run_module):
    backends = json.loads(run_module("--json").stdout)["backends"]
    assert set(backends) == set(BACKENDS)
    for name, bit in BACKENDS.items():
        assert backends[name]["compiled"] == bool(everloop.supported_backends() & bit)
        assert backends[name]["recommended"] == bool(everloop.recommended_backends() & bit)
        assert backends[name]["embeddable"] == bool(everloop.embeddable_backends() & bit)
        assert backends[name]["works"] <= backends[name]["compiled"]


def test_plain_report_has_a_line_for_each_backend_and_feature(run_module):
    result = run_module()
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"everloop {everloop.__version__} (interface of libev 4.33)"
    told = [line.split() for line in lines if line.startswith("  ")]
    report = collect()
    yes_or_no = {True: "yes", False: "no"}
    order = ("compiled", "works", "recommended", "embeddable")
    backends = [
        [name, *(yes_or_no[facts[key]] for key in order)]
        for name, facts in report["backends"].items()
    ]
    kernel = [[name, yes_or_no[found]] for name, found in report["kernel"].items()]
    assert told == backends + kernel


def test_environment_does_not_change_the_report(run_module, monkeypatch):
    monkeypatch.setenv("LIBEV_FLAGS", str(everloop.EVBACKEND_SELECT))
    result = run_module("--json")
    monkeypatch.delenv("LIBEV_FLAGS")
    assert json.loads(result.stdout) == collect()


def test_unknown_options_are_refused(run_module):
    result = run_module("--yaml")
    assert result.returncode == 2
    assert "--yaml" in result.stderr
    assert result.stdout == ""


def test_help_names_the_module(run_module):
    result = run_module("--help")
    assert result.returncode == 0
    assert "python -m everloop" in result.stdout


def test_main_returns_the_exit_status(capsys):
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["abi"] == "4.33"
    assert main([]) == 0
    assert "backends" in capsys.readouterr().out


def test_a_backend_that_is_not_compiled_does_not_work(capsys):
    backends = collect()["backends"]
    assert backends["epoll"]["works"] is True
    assert backends["kqueue"] == dict.fromkeys(backends["kqueue"], False)
