"""A small service in a folder of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_service import Facts, Service, begin, begun, resume


@pytest.fixture
def bare_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """Policy and settings in the working directory, and nothing begun yet."""
    monkeypatch.chdir(tmp_path)
    return begin(tmp_path, capsys)


@pytest.fixture(scope="session")
def first_cycle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service after its first cycle."""
    return begun(tmp_path_factory.mktemp("service"))


@pytest.fixture
def service(
    first_cycle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Service:
    """The service after its first cycle: the policy is in force, and there are no customers."""
    monkeypatch.chdir(tmp_path)
    return resume(first_cycle, tmp_path, capsys)


@pytest.fixture
def fact() -> Facts:
    """Makes facts."""
    return Facts()
