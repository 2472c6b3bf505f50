"""MariaDB's answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import (
    BINARY,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    literal_column,
    text,
    tuple_,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import BigInteger, LargeBinary, Numeric, TypeEngine, Uuid

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

HIDDEN_PREFIX = "retention_tombstone__"
SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})

_BUSY = frozenset({1020, 1205, 1213, 1317, 1969, 3024})
_MISSING = frozenset({1049, 1146})
_LOST = frozenset({0, 1040, 1053, 1152, 1153, 1158, 1159, 1160, 1161, 1203, 1226, 1927, 2002, 2003, 2006, 2013, 2055})
_CONSTRAINT = frozenset({1022, 1048, 1062, 1169, 1216, 1217, 1364, 1451, 1452, 1557, 1761, 1762, 4025})
_NAME = re.compile(r"CONSTRAINT [`'\"]((?:[^`]|``)+?)[`'\"]|for key '([^']+)'")

# without it an id of 0 would come back as the next free number, and old dates that are no dates not at all
_MODES = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION"

_REFERENCES = text("""
    SELECT used.constraint_schema, used.constraint_name, used.table_schema, used.table_name, used.column_name,
           used.referenced_table_schema, used.referenced_table_name, used.referenced_column_name, rules.delete_rule
    FROM information_schema.key_column_usage used
    JOIN information_schema.referential_constraints rules
      ON rules.constraint_schema = used.constraint_schema AND rules.constraint_name = used.constraint_name
     AND rules.table_name = used.table_name
    WHERE used.referenced_table_name IS NOT NULL AND used.table_schema IN :schemas
    ORDER BY used.table_schema, used.table_name, used.constraint_name, used.ordinal_position
""").bindparams(bindparam("schemas", expanding=True))
_POINTING = text("""
    SELECT DISTINCT table_schema FROM information_schema.key_column_usage WHERE referenced_table_schema IN :schemas
""").bindparams(bindparam("schemas", expanding=True))
_COLUMNS = text("""
    SELECT col.table_schema, col.table_name, tab.table_type = 'SYSTEM VERSIONED', col.column_name, col.data_type,
           col.column_type, col.numeric_scale, col.character_set_name, col.collation_name,
           col.is_nullable = 'YES', col.is_generated = 'ALWAYS'
    FROM information_schema.columns col
    JOIN information_schema.tables tab ON tab.table_schema = col.table_schema AND tab.table_name = col.table_name
    WHERE tab.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
      AND col.table_schema IN :schemas AND tab.table_schema IN :schemas
    ORDER BY col.table_schema, col.table_name, col.ordinal_position
""").bindparams(bindparam("schemas", expanding=True))
_KEYS = text("""
    SELECT table_schema, table_name, index_name, column_name, sub_part IS NULL
    FROM information_schema.statistics WHERE non_unique = 0 AND table_schema IN :schemas
    ORDER BY index_name <> 'PRIMARY', table_schema, table_name, index_name, seq_in_index
