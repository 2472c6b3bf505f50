"""Decisions on transfers as they were made, and how many persons have gone abroad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import insert, update
from sqlmodel import Session, col, func, or_, select

from retention.catalog.tables import AbroadPersonRow, DecisionRow, FactRow, NamedPersonRow, TransferUseRow
from retention.model.fact import Fact
from retention.model.particulars import ToldUse
from retention.model.transfer import Decision, NamedPersons, PersonCount, TransferRequest, Verdict

_REQUEST = TypeAdapter(TransferRequest)
_DECISION = TypeAdapter(Decision)
_FACT = TypeAdapter(Fact)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class DecidedTransfer:
    """A request and what was decided. used_at: when something first went under it (aware UTC). entry: the ledger's."""

    id: str
    request: TransferRequest
    decision: Decision
    used_at: datetime | None
    entry: int


def put_decision(session: Session, decided: DecidedTransfer, named: NamedPersons | None = None) -> None:
    """Store a decision, and the persons who were named with it. Decisions are never changed; only their uses are noted."""
    session.add(
        DecisionRow(
            id=decided.id,
            customer=decided.request.customer,
            dataset=decided.request.dataset,
            destination=decided.request.destination or "",
            verdict=str(decided.decision.verdict),
            measure=decided.decision.measure,
            request=_REQUEST.dump_json(decided.request).decode(),
            decision=_DECISION.dump_json(decided.decision).decode(),
            decided_at=decided.decision.decided_at,
            used_at=decided.used_at,
            entry=decided.entry,
        )
    )
    session.flush()
    for persons, is_sensitive in _told(named or NamedPersons()):
        rows = [{"decision": decided.id, "person": person, "sensitive": is_sensitive} for person in persons]
        session.execute(insert(NamedPersonRow), rows)


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


def named_persons(session: Session, decision_id: str) -> NamedPersons:
    """Who was named with the decision; nobody where only numbers were said."""
    query = (
        select(NamedPersonRow.person, NamedPersonRow.sensitive)
        .where(NamedPersonRow.decision == decision_id)
        .order_by(col(NamedPersonRow.person))
    )
    rows = session.exec(query).all()
    return NamedPersons(
        tuple(p for p, sensitive in rows if not sensitive), tuple(p for p, sensitive in rows if sensitive)
    )


def is_counted(session: Session, decision_id: str, year: int) -> bool:
    """Whether something went under the decision in this year, so that its persons are in the count."""
    query = select(TransferUseRow.decision).where(TransferUseRow.decision == decision_id, TransferUseRow.year == year)
    return session.exec(query).one_or_none() is not None


def put_use(session: Session, use: ToldUse, now: datetime) -> None:
    """Something goes under the decision for the first time in this year: its persons have gone abroad in it, if that did.

    Those who were named are counted one by one: who was there before stays, and may become sensitive. Nobody else may count
    at the same time: the caller has the ledger's turn.
    """
    row = session.get_one(DecisionRow, use.decision)
    row.used_at = row.used_at or now
    request = _REQUEST.validate_json(row.request)
    noted = TransferUseRow(decision=use.decision, year=use.year)
    if use.is_abroad and not request.persons_are_named:
        noted.persons, noted.sensitive_persons = request.persons or 0, request.sensitive_persons or 0
    session.add_all((row, noted))
    session.flush()
    named = named_persons(session, use.decision) if use.is_abroad else NamedPersons()
    for persons, is_sensitive in _told(named):
        _count(session, use.year, persons, is_sensitive=is_sensitive)


def new_persons(session: Session, year: int, named: NamedPersons) -> PersonCount:
    """How many of these would be new in the year. Who was counted and becomes sensitive is new as a sensitive one only."""
    known = _known(session, year, (*named.ordinary, *named.sensitive))
    sensitive = sum(not known.get(person, False) for person in named.sensitive)
    return PersonCount(len(named.ordinary) + len(named.sensitive) - len(known), sensitive)


def person_count(session: Session, year: int) -> PersonCount:
    """Persons that have gone abroad in the year: those known one by one, and the numbers of decisions that were used in it.

    Where only numbers were said nobody can tell whether two mean the same person, so they add up: never too few.
    """
    named = session.exec(select(func.count()).select_from(AbroadPersonRow).where(AbroadPersonRow.year == year)).one()
    sensitive = session.exec(
        select(func.count())
        .select_from(AbroadPersonRow)
        .where(AbroadPersonRow.year == year, col(AbroadPersonRow.sensitive).is_(True))
    ).one()
    said = session.exec(
        select(func.sum(TransferUseRow.persons), func.sum(TransferUseRow.sensitive_persons)).where(
            TransferUseRow.year == year
        )
    ).one()
    return PersonCount(named + int(said[0] or 0), sensitive + int(said[1] or 0))


def resting_count(session: Session, measure: str, year: int, since: datetime) -> int:
    """How many decisions that allow rest on the measure and were made since `since`, or used in the year."""
    used = select(TransferUseRow.decision).where(TransferUseRow.year == year)
    query = (
        select(func.count())
        .select_from(DecisionRow)
        .where(
            DecisionRow.measure == measure,
            DecisionRow.verdict == str(Verdict.ALLOW),
            or_(col(DecisionRow.decided_at) >= since, col(DecisionRow.id).in_(used)),
        )
    )
    return session.exec(query).one()


def consent_facts(session: Session, customer: str | None = None) -> tuple[Fact, ...]:
    """What was told of consents (of one customer), granted and withdrawn, in the order in which it arrived.

    One pass over the facts, whose text tells which are meant.
    """
    query = select(FactRow.fact).where(col(FactRow.fact).like('%"consent-%')).order_by(col(FactRow.position))
    if customer is not None:
        query = query.where(FactRow.customer == customer)
    facts = [_FACT.validate_json(text) for text in session.exec(query)]
    return tuple(fact for fact in facts if fact.consent is not None or fact.withdrawn_consent is not None)


def _told(named: NamedPersons) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Both groups that have anybody in them, with whether they are the sensitive ones."""
    for persons, is_sensitive in ((named.ordinary, False), (named.sensitive, True)):
        if persons:
            yield persons, is_sensitive


def _known(session: Session, year: int, persons: Sequence[str]) -> dict[str, bool]:
    """Those of the persons who have gone abroad in the year, and whether as sensitive ones."""
    known: dict[str, bool] = {}
    for chunk in _chunks(persons):
        query = select(AbroadPersonRow.person, AbroadPersonRow.sensitive).where(
            AbroadPersonRow.year == year, col(AbroadPersonRow.person).in_(chunk)
        )
        known.update((person, is_sensitive) for person, is_sensitive in session.exec(query))
    return known


def _count(session: Session, year: int, persons: Sequence[str], *, is_sensitive: bool) -> None:
    known = _known(session, year, persons)
    new = [{"year": year, "person": each, "sensitive": is_sensitive} for each in persons if each not in known]
    if new:
        session.execute(insert(AbroadPersonRow), new)
    if not is_sensitive:
        return
    for chunk in _chunks([person for person, was_sensitive in known.items() if not was_sensitive]):
        session.execute(
            update(AbroadPersonRow)
            .where(col(AbroadPersonRow.year) == year, col(AbroadPersonRow.person).in_(chunk))
            .values(sensitive=True)
        )


def _chunks(persons: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(persons), _PAGE):
        yield persons[start : start + _PAGE]


def _decided(row: DecisionRow) -> DecidedTransfer:
    return DecidedTransfer(
        row.id,
        _REQUEST.validate_json(row.request),
        _DECISION.validate_json(row.decision),
        row.used_at,
        row.entry,
    )
