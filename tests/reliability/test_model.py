"""The short form of model_run.py: random operations on watchers agree with the model."""

import pytest

from .model_run import BACKENDS, run_program


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", BACKENDS)
def test_random_operations_agree_with_the_model(name, seed):
    run_program(seed, name, 400)
