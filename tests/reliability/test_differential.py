"""The short form of differential.py, and what it has found."""

import gc
import logging
import warnings

import pytest

from .differential import difference
from .programs import Generator

BLOCK = 200


@pytest.fixture(autouse=True)
def calm(caplog):
    """Loops that end with calls left are part of the programs."""
    caplog.set_level(logging.CRITICAL, "asyncio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


@pytest.mark.parametrize("first", range(0, 5 * BLOCK, BLOCK))
def test_random_programs_see_what_they_see_on_asyncio(first):
    for seed in range(first, first + BLOCK):
        assert difference(Generator(seed).program()) is None, f"seed {seed}"


FOUND = {
    "reader_replaced_when_ready": [
        [("pair", "tcp")],
        [("close_socket", 2), ("add_reader", 0, 300_000, [])],
        [("add_reader", 7, 7, [])],
    ],
    "reader_comes_before_writer": [
        [("pair", "unix")],
        [],
        [],
        [("add_writer", 5, [("close_socket", 6), ("add_reader", 2, 3000, [])])],
    ],
    "large_data_in_one_piece": [
        [("pair", "unix")],
        [("add_writer", 6, [("send", 5, 300_000)])],
        [("pair", "tcp")],
        [("transport", 6, "keep_open", [])],
    ],
    "lost_in_the_turn_of_the_last_byte": [
        [
            ("pair", "unix"),
            ("transport", 5, "buffered", [("made", 0, [("write", -1, 300_000)])]),
        ],
        [("shutdown", 5), ("add_reader", 4, 300_000, [])],
    ],
    "end_of_a_reset_connection": [
        [("pair", "tcp"), ("transport", 0, "plain", [])],
        [],
        [],
        [],
        [],
        [("reset", 0), ("write_eof", -1)],
    ],
}


@pytest.mark.parametrize("program", FOUND.values(), ids=FOUND)
def test_found(program):
    assert difference(program) is None
