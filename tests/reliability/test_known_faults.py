"""What goes wrong on other loops is right on everloop's."""

import pytest

import everloop

from .known_faults import PROGRAMS, result


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_known_faults(program):
    assert result(program, everloop.new_event_loop) == "right"
