"""PostgreSQL, MariaDB and SQLite pass the suite, with a chain of tables, odd names and a table that points at itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    insert,
    select,
)
from sqlalchemy.dialects.mysql import VARCHAR

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import Place, Rows, TablePlace
from storage_adapters.sql import SqlStore

NAME = String(250).with_variant(VARCHAR(250, charset="utf8mb4", collation="utf8mb4_nopad_bin"), "mysql")
NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class SqlBench:
    """A thing is a row of `Order` with its content in a row of `select` below it, as an application would keep them.

    The customer's column has the database's default collation, which on MariaDB takes "C-1 " for "c-1".
    """

    place_kinds: frozenset[type[Place]] = frozenset({Rows})
    has_bytes = False

    def __init__(self, url: str) -> None:
        self.store = SqlStore("database", url)
        self.engine: Engine = create_engine(url)
        tables = MetaData()
        self.orders = Table(
            "Order",
            tables,
            Column("id", NUMBER, primary_key=True),
            Column("Tenant Id", String(120), nullable=False, index=True),
            Column("name", NAME, nullable=False, index=True),
        )
        self.contents = Table(
            "select",
            tables,
            Column("order", NUMBER, ForeignKey("Order.id"), primary_key=True),
            Column("content", LargeBinary(100_000), nullable=False),
        )
        tables.create_all(self.engine)
        self.tables = (TablePlace("select", through="Order"), TablePlace("Order", customer_column="Tenant Id"))
        self._ids: dict[tuple[str, str], int] = {}

    def place(self, customer: str) -> Place:
        return Rows(self.tables, customer)

    def part(self, customer: str, name: str) -> Place:
        return Rows(self.tables, customer, "Order", ({"id": self._id(customer, name)},))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        ids = [self._id(customer, name) for name in contents]
        with self.engine.begin() as connection:
            for table, key in ((self.contents, self.contents.c.order), (self.orders, self.orders.c.id)):
                connection.execute(delete(table).where(key == bindparam("b_id")), [{"b_id": each} for each in ids])
            orders = [
                {"id": each, "Tenant Id": customer, "name": name} for each, name in zip(ids, contents, strict=True)
            ]
            connection.execute(insert(self.orders), orders)
            rows = [{"order": each, "content": content} for each, content in zip(ids, contents.values(), strict=True)]
            connection.execute(insert(self.contents), rows)

    def read(self, customer: str) -> dict[str, bytes]:
        joined = self.orders.join(self.contents, self.orders.c.id == self.contents.c.order)
        query = select(self.orders.c["Tenant Id"], self.orders.c.name, self.contents.c.content).select_from(joined)
        with self.engine.connect() as connection:
            return {name: bytes(content) for who, name, content in connection.execute(query) if who == customer}

    def missing(self) -> tuple[SqlStore, Place]:
        gone = Rows((TablePlace("gone", customer_column="Tenant Id"),), "c-1")
        return SqlStore("without", self.engine.url.render_as_string(hide_password=False)), gone

    def close(self) -> None:
        self.store.close()
        self.engine.dispose()

    def _id(self, customer: str, name: str) -> int:
        return self._ids.setdefault((customer, name), len(self._ids) + 1)


class TestPostgres(StoreConformance):
    @pytest.fixture
    def bench(self, postgres_database: str) -> Iterator[Bench]:
        bench = SqlBench(postgres_database)
        yield bench
        bench.close()


class TestMariaDB(StoreConformance):
    @pytest.fixture
    def bench(self, mariadb_database: str) -> Iterator[Bench]:
        bench = SqlBench(mariadb_database)
        yield bench
        bench.close()


class TestSQLite(StoreConformance):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = SqlBench(f"sqlite:///{tmp_path / 'application.db'}")
        yield bench
        bench.close()
