"""PostgreSQL's answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    any_,
    bindparam,
    cast,
    column,
    create_engine,
    func,
    null,
    select,
    text,
    tuple_,
)
from sqlalchemy.engine import URL, Inspector
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import ARRAY, BigInteger, Integer, LargeBinary, NullType, Text, TypeEngine, UserDefinedType

from storage_adapters.sql.dialect import Limits, Oddities, Reference, Trouble, Verdict
from storage_adapters.sql.names import Key, TableName

HIDDEN_SCHEMA = "retention_tombstone"

_BUSY = frozenset({"40001", "40P01", "55P03", "57014"})
_MISSING = frozenset({"3D000", "3F000", "42P01"})
_LOST_CLASSES = ("08", "57P", "53", "58")  # connection, operator intervention, resources, system

_REFERENCES = text("""
    SELECT con.conname, child_space.nspname, child.relname, parent_space.nspname, parent.relname, con.confdeltype,
           (SELECT array_agg(att.attname::text ORDER BY place.at) FROM unnest(con.conkey) WITH ORDINALITY place(num, at)
            JOIN pg_catalog.pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = place.num),
           (SELECT array_agg(att.attname::text ORDER BY place.at) FROM unnest(con.confkey) WITH ORDINALITY place(num, at)
            JOIN pg_catalog.pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = place.num)
    FROM pg_catalog.pg_constraint con
    JOIN pg_catalog.pg_class child ON child.oid = con.conrelid
    JOIN pg_catalog.pg_namespace child_space ON child_space.oid = child.relnamespace
    JOIN pg_catalog.pg_class parent ON parent.oid = con.confrelid
    JOIN pg_catalog.pg_namespace parent_space ON parent_space.oid = parent.relnamespace
    WHERE con.contype = 'f' AND NOT child.relispartition AND NOT parent.relispartition
""")
_PARTITIONS = text("""
    SELECT space.nspname, part.relname FROM pg_catalog.pg_class part
    JOIN pg_catalog.pg_namespace space ON space.oid = part.relnamespace WHERE part.relispartition
""")
_SPREAD = text("""
    SELECT space.nspname, whole.relname FROM pg_catalog.pg_class whole
    JOIN pg_catalog.pg_namespace space ON space.oid = whole.relnamespace
    WHERE whole.relkind = 'p' OR (whole.relkind = 'r' AND whole.relhassubclass)
""")
_TRIGGERS = text("""
    SELECT DISTINCT rel.relname::text FROM pg_catalog.pg_trigger trig
    JOIN pg_catalog.pg_class rel ON rel.oid = trig.tgrelid WHERE NOT trig.tgisinternal ORDER BY 1
""")


class Tid(UserDefinedType[str]):
    """The physical address of a row version."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "tid"


class Postgres:
    """PostgreSQL 13 and later, through psycopg 3."""

    longest_name = 63
    is_typed = True
    largest_integer = 2**63 - 1
    customer_type: TypeEngine[bytes] = LargeBinary()
    no_customer: ColumnElement[bytes] = cast(null(), LargeBinary)

    def engine(self, url: URL, limits: Limits) -> Engine:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 10, "application_name": "retention"},
        )

    def begin(self, connection: Connection, limits: Limits) -> None:
        # with row_security off a policy that would hide rows from us is an error instead of a false "nothing there"
        settings = {
            "statement_timeout": str(round(limits.statement_seconds * 1000)),
            "lock_timeout": str(round(limits.lock_seconds * 1000)),
            "row_security": "off",
        }
        connection.execute(select(*(func.set_config(name, value, True) for name, value in settings.items())))

    def verdict(self, error: DBAPIError) -> Verdict:
        foreign = error.orig
        state = foreign.sqlstate if isinstance(foreign, psycopg.Error) else None
        if error.connection_invalidated or state is None or state.startswith(_LOST_CLASSES):
            is_data = isinstance(foreign, (psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError))
            return Verdict(Trouble.FORBIDDEN if state is None and is_data else Trouble.LOST, state or "no answer")
        if state in _BUSY:
            return Verdict(Trouble.BUSY, state)
        if state in _MISSING:
            return Verdict(Trouble.MISSING, state)
        if state.startswith("23"):
            name = foreign.diag.constraint_name if isinstance(foreign, psycopg.Error) else None
            return Verdict(Trouble.CONSTRAINT, name or state)
        return Verdict(Trouble.FORBIDDEN, state)

    def schemas(self, connection: Connection, inspector: Inspector, named: frozenset[str]) -> list[str]:
        default = inspector.default_schema_name or "public"
        others = [name for name in inspector.get_schema_names() if name not in (default, "information_schema")]
        return [default, *(name for name in others if not name.startswith("pg_"))]

    def references(self, connection: Connection, inspector: Inspector, schemas: Sequence[str]) -> Iterable[Reference]:
        for name, child_schema, child, parent_schema, parent, action, columns, parents in connection.execute(
            _REFERENCES
        ):
            yield Reference(
                name,
                TableName(child_schema, child),
                tuple(columns),
                TableName(parent_schema, parent),
                tuple(parents),
                acts=action in ("c", "n", "d"),
                cascades=action == "c",
            )

    def oddities(self, connection: Connection) -> Oddities:
        return Oddities(
            parts=frozenset(TableName(*row) for row in connection.execute(_PARTITIONS)),
            spread=frozenset(TableName(*row) for row in connection.execute(_SPREAD)),
        )

    def defer(self, connection: Connection) -> None:
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))

    def row_id(self, table: FromClause) -> ColumnClause[object] | None:
        return column("ctid", Tid(), _selectable=table)

    def among(self, columns: Sequence[ColumnElement[object]], keys: Sequence[Key]) -> ColumnElement[bool]:
        # one array for each column: one parameter, and one plan for batches of every size
        if any(isinstance(each.type, NullType) for each in columns):  # a type without a name cannot be cast to
            return columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)
        kinds = [ARRAY(BigInteger() if isinstance(each.type, Integer) else each.type) for each in columns]
        arrays = [cast(bindparam(None, [key[at] for key in keys], kind), kind) for at, kind in enumerate(kinds)]
        if len(columns) == 1:
            return columns[0] == any_(arrays[0])
        return tuple_(*columns).in_(select(*(func.unnest(array) for array in arrays)))

    def is_exactly(self, column: ColumnElement[object], text: str) -> ColumnElement[bool] | None:
        if "\x00" in text:
            return None
        return cast(column, Text).collate("C") == text

    def hidden_name(self, table: TableName) -> TableName:
        return TableName(HIDDEN_SCHEMA, f"{table.schema}.{table.name}")

    def settle(self, engine: Engine) -> bool:
        return True

    def notes(self, connection: Connection) -> list[str]:
        notes = [
            "Deleted rows stay in the table's files until vacuum, in the write-ahead log until it is recycled, and in "
            "archived logs and base backups.",
        ]
        triggers = list(connection.execute(_TRIGGERS).scalars())
        if triggers:
            notes.append(f"Triggers may copy or change rows as they go and come back, on: {', '.join(triggers)}.")
        return notes
