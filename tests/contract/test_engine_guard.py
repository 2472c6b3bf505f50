"""The guard of database engines against real servers: nothing is opened or said abroad without a decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import QueuePool

from retention.guards.permit import Territories, TransferBlocked, working_for
from retention.guards.sqlalchemy_guard import guard_engine
from retention.model.transfer import Crossing
from tests.unit.retention.guards.permitting import Permitting


@pytest.fixture
def permit() -> Permitting:
    return Permitting()


@pytest.fixture(params=["postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """One connection in the pool at most."""
    made = create_engine(database, poolclass=QueuePool, pool_size=1, max_overflow=0)
    yield made
    made.dispose()


def lying_in(territory: str, url: str) -> Territories:
    return Territories("CN", hosts={make_url(url).host or "localhost": territory})


def opened(engine: Engine) -> int:
    """How many connections the pool has open."""
    return engine.pool.checkedin() if isinstance(engine.pool, QueuePool) else -1


def test_a_database_at_home_is_not_asked(engine: Engine, database: str, permit: Permitting) -> None:
    guard_engine(engine, permit, lying_in("CN", database))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    assert permit.asked == []


def test_a_database_abroad_is_not_connected_to(engine: Engine, database: str, permit: Permitting) -> None:
    guard_engine(engine, permit, lying_in("SG", database), place="the reports")
    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        engine.connect()
    assert permit.asked == [Crossing("c-1", "prompts", "CN", "SG", "the reports")]
    assert opened(engine) == 0


def test_a_database_that_is_not_listed_is_unknown(engine: Engine, permit: Permitting) -> None:
    guard_engine(engine, permit, Territories("CN"))
    with pytest.raises(TransferBlocked):
        engine.connect()
    assert permit.asked[0].destination is None
    password = engine.url.password
    assert not password or password not in permit.asked[0].place


def test_a_withdrawal_stops_the_next_statement_and_the_next_use(
    engine: Engine, database: str, permit: Permitting
) -> None:
    guard_engine(engine, permit, lying_in("SG", database))
    with working_for("c-1", "prompts"):
        permit.allowed = 99
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
            permit.allowed = 0
            with pytest.raises(TransferBlocked):
                connection.scalar(text("SELECT 1"))
        assert opened(engine) == 1
        with pytest.raises(TransferBlocked):
            engine.connect()
        permit.allowed = 99  # and the refused one is in the pool again
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_a_pooled_connection_from_before_the_guard_is_not_used(
    engine: Engine, database: str, permit: Permitting
) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    guard_engine(engine, permit, lying_in("SG", database))
    with pytest.raises(TransferBlocked):
        engine.connect()


def test_an_open_connection_from_before_the_guard_is_unknown(engine: Engine, database: str, permit: Permitting) -> None:
    with engine.connect() as connection:
        guard_engine(engine, permit, lying_in("SG", database))
        with pytest.raises(TransferBlocked):
            connection.scalar(text("SELECT 1"))


def test_a_creator_hides_where_it_connects(engine: Engine, database: str, permit: Permitting) -> None:
    made: list[Any] = []

    def creator() -> Any:
        made.append(engine.raw_connection().driver_connection)
        return made[0]

    hidden = create_engine(database, creator=creator)
    guard_engine(hidden, permit, lying_in("CN", database))
    with pytest.raises(TransferBlocked):
        hidden.connect()
    assert permit.asked[0].destination is None
    assert made[0].closed if hasattr(made[0], "closed") else not made[0].open


def test_an_asynchronous_engine_is_guarded_too(postgres_database: str, permit: Permitting) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy has no asynchronous engines without greenlet")
    from sqlalchemy.ext.asyncio import create_async_engine  # it cannot be imported without greenlet

    engine = create_async_engine(postgres_database.replace("+psycopg", "+psycopg_async"))
    guard_engine(engine, permit, lying_in("SG", postgres_database))
    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        engine.sync_engine.connect()
    assert permit.asked[0].destination == "SG"


HIDDEN: dict[str, tuple[str, dict[str, str]]] = {
    "a service file": ("postgresql+psycopg://127.0.0.1/d?service=far", {}),
    "a service in the environment": ("postgresql+psycopg://127.0.0.1/d", {"PGSERVICE": "far"}),
    "another address": ("postgresql+psycopg://127.0.0.1/d?hostaddr=192.0.2.1", {}),
    "another address in the environment": ("postgresql+psycopg://127.0.0.1/d", {"PGHOSTADDR": "192.0.2.1"}),
    "a second host": ("postgresql+psycopg:///d?host=127.0.0.1&host=db.example", {}),
    "a socket": ("postgresql+psycopg:///d?host=/run/far", {}),
    "nothing said": ("postgresql+psycopg:///d", {}),
    "an option file": ("mysql+pymysql:///d?read_default_file=/nowhere", {}),
    "a socket beside the host": ("mysql+pymysql://127.0.0.1/d?unix_socket=/run/far", {}),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_what_hides_or_changes_the_host_is_unknown(
    case: str, permit: Permitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, environment = HIDDEN[case]
    monkeypatch.delenv("PGHOST", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    hiding = create_engine(url)
    guard_engine(hiding, permit, Territories("CN", hosts={"127.0.0.1": "CN"}))
    with pytest.raises(TransferBlocked):
        hiding.connect()
    assert permit.asked[0].destination is None


def test_sqlite_is_home_in_a_file_and_in_memory(tmp_path: Path, permit: Permitting) -> None:
    for url in ("sqlite://", f"sqlite:///{tmp_path / 'a.db'}"):
        local = create_engine(url)
        with local.connect() as before:
            guard_engine(local, permit, Territories("CN"))
            assert before.scalar(text("SELECT 1")) == 1
        with local.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        local.dispose()
    assert permit.asked == []
    with pytest.raises(TypeError):
        guard_engine("sqlite://", permit, Territories("CN"))
