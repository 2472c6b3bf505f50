"""A catalogue copied whole, put back later, and compared with what it has become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select
from sqlmodel import SQLModel

from retention.catalog.database import Catalog

Dump = Mapping[str, Sequence[RowMapping]]

OWN = {"customer_key", "ledger_head", "ledger_outbox", "lease", "clock_reading", "backup_set"}
"""Tables that tell of this copy of the catalogue and not of what happened to customers."""

PASSING = {
    "step": {"id", "outcome"},  # numbered anew; why a step failed at first is told by no entry
    "customer": {"changed_at"},
    "key_epoch": {"position"},
    "fact": {"position"},
    "policy_version": {"position"},
    "strand": {"version", "checked_at"},  # a look that found nothing new is told by no entry
}


def dumped(catalog: Catalog) -> Dump:
    """Every row of every table."""
    with catalog.engine.connect() as connection:
        tables = SQLModel.metadata.sorted_tables
        return {table.name: connection.execute(select(table)).mappings().all() for table in tables}


def put_back(catalog: Catalog, dump: Dump) -> None:
    """The database is what it was when the dump was made."""
    with catalog.engine.begin() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(delete(table))
            rows: list[dict[str, Any]] = [dict(row) for row in dump[table.name]]
            if rows:
                connection.execute(insert(table), rows)


def history(dump: Dump) -> dict[str, list[str]]:
    """What the catalogue knows of customers, cases, keys and policies, in a form that can be compared."""
    kept: dict[str, list[str]] = {}
    for name, rows in dump.items():
        if name not in OWN:
            left_out = PASSING.get(name, set())
            kept[name] = sorted(repr({k: v for k, v in row.items() if k not in left_out}) for row in rows)
    return kept


def differing(one: Dump, other: Dump) -> dict[str, list[str]]:
    """The rows that only one of the two knows, by table; empty where they tell the same."""
    before, after = history(one), history(other)
    rows = {name: sorted(set(before[name]) ^ set(after[name])) for name in before}
    return {name: found for name, found in rows.items() if found}
