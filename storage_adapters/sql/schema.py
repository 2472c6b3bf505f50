"""The database's own account of its tables: columns, keys and foreign keys, read from the database itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Column, Connection, MetaData, Table, inspect
from sqlalchemy.engine import Inspector
from sqlalchemy.sql.elements import ColumnClause, quoted_name

from storage_adapters.sql.dialect import CUSTOMER_COLUMN, Dialect, Oddities, Reference
from storage_adapters.sql.names import TableName, readings


@dataclass(frozen=True, slots=True, eq=False)
class TableFacts:
    """One table. `sql` speaks of it in SQL, every name quoted.

    key: the columns that name a row: the primary key, else a unique key that is never NULL, else nothing.
    row_id: the database's own address of a row, only where there is no key.
    nullable: the columns that may be NULL. generated: those that only the database writes.
    numbered: those GENERATED ALWAYS AS IDENTITY, which take a value only when told to.
    keeps_history: whether deleted rows stay readable in the table's history.
    """

    name: TableName
    label: str
    sql: Table
    key: tuple[str, ...]
    row_id: ColumnClause[object] | None
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
    hidden: Mapping[TableName, Table]
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
    inspector = inspect(connection)
    named = {reading.schema for table in tables for reading in readings(table, "")}
    schemas = dialect.schemas(connection, inspector, frozenset(named))
    oddities = dialect.oddities(connection)
    found = {
        facts.name: facts
        for schema in schemas
        for facts in _tables(dialect, inspector, schema, schemas[0], oddities)
        if facts.name not in oddities.parts
    }
    hidden = {name: facts.sql for name, facts in found.items() if CUSTOMER_COLUMN in facts.sql.columns}
    shown = {name: facts for name, facts in found.items() if name not in hidden}
    return Schema(schemas[0], shown, hidden, tuple(dialect.references(connection, inspector, schemas)))


def hidden_name(dialect: Dialect, table: TableName) -> TableName:
    """The table of this table's hidden rows; a name that would be too long ends in a hash of the whole."""
    wanted = dialect.hidden_name(table)
    encoded = wanted.name.encode()
    if len(encoded) <= dialect.longest_name:
        return wanted
    end = f"~{sha256(encoded).hexdigest()[:16]}"
    start = encoded[: dialect.longest_name - len(end)].decode(errors="ignore")
    return TableName(wanted.schema, start + end)


def _tables(
    dialect: Dialect, inspector: Inspector, schema: str, default: str, oddities: Oddities
) -> Iterator[TableFacts]:
    primary_keys = inspector.get_multi_pk_constraint(schema=schema)
    unique_keys = inspector.get_multi_unique_constraints(schema=schema)
    for found, columns in inspector.get_multi_columns(schema=schema).items():
        name = TableName(schema, found[1])
        sql = Table(
            quoted_name(name.name, quote=True),
            MetaData(),
            *(Column(quoted_name(each["name"], quote=True), each["type"]) for each in columns),
            schema=quoted_name(name.schema, quote=True),
        )
        nullable = frozenset(each["name"] for each in columns if each["nullable"])
        uniques = [tuple(unique["column_names"]) for unique in unique_keys.get(found) or []]
        primary_key = primary_keys.get(found)
        primary = tuple(primary_key["constrained_columns"]) if primary_key else ()
        key = primary or min((unique for unique in uniques if nullable.isdisjoint(unique)), default=())
        yield TableFacts(
            name=name,
            label=name.label(default),
            sql=sql,
            key=key,
            row_id=None if key or name in oddities.spread else dialect.row_id(sql),
            nullable=nullable,
            generated=frozenset(each["name"] for each in columns if "computed" in each),
            numbered=frozenset(each["name"] for each in columns if each.get("identity", {}).get("always")),
            keeps_history=name in oddities.with_history,
        )
