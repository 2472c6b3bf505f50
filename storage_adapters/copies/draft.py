"""A file that is being written under a name of its own, until all of it is there."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage_adapters.errors import OutcomeUnknown, Refused, StoreError
from storage_adapters.files.area import LIVE
from storage_adapters.files.changes import code_of
from storage_adapters.files.opening import file_errors, opened
from storage_adapters.files.tree import Parts, Tree

_PREFIX = ".retention-copy-"
_DRAFT = re.compile(re.escape(_PREFIX) + "[0-9a-f]{32}")
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o666  # what the process's mask leaves of it


def is_draft(leaf: str) -> bool:
    """Whether a file of this name is an unfinished copy."""
    return _DRAFT.fullmatch(leaf) is not None


class Draft:
    """What will be the file `parts` below the root. Nothing is made before the first `write`. Not thread-safe.

    Every method raises StoreErrors only: Refused and Unavailable where the file does not stand under its name.
    """

    def __init__(self, store: str, root: Path, parts: Parts) -> None:
        self._store = store
        self._root = root
        self._parts = parts
        self._leaf = f"{_PREFIX}{secrets.token_hex(16)}"
        self._folder: int | None = None
        self._file: int | None = None
        self._made: list[Parts] = []
        self._size = 0
        self._digest = hashlib.sha256()

    def write(self, block: bytes) -> None:
        """The block is at the end of the draft."""
        with file_errors(self._store):
            if self._file is None:
                self._begin()
            assert self._file is not None
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        self._size += len(block)
        self._digest.update(block)

    def finish(self) -> tuple[int, str]:
        """The draft stands under its name, durably: size and SHA-256 of what was written, read again.

        Raises OutcomeUnknown where it is there and the system cannot say whether it will be after a crash, and Refused
        where something else is there.
        """
        assert self._file is not None
        assert self._folder is not None
        with file_errors(self._store), self._name_errors():
            os.fsync(self._file)
            os.rename(self._leaf, self._parts[-1], src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._leaf = ""
        self._made.clear()
        try:
            os.fsync(self._folder)
        except OSError as error:
            raise OutcomeUnknown(self._store, f"durability: the file system says {code_of(error)}") from error
        if self._read_again() != (self._size, self._digest.hexdigest()):
            raise Refused(self._store, "the folder does not hold what was put into it")
        return self._size, self._digest.hexdigest()

    def discard(self, error: BaseException) -> None:
        """Nothing of an unfinished draft is left, nor folders that were made for it; else `error` gets a note."""
        try:
            with file_errors(self._store):
                if self._file is not None and self._folder is not None and self._leaf:
                    os.unlink(self._leaf, dir_fd=self._folder)
                self._remove_folders()
        except StoreError as failed:
            error.add_note(f"{failed}: an unfinished copy may be left")

    def close(self) -> None:
        """No descriptor is open. A second call does nothing."""
        for descriptor in (self._file, self._folder):
            if descriptor is not None:
                os.close(descriptor)
        self._file = self._folder = None

    def _begin(self) -> None:
        with opened(self._store, self._root) as area, self._name_errors():
            tree = area.tree(LIVE)
            self._make_folders(tree)
            with tree.folder(self._parts[:-1]) as here:
                self._folder = os.dup(here)
            self._file = os.open(self._leaf, _NEW_FILE, _MODE, dir_fd=self._folder)

    @contextmanager
    def _name_errors(self) -> Iterator[None]:
        """Raises Refused where the file system can have no file of this name there."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
                raise Refused(self._store, f"no such file can be there: {code_of(error)}") from error
            raise

    def _make_folders(self, tree: Tree) -> None:
        for depth in range(1, len(self._parts)):
            folder = self._parts[:depth]
            with tree.folder(folder[:-1]) as above:
                try:
                    os.mkdir(folder[-1], dir_fd=above)
                except FileExistsError:
                    continue  # whether it is a folder is seen when it is entered
                self._made.append(folder)
                os.fsync(above)

    def _remove_folders(self) -> None:
        if not self._made:
            return
        with opened(self._store, self._root) as area:
            for folder in reversed(self._made):
                try:
                    area.tree(LIVE).remove_folder(folder)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                        raise
                    return  # somebody else has put something into it, or has removed it

    def _read_again(self) -> tuple[int, str] | None:
        """Size and SHA-256 of what stands under the name now; None where nothing does."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with opened(self._store, self._root) as area:
            try:
                with area.tree(LIVE).folder(self._parts[:-1]) as here:
                    descriptor = os.open(self._parts[-1], flags, dir_fd=here)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                return os.fstat(descriptor).st_size, hashlib.file_digest(file, "sha256").hexdigest()
