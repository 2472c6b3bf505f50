"""How values of a column are compared, from the text that a dump holds of them.

Two texts can be one value: `7.0` and `7` as numeric, or `ab` and `ab ` as character(3). Foreign keys are followed by
values, so each field is first brought into one form. Customers are compared as `storage_adapters.sql` compares them:
exactly; only the blanks with which the server itself fills up a character(n) do not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from uuid import UUID

from storage_adapters.backups.dumps.copy_text import value_of
from storage_adapters.contract import KeyValue
from storage_adapters.sql.names import integer_of

Canon = Callable[[bytes], bytes | None]
"""From a field, still escaped, to the one form of its value; None for NULL."""

_INTEGERS = frozenset({"smallint", "integer", "bigint"})
_TEXTS = frozenset({"text", "name"})
_PADDED = re.compile(r"(?:character|bpchar)(?:\(\d+\))?")
_VARYING = re.compile(r"character varying(?:\(\d+\))?")
_WHOLE = re.compile(r"numeric\(\d+(?:,0)?\)")
_NUMBERS = re.compile(r"numeric(?:\(.*\))?|real|double precision")
_CITEXT = re.compile(r"(?:.+\.)?citext")
_MANY_FORMS = re.compile(r".*\]|interval.*|(?:.+\.)?hstore|jsonb|time.* with time zone")


def canon_of(kind: str) -> Canon | None:
    """How a field of this type is brought into one form; None for types of which that is not known."""
    if _NUMBERS.fullmatch(kind):
        return _number
    if _PADDED.fullmatch(kind):
        return _unpadded
    if _CITEXT.fullmatch(kind):
        return _folded
    if _MANY_FORMS.fullmatch(kind) and not kind.startswith("timestamp"):
        return None
    return value_of


def shared_canon(kind: str, other: str) -> Canon | None:
    """The one form in which values of both types can be compared: the coarser of the two."""
    both = (canon_of(kind), canon_of(other))
    return None if None in both else next((each for each in (_number, _folded, _unpadded) if each in both), value_of)


def customer_in(kind: str, customer: str) -> tuple[Canon, bytes | None] | None:
    """What a field of this type is made into, and what that is for the customer (None: no value names the customer).

    None for a type that names no customer.
    """
    if kind in _TEXTS or _VARYING.fullmatch(kind) or _CITEXT.fullmatch(kind):
        return value_of, customer.encode()
    if _PADDED.fullmatch(kind):
        return _unpadded, customer.encode()
    if kind in _INTEGERS or _WHOLE.fullmatch(kind):
        return value_of, None if integer_of(customer) is None else customer.encode()
    if kind == "uuid":
        return value_of, customer.encode() if _is_uuid(customer) else None
    if kind == "bytea":
        return value_of, b"\\x" + customer.encode().hex().encode()
    return None


def named_in(kind: str, value: KeyValue) -> tuple[Canon, bytes | None] | None:
    """The same for one value of a row's key, as items name it. None for a type whose values cannot be found so."""
    if kind == "bytea":
        return value_of, b"\\x" + str(value).encode()
    if kind == "date":
        return value_of, str(value).encode()
    if _NUMBERS.fullmatch(kind):
        return _number, _number(str(value).encode())
    return customer_in(kind, str(value))


def _number(field: bytes) -> bytes | None:
    value = value_of(field)
    if value is None:
        return None
    try:
        number = Decimal(value.decode("ascii"))
    except (InvalidOperation, UnicodeDecodeError):
        return value
    return b"0" if number == 0 else format(_trimmed(number), "f").encode()


def _trimmed(number: Decimal) -> Decimal:
    """Without zeros at its end. `normalize` would round."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return number
    end = len(digits)
    while end > 1 and digits[end - 1] == 0:
        end -= 1
    return Decimal((sign, digits[:end], exponent + len(digits) - end))


def _unpadded(field: bytes) -> bytes | None:
    value = value_of(field)
    return None if value is None else value.rstrip(b" ")


def _folded(field: bytes) -> bytes | None:
    value = value_of(field)
    return None if value is None else value.decode(errors="surrogateescape").lower().encode(errors="surrogateescape")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
