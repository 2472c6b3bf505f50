"""SQLite's answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Integer,
    LargeBinary,
    cast,
    column,
    create_engine,
    event,
    literal,
    null,
    text,
    tuple_,
)
from sqlalchemy.engine import URL, Inspector
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import TypeEngine

from storage_adapters.sql.dialect import READS_ONLY, Limits, Oddities, Reference, Trouble, Verdict
from storage_adapters.sql.names import Key, TableName

HIDDEN_PREFIX = "retention_tombstone__"

_REFUSED = ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH")
_UNAVAILABLE = ("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM", "SQLITE_PROTOCOL")


class SQLite:
    """SQLite 3.35 and later, a database in a file."""

    longest_name = 200
    is_typed = False
    largest_integer = 2**63 - 1
    customer_type: TypeEngine[bytes] = LargeBinary()
    no_customer: ColumnElement[bytes] = cast(null(), LargeBinary)

    def engine(self, url: URL, limits: Limits) -> Engine:
        if not url.database or url.database == ":memory:":
            raise ValueError("a SQLite store is a file")
        # mode=rw, because a file that is not there must not be made by looking for it
        file = Path(url.database).absolute().as_uri()
        engine = create_engine(
            URL.create("sqlite", database=file, query={"mode": "rw", "uri": "true"}),
            poolclass=NullPool,
            connect_args={"timeout": limits.lock_seconds},
        )

        @event.listens_for(engine, "connect")
        def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            connection.isolation_level = None  # pysqlite would begin transactions late and end them early
            cursor = connection.cursor()
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.execute("PRAGMA secure_delete = ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            reads = connection.get_execution_options().get(READS_ONLY)
            connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

        return engine

    def begin(self, connection: Connection, limits: Limits) -> None:
        """Nothing: SQLite bounds only the wait for its one lock."""

    def verdict(self, error: DBAPIError) -> Verdict:
        foreign = error.orig
        if not isinstance(foreign, sqlite3.Error) or not hasattr(foreign, "sqlite_errorname"):
            return Verdict(Trouble.FORBIDDEN, type(foreign).__name__)
        word = str(foreign.sqlite_errorname)
        if word.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT", "SQLITE_SCHEMA")):
            return Verdict(Trouble.BUSY, word)
        if word.startswith("SQLITE_CONSTRAINT"):
            return Verdict(Trouble.CONSTRAINT, word)
        if word.startswith("SQLITE_CANTOPEN") or str(foreign).startswith("no such table"):
            return Verdict(Trouble.MISSING, word)
        return Verdict(Trouble.LOST if word.startswith(_UNAVAILABLE) else Trouble.FORBIDDEN, word)

    def schemas(self, connection: Connection, inspector: Inspector, named: frozenset[str]) -> list[str]:
        return ["main"]

    def references(self, connection: Connection, inspector: Inspector, schemas: Sequence[str]) -> Iterable[Reference]:
        # names here are compared without case: a foreign key may spell them differently than the table does
        columns = inspector.get_multi_columns(schema="main")
        tables = {str(name).casefold(): str(name) for _, name in columns}
        spelled = {
            (name, each["name"].casefold()): each["name"] for (_, name), found in columns.items() for each in found
        }
        for (_, child), keys in inspector.get_multi_foreign_keys(schema="main").items():
            for key in keys:
                action = str(key["options"].get("ondelete", "")).upper()
                parent = tables.get(key["referred_table"].casefold(), key["referred_table"])
                yield Reference(
                    key["name"] or f"{child} ({', '.join(key['constrained_columns'])})",
                    TableName("main", child),
                    tuple(spelled.get((child, name.casefold()), name) for name in key["constrained_columns"]),
                    TableName("main", parent),
                    tuple(spelled.get((parent, name.casefold()), name) for name in key["referred_columns"]),
                    acts=action in ("CASCADE", "SET NULL", "SET DEFAULT"),
                    cascades=action == "CASCADE",
                )

    def oddities(self, connection: Connection) -> Oddities:
        return Oddities()

    def defer(self, connection: Connection) -> None:
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))

    def row_id(self, table: FromClause) -> ColumnClause[object] | None:
        taken = {each.name.casefold() for each in table.columns}
        free = next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)
        return None if free is None else column(free, Integer(), _selectable=table)

    def among(self, columns: Sequence[ColumnElement[object]], keys: Sequence[Key]) -> ColumnElement[bool]:
        return columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)

    def is_exactly(self, column: ColumnElement[object], text: str) -> ColumnElement[bool] | None:
        return cast(column, LargeBinary) == literal(text.encode(), LargeBinary)

    def hidden_name(self, table: TableName) -> TableName:
        return TableName(table.schema, f"{HIDDEN_PREFIX}{table.name}")

    def settle(self, engine: Engine) -> bool:
        with engine.connect() as connection:
            raw = connection.connection.cursor()
            try:
                busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.close()
        return not busy

    def notes(self, connection: Connection) -> list[str]:
        notes = ["Foreign keys are enforced only in connections that ask for it, as this one does."]
        triggers = connection.execute(text("SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'"))
        named = sorted(triggers.scalars())
        if named:
            notes.append(f"Triggers may copy or change rows as they go and come back, on: {', '.join(named)}.")
        return notes
