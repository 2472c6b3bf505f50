"""A MariaDB database as a place to restore into."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import pymysql
from pymysql.connections import Connection as Wire
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from storage_adapters.backups.contract import Content, Form, SetFile, SetReader
from storage_adapters.backups.places.damage import Unfit, at
from storage_adapters.backups.places.my_rules import Doing, database_of, doing_of, without_definer
from storage_adapters.backups.places.my_script import MyScript
from storage_adapters.backups.places.streams import unpacked
from storage_adapters.backups.places.verdicts import translated
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.sql import SqlStore
from storage_adapters.sql.mariadb import SYSTEM_SCHEMAS, MariaDB

_SUFFIX = "__retention_restore"
_LONGEST_NAME = 64
_UNRELEASED = "retention: a restore that has not been released; the next one drops it"
MARK = "retention_restore_unfinished"
"""The table that the final database holds from the move of the tables to the end of the release. It names them."""

_AS_DUMPS_ASSUME = b"SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"  # `--compact` ones do not say so
_FULL = frozenset({3, 28, 1021, 1114})
_LOST = frozenset({0, 1053, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2002, 2003, 2006, 2013})

_FOUND = text("""
    SELECT default_character_set_name AS charset, default_collation_name AS collation, schema_comment AS mark
    FROM information_schema.schemata WHERE schema_name = :name
""")
_HOLDS_SOMETHING = text("""
    SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = :name)
        OR EXISTS (SELECT 1 FROM information_schema.routines WHERE routine_schema = :name)
        OR EXISTS (SELECT 1 FROM information_schema.events WHERE event_schema = :name)
""")
_HAS_MARK = text("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = :name AND table_name = :mark")
_MADE = text("""
    SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = :name
    UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = :name
    UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = :name
    ORDER BY 1, 2
""")
# with others, changing a row of the staging database may change one somewhere else
_REACHES_OUT = text("""
    SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = :name AND table_type <> 'SEQUENCE'
       AND COALESCE(engine, '') NOT IN ('InnoDB', 'MyISAM', 'Aria', 'MEMORY', 'ARCHIVE', 'CSV', 'ROCKSDB', 'Columnstore')
