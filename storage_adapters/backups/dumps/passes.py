"""What is done in one pass over a dump's rows: find those that belong to customers, or take them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from storage_adapters.backups.dumps.copy_text import fields
from storage_adapters.backups.dumps.families import Family, Listed
from storage_adapters.backups.dumps.found_rows import FoundRows, Values
from storage_adapters.backups.dumps.kinds import Canon, customer_in, named_in
from storage_adapters.backups.dumps.schema import CopyHead, DumpSchema, label
from storage_adapters.backups.dumps.targets import Picker, Targets
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.contract import KeyValue
from storage_adapters.sql.dialect import Reference
from storage_adapters.sql.names import TableName

Belongs = Callable[[Sequence[bytes]], bool]


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What looks at every row of one table. `goes` takes a row without its line end and says whether it is left out.

    removes: some row may be left out.
    """

    goes: Callable[[bytes], bool]
    removes: bool = False


class RowPass(Protocol):
    """One pass over all rows, in the order of the dump."""

    def table(self, head: CopyHead) -> RowFilter | None:
        """What looks at the rows that follow; None where they need no look."""
        ...


@dataclass(frozen=True, slots=True)
class _Test:
    place: int
    belongs: Belongs
    is_named: Belongs | None  # of the table whose single rows the removal names
    keys: Sequence[tuple[int, Picker]]
    pointers: Sequence[tuple[int, Picker]]  # kept only where single rows are named


class Relations:
    """The tables that have rows in the dump, numbered, and how many rows of each have gone by in this pass."""

    def __init__(self, schema: DumpSchema) -> None:
        self._numbers = {table: number for number, table in enumerate(sorted(schema.copied))}
        self._seen = [0] * len(self._numbers)

    def number(self, table: TableName) -> int:
        """The table's number. Raises Unfit for one that was not in the dump when its definitions were read."""
        if table not in self._numbers:
            raise Unfit("the dump has changed while it was read")
        return self._numbers[table]

    def next_row(self, relation: int) -> int:
        """How many rows of the relation came before this one."""
        self._seen[relation] += 1
        return self._seen[relation] - 1


class Finding:
    """Finds the rows that belong to the customers in listed tables of one level; those above must have been found."""

    def __init__(
        self, schema: DumpSchema, listed: Sequence[Family], targets: Targets, found: FoundRows, level: int
    ) -> None:
        self._schema = schema
        self._families = listed
        self._targets = targets
        self._found = found
        self._level = level
        self._relations = Relations(schema)

    def is_needed(self) -> bool:
        """Whether any table of the dump needs a look at this level."""
        return any(self._tests(CopyHead(table, columns)) for table, columns in self._schema.copied.items())

    def table(self, head: CopyHead) -> RowFilter | None:
        """Notes what belongs to a customer; leaves nothing out."""
        tests = self._tests(head)
        if not tests:
            return None
        relation = self._relations.number(head.table)
        tabs = len(head.columns) - 1

        def goes(line: bytes) -> bool:
            at = self._relations.next_row(relation)
            check_width(head, line, tabs, at)
            row = fields(line)
            for test in tests:
                if test.belongs(row):
                    self._note(test, relation, at, row)
            return False

        return RowFilter(goes)

    def _note(self, test: _Test, relation: int, at: int, row: Sequence[bytes]) -> None:
        self._found.add(test.place, relation, at)
        for target, picker in test.keys:
            if (value := picker.pick(row)) is not None:
                self._found.add_key(test.place, target, value, relation, at)
        for target, picker in test.pointers:
            if (value := picker.pick(row)) is not None:
                self._found.add_pointer(test.place, target, value, relation, at)
        if test.is_named is not None and test.is_named(row):
            self._found.choose(test.place, relation, at)

    def _tests(self, head: CopyHead) -> list[_Test]:
        return [
            test
            for family in self._families
            for listed in family.of(self._schema, head.table)
            if listed.level == self._level and (test := self._test(family, listed, head)) is not None
        ]

    def _test(self, family: Family, listed: Listed, head: CopyHead) -> _Test | None:
        belongs = self._by_column(family, listed, head) if listed.level == 0 else self._through(family, listed, head)
        if belongs is None:
            return None
        lineage = self._schema.lineage(head.table)
        is_narrow = family.rows.only_table is not None
        pointers = [
            (self._targets.number(ref), self._targets.pointing(ref, head))
            for ref in family.holding
            if is_narrow and ref.child in lineage
        ]
        is_named = self._named(family, listed, head) if listed.entry.name == family.rows.only_table else None
        return _Test(family.place, belongs, is_named, self._targets.pointed_at(head), pointers)

    def _by_column(self, family: Family, listed: Listed, head: CopyHead) -> Belongs | None:
        name = listed.entry.customer_column or ""
        if name not in head.columns:
            raise Unfit(f"the rows of {label(head.table)} in the dump have no column {name}")
        matching = customer_in(self._kind(listed.table, name), family.rows.customer)
        if matching is None:
            raise Unfit(f"column {name} of {label(listed.table)} is of a type that names no customer")
        canon, wanted = matching
        at = head.columns.index(name)
        return None if wanted is None else lambda row: canon(row[at]) == wanted

    def _through(self, family: Family, listed: Listed, head: CopyHead) -> Belongs | None:
        above: list[tuple[Picker, Values]] = []
        for ref in listed.owning:
            values = self._found.keys(family.place, self._targets.number(ref))
            if values:
                above.append((self._targets.pointing(ref, head), values))

        def belongs(row: Sequence[bytes]) -> bool:
            return any((value := picker.pick(row)) is not None and value in values for picker, values in above)

        return belongs if above else None

    def _named(self, family: Family, listed: Listed, head: CopyHead) -> Belongs:
        """Whether the row is one of those that the removal names. Raises Unfit where they are not named by the key."""
        if not family.rows.only:
            return lambda row: False
        names = sorted({name for only in family.rows.only for name in only})
        key = self._schema.keys.get(listed.table)
        if any(len(only) < len(names) for only in family.rows.only) or (key is not None and key != frozenset(names)):
            raise Unfit(f"rows of {label(listed.table)} are not named by its key")
        for name in names:
            if name not in head.columns:
                raise Unfit(f"the rows of {label(head.table)} in the dump have no column {name}")
        columns = [self._named_values(listed.table, name, [only[name] for only in family.rows.only]) for name in names]
        wanted = {key for key in zip(*(values for _, values in columns), strict=True) if None not in key}
        parts = [(head.columns.index(name), canon) for name, (canon, _) in zip(names, columns, strict=True)]
        return lambda row: tuple(canon(row[at]) for at, canon in parts) in wanted

    def _named_values(
        self, table: TableName, name: str, values: Sequence[KeyValue]
    ) -> tuple[Canon, list[bytes | None]]:
        """How fields of a key's column are compared, and with what. `values` is not empty."""
        made = [named_in(self._kind(table, name), value) for value in values]
        known = [each for each in made if each is not None]
        if len(known) < len(made):
            raise Unfit(f"the key of {label(table)} is of a type that cannot be compared")
        return known[0][0], [value for _, value in known]

    def _kind(self, table: TableName, name: str) -> str:
        column = self._schema.column(table, name)
        if column is None or column.collation in self._schema.loose_collations:
            raise Unfit(f"column {name} of {label(table)} cannot be compared outside of a database")
        return self._schema.base_kind(column.kind)


