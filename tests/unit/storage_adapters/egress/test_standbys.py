"""Readers of a database's log: a real walsender and a registered replica are seen, and hidden ones are refused."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pymysql
import pytest
from psycopg.pq import ConnStatus, PGconn
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from storage_adapters.egress import StandbyEgress
from storage_adapters.egress.contract import Change, Destination, Part, WayKind, WayOut
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.sql.dialect import Limits

REGISTER = 0x15
"""The command by which a replica tells its source who it is. Source: MariaDB, "COM_REGISTER_SLAVE"."""


def say(url: URL | str, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def ways_of(url: URL | str) -> tuple[WayOut, ...]:
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    store = StandbyEgress("orders", shown, limits=Limits(attempts=1))
    try:
        return store.ways_out()
    finally:
        store.close()


def conninfo(url: str, **more: str) -> str:
    given = make_url(url)
    words = {"host": given.host, "port": given.port, "user": given.username, "password": given.password}
    return psycopg.conninfo.make_conninfo("", **words, dbname=given.database, **more)


@contextmanager
def standby(url: str, name: str, slot: str = "") -> Iterator[None]:
    """A connection that streams the log, as a standby's does."""
    connection = PGconn.connect(conninfo(url, replication="database", application_name=name).encode())
    try:
        assert connection.status == ConnStatus.OK, connection.error_message
        place = connection.exec_(b"IDENTIFY_SYSTEM").get_value(0, 2)
        assert place is not None
        how = f"SLOT {slot} PHYSICAL" if slot else "PHYSICAL"
        connection.exec_(f"START_REPLICATION {how} {place.decode()}".encode())
        yield
    finally:
        connection.finish()


@contextmanager
def replica(url: str, host: str) -> Iterator[None]:
    """A connection that has registered itself as a replica."""
    given = make_url(url)
    connection = pymysql.connect(
        host=given.host, port=given.port or 3306, user=given.username, password=given.password or ""
    )
    number, name = secrets.randbelow(2**31) + 2, host.encode()
    words = struct.pack("<IB", number, len(name)) + name + struct.pack("<BBHII", 0, 0, 3306, 0, 0)
    try:
        connection._execute_command(REGISTER, words)  # type: ignore[attr-defined]
        connection._read_ok_packet()  # type: ignore[attr-defined]
        yield
    finally:
        connection.close()


@pytest.fixture
def postgres_user(postgres_database: str) -> Iterator[URL]:
    """A user of the database without any right but to enter it."""
    name = f"retention_test_{secrets.token_hex(6)}"
    say(postgres_database, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
    yield make_url(postgres_database).set(username=name, password="secret")
    say(postgres_database, f"DROP ROLE {name}")


@pytest.fixture
def mariadb_user(mariadb_database: str) -> Iterator[URL]:
    """A user of the database without any right but to enter it."""
    url = make_url(mariadb_database)
    name = f"retention_{secrets.token_hex(6)}"
    say(url, f"CREATE USER {name}@'%' IDENTIFIED BY 'secret'", f"GRANT SELECT ON `{url.database}`.* TO {name}@'%'")
    yield url.set(username=name, password="secret")
    say(url, f"DROP USER {name}@'%'")


def test_a_standby_of_postgresql_is_seen_while_it_streams(postgres_database: str) -> None:
    name = f"standby-{secrets.token_hex(4)}"
    host = make_url(postgres_database).host
    with standby(postgres_database, name):
        found = [way for way in ways_of(postgres_database) if way.name.startswith(name)]
    assert found == [WayOut(WayKind.STANDBY, f"{name} at {host}", Destination(host=host), "", is_on=True)]


def test_a_slot_of_postgresql_is_a_way_out_that_is_off_while_nobody_uses_it(postgres_database: str) -> None:
    slot = f"retention_{secrets.token_hex(4)}"
    say(postgres_database, f"SELECT pg_create_physical_replication_slot('{slot}')")
    try:
        off = [way for way in ways_of(postgres_database) if way.name == f"slot {slot}"]
        with standby(postgres_database, "x", slot):
            on = [way for way in ways_of(postgres_database) if way.name == f"slot {slot}"]
    finally:
        one = f"FROM pg_replication_slots WHERE slot_name = '{slot}'"
        say(postgres_database, f"SELECT pg_terminate_backend(active_pid, 5000) {one} AND active")
        say(postgres_database, f"SELECT pg_drop_replication_slot(slot_name) {one}")
    assert [(way.is_on, way.destination.host) for way in off + on] == [
        (False, None),
        (True, make_url(postgres_database).host),
    ]


def test_a_postgresql_user_who_may_not_see_is_refused_and_told_what_to_grant(
    postgres_database: str, postgres_user: URL
) -> None:
    name = f"standby-{secrets.token_hex(4)}"
    with standby(postgres_database, name):
        with pytest.raises(Refused, match="grant the role pg_monitor or pg_read_all_stats") as refused:
            ways_of(postgres_user)
        assert "secret" not in str(refused.value)
        say(postgres_database, f"GRANT pg_monitor TO {postgres_user.username}")
        assert any(way.name.startswith(name) for way in ways_of(postgres_user))


def test_a_replica_of_mariadb_is_seen_while_it_is_registered(mariadb_database: str) -> None:
    host = f"{secrets.token_hex(4)}.example"
    way = WayOut(WayKind.STANDBY, f"replica at {host}", Destination(host=host), "", is_on=True)
    with replica(mariadb_database, host):
        assert way in ways_of(mariadb_database)
    assert way not in ways_of(mariadb_database)


@pytest.mark.parametrize(
    "granted",
    ["USAGE", "PROCESS", "REPLICATION MASTER ADMIN"],
    ids=["who may see neither", "who may only see processes", "who may only see registered replicas"],
)
def test_a_mariadb_user_who_may_not_see_all_is_refused(mariadb_database: str, mariadb_user: URL, granted: str) -> None:
    say(mariadb_database, f"GRANT {granted} ON *.* TO {mariadb_user.username}@'%'")
    with pytest.raises(Refused, match=r"grant REPLICATION MASTER ADMIN and PROCESS on \*\.\*"):
        ways_of(mariadb_user)


def test_a_mariadb_user_with_both_rights_sees_all(mariadb_database: str, mariadb_user: URL) -> None:
    say(mariadb_database, f"GRANT PROCESS, REPLICATION MASTER ADMIN ON *.* TO {mariadb_user.username}@'%'")
    host = f"{secrets.token_hex(4)}.example"
    with replica(mariadb_database, host):
        assert f"replica at {host}" in [way.name for way in ways_of(mariadb_user)]


def test_sqlite_has_no_ways_out(tmp_path: Path) -> None:
    assert ways_of(f"sqlite:///{tmp_path / 'x.db'}") == ()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        ways_of("postgresql+psycopg://nobody@127.0.0.1:9/x")


def test_a_database_s_ways_out_are_reported_and_not_closed(tmp_path: Path) -> None:
    store = StandbyEgress("orders", f"sqlite:///{tmp_path / 'x.db'}")
    way = WayOut(WayKind.STANDBY, "a at b", Destination(host="b"), "", is_on=True)
    assert (store.name, store.closing(way), store.fencing("")) == ("orders", None, None)
    for turn in (store.apply, store.undo):
        with pytest.raises(Refused, match="not changed from here"):
            turn(Change(Part.POLICY, None, "{}"))
    store.close()
    store.close()
