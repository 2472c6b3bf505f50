"""Hiding what is at a place behind delete markers, and bringing exactly that back.

Only a bucket with versioning enabled can do it. Before the first marker of a page is put, a record of the versions it
hides is stored at the place (see `records`). To bring back, the markers that lie above a recorded version are removed;
what the customer had deleted before is in no record and stays deleted. Hiding twice, or a marker put twice because an
answer was lost, does no harm: every marker above the recorded version goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import takewhile

from storage_adapters.contract import PAGE_SIZE, Batch, ItemKind, ItemOutcome, ItemResult, Objects, Prefix
from storage_adapters.errors import Refused
from storage_adapters.s3 import bucket, listing, records
from storage_adapters.s3.bucket import Versioning
from storage_adapters.s3.deleting import DONE, Deletion, Said
from storage_adapters.s3.entries import Entry, is_record, item_of, record_folder
from storage_adapters.s3.listing import Place
from storage_adapters.s3.spool import Spool
from storage_adapters.s3.wire import Request, Wire

WRITTEN_SINCE = "written-since"
ORDER_UNKNOWN = "order-unknown"

_RECORDS_AT_ONCE = 50
_SETTLED = {ItemResult.DONE, ItemResult.ABSENT}


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What has to happen to one hidden version: the markers above it go, or it stays as it is for a reason."""

    live: Entry
    markers: tuple[Entry, ...] = ()
    said: Said = DONE


class Tombstones:
    """The tombstones of one place. Thread-safe."""

    def __init__(self, wire: Wire, pool: Executor, place: Place) -> None:
        self._wire = wire
        self._pool = pool
        self._place = place
        self._deletion = Deletion(wire, pool)

    # ------------------------------------------------------------------------------------------------ hide

    def put(self) -> Iterator[Batch]:
        """Put a delete marker on every object that a plain reader sees. Raises Refused without enabled versioning."""
        with Spool() as visible, Spool() as stray:
            for page in listing.versions(self._wire, self._place, self._enabled()):
                for entry in page:
                    if entry.latest and entry.kind is ItemKind.VERSION:
                        (stray if is_record(entry.key) else visible).add(entry)
            for page in stray.pages():  # records that a crash left in sight
                self._deletion.hide(page)
            size = PAGE_SIZE - 1 if isinstance(self._place, Prefix) else PAGE_SIZE // 2
            for page in visible.pages(size):
                yield self._hidden(page)

    def _enabled(self) -> Versioning:
        """The status, which is enabled: anywhere else a plain delete would destroy what it should hide."""
        status = bucket.versioning(self._wire)
        if status is not Versioning.ENABLED:
            raise Refused(self._wire.store, f"nothing can be hidden: versioning is {status}")
        return status

    def _hidden(self, page: list[Entry]) -> Batch:
        kept = self._recorded(page)
        self._enabled()
        said = self._deletion.hide([*page, *kept])
        return tuple(ItemOutcome(item_of(entry), one.result, one.code) for entry, one in zip(page, said, strict=False))

    def _recorded(self, page: list[Entry]) -> list[Entry]:
        """Store the records of a page and return their entries, which are to be hidden with it."""
        if isinstance(self._place, Prefix):
            body = records.written(page)
            bodies = {records.page_record_key(self._place.prefix, body): body}
        else:
            bodies = {records.record_key(entry.key): records.written([entry]) for entry in page}
        for key in bodies:
            if len(key.encode()) > records.KEY_LIMIT:
                raise Refused(self._wire.store, "the prefix is too long for the record of a tombstone")
        list(self._pool.map(self._stored, bodies.items()))
        return [Entry(ItemKind.VERSION, key, None) for key in bodies]

    def _stored(self, record: tuple[str, bytes]) -> None:
        key, body = record
        self._wire.ask(Request("PUT", key, headers=(("Content-Type", "application/json"),), body=body), lambda _: None)

    # ------------------------------------------------------------------------------------------------ bring back

    def remove(self) -> Iterator[Batch]:
        """Bring back every recorded version that nothing newer has replaced, then drop its record."""
        found = self._records()
        newest_first = sorted(found, key=lambda key: max(entry.written for entry in found[key]), reverse=True)
        settled: set[int] = set()  # hashes of the keys that a newer record has dealt with
        for start in range(0, len(newest_first), _RECORDS_AT_ONCE):
            chunk = {key: found[key] for key in newest_first[start : start + _RECORDS_AT_ONCE]}
            hidden = self._read_records(chunk)
            open_keys = {key: versions for key, versions in hidden.items() if hash(key) not in settled}
            settled.update(map(hash, open_keys))
            may_drop = True
            for verdicts in _in_batches(self._verdicts(open_keys)):
                batch = self._brought_back(verdicts)
                may_drop = may_drop and all(_is_final(outcome) for outcome in batch)
                yield batch
            if may_drop:
                self._dropped(chunk, void=bool(hidden))

    def _records(self) -> dict[str, list[Entry]]:
        """Every version and marker of this place's own records, by key, newest version first."""
        status = bucket.versioning(self._wire)
        if isinstance(self._place, Prefix):
            start = record_folder(self._place.prefix) + "p-"
            pages = listing.versions(self._wire, Prefix(record_folder(self._place.prefix)), status)
        else:
            start = ""
            pages = listing.versions(self._wire, self._place, status)
        found: dict[str, list[Entry]] = {}
        for page in pages:
            for entry in page:
                if is_record(entry.key) and entry.key.startswith(start) and entry.id is not None:
                    found.setdefault(entry.key, []).append(entry)
        return found

    def _read_records(self, chunk: dict[str, list[Entry]]) -> dict[str, set[str]]:
        """The recorded versions of each hidden key; several where it was written and hidden again."""
        versions = ([entry for entry in entries if entry.kind is ItemKind.VERSION] for entries in chunk.values())
        newest = [record[0] for record in versions if record]
        hidden: dict[str, set[str]] = {}
        for record in self._pool.map(self._read_record, newest):
            for key, version in record.items():
                hidden.setdefault(key, set()).add(version)
        return hidden

    def _read_record(self, entry: Entry) -> dict[str, str]:
        request = Request("GET", entry.key, (("versionId", entry.id),))
        body = self._wire.ask(request, lambda answer: answer.body)
        return dict(records.read(self._wire.store, self._place, body))

    def _verdicts(self, hidden: dict[str, set[str]]) -> list[_Verdict]:
        """What has to happen to each hidden version that a plain reader does not see already."""
        if not hidden:
            return []
        verdicts = []
        gone = dict(hidden)
        place = self._place if isinstance(self._place, Prefix) else Objects(tuple(hidden))
        for stack in _stacks(listing.versions(self._wire, place, Versioning.ENABLED), frozenset(hidden)):
            verdicts.append(_judged(stack, hidden[stack[0].key]))
            gone.pop(stack[0].key, None)
        verdicts += [_gone(key, versions) for key, versions in gone.items()]
        return [verdict for verdict in verdicts if verdict is not None]

    def _brought_back(self, verdicts: Sequence[_Verdict]) -> Batch:
        markers = [marker for verdict in verdicts for marker in verdict.markers]
        said: dict[Entry, Said] = {}
        for start in range(0, len(markers), PAGE_SIZE):
            page = markers[start : start + PAGE_SIZE]
            said |= zip(page, self._deletion.remove(page), strict=True)
        outcomes = []
        for verdict in verdicts:
            failed = [said[marker] for marker in verdict.markers if said[marker].result not in _SETTLED]
            one = failed[0] if failed else verdict.said
            outcomes.append(ItemOutcome(item_of(verdict.live), one.result, one.code))
        return tuple(outcomes)

    def _dropped(self, chunk: dict[str, list[Entry]], void: bool) -> None:
        """Erase the records, what they hide before what hides them.

        One that is locked (a default retention of the bucket) is overwritten by an empty one instead, so that it never
        brings back what the customer deletes later.
        """
        entries = [entry for record in chunk.values() for entry in record]
        stuck = set()
        for kind in (ItemKind.VERSION, ItemKind.DELETE_MARKER):
            page = [entry for entry in entries if entry.kind is kind and entry.key not in stuck]
            for start in range(0, len(page), PAGE_SIZE):
                part = page[start : start + PAGE_SIZE]
                answers = zip(part, self._deletion.remove(part), strict=True)
                stuck |= {entry.key for entry, one in answers if one.result not in _SETTLED}
        if stuck and void:
            empty = records.written([])
            list(self._pool.map(self._stored, [(key, empty) for key in sorted(stuck)]))
            self._deletion.hide([Entry(ItemKind.VERSION, key, None) for key in sorted(stuck)])


