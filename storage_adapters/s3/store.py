"""The S3 adapter: one bucket as a `Store`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from storage_adapters.contract import (
    PAGE_SIZE,
    Batch,
    Capabilities,
    Item,
    ItemKind,
    Keep,
    Objects,
    Page,
    Place,
    Prefix,
)
from storage_adapters.s3 import bucket, listing
from storage_adapters.s3.entries import Entry, item_of, parse_name
from storage_adapters.s3.erasing import Erasure
from storage_adapters.s3.locks import read_lock
from storage_adapters.s3.refusals import GONE, Declined
from storage_adapters.s3.settings import S3Settings
from storage_adapters.s3.tombstones import Tombstones
from storage_adapters.s3.wire import Request, Wire


class S3Store:
    """One bucket of Amazon S3 or of a store that speaks like it; places are `Prefix` and `Objects`. Thread-safe.

    Items are versions, delete markers and multipart uploads; plain objects on a bucket that never had versions.
    `tombstone` puts delete markers and needs versioning; `erase` removes every version by its id. On a bucket without
    versions an object that is overwritten between the listing and its removal is lost with the old one, because
    S3-compatible stores do not keep conditional deletes.
    """

    def __init__(self, name: str, settings: S3Settings) -> None:
        """A store that connects when it is first asked. Raises Refused where the AWS configuration cannot be read.

        Credentials that are missing are noticed by the first question, with Refused.
        """
        self._name = name
        self._wire = Wire(name, settings)
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix=f"s3-{name}")

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """The capability sheet, read from the bucket's configuration; what may not be read becomes a note."""
        return bucket.capabilities(self._wire)

    def survey(self, place: Place) -> Iterator[Page]:
        """Every version, delete marker and upload; with its lock, where the bucket has Object Lock (a HEAD for each)."""
        return self._surveyed(_own(place))

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """Put a delete marker on every object that a plain reader sees. Raises Refused without enabled versioning."""
        return Tombstones(self._wire, self._pool, _own(place)).put()

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """Remove the delete markers of `tombstone`, and no other. `written-since` says that something new stands there.

        A version that was erased meanwhile is ABSENT.
        """
        return Tombstones(self._wire, self._pool, _own(place)).remove()

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """Remove every version, marker and upload, and list again until nothing removable is left.

        Where a later pass meets an item again, its last outcome counts. A marker over a version that has to stay stays
        too (`hides-what-remains`).
        """
        return Erasure(self._wire, self._pool, _own(place), keep).run()

    def remains(self, place: Place) -> Iterator[Page]:
        """What the listings of versions, of objects and of uploads find, each asked anew, without duplicates."""
        return self._remaining(_own(place))

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """The first `length` bytes of each version; b"" for an empty one, None for what is gone or has no bytes.

        Raises Refused for an archived object, ValueError for a length below 1 or more than 1,000 names.
        """
        if length < 1 or len(names) > PAGE_SIZE:
            raise ValueError("at least one byte of at most 1,000 items")
        return zip(names, self._pool.map(partial(self._head, length), names), strict=True)

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Nothing: a bucket has no schema."""
        return ()

    def close(self) -> None:
        """Release connections and threads. A second call does nothing."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    def _surveyed(self, own: Prefix | Objects) -> Iterator[Page]:
        may_lock = bucket.may_lock(self._wire)
        for page in listing.versions(self._wire, own, bucket.versioning(self._wire)):
            yield self._items(page, may_lock)
        for page in listing.uploads(self._wire, own):
            yield self._items(page, may_lock)

    def _remaining(self, own: Prefix | Objects) -> Iterator[Page]:
        may_lock = bucket.may_lock(self._wire)
        seen: set[int] = set()
        for page in listing.versions(self._wire, own, bucket.versioning(self._wire)):
            seen.update(hash(entry.key) for entry in page if entry.latest and entry.kind is not ItemKind.DELETE_MARKER)
            yield self._items(page, may_lock)
        for page in listing.objects(self._wire, own):
            unseen = [entry for entry in page if hash(entry.key) not in seen]
            if unseen:
                yield self._items(unseen, may_lock)
        for page in listing.uploads(self._wire, own):
            yield self._items(page, may_lock)

    def _items(self, page: Sequence[Entry], may_lock: bool) -> Page:
        if not may_lock:
            return tuple(map(item_of, page))
        return tuple(self._pool.map(self._locked_item, page))

    def _locked_item(self, entry: Entry) -> Item:
        item = item_of(entry)
        lock = read_lock(self._wire, entry) if entry.kind in {ItemKind.VERSION, ItemKind.OBJECT} else None
        return item if lock is None else replace(item, lock=lock.name, locked_until=lock.until)

    def _head(self, length: int, name: str) -> bytes | None:
        entry = parse_name(name)
        if entry.kind is ItemKind.UPLOAD:
            return None
        query = () if entry.id is None else (("versionId", entry.id),)
        ask = Request("GET", entry.key, query, (("Range", f"bytes=0-{length - 1}"),), limit=length)
        try:
            return self._wire.ask(ask, lambda answer: answer.body)
        except Declined as declined:
            if declined.code in GONE or declined.code == "MethodNotAllowed":  # the latter: a delete marker
                return None
            if declined.code == "InvalidRange":
                return b""
            raise


def _own(place: Place) -> Prefix | Objects:
    """The place, if it is one that a bucket has; else ValueError."""
    match place:
        case Prefix(prefix):
            prefix.encode()
            return place
        case Objects(names):
            if not all(names):
                raise ValueError("an object has a name that is not empty")
            "".join(names).encode()
            return place
        case _:
            raise ValueError(f"a bucket has prefixes and objects, not {type(place).__name__}")
