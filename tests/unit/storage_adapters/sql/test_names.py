"""Names of rows and tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from sqlalchemy import types

from storage_adapters.contract import ItemKind
from storage_adapters.sql.dialect import Declared, DeclaredText
from storage_adapters.sql.names import RowNames, TableName, in_name, integer_of, key_from, readings


def test_a_row_is_named_by_table_and_key_in_canonical_json() -> None:
    item = RowNames("session", ["id"], hidden=False).item((7,))
    assert (item.kind, item.name) == (ItemKind.ROW, '{"key":{"id":7},"table":"session"}')


def test_a_hidden_row_has_a_name_of_its_own() -> None:
    item = RowNames("session", ["id"], hidden=True).item((7,))
    assert (item.kind, item.name) == (ItemKind.TOMBSTONE, '{"hidden":true,"key":{"id":7},"table":"session"}')


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        pytest.param(["b", "a"], (1, "x"), id="columns are sorted"),
        pytest.param(["\U0001f600", "\ufb33"], (1, 2), id="sorted by UTF-16 as the RFC says"),
        pytest.param(
            ['q"', "é\\", "a\nb"], ('"', "\\", "\x07\t\u2028"), id="quotes and control characters are escaped"
        ),
    ],
)
def test_a_name_is_what_the_rfc_makes_of_it(columns: list[str], key: tuple[int | str, ...]) -> None:
    expected = rfc8785.dumps({"table": 't"1', "key": dict(zip(columns, key, strict=True))})
    assert RowNames('t"1', columns, hidden=False).item(key).name.encode() == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("x", "x", id="text"),
        pytest.param(7, 7, id="an integer"),
        pytest.param(True, 1, id="a truth value is an integer"),
        pytest.param(2**60, str(2**60), id="an integer that JSON readers round is text"),
        pytest.param(b"\x00\xff", "00ff", id="bytes are hexadecimal"),
        pytest.param(Decimal("1.50"), "1.50", id="a decimal keeps its digits"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="a UUID"),
        pytest.param(date(2026, 1, 2), "2026-01-02", id="a date"),
        pytest.param(datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00", id="an instant"),
        pytest.param(timedelta(days=1, seconds=2), "1 day, 0:00:02", id="a duration"),
        pytest.param(1.5, "1.5", id="a float"),
    ],
)
def test_a_value_stands_in_a_name_as_text_or_integer(value: object, text: str | int) -> None:
    assert in_name(value) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param("7", DeclaredText("text"), id="text of digits"),
        pytest.param(7, types.BigInteger(), id="an integer"),
        pytest.param(2**60, types.BigInteger(), id="a large integer"),
        pytest.param(7, types.Numeric(scale=0), id="a decimal without fraction"),
        pytest.param(b"\x00\xff", types.LargeBinary(), id="bytes"),
        pytest.param(UUID(int=1), types.Uuid(), id="a UUID"),
        pytest.param("2026-01-02", Declared("date"), id="what only the database can read"),
    ],
)
def test_what_a_name_says_is_read_back_as_the_same_key(value: object, kind: types.TypeEngine[Any]) -> None:
    assert key_from({"k": in_name(value)}, {"k": kind}) == (value,)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param("seven", types.Integer(), id="a word is no integer"),
        pytest.param("07", types.Integer(), id="a leading zero is another spelling"),
        pytest.param("zz", types.LargeBinary(), id="no hexadecimal"),
        pytest.param("x", types.Uuid(), id="no UUID"),
    ],
)
def test_a_value_that_its_column_cannot_hold_names_no_row(value: str, kind: types.TypeEngine[Any]) -> None:
    assert key_from({"k": value}, {"k": kind}) is None


def test_a_row_named_by_other_columns_than_its_key_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="key columns"):
        key_from({"name": "x"}, {"id": types.Integer()})


@pytest.mark.parametrize("text", ["07", "+7", "-0", " 7", "7 ", "7.0", "", "٧", "1e3", "1_000"])
def test_an_integer_has_one_spelling(text: str) -> None:
    assert integer_of(text) is None


def test_every_reading_of_a_dotted_name_is_considered() -> None:
    assert readings("a.b.c", "d") == [TableName("d", "a.b.c"), TableName("a", "b.c"), TableName("a.b", "c")]
    assert readings(".a.", "d") == [TableName("d", ".a.")]
