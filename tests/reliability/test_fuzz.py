"""The inputs that fuzz_run.py has kept: what was wrong once, and what leads to other code."""

import contextlib
import shutil
import sys
import warnings

import pytest

from .fuzz_run import TARGETS, kept

needed = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@needed
@pytest.mark.parametrize("target", TARGETS)
def test_corpus(target, monkeypatch):
    inputs = kept(target)
    assert inputs
    monkeypatch.setattr(sys, "unraisablehook", lambda report: None)
    with warnings.catch_warnings(), contextlib.redirect_stderr(None):
        warnings.simplefilter("ignore")
        for path in inputs:
            TARGETS[target](path.read_bytes())
