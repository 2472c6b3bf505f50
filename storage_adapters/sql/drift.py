"""Tables that look like they hold a customer's data and that no policy lists."""

from __future__ import annotations

from collections.abc import Sequence

from storage_adapters.contract import Rows, TablePlace
from storage_adapters.sql.dialect import Dialect
from storage_adapters.sql.names import TableName
from storage_adapters.sql.schema import Schema, hidden_name


def unlisted(schema: Schema, places: Sequence[Rows], dialect: Dialect) -> tuple[str, ...]:
    """The labels of unlisted tables, sorted, that hold or may hold a customer's rows.

    They have a column named like a listed table's customer column (upper and lower case alike), point at a listed table
    or at another such one, or keep hidden rows of a table that is not listed. Empty where `places` is: then nothing says
    what a customer column is.
    """
    entries = [entry for place in places for entry in place.tables]
    listed = {facts.name for entry in entries for facts in schema.find(entry.name)}
    found = _with_customer_column(schema, entries) - listed
    reached: set[TableName] = set()
    while reached != found:
        reached = set(found)
        found |= {ref.child for ref in schema.references if ref.parent in listed | reached and ref.child not in listed}
    if entries:
        found |= set(schema.hidden) - {hidden_name(dialect, name) for name in listed}
    return tuple(sorted(schema.label(name) for name in found))


def _with_customer_column(schema: Schema, entries: Sequence[TablePlace]) -> set[TableName]:
    telling = {entry.customer_column.casefold() for entry in entries if entry.customer_column is not None}
    return {
        name for name, facts in schema.tables.items() if any(column.casefold() in telling for column in facts.declared)
    }
