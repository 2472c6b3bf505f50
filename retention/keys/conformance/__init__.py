"""Suites that every key store and every key provider passes. Needs pytest; nothing outside tests imports it.

A test module subclasses a suite and gives it a fixture `bench` that returns a fresh bench:

    class TestFileProvider(KeyProviderConformance):
        @pytest.fixture
        def bench(self, tmp_path: Path) -> KeyProviderBench:
            return FileBench(tmp_path)
"""

import pytest

pytest.register_assert_rewrite(
    "retention.keys.conformance.stores",
    "retention.keys.conformance.providers",
    "retention.keys.conformance.ledger_keys",
)

from retention.keys.conformance.ledger_keys import LedgerKeysBench, LedgerKeysConformance  # noqa: E402 - after the rewrite
from retention.keys.conformance.providers import KeyProviderBench, KeyProviderConformance  # noqa: E402 - likewise
from retention.keys.conformance.stores import KeyStoreBench, KeyStoreConformance  # noqa: E402 - likewise

__all__ = [
    "KeyProviderBench",
    "KeyProviderConformance",
    "KeyStoreBench",
    "KeyStoreConformance",
    "LedgerKeysBench",
    "LedgerKeysConformance",
]
