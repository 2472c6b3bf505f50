"""A store of objects in memory: the double of a bucket, a directory or a cache, which passes the same suite."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from storage_adapters.contract import (
    PAGE_SIZE,
    Batch,
    Capabilities,
    Item,
    ItemKind,
    ItemOutcome,
    ItemResult,
    Keep,
    KeyPattern,
    Objects,
    Page,
    Place,
    Prefix,
)
from storage_adapters.errors import NotFound, Refused
from storage_adapters.key_patterns import is_match

EVERY_KIND: frozenset[type[Place]] = frozenset({Prefix, Objects, KeyPattern})


@dataclass(slots=True, eq=False)
class _Stored:
    """One content under one key. Where there are versions a key has several, oldest first."""

    serial: int
    key: str
    content: bytes
    written_at: datetime
    hidden: bool = False
    lock: str | None = None
    locked_until: datetime | None = None

    @property
    def name(self) -> str:
        return f"{self.key}#{self.serial}"


class MemoryStore:
    """Objects (or cache keys) in this process's memory, under the contract of `storage_adapters.contract.Store`.

    With `versions` an overwritten content stays as a superseded version (no reader sees it, so only the last one
    under a key is ever hidden). With `tombstones=False` it cannot hide, as a cache cannot. `kinds` are the kinds of
    place it takes. Beside the contract it has the ways in of an application, `put`, `get`, `read_all`, and of an
    administrator, `lock`, `unlock`, `drop`. An item's name is `key#serial`.
    """

    def __init__(
        self,
        name: str,
        *,
        versions: bool = False,
        tombstones: bool = True,
        kinds: frozenset[type[Place]] = EVERY_KIND,
    ) -> None:
        self._name = name
        self._versions = versions
        self._tombstones = tombstones
        self._kinds = kinds
        self._guard = threading.RLock()
        self._stored: dict[str, list[_Stored]] = {}
        self._last_serial = 0
        self._dropped = False

    # ------------------------------------------------------------------------------ an application's ways in

    def put(self, key: str, content: bytes, written_at: datetime) -> None:
        """The key holds the content. What it held is superseded, or gone where there are no versions."""
        with self._guard:
            self._last_serial += 1
            entries = self._stored.setdefault(key, [])
            if not self._versions:
                entries[:] = [entry for entry in entries if entry.hidden]
            entries.append(_Stored(self._last_serial, key, content, written_at.astimezone(UTC)))

    def get(self, key: str) -> bytes | None:
        """What an ordinary reader gets for the key; None where nothing is or it is hidden."""
        with self._guard:
            entries = self._stored.get(key)
            return None if not entries or entries[-1].hidden else entries[-1].content

    def read_all(self) -> dict[str, bytes]:
        """Everything that an ordinary reader sees, by key."""
        with self._guard:
            return {key: content for key in self._stored if (content := self.get(key)) is not None}

    def lock(self, key: str, lock: str, until: datetime) -> None:
        """Every version of the key is refused removal, until `unlock`: nothing here reads a clock."""
        with self._guard:
            for entry in self._stored.get(key, []):
                entry.lock, entry.locked_until = lock, until.astimezone(UTC)

    def unlock(self, key: str) -> None:
        """No version of the key is locked. A second call does nothing."""
        with self._guard:
            for entry in self._stored.get(key, []):
                entry.lock = entry.locked_until = None

    def only(self, items: Sequence[Item]) -> Objects:
        """The place of exactly the keys under which these items lie."""
        return Objects(tuple(dict.fromkeys(item.name.rpartition("#")[0] for item in items)))

    def drop(self) -> None:
        """The bucket itself is gone, with everything in it: from now on every call of the contract is `NotFound`."""
        with self._guard:
            self._dropped = True
            self._stored.clear()

    # ------------------------------------------------------------------------------ the contract

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """The sheet as constructed. There is one dictionary and so one way to look at it."""
        return Capabilities(
            tombstone=self._tombstones,
            hides_superseded=self._versions,
            tells_written_at=True,
            verifies_independently=False,
            notes=("Everything is in memory and gone when the process ends.",),
        )

    def survey(self, place: Place) -> Iterator[Page]:
        """Every version at the place, oldest first under each key, hidden ones included."""
        with self._guard:
            items = [self._item(entry) for entry in self._at(place)]
        for start in range(0, len(items), PAGE_SIZE):
            yield tuple(items[start : start + PAGE_SIZE])

    def remains(self, place: Place) -> Iterator[Page]:
        """The same look as `survey`: memory offers no second one."""
        yield from self.survey(place)

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """What is at the place is hidden. Raises Refused where constructed without tombstones."""
        self._check_kind(place)
        if not self._tombstones:
            raise Refused(self._name, "this store cannot hide")
        yield from self._change(place, lambda entry: self._is_last(entry) and not entry.hidden, self._hide)

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """What was hidden is seen again; `REFUSED` under a key that holds something newer."""
        yield from self._change(place, lambda entry: entry.hidden, self._show)

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """What is at the place is gone, oldest versions first so that none becomes current again."""
        yield from self._change(place, lambda _: True, lambda entry: self._remove(entry, keep))

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """The first `length` bytes of each named version, None where it is gone."""
        with self._guard:
            self._check_there()
            contents = {e.name: e.content for entries in self._stored.values() for e in entries}
        for name in names:
            yield name, contents[name][:length] if name in contents else None

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Nothing: there is no schema."""
        return ()

    def close(self) -> None:
        """Nothing is held. A second call does nothing."""

    # ------------------------------------------------------------------------------ one entry, under the guard

    def _hide(self, entry: _Stored) -> tuple[ItemResult, str | None]:
        entry.hidden = True
        return ItemResult.DONE, None

    def _show(self, entry: _Stored) -> tuple[ItemResult, str | None]:
        if not self._is_last(entry):
            return ItemResult.REFUSED, "something newer stands"
        entry.hidden = False
        return ItemResult.DONE, None

    def _remove(self, entry: _Stored, keep: Keep | None) -> tuple[ItemResult, str | None]:
        if keep is not None and entry.written_at >= keep.written_from:
            return ItemResult.KEPT, None
        if entry.lock is not None:
            return ItemResult.LOCKED, entry.lock
        self._stored[entry.key].remove(entry)
        return ItemResult.DONE, None

    def _is_last(self, entry: _Stored) -> bool:
        return self._stored[entry.key][-1] is entry

    def _item(self, entry: _Stored) -> Item:
        shown = ItemKind.OBJECT if self._is_last(entry) else ItemKind.VERSION
        kind = ItemKind.TOMBSTONE if entry.hidden else shown
        return Item(kind, entry.name, len(entry.content), entry.written_at, entry.lock, entry.locked_until)

    # ------------------------------------------------------------------------------ places and pages

    def _at(self, place: Place) -> list[_Stored]:
        """Every entry at the place, by key and age."""
        self._check_there()
        self._check_kind(place)
        match place:
            case Prefix(prefix):
                keys = [key for key in self._stored if key.startswith(prefix)]
            case Objects(names):
                keys = [key for key in dict.fromkeys(names) if key in self._stored]
            case KeyPattern(parts):
                keys = [key for key in self._stored if is_match(parts, key)]
            case _:
                raise ValueError(f"{self._name} has no rows")
        return [entry for key in sorted(keys) for entry in self._stored[key]]

    def _check_kind(self, place: Place) -> None:
        if type(place) not in self._kinds:
            raise ValueError(f"{self._name} has no place of this kind: {type(place).__name__}")

    def _check_there(self) -> None:
        if self._dropped:
            raise NotFound(self._name, "the bucket is not there")

    def _change(
        self,
        place: Place,
        concerns: Callable[[_Stored], bool],
        act: Callable[[_Stored], tuple[ItemResult, str | None]],
    ) -> Iterator[Batch]:
        """Act on every entry at the place that the change concerns, a page at a time, atomically for each page."""
        with self._guard:
            entries = [entry for entry in self._at(place) if concerns(entry)]
        for start in range(0, len(entries), PAGE_SIZE):
            with self._guard:
                self._check_there()
                batch = tuple(self._act(entry, concerns, act) for entry in entries[start : start + PAGE_SIZE])
            yield batch

    def _act(
        self,
        entry: _Stored,
        concerns: Callable[[_Stored], bool],
        act: Callable[[_Stored], tuple[ItemResult, str | None]],
    ) -> ItemOutcome:
        """Act on one entry; `ABSENT` where it has gone, or the change has been made, since the place was listed."""
        if entry not in self._stored.get(entry.key, []):
            return ItemOutcome(Item(ItemKind.OBJECT, entry.name), ItemResult.ABSENT)
        item = self._item(entry)
        if not concerns(entry):
            return ItemOutcome(item, ItemResult.ABSENT)
        return ItemOutcome(item, *act(entry))
