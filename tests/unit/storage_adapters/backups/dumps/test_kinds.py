"""Which fields name a customer, and which values are one."""

from __future__ import annotations

import pytest

from storage_adapters.backups.dumps.kinds import canon_of, customer_in, named_in, shared_canon
from storage_adapters.contract import KeyValue


@pytest.mark.parametrize(
    ("kind", "customer", "field", "is_the_customer"),
    [
        pytest.param("text", "c-1", b"c-1", True, id="text equals itself"),
        pytest.param("text", "c-1", b"c-1 ", False, id="a blank in text counts"),
        pytest.param("text", "c-1", b"C-1", False, id="capitals count"),
        pytest.param("public.citext", "c-1", b"C-1", False, id="capitals count in citext too"),
        pytest.param("character varying(9)", "c\t1", rb"c\t1", True, id="text is compared unescaped"),
        pytest.param("character(6)", "c-1", b"c-1   ", True, id="the server's own blanks do not count"),
        pytest.param("character(6)", "c-1 ", b"c-1   ", False, id="blanks of the customer match no padded value"),
        pytest.param("text", "\\N", b"\\N", False, id="NULL is nobody"),
        pytest.param("bigint", "7", b"7", True, id="an integer"),
        pytest.param("bigint", "07", b"7", False, id="an integer written otherwise is nobody"),
        pytest.param("uuid", "00000000-0000-0000-0000-00000000000a", b"00000000-0000-0000-0000-00000000000a", True,
                     id="a UUID"),
        pytest.param("uuid", "x", b"00000000-0000-0000-0000-00000000000a", False, id="no UUID is nobody"),
        pytest.param("bytea", "c1", rb"\\x6331", True, id="bytes that spell the customer"),
    ],
)  # fmt: skip
def test_a_field_names_the_customer_only_exactly(kind: str, customer: str, field: bytes, is_the_customer: bool) -> None:
    found = customer_in(kind, customer)
    assert found is not None
    canon, wanted = found
    assert (wanted is not None and canon(field) == wanted) is is_the_customer


@pytest.mark.parametrize("kind", ["jsonb", "double precision", "text[]", "numeric(8,2)", "public.mood"])
def test_some_types_name_no_customer(kind: str) -> None:
    assert customer_in(kind, "7") is None


@pytest.mark.parametrize(
    ("kind", "other", "mine", "theirs", "is_one"),
    [
        pytest.param("numeric", "numeric(8,2)", b"7", b"7.00", True, id="numbers with and without decimals"),
        pytest.param("integer", "numeric", b"100", b"100", True, id="an integer and a number"),
        pytest.param("numeric", "numeric", b"-0.0", b"0", True, id="zeros"),
        pytest.param("numeric", "numeric", b"1" * 60 + b".10", b"1" * 60 + b".1", True, id="many digits"),
        pytest.param("numeric", "numeric", b"1" * 60 + b"1", b"1" * 60 + b"2", False, id="the last of many digits"),
        pytest.param("numeric", "numeric", b"NaN", b"NaN", True, id="no number"),
        pytest.param("character(3)", "character varying(9)", b"ab ", b"ab", True, id="padded and not"),
        pytest.param("text", "text", b"ab ", b"ab", False, id="blanks in text"),
        pytest.param("citext", "citext", b"Ab", b"aB", True, id="capitals in citext"),
    ],
)
def test_a_foreign_key_is_followed_by_value(kind: str, other: str, mine: bytes, theirs: bytes, is_one: bool) -> None:
    canon = shared_canon(kind, other)
    assert canon is not None
    assert (canon(mine) == canon(theirs)) is is_one
    assert canon(b"\\N") is None


@pytest.mark.parametrize("kind", ["interval", "integer[]", "jsonb", "time with time zone"])
def test_values_of_many_spellings_are_not_compared(kind: str) -> None:
    assert canon_of(kind) is None
    assert shared_canon(kind, "text") is None


@pytest.mark.parametrize(
    ("kind", "value", "field"),
    [
        pytest.param("integer", 7, b"7", id="an integer"),
        pytest.param("text", "a\\b", rb"a\\b", id="a text"),
        pytest.param("bytea", "00ff", rb"\\x00ff", id="bytes in hexadecimal"),
        pytest.param("numeric(8,2)", "7.5", b"7.50", id="a number"),
        pytest.param("date", "2026-01-31", b"2026-01-31", id="a date"),
    ],
)
def test_a_key_is_found_as_items_name_it(kind: str, value: KeyValue, field: bytes) -> None:
    found = named_in(kind, value)
    assert found is not None
    assert found[0](field) == found[1]
