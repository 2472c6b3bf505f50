"""Cases, strands and copies. Every change of a strand names the version it was made from, and makes a new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import Row, update
from sqlmodel import Session, col, select

from retention.catalog.backups import set_ends
from retention.catalog.tables import CaseRow, CopyRow, ShreddedKeyRow, StrandRow, SubscriptionRow
from retention.errors import NotYet, RefusedByRule
from retention.model.case import Case, Strand, StrandState
from retention.model.copy import Copy, CopyRole, CopyStatus, EndState, SetEnd
from retention.model.record import CaseRecord, ShreddedKey, StrandRecord

_CASE = TypeAdapter(Case)
_STRAND = TypeAdapter(Strand)

Stamp = Literal[
    "restricted_at",
    "cleared_at",
    "tombstoned_at",
    "passed_at",
    "shredded_at",
    "erased_at",
    "verified_at",
    "checked_at",
    "certified_at",
    "settled_at",
]


class StrandChanged(Exception):
    """The strand is not the one that was read: somebody else moved it, or a fact came in. Read it again."""


def put_case(session: Session, case: Case, now: datetime) -> bool:
    """Store the case as it is derived now; its policy version and opening stay. True when it was not there before."""
    row = session.get(CaseRow, case.id)
    text = _CASE.dump_json(replace(case, strands=())).decode()
    if row is not None:
        if row.case != text:
            row.case = text
            session.add(row)
            session.flush()
        return False
    session.add(
        CaseRow(
            id=case.id,
            customer=case.customer,
            rule=case.rule,
            fact_source=case.starting_fact.source,
            fact_id=case.starting_fact.id,
            policy_hash=case.policy_hash,
            started_at=case.started_at,
            opened_at=now,
            case=text,
        )
    )
    session.flush()
    return True


def put_dates_entry(session: Session, case_id: str, entry: int) -> None:
    """Note which ledger entry tells the case as it is from now on; the first one is the one that opened it."""
    row = session.get_one(CaseRow, case_id)
    row.opened_entry = entry if row.opened_entry is None else row.opened_entry
    row.dates_entry = entry
    session.add(row)
    session.flush()


def add_strand(session: Session, customer: str, strand: Strand) -> None:
    """Store a new strand in BUFFER, with all its copies."""
    session.add(
        StrandRow(
            id=strand.id,
            case_id=strand.case,
            customer=customer,
            dataset=strand.dataset,
            state=StrandState.BUFFER,
            due_at=strand.due.at,
            strand=_STRAND.dump_json(strand).decode(),
        )
    )
    session.add_all(CopyRow(strand_id=strand.id, label=copy.label) for copy in strand.copies)
    session.flush()


def redefine_strand(session: Session, record: StrandRecord, strand: Strand) -> None:
    """Give a strand the dates and scope that its facts now amount to; nothing changes where they are the same."""
    if record.strand == strand:
        return
    _change(session, record, {"strand": _STRAND.dump_json(strand).decode(), "due_at": strand.due.at})


def move_strand(
    session: Session,
    record: StrandRecord,
    state: StrandState,
    now: datetime,
    *stamps: Stamp,
    clear: Sequence[Stamp] = (),
) -> None:
    """Set the state, stamp the named columns with `now` and empty the `clear`ed ones.

    Raises StrandChanged where the stored version is not the record's.
    """
    values: dict[str, object] = {"state": str(state)}
    values.update(dict.fromkeys(stamps, now))
    values.update(dict.fromkeys(clear))
    _change(session, record, values)


def _change(session: Session, record: StrandRecord, values: dict[str, object]) -> None:
    statement = (
        update(StrandRow)
        .where(col(StrandRow.id) == record.strand.id, col(StrandRow.version) == record.version)
        .values(version=record.version + 1, **values)
        .execution_options(synchronize_session=False)
    )
    if session.connection().execute(statement).rowcount != 1:
        raise StrandChanged(record.strand.id)
    session.expire_all()


def put_copy(session: Session, strand_id: str, status: CopyStatus, entry: int | None = None) -> None:
    """Store what is known of one copy; with `entry`, the ledger entry that tells it."""
    label = status.copy.label
    row = session.get(CopyRow, (strand_id, label)) or CopyRow(strand_id=strand_id, label=label)
    row.end_state = str(status.end_state) if status.end_state else None
    row.reason, row.until = status.reason, status.until
    row.seen_count, row.seen_bytes, row.gone_count = status.seen_count, status.seen_bytes, status.gone_count
    row.sealed_count, row.sealable_count = status.sealed_count, status.sealable_count
    row.verified_at, row.empty_looks = status.verified_at, status.empty_looks
    row.kept_until = status.kept_until
    row.entry = entry if entry is not None else row.entry
    session.add(row)
    session.flush()


def add_shredded_key(session: Session, strand_id: str, key: ShreddedKey) -> None:
    """Remember that a key was destroyed, in the transaction that destroys it."""
    session.add(
        ShreddedKeyRow(
            key_id=key.key_id,
            strand_id=strand_id,
            dataset=key.dataset,
            epochs=" ".join(key.epochs),
            shredded_at=key.shredded_at,
            unrecoverable_at=key.unrecoverable_at,
            entry=key.entry,
        )
    )
    session.flush()


def is_shredded(session: Session, key_id: str) -> bool:
    """Whether a key of this id was destroyed."""
    return session.get(ShreddedKeyRow, key_id) is not None


def waiting_keys(session: Session) -> tuple[ShreddedKey, ...]:
    """Shredded keys that an old copy of the key store could still open, because an epoch of theirs exists."""
    query = select(ShreddedKeyRow).where(col(ShreddedKeyRow.unrecoverable_at).is_(None))
    return tuple(_key(row) for row in session.exec(query.order_by(col(ShreddedKeyRow.key_id))))


def put_unrecoverable(session: Session, key_id: str, at: datetime, entry: int) -> None:
    """Note that nothing can open the key any more since `at`, and which ledger entry tells the last destruction."""
    row = session.get_one(ShreddedKeyRow, key_id)
    row.unrecoverable_at, row.gone_entry = at, entry
    session.add(row)
    session.flush()


# ------------------------------------------------------------------------------------------------- reading


_CLEARING = (StrandState.SHREDDED, StrandState.ERASING, StrandState.REOPENED, StrandState.ERASED)
_HIDDEN = (StrandState.BUFFER, StrandState.TOMBSTONED)


def refuse_writing(session: Session, customer: str, dataset: str) -> None:
    """Return where the customer's data of this dataset may be written now.

    Raises RefusedByRule while it is only stored, and NotYet while older data is being cleared away: nothing new is written
    to a place until its erasure is verified. A deletion of what lies abroad alone stops nothing at home.
    """
    for record in strands(session, customer=customer, states=(*_CLEARING, *_HIDDEN)):
        about_all = record.strand.part.is_whole_dataset and record.strand.subscription is None
        at_home = any(copy.role is CopyRole.PRIMARY for copy in record.strand.copies)
        if record.strand.dataset != dataset or not (about_all and at_home):
            continue
        if record.state in _HIDDEN:
            raise RefusedByRule(f"dataset {dataset} is {record.state}: it is stored, and nothing else")
        if record.strand.keep_written is None:
            raise NotYet(f"not yet: older data of dataset {dataset} is being deleted; write when that is verified")


def refuse_copying(session: Session, customer: str, dataset: str) -> None:
    """Return where the customer's data of this dataset may be copied somewhere now.

    Raises RefusedByRule while something of it is only stored, and NotYet while something of it, or of its copies, is being
    deleted: a copy would outlive what is deleted.
    """
    for record in strands(session, customer=customer, states=(*_CLEARING, *_HIDDEN)):
        if record.strand.dataset != dataset:
            continue
        if record.state in _HIDDEN:
            raise RefusedByRule(f"dataset {dataset} waits for its deletion: it is stored, and nothing else")
        raise NotYet(f"not yet: dataset {dataset} is being deleted; copy when that is verified")


def living_services(session: Session) -> dict[str, frozenset[str]]:
    """The services of which each customer has a living subscription; customers without one are not in it."""
    found: dict[str, set[str]] = {}
    for customer, service in session.exec(select(SubscriptionRow.customer, SubscriptionRow.service).distinct()):
        found.setdefault(customer, set()).add(service)
    return {customer: frozenset(services) for customer, services in found.items()}


def last_passed_at(session: Session, customer: str, dataset: str) -> datetime | None:
    """When a deletion of something of the customer's dataset last passed its point of no return (aware UTC); None: never."""
    query = select(StrandRow.passed_at).where(
        StrandRow.customer == customer, StrandRow.dataset == dataset, col(StrandRow.passed_at).is_not(None)
    )
    return session.exec(query.order_by(col(StrandRow.passed_at).desc()).limit(1)).first()


