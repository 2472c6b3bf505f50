"""Rewriting a set in a bucket: the new one is uploaded below a hidden prefix, then copied to its place.

Below `.retention-rewrite/<hash>/` lie `new/…` and, once all of it is uploaded, the note `commit`, which lists every version
that the old set had. Without the note the old set stands; with it the new one does, and whoever comes next finishes:
copies what is not at its place yet, removes the listed versions and the quarantined ones, lifts the fence, and then removes
the hidden prefix.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import BinaryIO, cast

from storage_adapters.backups.buckets.door import WRITTEN_AT, Door
from storage_adapters.backups.buckets.grounds import CONTENT, Found, Grounds, key_of
from storage_adapters.backups.buckets.moving import removed
from storage_adapters.backups.layouts import HIDDEN
from storage_adapters.contract import ItemKind
from storage_adapters.errors import NotFound, Refused, Unavailable
from storage_adapters.s3.bucket import Versioning
from storage_adapters.s3.entries import NULL_VERSION, Entry, written_at

FOLDER = f"{HIDDEN}rewrite/"
_MARK = "retention-rewrite"
_IN_MEMORY = 8 * 1024 * 1024


class BucketRewriting:
    """A set being rewritten; see `Rewriting`."""

    def __init__(self, grounds: Grounds, pool: Executor, found: Found) -> None:
        self._grounds = grounds
        self._pool = pool
        self._found = found
        self._files = grounds.current(found)
        self._new: dict[str, int] = {}
        self._mark = secrets.token_hex(16)
        self._is_committed = False
        forget(grounds, found.name)

    def keep(self, path: str) -> None:
        """Carry the file over, with when it was written."""
        if path not in self._files:
            raise NotFound(self._grounds.store, "the set has no such file")
        door, entry = self._files[path]
        with door.open(entry) as stream:
            self._upload(path, stream, entry.size)

    @contextmanager
    def write(self, path: str) -> Iterator[BinaryIO]:
        """Write the file. It carries when the old file of this path was written; gathered on disk until it is whole."""
        if not path or not (self._found.name.endswith("/") or self._found.name.rpartition("/")[2] == path):
            raise NotFound(self._grounds.store, "the set can have no such file")
        try:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as draft:
                yield cast(BinaryIO, draft)
                size = draft.tell()
                draft.seek(0)
                self._upload(path, cast(BinaryIO, draft), size)
        except OSError as error:
            raise Unavailable(self._grounds.store, "the file could not be gathered on disk") from error

    def commit(self) -> None:
        """As the contract says. Raises Unavailable where the old set was written to. A second call does nothing."""
        if self._is_committed:
            return
        name = self._found.name
        now = self._grounds.found(name)
        if (now.live, now.kept) != (self._found.live, self._found.kept):
            raise Unavailable(self._grounds.store, "the set was written to while it was rewritten")
        old = [[entry.kind.value, entry.key, entry.id, entry.latest] for entry in now.live]
        note = {"name": name, "mark": self._mark, "new": self._new, "old": old}
        self._grounds.live.write_note(_folder(name) + "commit", note)
        self._is_committed = True
        finish(self._grounds, self._pool, name)

    def leave(self) -> None:
        """Nothing is left of a rewriting that was not committed."""
        if not self._is_committed:
            forget(self._grounds, self._found.name)

    def _upload(self, path: str, stream: BinaryIO, size: int) -> None:
        metadata = {_MARK: self._mark}
        if path in self._files:
            door, entry = self._files[path]
            moment = door.head(entry, 1).written_at or written_at(entry)
            if moment is not None:
                metadata[WRITTEN_AT] = moment.isoformat()
        live = self._grounds.live
        with live.spoken():
            live.put(f"{_folder(self._found.name)}new/{path}", stream, size, metadata)
        self._new[path] = size


def finish(grounds: Grounds, pool: Executor, name: str) -> None:
    """A committed rewriting is brought to its end. Does nothing where there is none. Raises Refused where the old stays."""
    note = grounds.live.read_note(_folder(name) + "commit")
    if note is None:
        return
    mark, new = str(note["mark"]), cast("dict[str, int]", note["new"])
    live = grounds.live
    keys = {path: name + path if name.endswith("/") else name for path in new}
    for path, size in new.items():
        _placed(live, f"{_folder(name)}new/{path}", keys[path], size, mark)
    rows = cast("list[tuple[str, str, str | None, bool]]", note["old"])
    old = [Entry(ItemKind(kind), key, vid, latest=latest) for kind, key, vid, latest in rows]
    if live.versioning() is not Versioning.ENABLED:  # there the copy has replaced the version that has no id
        written = set(keys.values())
        old = [entry for entry in old if entry.key not in written or entry.id not in (None, NULL_VERSION)]
    if stays := removed(live, pool, old):
        raise Refused(grounds.store, f"not all of the old set could be removed ({stays})")
    if grounds.quarantine is not None:
        for number in reversed(grounds.generations(name)):
            _require_gone(grounds.quarantine, grounds.kept_prefix(name, number))
    grounds.fences.drop(name)
    forget(grounds, name)


def committed(door: Door) -> list[str]:
    """The names of the sets of which a committed rewriting was not finished."""
    notes = [entry.key for entry in door.entries(FOLDER) if entry.key.endswith("/commit") and entry.kind in CONTENT]
    read = [door.read_note(key) for key in dict.fromkeys(notes) if key.count("/") == 2]
    return [str(note["name"]) for note in read if note is not None]


def forget(grounds: Grounds, name: str) -> None:
    """Nothing is left below the hidden prefix of the set; the note goes last."""
    _require_gone(grounds.live, _folder(name) + "new/")
    _require_gone(grounds.live, _folder(name))


def _placed(live: Door, source: str, key: str, size: int, mark: str) -> None:
    there = live.metadata(key)
    if there is not None and there.get(_MARK) == mark:
        return
    metadata = live.metadata(source)
    if metadata is None:
        raise Refused(live.store, "a file of the new set is neither uploaded nor at its place")
    with live.spoken():
        live.copy(source, key, size, metadata)


def _require_gone(door: Door, prefix: str) -> None:
    if left := door.erase(prefix):
        raise Refused(door.store, f"what is left of a rewriting cannot be removed ({left[0][2]})")


def _folder(name: str) -> str:
    return f"{FOLDER}{key_of(name)}/"
