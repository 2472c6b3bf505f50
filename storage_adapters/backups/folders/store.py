"""A directory as a store of backup sets."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from storage_adapters.backups.contract import (
    BackupCapabilities,
    BackupSet,
    Deletion,
    Form,
    Lock,
    ReadAttempt,
    Rewriting,
    SetFile,
    SetLayout,
    Whereabouts,
)
from storage_adapters.backups.folders import moving, rewriting
from storage_adapters.backups.folders.fences import Fences
from storage_adapters.backups.folders.ground import (
    FOLDER_FLAGS,
    OWNER_ONLY,
    Ground,
    Spot,
    entries_below,
    folders_below,
    in_our_words,
    made_folders,
    status_in,
    translated,
    write_note,
)
from storage_adapters.backups.folders.rewriting import FolderRewriting
from storage_adapters.backups.folders.trying import answers, attempt, reader_of, wrong_with
from storage_adapters.backups.forms import HEAD_LENGTH, recognise
from storage_adapters.backups.layouts import HIDDEN, Naming
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused
from storage_adapters.files.tree import Tree

_USED = f"{HIDDEN}quarantine-used"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderBackups:
    """Backup sets in a directory: a set is a folder or a file of it. Thread-safe; one process may change it at a time.

    Links are items that are deleted and moved, never followed, and hold no content. Not Windows.
    """

    def __init__(self, name: str, root: Path, quarantine: Path | None, normal_user: str | None = None) -> None:
        """A store that opens its folders when it is first asked.

        quarantine: a folder of the service's own with mode 0700, made where it is missing; None fences sets where they
        lie. normal_user: the user whose reads have to fail; tried only where we are root.
        Raises ValueError where the live folder lies in the quarantine folder or is the same.
        """
        self._name = name
        self._root = Path(os.path.abspath(root))  # noqa: PTH100 - links are not followed
        self._quarantine = None if quarantine is None else Path(os.path.abspath(quarantine))  # noqa: PTH100
        self._normal_user = normal_user
        self._changes = threading.RLock()
        self._kept: frozenset[tuple[str, ...]] = frozenset()
        if self._quarantine is not None and self._root.is_relative_to(self._quarantine):
            raise ValueError("a quarantine folder does not enclose the backups themselves")

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> BackupCapabilities:
        """The capability sheet. Raises NotFound where the folder is missing."""
        with in_our_words(self._name), self._ground() as ground:
            wrong = ground.wrong_quarantine
        if self._quarantine is not None:
            ways: tuple[Whereabouts, ...] = (Whereabouts.MOVED, Whereabouts.FENCED)
        else:
            ways = (Whereabouts.FENCED,)
        notes = ["Hard links to files of a set from elsewhere are neither found nor fenced."]
        if os.geteuid() != 0:
            notes.append("The service is not root: whether others can read is judged by owner and mode, not tried.")
        if wrong is not None:
            notes.append(f"The quarantine folder is not closed to others: {wrong}. Nothing is moved there.")
        return BackupCapabilities(ways, reads=True, rewrites=True, notes=tuple(notes))

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """As the contract says; read when the first one is asked for. An empty folder is no set."""
        naming = Naming(layouts, claimed)
        self._kept = frozenset(tuple(layout.root.strip("/").split("/")) for layout in layouts)
        with in_our_words(self._name), self._ground() as ground:
            names = self._names(ground, naming)
            found = [one for name in sorted(names) if (one := self._looked_at(ground, name)) is not None]
        yield from found

    def find(self, name: str) -> BackupSet | None:
        """As the contract says. What a killed change left is finished first."""
        try:
            with in_our_words(self._name), self._ground(name) as ground:
                return self._looked_at(ground, name)
        except NotFound:
            self._require_root()
            return None

    def files(self, name: str) -> Iterator[SetFile]:
        """The regular files of the set. Of what lies there twice, in place and in quarantine, the one in place."""
        yield from (file for file, _ in self._contents(name, 0))

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """As the contract says. Raises ValueError for a length below 1."""
        if length < 1:
            raise ValueError("at least one byte")
        yield from self._contents(name, length)

    @contextmanager
    def open(self, name: str, path: str) -> Iterator[BinaryIO]:
        """As the contract says. Raises Refused for a link."""
        with in_our_words(self._name), self._ground(name) as ground:
            spot = self._newest(ground, name)
            with Fences(ground).lifted(spot, name):
                opened = spot.open(path)
        with os.fdopen(opened, "rb") as stream:
            yield stream

    def delete(self, name: str) -> Deletion:
        """Remove the set from its place and from quarantine. LOCKED by `immutable` or `append-only` attributes.

        Folders above it that are empty now go too, up to those in which the layouts of the last `sets` lie.
        """
        try:
            with in_our_words(self._name), self._changes, self._ground(name) as ground:
                return self._deleted(ground, name)
        except NotFound:
            self._require_root()
            return Deletion(ItemResult.ABSENT)

    def quarantine(self, name: str) -> Whereabouts:
        """As the contract says. Raises Refused for a quarantine folder that others may enter, or a set not ours."""
        with in_our_words(self._name), self._changes, self._ground(name) as ground:
            spot = self._newest(ground, name)
            fences = Fences(ground)
            if spot.generation:
                return Whereabouts.MOVED
            if fences.of(spot, name) is not None:
                return Whereabouts.FENCED
            if self._quarantine is not None and not spot.locks():
                self._make_quarantine(ground)
                moving.into_quarantine(self._name, ground, name)
                return Whereabouts.MOVED
            fences.put(spot, name)
            return Whereabouts.FENCED

    def try_reading(self, name: str) -> ReadAttempt:
        """Read a byte of each file at the old place and in quarantine; see `trying.attempt` for who does it.

        Raises Refused where the normal user is unknown, or we may not become it.
        """
        with in_our_words(self._name), self._ground(name) as ground:
            self._newest(ground, name)
            who = reader_of(self._name, self._normal_user)
            fences = Fences(ground)
            old, kept = [os.fspath(self._root / name)], []
            for spot in ground.spots(name):
                with fences.lifted(spot, name):
                    inner = [path for path, _ in spot.entries()] if spot.is_folder else []
                old += [os.fspath(self._root / name / path) for path in inner]
                if spot.generation:
                    top = self._part_of_quarantine() / str(spot.generation) / name
                    kept += [os.fspath(top), *(os.fspath(top / path) for path in inner)]
            said = answers(self._name, who, [*old, *kept])
            return attempt(who, said[: len(old)], said[len(old) :], ground.wrong_quarantine)

    @contextmanager
    def rewrite(self, name: str) -> Iterator[Rewriting]:
        """Begin a rewriting. Raises Refused where an attribute would keep the old set. One at a time for each set."""
        with ExitStack() as closed:
            with in_our_words(self._name), self._changes:
                ground = closed.enter_context(self._ground(name))
                spots = ground.spots(name)
                old = self._newest(ground, name)
                if any(lock for spot in spots for lock in self._locks(ground, spot, name)):
                    raise Refused(self._name, "the old set is locked against removal")
                begun = FolderRewriting(self._name, ground, name, old)
            try:
                yield begun
            finally:
                begun.leave()

    def close(self) -> None:
        """Nothing is held between two calls."""

    # ------------------------------------------------------------------------------------------------- the parts

    @contextmanager
    def _ground(self, name: str | None = None) -> Iterator[Ground]:
        """The opened folders; what a killed change of the set left is finished first, unless somebody is at it."""
        with ExitStack() as closed:
            ground = self._opened(closed)
            ground.kept = self._kept
            if name is not None:
                self._finish(ground, [name])
            yield ground

    def _opened(self, closed: ExitStack) -> Ground:
        """Raises FileNotFoundError for a quarantine folder that is gone though it was used: an unmounted disk is no zero."""
        live = _open_folder(self._root)
        closed.callback(os.close, live)
        if self._quarantine is None:
            return Ground(live)
        is_used = status_in(live, _USED) is not None
        if not is_used and not self._part_of_quarantine().exists():
            return Ground(live)
        whole = _open_folder(self._quarantine)
        closed.callback(os.close, whole)
        part = os.open(self._part_of_quarantine().name, FOLDER_FLAGS, dir_fd=whole)
        closed.callback(os.close, part)
        return Ground(live, part, wrong_with(whole))

    def _make_quarantine(self, ground: Ground) -> None:
        """The quarantine folder is there and closed to others; raises Refused where it is open to them."""
        assert self._quarantine is not None
        if not self._quarantine.exists():
            self._quarantine.mkdir(OWNER_ONLY, parents=True)
        whole = _open_folder(self._quarantine)
        try:
            if (wrong := wrong_with(whole)) is not None:
                raise Refused(self._name, f"the quarantine folder is not closed to others: {wrong}")
            if ground.quarantine_descriptor is None:
                ground.quarantine_descriptor = made_folders(whole, (self._part_of_quarantine().name,))
        finally:
            os.close(whole)
        write_note(ground.live_descriptor, _USED, b"")

    def _part_of_quarantine(self) -> Path:
        """Where this store's sets lie in a quarantine folder that several stores may share."""
        assert self._quarantine is not None
        return self._quarantine / self._name.replace("/", "_")

    def _names(self, ground: Ground, naming: Naming) -> set[str]:
        fences = {fence.name for fence in Fences(ground).all()} if os.geteuid() != 0 else set()
        skipped = {ground.spot(name).parts for name in fences}
        if self._quarantine is not None and self._quarantine.is_relative_to(self._root):
            skipped.add(self._quarantine.relative_to(self._root).parts)
        paths = ["/".join(parts) for parts, _ in entries_below(ground.live, (), skipped, hidden=True)]
        committed = rewriting.committed(ground, paths)
        self._finish(ground, committed)
        paths += [f"{name}-" if name.endswith("/") else name for name in committed]
        for number in ground.generations():
            assert ground.quarantine_descriptor is not None
            tree = Tree(ground.quarantine_descriptor, (str(number),))
            paths += ["/".join(parts) for parts, _ in entries_below(tree, ())]
        found = {name for path in paths if (name := naming.set_of(path)) is not None}
        return found | {name for name in fences if naming.set_of(f"{name}-" if name.endswith("/") else name) == name}

    def _finish(self, ground: Ground, names: Sequence[str]) -> None:
        """What a killed change of these sets left is finished, unless somebody is changing something right now."""
        if not self._changes.acquire(blocking=False):
            return
        try:
            for name in names:
                moving.finish(ground, name)
                rewriting.finish(ground, name)
        finally:
            self._changes.release()

    def _looked_at(self, ground: Ground, name: str) -> BackupSet | None:
        """The set as it is; None where it has no entries (any more)."""
        fences = Fences(ground)
        statuses: list[os.stat_result] = []
        forms: set[Form] = set()
        locks: set[Lock] = set()
        spots = ground.spots(name)
        for spot in spots:
            with fences.lifted(spot, name):
                found = spot.entries()
                locks.update(spot.locks())
                forms.update(file.form for file, _ in _contents_of(spot, found, 0))
            statuses += [status for _, status in found]
        if not statuses:
            return None
        times = [_instant(status.st_mtime_ns) for status in statuses]
        size = sum(status.st_size for status in statuses)
        ordered = tuple(sorted(locks, key=lambda lock: lock.kind))
        where = _whereabouts(spots, fences, name)
        return BackupSet(name, name, min(times), max(times), len(statuses), size, frozenset(forms), ordered, where)

    def _contents(self, name: str, length: int) -> list[tuple[SetFile, bytes]]:
        with in_our_words(self._name), self._ground(name) as ground:
            spot = self._newest(ground, name)
            with Fences(ground).lifted(spot, name):
                return list(_contents_of(spot, spot.entries(), length))

    def _newest(self, ground: Ground, name: str) -> Spot:
        """The copy of the set that counts. Raises NotFound where there is none, or it is an empty folder."""
        fences = Fences(ground)
        for spot in ground.spots(name):
            with fences.lifted(spot, name):
                if spot.entries():
                    return spot
        raise NotFound(self._name, "there is no such set (any more)")

    def _locks(self, ground: Ground, spot: Spot, name: str) -> list[Lock]:
        with Fences(ground).lifted(spot, name):
            return spot.locks()

    def _deleted(self, ground: Ground, name: str) -> Deletion:
        spots = ground.spots(name)
        locks = tuple(lock for spot in spots for lock in self._locks(ground, spot, name))
        if locks:
            return Deletion(ItemResult.LOCKED, tuple(dict.fromkeys(locks)))
        for spot in spots:
            with Fences(ground).lifted(spot, name):
                if not _may_be_removed(spot):
                    return Deletion(ItemResult.REFUSED, reason="EACCES")
        is_gone = True
        for spot in spots:
            try:
                is_gone = spot.remove() and is_gone
            except OSError as error:
                if isinstance(said := translated(self._name, error), Refused):
                    return Deletion(ItemResult.REFUSED, reason=said.message.rpartition(" ")[2])
                raise
        if not is_gone or ground.spots(name):
            return Deletion(ItemResult.UNKNOWN, reason="written-meanwhile")
        moving.forget(ground, name)
        rewriting.forget(ground, name)
        Fences(ground).drop(name)
        for spot in [ground.spot(name), *spots]:
            ground.clear_above(spot)
        return Deletion(ItemResult.DONE if spots else ItemResult.ABSENT)

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise NotFound(self._name, "the folder is not there")


