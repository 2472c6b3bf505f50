"""The two buckets of one store, and where in them the versions of a set lie.

What was moved lies in the quarantine bucket below `<store>/<generation>/<set>`; a set that was written anew under the
same name and quarantined again goes to the next generation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from storage_adapters.backups.buckets.door import Door
from storage_adapters.backups.buckets.fences import Fences
from storage_adapters.backups.contract import Lock
from storage_adapters.backups.layouts import HIDDEN
from storage_adapters.contract import ItemKind
from storage_adapters.errors import NotFound, Refused
from storage_adapters.s3 import S3Settings, answers, bucket
from storage_adapters.s3.entries import Entry
from storage_adapters.s3.locks import LEGAL_HOLD, is_over, read_lock
from storage_adapters.s3.refusals import DENIED, GONE, Declined
from storage_adapters.s3.wire import Request, Wire

CONTENT = frozenset({ItemKind.VERSION, ItemKind.OBJECT})


@dataclass(slots=True)
class Found:
    """The entries of one set: at its place, and in quarantine by generation (whole ones only)."""

    name: str
    live: list[Entry] = field(default_factory=list)
    kept: dict[int, list[Entry]] = field(default_factory=dict)
    is_fenced: bool = False

    @property
    def is_there(self) -> bool:
        """Whether any version or upload is left of it."""
        return any(
            entry.kind is not ItemKind.DELETE_MARKER
            for entries in (self.live, *self.kept.values())
            for entry in entries
        )


class Grounds:
    """The live bucket with the normal credentials, and what is there for quarantine."""

    def __init__(
        self, store: str, live: Door, quarantine: Door | None, reader: Door | None, principal: str | None
    ) -> None:
        """reader: the live bucket, entered with the credentials that a fence lets through."""
        self.store = store
        self.live = live
        self.quarantine = quarantine
        self.reader = reader
        self.fences = Fences(live, principal)

    @property
    def part(self) -> str:
        """The prefix of this store in the quarantine bucket."""
        return f"{self.store}/"

    def kept_prefix(self, name: str, generation: int) -> str:
        """Where a generation of the set lies in the quarantine bucket."""
        return f"{self.part}{generation}/{name}"

    def journal(self, name: str) -> str:
        """The key of the note of a move that is under way."""
        return f"{self.part}{HIDDEN}moving/{key_of(name)}"

    def found(self, name: str) -> Found:
        """The set as it lies there now."""
        if not name.strip("/") or name.startswith(HIDDEN) or f"/{HIDDEN}" in name:
            return Found(name)
        found = Found(name, [entry for entry in self.live.of_set(name) if not is_hidden(entry.key)])
        if self.quarantine is not None:
            unfinished = self.unfinished(name)
            for number in self.generations(name):
                if number != unfinished:
                    found.kept[number] = self.quarantine.of_set(self.kept_prefix(name, number))
        if found.is_there:
            found.is_fenced = name in self.fences.names()
        return found

    def generations(self, name: str) -> list[int]:
        """The generations in which something of the set lies, ascending; they follow one another."""
        numbers: list[int] = []
        while self.quarantine is not None and self.quarantine.of_set(self.kept_prefix(name, len(numbers) + 1)):
            numbers.append(len(numbers) + 1)
        return numbers

    def unfinished(self, name: str) -> int | None:
        """The generation that a killed move has left half copied; None where there is none."""
        assert self.quarantine is not None
        note = self.quarantine.read_note(self.journal(name))
        return int(str(note["generation"])) if note is not None and note["state"] == "copying" else None

    def door_of(self, found: Found, generation: int) -> Door:
        """The way in to read what lies there: with the quarantine's credentials where it is quarantined."""
        if generation:
            assert self.quarantine is not None
            return self.quarantine
        return self.reader if found.is_fenced and self.reader is not None else self.live

    def current(self, found: Found) -> dict[str, tuple[Door, Entry]]:
        """The newest version of each file by its path in the set, also where a delete marker hides it."""
        files: dict[str, tuple[Door, Entry]] = {}
        for generation, entries in sorted(found.kept.items()):
            files |= self._newest(found, generation, entries)
        files |= self._newest(found, 0, found.live)
        return dict(sorted(files.items()))

    def locks(self, found: Found) -> list[Lock]:
        """What locks any version of the set, strictest last. Raises Refused where that may not be read."""
        locks: set[Lock] = set()
        for generation, entries in [(0, found.live), *found.kept.items()]:
            door = self.quarantine if generation else self.live
            assert door is not None
            if any(entry.kind in CONTENT for entry in entries) and bucket.may_lock(door.wire):
                for entry in entries:
                    if entry.kind in CONTENT and (lock := self._lock(found, generation, door.wire, entry)) is not None:
                        locks.add(lock)
        return sorted(
            locks, key=lambda lock: (lock.until is None, lock.until or datetime.min.replace(tzinfo=UTC), lock.kind)
        )

    def _newest(self, found: Found, generation: int, entries: list[Entry]) -> Iterator[tuple[str, tuple[Door, Entry]]]:
        start = self.kept_prefix(found.name, generation) if generation else found.name
        door = self.door_of(found, generation)
        for entry in reversed(entries):  # the newest of a key comes last, and stands
            path = entry.key.removeprefix(start) if found.name.endswith("/") else entry.key.rpartition("/")[2]
            if entry.kind in CONTENT and path and not path.endswith("/"):
                yield path, (door, entry)

    def _lock(self, found: Found, generation: int, wire: Wire, entry: Entry) -> Lock | None:
        fenced = found.is_fenced and not generation
        if fenced and self.reader is not None:
            wire = self.reader.wire
        said = read_lock(wire, entry)
        if said is not None:
            return Lock(said.name, said.until)
        return _lock_by_its_own_call(self.live.wire, entry) if fenced and _is_denied(wire, entry) else None


