"""As many finished cases as one likes, put straight into a catalogue: for what has to stand volume."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from pydantic import TypeAdapter
from sqlalchemy import insert
from sqlmodel import Session, SQLModel

from retention.catalog.tables import CaseRow, CopyRow, FactRow, SetEndRow, ShreddedKeyRow, StrandRow
from retention.model.case import Case, Count, Strand, case_id
from retention.model.copy import Copy, CopyRole, EndState, SetEnd
from retention.model.fact import Fact, FactKey, FactType, Part
from retention.model.period import parse_period
from retention.model.policy import Encryption
from storage_adapters.contract import Prefix

FIRST = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
_CASE, _STRAND, _FACT, _END = TypeAdapter(Case), TypeAdapter(Strand), TypeAdapter(Fact), TypeAdapter(SetEnd)
_PERIOD = parse_period("15 days")
_PAGE = 1_000
_OVERDUE_EVERY, _WAITING_EVERY = 100, 10


def put_cases(session: Session, count: int, policy_hash: str) -> None:
    """`count` cases of one dataset with a primary copy and a backup, spread over 20 days from FIRST.

    One in 100 is overdue by the end of the month, and one in 10 has a backup set in quarantine.
    """
    numbers = iter(range(count))
    while page := list(islice(numbers, _PAGE)):
        rows: dict[type[SQLModel], list[dict[str, object]]] = {}
        for number in page:
            for table, values in _rows(number, policy_hash):
                rows.setdefault(table, []).append(values)
        for table, values_of in rows.items():
            session.execute(insert(table), values_of)


def _rows(number: int, policy_hash: str) -> Iterator[tuple[type[SQLModel], dict[str, object]]]:
    customer, at = f"customer-{number:06d}", FIRST + timedelta(minutes=number % 28_800)
    key = FactKey("/volume", str(number))
    case = case_id("end-of-service", key)
    due = Count(at, _PERIOD, "buffer", at + timedelta(days=1))
    complete = Count(at, _PERIOD, "complete-within", at + timedelta(days=3))
    copies = (
        Copy("models", "objects", CopyRole.PRIMARY, place=Prefix(f"models/{customer}/")),
        Copy("models", "backups", CopyRole.BACKUP, backup="nightly"),
    )
    part = Part("models")
    strand = Strand(case, "models", None, part, Encryption.CUSTOMER, due, due, complete, copies, shreds_key=True)
    fact = Fact(key, FactType.SERVICE_EXPIRED, customer, at, at, service="training")
    noun = Case(case, customer, "end-of-service", "6.11", key, fact.type, at, policy_hash, ())
    is_done, waits = number % _OVERDUE_EVERY != 0, number % _WAITING_EVERY == 0
    done = at + timedelta(days=2)
    yield (
        FactRow,
        {
            "source": key.source,
            "id": key.id,
            "customer": customer,
            "digest": "0" * 64,
            "fact": _FACT.dump_json(fact).decode(),
        },
    )
    yield (
        CaseRow,
        {
            "id": case,
            "customer": customer,
            "rule": noun.rule,
            "fact_source": key.source,
            "fact_id": key.id,
            "policy_hash": policy_hash,
            "started_at": at,
            "opened_at": at,
            "opened_entry": 0,
            "dates_entry": 0,
            "case": _CASE.dump_json(noun).decode(),
        },
    )
    stamps = ("tombstoned_at", "passed_at", "shredded_at", "erased_at", "verified_at", "checked_at")
    yield (
        StrandRow,
        {
            "id": strand.id,
            "case_id": case,
            "customer": customer,
            "dataset": "models",
            "state": "verified" if is_done else "buffer",
            "version": 1,
            "due_at": due.at,
            "strand": _STRAND.dump_json(strand).decode(),
            "restricted_at": at,
            **dict.fromkeys(stamps, done if is_done else None),
        },
    )
    for copy in copies if is_done else ():
        is_waiting = copy.role is CopyRole.BACKUP and waits
        state = EndState.QUARANTINED if is_waiting else EndState.ERASED_VERIFIED
        counts = dict.fromkeys(("seen_count", "seen_bytes", "gone_count", "sealed_count", "sealable_count"), 3)
        known = {"strand_id": strand.id, "label": copy.label, "end_state": str(state), "entry": 0}
        yield CopyRow, {**known, **counts, "verified_at": done}
        if is_waiting:
            end = SetEnd("backups", f"{number:016x}", "nightly/2026-11-01/", state, "locked", refusal="refused")
            told = _END.dump_json(end).decode()
            yield SetEndRow, {"id": f"{number:064x}", "strand_id": strand.id, "label": copy.label, "end": told}
    if is_done:
        yield (
            ShreddedKeyRow,
            {
                "key_id": f"key-{number}",
                "strand_id": strand.id,
                "dataset": "models",
                "epochs": "epoch-1",
                "shredded_at": done,
                "unrecoverable_at": done,
                "entry": 0,
                "gone_entry": 0,
            },
        )
