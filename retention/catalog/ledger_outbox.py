"""Ledger entries that are committed with the change they tell of, on their way to the ledger's files."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlmodel import Session, col, select

from retention.catalog.rows import put_if_absent
from retention.catalog.tables import LedgerEntryRow, LedgerHeadRow


def append(session: Session, entries: Sequence[bytes]) -> range:
    """Give the entries the next positions in the ledger; they are part of it when this transaction commits.

    Writers take turns: a second transaction waits here until the first has ended, so positions have no gaps.
    """
    head = _lock_head(session)
    first = head.size
    session.add_all(LedgerEntryRow(position=first + i, entry=entry) for i, entry in enumerate(entries))
    head.size = first + len(entries)
    session.add(head)
    session.flush()
    return range(first, head.size)


def size(session: Session) -> int:
    """How many entries exist, published or not."""
    head = session.get(LedgerHeadRow, 1)
    return head.size if head else 0


def published(session: Session) -> int:
    """How many entries are known to stand in the ledger's files."""
    head = session.get(LedgerHeadRow, 1)
    return head.published if head else 0


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
