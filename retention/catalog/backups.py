"""Backup sets: the inventory of the last scan, and how each set ended for the copies of cases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from retention.catalog.tables import BackupSetRow, SetEndRow
from retention.model.backup import KnownSet
from retention.model.copy import SetEnd
from storage_adapters.backups.contract import BackupSet

_SET = TypeAdapter(BackupSet)
_END = TypeAdapter(SetEnd)


def put_found(session: Session, known: KnownSet) -> KnownSet:
    """Store the set as it was found now, and return it with what was known before: when it began, and since when it is so."""
    key = _id(known.store, known.set.name)
    row = session.get(BackupSetRow, key)
    if row is not None:
        before = _SET.validate_json(row.found)
        if _content(before) == _content(known.set):
            known = replace(known, changed_at=row.changed_at)
        if before.begun_at and known.set.begun_at and not _is_other(before, known.set):
            known = replace(known, set=replace(known.set, begun_at=min(before.begun_at, known.set.begun_at)))
    values = {
        "told": known.id,
        "shown": known.shown,
        "plans": " ".join(known.plans),
        "found": _SET.dump_json(known.set).decode(),
        "seen_at": known.seen_at,
        "changed_at": known.changed_at,
    }
    if row is None:
        session.add(BackupSetRow.model_validate({"id": key, "store": known.store, **values}))
    else:
        row.sqlmodel_update({**values, "gone_at": None})
        session.add(row)
    session.flush()
    return known


def put_gone(session: Session, store: str, found: Iterable[str], now: datetime) -> int:
    """Note as gone the sets of the store whose names are not among those `found`; how many those are."""
    names = {_id(store, name) for name in found}
    rows = session.exec(select(BackupSetRow).where(BackupSetRow.store == store, col(BackupSetRow.gone_at).is_(None)))
    missed = [row for row in rows if row.id not in names]
    for row in missed:
        row.gone_at = now
        session.add(row)
    session.flush()
    return len(missed)


def known_sets(session: Session) -> tuple[KnownSet, ...]:
    """The sets that were there at the last scan, by store and name."""
    rows = session.exec(select(BackupSetRow).where(col(BackupSetRow.gone_at).is_(None)))
    return tuple(sorted((_known(row) for row in rows), key=lambda known: (known.store, known.set.name)))


def names_of(session: Session, store: str, ids: Sequence[str]) -> dict[str, str]:
    """The names that the store had for the sets of these ids, there or gone; an id that was never listed is left out."""
    rows = session.exec(select(BackupSetRow).where(BackupSetRow.store == store, col(BackupSetRow.told).in_(ids)))
    return {row.told: _SET.validate_json(row.found).name for row in rows}


def put_set_end(session: Session, strand_id: str, label: str, end: SetEnd) -> None:
    """Store how one set ended for one copy of a strand."""
    text = "\x00".join((strand_id, label, end.store, end.id))
    key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    told = _END.dump_json(end).decode()
    row = session.get(SetEndRow, key) or SetEndRow(id=key, strand_id=strand_id, label=label, end=told)
    row.end = told
    session.add(row)
    session.flush()


def set_ends(session: Session, strand_ids: Sequence[str]) -> dict[tuple[str, str], tuple[SetEnd, ...]]:
    """How the sets ended, by strand and the label of its copy; each by store and name. At most 500 strands."""
    found: dict[tuple[str, str], list[SetEnd]] = {}
    for row in session.exec(select(SetEndRow).where(col(SetEndRow.strand_id).in_(strand_ids))):
        found.setdefault((row.strand_id, row.label), []).append(_END.validate_json(row.end))
    return {key: tuple(sorted(ends, key=lambda end: (end.store, end.set))) for key, ends in found.items()}


def _id(store: str, name: str) -> str:
    return hashlib.sha256(f"{store}\x00{name}".encode("utf-8", "surrogateescape")).hexdigest()


def _content(found: BackupSet) -> tuple[object, ...]:
    """What changes when somebody writes to the set."""
    return found.item_count, found.size, found.taken_at


def _is_other(before: BackupSet, now: BackupSet) -> bool:
    """Whether another set was made under the name: it began after the one that was known had ended."""
    return before.taken_at is not None and now.begun_at is not None and now.begun_at > before.taken_at


def _known(row: BackupSetRow) -> KnownSet:
    found = _SET.validate_json(row.found)
    return KnownSet(row.store, row.told, found, row.shown, tuple(row.plans.split()), row.seen_at, row.changed_at)
