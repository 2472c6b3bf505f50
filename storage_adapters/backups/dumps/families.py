"""The tables that the removals list, read against the dump's own schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage_adapters.backups.dumps.schema import DumpSchema, label
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.contract import Rows, TablePlace
from storage_adapters.sql.circles import targets_first
from storage_adapters.sql.dialect import Reference
from storage_adapters.sql.names import TableName


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed table that the dump has.

    level: 0 where a column names the customer, else one more than the table it goes through. owning: the foreign keys
    through which its rows belong.
    """

    table: TableName
    entry: TablePlace
    level: int
    owning: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One removal. `holding`: foreign keys between listed tables whose child cannot be without its parent."""

    place: int
    rows: Rows
    listed: dict[TableName, Listed]
    absent: tuple[str, ...]
    holding: tuple[Reference, ...]

    def of(self, schema: DumpSchema, table: TableName) -> Iterator[Listed]:
        """Under which listed tables the rows of this one fall: its own entry, or that of the table it is a part of."""
        return (self.listed[each] for each in schema.lineage(table) if each in self.listed)


def families(schema: DumpSchema, removals: Sequence[Rows]) -> list[Family]:
    """The removals as families. A listed table that the dump does not have is absent from them.

    Raises Unfit where the dump cannot be followed safely: definitions are missing, a table goes through one that the
    dump lacks or through no foreign key, or a column is not there.
    """
    return [_family(schema, place, rows) for place, rows in enumerate(removals)]


LARGE_OBJECTS = "large objects"
"""How a dump's large objects are named among what no removal lists: they have no column that says whose they are."""


def unlisted(schema: DumpSchema, removals: Sequence[Rows]) -> tuple[str, ...]:
    """Tables with rows in the dump that have a column named like a customer column and that no removal lists.

    And `LARGE_OBJECTS`, where it has any.
    """
    telling = {entry.customer_column.casefold() for rows in removals for entry in rows.tables if entry.customer_column}
    listed = {schema.find(entry.name) for rows in removals for entry in rows.tables}
    tables = sorted(
        label(table)
        for table, columns in schema.copied.items()
        if listed.isdisjoint(schema.lineage(table)) and any(each.casefold() in telling for each in columns)
    )
    return (*tables, LARGE_OBJECTS) if schema.has_large_objects else tuple(tables)


def _family(schema: DumpSchema, place: int, rows: Rows) -> Family:
    found = {entry.name: schema.find(entry.name) for entry in rows.tables}
    if rows.only_table is not None and rows.only_table not in found:
        raise ValueError(f"the table of the single rows is not listed: {rows.only_table}")
    entries = _entries(rows, found)
    owning = {table: _owning(schema, table, entry, found) for table, entry in entries.items()}
    groups = targets_first(entries, {name: [ref.parent for ref in refs] for name, refs in owning.items()})
    listed: dict[TableName, Listed] = {}
    for group in groups:
        if len(group) > 1:
            raise Unfit(f"tables go through one another: {', '.join(sorted(map(label, group)))}")
        level = max((listed[ref.parent].level + 1 for ref in owning[group[0]]), default=0)
        listed[group[0]] = Listed(group[0], entries[group[0]], level, owning[group[0]])
    absent = tuple(sorted(name for name, table in found.items() if table is None))
    holding = tuple(
        ref
        for ref in schema.references
        if ref.child in listed and ref.parent in listed and (ref in owning[ref.child] or _holds(schema, ref))
    )
    return Family(place, rows, listed, absent, holding)


def _entries(rows: Rows, found: dict[str, TableName | None]) -> dict[TableName, TablePlace]:
    """The listed tables that the dump has."""
    if len(found) < len(rows.tables):
        raise ValueError("a table is listed twice")
    entries: dict[TableName, TablePlace] = {}
    for entry in rows.tables:
        table = found[entry.name]
        if table in entries:
            raise Unfit(f"{entry.name} is listed twice")
        if table is not None:
            entries[table] = entry
    return entries


def _owning(
    schema: DumpSchema, table: TableName, entry: TablePlace, found: dict[str, TableName | None]
) -> tuple[Reference, ...]:
    if table not in schema.tables:
        raise Unfit(f"the dump holds rows of {entry.name} without its definition")
    if entry.customer_column is not None:
        if schema.column(table, entry.customer_column) is None:
            raise Unfit(f"table {entry.name} has no column {entry.customer_column} in the dump")
        return ()
    if entry.through is None or entry.through not in found:
        raise ValueError(f"table {entry.name} goes through no listed table")
    parent = found[entry.through]
    if parent is None:
        raise Unfit(f"{entry.name} goes through {entry.through}, which the dump does not hold")
    owning = tuple(ref for ref in schema.references if ref.child == table and ref.parent == parent != table)
    if not owning:
        raise Unfit(f"no foreign key leads from {entry.name} to {entry.through} in the dump")
    if _has_rows(schema, table) and not _has_rows(schema, parent):
        raise Unfit(f"{entry.name} goes through {entry.through}, whose rows the dump does not hold")
    return owning


def _has_rows(schema: DumpSchema, table: TableName) -> bool:
    return any(table in schema.lineage(each) for each in schema.copied)


def _holds(schema: DumpSchema, ref: Reference) -> bool:
    columns = [schema.column(ref.child, name) for name in ref.columns]
    return ref.cascades or not any(column is not None and column.is_nullable for column in columns)
