"""SQLite's answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

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
    inspect,
    literal,
    null,
    text,
    tuple_,
    type_coerce,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection, ReflectedColumn
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import NullType, Numeric, String, TypeEngine

from storage_adapters.sql.dialect import (
    READS_ONLY,
    Declared,
    DeclaredText,
    FoundColumn,
    FoundTable,
    Limits,
    Reference,
    Trouble,
    Verdict,
)
from storage_adapters.sql.names import Key, TableName

HIDDEN_PREFIX = "retention_tombstone__"

_REFUSED = ("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_MISMATCH")
_UNAVAILABLE = ("SQLITE_IOERR", "SQLITE_FULL", "SQLITE_NOMEM", "SQLITE_PROTOCOL")


_WITHOUT_ROW_ID = text("SELECT name FROM pragma_table_list WHERE schema = 'main' AND wr = 1")


class SQLite:
    """SQLite 3.35 and later, a database in a file."""

    longest_name = 200
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

    def schemas(self, connection: Connection, named: frozenset[str]) -> list[str]:
        return ["main"]

    def tables(self, connection: Connection, schemas: Sequence[str]) -> Iterable[FoundTable]:
        inspector = inspect(connection)
        primary_keys = inspector.get_multi_pk_constraint(schema="main")
        unique_keys = inspector.get_multi_unique_constraints(schema="main")
        without_row_id = set(connection.execute(_WITHOUT_ROW_ID).scalars())
        for found, columns in inspector.get_multi_columns(schema="main").items():
            primary = primary_keys.get(found)
            keys = [tuple(primary["constrained_columns"])] if primary and primary["constrained_columns"] else []
            keys += sorted(tuple(unique["column_names"]) for unique in unique_keys.get(found) or ())
            yield FoundTable(
                TableName("main", found[1]),
                tuple(_column(column) for column in columns),
                tuple(keys),
                found[1] not in without_row_id,
            )

    def references(self, connection: Connection, schemas: Sequence[str]) -> Iterable[Reference]:
        inspector = inspect(connection)
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

    def as_told(self, column: ColumnElement[object]) -> ColumnElement[object]:
        return type_coerce(column, Declared(""))  # any value may be in a column of any type

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

    def ownerless(self, connection: Connection) -> tuple[str, ...]:
        return ()

    def notes(self, connection: Connection) -> list[str]:
        notes = ["Foreign keys are enforced only in connections that ask for it, as this one does."]
        triggers = connection.execute(text("SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger'"))
        named = sorted(triggers.scalars())
        if named:
            notes.append(f"Triggers may copy or change rows as they go and come back, on: {', '.join(named)}.")
        return notes


def _column(found: ReflectedColumn) -> FoundColumn:
    # it lets a key be NULL unless told not to, and nobody means that
    is_nullable = found["nullable"] and not found.get("primary_key")
    # a type declared here bounds no value, so there is none to compare
    return FoundColumn(found["name"], _kind(found["type"]), "", is_nullable, "computed" in found)


def _kind(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """How values are taken: never as SQLAlchemy would read them, because any text may be in a column of dates."""
    match kind:
        case Integer() | Numeric(scale=0):
            return Integer()
        case String() | NullType():
            return DeclaredText("")
        case LargeBinary():
            return LargeBinary()
        case _:
            return Declared("")
