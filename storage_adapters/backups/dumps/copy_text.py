"""PostgreSQL's COPY text format: rows as lines, columns between tabs.

Source: PostgreSQL documentation, COPY, "Text Format".
"""

from __future__ import annotations

import re

END = b"\\."
"""The line that ends the rows."""

NULL = b"\\N"

_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)
_LETTERS = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_TO_ESCAPE = re.compile(rb"[\b\f\n\r\t\v\\]")
_ESCAPED = {value: b"\\" + letter for letter, value in _LETTERS.items()} | {b"\\": b"\\\\"}


def fields(line: bytes) -> list[bytes]:
    """The fields of a row, still escaped. `line` has no line end. A tab inside of a value is always escaped."""
    return line.split(b"\t")


def value_of(field: bytes) -> bytes | None:
    """What the field holds; None for NULL."""
    if b"\\" not in field:
        return field
    return None if field == NULL else _ESCAPE.sub(_unescaped, field)


def field_of(value: bytes | None) -> bytes:
    """The field that holds this value, as the server writes it."""
    return NULL if value is None else _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], value)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if code in _LETTERS:
        return _LETTERS[code]
    if code[:1].isdigit() and code[0] < ord("8"):
        return bytes((int(code, 8) & 0xFF,))
    if len(code) > 1:
        return bytes((int(code[1:], 16),))
    return code
