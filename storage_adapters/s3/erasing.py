"""Removing everything at a place for good.

A listing is never read while its own items are removed: each pass lists to the end first, then removes, then the place
is listed again from the top, until nothing that can be removed is left.

The order inside a pass never lets a plain reader see more than before: superseded versions go first, then the latest
ones, then the delete markers. Where a version of a key has to stay (locked, refused, kept), what hides it stays too,
and if nothing hides it yet, a delete marker is put on top before the latest version goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from storage_adapters.contract import Batch, ItemKind, ItemOutcome, ItemResult, Keep
from storage_adapters.s3 import bucket, listing
from storage_adapters.s3.bucket import Versioning
from storage_adapters.s3.deleting import Deletion, Said
from storage_adapters.s3.entries import Entry, is_kept, is_record, item_name, item_of
from storage_adapters.s3.listing import Place
from storage_adapters.s3.locks import Lock, read_lock
from storage_adapters.s3.refusals import MAY_BE_LOCKED
from storage_adapters.s3.spool import Spool
from storage_adapters.s3.wire import Wire

PASSES = 4
HIDES_WHAT_REMAINS = "hides-what-remains"
LISTED_AGAIN = "listed-after-deletion"


class _Rounds:
    """The entries of one pass, in the order in which they go."""

    def __init__(self, stack: ExitStack) -> None:
        self.uploads, self.superseded, self.latest, self.markers, self.records, self.kept = (
            stack.enter_context(Spool()) for _ in range(6)
        )
        self._going = (self.uploads, self.superseded, self.latest, self.markers)

    def add(self, entry: Entry) -> None:
        if entry.kind is ItemKind.UPLOAD:
            self.uploads.add(entry)
        elif entry.kind is ItemKind.DELETE_MARKER:
            self.markers.add(entry)
        elif entry.latest:
            self.latest.add(entry)
        else:
            self.superseded.add(entry)

    @property
    def count(self) -> int:
        """How many entries go in this pass."""
        return sum(map(len, self._going))

    def everything(self) -> Iterator[list[Entry]]:
        """All that would go."""
        for spool in self._going:
            yield from spool.pages()


class Erasure:
    """One call of `erase`. Of what stays, keys and names are remembered as hashes only, so that millions may stay.

    Two different keys with one hash would make a marker stay that could go; nothing is ever removed by a hash.
    """

    def __init__(self, wire: Wire, pool: Executor, place: Place, keep: Keep | None) -> None:
        self._wire = wire
        self._pool = pool
        self._place = place
        self._keep = keep
        self._deletion = Deletion(wire, pool)
        self._versioning = Versioning.UNKNOWN
        self._settled: dict[int, ItemResult] = {}  # names whose last word is spoken: locked, refused, or hiding such
        self._stuck: dict[int, ItemResult] = {}  # keys of which a version stays, and why

    def run(self) -> Iterator[Batch]:
        """The outcomes, batch by batch. Where a later pass meets an item again, its last outcome counts."""
        for number in range(PASSES):
            with ExitStack() as stack:
                rounds = self._enumerated(stack)
                if number == 0:
                    yield from _reported(rounds.kept.pages(), ItemResult.KEPT, None)
                if not rounds.count:
                    return
                yield from self._carried_out(rounds)
        with ExitStack() as stack:
            yield from _reported(self._enumerated(stack).everything(), ItemResult.UNKNOWN, LISTED_AGAIN)

    def _enumerated(self, stack: ExitStack) -> _Rounds:
        rounds = _Rounds(stack)
        self._versioning = bucket.versioning(self._wire)
        self._stuck = {}
        for page in listing.versions(self._wire, self._place, self._versioning):
            for entry in page:
                self._sort(entry, rounds)
        for page in listing.uploads(self._wire, self._place):
            for entry in page:
                self._sort(entry, rounds)
        # What is kept may still have to be brought back: then the records of tombstones stay with it.
        keeps_something = len(rounds.kept) > 0
        for page in rounds.records.pages():
            for entry in page:
                rounds.kept.add(entry) if keeps_something else rounds.add(entry)
        return rounds

    def _sort(self, entry: Entry, rounds: _Rounds) -> None:
        settled = self._settled.get(_name_hash(entry)) if self._settled else None
        if settled is not None:
            self._note_stuck(entry, settled)
        elif self._keep is not None and is_record(entry.key):
            rounds.records.add(entry)
        elif is_kept(entry, self._keep):
            rounds.kept.add(entry)
            self._note_stuck(entry, ItemResult.KEPT)
        else:
            rounds.add(entry)

    def _carried_out(self, rounds: _Rounds) -> Iterator[Batch]:
        # Uploads first: one that is completed in the meantime would become a version.
        for page in rounds.uploads.pages():
            yield self._outcomes(page, self._deletion.abort(page))
        for page in rounds.superseded.pages():
            yield self._outcomes(page, self._deletion.remove(page))
        for page in rounds.latest.pages():
            yield self._latest_removed(page)
        for page in rounds.markers.pages():
            yield self._markers_removed(page)

    def _latest_removed(self, page: list[Entry]) -> Batch:
        said: dict[Entry, Said] = {}
        if self._versioning is Versioning.ENABLED:
            bare = [entry for entry in page if hash(entry.key) in self._stuck]
            covered = zip(bare, self._deletion.hide(bare), strict=True)
            said = {entry: one for entry, one in covered if one.result is not ItemResult.DONE}
        removable = [entry for entry in page if entry not in said]
        said |= zip(removable, self._deletion.remove(removable), strict=True)
        return self._outcomes(page, [said[entry] for entry in page])

    def _markers_removed(self, page: list[Entry]) -> Batch:
        said = {
            entry: Said(self._stuck[hash(entry.key)], HIDES_WHAT_REMAINS)
            for entry in page
            if hash(entry.key) in self._stuck
        }
        removable = [entry for entry in page if entry not in said]
        said |= zip(removable, self._deletion.remove(removable), strict=True)
        return self._outcomes(page, [said[entry] for entry in page])

    def _outcomes(self, page: Sequence[Entry], said: Sequence[Said]) -> Batch:
        """The page's outcomes, refusals told apart from locks; what stays is remembered."""
        locks = self._locks([entry for entry, one in zip(page, said, strict=True) if _may_be_locked(entry, one)])
        outcomes = []
        for entry, one in zip(page, said, strict=True):
            item, result = item_of(entry), one.result
            if (lock := locks.get(entry)) is not None:
                item, result = replace(item, lock=lock.name, locked_until=lock.until), ItemResult.LOCKED
            if result not in {ItemResult.DONE, ItemResult.ABSENT}:
                self._note_stuck(entry, result)
                if result is not ItemResult.UNKNOWN:
                    self._settled[_name_hash(entry)] = result
            outcomes.append(ItemOutcome(item, result, one.code))
        return tuple(outcomes)

    def _note_stuck(self, entry: Entry, result: ItemResult) -> None:
        if entry.kind in {ItemKind.VERSION, ItemKind.OBJECT}:
            self._stuck[hash(entry.key)] = result

    def _locks(self, entries: Sequence[Entry]) -> dict[Entry, Lock]:
        if not entries or not bucket.may_lock(self._wire):
            return {}
        found = zip(entries, self._pool.map(partial(read_lock, self._wire), entries), strict=True)
        return {entry: lock for entry, lock in found if lock is not None}


def _may_be_locked(entry: Entry, said: Said) -> bool:
    return entry.kind is ItemKind.VERSION and said.result is ItemResult.REFUSED and said.code in MAY_BE_LOCKED


def _name_hash(entry: Entry) -> int:
    return hash(item_name(entry.kind, entry.key, entry.id))


def _reported(pages: Iterator[list[Entry]], result: ItemResult, reason: str | None) -> Iterator[Batch]:
    for page in pages:
        yield tuple(ItemOutcome(item_of(entry), result, reason) for entry in page)
