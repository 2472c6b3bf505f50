"""A restic repository as a `BackupStore`: a set is a snapshot."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from storage_adapters.backups.contract import (
    BackupCapabilities,
    BackupSet,
    Deletion,
    ReadAttempt,
    Rewriting,
    SetFile,
    SetLayout,
    Whereabouts,
)
from storage_adapters.backups.restic.looking import Looking
from storage_adapters.backups.restic.program import LONG, Restic
from storage_adapters.backups.restic.removing import remove
from storage_adapters.backups.restic.rewriting import SnapshotRewriting, restore, scratch
from storage_adapters.backups.restic.settings import Repository
from storage_adapters.backups.restic.snapshots import (
    SNAPSHOT_ID,
    Snapshot,
    Standing,
    identity,
    missing,
    own_tags,
    snapshots,
    standings,
)
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable

_NOTES = (
    "A snapshot cannot be fenced where it lies: whoever opens the repository reads all of it.",
    "Every deletion, quarantine and rewriting prunes the repository, which takes it for itself meanwhile.",
    "The first inventory reads snapshots of many small files as a whole, to tell dumps from other files.",
    "A rewritten snapshot keeps its time, host, tags and the paths in it; the folder that restic names as its source "
    "is the scratch folder, so retention rules of restic itself should group by host and tags, not by paths.",
    "`restic tag` gives a snapshot another id, and so makes another set of it.",
)
_NO_QUARANTINE = "No repository for quarantine is configured: nothing can be quarantined."
_ONE_ENVIRONMENT = "restic copies with one set of credentials: those of the quarantine must also read the repository."


class ResticBackups:
    """The snapshots of one repository and of the one for quarantine, through the restic program. Thread-safe.

    A set's name is the full id of its snapshot, the first one it had; its label is the first tag, or `untagged`, and
    the day (UTC): `nightly/2026-11-10`. Layouts mean nothing here; `claimed` is compared with labels. Paths within a set
    have no slash at their start. Only regular files are files of a set.
    """

    def __init__(
        self,
        name: str,
        repository: Repository,
        quarantine: Repository | None = None,
        program: str = "restic",
        scratch_folder: Path | None = None,
    ) -> None:
        """A store that starts restic when it is first asked.

        quarantine: a repository with another password, which ordinary readers do not have; made by the operator.
        scratch_folder: where a set lies while it is rewritten, in a folder that only we can read; it needs room for it.
        """
        self._name = name
        self._cache = Path(tempfile.mkdtemp(prefix="retention-restic-cache-"))
        self._ordinary = Restic(name, repository, program, self._cache)
        self._quarantine = Restic(name, quarantine, program, self._cache) if quarantine else None
        # What an ordinary reader has: the place of the quarantine and the ordinary password.
        self._outsider = Restic(name, _seen_from_outside(repository, quarantine), program, None) if quarantine else None
        self._scratch_folder = scratch_folder
        self._looking = Looking(name)
        self._changing = threading.Lock()  # restic lets only one of us at a time; the others would be told Unavailable

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> BackupCapabilities:
        """The capability sheet. Raises Refused where the configured repository for quarantine does not exist."""
        if self._quarantine is None:
            return BackupCapabilities((), reads=True, rewrites=True, notes=(*_NOTES, _NO_QUARANTINE))
        self._quarantined()
        return BackupCapabilities((Whereabouts.MOVED,), reads=True, rewrites=True, notes=(*_NOTES, _ONE_ENVIRONMENT))

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """Every snapshot of both repositories, by name. Those whose removal was cut short are shown too, as empty."""
        found = self._standings()
        self._looking.remember_only([snapshot for standing in found.values() for snapshot in standing.everything])
        for name, standing in found.items():
            if not standing.everything[0].label.startswith(tuple(claimed)):
                try:
                    yield self._set(name, standing)
                except NotFound:
                    if name in self._standings():
                        raise

    def find(self, name: str) -> BackupSet | None:
        """This one set as it is now; None where no snapshot bears its name."""
        standing = self._standing(name)
        return None if standing is None else self._set(name, standing)

    def files(self, name: str) -> Iterator[SetFile]:
        """The regular files of the snapshot, by path. None where only its removal is left to finish."""
        standing = self._present(name)
        if standing.current is not None:
            yield from self._looking.contents(*self._where(standing)).files

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """The first `length` bytes of every file, in no particular order."""
        standing = self._present(name)
        if standing.current is not None:
            restic, snapshot = self._where(standing)
            files = self._looking.contents(restic, snapshot).files
            yield from self._looking.heads(restic, snapshot, files, length)

    @contextmanager
    def open(self, name: str, path: str) -> Iterator[BinaryIO]:
        """The content of one file. A failure half way is raised by the read that meets it."""
        restic, snapshot = self._where(self._present(name))
        if all(file.path != path for file in self._looking.contents(restic, snapshot).files):
            raise NotFound(self._name, "the set has no such file")
        with restic.stream("dump", snapshot.id, f"/{path}") as stream:
            yield stream

    def delete(self, name: str) -> Deletion:
        """Forget the snapshot in both repositories and prune them. UNKNOWN (`not-pruned`) where its data may remain.

        Every call prunes, and a prune reads the whole index: deleting many sets takes that many prunes.
        """
        with self._changing:
            if self._standing(name) is None:
                return Deletion(ItemResult.ABSENT)
            is_begun = False
            try:
                for restic in self._repositories():
                    is_begun = remove(self._name, restic, name) or is_begun
            except OutcomeUnknown:
                return Deletion(ItemResult.UNKNOWN, reason="not-pruned")
            except Unavailable:
                if not is_begun:
                    raise
                return Deletion(ItemResult.UNKNOWN, reason="interrupted")
            return Deletion(ItemResult.DONE)

    def quarantine(self, name: str) -> Whereabouts:
        """Copy the snapshot into the repository for quarantine, read it there, and remove it from the ordinary one."""
        if self._quarantine is None:
            raise Refused(self._name, "no repository for quarantine is configured, and a snapshot cannot be fenced")
        with self._changing:
            standing = self._present(name)
            current = standing.current
            if current is None:
                raise missing(self._name)
            if current in standing.ordinary:
                self._copy(self._named(current), self._quarantine)
            remove(self._name, self._ordinary, name)
            return Whereabouts.MOVED

    def try_reading(self, name: str) -> ReadAttempt:
        """List the set with the ordinary password in the ordinary repository, and in the one for quarantine."""
        self._present(name)
        here = [snapshot for snapshot in snapshots(self._ordinary) if snapshot.name == name]
        for snapshot_id in [name, *(snapshot.id for snapshot in here)]:
            if _lists(self._ordinary, snapshot_id):
                return ReadAttempt(False, "restic ls with the ordinary password: listed")
        how = "restic ls with the ordinary password: no such snapshot"
        if self._outsider is None:
            return ReadAttempt(True, how)
        try:
            self._outsider.run("--no-lock", "snapshots", "--json")
        except (Refused, NotFound) as error:
            return ReadAttempt(True, f"{how}; in the quarantine: {error.message}")
        return ReadAttempt(False, "the ordinary password opens the repository for quarantine")

    @contextmanager
    def rewrite(self, name: str) -> Iterator[Rewriting]:
        """Restore the snapshot into the scratch folder and begin a rewriting there.

        Folders in which no file is left are not in the new snapshot; links and devices elsewhere are carried over.
        """
        standing = self._present(name)
        restic, snapshot = self._where(standing)
        paths = [file.path for file in self._looking.contents(restic, snapshot).files]
        with scratch(self._name, self._scratch_folder) as folder:
            restore(restic, snapshot, folder)
            yield SnapshotRewriting(self._name, folder, paths, lambda tree: self._replace(name, tree))

    def close(self) -> None:
        """Remove the private cache. A second call does nothing."""
        shutil.rmtree(self._cache, ignore_errors=True)

    # ------------------------------------------------------------------------------------------------ finding

    def _standings(self) -> dict[str, Standing]:
        return standings(snapshots(self._ordinary), self._quarantined())

    def _standing(self, name: str) -> Standing | None:
        return self._standings().get(name) if SNAPSHOT_ID.fullmatch(name) else None

    def _present(self, name: str) -> Standing:
        if (standing := self._standing(name)) is None:
            raise missing(self._name)
        return standing

    def _quarantined(self) -> list[Snapshot]:
        if self._quarantine is None:
            return []
        try:
            return snapshots(self._quarantine)
        except NotFound as error:
            raise Refused(
                self._name,
                "the repository for quarantine does not exist; make it with `restic init --copy-chunker-params`",
            ) from error

    def _repositories(self) -> list[Restic]:
        return [self._ordinary] if self._quarantine is None else [self._ordinary, self._quarantine]

    def _where(self, standing: Standing) -> tuple[Restic, Snapshot]:
        """The repository and the snapshot to read. Raises NotFound where only a marker is left."""
        current = standing.current
        if current is None:
            raise missing(self._name)
        if current in standing.ordinary:
            return self._ordinary, current
        assert self._quarantine is not None
        return self._quarantine, current

    def _set(self, name: str, standing: Standing) -> BackupSet:
        at = standing.everything[0].at
        label = standing.everything[0].label
        whereabouts = Whereabouts.IN_PLACE if standing.ordinary else Whereabouts.MOVED
        if standing.current is None:
            return BackupSet(name, label, at, at, 0, 0, frozenset(), whereabouts=whereabouts)
        contents = self._looking.contents(*self._where(standing))
        forms = frozenset(file.form for file in contents.files)
        return BackupSet(name, label, at, at, len(contents.files), contents.size, forms, whereabouts=whereabouts)

    # ----------------------------------------------------------------------------------------------- changing

    def _named(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot under the tag that keeps its name when it gets another id."""
        if snapshot.is_named:
            return snapshot
        tags = [f"--add={tag}" for tag in own_tags(snapshot.name, snapshot.rewriting)]
        self._ordinary.run("tag", *tags, snapshot.id, changes=True)
        return self._only(self._ordinary, snapshot)

    def _copy(self, snapshot: Snapshot, target: Restic) -> None:
        """The other repository has the snapshot, and all of it was read there."""
        target.run("copy", snapshot.id, source=self._ordinary.repository, changes=True, seconds=LONG)
        copied = self._only(target, snapshot)
        if copied.tree != snapshot.tree:
            raise OutcomeUnknown(self._name, "the copy in quarantine differs from the snapshot")
        target.read_through("dump", copied.id, "/")

    def _only(self, restic: Restic, like: Snapshot) -> Snapshot:
        """The snapshot of the same set and rewriting, as it is listed now."""
        for found in snapshots(restic):
            if (found.name, found.rewriting, found.is_marker, found.is_named) == (
                like.name,
                like.rewriting,
                False,
                True,
            ):
                return found
        raise OutcomeUnknown(self._name, "restic made a snapshot that it does not list")

    def _replace(self, name: str, tree: Path) -> None:
        """The tree is backed up in the old snapshot's name, read back, and every other snapshot of the set removed."""
        with self._changing:
            standing = self._present(name)
            old = standing.current
            if old is None:
                raise missing(self._name)
            rewriting = max(snapshot.rewriting for snapshot in standing.everything) + 1
            arguments = identity(old, own_tags(name, rewriting))
            # From within the tree and by its name ".", so that paths in the snapshot are those of the old one.
            self._ordinary.run("backup", "--force", *arguments, ".", changes=True, folder=tree, seconds=LONG)
            new = next((found for found in snapshots(self._ordinary) if _is(found, name, rewriting)), None)
            if new is None:
                raise OutcomeUnknown(self._name, "restic made a snapshot that it does not list")
            self._ordinary.read_through("dump", new.id, "/")
            remove(self._name, self._ordinary, name, keep={new.id})
            if self._quarantine is not None:
                remove(self._name, self._quarantine, name)


def _lists(restic: Restic, snapshot_id: str) -> bool:
    try:
        with restic.stream("--no-lock", "ls", "--json", snapshot_id) as listing:
            return bool(listing.read(1))
    except NotFound:
        return False


def _is(snapshot: Snapshot, name: str, rewriting: int) -> bool:
    return (snapshot.name, snapshot.rewriting, snapshot.is_marker) == (name, rewriting, False)


def _seen_from_outside(repository: Repository, quarantine: Repository) -> Repository:
    return Repository(quarantine.location, repository.password, repository.password_file, repository.environ)
