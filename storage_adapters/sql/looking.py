"""Which rows there are: pages of keys, in two ways of asking, and the rows that hang below chosen ones."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select, tuple_

from storage_adapters.contract import PAGE_SIZE
from storage_adapters.sql.database import Database
from storage_adapters.sql.dialect import Dialect, Reference
from storage_adapters.sql.family import Family, Source, hangs_below
from storage_adapters.sql.names import Key, TableName, in_name, key_from

WINDOW = 100_000
"""The most keys that are read at once and held in memory; a join per page would be made a hundred times as often."""

Chosen = Mapping[tuple[TableName, bool], Sequence[Key]]
"""Keys of chosen rows by table and whether they are hidden."""


def key_pages(database: Database, source: Source, chosen: Chosen | None) -> Iterator[list[Key]]:
    """The keys of the customer's rows, or of the chosen ones, in pages. They are read before the first page is out."""
    if chosen is not None:
        yield from pages_of(chosen.get((source.facts.name, source.is_hidden), ()))
        return
    yield from _windows(database, source, source.belongs)


def key_pages_between(database: Database, source: Source, after: Key | None, up_to: Key | None) -> Iterator[list[Key]]:
    """The keys of the customer's rows behind `after`, and not behind `up_to`, in pages, in the order of the key."""
    condition = source.belongs
    if up_to is not None:
        condition = and_(condition, _compared(source, operator.le, up_to))
    yield from _windows(database, source, condition, after)


def remaining_pages(database: Database, family: Family, source: Source, chosen: Chosen | None) -> Iterator[list[Key]]:
    """The same rows as `key_pages` gives, asked for in another way: counted first, and by EXISTS instead of IN."""
    seen = is_seen(family, source)
    if chosen is not None:
        for page in pages_of(chosen.get((source.facts.name, source.is_hidden), ())):
            found = database.read(partial(_present, database.dialect, source, seen, page))
            yield from pages_of(found)
    elif database.read(lambda connection: connection.scalar(select(func.count()).select_from(source.sql).where(seen))):
        yield from _windows(database, source, seen)


def is_seen(family: Family, source: Source) -> ColumnElement[bool]:
    """The condition for the customer's rows, by EXISTS from each row upwards."""
    if not source.owning:
        return source.belongs
    above = [(ref, family.live[ref.parent]) for ref in source.owning]
    return or_(*(hangs_below(source.sql, ref, parent, is_seen(family, parent)) for ref, parent in above))


def choose(database: Database, family: Family) -> Chosen | None:
    """The rows that the place's `only` names and those that hang below them, live and hidden; None without `only`.

    A row hangs below another when it belongs to the customer through it, or when it cannot be without it: its foreign
    key cascades or takes no NULL. A row that is not the customer's is never chosen. Raises ValueError where `only`
    names no listed table, or not by its key.
    """
    if family.place.only_table is None:
        return None
    start = next((name for name, entry in family.listed.items() if entry.name == family.place.only_table), None)
    if start is None:
        raise ValueError(f"the table of the single rows is not listed: {family.place.only_table}")
    chosen: dict[tuple[TableName, bool], dict[Key, None]] = {}
    frontier = _named(database, family, start)
    while frontier:
        new: dict[tuple[TableName, bool], list[Key]] = {}
        for spot, keys in frontier.items():
            known = chosen.setdefault(spot, {})
            if fresh := [key for key in dict.fromkeys(keys) if key not in known]:
                known.update(dict.fromkeys(fresh))
                new[spot] = fresh
        frontier = _below(database, family, new)
    return {spot: tuple(keys) for spot, keys in chosen.items()}


def pages_of(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """The keys in pages of `PAGE_SIZE`."""
    for start in range(0, len(keys), PAGE_SIZE):
        yield list(keys[start : start + PAGE_SIZE])


def fetch_keys(
    connection: Connection, columns: Sequence[ColumnElement[object]], *where: ColumnElement[bool]
) -> list[Key]:
    """The values of these columns in all rows that meet the conditions."""
    return [tuple(row) for row in connection.execute(select(*columns).where(*where)).all()]


# ---------------------------------------------------------------------------------------------------- pages


def _windows(
    database: Database, source: Source, condition: ColumnElement[bool], last: Key | None = None
) -> Iterator[list[Key]]:
    while True:
        keys = database.read(partial(_window, source, condition, last))
        yield from pages_of(keys)
        if len(keys) < WINDOW:
            return
        last = keys[-1]


def _window(source: Source, condition: ColumnElement[bool], last: Key | None, connection: Connection) -> list[Key]:
    query = select(*source.key).where(condition).order_by(*source.key).limit(WINDOW)
    if last is not None:
        query = query.where(_compared(source, operator.gt, last))
    return [tuple(row) for row in connection.execute(query).all()]


def _compared(source: Source, how: Callable[[Any, Any], Any], key: Key) -> ColumnElement[bool]:
    """How the rows' keys compare with this one, in the database's order."""
    values = [literal(value, column.type) for value, column in zip(key, source.key, strict=True)]
    compared: ColumnElement[bool] = (
        how(source.key[0], values[0]) if len(values) == 1 else how(tuple_(*source.key), tuple_(*values))
    )
    return compared


def _present(
    dialect: Dialect, source: Source, condition: ColumnElement[bool], keys: Sequence[Key], connection: Connection
) -> list[Key]:
    return fetch_keys(connection, source.key, dialect.among(source.key, keys), condition)


# ---------------------------------------------------------------------------------------------------- chosen rows


def _named(database: Database, family: Family, start: TableName) -> dict[tuple[TableName, bool], list[Key]]:
    source = family.live[start]
    types = {each.name: each.type for each in source.key}
    if not source.facts.key:
        raise ValueError(f"rows of {source.facts.label} cannot be named: the table has no key")
    named = [
        key
        for only in family.place.only
        if (key := key_from(only, types, database.dialect.largest_integer)) is not None
    ]
    wanted = {tuple(map(in_name, key)) for key in named}
    found: dict[tuple[TableName, bool], list[Key]] = {}
    for each in family.of(start):
        for page in pages_of(named):
            keys = database.read(partial(_present, database.dialect, each, each.still_belongs, page))
            # the database may take "N" for "n"
            exact = [key for key in keys if tuple(map(in_name, key)) in wanted]
            found.setdefault((start, each.is_hidden), []).extend(exact)
    return found


def _below(
    database: Database, family: Family, frontier: Mapping[tuple[TableName, bool], Sequence[Key]]
) -> dict[tuple[TableName, bool], list[Key]]:
    below: dict[tuple[TableName, bool], list[Key]] = {}
    for (name, is_hidden), keys in frontier.items():
        parent = family.hidden[name] if is_hidden else family.live[name]
        for ref in (ref for ref in family.holding if ref.parent == name):
            for page in pages_of(keys):
                for child in family.of(ref.child):
                    found = database.read(partial(_children, database.dialect, parent, ref, child, page))
                    below.setdefault((ref.child, child.is_hidden), []).extend(found)
    return below


def _children(
    dialect: Dialect, parent: Source, ref: Reference, child: Source, keys: Sequence[Key], connection: Connection
) -> list[Key]:
    pointed_at = fetch_keys(
        connection, parent.columns(ref.parent_columns), dialect.among(parent.key, keys), parent.still_belongs
    )
    values = [value for value in dict.fromkeys(pointed_at) if None not in value]
    found: list[Key] = []
    for page in pages_of(values):
        pointing = dialect.among(child.columns(ref.columns), page)
        found.extend(fetch_keys(connection, child.key, pointing, child.still_belongs))
    return found
