"""The key store in memory passes the suite that the catalogue passes."""

from __future__ import annotations

import pytest

from retention.keys.conformance import KeyStoreBench, KeyStoreConformance
from retention.keys.memory_store import MemoryKeyStore
from retention.model.key import KeyScope, KeyState


class MemoryBench:
    def __init__(self) -> None:
        self.store = MemoryKeyStore()

    def set_state(self, scope: KeyScope, state: KeyState) -> None:
        self.store.set_state(scope, state)

    def shred(self, scope: KeyScope) -> None:
        self.store.remove(scope)


class TestMemoryKeyStore(KeyStoreConformance):
    @pytest.fixture
    def bench(self) -> KeyStoreBench:
        return MemoryBench()
