"""How tables and rows are named: in policies, in items, and in what is said to people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.types import TypeEngine

from storage_adapters.contract import Item, ItemKind, KeyValue

Key = tuple[object, ...]
"""The values of a row's key columns, as the driver gives and takes them."""

EXACT_IN_JSON = 2**53 - 1
"""The largest integer that every reader of JSON gets right. Source: RFC 7493 (I-JSON), 2.2."""

LARGEST_INTEGER = 2**63 - 1

_INTEGER = re.compile(r"0|-?[1-9][0-9]*")


class TableName(NamedTuple):
    """A table by schema (on MariaDB: database) and name, both as the database stores them."""

    schema: str
    name: str

    def label(self, default_schema: str) -> str:
        """`table` in the default schema, `schema.table` elsewhere."""
        return self.name if self.schema == default_schema else f"{self.schema}.{self.name}"


def readings(name: str, default_schema: str) -> list[TableName]:
    """Every table that a policy's `table` or `schema.table` can mean; names may themselves hold dots."""
    dots = [at for at, character in enumerate(name) if character == "." and 0 < at < len(name) - 1]
    return [TableName(default_schema, name), *(TableName(name[:at], name[at + 1 :]) for at in dots)]


class RowNames:
    """Names rows of one table: `{"key":{"id":7},"table":"session"}`, with `"hidden":true` in front for tombstones.

    The form is canonical JSON (RFC 8785). Integers that JSON readers would round, and values that are neither text
    nor integers, are given as text.
    """

    def __init__(self, label: str, key_columns: Sequence[str], *, hidden: bool) -> None:
        self._kind = ItemKind.TOMBSTONE if hidden else ItemKind.ROW
        self._head = '{"hidden":true,"key":' if hidden else '{"key":'
        self._tail = f',"table":{encode_basestring(label)}}}'
        # RFC 8785 sorts by UTF-16 code units
        by_name = sorted(enumerate(key_columns), key=lambda each: each[1].encode("utf-16-be"))
        self._fields = [(f"{encode_basestring(name)}:", at) for at, name in by_name]

    def item(self, key: Key) -> Item:
        """The item that stands for the row with this key. Databases tell neither size nor time of writing."""
        fields = ",".join([name + _in_json(in_name(key[at])) for name, at in self._fields])
        return Item(self._kind, f"{self._head}{{{fields}}}{self._tail}")


def in_name(value: object) -> KeyValue:
    """A key's value as it stands in a name: integers and text as they are, everything else as text."""
    match value:
        case str():
            return value
        case int():
            return int(value) if -EXACT_IN_JSON <= value <= EXACT_IN_JSON else str(int(value))
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _in_json(value: KeyValue) -> str:
    return encode_basestring(value) if isinstance(value, str) else str(value)


def integer_of(text: str) -> int | None:
    """The integer that is written exactly so, without plus, spaces, leading zeros or `-0`; None for all other text."""
    return int(text) if _INTEGER.fullmatch(text) and len(text) <= 40 else None


def key_from(
    named: Mapping[str, KeyValue], types: Mapping[str, TypeEngine[Any]], largest_integer: int = LARGEST_INTEGER
) -> Key | None:
    """The key whose columns have these types, from values as `in_name` writes them, in the order of `types`.

    None where a value can be no value of its column, so that there is no such row. Raises ValueError where the
    columns are not just the key's: then the caller means something else.
    """
    if set(named) != set(types):
        raise ValueError(f"a row is named by its key columns {sorted(types)}, not by {sorted(named)}")
    values = [_from_name(named[column], kind) for column, kind in types.items()]
    is_possible = all(
        value is not None and not (isinstance(value, int) and abs(value) > largest_integer) for value in values
    )
    return tuple(values) if is_possible else None


def _from_name(value: KeyValue, kind: TypeEngine[Any]) -> object | None:
    try:
        read = _READERS.get(kind.python_type, str)
    except NotImplementedError:  # only the database knows how its values are written
        read = str
    try:
        return read(str(value))
    except ValueError:
        return None


_READERS: dict[type, Callable[[str], object]] = {
    int: integer_of,
    bytes: bytes.fromhex,
    Decimal: integer_of,
    UUID: UUID,
}
"""For other types the database reads the text itself."""
