"""Every backup store passes the suite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from storage_adapters.backups.conformance import BackupBench, BackupConformance
from storage_adapters.backups.contract import Whereabouts
from storage_adapters.backups.folders import FolderBackups


class FolderBench:
    """A directory that anyone may read, with a quarantine folder or without."""

    opens_quarantined = True

    def __init__(self, folder: Path, *, moves: bool) -> None:
        self._root = folder / "backups"
        self._quarantine = folder / "quarantine"
        self._root.mkdir()
        self._root.chmod(0o755)
        self.restricts = Whereabouts.MOVED if moves else Whereabouts.FENCED
        self.store = FolderBackups("nas", self._root, self._quarantine if moves else None)

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read(self, path: str) -> bytes | None:
        if os.geteuid() != 0:
            try:
                return (self._root / path).read_bytes()
            except OSError:
                return None
        done = subprocess.run(["cat", str(self._root / path)], capture_output=True, user=65534, extra_groups=[])
        return None if done.returncode else done.stdout

    def everything(self) -> set[str]:
        return {
            str(Path(folder, leaf))
            for top in (self._root, self._quarantine)
            for folder, _, leaves in os.walk(top)
            for leaf in leaves
        }

    def lock(self, path: str) -> Callable[[], None] | None:
        done = subprocess.run(["chattr", "+i", str(self._root / path)], capture_output=True)
        if done.returncode:
            return None
        return lambda: subprocess.run(["chattr", "-i", str(self._root / path)], check=True) and None

    def unlock_all(self) -> None:
        subprocess.run(["chattr", "-R", "-i", str(self._root)], capture_output=True)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder below which another user can enter what is open to it: the test's own is closed above."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o711)
    return tmp_path


class TestFolderWithQuarantine(BackupConformance):
    @pytest.fixture
    def bench(self, open_folder: Path) -> Iterator[BackupBench]:
        bench = FolderBench(open_folder, moves=True)
        yield bench
        bench.unlock_all()


class TestFolderWithFences(BackupConformance):
    @pytest.fixture
    def bench(self, open_folder: Path) -> Iterator[BackupBench]:
        bench = FolderBench(open_folder, moves=False)
        yield bench
        bench.unlock_all()
