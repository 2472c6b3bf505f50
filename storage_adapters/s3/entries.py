"""What a bucket holds, and how one piece of it is named in an `Item`.

A name is the object's key, and then `?versionId=…` or `?uploadId=…`, the id percent-encoded where it holds
`?` or `%` itself. An object of a
bucket that never had versions is named by its key alone, unless that key itself ends like a version or an upload; then
`?versionId=null` follows. So every name reads back to exactly one key and id, whatever the key is made of.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, unquote

from storage_adapters.contract import Item, ItemKind, Keep

_NAME = re.compile(r"(?P<key>.*)\?(?P<what>versionId|uploadId)=(?P<id>[^?]*)", re.DOTALL)
_RECORD_FOLDER = ".retention-tombstones/"
_RECORD = re.compile(r"(?:.*/)?\.retention-tombstones/[op]-[0-9a-f]{64}", re.DOTALL)

NULL_VERSION = "null"


class Entry(NamedTuple):
    """One line of a listing. A tuple, because a purge handles millions and spools them to disk.

    kind: OBJECT, VERSION, DELETE_MARKER or UPLOAD, as the listing says. id: the version or upload, None for OBJECT.
    written: ISO 8601 as the store wrote it, "" where it said nothing. latest: what a plain reader of the key meets.
    """

    kind: ItemKind
    key: str
    id: str | None
    size: int = 0
    written: str = ""
    latest: bool = True


def item_name(kind: ItemKind, key: str, entry_id: str | None) -> str:
    """The unique name of a piece of the bucket; see the module's docstring."""
    if entry_id is None:
        return f"{key}?versionId={NULL_VERSION}" if _NAME.fullmatch(key) else key
    what = "uploadId" if kind is ItemKind.UPLOAD else "versionId"
    if "?" in entry_id or "%" in entry_id:
        entry_id = quote(entry_id, safe="")
    return f"{key}?{what}={entry_id}"


def parse_name(name: str) -> Entry:
    """The entry that a name stands for: kind, key and id; size and time are not part of a name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return Entry(ItemKind.OBJECT, name, None)
    kind = ItemKind.UPLOAD if match["what"] == "uploadId" else ItemKind.VERSION
    return Entry(kind, match["key"], unquote(match["id"]))


def written_at(entry: Entry) -> datetime | None:
    """The time of writing in UTC; None where the store told none, or none that can be read."""
    try:
        moment = datetime.fromisoformat(entry.written)
    except ValueError:
        return None
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def item_of(entry: Entry) -> Item:
    """The entry as the contract's `Item`, without its lock.

    The record of a tombstone has no content of the customer's: it counts as DELETE_MARKER, with the markers it explains.
    """
    kind = ItemKind.DELETE_MARKER if is_record(entry.key) else entry.kind
    return Item(kind, item_name(entry.kind, entry.key, entry.id), entry.size, written_at(entry))


def is_kept(entry: Entry, keep: Keep | None) -> bool:
    """Whether `keep` protects the entry.

    S3 tells whole seconds, rounded down: an entry counts as written at the end of its second, so that what was written
    at or after the given instant is never taken for older.
    """
    if keep is None:
        return False
    moment = written_at(entry)
    if moment is None:
        return True
    if moment.microsecond == 0:
        return moment.timestamp() + 1 > keep.written_from.timestamp()
    return moment >= keep.written_from


def is_record(key: str) -> bool:
    """Whether the key is that of a tombstone's record; see docs/formats/s3-tombstones.md."""
    return _RECORD_FOLDER in key and _RECORD.fullmatch(key) is not None


def record_folder(folder: str) -> str:
    """The prefix under which the records of a folder's tombstones lie."""
    return folder + _RECORD_FOLDER
