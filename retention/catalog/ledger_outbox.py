"""Ledger entries that are committed with the change they tell of, on their way to the ledger's files."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from retention.catalog.rows import put_if_absent
from retention.catalog.tables import LedgerEntryRow, LedgerHeadRow
from retention.evidence.merkle import leaf_hash

_LAST = "last ledger entry"


def append(session: Session, entries: Sequence[bytes], particulars: Sequence[bytes | None] = ()) -> range:
    """Give the entries the next positions in the ledger; they are part of it when this transaction commits.

    `particulars`: what belongs to each of them; none for none. Writers take turns: a second transaction waits here until the
    first has ended, so positions have no gaps.
    """
    head = _lock_head(session)
    first = head.size
    told = particulars or [None] * len(entries)
    session.add_all(
        LedgerEntryRow(position=first + i, entry=entry, particulars=belongs)
        for i, (entry, belongs) in enumerate(zip(entries, told, strict=True))
    )
    if entries:
        head.size, head.tip = first + len(entries), leaf_hash(entries[-1]).hex()
        session.info[_LAST] = head.size - 1
    session.add(head)
    session.flush()
    return range(first, head.size)


def last_written(session: Session) -> int | None:
    """The position of the last entry that this transaction has written; None where it has written none."""
    position: int | None = session.info.get(_LAST)
    return position


def particulars_of(session: Session, position: int) -> bytes | None:
    """What belongs to an entry that is not published yet; None for nothing."""
    return session.get_one(LedgerEntryRow, position).particulars


def put_particulars(session: Session, position: int, particulars: bytes) -> None:
    """This is what belongs to an entry that is not published yet."""
    row = session.get_one(LedgerEntryRow, position)
    row.particulars = particulars
    session.add(row)
    session.flush()


def size(session: Session) -> int:
    """How many entries exist, published or not."""
    head = session.get(LedgerHeadRow, 1)
    return head.size if head else 0


def published(session: Session) -> int:
    """How many entries are known to stand in the ledger's files."""
    head = session.get(LedgerHeadRow, 1)
    return head.published if head else 0


def tip(session: Session) -> str | None:
    """The RFC 6962 leaf hash (hex) of the last entry that exists; None where it was written before this was kept."""
    head = session.get(LedgerHeadRow, 1)
    return head.tip if head else None


def unpublished(session: Session, at_most: int) -> tuple[int, tuple[bytes, ...]]:
    """The first position that is not yet marked as published, and the entries from there on."""
    head = session.get(LedgerHeadRow, 1)
    start = head.published if head else 0
    query = (
        select(LedgerEntryRow)
        .where(col(LedgerEntryRow.position) >= start)
        .order_by(col(LedgerEntryRow.position))
        .limit(at_most)
    )
    rows = session.exec(query).all()
    return (rows[0].position if rows else start), tuple(row.entry for row in rows)


def unpublished_particulars(session: Session, positions: range) -> tuple[bytes | None, ...]:
    """What belongs to the entries at these positions, which `unpublished` gave in the same transaction."""
    query = (
        select(LedgerEntryRow)
        .where(col(LedgerEntryRow.position) >= positions.start, col(LedgerEntryRow.position) < positions.stop)
        .order_by(col(LedgerEntryRow.position))
    )
    return tuple(row.particulars for row in session.exec(query))


def skip_to(session: Session, size_now: int, tip_now: str) -> None:
    """The catalogue knows the ledger's first `size_now` entries, all of them published; the last one has the hash `tip_now`.

    For a catalogue that is brought up to date: nobody else writes until this transaction ends.
    """
    head = _lock_head(session)
    head.size = head.published = size_now
    head.tip = tip_now
    session.add(head)
    session.execute(delete(LedgerEntryRow))
    session.flush()


def mark_published(session: Session, size_now: int) -> None:
    """Forget entries below `size_now`: the ledger's files hold them. A smaller size than before changes nothing."""
    head = _lock_head(session)
    if size_now > head.published:
        head.published = size_now
        session.add(head)
        session.execute(delete(LedgerEntryRow).where(col(LedgerEntryRow.position) < size_now))


def _lock_head(session: Session) -> LedgerHeadRow:
    query = select(LedgerHeadRow).where(LedgerHeadRow.id == 1).with_for_update()
    head = session.exec(query).one_or_none()
    if head is None:
        put_if_absent(session, LedgerHeadRow, id=1, size=0, published=0)
        head = session.exec(query).one()
    return head
