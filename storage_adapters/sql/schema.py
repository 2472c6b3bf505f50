"""The database's own account of its tables: columns, keys and foreign keys, read from the database itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table
from sqlalchemy.sql.elements import quoted_name
from sqlalchemy.types import TypeEngine

from storage_adapters.sql.dialect import CUSTOMER_COLUMN, Dialect, FoundTable, Reference
from storage_adapters.sql.names import TableName, readings


@dataclass(frozen=True, slots=True, eq=False)
class TableFacts:
    """One table. `sql` speaks of it in SQL, every name quoted.

    key: the columns that name a row: the primary key, else a unique key that is never NULL, else nothing.
    has_address: whether, without a key, the database's own address of a row names it.
    declared: by column, its type as the database spells it.
    nullable: the columns that may be NULL. generated: those that only the database writes.
    numbered: those GENERATED ALWAYS AS IDENTITY, which take a value only when told to.
    keeps_history: whether deleted rows stay readable in the table's history.
    """

    name: TableName
    label: str
    sql: Table
    key: tuple[str, ...]
    has_address: bool
    declared: Mapping[str, str]
    nullable: frozenset[str]
    generated: frozenset[str]
    numbered: frozenset[str]
    keeps_history: bool

    @property
    def written(self) -> tuple[str, ...]:
        """The columns that a writer gives values to, in the table's order."""
        return tuple(column.name for column in self.sql.columns if column.name not in self.generated)


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """The tables that may matter, at one instant; tables of hidden rows are kept apart."""

    default: str
    tables: Mapping[TableName, TableFacts]
    hidden: Mapping[TableName, TableFacts]
    references: tuple[Reference, ...]

    def find(self, name: str) -> list[TableFacts]:
        """The tables that `table` or `schema.table` can mean; none or several are the caller's problem."""
        return [self.tables[reading] for reading in readings(name, self.default) if reading in self.tables]

    def label(self, name: TableName) -> str:
        """How people call the table."""
        return name.label(self.default)


def read_schema(connection: Connection, dialect: Dialect, tables: Iterable[str]) -> Schema:
    """The schema as it is now, as far as it concerns the tables of these names.

    It takes milliseconds and is read anew for each call of the store: a table that was made a minute ago may hang
    below a customer's rows.
    """
    named = {reading.schema for table in tables for reading in readings(table, "")}
    schemas = dialect.schemas(connection, frozenset(named))
    found = {table.name: _facts(table, schemas[0]) for table in dialect.tables(connection, schemas)}
    hidden = {name: facts for name, facts in found.items() if CUSTOMER_COLUMN in facts.declared}
    shown = {name: facts for name, facts in found.items() if name not in hidden}
    return Schema(schemas[0], shown, hidden, tuple(dialect.references(connection, schemas)))


def hidden_name(dialect: Dialect, table: TableName) -> TableName:
    """The table of this table's hidden rows; a name that would be too long ends in a hash of the whole."""
    wanted = dialect.hidden_name(table)
    encoded = wanted.name.encode()
    if len(encoded) <= dialect.longest_name:
        return wanted
    end = f"~{sha256(encoded).hexdigest()[:16]}"
    start = encoded[: dialect.longest_name - len(end)].decode(errors="ignore")
    return TableName(wanted.schema, start + end)


def table_of(name: TableName, columns: Iterable[tuple[str, TypeEngine[Any]]]) -> Table:
    """The table in SQLAlchemy's words, every name quoted."""
    return Table(
        quoted_name(name.name, quote=True),
        MetaData(),
        *(Column(quoted_name(column, quote=True), kind) for column, kind in columns),
        schema=quoted_name(name.schema, quote=True),
    )


def _facts(found: FoundTable, default: str) -> TableFacts:
    nullable = frozenset(each.name for each in found.columns if each.is_nullable)
    return TableFacts(
        name=found.name,
        label=found.name.label(default),
        sql=table_of(found.name, ((each.name, each.kind) for each in found.columns)),
        key=next((key for key in found.keys if nullable.isdisjoint(key)), ()),
        has_address=found.has_address,
        declared={each.name: each.declared for each in found.columns},
        nullable=nullable,
        generated=frozenset(each.name for each in found.columns if each.is_generated),
        numbered=frozenset(each.name for each in found.columns if each.is_numbered),
        keeps_history=found.keeps_history,
    )
