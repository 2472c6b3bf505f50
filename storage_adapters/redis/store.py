"""`RedisStore`: keys of a cache, found by a pattern and removed for good."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from redis.exceptions import ResponseError

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
    Page,
    Place,
)
from storage_adapters.errors import Refused
from storage_adapters.key_patterns import is_match
from storage_adapters.redis.connection import Connection, code_of, translated
from storage_adapters.redis.globs import exact_glob, loose_glob
from storage_adapters.redis.notes import notes_of

SCAN_COUNT = 10_000
"""How many keys the server goes through at a time: some milliseconds during which it does nothing else."""

SECOND_COUNT = 3_000
"""Another step for the second look, so that the two do not see the table in the same pieces."""

ROUNDS = 20
"""How often a place is listed anew while keys appear in it. What is left then is found by `remains`."""

Literals = tuple[bytes | None, ...]


class RedisStore:
    """Keys of a Redis or Valkey server, cluster included; places are key patterns.

    A cache is cleared, never hidden: there is no tombstone. Nothing is connected before the first call. The URL is as
    redis-py takes it, with the database number at its end, or `redis+cluster://` and any node of a cluster. Keys are
    bytes; an item's name is the key in UTF-8, decoded with `surrogateescape`. Raises ValueError where the URL asks for
    decoded answers: not every key can be decoded.
    """

    def __init__(self, name: str, url: str) -> None:
        if "decode_responses" in url:
            raise ValueError(f"{name}: the URL may not ask for decoded answers")
        self._name = name
        self._url = url
        self._guard = threading.Lock()
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def capabilities(self) -> Capabilities:
        """The sheet; its notes are read from the server: persistence, replicas, its place in a cluster."""
        with translated(self._name):
            notes = notes_of(self._connected())
        return Capabilities(
            tombstone=False,
            hides_superseded=False,
            tells_written_at=False,
            verifies_independently=True,
            notes=notes,
        )

    def survey(self, place: Place) -> Iterator[Page]:
        """Every key that the pattern means, once, as the scan comes upon it."""
        parts = self._literals(place)
        seen = self._scanned(parts, exact_glob(parts), SCAN_COUNT)
        for keys in _pages(seen):
            yield tuple(_item(key) for key in keys)

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """Raises Refused: caches are cleared, not hidden."""
        self._literals(place)
        raise Refused(self._name, "keys cannot be hidden, only removed")

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """Nothing, because nothing is ever hidden."""
        self._literals(place)
        yield from ()

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """Every key that the pattern means is removed; with `keep` none is, because keys have no time of writing.

        Lists to the end, removes what was listed, and lists again until a listing finds nothing more, because a scan
        promises only the keys that were there throughout.
        """
        if keep is not None:
            for page in self.survey(place):
                yield tuple(ItemOutcome(item, ItemResult.KEPT) for item in page)
            return
        parts = self._literals(place)
        refused: set[bytes] = set()
        for _ in range(ROUNDS):
            listed = [key for key in self._scanned(parts, exact_glob(parts), SCAN_COUNT) if key not in refused]
            if not listed:
                return
            for keys in _pages(listed):
                batch = self._unlinked(keys)
                refused |= {key for key, one in zip(keys, batch, strict=True) if one.result is ItemResult.REFUSED}
                yield batch

    def remains(self, place: Place) -> Iterator[Page]:
        """What a second scan finds: another pattern, other steps, the servers in the other order."""
        parts = self._literals(place)
        seen = self._scanned(parts, loose_glob(parts), SECOND_COUNT, backwards=True)
        for keys in _pages(seen):
            yield tuple(_item(key) for key in keys)

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """Raises Refused: a key holds a structure, not bytes of its own."""
        raise Refused(self._name, "keys have no bytes of their own")

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Nothing: a cache has no schema."""
        return ()

    def close(self) -> None:
        """No socket is left open. A second call does nothing; a later call of another method connects anew."""
        with self._guard:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # ------------------------------------------------------------------------------ keys

    def _literals(self, place: Place) -> Literals:
        if not isinstance(place, KeyPattern):
            raise ValueError(f"{self._name} has no place of this kind: {type(place).__name__}")
        try:
            return tuple(None if part is None else part.encode(errors="surrogateescape") for part in place.parts)
        except UnicodeEncodeError:
            raise Refused(self._name, "the pattern cannot be written in UTF-8") from None

    def _connected(self) -> Connection:
        with self._guard:
            if self._connection is None:
                self._connection = Connection.to(self._url)
            return self._connection

    def _scanned(self, parts: Literals, glob: bytes, count: int, *, backwards: bool = False) -> Iterator[bytes]:
        """Each key once that our own matching confirms; it may come up in a scan more than once."""
        seen: set[bytes] = set()
        with translated(self._name):
            for key in self._connected().scan(glob, count, backwards=backwards):
                if key not in seen and is_match(parts, key):
                    seen.add(key)
                    yield key

    def _unlinked(self, keys: Sequence[bytes]) -> Batch:
        with translated(self._name):
            connection = self._connected()
        with translated(self._name, acts=True):
            answers = connection.unlink(keys)
        return tuple(ItemOutcome(_item(key), *_result_of(one)) for key, one in zip(keys, answers, strict=True))


def _item(key: bytes) -> Item:
    return Item(ItemKind.KEY, key.decode(errors="surrogateescape"))


def _result_of(answer: object) -> tuple[ItemResult, str | None]:
    match answer:
        case 1:
            return ItemResult.DONE, None
        case 0:
            return ItemResult.ABSENT, None
        case ResponseError():
            return ItemResult.REFUSED, code_of(answer)
    return ItemResult.UNKNOWN, code_of(answer)


def _pages(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while page := list(islice(rest, PAGE_SIZE)):
        yield page
