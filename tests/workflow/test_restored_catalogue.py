"""The whole catalogue from before a shred is put back, on every kind of database: it opens nothing, and is not believed."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import RowMapping, delete, insert, select
from sqlmodel import SQLModel

from retention.catalog import keys as key_rows
from retention.catalog.database import Catalog
from retention.errors import NotInOrder
from retention.keys.errors import KeyGone
from retention.keys.keyring import Keyring
from retention.keys.sealed import Binding, ObjectSubject
from retention.keys.sealer import Sealer
from retention.workflows.roll_keys import roll_keys
from retention.workflows.run_cycle import run_cycle
from retention.workflows.seal import open_sealed

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider

NAME = "models/c-1/a.bin"
Dump = Mapping[str, Sequence[RowMapping]]


def dumped(catalog: Catalog) -> Dump:
    """Every row of every table."""
    with catalog.engine.connect() as connection:
        tables = SQLModel.metadata.sorted_tables
        return {table.name: connection.execute(select(table)).mappings().all() for table in tables}


def put_back(catalog: Catalog, dump: Dump) -> None:
    """The database is what it was when the dump was made."""
    with catalog.engine.begin() as connection:
        for table in SQLModel.metadata.sorted_tables:
            connection.execute(delete(table))
            rows: list[dict[str, Any]] = [dict(row) for row in dump[table.name]]
            if rows:
                connection.execute(insert(table), rows)


def shredded(provider: Provider) -> tuple[bytes, Dump]:
    """An object of a customer whose keys are shredded and rolled away; and the catalogue from before."""
    provider.tell("service-activated", "c-1", service="training")
    provider.tell("service-activated", "c-2", service="training")
    provider.put_model("c-1", "a.bin", b"secret weights")
    provider.put_model("c-2", "a.bin", b"other weights")
    sealed = (provider.objects / NAME).read_bytes()
    dump = dumped(provider.deployment.catalog)
    provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
    run_cycle(provider.deployment)
    roll_keys(provider.deployment)
    assert provider.case("c-1").unrecoverable_at is not None
    return sealed, dump


def test_the_old_keys_beside_the_live_provider_open_nothing(processes: Callable[[], Provider]) -> None:
    provider = processes()
    sealed, dump = shredded(provider)
    put_back(provider.deployment.catalog, dump)
    with provider.deployment.catalog.reading() as session:
        assert len(key_rows.keys_of(session, "c-1", "models")) == 1, "the old copy holds the wrapped key again"
    keyring = Keyring(provider.deployment.key_store, provider.deployment.provider, provider.clock.now, lambda: 0.0)
    with pytest.raises(KeyGone):
        Sealer(keyring).open(Binding("c-1", "models", ObjectSubject(NAME)), io.BytesIO(sealed), io.BytesIO())


def test_a_service_does_not_start_on_a_catalogue_that_is_older_than_its_ledger(
    processes: Callable[[], Provider],
) -> None:
    provider = processes()
    _, dump = shredded(provider)
    put_back(provider.deployment.catalog, dump)
    with pytest.raises(NotInOrder, match="the catalogue is behind the ledger"):
        processes()


def test_a_reader_in_the_way_keeps_the_wrapped_key_in_the_log_only_until_it_has_gone(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    with provider.deployment.catalog.reading() as session:
        (key,) = key_rows.keys_of(session, "c-1", "models")  # and the reading goes on
        provider.tell("deletion-ordered", "c-1", ground="order", dataset="models")
        provider.run()
    provider.run()
    files = [path for path in provider.root.iterdir() if path.name.startswith("catalog.db")]
    pieces = [key.wrapped[at : at + 16] for at in range(len(key.wrapped) - 15)]
    assert [path.name for path in files if any(piece in path.read_bytes() for piece in pieces)] == []


def test_the_other_customers_go_on_reading_after_the_roll(processes: Callable[[], Provider]) -> None:
    provider = processes()
    shredded(provider)
    for process in (provider, processes()):
        target = io.BytesIO()
        name = "models/c-2/a.bin"
        with (provider.objects / name).open("rb") as source:
            open_sealed(process.deployment, "c-2", "models", name, source, target)
        assert target.getvalue() == b"other weights"
