"""The catalogue on every database that it supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retention.catalog.database import Catalog, open_catalog


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """An open catalogue with its schema and nothing in it."""
    opened = open_catalog(catalog_url)
    yield opened
    opened.close()
