"""What a report asks of the catalogue: read in pages and grouped by the database, so that no period is too long for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Row, and_, case, func, not_, or_, select
from sqlmodel import Session, SQLModel, col

from retention.catalog.backups import set_ends
from retention.catalog.cases import record_of
from retention.catalog.tables import (
    BackupSetRow,
    CaseRow,
    CopyRow,
    DecisionRow,
    EpochRow,
    FactRow,
    PolicyRow,
    ShreddedKeyRow,
    StepRow,
    StrandRow,
)
from retention.catalog.transfers import DecidedTransfer
from retention.model.case import Case, Strand, StrandState
from retention.model.fact import Fact
from retention.model.hold import Hold
from retention.model.record import StrandRecord
from retention.model.transfer import Decision, TransferRequest

_PAGE = 500


@dataclass(frozen=True, slots=True)
class _AboutService:
    """Of a fact, only which service it is about: the rest is not read again for every case."""

    service: str | None = None


_CASE = TypeAdapter(Case)
_STRAND = TypeAdapter(Strand)
_FACT = TypeAdapter(Fact)
_SERVICE = TypeAdapter(_AboutService)
_REQUEST = TypeAdapter(TransferRequest)
_DECISION = TypeAdapter(Decision)


@dataclass(frozen=True, slots=True)
class KeyTally:
    """The destroyed keys of one strand. waiting_count: those that an old copy of the key store could still open.

    unrecoverable_at: the latest instant from which one is unrecoverable (aware UTC). The entries are the first and last that
    tell of a destruction, and the last that tells of the end of an epoch.
    """

    count: int
    waiting_count: int
    unrecoverable_at: datetime | None
    first_entry: int
    last_entry: int
    gone_entry: int | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step that did not go through at once: how often it was begun, and what went wrong last where it is unfinished."""

    kind: str
    attempts: int
    outcome: str | None


@dataclass(frozen=True, slots=True)
class ReportedStrand:
    """A strand with what a report says of it. The record is without its keys, which `keys` sums up; None for none.

    service: that of the starting fact, None where it is about all. The case is without its strands.
    """

    record: StrandRecord
    case: Case
    service: str | None
    keys: KeyTally | None
    attempts: tuple[Attempt, ...]
    opened_entry: int | None
    dates_entry: int | None


@dataclass(frozen=True, slots=True)
class AdoptedPolicy:
    """An adopted version: when (aware UTC), and its canonical document."""

    hash: str
    version: str
    document: str
    adopted_at: datetime


@dataclass(frozen=True, slots=True)
class DestroyedEpoch:
    """An epoch key that was destroyed, and the ledger entry that tells it."""

    name: str
    destroyed_at: datetime
    entry: int | None


def reported_strands(session: Session, since: datetime, until: datetime) -> Iterator[ReportedStrand]:
    """Every strand of a case that was opened before `until` and was not closed before `since`, by due date and id.

    Closed: certified, or brought back and readable again. One page is in memory at a time, and the ids of all.
    """
    closed = or_(
        and_(col(StrandRow.state) == str(StrandState.CERTIFIED), col(StrandRow.certified_at) < since),
        and_(col(StrandRow.state) == str(StrandState.BROUGHT_BACK), col(StrandRow.settled_at) < since),
    )
    settled = func.coalesce(closed, False)  # an instant that is empty makes neither true nor false
    query = (
        select(col(StrandRow.id))
        .join(CaseRow, col(CaseRow.id) == col(StrandRow.case_id))
        .where(col(CaseRow.opened_at) < until, not_(settled))
        .order_by(col(StrandRow.due_at), col(StrandRow.id))
    )
    ids = [found for (found,) in session.execute(query)]
    for start in range(0, len(ids), _PAGE):
        yield from _page(session, ids[start : start + _PAGE])


def decisions(session: Session, since: datetime, until: datetime) -> Iterator[DecidedTransfer]:
    """Every decision on a transfer that was made from `since` to before `until`, in the order of time."""
    period = (col(DecisionRow.decided_at) >= since, col(DecisionRow.decided_at) < until)
    query = select(col(DecisionRow.id)).where(*period).order_by(col(DecisionRow.decided_at), col(DecisionRow.id))
    ids = [found for (found,) in session.execute(query)]
    for start in range(0, len(ids), _PAGE):
        chunk = ids[start : start + _PAGE]
        rows = {row.id: row for row in session.execute(_all_of(DecisionRow).where(col(DecisionRow.id).in_(chunk)))}
        for each in chunk:
            row = rows[each]
            request, decision = _REQUEST.validate_json(row.request), _DECISION.validate_json(row.decision)
            yield DecidedTransfer(row.id, request, decision, row.used_at, row.entry)


def hold_facts(session: Session, holds: Sequence[Hold]) -> dict[tuple[str, str], tuple[Fact, ...]]:
    """The facts that placed and released each of these holds, by customer and the hold's name, in the order of arrival."""
    found: dict[tuple[str, str], tuple[Fact, ...]] = {}
    names = sorted({hold.customer for hold in holds})
    for start in range(0, len(names), _PAGE):
        chunk = names[start : start + _PAGE]
        query = select(col(FactRow.fact)).where(col(FactRow.customer).in_(chunk), col(FactRow.fact).like('%"hold-%'))
        for (text,) in session.execute(query.order_by(col(FactRow.position))):
            fact = _FACT.validate_json(text)
            if fact.hold is not None:
                key = (fact.customer, fact.hold.hold)
                found[key] = (*found.get(key, ()), fact)
    return found


