"""A snapshot rewritten: restored into a scratch folder, changed there, and backed up again under its old identity.

`restic rewrite` can leave files out (since 0.15), and cannot change one; this way does both with every version.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from storage_adapters.backups.restic.program import LONG, Restic
from storage_adapters.backups.restic.snapshots import Snapshot
from storage_adapters.errors import NotFound, Refused, Unavailable

_PREFIX = "retention-restic-"


class SnapshotRewriting:
    """A rewriting under way, in a folder of its own; `finish` puts the new tree in the old one's place."""

    def __init__(self, store: str, folder: Path, files: Collection[str], finish: Callable[[Path], None]) -> None:
        self._store = store
        self._tree = folder / "tree"
        self._written = folder / "written"
        self._written.mkdir()
        self._files = frozenset(files)
        self._finish = finish
        self._kept: set[str] = set()
        self._new: dict[str, Path] = {}
        self._begun_count = 0
        self._is_committed = False

    def keep(self, path: str) -> None:
        """Carry this file of the old set over as it is. Raises NotFound where the old set has no such file."""
        self._check(path)
        self._kept.add(path)

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Write this file of the new set. Raises NotFound where the old set has no such file."""
        self._check(path)
        self._begun_count += 1
        target = self._written / str(self._begun_count)
        with self._own_troubles(), target.open("xb") as stream:
            yield stream
        self._new[path] = target

    def commit(self) -> None:
        """The new set stands under the old one's name and the old one is gone. A second call does nothing.

        Raises Refused where nothing was kept or written: restic makes no empty snapshot.
        """
        if self._is_committed:
            return
        if not self._kept and not self._new:
            raise Refused(self._store, "a snapshot cannot be empty: delete the set instead")
        with self._own_troubles():
            for path, content in self._new.items():
                self._put(path, content)
            self._drop(self._files - self._kept - self._new.keys())
        self._finish(self._tree)
        self._is_committed = True

    def _check(self, path: str) -> None:
        if path not in self._files:
            raise NotFound(self._store, "the set has no such file")

    def _put(self, path: str, content: Path) -> None:
        """The content stands in the old file's place, with its owner, mode and times."""
        place = self._tree / path
        old = place.lstat()
        with suppress(PermissionError):  # only root gives files away; restic restores as we do
            os.chown(content, old.st_uid, old.st_gid)
        content.chmod(old.st_mode & 0o7777)
        os.utime(content, ns=(old.st_atime_ns, old.st_mtime_ns))
        content.replace(place)

    def _drop(self, dropped: Collection[str]) -> None:
        """These files are gone, and with them every folder that has no other file: its name can name a customer."""
        folders: set[Path] = set()
        for path in dropped:
            file = self._tree / path
            file.unlink()
            folders.update(parent for parent in file.parents if self._tree in parent.parents)
        for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
            if not _has_files(folder):
                shutil.rmtree(folder)

    @contextmanager
    def _own_troubles(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(self._store, f"the scratch folder: {type(error).__name__}") from error


@contextmanager
def scratch(store: str, parent: Path | None) -> Iterator[Path]:
    """A private folder, gone when the block is left. What a killed process left beside it is removed first."""
    try:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        _sweep(place)
        folder, lock = _locked_folder(place)
    except OSError as error:
        raise Unavailable(store, f"the scratch folder: {type(error).__name__}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(place: Path) -> tuple[Path, int]:
    """A fresh folder and the file descriptor that locks it: tried again where a sweep came between the two."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _has_files(folder: Path) -> bool:
    return any(stat.S_ISREG((Path(at) / name).lstat().st_mode) for at, _, names in os.walk(folder) for name in names)


def restore(restic: Restic, snapshot: Snapshot, folder: Path) -> None:
    """The snapshot lies in `folder`/tree, as restic restores it."""
    restic.run("restore", snapshot.id, f"--target={folder / 'tree'}", seconds=LONG)


def _sweep(place: Path) -> None:
    """Remove the folders of this kind whose process is gone: their lock can be had."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)
