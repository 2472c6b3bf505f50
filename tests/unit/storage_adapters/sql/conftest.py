"""A fresh database of each kind, and the ways in of an application that keeps its data there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from storage_adapters.contract import Batch, Item, ItemResult, KeyValue, Page, Rows, TablePlace
from storage_adapters.sql import Limits, SqlStore

KINDS = ("postgresql", "mariadb", "sqlite")


@dataclass
class Workbench:
    """One database. Statements quote names with `"` on every kind and are run as they are."""

    kind: str
    url: str
    store: SqlStore
    engine: Engine
    _stores: list[SqlStore] = field(default_factory=list)

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            self._prepare(connection)
            for statement in statements:
                connection.exec_driver_sql(self._literal(statement))

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with self.engine.begin() as connection:
            self._prepare(connection)
            return [tuple(row) for row in connection.exec_driver_sql(self._literal(statement))]

    def count(self, table: str, where: str = "1 = 1") -> int:
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in table.split("."))
        return int(str(self.ask(f"SELECT count(*) FROM {quoted} WHERE {where}")[0][0]))

    def fingerprint(self, *statements: str) -> str:
        """A hash over everything that the statements give, whatever its order."""
        lines = [sorted(repr(row) for row in self.ask(statement)) for statement in statements]
        return hashlib.sha256(repr(lines).encode()).hexdigest()

    def another_store(self, url: str | None = None, limits: Limits | None = None) -> SqlStore:
        store = SqlStore("other", url or self.url, limits=limits)
        self._stores.append(store)
        return store

    def close(self) -> None:
        for store in [self.store, *self._stores]:
            store.close()
        self.engine.dispose()

    def _prepare(self, connection: Connection) -> None:
        if self.kind == "mariadb":
            connection.exec_driver_sql("SET SESSION sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'")
        if self.kind == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")

    def _literal(self, statement: str) -> str:
        return statement if self.kind == "sqlite" else statement.replace("%", "%%")


@pytest.fixture
def new_workbench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Workbench]]:
    made: list[Workbench] = []

    def make(kind: str) -> Workbench:
        fixtures = {"postgresql": "postgres_database", "mariadb": "mariadb_database"}
        file = tmp_path / "application.db"
        url: str = request.getfixturevalue(fixtures[kind]) if kind in fixtures else f"sqlite:///{file}"
        made.append(Workbench(kind, url, SqlStore("store", url), create_engine(url, poolclass=NullPool)))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, new_workbench: Callable[[str], Workbench]) -> Workbench:
    """Each test of this fixture runs on PostgreSQL, MariaDB and SQLite."""
    kind: str = request.param
    workbench = new_workbench(kind)
    if kind == "sqlite":
        workbench.run("PRAGMA user_version = 1")  # so that the file is there
    return workbench


@dataclass
class Reading:
    """What a test reads out of pages and batches."""

    def items(self, pages: Iterable[Page]) -> list[Item]:
        return [item for page in pages for item in page]

    def names(self, pages: Iterable[Page]) -> list[str]:
        return [item.name for page in pages for item in page]

    def results(self, batches: Iterable[Batch]) -> dict[ItemResult, int]:
        found: dict[ItemResult, int] = {}
        for batch in batches:
            for outcome in batch:
                found[outcome.result] = found.get(outcome.result, 0) + 1
        return found

    def reasons(self, batches: Iterable[Batch]) -> dict[str, str | None]:
        """Refused items and why."""
        return {
            outcome.item.name: outcome.reason
            for batch in batches
            for outcome in batch
            if outcome.result is ItemResult.REFUSED
        }


@pytest.fixture
def read() -> Reading:
    return Reading()


@dataclass
class Listing:
    """Builds places as a policy lists tables: `customer_column`, or `>parent` to go through another table."""

    def __call__(
        self, customer: str, only: tuple[str, Iterable[Mapping[str, KeyValue]]] | None = None, /, **tables: str
    ) -> Rows:
        return self.of(customer, tables, only)

    def of(
        self, customer: str, tables: Mapping[str, str], only: tuple[str, Iterable[Mapping[str, KeyValue]]] | None = None
    ) -> Rows:
        entries = tuple(
            TablePlace(name, through=how[1:]) if how.startswith(">") else TablePlace(name, customer_column=how)
            for name, how in tables.items()
        )
        return Rows(entries, customer) if only is None else Rows(entries, customer, only[0], tuple(only[1]))


@pytest.fixture
def place() -> Listing:
    return Listing()
