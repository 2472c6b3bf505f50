"""`FileStore`: what lies below a directory, as objects that can be hidden, brought back and removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

from storage_adapters.contract import (
    PAGE_SIZE,
    Batch,
    Capabilities,
    Keep,
    Objects,
    Page,
    Place,
    Prefix,
)
from storage_adapters.errors import OutcomeUnknown
from storage_adapters.files.area import LIVE, Area, FilePlace, roots_of
from storage_adapters.files.changes import (
    HIDE,
    SHOW,
    Change,
    changed_files,
    changed_folders,
    code_of,
    erasing,
)
from storage_adapters.files.names import Found, found_of
from storage_adapters.files.opening import opened
from storage_adapters.files.second_look import second_look

_NOTES = (
    "Removal unlinks: on copy-on-write file systems, snapshots and flash media the bytes may stay in the medium, so "
    "only sealed data whose key is shredded is beyond recovery.",
    "A file with further hard links keeps its bytes under the other names; its outcome says hard-link.",
    "The time of writing is the file's modification time, which its owner can set.",
    "Hidden files lie in the root under .retention-tombstones, which no other user may enter; a reader who runs as the "
    "same user, or as root, can.",
    "A folder that was hidden comes back with its mode, owner and attributes, but not with its modification time; "
    "where this service's user cannot set them, what lies in it is not hidden.",
)


class FileStore:
    """The directory `root` as a store of objects named by their relative paths; places are prefixes and objects.

    Links are items themselves: listed, hidden and removed as links, never followed. An empty folder is an item too,
    named with `/` at its end, because its name may be data. A folder on the way that is a link refuses the whole
    place: what an application sees behind it would be missed. Names are any bytes but NUL and `/`.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """The sheet of any directory. Raises NotFound where the root is missing."""
        with self._area():
            return Capabilities(
                tombstone=True,
                hides_superseded=False,
                tells_written_at=True,
                verifies_independently=True,
                notes=_NOTES,
            )

    def survey(self, place: Place) -> Iterator[Page]:
        """Every file, link and empty folder at the place, then the hidden ones, oldest first."""
        wanted = self._checked(place)
        with self._area() as area:
            everything = area.found(wanted, (LIVE, *area.generations()))
            yield from _items(area, (found for found in everything if _is_item(found)))

    def remains(self, place: Place) -> Iterator[Page]:
        """The same by the system library's walk; raises Refused too where folders are nested too deeply for it."""
        wanted = self._checked(place)
        with self._area() as area:
            yield from _items(area, second_look(area, wanted))

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """What is at the place is moved, without a copy, under the folder of tombstones; emptied folders follow."""
        wanted = self._checked(place)
        with self._area() as area:
            listed = list(area.found(wanted, [LIVE]))
            yield from self._changed(area, listed, HIDE)

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """What is hidden is moved back to its name, the newest first; `REFUSED` where something new stands."""
        wanted = self._checked(place)
        with self._area() as area:
            generations = area.generations()
            listed = list(area.found(wanted, reversed(generations)))
            yield from self._changed(area, listed, SHOW)
            _tidy(area, wanted, generations)

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """Every file at the place is unlinked, live and hidden, and a prefix's folders removed. Durable per batch."""
        wanted = self._checked(place)
        with self._area() as area:
            generations = area.generations()
            listed = list(area.found(wanted, (LIVE, *generations)))
            yield from self._changed(area, listed, erasing(keep))
            _tidy(area, wanted, generations)

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """The first bytes of each file; of a link its own target; nothing of folders and special files."""
        with self._area() as area:
            for name in names:
                yield name, _head(area, found_of(name), length)

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Nothing: a directory has no schema."""
        return ()

    def close(self) -> None:
        """Nothing is held between calls. A second call does nothing."""

    # ------------------------------------------------------------------------------ errors

    def _checked(self, place: Place) -> FilePlace:
        if not isinstance(place, Prefix | Objects):
            raise ValueError(f"{self._name} has no place of this kind: {type(place).__name__}")
        return place

    def _area(self) -> AbstractContextManager[Area]:
        return opened(self._name, self._root)

    # ------------------------------------------------------------------------------ batches

    def _changed(self, area: Area, listed: list[Found], change: Change) -> Iterator[Batch]:
        """Files by pages first, then folders, the deepest first; each batch durable when it is yielded."""
        for page in _pages(found for found in listed if found.entry.leaf is not None):
            outcomes = tuple(changed_files(area, page, change))
            self._sync(area)
            yield outcomes
        for page in _pages(found for found in reversed(listed) if found.entry.leaf is None):
            outcomes = tuple(changed_folders(area, page, change))
            self._sync(area)
            if outcomes:
                yield outcomes

    def _sync(self, area: Area) -> None:
        try:
            area.sync()
        except OSError as error:
            raise OutcomeUnknown(self._name, f"durability: the file system says {code_of(error)}") from error


# ---------------------------------------------------------------------------------------------- pages, heads


def _pages(found: Iterable[Found]) -> Iterator[list[Found]]:
    rest = iter(found)
    while page := list(islice(rest, PAGE_SIZE)):
        yield page


def _items(area: Area, found: Iterable[Found]) -> Iterator[Page]:
    for page in _pages(found):
        items = tuple(one.item(status) for one, status in area.statuses(page))
        if items:
            yield items


def _is_item(found: Found) -> bool:
    return found.entry.leaf is not None or found.entry.is_empty


def _tidy(area: Area, place: FilePlace, generations: list[int]) -> None:
    for generation in generations:
        for folder in roots_of(place):
            area.tidy(generation, folder)


def _head(area: Area, found: Found, length: int) -> bytes | None:
    leaf = found.entry.leaf
    try:
        with area.tree(found.generation).folder(found.entry.folder) as here:
            return b"" if leaf is None else _head_in(here, leaf, length)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _head_in(here: int, leaf: str, length: int) -> bytes:
    status = os.stat(leaf, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return os.fsencode(os.readlink(leaf, dir_fd=here))[:length]
    if not stat.S_ISREG(status.st_mode):
        return b""
    # a pipe that takes the file's place this moment must not block us
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(leaf, flags, dir_fd=here), "rb") as file:
        return file.read(length)
