"""Schema, transactions and instants are the same on every database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import StatementError
from sqlmodel import SQLModel, select

from retention.catalog.database import Catalog, CatalogUnavailable, open_catalog
from retention.catalog.tables import CustomerRow, FlagRow
from retention.errors import InputError

NOW = datetime(2026, 11, 10, 2, 0, 0, 123456, tzinfo=UTC)


def test_the_migrations_make_exactly_the_tables_of_the_models(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_opening_twice_leaves_what_is_there(catalog: Catalog, catalog_url: str) -> None:
    with catalog.transaction() as session:
        session.add(CustomerRow(name="c-1", changed_at=NOW))
    again = open_catalog(catalog_url)
    with again.reading() as session:
        assert session.exec(select(CustomerRow.name)).all() == ["c-1"]
    again.close()


def test_what_is_up_to_date_is_opened_while_somebody_else_is_writing(catalog: Catalog, catalog_url: str) -> None:
    with catalog.transaction() as session:
        session.add(CustomerRow(name="c-1", changed_at=NOW))
        session.flush()
        again = open_catalog(catalog_url)
        with again.reading() as reading:
            assert reading.exec(select(CustomerRow.name)).all() == []
        again.close()


def test_many_processes_may_open_an_empty_catalogue_at_once(catalog_url: str) -> None:
    opened: list[Catalog] = []
    openers = [threading.Thread(target=lambda: opened.append(open_catalog(catalog_url))) for _ in range(4)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    for catalog in opened:
        catalog.close()
    assert len(opened) == 4


def test_an_instant_comes_back_aware_in_utc_to_the_microsecond(catalog: Catalog) -> None:
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    with catalog.transaction() as session:
        session.add(CustomerRow(name="c-1", changed_at=shanghai))
    with catalog.reading() as session:
        found = session.get_one(CustomerRow, "c-1").changed_at
    assert (found, found.tzinfo) == (NOW, UTC)


def test_a_naive_instant_is_refused(catalog: Catalog) -> None:
    with pytest.raises(StatementError, match="names no instant"), catalog.transaction() as session:
        session.add(CustomerRow(name="c-1", changed_at=NOW.replace(tzinfo=None)))
    with catalog.reading() as session:
        assert session.exec(select(CustomerRow.name)).all() == []


@pytest.mark.parametrize("other", ["C-1", "c-1 ", "ç-1", "c-１"], ids=["case", "a space", "an accent", "a wide digit"])
def test_names_that_differ_a_little_are_different_customers(catalog: Catalog, other: str) -> None:
    with catalog.transaction() as session:
        session.add_all([CustomerRow(name="c-1", changed_at=NOW), CustomerRow(name=other, changed_at=NOW)])
    with catalog.reading() as session:
        assert session.exec(select(CustomerRow.name).where(CustomerRow.name == other)).all() == [other]
        assert session.exec(select(CustomerRow.name).where(CustomerRow.name == "c-1")).all() == ["c-1"]


def test_long_texts_are_stored_whole(catalog: Catalog) -> None:
    text = "界" * 100_000
    with catalog.transaction() as session:
        session.add(FlagRow(source="s", id="i", customer="c-1", what=text))
    with catalog.reading() as session:
        assert session.exec(select(FlagRow.what)).one() == text


def test_a_transaction_that_raises_leaves_nothing(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.transaction() as session:
            session.add(CustomerRow(name="c-1", changed_at=NOW))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with catalog.reading() as session:
        assert session.exec(select(CustomerRow.name)).all() == []


def test_a_reading_sees_one_moment_whatever_others_commit_meanwhile(catalog: Catalog) -> None:
    with catalog.transaction() as session:
        session.add(CustomerRow(name="c-1", changed_at=NOW))
    with catalog.reading() as session:
        assert session.exec(select(CustomerRow.name)).all() == ["c-1"]
        with catalog.transaction() as other:
            other.add(CustomerRow(name="c-2", changed_at=NOW))
        assert session.exec(select(CustomerRow.name)).all() == ["c-1"]
    with catalog.reading() as session:
        assert len(session.exec(select(CustomerRow.name)).all()) == 2


def test_what_a_reading_changes_is_undone(catalog: Catalog) -> None:
    with catalog.reading() as session:
        session.add(CustomerRow(name="c-1", changed_at=NOW))
        session.flush()
    with catalog.reading() as session:
        assert session.exec(select(CustomerRow.name)).all() == []


def test_another_kind_of_database_is_refused_with_what_to_write() -> None:
    with pytest.raises(InputError, match="write sqlite, postgresql"):
        open_catalog("mssql://somewhere/x")


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(CatalogUnavailable) as caught:
        open_catalog("postgresql+psycopg://someone:hush@127.0.0.1:1/x?connect_timeout=2")
    assert "hush" not in str(caught.value)
