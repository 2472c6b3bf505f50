"""Decisions on transfers as they were made, and how many persons have gone abroad."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, func, select

from retention.catalog.tables import AbroadPersonRow, DecisionRow
from retention.model.transfer import Decision, PersonCount, TransferRequest, Verdict

_REQUEST = TypeAdapter(TransferRequest)
_DECISION = TypeAdapter(Decision)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class DecidedTransfer:
    """A request and what was decided. used_at: when something first went under it (aware UTC). entry: the ledger's."""

    id: str
    request: TransferRequest
    decision: Decision
    used_at: datetime | None
    entry: int


def put_decision(session: Session, decided: DecidedTransfer) -> None:
    """Store a decision. Decisions are never changed; only their first use is noted."""
    session.add(
        DecisionRow(
            id=decided.id,
            customer=decided.request.customer,
            dataset=decided.request.dataset,
            destination=decided.request.destination or "",
            verdict=str(decided.decision.verdict),
            request=_REQUEST.dump_json(decided.request).decode(),
            decision=_DECISION.dump_json(decided.decision).decode(),
            decided_at=decided.decision.decided_at,
            used_at=decided.used_at,
            entry=decided.entry,
        )
    )
    session.flush()


def find_decision(session: Session, decision_id: str) -> DecidedTransfer | None:
    """The decision of this id, or None."""
    row = session.get(DecisionRow, decision_id)
    return _decided(row) if row else None


def allowed_transfers(session: Session, customer: str, dataset: str, destination: str) -> tuple[DecidedTransfer, ...]:
    """What was allowed of the customer's dataset to this territory, the latest first. Whether it still is, is asked anew."""
    query = (
        select(DecisionRow)
        .where(
            DecisionRow.customer == customer,
            DecisionRow.dataset == dataset,
            DecisionRow.destination == destination,
            DecisionRow.verdict == str(Verdict.ALLOW),
        )
        .order_by(col(DecisionRow.decided_at).desc(), col(DecisionRow.id))
    )
    return tuple(_decided(row) for row in session.exec(query))


def mark_used(session: Session, decision_id: str, now: datetime) -> bool:
    """Something goes under the decision; True the first time."""
    row = session.get_one(DecisionRow, decision_id)
    if row.used_at is not None:
        return False
    row.used_at = now
    session.add(row)
    session.flush()
    return True


def new_persons(session: Session, year: int, persons: Iterable[str]) -> frozenset[str]:
    """Those of the persons (commitments) that have not gone abroad in the year."""
    wanted = sorted(set(persons))
    known: set[str] = set()
    for start in range(0, len(wanted), _PAGE):
        chunk = wanted[start : start + _PAGE]
        query = select(AbroadPersonRow.person).where(
            AbroadPersonRow.year == year, col(AbroadPersonRow.person).in_(chunk)
        )
        known.update(session.exec(query))
    return frozenset(wanted) - known


def put_persons(session: Session, year: int, persons: Iterable[str], *, sensitive: bool) -> None:
    """The persons (commitments) have gone abroad in the year. Who was there before stays, and may become sensitive."""
    for person in sorted(set(persons)):
        row = session.get(AbroadPersonRow, (year, person))
        row = row or AbroadPersonRow(year=year, person=person, sensitive=sensitive)
        row.sensitive = row.sensitive or sensitive
        session.add(row)
    session.flush()


def person_count(session: Session, year: int, since: datetime) -> PersonCount:
    """Persons that have gone abroad in the year: those known one by one, and the numbers of used decisions since `since`.

    Where only numbers were said nobody can tell whether two mean the same person, so they add up: never too few.
    """
    named = session.exec(select(func.count()).select_from(AbroadPersonRow).where(AbroadPersonRow.year == year)).one()
    sensitive = session.exec(
        select(func.count())
        .select_from(AbroadPersonRow)
        .where(AbroadPersonRow.year == year, col(AbroadPersonRow.sensitive).is_(True))
    ).one()
    used = session.exec(select(DecisionRow.request).where(col(DecisionRow.used_at) >= since)).all()
    requests = [_REQUEST.validate_json(text) for text in used]
    said = [request for request in requests if not request.persons_are_named]
    return PersonCount(
        named + sum(request.persons or 0 for request in said),
        sensitive + sum(request.sensitive_persons or 0 for request in said),
    )


def _decided(row: DecisionRow) -> DecidedTransfer:
    return DecidedTransfer(
        row.id,
        _REQUEST.validate_json(row.request),
        _DECISION.validate_json(row.decision),
        row.used_at,
        row.entry,
    )
