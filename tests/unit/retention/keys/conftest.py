"""Fixtures for the tests of keys: the vectors, one case at a time, and a key store with a provider."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.keys.memory_store import MemoryKeyStore
from tests.unit.retention.keys.reference import ChunkedCase, Reference, SealedCase, chunked_cases, sealed_cases


@pytest.fixture(params=list(chunked_cases()), ids=lambda case: case["name"])
def chunked_case(request: pytest.FixtureRequest) -> ChunkedCase:
    """One case of the published format's vectors; its message is SHAKE-128 of 'message ' and its name."""
    case: ChunkedCase = request.param
    return case


@pytest.fixture(params=list(sealed_cases()), ids=lambda case: case["name"])
def sealed_case(request: pytest.FixtureRequest) -> SealedCase:
    """One case of tests/vectors/sealed.json."""
    case: SealedCase = request.param
    return case


@pytest.fixture
def reference() -> Reference:
    return Reference()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 8, 9, 30, tzinfo=UTC))


@pytest.fixture
def store() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where the provider keeps its keys; not made yet."""
    return tmp_path / "var" / "keys"


@pytest.fixture
def provider(directory: Path, clock: ManualClock) -> FileKeyProvider:
    return FileKeyProvider.create(directory, clock.now)


@pytest.fixture
def keyring(store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock) -> Keyring:
    """The keyring of one process; it forgets after 5 seconds of `clock`."""
    return Keyring(store, provider, clock.now, lambda: clock.ticks)
