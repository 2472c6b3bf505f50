"""Rows as JSON Lines, and keys as they stand in a cursor.

One object per row and line (RFC 8259, UTF-8, no space), every column under its name in the table's order:

| value | in JSON |
|---|---|
| NULL | `null` |
| truth, text | `true`, `false`, a string |
| integer | a number; a string beyond ±(2^53 − 1), which not every reader gets right (RFC 7493, 2.2) |
| floating point | a number; the strings `NaN`, `Infinity`, `-Infinity` for what is none |
| decimal | a string, `"12.50"`, without an exponent |
| date, time, instant | a string, ISO 8601, with its offset where the column keeps one (MariaDB's TIMESTAMP is UTC) |
| MariaDB's TIME | a string, `"-12:30:00"`, with microseconds where there are any |
| UUID | a string |
| bytes | `{"base64": "…"}` (RFC 4648, section 4) |
| anything else (JSON, arrays, networks, ranges …) | a string, as the database writes it |
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from storage_adapters.sql.names import EXACT_IN_JSON, Key

Json = str | int | float | dict[str, str] | None


def line(columns: Sequence[str], values: Sequence[object]) -> bytes:
    """The row as one line of JSON with its line feed. Raises TypeError for a value of a kind that has no form here."""
    row = {column: _json(value) for column, value in zip(columns, values, strict=True)}
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _json(value: object) -> Json:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -EXACT_IN_JSON <= value <= EXACT_IN_JSON else str(value)
        case float():
            return value if math.isfinite(value) else _no_number(value)
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _clock(value)
        case bytes() | bytearray() | memoryview():
            return {"base64": b64encode(value).decode()}
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"no form for a {type(value).__name__}")


def _no_number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _clock(value: timedelta) -> str:
    """As MariaDB writes a TIME; its hours may go beyond a day."""
    seconds, microseconds = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f".{microseconds:06}" if microseconds else ""
    return f"{'-' if value < timedelta() else ''}{text}{fraction}"


# ---------------------------------------------------------------------------------------------------- keys

_Tagged = dict[str, str]
KeyJson = list[str | int | float | _Tagged]

_KINDS: dict[str, tuple[type, Callable[..., str], Callable[[str], object]]] = {
    "bytes": (bytes, lambda value: b64encode(value).decode(), b64decode),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
}


def key_json(key: Key) -> KeyJson:
    """The key's values so that `key_of` gives them back as they were. Raises TypeError for a kind that has no form."""
    return [_tagged(value) for value in key]


def key_of(found: object) -> Key:
    """The key that `key_json` has written. Raises ValueError, KeyError or TypeError for what it has not."""
    if not isinstance(found, list):
        raise TypeError("a key is a list")
    return tuple(_untagged(value) for value in found)


def _tagged(value: object) -> str | int | float | _Tagged:
    if isinstance(value, str | int | float):
        return value
    for tag, (kind, write, _) in _KINDS.items():
        if type(value) is kind:
            return {tag: write(value)}
    raise TypeError(f"no form for a key of {type(value).__name__}")


def _untagged(value: object) -> object:
    if isinstance(value, str | int | float):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise TypeError("no value of a key")
    [(tag, text)] = value.items()
    return _KINDS[tag][2](text)
