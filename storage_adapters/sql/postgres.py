"""PostgreSQL's answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

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
from sqlalchemy.engine import URL, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import ARRAY, BigInteger, LargeBinary, Numeric, Text, TypeEngine, Uuid

from storage_adapters.sql.dialect import (
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

HIDDEN_SCHEMA = "retention_tombstone"

_BUSY = frozenset({"40001", "40P01", "55P03", "57014"})
_MISSING = frozenset({"3D000", "3F000", "42P01"})
_LOST_CLASSES = ("08", "57P", "53", "58")  # connection, operator intervention, resources, system
# libpq gives no code for a connection that the server turned down; in other languages it counts as not reached
_TURNED_DOWN = (
    (re.compile(r'database ".*" does not exist'), Verdict(Trouble.MISSING, "3D000")),
    (
        re.compile(r'authentication failed|no pg_hba\.conf entry|role ".*" does not exist'),
        Verdict(Trouble.FORBIDDEN, "28000"),
    ),
    (re.compile(r"permission denied for database"), Verdict(Trouble.FORBIDDEN, "42501")),
)

_REFERENCES = text("""
    SELECT con.conname, child_space.nspname, child.relname, parent_space.nspname, parent.relname, con.confdeltype,
           (SELECT array_agg(att.attname::text ORDER BY place.at) FROM unnest(con.conkey) WITH ORDINALITY place(num, at)
            JOIN pg_catalog.pg_attribute att ON att.attrelid = con.conrelid AND att.attnum = place.num),
           (SELECT array_agg(att.attname::text ORDER BY place.at) FROM unnest(con.confkey) WITH ORDINALITY place(num, at)
            JOIN pg_catalog.pg_attribute att ON att.attrelid = con.confrelid AND att.attnum = place.num)
    FROM pg_catalog.pg_constraint con
    JOIN pg_catalog.pg_class child ON child.oid = COALESCE(pg_catalog.pg_partition_root(con.conrelid), con.conrelid)
    JOIN pg_catalog.pg_namespace child_space ON child_space.oid = child.relnamespace
    JOIN pg_catalog.pg_class parent ON parent.oid = COALESCE(pg_catalog.pg_partition_root(con.confrelid), con.confrelid)
    JOIN pg_catalog.pg_namespace parent_space ON parent_space.oid = parent.relnamespace
    WHERE con.contype = 'f' AND con.conparentid = 0
""")
_COLUMNS = text("""
    SELECT space.nspname, rel.relname, rel.relkind = 'r' AND NOT rel.relhassubclass AS has_address, att.attname,
           format_type(att.atttypid, att.atttypmod) AS declared,
           format_type(COALESCE(NULLIF(kind.typbasetype, 0), kind.oid), NULL) AS spelling,
           CASE WHEN kind.typbasetype = 0 THEN att.atttypmod ELSE kind.typtypmod END AS modifier,
           att.attnotnull, att.attgenerated <> '' AS is_generated, att.attidentity = 'a' AS is_numbered
    FROM pg_catalog.pg_attribute att
    JOIN pg_catalog.pg_class rel ON rel.oid = att.attrelid
    JOIN pg_catalog.pg_namespace space ON space.oid = rel.relnamespace
    JOIN pg_catalog.pg_type kind ON kind.oid = att.atttypid
    WHERE rel.relkind IN ('r', 'p') AND NOT rel.relispartition AND att.attnum > 0 AND NOT att.attisdropped
      AND space.nspname = ANY(:schemas)
    ORDER BY space.nspname, rel.relname, att.attnum
""")
_KEYS = text("""
    SELECT space.nspname, rel.relname,
           (SELECT array_agg(att.attname::text ORDER BY place.at)
            FROM unnest(ind.indkey::int2[]) WITH ORDINALITY place(num, at)
            JOIN pg_catalog.pg_attribute att ON att.attrelid = rel.oid AND att.attnum = place.num
            WHERE place.at <= ind.indnkeyatts)
    FROM pg_catalog.pg_index ind
    JOIN pg_catalog.pg_class rel ON rel.oid = ind.indrelid
    JOIN pg_catalog.pg_class own ON own.oid = ind.indexrelid
    JOIN pg_catalog.pg_namespace space ON space.oid = rel.relnamespace
    WHERE ind.indisunique AND ind.indisvalid AND ind.indpred IS NULL AND ind.indexprs IS NULL
      AND space.nspname = ANY(:schemas)
    ORDER BY ind.indisprimary DESC, own.relname
""")
_SCHEMAS = text("""
    SELECT nspname FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', :default) ORDER BY 1
""")
_TRIGGERS = text("""
    SELECT DISTINCT rel.relname::text FROM pg_catalog.pg_trigger trig
    JOIN pg_catalog.pg_class rel ON rel.oid = trig.tgrelid WHERE NOT trig.tgisinternal ORDER BY 1
