"""Rows that several processes may want to make at the same moment: one of them does, and nobody fails."""

from __future__ import annotations

from sqlalchemy import Insert
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlmodel import Session, SQLModel


def put_if_absent(session: Session, table: type[SQLModel], **values: object) -> bool:
    """The row is there; True where this call made it.

    Where another transaction is making it, this one waits for that to end. `values` fit their columns.
    """
    return session.connection().execute(_insert(session.get_bind().dialect.name, table, values)).rowcount == 1


def _insert(dialect: str, table: type[SQLModel], values: dict[str, object]) -> Insert:
    match dialect:
        case "postgresql":
            return postgresql.insert(table).values(**values).on_conflict_do_nothing()
        case "sqlite":
            return sqlite.insert(table).values(**values).on_conflict_do_nothing()
        case _:
            return mysql.insert(table).values(**values).prefix_with("IGNORE")
