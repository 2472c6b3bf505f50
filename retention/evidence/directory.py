"""The one place of the evidence core that reads and writes files: durable, whole, and never blocked by what lies there.

A write is: `.next` written and fsynced, renamed into place; `sync` then makes the names durable. There is one writer at
a time (`locked`), so one `.next` is enough, and what a crash leaves of it is overwritten by the next write.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retention.evidence.errors import Damage, LedgerDamaged, Malformed

_LOCK = ".lock"
_NEXT = ".next"
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe planted in a file's place must not block the reader


class LedgerDirectory:
    """Files by their path relative to one directory, which is made by the first lock or write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsynced: set[Path] = set()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writer's lock, among processes and threads; waits for it. A killed holder frees it."""
        self._make_parents(self.root)
        handle = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self, path: str, limit: int) -> bytes | None:
        """The whole file, None when there is none. LedgerDamaged when it is longer than `limit` bytes or no file."""
        try:
            return read_file(self.root / path, limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Malformed as error:
            raise LedgerDamaged(path, Damage.MALFORMED, str(error)) from error

    def write(self, path: str, data: bytes) -> None:
        """Put the whole file in place at once. Durable after `sync`. Only under `locked`."""
        target = self.root / path
        self._make_parents(target.parent)
        handle = os.open(self.root / _NEXT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(self.root / _NEXT, target)  # noqa: PTH105 - one spelling for the calls whose order matters
        self._unsynced.update((target.parent, self.root))

    def sync(self) -> None:
        """Make the names of everything written durable. A second call does nothing."""
        for directory in sorted(self._unsynced):
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._unsynced.clear()

    def remove_partials(self, path: str) -> None:
        """Remove every partial form of the full tile or bundle at `path`. Nothing there: nothing done."""
        folder = self.root / f"{path}.p"
        if not folder.is_dir():
            return
        for partial in list(folder.iterdir()):
            partial.unlink()
        folder.rmdir()
        self._unsynced.add(folder.parent)

    def paths(self) -> Iterator[str]:
        """The relative path of everything that is no directory, in no order; the lock and `.next` left out."""
        for folder, subfolders, names in os.walk(self.root, followlinks=False):
            links = [name for name in subfolders if (Path(folder) / name).is_symlink()]
            for name in [*names, *links]:
                path = (Path(folder) / name).relative_to(self.root).as_posix()
                if path not in (_LOCK, _NEXT):
                    yield path

    def _make_parents(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for made in reversed(missing):
            made.mkdir(exist_ok=True)
            self._unsynced.add(made.parent)


def read_file(path: Path, limit: int) -> bytes:
    """The whole file. Malformed when it is longer than `limit` bytes or no regular file; OSError as it comes."""
    handle = os.open(path, _READ)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Malformed("not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Malformed(f"longer than {limit} bytes")
    return data