""")


_KINDS: dict[str, TypeEngine[Any]] = {
    "smallint": BigInteger(),
    "integer": BigInteger(),
    "bigint": BigInteger(),
    "uuid": Uuid(),
    "bytea": LargeBinary(),
}
_TAKEN_WHOLE = frozenset({"boolean", "real", "double precision", "numeric"})
_INSTANTS = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})  # also BC and infinity
_TEXTS = {"text": "text", "character varying": "text", "character": "bpchar", "citext": "citext", "name": "name"}


class Postgres:
    """PostgreSQL 13 and later, through psycopg 3."""

    longest_name = 63
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
        if state is None and not isinstance(foreign, (psycopg.OperationalError, psycopg.InterfaceError)):
            return Verdict(Trouble.FORBIDDEN, type(foreign).__name__)
        if state is None:
            turned_down = (verdict for said, verdict in _TURNED_DOWN if said.search(str(foreign)))
            return next(turned_down, Verdict(Trouble.LOST, "no answer"))
        if error.connection_invalidated or state.startswith(_LOST_CLASSES):
            return Verdict(Trouble.LOST, state)
        if state in _BUSY:
            return Verdict(Trouble.BUSY, state)
        if state in _MISSING:
            return Verdict(Trouble.MISSING, state)
        if state.startswith("23"):
            name = foreign.diag.constraint_name if isinstance(foreign, psycopg.Error) else None
            return Verdict(Trouble.CONSTRAINT, name or state)
        return Verdict(Trouble.FORBIDDEN, state)

    def schemas(self, connection: Connection, named: frozenset[str]) -> list[str]:
        default = str(connection.execute(text("SELECT current_schema()")).scalar() or "public")
        return [default, *connection.execute(_SCHEMAS, {"default": default}).scalars()]

    def tables(self, connection: Connection, schemas: Sequence[str]) -> Iterable[FoundTable]:
        keys: dict[TableName, list[tuple[str, ...]]] = {}
        for schema, table, columns in connection.execute(_KEYS, {"schemas": list(schemas)}):
            keys.setdefault(TableName(schema, table), []).append(tuple(columns))
        columns = connection.execute(_COLUMNS, {"schemas": list(schemas)})
        for (schema, table, has_address), rows in groupby(columns, key=lambda row: (row[0], row[1], row[2])):
            name = TableName(schema, table)
            yield FoundTable(name, tuple(_column(row) for row in rows), tuple(keys.get(name, ())), has_address)

    def references(self, connection: Connection, schemas: Sequence[str]) -> Iterable[Reference]:
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

    def defer(self, connection: Connection) -> None:
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))

    def row_id(self, table: FromClause) -> ColumnClause[object] | None:
        return column("ctid", Declared("tid"), _selectable=table)

    def among(self, columns: Sequence[ColumnElement[object]], keys: Sequence[Key]) -> ColumnElement[bool]:
        # one array for each column: one parameter, and one plan for batches of every size
        kinds = [ARRAY(each.type) for each in columns]
        arrays = [cast(bindparam(None, [key[at] for key in keys], kind), kind) for at, kind in enumerate(kinds)]
        if len(columns) == 1:
            return columns[0] == any_(arrays[0])
        return tuple_(*columns).in_(select(*(func.unnest(array) for array in arrays)))

    def is_exactly(self, column: ColumnElement[object], text: str) -> ColumnElement[bool] | None:
        if "\x00" in text:
            return None
        return cast(column, Text).collate("C") == text

    def as_told(self, column: ColumnElement[object]) -> ColumnElement[object]:
        kind = column.type
        if not isinstance(kind, Declared) or isinstance(kind, DeclaredText) or kind.spelling in _TAKEN_WHOLE:
            return column
        if kind.spelling in _INSTANTS:  # JSON's form of them, because that of a cast depends on the session
            return func.to_jsonb(column).op("#>>")(cast([], ARRAY(Text)))
        return cast(column, Text)

    def hidden_name(self, table: TableName) -> TableName:
        return TableName(HIDDEN_SCHEMA, f"{table.schema}.{table.name}")

    def settle(self, engine: Engine) -> bool:
        return True

    def ownerless(self, connection: Connection) -> tuple[str, ...]:
        has_any = connection.execute(text("SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)")).scalar()
        return ("large objects",) if has_any else ()

    def notes(self, connection: Connection) -> list[str]:
        notes = [
            "Deleted rows stay in the table's files until vacuum, in the write-ahead log until it is recycled, and in "
            "archived logs and base backups.",
            f"Hiding needs the schema {HIDDEN_SCHEMA} with the right to create tables in it, or the right to create it.",
        ]
        triggers = list(connection.execute(_TRIGGERS).scalars())
        if triggers:
            notes.append(f"Triggers may copy or change rows as they go and come back, on: {', '.join(triggers)}.")
        return notes


def _column(row: Row[Any]) -> FoundColumn:
    return FoundColumn(
        row.attname,
        _kind(row.spelling, row.modifier),
        row.declared,
        not row.attnotnull,
        row.is_generated,
        row.is_numbered,
    )


def _kind(spelling: str, modifier: int) -> TypeEngine[Any]:
    if spelling in _TEXTS:
        return DeclaredText(_TEXTS[spelling])  # without its length, to which a cast would cut
    if spelling == "numeric" and modifier >= 0 and (modifier - 4) & 0x7FF == 0:
        return Numeric(scale=0)
    return _KINDS.get(spelling) or Declared(spelling)
