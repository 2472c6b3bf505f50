"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from retention.errors import InputError


def read_instant(text: str, zone: ZoneInfo, option: str) -> datetime:
    """The instant that `text` names, aware UTC: RFC 3339, or without an offset in `zone`; a date alone is its 00:00.

    Raises InputError, naming the option, for anything else.
    """
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InputError(
            f'{option}: {text!r} is no time; write "2026-12-31", "2026-12-31T08:00" or "2026-12-31T08:00:00+08:00"'
        ) from None
