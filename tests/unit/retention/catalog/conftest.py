"""The catalogue on every database that it supports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retention.catalog.database import Catalog, open_catalog
from tests.services.catalogues import Catalogues


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    return str(request.param)


@pytest.fixture
def catalog_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind, without a schema."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    return str(request.getfixturevalue(f"{kind}_database"))


@pytest.fixture
def catalog(kind: str, request: pytest.FixtureRequest, server_catalogues: Catalogues) -> Iterator[Catalog]:
    """An open catalogue with its schema and nothing in it; the one at `catalog_url` where the test asks for that too."""
    if kind == "sqlite" or "catalog_url" in request.fixturenames:
        url = str(request.getfixturevalue("catalog_url"))
    else:
        url = server_catalogues.empty(request.getfixturevalue(f"{kind}_url"))
    opened = open_catalog(url)
    yield opened
    opened.close()
