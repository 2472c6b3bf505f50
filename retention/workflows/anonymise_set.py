"""Rewrite a backup set without the customers that are deleted: streamed, restored to see that it works, then exchanged.

What cannot be looked into is not rewritten: a file that fits no dataset of the series may hold anybody.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from retention.lifecycle.backup_sets import dataset_folders, dataset_rows
from retention.model.backup import KnownSet
from retention.model.policy import BackupPlan
from retention.workflows.backup_owners import due_in_set, lies_in, places_in_set
from retention.workflows.strand_run import StrandRun
from storage_adapters.backups.contract import CONTENT_OF, BackupStore, Content, DumpRewriter, Form, Removed, SetFile
from storage_adapters.contract import Objects, Place, Prefix, Rows
from storage_adapters.errors import Refused, Unavailable

_REWRITABLE = (Form.PG_DUMP_PLAIN, Form.PG_DUMP_CUSTOM, Form.TAR)
_BLOCK = 1 << 20


class CannotAnonymise(Exception):
    """The set stays as it is; the message says why, without names of files or customers."""


def anonymise_set(run: StrandRun, known: KnownSet, plan: BackupPlan, store: BackupStore) -> int:
    """The set holds nothing of any customer that is deleted; how many rows and files that took, 0 where there was nothing.

    Raises CannotAnonymise where it cannot be done or shown, with the old set in its place, and StoreError.
    """
    rewriter = run.deployment.backups.rewriter
    if rewriter is None or not store.capabilities().rewrites:
        raise CannotAnonymise("sets of this store cannot be rewritten")
    files = tuple(store.files(known.set.name))
    _refuse_unknown(run, plan, files)
    mine = tuple(places_in_set(run.record, plan))
    names = {table.name for rows in dataset_rows(run.policy(), plan) for table in rows.tables}
    tables = frozenset(names | {f"public.{name}" for name in names})
    try:
        if _Work(run, known, store, rewriter, files, mine, tables).count() == 0:
            return 0
        everybody = tuple(place for record in due_in_set(run, known, plan) for place in places_in_set(record, plan))
        return _Work(run, known, store, rewriter, files, everybody, tables).rewrite()
    except Refused as refusal:
        raise CannotAnonymise(refusal.message) from refusal


def _refuse_unknown(run: StrandRun, plan: BackupPlan, files: Sequence[SetFile]) -> None:
    folders = dataset_folders(run.policy(), plan)
    unknown = sum(file.form is Form.PLAIN_FILE and not folders.covers(file.path) for file in files)
    other = sorted({str(file.form) for file in files if file.form not in (*_REWRITABLE, Form.PLAIN_FILE)})
    if unknown:
        raise CannotAnonymise(f"{unknown} of its {len(files)} files fit no dataset of the series")
    if any(CONTENT_OF.get(file.form) is Content.ROWS for file in files) and not dataset_rows(run.policy(), plan):
        raise CannotAnonymise("it has dumps of a database, and no dataset of the series has tables")
    if other:
        raise CannotAnonymise(f"it has files that cannot be rewritten: {', '.join(other)}")


@dataclass(frozen=True, slots=True)
class _Work:
    """One set and what is to be removed from it."""

    run: StrandRun
    known: KnownSet
    store: BackupStore
    rewriter: DumpRewriter
    files: tuple[SetFile, ...]
    removals: tuple[Place, ...]
    tables: frozenset[str]

    def count(self) -> int:
        """How many rows, members and files there are to remove."""
        found = sum(self._goes(file) for file in self.files)
        with self._scratch() as scratch:
            for file in self._dumps():
                within = self._within(file)
                if within:
                    counted = self.rewriter.count(file.form, self._opener(file), within, scratch)
                    self._refuse_unlisted(counted)
                    found += counted.count
        return found

    def rewrite(self) -> int:
        """Write the set anew, restore what was rewritten and look, and only then let it stand for the old one."""
        with self._scratch() as scratch, self.store.rewrite(self.known.set.name) as rewriting:
            removed = sum(self._goes(file) for file in self.files)
            for number, file in enumerate(self._dumps()):
                new = scratch / str(number)
                removed += self._rewritten(file, new, scratch)
                self._shown_to_work(file, new)
                with rewriting.write(file.path) as target, new.open("rb") as source:
                    shutil.copyfileobj(source, target, _BLOCK)
                new.unlink()
            for file in self.files:
                if file.form is Form.PLAIN_FILE and not self._goes(file):
                    rewriting.keep(file.path)
            rewriting.commit()
        return removed

    def _rewritten(self, file: SetFile, new: Path, scratch: Path) -> int:
        try:
            with new.open("xb") as target:
                removed = self.rewriter.rewrite(file.form, self._opener(file), target, self._within(file), scratch)
        except OSError as error:
            raise Unavailable(self.store.name, f"the scratch folder cannot be written: {error.strerror}") from error
        self._refuse_unlisted(removed)
        return removed.count

    def _refuse_unlisted(self, removed: Removed) -> None:
        """Raises CannotAnonymise for what may hold a customer's data and no dataset has."""
        unknown = sorted(set(removed.unlisted) - self.tables)
        if unknown:
            raise CannotAnonymise(f"it may hold customers' data that no dataset has: {', '.join(unknown[:5])}")

    def _shown_to_work(self, file: SetFile, new: Path) -> None:
        """Restore the rewritten file on a scratch place, and find nothing of the removed there. CannotAnonymise else."""
        place = self.run.deployment.backups.drill_places.get(file.form)
        if place is None:
            raise CannotAnonymise(
                f"there is no place to restore a {file.form} for a look: see [backups] in the settings"
            )
        with place.begin() as staging:
            staging.load(_OneFile(new), self.known.set.name, [file])
            staged = staging.store()
            for removal in self._as_staged(file):
                if any(page for page in staged.remains(removal)):
                    raise CannotAnonymise("restored for a look, it still holds something of a deleted customer")

    def _dumps(self) -> Iterator[SetFile]:
        return (file for file in self.files if file.form is not Form.PLAIN_FILE)

    def _goes(self, file: SetFile) -> bool:
        """Whether this plain file is to be removed."""
        return file.form is Form.PLAIN_FILE and any(lies_in(file.path, place) for place in self.removals)

    def _as_staged(self, file: SetFile) -> list[Place]:
        """What is to be removed from a file of this content, as places of the staged restore."""
        is_rows = CONTENT_OF[file.form] is Content.ROWS
        return [place for place in self.removals if isinstance(place, Rows) == is_rows]

    def _within(self, file: SetFile) -> list[Place]:
        """What is to be removed, as names within the file: an archive's members lie as if unpacked where it lies."""
        if CONTENT_OF[file.form] is Content.ROWS:
            return self._as_staged(file)
        folder = file.path.rpartition("/")[0]
        above = f"{folder}/" if folder else ""
        found: list[Place] = []
        for place in self._as_staged(file):
            if isinstance(place, Prefix) and place.prefix.startswith(above):
                found.append(Prefix(place.prefix.removeprefix(above)))
            elif isinstance(place, Objects):
                names = tuple(name.removeprefix(above) for name in place.names if name.startswith(above))
                found += [Objects(names)] if names else []
        return found

    def _opener(self, file: SetFile) -> Callable[[], AbstractContextManager[BinaryIO]]:
        return lambda: self.store.open(self.known.set.name, file.path)

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A private folder that is gone afterwards. Raises Unavailable where it cannot be made."""
        root = self.run.deployment.backups.scratch
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryDirectory(dir=root, prefix="anonymise-") as folder:
                yield Path(folder)
        except OSError as error:
            raise Unavailable(self.store.name, f"the scratch folder cannot be used: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _OneFile:
    """A rewritten file, to be restored from as if it lay in its set."""

    file: Path

    def open(self, name: str, path: str) -> AbstractContextManager[BinaryIO]:
        """The file's content."""
        return self.file.open("rb")
