"""Moving a set into the quarantine bucket: every version is copied, read back, and only then removed at its old place.

A journal in the quarantine bucket says how far it is. `copying`: the copies count for nothing. `copied`: they are whole
and read back, and the versions that it lists are being removed; whoever comes next goes on with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, BinaryIO, cast

from storage_adapters.backups.buckets.door import WRITTEN_AT, Door, digest_of
from storage_adapters.backups.buckets.grounds import CONTENT, Found, Grounds
from storage_adapters.contract import PAGE_SIZE, ItemKind, ItemResult
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.s3.bucket import Versioning
from storage_adapters.s3.deleting import Deletion
from storage_adapters.s3.entries import Entry, written_at

_SETTLED = frozenset({ItemResult.DONE, ItemResult.ABSENT})


def may_take(grounds: Grounds, found: Found) -> bool:
    """Whether the quarantine bucket can keep every version: without versions it keeps one of each key."""
    assert grounds.quarantine is not None
    keys = [entry.key for entry in found.live if entry.kind in CONTENT]
    return len(keys) == len(set(keys)) or grounds.quarantine.versioning() is Versioning.ENABLED


def into_quarantine(grounds: Grounds, pool: Executor, found: Found) -> None:
    """Every version of the set lies in quarantine and nowhere else.

    Raises Unavailable where the set was written to meanwhile, Refused where a lock has appeared since; nothing is lost.
    """
    quarantine, name = grounds.quarantine, found.name
    assert quarantine is not None
    generation = max(found.kept, default=0) + 1
    forget(grounds, name)
    note = {"state": "copying", "generation": generation}
    quarantine.write_note(grounds.journal(name), note)
    for entry in reversed(found.live):  # a key's oldest version first
        if entry.kind in CONTENT:
            key = grounds.kept_prefix(name, generation) + entry.key.removeprefix(name)
            _copied(grounds.live, entry, quarantine, key)
    if _signs(grounds.live.of_set(name)) != _signs(found.live):
        forget(grounds, name)
        raise Unavailable(grounds.store, "the set was written to while it was copied")
    old = [[entry.kind.value, entry.key, entry.id, entry.latest] for entry in found.live]
    quarantine.write_note(grounds.journal(name), {**note, "state": "copied", "old": old})
    finish(grounds, pool, name)


def finish(grounds: Grounds, pool: Executor, name: str) -> None:
    """A move that was killed after its copies were read back is finished. Does nothing where there is none.

    Raises Refused where a version cannot be removed at its old place; the copies stay.
    """
    quarantine = grounds.quarantine
    if quarantine is None:
        return
    note = quarantine.read_note(grounds.journal(name))
    if note is None or note["state"] != "copied":
        return
    old = [
        Entry(ItemKind(kind), key, vid, latest=latest)
        for kind, key, vid, latest in cast("list[tuple[str, str, str | None, bool]]", note["old"])
    ]
    stays = removed(grounds.live, pool, old)
    if stays:
        raise Refused(grounds.store, f"not all of the set could be removed at its old place ({stays})")
    quarantine.erase(grounds.journal(name))


def forget(grounds: Grounds, name: str) -> None:
    """Nothing is left of copies that were never finished, nor of the note of any move of the set."""
    if grounds.quarantine is None:
        return
    if (generation := grounds.unfinished(name)) is not None:
        _require_gone(grounds.quarantine, grounds.kept_prefix(name, generation))
    _require_gone(grounds.quarantine, grounds.journal(name))


def removed(door: Door, pool: Executor, entries: Sequence[Entry]) -> str | None:
    """Exactly these entries are removed, superseded versions first, markers last; None, or why one of them stays."""
    deletion = Deletion(door.wire, pool)
    deletion.abort([entry for entry in entries if entry.kind is ItemKind.UPLOAD])
    superseded = [entry for entry in entries if entry.kind in CONTENT and not entry.latest]
    latest = [entry for entry in entries if entry.kind in CONTENT and entry.latest]
    markers = [entry for entry in entries if entry.kind is ItemKind.DELETE_MARKER]
    for group in (superseded, latest, markers):
        for start in range(0, len(group), PAGE_SIZE):
            for said in deletion.remove(group[start : start + PAGE_SIZE]):
                if said.result not in _SETTLED:
                    return said.code or said.result
    return None


def _copied(source: Door, entry: Entry, target: Door, key: str) -> None:
    moment = written_at(entry)
    query: Any = {} if entry.id is None else {"VersionId": entry.id}
    with source.spoken(), target.spoken():
        answer = source.client.get_object(Bucket=source.settings.bucket, Key=entry.key, **query)
        metadata = dict(answer["Metadata"])
        if moment is not None:
            metadata.setdefault(WRITTEN_AT, moment.isoformat())
        with answer["Body"] as body:
            version, digest = target.put(key, cast(BinaryIO, body), entry.size, metadata)
    with target.open(Entry(ItemKind.VERSION, key, version)) as copy:
        if digest_of(copy) != digest:
            raise Unavailable(source.store, "a copy that was read back is not the original")


def _signs(entries: Sequence[Entry]) -> list[tuple[str, str, str | None, int, str]]:
    return [(entry.kind, entry.key, entry.id, entry.size, entry.written) for entry in entries]


def _require_gone(door: Door, prefix: str) -> None:
    if left := door.erase(prefix):
        raise Refused(door.store, f"what a move left in the quarantine bucket cannot be removed ({left[0][2]})")
