"""How far a strand has come, written down whole and put back: its state, its copies and its steps, not what it is about.

What a column holds is taken along by itself. A new table whose rows belong to a strand is named in `_BELONGING`.
"""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import delete, inspect
from sqlmodel import Session, SQLModel, col, select

from retention.catalog.tables import CopyRow, SetEndRow, StepRow, StrandRow

_DERIVED = frozenset({"id", "case_id", "customer", "dataset", "due_at", "strand"})
"""What follows from the customer's facts."""

_Belonging = type[CopyRow] | type[SetEndRow] | type[StepRow]
_BELONGING: tuple[_Belonging, ...] = (CopyRow, SetEndRow, StepRow)


def standing_of(session: Session, strand_id: str) -> str:
    """How far the strand has come as of this transaction, as JSON; only `put_standing` reads it."""
    session.flush()
    row = session.exec(select(StrandRow).where(StrandRow.id == strand_id)).one()
    said: dict[str, object] = {"id": strand_id, "strand": row.model_dump(mode="json", exclude=set(_DERIVED))}
    for table in _BELONGING:
        said[str(table.__tablename__)] = [_written(row) for row in _rows(session, table, strand_id)]
    return json.dumps(said, ensure_ascii=True, separators=(",", ":"))


def put_standing(session: Session, standing: str) -> str | None:
    """The strand stands as it did when this was written; whose it is. None, and nothing is changed, where it is not there."""
    said = json.loads(standing)
    strand_id: str = said["id"]
    row = session.get(StrandRow, strand_id)
    if row is None:
        return None
    session.refresh(row)
    derived = {name: getattr(row, name) for name in _DERIVED}
    now = StrandRow.model_validate({**said["strand"], **derived})
    for name in set(StrandRow.model_fields) - _DERIVED:
        setattr(row, name, getattr(now, name))
    session.add(row)
    for table in _BELONGING:
        session.execute(delete(table).where(col(table.strand_id) == strand_id))
        for written in said[str(table.__tablename__)]:
            session.add(table.model_validate({**written, "strand_id": strand_id}))
            session.flush()
    session.flush()
    customer = row.customer
    session.expire_all()
    return customer


def put_passed(session: Session, strand_id: str, at: datetime) -> None:
    """The strand is past its point of no return, since `at` where it was not before."""
    row = session.get(StrandRow, strand_id)
    if row is not None and row.passed_at is None:
        row.passed_at = at
        session.add(row)
        session.flush()


def _rows(session: Session, table: _Belonging, strand_id: str) -> list[SQLModel]:
    query = select(table).where(col(table.strand_id) == strand_id).order_by(*inspect(table).primary_key)
    return list(session.exec(query))


def _written(row: SQLModel) -> dict[str, object]:
    """The row's columns; what the database numbers by itself it numbers anew."""
    return row.model_dump(mode="json", exclude={"strand_id", *(("id",) if isinstance(row, StepRow) else ())})
