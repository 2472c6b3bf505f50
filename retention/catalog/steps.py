"""Steps of strands: what was intended, and what was finished."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from retention.catalog.tables import StepRow
from retention.model.plan import StepKind


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of a strand. `outcome` names what went wrong last; `finished_at` is None while it is to be repeated."""

    number: int
    kind: StepKind
    started_at: datetime
    finished_at: datetime | None
    attempts: int
    outcome: str | None


def begin(session: Session, strand_id: str, kind: StepKind, now: datetime) -> int:
    """The step's id: of the unfinished one of this kind, tried once more, or of a new one."""
    query = select(StepRow).where(
        StepRow.strand_id == strand_id, StepRow.kind == str(kind), col(StepRow.finished_at).is_(None)
    )
    row = session.exec(query).one_or_none()
    if row is None:
        row = StepRow(strand_id=strand_id, kind=str(kind), started_at=now)
    else:
        row.attempts += 1
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def finish(session: Session, step: int, now: datetime) -> None:
    """The step is done."""
    row = session.get_one(StepRow, step)
    row.finished_at, row.outcome = now, None
    session.add(row)
    session.flush()


def fail(session: Session, step: int, outcome: str) -> None:
    """The step was not finished, for this reason (a short word, no data); the next run repeats it."""
    row = session.get_one(StepRow, step)
    row.outcome = outcome
    session.add(row)
    session.flush()


def steps_of(session: Session, strand_id: str) -> tuple[StepRecord, ...]:
    """Every step of the strand, numbered from 1 in the order in which they were begun."""
    rows = session.exec(select(StepRow).where(StepRow.strand_id == strand_id).order_by(col(StepRow.id))).all()
    return tuple(
        StepRecord(number, StepKind(row.kind), row.started_at, row.finished_at, row.attempts, row.outcome)
        for number, row in enumerate(rows, 1)
    )
