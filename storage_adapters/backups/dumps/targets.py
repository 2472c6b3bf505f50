"""What foreign keys point at, and the values on both of their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage_adapters.backups.dumps.kinds import Canon, shared_canon
from storage_adapters.backups.dumps.schema import CopyHead, DumpSchema, label
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.sql.dialect import Reference
from storage_adapters.sql.names import TableName

_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Columns that foreign keys point at, and how their values are compared."""

    table: TableName
    columns: tuple[str, ...]
    canons: tuple[Canon, ...]


class Picker:
    """Picks the value of some columns out of a row's fields."""

    def __init__(self, head: CopyHead, columns: Sequence[str], canons: Sequence[Canon]) -> None:
        """Raises Unfit where the rows do not hold these columns (the server computes them)."""
        missing = [name for name in columns if name not in head.columns]
        if missing:
            raise Unfit(f"the rows of {label(head.table)} in the dump have no column {missing[0]}")
        self._parts = [(head.columns.index(name), canon) for name, canon in zip(columns, canons, strict=True)]

    def pick(self, fields: Sequence[bytes]) -> bytes | None:
        """The columns' values as one; None where one of them is NULL, which points at nothing."""
        if len(self._parts) == 1:
            at, canon = self._parts[0]
            return canon(fields[at])
        values = [canon(fields[at]) for at, canon in self._parts]
        if any(value is None for value in values):
            return None
        return b"".join(len(value).to_bytes(_LENGTH, "big") + value for value in values if value is not None)


class Targets:
    """The targets of a dump's foreign keys, numbered."""

    def __init__(self, schema: DumpSchema) -> None:
        self._schema = schema
        self._numbers: dict[Target, int] = {}
        self._of: dict[Reference, Target] = {}
        self._unknown: set[Reference] = set()
        for ref in schema.references:
            self._enter(ref)

    def number(self, ref: Reference) -> int:
        """The number of what this foreign key points at. Raises Unfit where its values cannot be compared."""
        self._check(ref)
        return self._numbers[self._of[ref]]

    def pointing(self, ref: Reference, head: CopyHead) -> Picker:
        """Picks what a row points at by this foreign key."""
        self._check(ref)
        return Picker(head, ref.columns, self._of[ref].canons)

    def pointed_at(self, head: CopyHead) -> list[tuple[int, Picker]]:
        """By which values rows of this table are pointed at."""
        lineage = self._schema.lineage(head.table)
        for ref in self._unknown:
            if ref.parent in lineage:
                self._check(ref)
        return [
            (number, Picker(head, target.columns, target.canons))
            for target, number in self._numbers.items()
            if target.table in lineage
        ]

    def _enter(self, ref: Reference) -> None:
        pairs = zip(ref.columns, ref.parent_columns, strict=True)
        canons = [self._canon(ref, mine, theirs) for mine, theirs in pairs]
        known = tuple(canon for canon in canons if canon is not None)
        if len(known) < len(canons):
            self._unknown.add(ref)
            return
        target = Target(ref.parent, ref.parent_columns, known)
        self._of[ref] = target
        self._numbers.setdefault(target, len(self._numbers))

    def _canon(self, ref: Reference, mine: str, theirs: str) -> Canon | None:
        columns = (self._schema.column(ref.child, mine), self._schema.column(ref.parent, theirs))
        kinds = [
            self._schema.base_kind(column.kind)
            for column in columns
            if column is not None and column.collation not in self._schema.loose_collations
        ]
        return shared_canon(kinds[0], kinds[1]) if len(kinds) == 2 else None

    def _check(self, ref: Reference) -> None:
        if ref in self._unknown:
            raise Unfit(
                f"values of foreign key {ref.constraint} of {label(ref.child)} cannot be compared outside of a database"
            )