def _open_folder(path: Path) -> int:
    return os.open(path, FOLDER_FLAGS & ~os.O_NOFOLLOW)


def _contents_of(
    spot: Spot, found: Sequence[tuple[str, os.stat_result]], length: int
) -> Iterator[tuple[SetFile, bytes]]:
    """Each regular file that is still there, with its first `length` bytes. What may not be read is a plain file."""
    read: list[tuple[str, os.stat_result, bytes, Form]] = []
    for path, status in found:
        if not stat.S_ISREG(status.st_mode):
            continue
        try:
            opened = spot.open(path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # it vanished since it was listed
        with os.fdopen(opened, "rb") as stream:
            head = stream.read(max(length, HEAD_LENGTH))
        read.append((path, status, head[:length], recognise(path, head[:HEAD_LENGTH])))
    dumps = {path.rpartition("/")[0] for path, _, _, form in read if form is Form.PG_DUMP_DIRECTORY}
    for path, status, head, form in read:
        whole = Form.PG_DUMP_DIRECTORY if spot.is_folder and path.rpartition("/")[0] in dumps else form
        yield SetFile(path, whole, status.st_size, _instant(status.st_mtime_ns)), head


def _whereabouts(spots: Sequence[Spot], fences: Fences, name: str) -> Whereabouts:
    if spots[0].generation:
        return Whereabouts.MOVED
    return Whereabouts.IN_PLACE if fences.of(spots[0], name) is None else Whereabouts.FENCED


def _may_be_removed(spot: Spot) -> bool:
    """Whether every folder lets us remove entries; one that is ours is opened when it is emptied."""
    with spot.above() as above:
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=above, effective_ids=True):
            return False
    if not spot.is_folder:
        return True
    for parts, status in folders_below(spot.tree, spot.parts):
        if status.st_uid != os.geteuid():
            with spot.tree.folder(parts) as here:
                if not os.access(".", os.W_OK | os.X_OK, dir_fd=here, effective_ids=True):
                    return False
    return True


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
