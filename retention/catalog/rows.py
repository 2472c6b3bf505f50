"""Rows that several processes may want to make at the same moment: one of them does, and nobody fails."""

from __future__ import annotations

from sqlalchemy import Insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlmodel import Session, SQLModel, col


def put_if_absent(session: Session, table: type[SQLModel], **values: object) -> None:
    """The row is there, with these values or, where it was there before, with its own.

    Where another transaction is making it, this one waits for that to end. The first of `values` is the primary key.
    """
    session.connection().execute(_insert(session.get_bind().dialect.name, table, values))


def _insert(dialect: str, table: type[SQLModel], values: dict[str, object]) -> Insert:
    match dialect:
        case "postgresql":
            return postgresql.insert(table).values(**values).on_conflict_do_nothing()
        case "sqlite":
            return sqlite.insert(table).values(**values).on_conflict_do_nothing()
        case _:  # INSERT IGNORE would leave a shared lock on the row, from which two that wait can only deadlock
            key = next(iter(values))
            return mysql.insert(table).values(**values).on_duplicate_key_update({key: col(getattr(table, key))})