def is_hidden(key: str) -> bool:
    """Whether the key is one of our own."""
    return key.startswith(HIDDEN) or f"/{HIDDEN}" in key


def key_of(name: str) -> str:
    """What stands for a set's name in a key and does not tell it."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]


def with_credentials_of(settings: S3Settings, other: S3Settings) -> S3Settings:
    """The first bucket, entered with the credentials of the second."""
    return replace(
        settings, access_key=other.access_key, secret_key=other.secret_key, session_token=other.session_token
    )


def _is_denied(wire: Wire, entry: Entry) -> bool:
    query = () if entry.id is None else (("versionId", entry.id),)
    try:
        wire.ask(Request("HEAD", entry.key, query), lambda _: None)
    except Declined as declined:
        return declined.code in DENIED
    return False


def _lock_by_its_own_call(wire: Wire, entry: Entry) -> Lock | None:
    """The lock of a version whose head a fence refuses to everyone.

    Source: Amazon S3 API reference, "GetObjectLegalHold", "GetObjectRetention".
    """
    version = () if entry.id is None else (("versionId", entry.id),)
    hold, _ = _asked(wire, Request("GET", entry.key, (("legal-hold", None), *version)), "LegalHold")
    if hold is not None and hold.text("Status") == "ON":
        return Lock(LEGAL_HOLD)
    kept, headers = _asked(wire, Request("GET", entry.key, (("retention", None), *version)), "Retention")
    if kept is None or not (mode := kept.text("Mode")):
        return None
    until = datetime.fromisoformat(kept.text("RetainUntilDate") or "")
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
    return None if is_over(until, headers) else Lock(mode.lower(), until)


def _asked(wire: Wire, request: Request, root: str) -> tuple[answers.Document | None, Mapping[str, str]]:
    """What the store says, and the headers that it says it with; None where there is no such thing."""
    try:
        return wire.ask(request, lambda answer: (answers.Document(answer.body, root), answer.headers))
    except Declined as declined:
        if declined.code in GONE or declined.code.startswith("NoSuch"):
            return None, {}
        raise Refused(wire.store, f"the lock of a fenced set may not be read ({declined.code})") from declined


def require(found: Found, store: str) -> None:
    """Raises NotFound where nothing is left of the set."""
    if not found.is_there:
        raise NotFound(store, "there is no such set (any more)")
