"""Trying to read a set with the credentials of ordinary readers: at its old place, and in the quarantine bucket."""

from __future__ import annotations

from collections.abc import Sequence

from storage_adapters.backups.buckets.grounds import CONTENT, Found, Grounds
from storage_adapters.backups.contract import ReadAttempt
from storage_adapters.contract import ItemKind
from storage_adapters.errors import NotFound
from storage_adapters.s3.entries import Entry
from storage_adapters.s3.refusals import DENIED, GONE, Declined
from storage_adapters.s3.wire import Request, Wire

TRIES = 50
"""How many versions of a set are tried at each place: a policy speaks of prefixes, so they answer alike."""

_ABSENT = GONE | {"NoSuchBucket", "MethodNotAllowed"}  # the last: a delete marker
_UNKNOWN_HERE = DENIED | {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
_READ = "200"


def try_reading(grounds: Grounds, normal_there: Wire | None, found: Found) -> ReadAttempt:
    """GetObject of the first byte, by key and by version, at both places; refused where each attempt was.

    normal_there: the quarantine bucket, entered with the normal credentials.
    """
    live = [entry for entry in found.live if entry.kind in CONTENT][:TRIES]
    old = [_answer(grounds.live.wire, entry) for entry in live]
    keys = {entry.key for entry in live}
    kept: list[str] = []
    for generation, entries in found.kept.items():
        start = grounds.kept_prefix(found.name, generation)
        some = [entry for entry in entries if entry.kind in CONTENT][:TRIES]
        keys |= {found.name + entry.key.removeprefix(start) for entry in some}
        assert normal_there is not None
        kept += [_answer(normal_there, one) for entry in some for one in (entry, entry._replace(id=None))]
    old += [_answer(grounds.live.wire, Entry(ItemKind.OBJECT, key, None)) for key in sorted(keys)]
    is_refused = not set(old) - _UNKNOWN_HERE - _ABSENT and not set(kept) - _UNKNOWN_HERE
    how = f"old place: GetObject: {_in_words(old)}"
    return ReadAttempt(is_refused, f"{how}; quarantine bucket: GetObject: {_in_words(kept)}" if kept else how)


def _answer(wire: Wire, entry: Entry) -> str:
    query = () if entry.id is None else (("versionId", entry.id),)
    try:
        return wire.ask(Request("GET", entry.key, query, (("Range", "bytes=0-0"),), limit=1), lambda _: _READ)
    except Declined as declined:
        return _READ if declined.code == "InvalidRange" else declined.code  # an empty object was let out
    except NotFound:
        return "NoSuchBucket"


def _in_words(said: Sequence[str]) -> str:
    return ", ".join(sorted(set(said))) or "nothing there"
