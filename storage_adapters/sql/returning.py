"""Bringing hidden rows back: parents first, every value as it was, nothing new overwritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Insert, delete, exists, insert, literal, null, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from storage_adapters.contract import PAGE_SIZE, Batch, ItemOutcome, ItemResult
from storage_adapters.sql.database import Constrained, Database
from storage_adapters.sql.family import Family, Source
from storage_adapters.sql.looking import choose, fetch_keys, pages_of
from storage_adapters.sql.names import Key, TableName
from storage_adapters.sql.order import Group, Row, parcels, steps_of

STANDS = "something newer stands under its key"
ANOTHERS = "it would come back as another customer's"


class Return:
    """Brings a family's hidden rows back."""

    def __init__(self, store: str, database: Database, family: Family) -> None:
        self._store = store
        self._database = database
        self._dialect = database.dialect
        self._family = family

    def batches(self) -> Iterator[Batch]:
        """What became of each hidden row; REFUSED where something else stands in its place or a constraint forbids."""
        chosen = choose(self._database, self._family)
        for knot in reversed(self._family.knots):
            for parcel in parcels(self._database, self._family, knot, chosen, hidden=True, children=False):
                outcomes = self._settle(parcel)
                for start in range(0, len(outcomes), PAGE_SIZE):
                    yield tuple(outcomes[start : start + PAGE_SIZE])

    def _settle(self, parcel: list[Group]) -> list[ItemOutcome]:
        try:
            return self._database.change(partial(self._bring, parcel))
        except Constrained as constrained:
            if len(parcel) == 1:
                return [self._outcome(row, ItemResult.REFUSED, constrained.reason) for row in parcel[0].rows]
        middle = len(parcel) // 2
        return self._settle(parcel[:middle]) + self._settle(parcel[middle:])

    # ------------------------------------------------------------------------------ inside one transaction

    def _bring(self, parcel: list[Group], connection: Connection) -> list[ItemOutcome]:
        is_circular = any(group.is_circle for group in parcel)
        if is_circular:
            self._dialect.defer(connection)
        results: dict[Row, ItemResult] = {}
        brought: dict[TableName, list[Key]] = {}
        for name, keys in steps_of(parcel, self._family, children=False):
            hidden = self._family.hidden[name]
            there = self._lock(connection, hidden, keys)
            standing = self._standing(connection, hidden, there)
            free = [key for key in there if key not in standing]
            self._insert(connection, hidden, free, self._loose(name) if is_circular else frozenset())
            brought.setdefault(name, []).extend(free)
            results.update((Row(name, key), ItemResult.REFUSED) for key in standing)
            results.update((Row(name, key), ItemResult.DONE) for key in free)
        for name, keys in brought.items():
            for page in pages_of(keys):
                self._finish(connection, name, page, is_circular)
        rows = [row for group in parcel for row in group.rows]
        return [self._outcome(row, results.get(row, ItemResult.ABSENT), STANDS) for row in rows]

    def _lock(self, connection: Connection, hidden: Source, keys: Sequence[Key]) -> list[Key]:
        rows = (self._dialect.among(hidden.key, keys), hidden.still_belongs)
        return [tuple(row) for row in connection.execute(select(*hidden.key).where(*rows).with_for_update())]

    def _standing(self, connection: Connection, hidden: Source, keys: Sequence[Key]) -> frozenset[Key]:
        """Those of the keys under which something has been written since."""
        if not keys or not hidden.facts.key:
            return frozenset()
        live = self._family.live[hidden.facts.name]
        same = [mine == theirs for mine, theirs in zip(hidden.key, live.key, strict=True)]
        stands = exists(select(literal(1)).where(*same).correlate_except(live.sql))
        return frozenset(
            fetch_keys(connection, hidden.key, self._dialect.among(hidden.key, keys), hidden.still_belongs, stands)
        )

    def _insert(self, connection: Connection, hidden: Source, keys: Sequence[Key], loose: frozenset[str]) -> None:
        """The rows are live again, except that `loose` columns point at nothing yet."""
        if not keys:
            return
        facts = hidden.facts
        names = _shared(hidden)
        values = [null().label(None) if name in loose else hidden.sql.columns[name] for name in names]
        rows = select(*values).where(hidden.still_belongs, self._dialect.among(hidden.key, keys))
        statement = GivenNumbers(facts.sql) if facts.numbered else insert(facts.sql)
        connection.execute(statement.from_select(names, rows))

    def _finish(self, connection: Connection, name: TableName, keys: Sequence[Key], is_circular: bool) -> None:
        hidden, live = self._family.hidden[name], self._family.live[name]
        chosen = (hidden.still_belongs, self._dialect.among(hidden.key, keys))
        if is_circular and self._loose(name):
            # every column, because one that keeps the time of the last change would take this for a change
            names = [each for each in _shared(hidden) if each not in live.facts.numbered | set(live.facts.key)]
            same = [mine == theirs for mine, theirs in zip(hidden.key, live.key, strict=True)]
            values = {live.sql.columns[each]: hidden.sql.columns[each] for each in names}
            connection.execute(update(live.sql).where(*same, *chosen).values(values))
        if live.facts.key:
            is_there = self._dialect.among(live.key, keys)
            if len(fetch_keys(connection, live.key, is_there, live.still_belongs)) < len(keys):
                raise Constrained(self._store, ANOTHERS)
        connection.execute(delete(hidden.sql).where(*chosen))

    def _loose(self, name: TableName) -> frozenset[str]:
        """The columns by which the table's rows can be in circles, and that can be NULL for a while."""
        nullable = self._family.live[name].facts.nullable
        knot = next(knot for knot in self._family.knots if name in knot)
        inside = (ref for ref in self._family.within(knot) if ref.child == name)
        return frozenset(column for ref in inside for column in ref.columns if column in nullable)

    def _outcome(self, row: Row, result: ItemResult, reason: str) -> ItemOutcome:
        item = self._family.hidden[row.table].names.item(row.key)
        return ItemOutcome(item, result, reason if result is ItemResult.REFUSED else None)


class GivenNumbers(Insert):
    """An INSERT … SELECT that gives values to columns which are GENERATED ALWAYS AS IDENTITY."""

    inherit_cache = False


@compiles(GivenNumbers, "postgresql")
def _overriding(statement: GivenNumbers, compiler: SQLCompiler, **options: Any) -> str:
    # SQLAlchemy has no words for it; they belong between the list of columns and the SELECT
    text: str = compiler.visit_insert(statement, **options)  # type: ignore[no-untyped-call]  # it has no types
    quote = compiler.preparer
    names = ", ".join(quote.quote(name) for name in statement._select_names or ())
    head = f"INSERT INTO {quote.format_table(statement.table)} ({names}) "
    assert text.startswith(head), "an INSERT of another form"
    return f"{head}OVERRIDING SYSTEM VALUE {text[len(head) :]}"


def _shared(hidden: Source) -> list[str]:
    """The columns that both tables have and a writer fills."""
    return [name for name in hidden.facts.written if name in hidden.sql.columns]
