"""Rewriting a set: the new one is written beside the old, put in its place by a rename, and then the old one goes.

Beside the set stands `.retention-rewrite-…` with `new/` and, once the new one is whole and durable, the note `commit`.
Without the note the old set stands and the folder counts for nothing; with it the new one stands, and whoever comes
next brings it to its place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO

from storage_adapters.backups.folders.fences import Fences
from storage_adapters.backups.folders.ground import (
    OWNER_ONLY,
    Ground,
    Spot,
    folders_below,
    in_our_words,
    key_of,
    made_folders,
    read_note,
    remove_entry,
    set_mode,
    status_in,
    write_note,
)
from storage_adapters.backups.folders.moving import copy_entry
from storage_adapters.backups.layouts import HIDDEN
from storage_adapters.errors import Unavailable
from storage_adapters.files.names import parts_of
from storage_adapters.files.tree import Parts

_PREFIX = f"{HIDDEN}rewrite-"
_NEW = "new"
_OLD = "old"
_COMMIT = "commit"
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP})


class FolderRewriting:
    """A set being rewritten; see `Rewriting`. `old` is the copy that is read: the live one, else the newest."""

    def __init__(self, store: str, ground: Ground, name: str, old: Spot) -> None:
        self._store = store
        self._ground = ground
        self._name = name
        self._old = old
        self._fences = Fences(ground)
        self._before = self._signs()
        self._is_committed = False
        forget(ground, name)
        with _work(ground, name) as work:
            os.mkdir(_NEW, OWNER_ONLY, dir_fd=work)
            if old.is_folder:
                os.mkdir(f"{_NEW}/{old.leaf}", OWNER_ONLY, dir_fd=work)

    def keep(self, path: str) -> None:
        """Carry the file over with its time and mode: as a second link to it where the file system has those."""
        with in_our_words(self._store), ExitStack() as closed:
            is_fenced_file = not self._old.is_folder and self._is_fenced()  # asked before it is lifted
            closed.enter_context(self._fences.lifted(self._old, self._name))
            inner = self._inner(path)
            *folder, leaf = (*self._old.parts, *inner)
            here = closed.enter_context(self._old.tree.folder(tuple(folder)))
            if not stat.S_ISREG(os.stat(leaf, dir_fd=here, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, "no regular file")
            there, new_leaf = closed.enter_context(self._place(inner))
            try:
                if is_fenced_file:  # a link would share the mode that the fence takes away
                    raise OSError(errno.EXDEV, "not linked")
                os.link(leaf, new_leaf, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _CANNOT_LINK:
                    raise
                copy_entry(here, leaf, there, new_leaf)

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Write the file. It gets the time, the mode and, where we may, the owner of the old file of this path."""
        with in_our_words(self._store), self._place(self._inner(path)) as (there, leaf):
            like = dict(self._statuses()).get(path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            opened = os.open(leaf, flags, 0o600, dir_fd=there)
            try:
                with os.fdopen(opened, "wb") as stream:
                    yield stream
                    stream.flush()
                    _make_alike(opened, like)
                    os.fsync(opened)
            except BaseException:
                remove_entry(there, leaf)
                raise

    def commit(self) -> None:
        """As the contract says. Raises Unavailable where the old set was written to meanwhile. A second call does nothing."""
        if self._is_committed:
            return
        with in_our_words(self._store):
            if self._signs() != self._before:
                raise Unavailable(self._store, "the set was written to while it was rewritten")
            with _work(self._ground, self._name) as work:
                self._folders_alike(work)
                write_note(work, _COMMIT, self._name.encode(errors="surrogateescape"))
            self._is_committed = True
            finish(self._ground, self._name)

    def leave(self) -> None:
        """Nothing is left of a rewriting that was not committed."""
        if not self._is_committed:
            with in_our_words(self._store):
                forget(self._ground, self._name)

    def _is_fenced(self) -> bool:
        return not self._old.generation and self._fences.of(self._old, self._name) is not None

    def _inner(self, path: str) -> Parts:
        """The path's parts below the set's top entry; none where the set is one file."""
        inner = parts_of(path)
        if self._old.is_folder:
            return inner
        if inner != (self._old.leaf,):
            raise FileNotFoundError(errno.ENOENT, "a set that is one file has no others")
        return ()

    @contextmanager
    def _place(self, inner: Parts) -> Iterator[tuple[int, str]]:
        *folder, leaf = (self._old.leaf, *inner)
        with _work(self._ground, self._name) as work:
            there = made_folders(work, (_NEW, *folder))
        try:
            yield there, leaf
        finally:
            os.close(there)

    def _statuses(self) -> list[tuple[str, os.stat_result]]:
        with self._fences.lifted(self._old, self._name):
            return self._old.entries()

    def _signs(self) -> list[tuple[str, int, int]]:
        return [(path, status.st_size, status.st_mtime_ns) for path, status in self._statuses()]

    def _folders_alike(self, work: int) -> None:
        """Folders of the new set have the modes of the old one's, and all of it is durable."""
        fence = None if self._old.generation else self._fences.of(self._old, self._name)
        if not self._old.is_folder:
            with _opened(work, (_NEW,)) as new:
                if fence is not None and status_in(new, self._old.leaf) is not None:
                    set_mode(new, self._old.leaf, fence.mode)
                os.fsync(new)
            return
        with self._fences.lifted(self._old, self._name):
            top = self._old.status()
            folders = [((), top), *folders_below(self._old.tree, self._old.parts)]
        depth = len(self._old.parts)
        for parts, status in reversed(folders):
            inner = (_NEW, self._old.leaf, *parts[depth:])
            if status is None or not _is_there(work, inner):
                continue
            with _opened(work, inner) as made:
                is_top = not parts
                os.fsync(made)
                if os.geteuid() == 0:
                    os.fchown(made, status.st_uid, status.st_gid)
                os.fchmod(made, fence.mode if is_top and fence is not None else stat.S_IMODE(status.st_mode))
        with _opened(work, (_NEW,)) as new:
            os.fsync(new)


def finish(ground: Ground, name: str) -> None:
    """A committed rewriting is brought to its end. Does nothing where there is none."""
    spot = ground.spot(name)
    if not _is_begun(spot):
        return
    with _work(ground, name) as work:
        if status_in(work, _COMMIT) is None:
            return
        if _is_there(work, (_NEW, spot.leaf)):
            os.close(made_folders(work, (_OLD,)))
            _exchange(spot, work)
        remove_entry(work, _OLD)
        for old in [one for one in ground.spots(name) if one.generation]:
            old.remove()
        Fences(ground).drop(name)
    forget(ground, name)


def committed(ground: Ground, paths: Sequence[str]) -> list[str]:
    """The names of the sets whose committed rewritings are among these paths of the live folder."""
    names = []
    for path in paths:
        *above, folder, leaf = ("", *path.split("/"))
        if leaf == _COMMIT and folder.startswith(_PREFIX):
            with ground.live.folder((*above[1:], folder)) as here:
                note = read_note(here, leaf)
            names += [] if note is None else [note.decode(errors="surrogateescape")]
    return names


def forget(ground: Ground, name: str) -> None:
    """Nothing is left beside the set."""
    spot = ground.spot(name)
    try:
        with spot.above() as here:
            remove_entry(here, _folder_of(name))
    except (FileNotFoundError, NotADirectoryError):
        return


def _exchange(spot: Spot, work: int) -> None:
    """The old one is in `old/`, the new one at its place."""
    with spot.above() as here, _opened(work, (_OLD,)) as old, _opened(work, (_NEW,)) as new:
        status = status_in(here, spot.leaf)
        if status is not None:
            if stat.S_ISDIR(status.st_mode) and status.st_mode & OWNER_ONLY != OWNER_ONLY:
                set_mode(here, spot.leaf, OWNER_ONLY)  # only one who may write to a folder may move it
            os.rename(spot.leaf, spot.leaf, src_dir_fd=here, dst_dir_fd=old)
        os.rename(spot.leaf, spot.leaf, src_dir_fd=new, dst_dir_fd=here)
        os.fsync(here)


def _folder_of(name: str) -> str:
    return f"{_PREFIX}{key_of(name)}"


def _is_begun(spot: Spot) -> bool:
    name = "/".join(spot.parts) + ("/" if spot.is_folder else "")
    try:
        with spot.above() as here:
            return status_in(here, _folder_of(name)) is not None
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _work(ground: Ground, name: str) -> Iterator[int]:
    spot = ground.spot(name)
    above = made_folders(ground.live_descriptor, spot.parts[:-1], alike=True)  # gone since the set was moved away
    try:
        here = made_folders(above, (_folder_of(name),))
    finally:
        os.close(above)
    try:
        yield here
    finally:
        os.close(here)


@contextmanager
def _opened(work: int, parts: Parts) -> Iterator[int]:
    here = made_folders(work, parts)
    try:
        yield here
    finally:
        os.close(here)


def _is_there(work: int, parts: Parts) -> bool:
    try:
        os.stat(str(PurePosixPath(*parts)), dir_fd=work, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _make_alike(opened: int, like: os.stat_result | None) -> None:
    if like is None:
        return
    if os.geteuid() == 0:
        os.fchown(opened, like.st_uid, like.st_gid)
    os.fchmod(opened, stat.S_IMODE(like.st_mode) or 0o600)
    os.utime(opened, ns=(like.st_atime_ns, like.st_mtime_ns))
