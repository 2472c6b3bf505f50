"""A tree of folders that is entered one component at a time and never through a link.

Every path is a tuple of plain names below a root descriptor. Each name is opened relative to the folder before it
with `O_NOFOLLOW`, so that neither `..`, nor an absolute name, nor a folder that somebody swaps for a link meanwhile
leads out of the root. Names are the system's bytes, decoded with `surrogateescape`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

Parts = tuple[str, ...]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER_ONLY = 0o700
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, link or special file `leaf` in a folder; or, where `leaf` is None, the folder itself, empty or not."""

    folder: Parts
    leaf: str | None
    is_empty: bool = False


class Tree:
    """What lies below `base` (plain names) below the open folder `root`. Holds no descriptor of its own."""

    def __init__(self, root: int, base: Parts = ()) -> None:
        self._root = root
        self._base = base

    @contextmanager
    def folder(self, parts: Parts) -> Iterator[int]:
        """A descriptor of the folder, closed at the end.

        Raises FileNotFoundError where it is not there, NotADirectoryError where a file is in its stead, and OSError
        with ELOOP where a link is on the way.
        """
        here = os.dup(self._root)
        try:
            for part in (*self._base, *parts):
                here = _step(here, part)
            yield here
        finally:
            os.close(here)

    @contextmanager
    def made_folder(self, parts: Parts, like: Tree) -> Iterator[int]:
        """A descriptor of the folder, made with mode, owner and attributes of the same folder of `like` if need be.

        Raises as `folder` does, and PermissionError where the new folder cannot be made the same: then it is not made.
        """
        here = self._made(parts, like)
        try:
            yield here
        finally:
            os.close(here)

    def walk(self, parts: Parts) -> Iterator[Entry]:
        """Every entry at and below the folder: a folder before its files, its files before its folders, by name.

        Nothing where the folder is not there. Raises OSError where a folder cannot be read or has become a link.
        """
        pending = [parts]
        while pending:
            folder = pending.pop()
            try:
                with self.folder(folder) as here, os.scandir(here) as entries:
                    found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
            except (FileNotFoundError, NotADirectoryError):
                continue  # never there, or gone since its parent was read
            yield Entry(folder, None, is_empty=not found)
            yield from (Entry(folder, name) for name, is_folder in found if not is_folder)
            pending.extend((*folder, name) for name, is_folder in reversed(found) if is_folder)

    def remove_folder(self, parts: Parts) -> None:
        """The folder is gone. Raises OSError where it is not there, not empty, or not ours to remove."""
        *above, last = (*self._base, *parts)
        with Tree(self._root).folder(tuple(above)) as parent:
            os.rmdir(last, dir_fd=parent)

    def sync(self, parts: Parts) -> None:
        """What has changed in the folder is durable. A folder that is gone needs nothing."""
        try:
            with self.folder(parts) as here:
                os.fsync(here)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _made(self, parts: Parts, like: Tree) -> int:
        """As `made_folder`; tries again where somebody else removes an empty folder on the way."""
        for _ in range(_ATTEMPTS):
            try:
                return self._make(parts, like)
            except FileNotFoundError:
                with like.folder(parts):
                    continue
        raise OSError(errno.EBUSY, "the folder is removed again and again")

    def _make(self, parts: Parts, like: Tree) -> int:
        path = (*self._base, *parts)
        here = os.dup(self._root)
        try:
            for depth, part in enumerate(path, 1):
                model = parts[: depth - len(self._base)] if depth > len(self._base) else None
                _make_one(here, part, like, model)
                here = _step(here, part)
        except BaseException:
            os.close(here)
            raise
        return here


def _step(here: int, part: str) -> int:
    """A descriptor of the folder `part` of the folder `here`, which is closed unless this raises."""
    try:
        deeper = os.open(part, _FOLDER, dir_fd=here)
    except NotADirectoryError:
        # Linux says "not a directory" of a link too; only a link hides what an ordinary reader would find behind it
        if stat.S_ISLNK(os.stat(part, dir_fd=here, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, "a link is on the way") from None
        raise
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FileNotFoundError(errno.ENOENT, "no name is this long") from error
        raise
    os.close(here)
    return deeper


def _make_one(parent: int, name: str, like: Tree, model: Parts | None) -> None:
    """The folder is there. A new one looks like `model` of `like`, or only its owner may enter it where that is None."""
    try:
        os.mkdir(name, _OWNER_ONLY, dir_fd=parent)
    except FileExistsError:
        return
    try:
        if model is not None:
            made = os.open(name, _FOLDER, dir_fd=parent)
            try:
                with like.folder(model) as original:
                    _make_alike(original, made)
            finally:
                os.close(made)
        os.fsync(parent)
    except BaseException:
        os.rmdir(name, dir_fd=parent)
        raise


def _make_alike(original: int, made: int) -> None:
    """Owner, attributes and mode are the same; the mode last, because setting an owner clears bits of it."""
    theirs, ours = os.fstat(original), os.fstat(made)
    if (theirs.st_uid, theirs.st_gid) != (ours.st_uid, ours.st_gid):
        os.fchown(made, theirs.st_uid, theirs.st_gid)
    present = set(os.listxattr(made))
    for attribute in os.listxattr(original):
        value = os.getxattr(original, attribute)
        if attribute not in present or os.getxattr(made, attribute) != value:
            os.setxattr(made, attribute, value)
    os.fchmod(made, stat.S_IMODE(theirs.st_mode))
