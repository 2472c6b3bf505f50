"""Rows in COPY's text format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.backups.dumps.copy_text import field_of, fields, value_of

VALUES = st.none() | st.binary().filter(lambda value: b"\0" not in value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(b"", b"", id="nothing is the empty text"),
        pytest.param(b"\\N", None, id="backslash N alone is NULL"),
        pytest.param(b"\\\\N", b"\\N", id="an escaped backslash before N is text"),
        pytest.param(b"N", b"N", id="N alone is text"),
        pytest.param(rb"\b\f\n\r\t\v", b"\b\f\n\r\t\v", id="letters stand for control characters"),
        pytest.param(rb"a\\nb", b"a\\nb", id="an escaped backslash before a letter"),
        pytest.param(rb"\\\\", b"\\\\", id="two backslashes"),
        pytest.param(rb"\x41\x4z", b"A\x04z", id="one or two hexadecimal digits"),
        pytest.param(rb"\101\8\60", b"A80", id="one to three octal digits"),
        pytest.param(rb"\x", b"x", id="x without digits is x"),
        pytest.param(rb"\q\.", b"q.", id="any other character stands for itself"),
        pytest.param("数据".encode(), "数据".encode(), id="text in UTF-8"),
        pytest.param(rb"\\x00ff", rb"\x00ff", id="bytea as the server writes it"),
    ],
)
def test_a_field_holds_its_value(field: bytes, value: bytes | None) -> None:
    assert value_of(field) == value


@given(st.lists(VALUES, min_size=1))
def test_values_written_as_a_row_are_read_again(values: list[bytes | None]) -> None:
    line = b"\t".join(map(field_of, values))
    assert b"\n" not in line
    assert [value_of(field) for field in fields(line)] == values


@given(VALUES)
def test_only_null_is_read_as_null(value: bytes | None) -> None:
    assert (field_of(value) == b"\\N") == (value is None)
