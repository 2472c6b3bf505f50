"""The memory store, with and without versions, and as the double of a cache, passes the suite."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import KeyPattern, Objects, Place, Prefix
from storage_adapters.memory import EVERY_KIND, MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)


class ObjectBench:
    """Objects named `data/<customer>/<name>`, one second apart."""

    place_kinds: frozenset[type[Place]] = frozenset({Prefix, Objects})
    has_bytes = True

    def __init__(self, *, versions: bool) -> None:
        self.store = MemoryStore("memory", versions=versions, kinds=self.place_kinds)
        self._seconds = count()

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            at = START + timedelta(seconds=next(self._seconds))
            self.store.put(f"data/{customer}/{name}", content, at)

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"data/{customer}/"
        everything = self.store.read_all()
        return {key.removeprefix(start): everything[key] for key in everything if key.startswith(start)}

    def missing(self) -> tuple[MemoryStore, Place]:
        dropped = MemoryStore("dropped")
        dropped.drop()
        return dropped, Prefix("data/c-1/")


class CacheBench(ObjectBench):
    """Cache keys `features:<customer>:<name>`, which cannot be hidden."""

    place_kinds: frozenset[type[Place]] = frozenset({KeyPattern})

    def __init__(self) -> None:
        super().__init__(versions=False)
        self.store = MemoryStore("memory", tombstones=False, kinds=self.place_kinds)

    def place(self, customer: str) -> Place:
        return KeyPattern(("data/", customer, "/", None))

    def part(self, customer: str, name: str) -> Place:
        return KeyPattern(("data/", customer, "/", name))

    def missing(self) -> tuple[MemoryStore, Place]:
        dropped, _ = super().missing()
        return dropped, self.place("c-1")


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return ObjectBench(versions=False)


class TestMemoryStoreWithVersions(StoreConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return ObjectBench(versions=True)


class TestMemoryStoreAsACache(StoreConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return CacheBench()


def test_the_memory_store_takes_every_kind_but_rows() -> None:
    assert {Prefix, Objects, KeyPattern} == EVERY_KIND
