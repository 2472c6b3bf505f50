"""The catalogue's key store passes the suite of key stores on every database."""

from __future__ import annotations

import pytest

from retention.catalog import keys as key_rows
from retention.catalog.database import Catalog
from retention.catalog.keys import CatalogKeyStore
from retention.keys.conformance import KeyStoreBench, KeyStoreConformance
from retention.model.key import KeyScope, KeyState


class CatalogBench:
    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.store = CatalogKeyStore(catalog)

    def set_state(self, scope: KeyScope, state: KeyState) -> None:
        key = self.store.find(scope)
        assert key is not None
        with self._catalog.transaction() as session:
            key_rows.put_key_states(session, [key.key_id], state)

    def shred(self, scope: KeyScope) -> None:
        with self._catalog.transaction() as session:
            keys = key_rows.keys_of(session, scope.customer, scope.dataset, lock=True)
            key_rows.remove_keys(session, [key for key in keys if scope.covers(key.scope)])


class TestCatalogKeyStore(KeyStoreConformance):
    @pytest.fixture
    def bench(self, catalog: Catalog) -> KeyStoreBench:
        return CatalogBench(catalog)