def services_of(session: Session, customer: str) -> frozenset[str]:
    """The services of which this customer has a living subscription."""
    return frozenset(session.exec(select(SubscriptionRow.service).where(SubscriptionRow.customer == customer)))


@dataclass(frozen=True, slots=True)
class _Rows:
    copies: dict[str, dict[str, CopyRow]]
    keys: dict[str, list[ShreddedKeyRow]]
    set_ends: dict[tuple[str, str], tuple[SetEnd, ...]]


def strand(session: Session, strand_id: str, *, lock: bool = False) -> StrandRecord:
    """One strand as it stands now. With `lock`, nobody else can change it until the transaction ends."""
    query = select(StrandRow).where(StrandRow.id == strand_id)
    row = session.exec(query.with_for_update() if lock else query).one()
    return _records(session, [row])[0]


def strands(
    session: Session,
    *,
    customer: str | None = None,
    case: str | None = None,
    states: Iterable[StrandState] | None = None,
    due_by: datetime | None = None,
) -> tuple[StrandRecord, ...]:
    """Strands of a customer, of a case, in some states, due by an instant; ordered by due date and id."""
    query = select(StrandRow).order_by(col(StrandRow.due_at), col(StrandRow.id))
    if customer is not None:
        query = query.where(StrandRow.customer == customer)
    if case is not None:
        query = query.where(StrandRow.case_id == case)
    if states is not None:
        query = query.where(col(StrandRow.state).in_([str(state) for state in states]))
    if due_by is not None:
        query = query.where(StrandRow.due_at <= due_by)
    return tuple(_records(session, session.exec(query).all()))