class Removing:
    """Leaves the doomed rows out, and makes sure that no row that stays points at one of them."""

    def __init__(self, schema: DumpSchema, targets: Targets, found: FoundRows) -> None:
        self._schema = schema
        self._targets = targets
        self._found = found
        self._relations = Relations(schema)
        self._doomed = [found.doomed(number) for number in range(len(schema.copied))]
        self._next = [next(each, None) for each in self._doomed]

    def table(self, head: CopyHead) -> RowFilter | None:
        """Leaves out what is doomed. Raises Unfit, when asked, for a row that stays and points at one that goes."""
        relation = self._relations.number(head.table)
        removes = self._found.doomed_count(relation) > 0
        checks = self._checks(head)
        if not removes and not checks:
            return None
        tabs = len(head.columns) - 1

        def goes(line: bytes) -> bool:
            at = self._relations.next_row(relation)
            if at == self._next[relation]:
                self._next[relation] = next(self._doomed[relation], None)
                return True
            check_width(head, line, tabs, at)
            if checks:
                self._check(head, checks, fields(line))
            return False

        return RowFilter(goes, removes)

    def finish(self) -> None:
        """Everything doomed was met. Raises Unfit otherwise."""
        if any(each is not None for each in self._next):
            raise Unfit("the dump has changed while it was read")

    def _checks(self, head: CopyHead) -> list[tuple[Reference, Picker, Values]]:
        lineage = self._schema.lineage(head.table)
        checks: list[tuple[Reference, Picker, Values]] = []
        for ref in self._schema.references:
            if ref.child in lineage and self._concerns(ref):
                values = self._found.doomed_keys(self._targets.number(ref))
                if values:
                    checks.append((ref, self._targets.pointing(ref, head), values))
        return checks

    def _concerns(self, ref: Reference) -> bool:
        """Whether rows that it can point at go."""
        return any(
            ref.parent in self._schema.lineage(table) and self._found.doomed_count(self._relations.number(table))
            for table in self._schema.copied
        )

    def _check(self, head: CopyHead, checks: Sequence[tuple[Reference, Picker, Values]], row: Sequence[bytes]) -> None:
        for ref, picker, values in checks:
            value = picker.pick(row)
            if value is not None and value in values:
                raise Unfit(
                    f"rows of {label(head.table)} that stay point at rows of {label(ref.parent)} that go, by foreign "
                    f"key {ref.constraint}"
                )


def check_width(head: CopyHead, line: bytes, tabs: int, at: int) -> None:
    """The row has as many fields as the table has columns. Raises Unfit otherwise."""
    if line.count(b"\t") != max(tabs, 0):
        raise Unfit(f"the dump is damaged: row {at + 1} of {label(head.table)} has another number of columns")
