"""The last reading of the clocks."""

from __future__ import annotations

from sqlmodel import Session

from retention.catalog.tables import ClockRow
from retention.clock import Reading


def last_reading(session: Session) -> Reading | None:
    """What the clocks showed at the last run, or None before the first."""
    row = session.get(ClockRow, 1)
    return Reading(row.at, row.ticks, row.boot) if row else None


def put_reading(session: Session, reading: Reading) -> None:
    """Remember what the clocks show now."""
    session.merge(ClockRow(id=1, at=reading.at, ticks=reading.ticks, boot=reading.boot))
