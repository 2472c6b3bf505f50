"""Tables that look like they hold a customer's data and that no policy lists."""

from __future__ import annotations

from collections.abc import Sequence

from storage_adapters.contract import Rows
from storage_adapters.sql.names import TableName
from storage_adapters.sql.schema import Schema


def unlisted(schema: Schema, places: Sequence[Rows]) -> tuple[str, ...]:
    """The labels of unlisted tables, sorted, that have a column named like a listed table's customer column (upper
    and lower case alike), or that point at a listed table or at another such one.

    Tables of hidden rows are not among them. Empty where `places` is: then nothing says what a customer column is.
    """
    entries = [entry for place in places for entry in place.tables]
    listed = {facts.name for entry in entries for facts in schema.find(entry.name)}
    telling = {entry.customer_column.casefold() for entry in entries if entry.customer_column is not None}
    found = {
        name
        for name, facts in schema.tables.items()
        if name not in listed and any(column.name.casefold() in telling for column in facts.sql.columns)
    }
    reached: set[TableName] = set()
    while reached != found:
        reached = set(found)
        found |= {ref.child for ref in schema.references if ref.parent in listed | reached and ref.child not in listed}
    return tuple(sorted(schema.label(name) for name in found))
