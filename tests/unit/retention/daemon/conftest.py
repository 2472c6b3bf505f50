"""A small service in a folder of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_service import Facts, Service, begin


@pytest.fixture
def bare_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """Policy and settings in the working directory, and nothing begun yet."""
    monkeypatch.chdir(tmp_path)
    return begin(tmp_path, capsys)


@pytest.fixture
def service(bare_service: Service) -> Service:
    """The service after its first cycle: the policy is in force, and there are no customers."""
    bare_service.done("run", "--once")
    return bare_service


@pytest.fixture
def fact() -> Facts:
    """Makes facts."""
    return Facts()
