"""One customer's live rows with all their columns: tables parents first, rows in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import Connection, select

from storage_adapters.contract import Rows
from storage_adapters.errors import Refused
from storage_adapters.sql.database import Database
from storage_adapters.sql.family import FamilyReader, Source
from storage_adapters.sql.looking import choose, key_pages_between, pages_of
from storage_adapters.sql.names import Key, in_name
from storage_adapters.sql.schema import read_schema

_AT_ONCE = 100
"""How many rows one statement reads with their columns; so many are held in memory."""


class LiveRows:
    """The live rows of one place, as the schema is at the time of making. Thread-safe.

    tables: where there may be rows, each table after those that it points at, except in circles.
    """

    def __init__(self, store: str, database: Database, place: Rows) -> None:
        """Raises Refused for a table without a key, as rows without one have no order; else as `FamilyReader.read`."""
        names = [entry.name for entry in place.tables]
        schema = database.read(lambda connection: read_schema(connection, database.dialect, names))
        family = FamilyReader(store, database.dialect, schema).read(place, may_be_incomplete=True)
        self._database = database
        self.tables = tuple(family.live[name] for knot in reversed(family.knots) for name in reversed(knot))
        for source in self.tables:
            if not source.facts.key:
                label = source.facts.label
                raise Refused(store, f"table {label} has no primary key, so its rows have no order: give it one")
        self._chosen = choose(database, family)

    def key_pages(self, source: Source, after: Key | None = None, up_to: Key | None = None) -> Iterator[list[Key]]:
        """The keys of the table's rows behind `after`, and not behind `up_to`, in pages.

        The order is the database's; that of numbers or of text where the place names single rows.
        """
        if self._chosen is None:
            yield from key_pages_between(self._database, source, after, up_to)
            return
        keys = sorted(self._chosen.get((source.facts.name, False), ()), key=_place)
        start, end = (None if key is None else _place(key) for key in (after, up_to))
        yield from pages_of([
            key for key in keys if (start is None or _place(key) > start) and (end is None or _place(key) <= end)
        ])  # fmt: skip

    def rows(self, source: Source, keys: Sequence[Key]) -> Iterator[tuple[object, ...]]:
        """The rows with these keys that are still there and the customer's, in this order, all columns in the table's.

        A hundred rows are read in a transaction of their own.
        """
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            found = self._database.read(partial(self._read, source, some))
            yield from (found[key] for key in some if key in found)

    def _read(self, source: Source, keys: Sequence[Key], connection: Connection) -> dict[Key, tuple[object, ...]]:
        dialect = self._database.dialect
        width = len(source.key)
        told = (dialect.as_told(column).label(f"told_{at}") for at, column in enumerate(source.sql.columns))
        query = select(*source.key, *told).where(dialect.among(source.key, keys), source.still_belongs)
        return {tuple(row[:width]): tuple(row[width:]) for row in connection.execute(query)}


def _place(key: Key) -> tuple[tuple[int, int, str], ...]:
    """Where a key stands among others: numbers as such, everything else as text."""
    return tuple((0, each, "") if isinstance(each, int) else (1, 0, str(in_name(each))) for each in key)
