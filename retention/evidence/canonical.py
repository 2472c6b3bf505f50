"""Canonical JSON: one way to write a value, so that it can be hashed and signed. Pure.

Source: RFC 8785 (JSON Canonicalization Scheme), with integers only: a fraction has no one right way to be written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NoReturn, TypeAlias

import rfc8785

from retention.evidence.errors import Malformed

JsonValue: TypeAlias = "bool | int | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32


def encode_json(value: JsonValue) -> bytes:
    """The value in canonical form. Malformed for floats, integers beyond ±(2^53 − 1), lone surrogates, deep nesting."""
    try:
        return rfc8785.dumps(_checked(value, DEEPEST))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Malformed(f"cannot be written as canonical JSON: {type(error).__name__}") from error


def hash_json(value: JsonValue) -> str:
    """SHA-256 of the canonical form, 64 hex digits."""
    return sha256(encode_json(value)).hexdigest()


def decode_json(data: bytes) -> JsonObject:
    """The JSON object, however spaced. Malformed for anything else, a key given twice, a fraction, deep nesting."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except RecursionError as error:
        raise Malformed(f"nested deeper than {DEEPEST}") from error
    except (
        ValueError
    ) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors, and so is a 5,000-digit number
        raise Malformed("not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    _checked(value, DEEPEST)
    return value


def decode_canonical(data: bytes) -> JsonObject:
    """The JSON object, when it is written in canonical form. Malformed as `decode_json`, and for any other way."""
    value = decode_json(data)
    if encode_json(value) != data:
        raise Malformed("JSON, but not in canonical form")
    return value


def _checked(value: JsonValue, depth: int) -> JsonValue:
    """The value with plain lists and dicts."""
    if depth == 0:
        raise Malformed(f"nested deeper than {DEEPEST}")
    if isinstance(value, Mapping):
        return {key: _checked(member, depth - 1) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_checked(member, depth - 1) for member in value]
    if isinstance(value, float):
        raise Malformed("a number with a fraction; write it as an integer or as text")
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise Malformed("an integer beyond ±(2^53 − 1)")
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("a key is given twice in one object")
    return result


def _refuse_number(text: str) -> NoReturn:
    raise Malformed("a number with a fraction; write it as an integer or as text")
