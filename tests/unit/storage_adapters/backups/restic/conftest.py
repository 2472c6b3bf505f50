"""Two repositories, one for quarantine, and the store over them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage_adapters.backups.restic import ResticBackups
from tests.unit.storage_adapters.backups.restic.quick_repository import TestRepository, new_repository, restic_or_skip


@pytest.fixture(scope="session")
def empty_repositories(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestRepository, TestRepository]:
    """Two empty repositories, to be copied."""
    restic_or_skip()
    folder = tmp_path_factory.mktemp("repositories")
    return new_repository(folder / "ordinary", "ordinary-pw"), new_repository(folder / "quarantine", "quarantine-pw")


@pytest.fixture
def ordinary(empty_repositories: tuple[TestRepository, TestRepository], tmp_path: Path) -> TestRepository:
    shutil.copytree(empty_repositories[0].folder, tmp_path / "ordinary")
    return TestRepository(tmp_path / "ordinary", "ordinary-pw")


@pytest.fixture
def quarantine(empty_repositories: tuple[TestRepository, TestRepository], tmp_path: Path) -> TestRepository:
    shutil.copytree(empty_repositories[1].folder, tmp_path / "quarantine")
    return TestRepository(tmp_path / "quarantine", "quarantine-pw")


@pytest.fixture
def store(ordinary: TestRepository, quarantine: TestRepository, tmp_path: Path) -> Iterator[ResticBackups]:
    (tmp_path / "scratch").mkdir()
    made = ResticBackups("snapshots", ordinary.settings, quarantine.settings, scratch_folder=tmp_path / "scratch")
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder to back up: `srv/data/<customer>/…` and a dump."""
    folder = tmp_path / "source"
    for path, content in {
        "srv/data/c-1/a.txt": b"of customer one",
        "srv/data/c-2/b.txt": b"of customer two",
        "srv/data/c-2/odd *[name] 中.txt": b"odd",
        "srv/data/c-2/empty": b"",
        "srv/all.sql": b"--\n-- PostgreSQL database dump\n--\n\nSELECT 1;\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    (folder / "srv/data/c-1/latest").symlink_to("a.txt")
    return folder