def cases(session: Session, *, customer: str | None = None, case: str | None = None) -> tuple[CaseRecord, ...]:
    """Cases of a customer (of all with None), or the one with this id; ordered by start and id, with all their strands."""
    query = select(CaseRow).order_by(col(CaseRow.started_at), col(CaseRow.id))
    if customer is not None:
        query = query.where(CaseRow.customer == customer)
    if case is not None:
        query = query.where(CaseRow.id == case)
    rows = session.exec(query).all()
    by_case: dict[str, list[StrandRecord]] = {}
    for record in strands(session, customer=customer, case=case):
        by_case.setdefault(record.strand.case, []).append(record)
    found = []
    for row in rows:
        records = tuple(by_case.get(row.id, ()))
        bare = _CASE.validate_json(row.case)
        whole = replace(bare, strands=tuple(r.strand for r in records))
        found.append(CaseRecord(whole, row.opened_at, records, row.opened_entry, row.dates_entry))
    return tuple(found)


def unsettled(session: Session, customer: str | None = None) -> tuple[StrandRecord, ...]:
    """Strands that were cancelled and whose data is not readable again yet."""
    query = select(StrandRow).where(
        StrandRow.state == str(StrandState.BROUGHT_BACK), col(StrandRow.settled_at).is_(None)
    )
    if customer is not None:
        query = query.where(StrandRow.customer == customer)
    return tuple(_records(session, session.exec(query.order_by(col(StrandRow.id))).all()))


