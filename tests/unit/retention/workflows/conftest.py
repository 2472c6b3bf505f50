"""A provider whose stores fail as each test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retention.catalog.database import Catalog, open_catalog
from storage_adapters.faults import Fault, Schedule
from tests.property.provider import CUSTOMERS, Provider


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    opened = open_catalog(f"sqlite:///{tmp_path_factory.mktemp('engine') / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture(params=["memory", "files"])
def provider(request: pytest.FixtureRequest, catalog: Catalog, tmp_path: Path) -> Provider:
    """Two customers with three sealed models and two plain notes each; every store works."""
    fresh = Provider.fresh(catalog, tmp_path / "disk", request.param, Schedule())
    for customer in CUSTOMERS:
        fresh.tell("service-activated", customer)
        for dataset in ("models", "notes", "models", "notes", "models"):
            assert fresh.write(customer, dataset)
    return fresh


@pytest.fixture
def fail(provider: Provider) -> Callable[..., None]:
    """From now on the stores fail like this, and then work again."""

    def begin(*faults: Fault) -> None:
        provider.faults = Schedule(faults)

    return begin