def adopted_policies(session: Session) -> tuple[AdoptedPolicy, ...]:
    """Every adopted version, the oldest adoption first."""
    rows = session.execute(_all_of(PolicyRow).order_by(col(PolicyRow.position)))
    return tuple(AdoptedPolicy(row.hash, row.version, row.document, row.adopted_at) for row in rows)


def destroyed_epochs(session: Session, since: datetime, until: datetime) -> tuple[DestroyedEpoch, ...]:
    """The epoch keys that were destroyed from `since` to before `until`, by time."""
    query = _all_of(EpochRow).where(col(EpochRow.destroyed_at) >= since, col(EpochRow.destroyed_at) < until)
    rows = session.execute(query.order_by(col(EpochRow.destroyed_at), col(EpochRow.position)))
    return tuple(DestroyedEpoch(row.name, row.destroyed_at, row.entry) for row in rows)


def unknown_sets(session: Session) -> tuple[tuple[str, str, datetime], ...]:
    """Backup sets of which nobody said what is in them: store, name as it may be shown, last seen (aware UTC)."""
    query = (
        select(col(BackupSetRow.store), col(BackupSetRow.shown), col(BackupSetRow.seen_at))
        .where(col(BackupSetRow.gone_at).is_(None), col(BackupSetRow.plans) == "")
        .order_by(col(BackupSetRow.store), col(BackupSetRow.id))
    )
    return tuple((store, shown, seen_at) for store, shown, seen_at in session.execute(query))


# -------------------------------------------------------------------------------------------------------- pages


def _all_of(table: type[SQLModel]) -> Any:
    return select(*(col(getattr(table, name)) for name in table.model_fields))


def _page(session: Session, ids: Sequence[str]) -> Iterator[ReportedStrand]:
    """The strands with these ids, at most a page of them, in this order."""
    strands = {row.id: row for row in session.execute(_all_of(StrandRow).where(col(StrandRow.id).in_(ids)))}
    cases = _cases(session, sorted({row.case_id for row in strands.values()}))
    copies = _by_strand(session, CopyRow, ids)
    keys = _key_tallies(session, ids)
    attempts = _by_strand(session, StepRow, ids, or_(col(StepRow.attempts) > 1, col(StepRow.finished_at).is_(None)))
    ends = set_ends(session, ids)
    for strand_id in ids:
        row = strands[strand_id]
        opening, found, service = cases[row.case_id]
        yield ReportedStrand(
            record=record_of(row, {copy.label: copy for copy in copies.get(strand_id, ())}, ends),
            case=found,
            service=service,
            keys=keys.get(strand_id),
            attempts=tuple(Attempt(each.kind, each.attempts, each.outcome) for each in attempts.get(strand_id, ())),
            opened_entry=opening.opened_entry,
            dates_entry=opening.dates_entry,
        )


def _cases(session: Session, ids: Sequence[str]) -> dict[str, tuple[Row[Any], Case, str | None]]:
    query = (
        select(
            col(CaseRow.id), col(CaseRow.case), col(CaseRow.opened_entry), col(CaseRow.dates_entry), col(FactRow.fact)
        )
        .outerjoin(FactRow, and_(col(FactRow.source) == CaseRow.fact_source, col(FactRow.id) == CaseRow.fact_id))
        .where(col(CaseRow.id).in_(ids))
    )
    return {
        row.id: (row, _CASE.validate_json(row.case), _SERVICE.validate_json(row.fact).service if row.fact else None)
        for row in session.execute(query)
    }


def _by_strand(
    session: Session, table: type[CopyRow] | type[StepRow], ids: Sequence[str], *only: ColumnElement[bool]
) -> dict[str, tuple[Row[Any], ...]]:
    query = _all_of(table).where(col(table.strand_id).in_(ids), *only).order_by(col(table.strand_id))
    grouped = groupby(session.execute(query), key=lambda row: str(row.strand_id))
    return {strand_id: tuple(rows) for strand_id, rows in grouped}


def _key_tallies(session: Session, ids: Sequence[str]) -> dict[str, KeyTally]:
    waits = case((col(ShreddedKeyRow.unrecoverable_at).is_(None), 1), else_=0)
    query = (
        select(
            col(ShreddedKeyRow.strand_id),
            func.count(),
            func.sum(waits),
            func.max(col(ShreddedKeyRow.unrecoverable_at)),
            func.min(col(ShreddedKeyRow.entry)),
            func.max(col(ShreddedKeyRow.entry)),
            func.max(col(ShreddedKeyRow.gone_entry)),
        )
        .where(col(ShreddedKeyRow.strand_id).in_(ids))
        .group_by(col(ShreddedKeyRow.strand_id))
    )
    return {
        strand_id: KeyTally(count, int(waiting), gone_at, first, last, gone_entry)
        for strand_id, count, waiting, gone_at, first, last, gone_entry in session.execute(query)
    }