def bare_cases(session: Session, ids: Iterable[str]) -> dict[str, Case]:
    """The cases with these ids, by id, without their strands; ids that are not there are left out."""
    wanted = sorted(set(ids))
    found: dict[str, Case] = {}
    for start in range(0, len(wanted), 500):
        query = select(CaseRow.case).where(col(CaseRow.id).in_(wanted[start : start + 500]))
        found.update((case.id, case) for case in map(_CASE.validate_json, session.exec(query)))
    return found


def first_wait_for_keys(session: Session) -> datetime | None:
    """By when the first case has to be complete that only waits for an epoch's destruction, or None where none does."""
    waiting = session.exec(
        select(ShreddedKeyRow.strand_id).where(col(ShreddedKeyRow.unrecoverable_at).is_(None)).distinct()
    ).all()
    return min((strand(session, strand_id).strand.complete_by.at for strand_id in waiting), default=None)


def _records(session: Session, rows: Sequence[StrandRow]) -> list[StrandRecord]:
    related = _related(session, [row.id for row in rows])
    return [_record(row, related) for row in rows]


def _related(session: Session, ids: Sequence[str]) -> _Rows:
    copies: dict[str, dict[str, CopyRow]] = {}
    keys: dict[str, list[ShreddedKeyRow]] = {}
    ends: dict[tuple[str, str], tuple[SetEnd, ...]] = {}
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        for copy in session.exec(select(CopyRow).where(col(CopyRow.strand_id).in_(chunk))):
            copies.setdefault(copy.strand_id, {})[copy.label] = copy
        shredded = select(ShreddedKeyRow).where(col(ShreddedKeyRow.strand_id).in_(chunk))
        for key in session.exec(shredded.order_by(col(ShreddedKeyRow.key_id))):
            keys.setdefault(key.strand_id, []).append(key)
        ends.update(set_ends(session, chunk))
    return _Rows(copies, keys, ends)


def _record(row: StrandRow, related: _Rows) -> StrandRecord:
    keys = tuple(_key(key) for key in related.keys.get(row.id, ()))
    return record_of(row, related.copies.get(row.id, {}), related.set_ends, keys)


def record_of(
    row: StrandRow | Row[Any],
    copies: Mapping[str, CopyRow | Row[Any]],
    ends: Mapping[tuple[str, str], tuple[SetEnd, ...]],
    keys: tuple[ShreddedKey, ...] = (),
) -> StrandRecord:
    """The strand of a row of the table, or of its columns alone; `copies` by label, `ends` by strand and label."""
    definition = _STRAND.validate_json(row.strand)
    return StrandRecord(
        strand=definition,
        customer=row.customer,
        state=StrandState(row.state),
        version=row.version,
        copies=tuple(
            _status(copy, copies.get(copy.label), ends.get((row.id, copy.label), ())) for copy in definition.copies
        ),
        keys=keys,
        restricted_at=row.restricted_at,
        cleared_at=row.cleared_at,
        tombstoned_at=row.tombstoned_at,
        passed_at=row.passed_at,
        shredded_at=row.shredded_at,
        erased_at=row.erased_at,
        verified_at=row.verified_at,
        checked_at=row.checked_at,
        certified_at=row.certified_at,
        settled_at=row.settled_at,
    )


def _status(copy: Copy, row: CopyRow | Row[Any] | None, sets: tuple[SetEnd, ...]) -> CopyStatus:
    if row is None:
        return CopyStatus(copy, sets=sets)
    return CopyStatus(
        copy,
        EndState(row.end_state) if row.end_state else None,
        row.reason,
        row.until,
        row.seen_count,
        row.seen_bytes,
        row.gone_count,
        row.sealed_count,
        row.sealable_count,
        row.empty_looks,
        row.verified_at,
        row.entry,
        sets,
        row.kept_until,
    )


def _key(row: ShreddedKeyRow) -> ShreddedKey:
    return ShreddedKey(
        row.key_id,
        row.dataset,
        tuple(row.epochs.split()),
        row.shredded_at,
        row.unrecoverable_at,
        row.entry,
        row.gone_entry,
    )
