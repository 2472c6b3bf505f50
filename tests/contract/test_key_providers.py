"""The file provider passes the suites that every provider passes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.keys.conformance import (
    KeyProviderBench,
    KeyProviderConformance,
    LedgerKeysBench,
    LedgerKeysConformance,
)
from retention.keys.file_provider import FileKeyProvider


class FileBench:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._clock = ManualClock(datetime(2026, 11, 8, tzinfo=UTC))
        FileKeyProvider.create(directory, self._clock.now)

    def opened(self) -> FileKeyProvider:
        return FileKeyProvider(self._directory, self._clock.now)

    def ledger_keys(self) -> FileKeyProvider:
        return self.opened()

    def now(self) -> datetime:
        return self._clock.now()


class TestFileProvider(KeyProviderConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> KeyProviderBench:
        return FileBench(tmp_path / "keys")


class TestFileLedgerKeys(LedgerKeysConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> LedgerKeysBench:
        return FileBench(tmp_path / "keys")
