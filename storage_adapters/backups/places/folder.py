"""A folder of files as a place to restore into."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage_adapters.backups.contract import Content
from storage_adapters.backups.places.staging_folder import StagedFiles, file_errors, locked_folder
from storage_adapters.errors import Refused

_PREFIX = ".retention-restore-"
_CONTENT = "content"
_FULL = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


class FolderPlace:
    """The folder `root`, absent or empty, under the contract of `RestorePlace`.

    Files are staged beside it, in `.retention-restore-<its name>/` (0700), on the same file system. The release is one
    rename, which the file system refuses where the root has got something in it. Killed before it, nothing is there;
    killed after it, everything is. The same user and root cannot be kept out of the staging folder.
    """

    takes = Content.FILES

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root.absolute()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @contextmanager
    def begin(self) -> Iterator[FolderStaging]:
        """Begin a restore; leaving the block removes what was not released, and what a killed one left.

        Raises Refused where the root is not empty, is a link or no folder, or where another restore is under way.
        """
        with locked_folder(self._name, self._root.parent / f"{_PREFIX}{self._root.name}") as folder:
            with file_errors(self._name):
                status = _status(self._root)
                if status is not None and (not stat.S_ISDIR(status.st_mode) or any(self._root.iterdir())):
                    raise Refused(self._name, "the folder to restore into is not an empty folder")
                content = folder / _CONTENT
                content.mkdir()
                if status is not None:
                    os.chown(content, status.st_uid, status.st_gid)
                    content.chmod(stat.S_IMODE(status.st_mode))
            yield FolderStaging(self._name, content, self._root)


class FolderStaging(StagedFiles):
    """Files staged beside the root."""

    def __init__(self, store: str, content: Path, root: Path) -> None:
        super().__init__(store, content)
        self._root = root
        self._is_released = False

    def release(self) -> None:
        """The root is what was staged, durably. Raises Refused where it is not empty. A second call does nothing."""
        if self._is_released:
            return
        with file_errors(self._store):
            for folder, _, _ in os.walk(self.content):
                _sync(Path(folder))
            try:
                self.content.rename(self._root)
            except OSError as error:
                if error.errno in _FULL:
                    raise Refused(self._store, "the folder to restore into is no longer empty") from error
                raise
            self._is_released = True
            _sync(self._root.parent)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
