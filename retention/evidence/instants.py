"""Instants as evidence writes them: UTC, microseconds, one way. Pure.

Source: RFC 3339, section 5.6, narrowed to `YYYY-MM-DDThh:mm:ss.ffffffZ`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

from retention.evidence.errors import Malformed

_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)


def format_instant(at: datetime) -> str:
    """The instant as text. Malformed for a naive one: nobody could say when it was."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise Malformed("an instant has a time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_instant(text: object) -> datetime:
    """The aware UTC instant. Malformed for anything that `format_instant` does not write."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise Malformed("an instant is written YYYY-MM-DDThh:mm:ss.ffffffZ")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("no such instant") from error


def _validate(value: object) -> datetime:
    """Pydantic's way in: an aware datetime from code, or the text form from a file."""
    try:
        return parse_instant(format_instant(value) if isinstance(value, datetime) else value)
    except Malformed as error:
        raise ValueError(str(error)) from error


Instant = Annotated[datetime, BeforeValidator(_validate), PlainSerializer(format_instant, return_type=str)]
"""A model's field that is an aware UTC instant and is written in this one way."""
