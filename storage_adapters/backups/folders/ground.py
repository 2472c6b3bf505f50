"""The folders of one store, opened, and the spots in them at which copies of a set lie.

Every name is entered component by component and never through a link; see `storage_adapters.files.tree`. Numbered
generations below the quarantine folder hold what was moved there: `<store>/1/<set>`, and `<store>/2/<set>` where a set
of the same name was written anew and quarantined again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storage_adapters.backups.contract import Lock
from storage_adapters.backups.folders.flags import lock_on
from storage_adapters.backups.layouts import HIDDEN
from storage_adapters.errors import NotFound, Refused, StoreError, Unavailable
from storage_adapters.files.names import BadName, parts_of
from storage_adapters.files.tree import Parts, Tree

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OWNER_ONLY = 0o700
_PASSES = 4
_STAYS = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EBUSY, errno.EROFS})
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE})


@dataclass(frozen=True, slots=True)
class Spot:
    """One place at which a set lies or may lie. `is_folder` is what the set's name says of it."""

    tree: Tree
    parts: Parts
    is_folder: bool
    generation: int = 0  # 0: the live folder

    @property
    def leaf(self) -> str:
        """The last component."""
        return self.parts[-1]

    @contextmanager
    def above(self) -> Iterator[int]:
        """A descriptor of the folder that the set is an entry of."""
        with self.tree.folder(self.parts[:-1]) as here:
            yield here

    def status(self) -> os.stat_result | None:
        """What the system says of the set's top entry; None where there is none of its kind."""
        try:
            with self.above() as here:
                status = os.stat(self.leaf, dir_fd=here, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return status if stat.S_ISDIR(status.st_mode) == self.is_folder else None

    def entries(self) -> list[tuple[str, os.stat_result]]:
        """Every entry of the set that is no folder, with its path in the set, by path. Without our own."""
        if not self.is_folder:
            status = self.status()
            return [] if status is None else [(self.leaf, status)]
        found = entries_below(self.tree, self.parts)
        return sorted(("/".join(parts[len(self.parts) :]), status) for parts, status in found)

    def open(self, path: str) -> int:
        """A descriptor of a regular file of the set. Raises FileNotFoundError, or OSError with ELOOP for no such file."""
        inner = parts_of(path)
        if not self.is_folder:
            if inner != (self.leaf,):
                raise FileNotFoundError(errno.ENOENT, "not in the set")
            inner = ()
        *folder, leaf = (*self.parts, *inner)
        with self.tree.folder(tuple(folder)) as here:
            opened = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise OSError(errno.ELOOP, "no regular file")
        return opened

    def locks(self) -> list[Lock]:
        """What keeps anything of the set from being removed, each kind once."""
        found: set[Lock | None] = set()
        inner = _walk(self.tree, self.parts, (), True) if self.is_folder else ()
        for parts in [self.parts, *(parts for parts, _, _ in inner)]:
            try:
                with self.tree.folder(parts[:-1]) as here:
                    found |= {lock_on(here, parts[-1]), lock_on(here, ".")}
            except (FileNotFoundError, NotADirectoryError):
                continue  # it vanished since it was listed
        return sorted((lock for lock in found if lock is not None), key=lambda lock: lock.kind)

    def remove(self) -> bool:
        """The spot is empty; whether it is. False where something new keeps coming. Raises OSError for what stays."""
        for _ in range(_PASSES):
            if (status := self.status()) is None:
                return True
            with self.above() as here:
                if not self.is_folder:
                    _unlink(self.leaf, here)
                else:
                    _remove_tree(here, self.leaf, status)
                os.fsync(here)
        return self.status() is None


class Ground:
    """The live folder and, where there is one, the store's part of the quarantine folder, both opened."""

    def __init__(self, live: int, quarantine: int | None = None, wrong_quarantine: str | None = None) -> None:
        """The descriptors, and what is wrong with the quarantine folder, if anything is."""
        self.live = Tree(live)
        self.live_descriptor = live
        self.quarantine_descriptor = quarantine
        self.wrong_quarantine = wrong_quarantine
        self.kept: frozenset[Parts] = frozenset()  # folders of the live one that stay when they are empty

    def clear_above(self, spot: Spot) -> None:
        """Folders above the spot that are empty now are gone: their names may tell whose the set was.

        Never the store's own folder, a generation's, or one in which a layout says that sets lie. A folder that somebody
        writes into at this moment, or that may not be removed, stays.
        """
        for depth in range(len(spot.parts) - 1, 0, -1):
            parts = spot.parts[:depth]
            if not spot.generation and parts in self.kept:
                return
            try:
                with spot.tree.folder(parts[:-1]) as here:
                    os.rmdir(parts[-1], dir_fd=here)
                    os.fsync(here)
            except (FileNotFoundError, NotADirectoryError):
                continue  # somebody else has removed it; what is above it may be empty now
            except OSError as error:
                if error.errno in _STAYS:
                    return
                raise

    def spot(self, name: str, generation: int = 0) -> Spot:
        """The spot of a set. Raises BadName for a name that leads elsewhere."""
        if generation and self.quarantine_descriptor is not None:
            tree = Tree(self.quarantine_descriptor, (str(generation),))
        else:
            tree = self.live
        parts = parts_of(name)
        if any(part.startswith(HIDDEN) for part in parts):
            raise BadName("the name is reserved")
        return Spot(tree, parts, name.endswith("/"), generation)

    def spots(self, name: str) -> list[Spot]:
        """Where the set lies now: the live spot first, then in quarantine from the newest."""
        every = [self.spot(name), *(self.spot(name, number) for number in reversed(self.generations()))]
        return [spot for spot in every if spot.status() is not None]

    def generations(self) -> list[int]:
        """The numbers of the generations in quarantine, ascending."""
        if self.quarantine_descriptor is None:
            return []
        names = os.listdir(self.quarantine_descriptor)  # noqa: PTH208 - a descriptor
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def key_of(name: str) -> str:
    """A plain file name that stands for a set's name and does not tell it."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def entries_below(
    tree: Tree, top: Parts, skipped: Collection[Parts] = (), *, hidden: bool = False
) -> Iterator[tuple[Parts, os.stat_result]]:
    """Every entry below the folder that is no folder, with its parts from the tree's root. Vanished ones are left out."""
    for parts, status, is_folder in _walk(tree, top, skipped, hidden):
        if not is_folder:
            yield parts, status


def folders_below(tree: Tree, top: Parts) -> Iterator[tuple[Parts, os.stat_result]]:
    """Every folder below the folder, a folder before those in it."""
    for parts, status, is_folder in _walk(tree, top, (), True):
        if is_folder:
            yield parts, status


def _walk(
    tree: Tree, top: Parts, skipped: Collection[Parts], hidden: bool
) -> Iterator[tuple[Parts, os.stat_result, bool]]:
    pending = [top]
    while pending:
        folder = pending.pop()
        found = []
        try:
            with tree.folder(folder) as here:
                for leaf in sorted(os.listdir(here)):  # noqa: PTH208 - a descriptor
                    parts = (*folder, leaf)
                    if parts in skipped or (leaf.startswith(HIDDEN) and not hidden):
                        continue
                    if (status := status_in(here, leaf)) is not None:
                        found.append((parts, status, stat.S_ISDIR(status.st_mode)))
        except (FileNotFoundError, NotADirectoryError):
            continue  # never there, or gone since its parent was read
        yield from found
        pending.extend(parts for parts, _, is_folder in reversed(found) if is_folder)


def status_in(here: int, leaf: str) -> os.stat_result | None:
    """What the system says of an entry; None where there is none."""
    try:
        return os.stat(leaf, dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return None


def set_mode(here: int, leaf: str, mode: int) -> None:
    """The entry, which is no link, has this mode; works on one that its owner may not read."""
    held = os.open(leaf, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    try:
        if stat.S_ISLNK(os.fstat(held).st_mode):
            raise OSError(errno.ELOOP, "a link has no mode")
        os.chmod(f"/proc/self/fd/{held}", mode)  # noqa: PTH101 - a descriptor, so that nobody swaps the entry
    finally:
        os.close(held)


def remove_entry(here: int, leaf: str) -> None:
    """The entry and everything below it are gone, if it was there. Links are not followed."""
    status = status_in(here, leaf)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        _remove_tree(here, leaf, status)
    else:
        _unlink(leaf, here)


def _remove_tree(here: int, leaf: str, status: os.stat_result) -> None:
    """Remove a folder and what is in it. A folder of our own that we may not enter is opened to us first."""
    if status.st_mode & OWNER_ONLY != OWNER_ONLY and status.st_uid == os.geteuid():
        set_mode(here, leaf, OWNER_ONLY)
    opened = os.open(leaf, FOLDER_FLAGS, dir_fd=here)
    try:
        for inner in os.listdir(opened):  # noqa: PTH208 - a descriptor
            remove_entry(opened, inner)
    finally:
        os.close(opened)
    try:
        os.rmdir(leaf, dir_fd=here)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise  # something new has been written into it: the next pass sees it


def _unlink(leaf: str, here: int) -> None:
    try:
        os.unlink(leaf, dir_fd=here)
    except FileNotFoundError:
        return


def made_folders(descriptor: int, parts: Parts, *, alike: bool = False) -> int:
    """A descriptor of the folder, made where need be. The caller closes it.

    Only its owner may enter what is made; with `alike`, whoever may enter the folder above it.
    """
    here = os.dup(descriptor)
    for part in parts:
        try:
            is_new = status_in(here, part) is None
            if is_new:
                os.mkdir(part, OWNER_ONLY, dir_fd=here)
                os.fsync(here)
            deeper = os.open(part, FOLDER_FLAGS, dir_fd=here)
            if is_new and alike:
                above = os.fstat(here)
                if os.geteuid() == 0:
                    os.fchown(deeper, above.st_uid, above.st_gid)
                os.fchmod(deeper, stat.S_IMODE(above.st_mode))
        except FileExistsError:
            deeper = os.open(part, FOLDER_FLAGS, dir_fd=here)  # somebody else made it just now
        finally:
            os.close(here)
        here = deeper
    return here


def write_note(here: int, leaf: str, content: bytes) -> None:
    """A small file of our own holds `content`, durably, whole or not at all."""
    draft = f"{HIDDEN}draft-{leaf.removeprefix(HIDDEN)}"
    opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=here)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(opened, view) :]
        os.fsync(opened)
    finally:
        os.close(opened)
    os.rename(draft, leaf, src_dir_fd=here, dst_dir_fd=here)
    os.fsync(here)


def read_note(here: int, leaf: str) -> bytes | None:
    """The content of a small file of our own; None where there is none."""
    try:
        opened = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    except FileNotFoundError:
        return None
    with os.fdopen(opened, "rb") as stream:
        return stream.read()


def translated(store: str, error: OSError) -> StoreError:
    """The error in the contract's words; no path is in it."""
    word = errno.errorcode.get(error.errno or 0, "an unknown error")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return NotFound(store, "it is not there (any more)")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(store, f"the disk is full ({word})")
    if error.errno in _PASSING:
        return Unavailable(store, f"the file system said {word}")
    return Refused(store, f"the file system said {word}")


@contextmanager
def in_our_words(store: str) -> Iterator[None]:
    """What the system says inside the block is raised as a `StoreError`; a bad name as NotFound."""
    try:
        yield
    except BadName as error:
        raise NotFound(store, f"there is no such name: {error}") from error
    except OSError as error:
        raise translated(store, error) from error