""")
_TABLES = text("SELECT table_name FROM information_schema.tables WHERE table_schema = :name ORDER BY 1")


class MariaDbPlace:
    """The database that `url` names, absent or empty, under the contract of `RestorePlace`.

    A restore is made in a database beside it, `<name>__retention_restore`, which bears a mark (its comment). No grant on
    that name is made; accounts with rights on every database, or on a pattern that matches the name, cannot be kept out.

    Dumps are carried out over one connection, statement by statement; no client program reads their text, so none of
    its commands is ever obeyed and no file of this machine is read. What the dump programs do not write is refused, see
    `my_rules`. Let the account have rights on these two databases and no others: a dump brings routines with it.

    Views, triggers, routines and events are made only at the release, in the final database: none of them can be moved
    there, and erasing fires no trigger. The account of `url` becomes their definer.

    How it is released: every table, and one more that is the mark of a release under way, is moved into the final
    database by one RENAME TABLE, which the server does as a whole or not at all. Then views and routines are made, and the
    mark is dropped last. Killed before the move, the final database is empty. Killed after it, it holds cleaned rows and
    the mark, which names the tables that were moved: the next `begin` drops these. Where there is no mark, nothing is.
    """

    takes = Content.ROWS

    def __init__(self, name: str, url: str) -> None:
        """Connects to nothing yet. Raises ValueError where the URL is not of MariaDB or names no database of a user."""
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("mysql", "mariadb") or not parsed.database:
            raise ValueError("a MariaDB place needs a URL such as mariadb://host/database")
        if parsed.database.lower() in SYSTEM_SCHEMAS:
            raise ValueError("a MariaDB place is no database of the server's own")
        self._name = name
        self.url = parsed.set(drivername="mysql+pymysql")
        self.final = parsed.database
        self.staging = _beside(self.final)

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @contextmanager
    def begin(self) -> Iterator[MariaDbStaging]:
        """Begin a restore; leaving the block without a release drops the staging database.

        What a killed restore or release left is dropped first, if it bears a mark. Raises Refused where the final
        database holds something, where another restore is under way, or where the account may not create databases;
        Unavailable where the server does not answer.
        """
        with self.connected(None) as maintenance:
            self._lock(maintenance)
            self.drop_unfinished(maintenance)
            self.check_empty(maintenance)
            found = self.database(maintenance, self.staging)
            if found is not None and found["mark"] != _UNRELEASED:
                raise Refused(self._name, "the name of the staging database is taken by another database")
            self.drop(maintenance, self.staging)
            self.create(maintenance, self.staging, _UNRELEASED)
            staging = MariaDbStaging(self, maintenance)
            try:
                yield staging
            finally:
                staging.leave()

    # ------------------------------------------------------------------------------ what the staging uses too

    @contextmanager
    def connected(self, database: str | None) -> Iterator[Connection]:
        """A connection to this database, or to none; each statement is its own transaction."""
        url = self.url.set(database=database or "")
        with translated(self._name, MariaDB()):
            options = {"connect_timeout": 10, "charset": "utf8mb4", "local_infile": False}
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args=options)
            with engine.connect() as connection:
                yield connection

    def database(self, connection: Connection, name: str) -> dict[str, object] | None:
        """What the server says of the database of this name, None where there is none."""
        row = connection.execute(_FOUND, {"name": name}).mappings().first()
        return None if row is None else dict(row)

    def check_empty(self, connection: Connection) -> None:
        """Raises Refused where the final database holds tables, views, sequences, routines or events."""
        if connection.execute(_HOLDS_SOMETHING, {"name": self.final}).scalar():
            raise Refused(self._name, "the database to restore into is not empty")

    def create(self, connection: Connection, name: str, mark: str = "") -> None:
        """A database of this name is there, with this comment, and the final one's character set where there is one."""
        found = self.database(connection, self.final)
        charset, collation = (found["charset"], found["collation"]) if found else ("utf8mb4", "utf8mb4_general_ci")
        alike = f"CHARACTER SET {charset} COLLATE {collation} COMMENT '{mark}'"
        connection.exec_driver_sql(f"CREATE DATABASE {quoted(name)} {alike}")

    def drop(self, connection: Connection, name: str) -> None:
        """No database of this name is there."""
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)}")

    def drop_unfinished(self, connection: Connection) -> None:
        """Where a release into the final database has not come to its end, what it put there is gone, its mark last."""
        marks = {"name": self.final, "mark": MARK}
        if not connection.execute(_HAS_MARK, marks).scalar():
            return
        final = quoted(self.final)
        moved = connection.exec_driver_sql(f"SELECT name FROM {final}.{MARK}").scalars().all()  # noqa: S608 - quoted
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        for table in moved:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {final}.{quoted(table)}")
        for kind, name in connection.execute(_MADE, {"name": self.final}).all():
            connection.exec_driver_sql(f"DROP {kind} IF EXISTS {final}.{quoted(name)}")
        connection.exec_driver_sql(f"DROP TABLE {final}.{MARK}")

    def _lock(self, maintenance: Connection) -> None:
        key = "retention restore " + hashlib.sha256(self.final.encode()).hexdigest()[:32]
        if maintenance.execute(text("SELECT GET_LOCK(:key, 0)"), {"key": key}).scalar() != 1:
            raise Refused(self._name, "another restore into this place is under way")


