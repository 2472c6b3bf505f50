"""One suite that every adapter passes. Needs pytest; nothing outside tests imports it.

A test module subclasses `StoreConformance` and gives it a fixture `bench` that returns a fresh `Bench`:

    class TestFileStore(StoreConformance):
        @pytest.fixture
        def bench(self, tmp_path: Path) -> Bench:
            return FileBench(tmp_path)
"""

import pytest

pytest.register_assert_rewrite(
    "storage_adapters.conformance.erasing",
    "storage_adapters.conformance.hiding",
    "storage_adapters.conformance.looking",
)

from storage_adapters.conformance.bench import Bench  # noqa: E402 - after the rewrite is registered
from storage_adapters.conformance.suite import StoreConformance  # noqa: E402 - likewise

__all__ = ["Bench", "StoreConformance"]
