"""A faulty store whose schedule has ended is a store like any other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import Objects, Place, Prefix
from storage_adapters.faults import FaultyStore, Schedule
from storage_adapters.memory import MemoryStore


class FaultyBench:
    """A memory store behind a schedule that has ended."""

    place_kinds: frozenset[type[Place]] = frozenset({Prefix, Objects})
    has_bytes = True

    def __init__(self) -> None:
        self._inner = MemoryStore("memory", kinds=self.place_kinds)
        self.store = FaultyStore(self._inner, Schedule(), self._inner.only)
        self._seconds = count()

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(self._seconds))
            self._inner.put(f"data/{customer}/{name}", content, at)

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"data/{customer}/"
        everything = self._inner.read_all()
        return {key.removeprefix(start): everything[key] for key in everything if key.startswith(start)}

    def missing(self) -> tuple[FaultyStore, Place]:
        dropped = MemoryStore("dropped")
        dropped.drop()
        return FaultyStore(dropped, Schedule()), Prefix("data/c-1/")


class TestFaultyStoreWithoutFaults(StoreConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return FaultyBench()
