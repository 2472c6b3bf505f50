"""Dumps and archives without the data of some customers; everything else in them stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from storage_adapters.backups.contract import Form
from storage_adapters.backups.dumps.custom import CustomDump
from storage_adapters.backups.dumps.families import Family, families, unlisted
from storage_adapters.backups.dumps.found_rows import FoundRows
from storage_adapters.backups.dumps.passes import Finding, Relations, Removing, RowPass
from storage_adapters.backups.dumps.plain import PlainDump
from storage_adapters.backups.dumps.schema import DumpSchema
from storage_adapters.backups.dumps.streams import Source
from storage_adapters.backups.dumps.targets import Targets
from storage_adapters.backups.dumps.tarred import Tar, TarCounts
from storage_adapters.backups.dumps.trouble import Unfit, translated
from storage_adapters.contract import Objects, Place, Prefix, Rows

MEMBERS = "members"
"""Under which word `Rewritten.removed` counts members of a tar archive."""

_NOT_REWRITTEN = {
    Form.MYSQL_DUMP: "dumps of mysqldump and mariadb-dump are not rewritten; quarantine the set, or restore and erase",
    Form.PG_DUMP_DIRECTORY: "pg_dump's directory format is not rewritten; use the custom format",
    Form.PLAIN_FILE: "a plain file has no parts that could be rewritten",
    Form.SNAPSHOT: "a snapshot cannot be looked into",
}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was left out, or would be.

    removed: rows by table, as the removals name it, 0 included; for a tar archive the number of `MEMBERS`.
    absent: listed tables that the dump does not have. unlisted: tables with rows in the dump that have a column named
    like a customer column and that no removal lists, and "large objects" where it has any; they were not touched.
    loose_link_count: symbolic links that stay in a tar archive and point at a removed member.
    """

    removed: dict[str, int]
    absent: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    loose_link_count: int = 0
    removed_count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "removed_count", sum(self.removed.values()))


class Dump(Protocol):
    """A dump of one database in any form."""

    def read_schema(self) -> DumpSchema:
        """What it defines."""
        ...

    def visit(self, rows: RowPass) -> None:
        """Show every row to the pass."""
        ...

    def rewrite(self, rows: RowPass, target: BinaryIO) -> None:
        """Write it without the rows that the pass leaves out."""
        ...


def rewrite_dump(
    form: Form, source: Source, target: BinaryIO, removals: Sequence[Place], scratch: Path, *, store: str = "backup"
) -> Rewritten:
    """The dump is written to `target` without what is at the removals; the order and all else stay byte for byte.

    source: opens the dump from its beginning; it is read several times, at least twice for a database. removals: `Rows`
    for databases, `Prefix` and `Objects` for tar archives, by names within them. scratch: an existing folder; what is
    put there is gone on return. target: written once from its beginning, not closed; whoever gets an error throws away
    what it holds. Gzipped stays gzipped. Memory does not grow with the dump, only with its longest row.

    Rows of a database go as `storage_adapters.sql` erases them: by the customer column, through foreign keys of any
    depth, or, with `only`, those rows and what cannot be without them. Large objects stay, whoever points at them, and are
    named as unlisted. Hard links in a tar archive go with the member they lead to, symbolic links stay.

    Raises Refused, naming tables or offsets: for a damaged dump; for a form that is not rewritten (mysqldump, pg_dump's
    directory and tar formats, --inserts, lz4 and zstd, data without definitions); and where a row that stays points at
    one that goes, in listed tables or others, since the dump could not be restored then. Raises Unavailable for a full
    disk. Raises ValueError for removals of another kind. `store` is the name in errors. A second call does the same.
    """
    with translated(store):
        if form is Form.TAR:
            return _of_tar(Tar(source, _tar_removals(removals)).rewrite(target))
        rows = _rows(removals)
        dump = _dump(form, source, scratch)
        with FoundRows.fresh(scratch) as found:
            schema, listed, targets = _find(dump, rows, found)
            removing = Removing(schema, targets, found)
            dump.rewrite(removing, target)
            removing.finish()
            return _counts(schema, listed, rows, found)


def count_rows(
    form: Form, source: Source, removals: Sequence[Place], scratch: Path, *, store: str = "backup"
) -> Rewritten:
    """What `rewrite_dump` would leave out, without writing; all zeros say that the dump holds nothing of it any more.

    Errors as there, but rows that stay may point at rows that would go.
    """
    with translated(store):
        if form is Form.TAR:
            return _of_tar(Tar(source, _tar_removals(removals)).count())
        rows = _rows(removals)
        with FoundRows.fresh(scratch) as found:
            schema, listed, _ = _find(_dump(form, source, scratch), rows, found)
            return _counts(schema, listed, rows, found)


def _dump(form: Form, source: Source, scratch: Path) -> Dump:
    match form:
        case Form.PG_DUMP_PLAIN:
            return PlainDump(source)
        case Form.PG_DUMP_CUSTOM:
            return CustomDump(source, scratch)
        case _:
            raise Unfit(_NOT_REWRITTEN[form])


def _find(dump: Dump, removals: Sequence[Rows], found: FoundRows) -> tuple[DumpSchema, list[Family], Targets]:
    """Everything that goes is in `found`: a pass for each level, parents first."""
    schema = dump.read_schema()
    listed = families(schema, removals)
    targets = Targets(schema)
    deepest = max((each.level for family in listed for each in family.listed.values()), default=-1)
    for level in range(deepest + 1):
        finding = Finding(schema, listed, targets, found, level)
        if finding.is_needed():
            dump.visit(finding)
    found.settle([family.place for family in listed if family.rows.only_table is not None])
    return schema, listed, targets


def _counts(schema: DumpSchema, listed: Sequence[Family], removals: Sequence[Rows], found: FoundRows) -> Rewritten:
    relations = Relations(schema)
    removed = {each.entry.name: 0 for family in listed for each in family.listed.values()}
    for table in schema.copied:
        entry = next((each.entry.name for family in listed for each in family.of(schema, table)), None)
        if entry is not None:
            removed[entry] += found.doomed_count(relations.number(table))
    absent = tuple(sorted({name for family in listed for name in family.absent}))
    return Rewritten(removed, absent, unlisted(schema, removals))


def _of_tar(counts: TarCounts) -> Rewritten:
    return Rewritten({MEMBERS: counts.member_count}, loose_link_count=counts.loose_link_count)


def _tar_removals(removals: Sequence[Place]) -> list[Prefix | Objects]:
    found = [each for each in removals if isinstance(each, Prefix | Objects)]
    if len(found) < len(removals):
        raise ValueError("from a tar archive only prefixes and objects are removed")
    return found


def _rows(removals: Sequence[Place]) -> list[Rows]:
    found = [each for each in removals if isinstance(each, Rows)]
    if len(found) < len(removals):
        raise ValueError("from a database's dump only rows are removed")
    return found