class MariaDbStaging:
    """A restore into the staging database. Not thread-safe; the store that it gives is."""

    def __init__(self, place: MariaDbPlace, maintenance: Connection) -> None:
        self._place = place
        self._maintenance = maintenance
        self._later: list[tuple[int, bytes]] = []
        self._stores: list[SqlStore] = []
        self._is_released = False

    def load(self, source: SetReader, name: str, files: Sequence[SetFile]) -> None:
        """The tables of the dumps are in the staging database. One without comments (`--compact`) may be cut unnoticed.

        Raises Refused for anything that is no dump of MariaDB or MySQL, and for one that is damaged or holds what a
        restore does not carry out; Unavailable where the server or its disk gives out. After either, leave the block.
        """
        if wrong := next((file.form for file in files if file.form is not Form.MYSQL_DUMP), None):
            raise Refused(self._place.name, f"a {wrong} cannot be restored into MariaDB")
        try:
            for file in files:
                with source.open(name, file.path) as stream, unpacked(stream) as lines:
                    self._load(lines)
        except Unfit as unfit:
            raise Refused(self._place.name, str(unfit)) from unfit
        except OSError as error:
            raise Unavailable(self._place.name, "the dump cannot be read to its end") from error
        with translated(self._place.name, MariaDB()):
            if self._maintenance.execute(_REACHES_OUT, {"name": self._place.staging}).scalar():
                raise Refused(self._place.name, "a table of the dump has an engine that keeps rows elsewhere")

    def store(self) -> SqlStore:
        """The staging database as a store."""
        url = self._place.url.set(database=self._place.staging)
        store = SqlStore(self._place.name, url.render_as_string(hide_password=False))
        self._stores.append(store)
        return store

    def forget(self, is_known: Callable[[str], bool]) -> int:
        """Nothing is removed: rows have no paths. 0."""
        return 0

    def release(self) -> None:
        """Everything is in the final database; see `MariaDbPlace` for the order and for being killed.

        Raises Refused where that is no longer empty, and where a view, trigger or routine of the dump cannot be made: the
        final database is empty again then. A second call does nothing.
        """
        if self._is_released:
            return
        self._close_stores()
        place, connection = self._place, self._maintenance
        with translated(place.name, MariaDB()):
            place.check_empty(connection)
            if place.database(connection, place.final) is None:
                place.create(connection, place.final)
            self._move()
            try:
                self._make_later()
            except Unfit as unfit:
                raise Refused(place.name, str(unfit)) from unfit
            connection.exec_driver_sql(f"DROP TABLE {quoted(place.final)}.{MARK}")
        self._is_released = True

    def leave(self) -> None:
        """Connections are closed, the staging database is gone, and the final one is empty where it was not released."""
        self._close_stores()
        with translated(self._place.name, MariaDB()):
            if not self._is_released:
                self._place.drop_unfinished(self._maintenance)
            self._place.drop(self._maintenance, self._place.staging)

    def _close_stores(self) -> None:
        while self._stores:
            self._stores.pop().close()

    # ------------------------------------------------------------------------------ statements

    def _load(self, lines: IO[bytes]) -> None:
        own: str | None = None
        with self._wire(self._place.staging) as wire:
            self._run(wire, 0, _AS_DUMPS_ASSUME)
            for statement in MyScript(lines).statements():
                doing = doing_of(statement)
                if doing is Doing.REFUSE:
                    raise at(statement.line, "a statement that a restore does not carry out")
                if doing is Doing.DATABASE:
                    if own not in (None, database_of(statement)):
                        raise at(statement.line, "the dump is of more than one database")
                    own = database_of(statement)
                if doing in (Doing.RUN, Doing.SETTING):
                    self._run(wire, statement.line, statement.text)
                if doing in (Doing.SETTING, Doing.LATER):
                    self._later.append((statement.line, without_definer(statement.text)))

    def _move(self) -> None:
        """Every table and sequence is in the final database: all at once, or none."""
        place = self._place
        connection, staging, final = self._maintenance, quoted(place.staging), quoted(place.final)
        tables = connection.execute(_TABLES, {"name": place.staging}).scalars().all()
        connection.exec_driver_sql(f"CREATE TABLE {staging}.{MARK} (name VARCHAR(64) NOT NULL)")
        for table in tables:
            connection.execute(text(f"INSERT INTO {staging}.{MARK} VALUES (:table)"), {"table": table})  # noqa: S608 - quoted
        moves = [f"{staging}.{quoted(table)} TO {final}.{quoted(table)}" for table in (*tables, MARK)]
        connection.exec_driver_sql(f"RENAME TABLE {', '.join(moves)}")

    def _make_later(self) -> None:
        with self._wire(self._place.final) as wire:
            for line, statement in self._later:
                self._run(wire, line, statement)

    @contextmanager
    def _wire(self, database: str) -> Iterator[Wire[pymysql.cursors.Cursor]]:
        with self._place.connected(database) as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, Wire)
            yield driver

    def _run(self, wire: Wire[pymysql.cursors.Cursor], line: int, statement: bytes) -> None:
        """The server takes exactly one statement at a time: the driver does not ask for more."""
        try:
            wire.query(statement)
        except pymysql.Error as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            if code in _FULL:
                raise Unavailable(self._place.name, f"its disk is full at line {line} of the dump ({code})") from error
            if code in _LOST:
                raise Unavailable(self._place.name, f"the connection broke at line {line} of the dump") from error
            raise at(line, f"the database refuses the statement ({code})") from error


def quoted(name: str) -> str:
    """The name as an identifier, whatever it holds."""
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def _beside(database: str) -> str:
    """A name for the staging database, shortened by a digest where the whole would be too long."""
    if len(database + _SUFFIX) <= _LONGEST_NAME:
        return database + _SUFFIX
    digest = hashlib.sha256(database.encode()).hexdigest()[:12]
    return f"{database[: _LONGEST_NAME - len(_SUFFIX) - 13]}_{digest}{_SUFFIX}"
