"""Folders of files as the two ends of a copy."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes

from storage_adapters.contract import PAGE_SIZE, Objects, Place, Prefix
from storage_adapters.copies.contract import BLOCK_SIZE, Arrived, Piece, checked_parts
from storage_adapters.copies.draft import Draft, is_draft
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.files.area import LIVE, Area, FilePlace
from storage_adapters.files.names import Found, parts_of
from storage_adapters.files.opening import file_errors, opened
from storage_adapters.files.tree import Parts

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe in a file's place must not block us
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class FolderSource:
    """The live files at a `Prefix` or of `Objects` below a root, under the contract of `CopySource`.

    One piece per regular file: links are neither followed nor copied, nor are special files, empty folders, hidden files
    and unfinished copies. A folder's files come before its folders, each by name; the cursor is the name from the root,
    percent-encoded. Of a prefix a piece's name is relative to it, of `Objects` it is the name from the root. A name that
    is no UTF-8 is decoded with `surrogateescape`.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def pieces(self, place: Place, after: str | None = None) -> Iterator[Piece]:
        """As the contract says; also raises Refused where a folder on the way is a link, or a name leads out."""
        own = _own(place)
        behind = () if after is None else _order(tuple(os.fsdecode(unquote_to_bytes(after)).split("/")))
        return self._pieces(own, behind)

    def read(self, place: Place, piece: Piece) -> Iterator[bytes] | None:
        """A file whose size or time of writing changes meanwhile, or that is replaced, is Unavailable at the end."""
        own = _own(place)
        name = own.prefix + piece.name if isinstance(own, Prefix) else piece.name
        if _cursor(name) != piece.cursor or (isinstance(own, Objects) and name not in own.names):
            raise ValueError("the piece is not of this place")
        with opened(self._name, self._root) as area:
            parts = parts_of(name)
            state = _state_at(area, parts)
        return None if state is None else self._blocks(parts, state)

    def close(self) -> None:
        """Nothing is held between calls. A second call does nothing."""

    def _pieces(self, own: FilePlace, behind: tuple[tuple[int, str], ...]) -> Iterator[Piece]:
        with opened(self._name, self._root) as area:
            above = len(parts_of(own.prefix)) if isinstance(own, Prefix) else 0
            listed = (found for found in area.found(_in_order(own), [LIVE]) if _is_behind(found, behind))
            while page := list(islice(listed, PAGE_SIZE)):
                for found, status in area.statuses(page):
                    if stat.S_ISREG(status.st_mode):
                        yield Piece("/".join(found.name.split("/")[above:]), _cursor(found.name))

    def _blocks(self, parts: Parts, state: tuple[int, ...]) -> Iterator[bytes]:
        with opened(self._name, self._root) as area, self._file(area, parts) as file:
            self._check(file, state)
            yield from iter(partial(file.read, BLOCK_SIZE), b"")
            self._check(file, state)

    def _check(self, file: BinaryIO, state: tuple[int, ...]) -> None:
        if _state(os.fstat(file.fileno())) != state:
            raise self._changed()

    @contextmanager
    def _file(self, area: Area, parts: Parts) -> Iterator[BinaryIO]:
        try:
            with area.tree(LIVE).folder(parts[:-1]) as here:
                descriptor = os.open(parts[-1], _FILE, dir_fd=here)
        except OSError as error:
            if error.errno in _GONE:
                raise self._changed() from error
            raise
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def _changed(self) -> Unavailable:
        return Unavailable(self._name, "the file was changed or removed while it was read")


class FolderTarget:
    """A root, under the contract of `CopyTarget`. Folders are made on the way, with the rights that the process's mask
    leaves; none is entered through a link."""

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def put(self, place: Prefix, name: str, content: Iterator[bytes], before_block: Callable[[], None]) -> Arrived:
        """Written beside its name, made durable, renamed, and read again. A link that has the name is replaced itself.

        Raises Refused too where a folder stands under the name, or a file or link where a folder should be.
        """
        checked_parts(self._name, name)
        with file_errors(self._name):
            parts = parts_of(place.prefix + name)
        if is_draft(parts[-1]):
            raise Refused(self._name, "the name is reserved for unfinished copies")
        draft = Draft(self._name, self._root, parts)
        try:
            for block in chain((next(content, b""),), content):
                before_block()
                draft.write(block)
            before_block()
            return Arrived(name, *draft.finish())
        except BaseException as error:
            draft.discard(error)
            raise
        finally:
            draft.close()

    def close(self) -> None:
        """Nothing is held between calls. A second call does nothing."""


def _own(place: Place) -> FilePlace:
    if not isinstance(place, Prefix | Objects):
        raise ValueError(f"a folder has prefixes and objects, not {type(place).__name__}")
    return place


def _in_order(own: FilePlace) -> FilePlace:
    if isinstance(own, Prefix):
        return own
    return Objects(tuple(sorted(own.names, key=lambda name: _order(tuple(name.split("/"))))))


def _order(parts: Parts) -> tuple[tuple[int, str], ...]:
    """Where a file stands in `Tree.walk`: in each folder the files, and then the folders."""
    return (*((1, folder) for folder in parts[:-1]), (0, parts[-1]))


def _is_behind(found: Found, behind: tuple[tuple[int, str], ...]) -> bool:
    leaf = found.entry.leaf
    return leaf is not None and not is_draft(leaf) and _order((*found.entry.folder, leaf)) > behind


def _cursor(name: str) -> str:
    return quote(os.fsencode(name))


def _state_at(area: Area, parts: Parts) -> tuple[int, ...] | None:
    try:
        with area.tree(LIVE).folder(parts[:-1]) as here:
            status = os.stat(parts[-1], dir_fd=here, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _state(status) if stat.S_ISREG(status.st_mode) else None


def _state(status: os.stat_result) -> tuple[int, ...]:
    """What changes when the file is written, replaced or removed."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
