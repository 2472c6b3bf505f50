"""An S3 bucket as a store of backup sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO

from storage_adapters.backups.buckets import moving, rewriting
from storage_adapters.backups.buckets.door import Door, Head
from storage_adapters.backups.buckets.grounds import CONTENT, Found, Grounds, is_hidden, require, with_credentials_of
from storage_adapters.backups.buckets.rewriting import BucketRewriting
from storage_adapters.backups.buckets.trying import try_reading
from storage_adapters.backups.contract import (
    BackupCapabilities,
    BackupSet,
    Deletion,
    Form,
    Lock,
    ReadAttempt,
    Rewriting,
    SetFile,
    SetLayout,
    Whereabouts,
)
from storage_adapters.backups.forms import HEAD_LENGTH, recognise
from storage_adapters.backups.layouts import Naming
from storage_adapters.contract import ItemKind, ItemResult
from storage_adapters.errors import NotFound, Refused
from storage_adapters.s3 import S3Settings, bucket
from storage_adapters.s3.answers import Document
from storage_adapters.s3.entries import Entry, written_at
from storage_adapters.s3.refusals import Declined
from storage_adapters.s3.wire import Request, Wire


class BucketBackups:
    """Backup sets in a bucket: all versions of the objects below a prefix, or of one object. Thread-safe.

    A set whose objects are only hidden by delete markers is still a set; its files are the newest version of each.
    """

    def __init__(
        self,
        name: str,
        settings: S3Settings,
        quarantine: S3Settings | None = None,
        quarantine_principal: str | None = None,
    ) -> None:
        """A store that connects when it is first asked. Raises Refused where the AWS configuration cannot be read.

        settings: the bucket, with the credentials of its ordinary readers, which may also list, delete and set policies.
        quarantine: a bucket to move sets to, with credentials of its own; where it names the same bucket, nothing is
        moved, and the credentials read what is fenced. quarantine_principal: the ARN of who has those credentials.
        """
        self._name = name
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix=f"backups-{name}")
        self._changes = threading.RLock()
        live = Door(name, settings)
        is_other = quarantine is not None and (quarantine.bucket, quarantine.endpoint) != (
            settings.bucket,
            settings.endpoint,
        )
        there = Door(name, quarantine) if quarantine is not None and is_other else None
        reader = None
        if quarantine is not None and quarantine_principal is not None:
            reader = Door(name, with_credentials_of(settings, quarantine))
        self._normal_there: Wire | None = None
        if quarantine is not None and is_other:
            self._normal_there = Wire(name, with_credentials_of(quarantine, settings))
        self._grounds = Grounds(name, live, there, reader, quarantine_principal)

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> BackupCapabilities:
        """The capability sheet; the notes are those of the bucket, and what its locks make impossible."""
        grounds = self._grounds
        notes = list(bucket.capabilities(grounds.live.wire).notes)
        ways = [Whereabouts.FENCED]
        if grounds.quarantine is not None and _locks_what_is_new(grounds.quarantine):
            notes.append("The quarantine bucket locks what is new: nothing is moved there, sets are fenced.")
        elif grounds.quarantine is not None:
            ways.insert(0, Whereabouts.MOVED)
        if grounds.reader is None:
            notes.append("Nobody is let through a fence: a fenced set cannot be looked into, restored or rewritten.")
        rewrites = not _locks_what_is_new(grounds.live)
        if not rewrites:
            notes.append("The bucket locks what is new: sets cannot be rewritten.")
        return BackupCapabilities(tuple(ways), reads=True, rewrites=rewrites, notes=tuple(notes))

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """As the contract says, from one listing of all versions of each bucket, and one GET for each version's head."""
        naming = Naming(layouts, claimed)
        grounds = self._grounds
        with self._changes:
            for name in rewriting.committed(grounds.live):
                rewriting.finish(grounds, self._pool, name)
        found: dict[str, Found] = {}
        for entry in grounds.live.entries(""):
            if (owner := naming.set_of(entry.key)) is not None:
                found.setdefault(owner, Found(owner)).live.append(entry)
        for generation, key, entry in self._quarantined():
            if (owner := naming.set_of(key)) is not None:
                found.setdefault(owner, Found(owner)).kept.setdefault(generation, []).append(entry)
        fenced = grounds.fences.names() if found else set()
        for name in sorted(found):
            one = found[name]
            if one.kept and grounds.unfinished(name) in one.kept:
                one.kept.pop(grounds.unfinished(name) or 0)
            one.is_fenced = name in fenced
            if one.is_there and (said := self._looked_at(one)) is not None:
                yield said

    def find(self, name: str) -> BackupSet | None:
        """As the contract says. What a killed change left is finished first."""
        found = self._found(name)
        return self._looked_at(found) if found.is_there else None

    def files(self, name: str) -> Iterator[SetFile]:
        """The newest version of each file, also where a delete marker hides it; in place before in quarantine."""
        yield from (file for file, _ in self._contents(self._required(name), HEAD_LENGTH))

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """As the contract says. Raises ValueError for a length below 1, Refused for what may not be read."""
        if length < 1:
            raise ValueError("at least one byte")
        for file, head in self._contents(self._required(name), max(length, HEAD_LENGTH)):
            if not head.is_read:
                raise Refused(self._name, "a file of the set may not be read")
            yield file, head.content[:length]

    @contextmanager
    def open(self, name: str, path: str) -> Iterator[BinaryIO]:
        """As the contract says: streamed, with the quarantine's credentials where it is quarantined."""
        current = self._grounds.current(self._required(name))
        if path not in current:
            raise NotFound(self._name, "the set has no such file")
        door, entry = current[path]
        with door.open(entry) as stream:
            yield stream

    def delete(self, name: str) -> Deletion:
        """Remove every version, marker and upload at the place and in quarantine, and look again; lift the fence.

        LOCKED by Object Lock, with every lock; a GOVERNANCE lock is none where the settings bypass it.
        """
        with self._changes:
            found = self._found(name)
            if not found.is_there and not found.live:
                return Deletion(ItemResult.ABSENT)
            locks = tuple(lock for lock in self._grounds.locks(found) if not self._may_bypass(lock))
            if locks:
                return Deletion(ItemResult.LOCKED, locks)
            return self._deleted(found)

    def quarantine(self, name: str) -> Whereabouts:
        """As the contract says. Raises Refused where the policy is full or may not be set, or a move cannot be finished."""
        grounds = self._grounds
        with self._changes:
            found = self._required(name)
            if found.live and found.is_fenced:
                return Whereabouts.FENCED
            if not _content(found.live):
                return Whereabouts.MOVED
            if self._can_move(found):
                moving.into_quarantine(grounds, self._pool, found)
                return Whereabouts.MOVED
            self._tagged(found)
            grounds.fences.put(name)
            return Whereabouts.FENCED

    def try_reading(self, name: str) -> ReadAttempt:
        """GetObject with the normal credentials, by key and by version, at the old place and in the quarantine bucket."""
        return try_reading(self._grounds, self._normal_there, self._required(name))

    @contextmanager
    def rewrite(self, name: str) -> Iterator[Rewriting]:
        """Begin a rewriting. Raises Refused where a lock keeps the old set, or would keep the new one's drafts."""
        with self._changes:
            found = self._required(name)
            if any(not self._may_bypass(lock) for lock in self._grounds.locks(found)):
                raise Refused(self._name, "the old set is locked")
            if _locks_what_is_new(self._grounds.live):
                raise Refused(self._name, "the bucket locks what is new: what is rewritten could not be tidied up")
            begun = BucketRewriting(self._grounds, self._pool, found)
        try:
            yield begun
        finally:
            begun.leave()

    def close(self) -> None:
        """Release connections and threads. A second call does nothing."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for door in (self._grounds.live, self._grounds.quarantine, self._grounds.reader):
            if door is not None:
                door.close()
        if self._normal_there is not None:
            self._normal_there.close()

    # ------------------------------------------------------------------------------------------------- the parts

    def _found(self, name: str) -> Found:
        """The set as it is, after what a killed change left is finished, unless somebody is changing something."""
        if name.strip("/") and self._changes.acquire(blocking=False):
            try:
                moving.finish(self._grounds, self._pool, name)
                rewriting.finish(self._grounds, self._pool, name)
            finally:
                self._changes.release()
        return self._grounds.found(name)

    def _required(self, name: str) -> Found:
        found = self._found(name)
        require(found, self._name)
        return found

    def _quarantined(self) -> Iterator[tuple[int, str, Entry]]:
        """Every entry of this store in the quarantine bucket, with its generation and its old key."""
        door = self._grounds.quarantine
        if door is None:
            return
        for entry in door.entries(self._grounds.part):
            number, _, key = entry.key.removeprefix(self._grounds.part).partition("/")
            if number.isascii() and number.isdecimal() and key:
                yield int(number), key, entry

    def _looked_at(self, found: Found) -> BackupSet | None:
        """The set; None where it vanished meanwhile."""
        entries = [*found.live, *(entry for kept in found.kept.values() for entry in kept)]
        content = _content(entries)
        forms: set[Form] = set()
        times: list[datetime] = []
        for generation, some in [(0, found.live), *found.kept.items()]:
            door = self._grounds.door_of(found, generation)
            for entry, head in self._looks(door, _content(some)):
                moment = head.written_at or written_at(entry)
                times += [] if moment is None else [moment]
                forms.add(recognise(entry.key, head.content))
        if content and not forms:
            return None
        try:
            locks = tuple(self._grounds.locks(found))
        except NotFound:
            return None
        where = Whereabouts.MOVED
        if found.live and _content(found.live):
            where = Whereabouts.FENCED if found.is_fenced else Whereabouts.IN_PLACE
        count = len([entry for entry in entries if entry.kind is not ItemKind.DELETE_MARKER])
        size = sum(entry.size for entry in content)
        begun, taken = (min(times), max(times)) if times else (None, None)
        return BackupSet(found.name, found.name, begun, taken, count, size, frozenset(forms), locks, where)

    def _looks(self, door: Door, entries: Sequence[Entry], length: int = HEAD_LENGTH) -> Iterator[tuple[Entry, Head]]:
        def look(entry: Entry) -> Head | None:
            try:
                return door.head(entry, length)
            except NotFound:
                return None

        for entry, head in zip(entries, self._pool.map(look, entries), strict=True):
            if head is not None:
                yield entry, head

    def _contents(self, found: Found, length: int) -> list[tuple[SetFile, Head]]:
        """Each file that is still there with its head. One that may not be read is a plain file."""
        read: list[tuple[str, Entry, Head, Form]] = []
        for path, (door, entry) in self._grounds.current(found).items():
            for _, head in self._looks(door, [entry], length):
                read.append((path, entry, head, recognise(path, head.content[:HEAD_LENGTH])))
        is_folder = found.name.endswith("/")
        dumps = {path.rpartition("/")[0] for path, _, _, form in read if form is Form.PG_DUMP_DIRECTORY and is_folder}
        return [
            (
                SetFile(
                    path,
                    Form.PG_DUMP_DIRECTORY if path.rpartition("/")[0] in dumps else form,
                    entry.size,
                    head.written_at or written_at(entry),
                ),
                head,
            )
            for path, entry, head, form in read
        ]

    def _deleted(self, found: Found) -> Deletion:
        grounds, name = self._grounds, found.name
        places = [(grounds.live, name)]
        if grounds.quarantine is not None:
            generations = reversed(grounds.generations(name))
            places += [(grounds.quarantine, grounds.kept_prefix(name, number)) for number in generations]
        for door, prefix in places:
            if left := door.erase(prefix):
                locks = tuple(dict.fromkeys(lock for _, lock, _ in left if lock is not None))
                return Deletion(ItemResult.LOCKED if locks else left[0][0], locks, left[0][2])
        moving.forget(grounds, name)
        rewriting.forget(grounds, name)
        if any(door.remains(prefix) for door, prefix in places):
            return Deletion(ItemResult.UNKNOWN, reason="listed-after-deletion")
        grounds.fences.drop(name)
        return Deletion(ItemResult.DONE)

    def _can_move(self, found: Found) -> bool:
        there = self._grounds.quarantine
        if there is None or self._grounds.locks(replace(found, kept={})):
            return False
        return moving.may_take(self._grounds, found) and not _locks_what_is_new(there)

    def _may_bypass(self, lock: Lock) -> bool:
        return lock.kind == "governance" and self._grounds.live.settings.bypass_governance

    def _tagged(self, found: Found) -> None:
        """Each version says that it is quarantined, where it takes another tag; the fence does not depend on it."""
        door = self._grounds.live
        for entry in _content(found.live):
            version: Any = {} if entry.id is None else {"VersionId": entry.id}
            try:
                with door.spoken():
                    at: Any = {"Bucket": door.settings.bucket, "Key": entry.key, **version}
                    tags = door.client.get_object_tagging(**at)["TagSet"]
                    others = [tag for tag in tags if tag["Key"] != _TAG]
                    tagging: Any = {"TagSet": [*others, {"Key": _TAG, "Value": "yes"}]}
                    door.client.put_object_tagging(**at, Tagging=tagging)
            except (Declined, NotFound):
                return  # a store without tags, or one that grants none: the policy is what refuses


_TAG = "retention-quarantine"


def _content(entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind in CONTENT and not is_hidden(entry.key)]


def _locks_what_is_new(door: Door) -> bool:
    """Whether the bucket puts a lock on every new version."""
    try:
        request = Request("GET", query=(("object-lock", None),))
        said = door.wire.ask(request, lambda answer: Document(answer.body, "ObjectLockConfiguration"))
    except Declined:
        return False  # none is set, or nobody may know: then the lock on what we wrote would be told
    return bool(said.all_texts("Mode"))
