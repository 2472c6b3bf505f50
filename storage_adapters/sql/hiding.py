"""Tables of hidden rows: made by the database from the columns of the original, so that every value stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from threading import Lock
from typing import Any

from sqlalchemy import ColumnElement, Connection, Index, Table, delete, false, insert, literal, null, select
from sqlalchemy.schema import CreateIndex, CreateSchema, CreateTableAs
from sqlalchemy.sql.elements import quoted_name

from storage_adapters.errors import Refused
from storage_adapters.sql.database import Database
from storage_adapters.sql.dialect import CUSTOMER_COLUMN
from storage_adapters.sql.family import Family, Source, hidden_source
from storage_adapters.sql.names import Key, TableName
from storage_adapters.sql.schema import Schema, TableFacts, hidden_name, read_schema, table_of

_making = Lock()  # two threads that make the same table at once would fail, one of them for no reason


class HiddenTables:
    """Where the hidden rows of one customer go. Made for one call."""

    def __init__(self, store: str, database: Database, family: Family) -> None:
        self._store = store
        self._database = database
        self._customer = family.place.customer
        self._ready: dict[TableName, Source] = {}

    def ready(self, facts: TableFacts) -> None:
        """The table for this table's hidden rows exists and takes all its columns. A second call does nothing.

        Raises Refused where a column has changed its type while rows were hidden.
        """
        if facts.name in self._ready:
            return
        with _making:
            name = hidden_name(self._database.dialect, facts.name)
            schema = self._database.read(partial(self._read, name))
            there = schema.hidden.get(name)
            hidden = self._make(facts, name) if there is None else self._widen(facts, there)
        self._ready[facts.name] = hidden_source(self._database.dialect, facts, hidden, self._customer)

    def copy(self, connection: Connection, live: Source, keys: Sequence[Key]) -> None:
        """The rows are in the table of hidden rows as well, in place of any hidden earlier under the same keys."""
        if not keys:
            return
        dialect = self._database.dialect
        hidden = self._ready[live.facts.name]
        if live.facts.key:
            connection.execute(delete(hidden.sql).where(hidden.still_belongs, dialect.among(hidden.key, keys)))
        owner = literal(self._customer.encode(), dialect.customer_type)
        values: dict[str, ColumnElement[Any]] = {column.name: column for column in live.sql.columns}
        values[CUSTOMER_COLUMN] = owner
        lost = [column.name for column in hidden.sql.columns if column.name not in values]
        values |= dict.fromkeys(lost, null())  # said, because a column without default may not be left out
        rows = select(*values.values()).where(dialect.among(live.key, keys))
        connection.execute(insert(hidden.sql).from_select(list(values), rows))

    def _read(self, name: TableName, connection: Connection) -> Schema:
        return read_schema(connection, self._database.dialect, [f"{name.schema}.{name.name}"])

    def _make(self, facts: TableFacts, name: TableName) -> Table:
        dialect = self._database.dialect
        columns = [(column.name, column.type) for column in facts.sql.columns]
        table = table_of(name, [(CUSTOMER_COLUMN, dialect.customer_type), *columns])
        # on the far side of an outer join every column takes NULL, as it must when the original has lost it
        nobody = select(dialect.no_customer.label(CUSTOMER_COLUMN)).subquery("nobody")
        both = nobody.outerjoin(facts.sql, false())
        empty = select(*nobody.columns, *facts.sql.columns).select_from(both).where(false())
        # names of indexes are shared by all tables of a schema, or of a file
        index = f"retention_tombstone_{sha256(str(name).encode()).hexdigest()[:16]}"

        def make(connection: Connection) -> None:
            if name.schema != facts.name.schema:
                connection.execute(CreateSchema(quoted_name(name.schema, quote=True), if_not_exists=True))
            connection.execute(CreateTableAs(empty, table.name, schema=table.schema))
            connection.execute(CreateIndex(Index(index, table.columns[CUSTOMER_COLUMN])))
            if facts.key:
                connection.execute(CreateIndex(Index(f"{index}_key", *(table.columns[each] for each in facts.key))))

        self._database.change(make)
        return table

    def _widen(self, facts: TableFacts, there: TableFacts) -> Table:
        """The table of hidden rows, with columns that the original has got since. Raises Refused where one changed."""
        missing = [column for column in facts.sql.columns if column.name not in there.declared]
        changed = [name for name, kind in there.declared.items() if facts.declared.get(name, kind) != kind]
        if changed:
            raise Refused(
                self._store,
                f"column {changed[0]} of {facts.label} has changed its type since rows were hidden: bring them back or"
                f" erase them, then drop the table {there.name.schema}.{there.name.name}",
            )

        def widen(connection: Connection) -> None:
            for column in missing:
                quote = connection.dialect.identifier_preparer
                head = f"ALTER TABLE {quote.format_table(there.sql)} ADD COLUMN {quote.format_column(column)}"
                connection.exec_driver_sql(f"{head} {facts.declared[column.name]}")

        if missing:
            self._database.change(widen)
        columns = [*there.sql.columns, *missing]
        return table_of(there.name, [(column.name, column.type) for column in columns])
