"""The directory store passes the suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import Objects, Place, Prefix
from storage_adapters.files import FileStore


class FileBench:
    """Files `data/<customer>/<name>` below a root, written and read with the system's own calls."""

    place_kinds: frozenset[type[Place]] = frozenset({Prefix, Objects})
    has_bytes = True

    def __init__(self, folder: Path) -> None:
        self._root = folder / "root"
        self._root.mkdir()
        self._missing = folder / "missing"
        self.store = FileStore("files", self._root)

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            path = self._root / "data" / customer / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read(self, customer: str) -> dict[str, bytes]:
        start = self._root / "data" / customer
        return {str(path.relative_to(start)): path.read_bytes() for path in start.rglob("*") if path.is_file()}

    def missing(self) -> tuple[FileStore, Place]:
        return FileStore("missing", self._missing), Prefix("data/c-1/")


class TestFileStore(StoreConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        return FileBench(tmp_path)
