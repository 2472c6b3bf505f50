"""In which order rows can go, children first, where tables point at one another or at themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, select

from storage_adapters.contract import PAGE_SIZE
from storage_adapters.sql.circles import targets_first
from storage_adapters.sql.database import Database
from storage_adapters.sql.dialect import Reference
from storage_adapters.sql.family import Family, Source
from storage_adapters.sql.looking import Chosen, key_pages, pages_of
from storage_adapters.sql.names import Key, TableName


class Row(NamedTuple):
    """One row of one table."""

    table: TableName
    key: Key


class Group(NamedTuple):
    """Rows that can only go together: one, or several that point at one another in a circle.

    height: how many rows hang below one another under it; rows of one height do not depend on one another.
    """

    rows: tuple[Row, ...]
    height: int = 0
    is_circle: bool = False


def parcels(
    database: Database,
    family: Family,
    knot: Sequence[TableName],
    chosen: Chosen | None,
    *,
    hidden: bool,
    children: bool,
) -> Iterator[list[Group]]:
    """The knot's rows in parcels of at most `PAGE_SIZE` (a larger circle alone), children first or parents first.

    A table that does not point at itself is read window by window. Of a knot all keys are read and ordered in memory.
    """
    sources = {name: each for name in knot for each in family.of(name) if each.is_hidden == hidden}
    inside = family.within(tuple(sources))
    if not inside:
        for source in sources.values():
            for page in key_pages(database, source, chosen):
                yield [Group((Row(source.facts.name, key),)) for key in page]
        return
    groups = _ordered(database, sources, inside, chosen)
    yield from _packed(groups if children else groups[::-1])


def steps_of(parcel: Sequence[Group], family: Family, *, children: bool) -> list[tuple[TableName, list[Key]]]:
    """The parcel's rows by height and table, at most `PAGE_SIZE` together, children first or parents first."""
    order = {name: at for at, name in enumerate(chain.from_iterable(family.knots))}
    steps: dict[tuple[int, int], list[Row]] = {}
    for group in parcel:
        for row in group.rows:
            steps.setdefault((group.height, order[row.table]), []).append(row)
    return [
        (steps[step][0].table, page)
        for step in sorted(steps, reverse=not children)
        for page in pages_of([row.key for row in steps[step]])
    ]


def _ordered(
    database: Database, sources: dict[TableName, Source], inside: Sequence[Reference], chosen: Chosen | None
) -> list[Group]:
    """All rows in groups, children first."""
    rows = [
        Row(name, key)
        for name, source in sources.items()
        for page in key_pages(database, source, chosen)
        for key in page
    ]
    points_at: dict[Row, list[Row]] = {row: [] for row in rows}
    for ref in inside:
        for child, parent in database.read(partial(_edges, sources[ref.child], sources[ref.parent], ref)):
            if (below := Row(ref.child, child)) in points_at and (above := Row(ref.parent, parent)) in points_at:
                points_at[below].append(above)
    circles = targets_first(rows, points_at)
    circle_of = {row: at for at, circle in enumerate(circles) for row in circle}
    heights = [0] * len(circles)
    for at in range(len(circles) - 1, -1, -1):  # every circle after all that hang below it
        for above in chain.from_iterable(points_at[row] for row in circles[at]):
            if circle_of[above] != at:
                heights[circle_of[above]] = max(heights[circle_of[above]], heights[at] + 1)
    groups = [
        Group(circle, height, len(circle) > 1 or circle[0] in points_at[circle[0]])
        for circle, height in zip(circles, heights, strict=True)
    ]
    return sorted(groups, key=lambda group: group.height)


def _edges(child: Source, parent: Source, ref: Reference, connection: Connection) -> list[tuple[Key, Key]]:
    above = parent.sql.alias("above")
    joined = [
        mine == above.columns[theirs]
        for mine, theirs in zip(child.columns(ref.columns), ref.parent_columns, strict=True)
    ]
    width = len(child.key)
    query = select(*child.key, *parent.key_in(above)).where(child.belongs, *joined)
    return [(tuple(row[:width]), tuple(row[width:])) for row in connection.execute(query)]


def _packed(groups: Sequence[Group]) -> Iterator[list[Group]]:
    parcel: list[Group] = []
    size = 0
    for group in groups:
        if parcel and size + len(group.rows) > PAGE_SIZE:
            yield parcel
            parcel, size = [], 0
        parcel.append(group)
        size += len(group.rows)
    if parcel:
        yield parcel
