"""A guard for SQLAlchemy engines: a database abroad is not even connected to without a decision."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from retention.guards.permit import Permit, Territories, current_subject
from retention.guards.whereabouts import Whereabouts, insist
from retention.model.transfer import Crossing

_MARK = "retention-guard"
_ELSEWHERE = {"dsn", "conninfo", "service", "servicefile", "read_default_file", "read_default_group", "option_files"}
"""Parameters by which a driver takes its host from a place that is not read here."""
_MAKERS = {"async_creator_fn", "async_creator"}


def guard_engine(engine: Any, permit: Permit, territories: Territories, place: str | None = None) -> None:
    """From now on the engine opens and uses connections abroad only where `permit` allows it at that moment.

    engine: an Engine or an AsyncEngine. place: what the database is called in questions and messages; by default its name
    and host. Asked, with whose data `working_for` says: before a connection is made, whenever one is taken from the pool,
    and before each statement. A connection that lies in the pool already is closed and made again. What is refused raises
    TransferBlocked. A host counts by its listing in `territories.hosts`; a socket by the listing of `localhost` or its path;
    only SQLite is home unlisted. A `creator` hides where it connects: unknown. A second guard is asked as well.
    Source: clause 6.12.
    """
    target: Engine = getattr(engine, "sync_engine", engine)
    if not isinstance(target, Engine):
        raise TypeError("guard_engine takes an Engine or an AsyncEngine")
    guard = _Guard(permit, Whereabouts(territories), target, place)
    event.listen(target, "do_connect", guard.before_connecting)
    event.listen(target, "connect", guard.once_connected)
    event.listen(target, "checkout", guard.at_checkout)
    event.listen(target, "before_cursor_execute", guard.before_statement)


class _Guard:
    """What one call of `guard_engine` put in place. Where a connection leads is written on the connection itself."""

    def __init__(self, permit: Permit, whereabouts: Whereabouts, engine: Engine, place: str | None) -> None:
        self._permit = permit
        self._whereabouts = whereabouts
        self._is_file = engine.dialect.name == "sqlite"
        self._place = place or f"{engine.url.database or 'a database'} at {engine.url.host or 'an unnamed host'}"
        self._mark = f"{_MARK}-{id(self)}"

    def before_connecting(
        self, dialect: Dialect, record: ConnectionPoolEntry | None, cargs: Sequence[Any], cparams: Mapping[str, Any]
    ) -> None:
        """The connection may be made. Raises TransferBlocked."""
        there = self._leads_to(dialect, cargs, cparams)
        self._ask(there)
        if record is not None:
            record.info[self._mark] = (there,)

    def once_connected(self, connection: Any, record: ConnectionPoolEntry) -> None:
        """A connection that came past `before_connecting` (a creator's) leads to the unknown, or is closed again."""
        if self._mark in record.info or self._is_file:
            return
        try:
            self._ask(None)
        except BaseException:
            connection.close()
            raise
        record.info[self._mark] = (None,)

    def at_checkout(self, _connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
        """It may be used now. Raises TransferBlocked; DisconnectionError (and the pool makes it again) if made unguarded."""
        if self._is_file:
            return
        if self._mark not in record.info:
            raise DisconnectionError("made before the engine was guarded")
        self._ask(record.info[self._mark][0])

    def before_statement(self, connection: Connection, *_: object) -> None:
        """The statement may be sent. Raises TransferBlocked."""
        if not self._is_file:
            self._ask(connection.connection.info.get(self._mark, (None,))[0])

    def _ask(self, there: str | None) -> None:
        if there == self._whereabouts.home:
            return
        subject = current_subject()
        customer, dataset = (subject.customer, subject.dataset) if subject else (None, None)
        insist(self._permit, Crossing(customer, dataset, self._whereabouts.home, there, self._place))

    def _leads_to(self, dialect: Dialect, cargs: Sequence[Any], cparams: Mapping[str, Any]) -> str | None:
        if self._is_file:
            return self._whereabouts.home
        if cargs or any(cparams.get(name) for name in _ELSEWHERE | _MAKERS):
            return None
        hosts = [cparams.get("host"), cparams.get("unix_socket")]
        if dialect.name == "postgresql" and dialect.driver.startswith("psycopg"):
            if os.environ.get("PGSERVICE"):
                return None
            hosts = [
                cparams.get("host") or os.environ.get("PGHOST"),
                cparams.get("hostaddr") or os.environ.get("PGHOSTADDR"),
            ]
        names = [name for given in hosts if given for name in str(given).split(",")]
        ports = str(cparams.get("port") or "").split(",")
        port = int(ports[0]) if len(ports) == 1 and ports[0].isdigit() else None
        return self._whereabouts.agreed(self._of(name, port) for name in names)

    def _of(self, name: str, port: int | None) -> str | None:
        is_socket = name.startswith(("/", "@"))
        listed = self._whereabouts.of_host(name, port)
        return listed or (self._whereabouts.of_host("localhost") if is_socket else None)
