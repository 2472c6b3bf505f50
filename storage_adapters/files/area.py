"""The two sides of a root directory: the live tree, and the generations of hidden files below it."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from storage_adapters.contract import Objects, Prefix
from storage_adapters.files.moving import move
from storage_adapters.files.names import TOMBSTONES, Found, found_of, parts_of
from storage_adapters.files.tree import Entry, Parts, Tree

LIVE = 0
_ATTEMPTS = 20

FilePlace = Prefix | Objects


class Area:
    """One open root during one call: where things are, and how one thing is moved between the two sides.

    `touched` collects the folders whose entries have changed since the last `sync`.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self.touched: set[tuple[int, Parts]] = set()

    def tree(self, generation: int) -> Tree:
        """The live tree, or a generation of hidden files, there or not."""
        return Tree(self._root, (TOMBSTONES, str(generation)) if generation != LIVE else ())

    def generations(self) -> list[int]:
        """The generations of hidden files that exist, oldest first; empty where nothing was ever hidden."""
        try:
            with Tree(self._root).folder((TOMBSTONES,)) as here, os.scandir(here) as entries:
                return sorted(int(entry.name) for entry in entries if re.fullmatch("[1-9][0-9]*", entry.name))
        except FileNotFoundError:
            return []

    def found(self, place: FilePlace, generations: Iterable[int]) -> Iterator[Found]:
        """Every entry at the place, and every folder at and below a prefix, in these generations, one after another.

        Raises BadName where the place is none, OSError where a folder cannot be read or is a link.
        """
        for generation in generations:
            match place:
                case Prefix(prefix):
                    entries = self.tree(generation).walk(parts_of(prefix))
                case Objects(names):
                    entries = (entry for name in dict.fromkeys(names) for entry in self._picked(generation, name))
            yield from (Found(generation, entry) for entry in entries)

    def statuses(self, page: Iterable[Found]) -> Iterator[tuple[Found, os.stat_result]]:
        """What is still there of the page, each with its status; links are not followed."""
        for (generation, folder), group in groupby(page, key=lambda one: (one.generation, one.entry.folder)):
            try:
                with self.tree(generation).folder(folder) as here:
                    yield from _statuses_in(here, group)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone since it was listed

    def hide(self, here: int, found: Found) -> None:
        """The live entry is in the lowest generation above every one that has its name. Raises OSError, not moved."""
        folder, leaf = found.entry.folder, found.entry.leaf or ""
        for _ in range(_ATTEMPTS):
            generation = self._free_generation(folder, leaf)
            try:
                if self._moved(here, found, LIVE, generation):
                    return
            except (FileExistsError, NotADirectoryError):
                continue  # somebody else hides at this moment
        raise OSError(errno.EBUSY, "somebody else hides here at this moment")

    def show(self, here: int, found: Found) -> None:
        """The hidden entry is live again. Raises FileExistsError or NotADirectoryError where something new stands.

        Other OSErrors likewise mean that nothing was moved.
        """
        for _ in range(_ATTEMPTS):
            if self._moved(here, found, found.generation, LIVE):
                return
        raise OSError(errno.EBUSY, "the folder is removed again and again")

    def _moved(self, here: int, found: Found, source: int, destination: int) -> bool:
        """Whether the entry was moved; not where its new folder was tidied away between its making and the move."""
        folder, leaf = found.entry.folder, found.entry.leaf or ""
        try:
            with self.tree(destination).made_folder(folder, like=self.tree(source)) as there:
                move(here, there, leaf)
        except FileNotFoundError:
            os.stat(leaf, dir_fd=here, follow_symlinks=False)  # raises where it is the entry that is gone
            return False
        except OSError:
            if destination != LIVE:
                self.tidy(destination, folder)  # an empty folder made for it would be found as hidden
            raise
        self.touched |= {(source, folder), (destination, folder)}
        return True

    def hide_folder(self, folder: Parts) -> None:
        """The empty live folder is hidden, with its mode, owner and attributes. Raises OSError."""
        generations = self.generations()
        for generation in (*generations, max(generations, default=0) + 1):
            try:
                with self.tree(generation).made_folder(folder, like=self.tree(LIVE)):
                    self.touched.add((generation, folder[:-1]))
            except NotADirectoryError:
                continue  # a file of that name is hidden there
            self.remove_folder(LIVE, folder)
            return

    def show_folder(self, generation: int, folder: Parts) -> None:
        """The hidden empty folder is live again. Raises NotADirectoryError where a file stands in its stead, OSError."""
        with self.tree(LIVE).made_folder(folder, like=self.tree(generation)):
            self.touched.add((LIVE, folder[:-1]))
        self.remove_folder(generation, folder)

    def remove_folder(self, generation: int, folder: Parts) -> None:
        """The empty folder is gone. Raises OSError where it is not there or not empty."""
        self.tree(generation).remove_folder(folder)
        self.touched.add((generation, folder[:-1]))

    def tidy(self, generation: int, folder: Parts) -> None:
        """No empty folder is left of those that hiding has made, from this one up to the folder of tombstones."""
        path = (TOMBSTONES, str(generation), *folder)
        for depth in range(len(path), 0, -1):
            try:
                Tree(self._root).remove_folder(path[:depth])
            except FileNotFoundError:
                continue  # gone already; the one above may be empty now
            except OSError:
                return  # something is hidden in it still, and so in all above it

    def sync(self) -> None:
        """Every change so far is durable. Raises OSError where the system cannot say so."""
        for generation, folder in self.touched:
            self.tree(generation).sync(folder)
        self.touched.clear()

    def _picked(self, generation: int, name: str) -> Iterator[Entry]:
        parts_of(name)
        entry = found_of(name).entry
        if entry.leaf is None:
            folder = next(self.tree(generation).walk(entry.folder), None)
            if folder is not None and folder.is_empty:
                yield folder
            return
        for _, status in self.statuses([Found(generation, entry)]):
            if not stat.S_ISDIR(status.st_mode):
                yield entry

    def _free_generation(self, folder: Parts, leaf: str) -> int:
        for generation in reversed(self.generations()):
            try:
                with self.tree(generation).folder(folder) as here:
                    os.stat(leaf, dir_fd=here, follow_symlinks=False)
            except FileNotFoundError:
                continue  # not hidden in this generation
            except NotADirectoryError:
                return generation + 1  # a file of a folder's name is hidden there
            return generation + 1
        return 1


def _statuses_in(here: int, group: Iterable[Found]) -> Iterator[tuple[Found, os.stat_result]]:
    for found in group:
        try:
            leaf = found.entry.leaf
            yield found, os.fstat(here) if leaf is None else os.stat(leaf, dir_fd=here, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
                raise


def roots_of(place: FilePlace) -> Sequence[Parts]:
    """The folders of the place: a prefix's own, or those in which the objects lie."""
    match place:
        case Prefix(prefix):
            return [parts_of(prefix)]
        case Objects(names):
            return list(dict.fromkeys(parts_of(name)[:-1] for name in names))
