"""What an item of a directory is called, and which names lead nowhere."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage_adapters.contract import Item, ItemKind
from storage_adapters.files.tree import Entry, Parts

TOMBSTONES = ".retention-tombstones"
"""The folder in the root below which hidden files lie, in numbered generations: `1/<name>`, `2/<name>` …

A name that is written anew and hidden again goes to a higher generation, so that the newest comes back.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadName(Exception):
    """The name cannot be one of a customer's files: it is absolute, climbs, or is reserved."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of the live tree (generation 0) or of a generation of hidden files."""

    generation: int
    entry: Entry

    @property
    def name(self) -> str:
        """The name from the root, with `/` at the end of a folder's."""
        above = (TOMBSTONES, str(self.generation)) if self.generation else ()
        last = self.entry.leaf or ""
        return "/".join((*above, *self.entry.folder, last))

    def item(self, status: os.stat_result | None = None) -> Item:
        """The item; its size is 0 and its time unknown where there is no status."""
        kind = ItemKind.TOMBSTONE if self.generation else ItemKind.OBJECT
        if status is None:
            return Item(kind, self.name)
        size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        return Item(kind, self.name, size, _instant(status.st_mtime_ns))


def parts_of(name: str) -> Parts:
    """The components of a relative name of a customer's file or folder (`/` at the end or not).

    Raises BadName where a component is empty, `.` or `..`, the name holds NUL or is absolute, no file system could
    store it, or it begins with the folder of the tombstones, in whatever case.
    """
    parts = _plain_parts(name)
    if parts[0].casefold() == TOMBSTONES:
        raise BadName("the name is reserved")
    return parts


def found_of(name: str) -> Found:
    """What an item's name means, hidden ones included. Raises BadName as `parts_of` does."""
    parts, generation = _plain_parts(name), 0
    if parts[0] == TOMBSTONES and len(parts) > 2 and parts[1].isascii() and parts[1].isdecimal():
        generation, parts = int(parts[1]), parts[2:]
    else:
        parts = parts_of(name)
    if name.endswith("/"):
        return Found(generation, Entry(parts, None, is_empty=True))
    return Found(generation, Entry(parts[:-1], parts[-1]))


def _plain_parts(name: str) -> Parts:
    parts = tuple(name.removesuffix("/").split("/"))
    if any(part in ("", ".", "..") for part in parts) or "\0" in name:
        raise BadName("the name is absolute, climbs or has an empty part")
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        raise BadName("the name cannot be stored") from None
    return parts


def _instant(nanoseconds: int) -> datetime | None:
    """Aware UTC, to the microsecond below; None for times that no calendar holds."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
    except OverflowError:
        return None