""").bindparams(bindparam("schemas", expanding=True))
_NOT_INNODB = text("""
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY 1
""")
_TRIGGERS = text(
    "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1"
)


class MariaDB:
    """MariaDB 10.6 and later, through PyMySQL. MySQL itself is refused: its timeouts and RETURNING differ."""

    longest_name = 64
    largest_integer = 2**64 - 1
    customer_type: TypeEngine[bytes] = BINARY(255)
    no_customer: ColumnElement[bytes] = literal_column(
        "CAST(NULL AS BINARY(255))", BINARY(255)
    )  # a table made of it has VARBINARY

    def engine(self, url: URL, limits: Limits) -> Engine:
        engine = create_engine(
            url.set(drivername="mysql+pymysql"),
            isolation_level="READ COMMITTED",  # a look inside a transaction sees what others have committed since
            connect_args={"connect_timeout": 10, "charset": "utf8mb4"},
        )
        settings = {
            "sql_mode": f"'{_MODES}'",
            "time_zone": "'+00:00'",
            "max_statement_time": f"{limits.statement_seconds:.3f}",
            "innodb_lock_wait_timeout": str(max(1, round(limits.lock_seconds))),
            "lock_wait_timeout": str(max(1, round(limits.lock_seconds))),
            # a long list of keys would be made a subquery that is run again for each row of the table
            "in_predicate_conversion_threshold": "0",
        }
        statement = "SET SESSION " + ", ".join(f"{name} = {value}" for name, value in settings.items())

        @event.listens_for(engine, "connect")
        def set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute(statement)
            cursor.close()

        return engine

    def begin(self, connection: Connection, limits: Limits) -> None:
        """Nothing: the limits hold for the session."""

    def verdict(self, error: DBAPIError) -> Verdict:
        args = error.orig.args if error.orig is not None else ()
        code = args[0] if args and isinstance(args[0], int) else 0
        if error.connection_invalidated or code in _LOST:
            return Verdict(Trouble.LOST, str(code or "no answer"))
        if code in _BUSY:
            return Verdict(Trouble.BUSY, str(code))
        if code in _MISSING:
            return Verdict(Trouble.MISSING, str(code))
        if code in _CONSTRAINT:
            found = _NAME.search(str(args[1])) if len(args) > 1 else None
            return Verdict(Trouble.CONSTRAINT, next(filter(None, found.groups())) if found else str(code))
        return Verdict(Trouble.FORBIDDEN, str(code))

    def schemas(self, connection: Connection, named: frozenset[str]) -> list[str]:
        # not all databases of the server: there may be thousands, of others, and just being dropped
        default = str(connection.execute(text("SELECT DATABASE()")).scalar() or "")
        there = connection.execute(text("SELECT schema_name FROM information_schema.schemata")).scalars()
        known = {default, *named.intersection(there)} - SYSTEM_SCHEMAS
        pointing = connection.execute(_POINTING, {"schemas": sorted(known)}).scalars()
        return [default, *sorted((known | set(pointing)) - {default})]

    def tables(self, connection: Connection, schemas: Sequence[str]) -> Iterable[FoundTable]:
        # read here, because SQLAlchemy reads SHOW CREATE TABLE and passes over names that hold a backtick or colon
        keys: dict[TableName, list[tuple[str, ...]]] = {}
        parts = connection.execute(_KEYS, {"schemas": list(schemas)})
        for (schema, table, _), rows in groupby(parts, key=lambda row: (row[0], row[1], row[2])):
            columns = list(rows)
            if all(is_whole for *_, is_whole in columns):
                keys.setdefault(TableName(schema, table), []).append(tuple(each[3] for each in columns))
        found = connection.execute(_COLUMNS, {"schemas": list(schemas)})
        for (schema, table, is_versioned), rows in groupby(found, key=lambda row: (row[0], row[1], row[2])):
            name = TableName(schema, table)
            yield FoundTable(
                name, tuple(_column(*row[3:]) for row in rows), tuple(keys.get(name, ())), False, bool(is_versioned)
            )

    def references(self, connection: Connection, schemas: Sequence[str]) -> Iterable[Reference]:
        columns = connection.execute(_REFERENCES, {"schemas": list(schemas)})
        for _, rows in groupby(columns, key=lambda row: (row[1], row[2], row[3])):
            parts = list(rows)
            first = parts[0]
            yield Reference(
                first[1],
                TableName(first[2], first[3]),
                tuple(part[4] for part in parts),
                TableName(first[5], first[6]),
                tuple(part[7] for part in parts),
                acts=first[8] in ("CASCADE", "SET NULL", "SET DEFAULT"),
                cascades=first[8] == "CASCADE",
            )

    def defer(self, connection: Connection) -> None:
        """Nothing: MariaDB checks row by row."""

    def row_id(self, table: FromClause) -> ColumnClause[object] | None:
        return None

    def among(self, columns: Sequence[ColumnElement[object]], keys: Sequence[Key]) -> ColumnElement[bool]:
        return columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)

    def is_exactly(self, column: ColumnElement[object], text: str) -> ColumnElement[bool] | None:
        # bytes, because even the collations named "bin" pass over spaces at the end
        utf8 = func.convert(column.op("USING")(literal_column("utf8mb4")))
        return cast(utf8, BINARY) == literal(text.encode(), BINARY)

    def as_told(self, column: ColumnElement[object]) -> ColumnElement[object]:
        return column

    def hidden_name(self, table: TableName) -> TableName:
        return TableName(table.schema, f"{HIDDEN_PREFIX}{table.name}")

    def settle(self, engine: Engine) -> bool:
        return True

    def ownerless(self, connection: Connection) -> tuple[str, ...]:
        return ()

    def notes(self, connection: Connection) -> list[str]:
        notes = [
            "Deleted rows stay in InnoDB's pages and undo log until purge, and in backups of them.",
            "Foreign keys of databases that this user cannot see are not seen here either; hiding creates tables.",
        ]
        if connection.execute(text("SELECT @@log_bin")).scalar():
            notes.append("The binary log is on and keeps deleted rows until it is purged; replicas follow with delay.")
        triggers = list(connection.execute(_TRIGGERS).scalars())
        if triggers:
            notes.append(f"Triggers may copy or change rows as they go and come back, on: {', '.join(triggers)}.")
        loose = list(connection.execute(_NOT_INNODB).scalars())
        if loose:
            notes.append(f"Without transactions and foreign keys, because not InnoDB: {', '.join(loose)}.")
        return notes


def _column(
    name: str,
    kind: str,
    declared: str,
    scale: int | None,
    charset: str | None,
    collation: str | None,
    is_nullable: int,
    is_generated: int,
) -> FoundColumn:
    if charset is not None:
        declared = f"{declared} CHARACTER SET {charset} COLLATE {collation}"
    return FoundColumn(name, _kind(kind, scale), declared, bool(is_nullable), bool(is_generated))


def _kind(kind: str, scale: int | None) -> TypeEngine[Any]:
    if kind.endswith("int"):
        return BigInteger()
    if kind == "decimal" and scale == 0:
        return Numeric(scale=0)
    if kind.endswith("text") or kind in ("char", "varchar"):
        return DeclaredText(kind)
    if kind.endswith(("blob", "binary")):
        return LargeBinary()
    return Uuid() if kind == "uuid" else Declared(kind)
