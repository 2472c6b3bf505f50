"""The record of a tombstone: which version of which key a plain reader saw before it was hidden.

S3's delete markers carry nothing, so a marker of ours looks like one of the customer's. The record is written before
the first marker, lies hidden under a marker of its own inside the place, and so goes with the place when it is erased.
Format: docs/formats/s3-tombstones.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from storage_adapters.contract import Objects, Prefix
from storage_adapters.errors import Refused
from storage_adapters.s3.entries import Entry, record_folder

FORMAT = "retention-tombstone/1"
KEY_LIMIT = 1024
"""The most bytes of a key."""


def record_key(name: str) -> str:
    """The key of the record of one object hidden by its name.

    It lies in the object's own folder, so that it belongs to every prefix that the object belongs to; for a folder too
    long for that, in the nearest one above that is short enough.
    """
    tail = f"o-{hashlib.sha256(name.encode()).hexdigest()}"
    folder = name[: name.rfind("/") + 1]
    while len((record_folder(folder) + tail).encode()) > KEY_LIMIT:
        folder = folder[: folder.rstrip("/").rfind("/") + 1] if "/" in folder.rstrip("/") else ""
    return record_folder(folder) + tail


def page_record_key(prefix: str, body: bytes) -> str:
    """The key of the record of a page of objects hidden under a prefix: the same page has the same key."""
    return f"{record_folder(prefix)}p-{hashlib.sha256(body).hexdigest()}"


def written(hidden: Sequence[Entry]) -> bytes:
    """The record of these live versions."""
    pairs = [[entry.key, entry.id] for entry in hidden]
    return json.dumps({"format": FORMAT, "hidden": pairs}, separators=(",", ":"), sort_keys=True).encode()


def read(store: str, place: Prefix | Objects, body: bytes) -> Mapping[str, str]:
    """The live version of each hidden key of the place. Raises Refused for what is no record.

    Whoever may write at the place may forge a record: keys outside the place are refused with the whole record.
    """
    try:
        record = json.loads(body)
        hidden = dict(record["hidden"])
        good = record["format"] == FORMAT and all(isinstance(text, str) for pair in hidden.items() for text in pair)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(store, "the record of a tombstone cannot be read") from error
    if not good or not all(_is_inside(place, key) for key in hidden):
        raise Refused(store, "the record of a tombstone does not belong to this place")
    return hidden


def _is_inside(place: Prefix | Objects, key: str) -> bool:
    match place:
        case Prefix(prefix):
            return key.startswith(prefix)
        case Objects(names):
            return key in names
