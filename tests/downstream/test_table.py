"""The table of the suites in the documentation."""

import pytest

from . import table

ROWS = [("anyio", "1", "10", "0", "-", "1", "1"), ("janus", "2", "20", "0", "-", "2", "2")]


def test_a_table_is_read_as_it_was_written():
    assert table.read(table.markdown(ROWS)) == ROWS


def test_new_rows_take_the_place_of_the_old_ones(tmp_path):
    document = tmp_path / "document.md"
    document.write_text(f"above\n{table.BEGIN}{table.END}below\n")
    table.write(ROWS[1:], document)
    new = (*ROWS[1][:5], "0", "0")
    table.write([new, ROWS[0]], document)
    expected = f"above\n{table.BEGIN}{table.markdown([ROWS[0], new])}{table.END}below\n"
    assert document.read_text() == expected


def test_a_document_has_to_have_a_place_for_the_table(tmp_path):
    document = tmp_path / "document.md"
    document.write_text("nothing\n")
    with pytest.raises(ValueError, match="has no place"):
        table.write(ROWS, document)