def _is_final(outcome: ItemOutcome) -> bool:
    """Whether another try to bring this back would be of no use."""
    return outcome.result in _SETTLED or outcome.reason == WRITTEN_SINCE


def _stacks(pages: Iterator[list[Entry]], wanted: frozenset[str]) -> Iterator[list[Entry]]:
    """All entries of each wanted key, newest first. The last key of a page may go on in the next one.

    The last is the greatest where versions and markers are listed apart, and the last met where names were asked one by one.
    """
    growing: dict[str, list[Entry]] = {}
    for page in pages:
        for entry in page:
            if entry.key in wanted:
                growing.setdefault(entry.key, []).append(entry)
        unfinished = {max(entry.key for entry in page), page[-1].key}
        for key in [key for key in growing if key not in unfinished]:
            yield _newest_first(growing.pop(key))
    for stack in growing.values():
        yield _newest_first(stack)


def _newest_first(stack: list[Entry]) -> list[Entry]:
    """The document's order, which is the store's; by time for stores that list versions and markers apart."""
    if stack[0].latest:
        return stack
    return sorted(stack, key=lambda entry: (entry.latest, entry.written), reverse=True)


def _judged(stack: list[Entry], recorded: set[str]) -> _Verdict | None:
    """What to do about a hidden key, given its stack; None where a recorded version is in sight."""
    versions = [entry for entry in stack if entry.kind is ItemKind.VERSION]
    hidden = next((entry for entry in versions if entry.id in recorded), None)
    if hidden is None:
        return _gone(stack[0].key, recorded)
    if not stack[0].latest:
        return _Verdict(hidden, said=Said(ItemResult.REFUSED, ORDER_UNKNOWN))
    if hidden is not versions[0]:
        return _Verdict(hidden, said=Said(ItemResult.REFUSED, WRITTEN_SINCE))
    above = tuple(takewhile(lambda entry: entry is not hidden, stack))
    return _Verdict(hidden, above) if above else None


def _gone(key: str, recorded: set[str]) -> _Verdict:
    return _Verdict(Entry(ItemKind.VERSION, key, min(recorded)), said=Said(ItemResult.ABSENT))


def _in_batches(verdicts: list[_Verdict]) -> Iterator[list[_Verdict]]:
    for start in range(0, len(verdicts), PAGE_SIZE):
        yield verdicts[start : start + PAGE_SIZE]
