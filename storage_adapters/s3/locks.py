"""Object Lock, read version by version through HeadObject: the one way that every store offers.

Source: Amazon S3 API reference, "HeadObject" (x-amz-object-lock-mode, -retain-until-date, -legal-hold).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from storage_adapters.s3.entries import Entry
from storage_adapters.s3.refusals import DENIED, GONE, NOT_OFFERED, Declined
from storage_adapters.s3.wire import Answer, Request, Wire

LEGAL_HOLD = "legal-hold"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock in force: LEGAL_HOLD without an end, or a retention mode in lower case and its end (aware UTC)."""

    name: str
    until: datetime | None


def read_lock(wire: Wire, entry: Entry) -> Lock | None:
    """The lock in force on a version; None where there is none, it may not be read, or the version is gone."""
    query = () if entry.id is None else (("versionId", entry.id),)
    try:
        return wire.ask(Request("HEAD", entry.key, query), _lock)
    except Declined as declined:
        if declined.code in GONE | DENIED | NOT_OFFERED:
            return None
        raise


def _lock(answer: Answer) -> Lock | None:
    headers = answer.headers
    if headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON":
        return Lock(LEGAL_HOLD, None)
    mode, until = headers.get("x-amz-object-lock-mode"), headers.get("x-amz-object-lock-retain-until-date")
    if not mode or not until:
        return None
    end = datetime.fromisoformat(until)
    end = end.replace(tzinfo=UTC) if end.tzinfo is None else end.astimezone(UTC)
    return None if is_over(end, headers) else Lock(mode.lower(), end)


def is_over(end: datetime, headers: Mapping[str, str]) -> bool:
    """Whether the lock has ended by the store's own clock, the only one that counts for it."""
    date = headers.get("date")
    return date is not None and parsedate_to_datetime(date) >= end
