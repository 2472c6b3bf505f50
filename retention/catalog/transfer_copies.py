"""What was copied to replicas under decisions, and which ways out of a store were closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import TypeAdapter
from sqlmodel import Session, col, select

from retention.catalog.tables import ClosedWayRow, DecisionRow, TransferCopyRow
from retention.model.transfer_copy import ClosedWay, CopyState, TransferCopy

_COPY = TypeAdapter(TransferCopy)
_WAY = TypeAdapter(ClosedWay)


def put_copy(session: Session, copy: TransferCopy) -> None:
    """Store the copy as it stands now."""
    row = session.get(TransferCopyRow, copy.id)
    if row is None:
        row = TransferCopyRow(
            id=copy.id, decision=copy.decision, customer=copy.customer, changed_at=copy.changed_at, copy_=""
        )
    row.changed_at = copy.changed_at
    row.copy_ = _COPY.dump_json(copy).decode()
    session.add(row)
    session.flush()


def interrupted_copy(session: Session, decision: str, target: str) -> TransferCopy | None:
    """The copy of this decision to this store that was neither done nor stopped; None where there is none."""
    rows = session.exec(select(TransferCopyRow).where(TransferCopyRow.decision == decision))
    copies = [_COPY.validate_json(row.copy_) for row in rows]
    open_ = [copy for copy in copies if copy.target == target and copy.state is CopyState.RUNNING]
    return max(open_, key=lambda copy: (copy.started_at, copy.id), default=None)


def copies(session: Session, *, since: datetime) -> Iterator[TransferCopy]:
    """Every copy changed since an instant (aware UTC), the oldest change first."""
    query = select(TransferCopyRow).order_by(col(TransferCopyRow.changed_at), col(TransferCopyRow.id))
    query = query.where(col(TransferCopyRow.changed_at) >= since)
    return (_COPY.validate_json(row.copy_) for row in session.exec(query))


def put_closed_way(session: Session, way: ClosedWay) -> None:
    """Store the way out as it is closed, or opened again, now."""
    row = session.get(ClosedWayRow, way.id) or ClosedWayRow(id=way.id, closed_at=way.closed_at, way="")
    row.way = _WAY.dump_json(way).decode()
    session.add(row)
    session.flush()


def find_closed_way(session: Session, way_id: str) -> ClosedWay | None:
    """The closed way of this id, or None."""
    row = session.get(ClosedWayRow, way_id)
    return _WAY.validate_json(row.way) if row else None


def closed_ways(session: Session) -> tuple[ClosedWay, ...]:
    """Every way that was ever closed, in that order; those opened again say so."""
    rows = session.exec(select(ClosedWayRow).order_by(col(ClosedWayRow.closed_at), col(ClosedWayRow.id)))
    return tuple(_WAY.validate_json(row.way) for row in rows)


def used_destinations(session: Session) -> tuple[tuple[str, str], ...]:
    """Datasets and territories, of which something went there under a decision; each pair once, sorted."""
    query = select(DecisionRow.dataset, DecisionRow.destination).where(col(DecisionRow.used_at).is_not(None)).distinct()
    return tuple(sorted((dataset, destination) for dataset, destination in session.exec(query)))
