"""A PostgreSQL database as a place to restore into."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import psycopg
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from storage_adapters.backups.contract import Content, Form, SetFile, SetReader
from storage_adapters.backups.places.copying import copy_into
from storage_adapters.backups.places.damage import Unfit
from storage_adapters.backups.places.pg_loading import Later, PgLoading, Wire
from storage_adapters.backups.places.programs import Programs, said_by
from storage_adapters.backups.places.streams import unpacked
from storage_adapters.backups.places.verdicts import translated
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.sql import SqlStore
from storage_adapters.sql.postgres import Postgres

_SUFFIX = "__retention_restore"
_LONGEST_NAME = 63
_MAINTENANCE = "postgres"
_UNRELEASED = "retention: a restore that has not been released; the next one drops it"
_GIVING_WAY = "retention: empty, and closed while a restored database takes its name"
_LOCK_CLASS = 0x52455354  # "REST"; the advisory locks of this kind in the maintenance database

# 16384 is the first number that objects of users get; what an extension brought is not the users' either
_FIRST_OF_USERS = 16384
_HOLDS_SOMETHING = text(f"""
    SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid >= {_FIRST_OF_USERS} AND relkind IN ('r','v','m','S','f','p')
                   AND relnamespace NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_'))
        OR EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= {_FIRST_OF_USERS} AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e'))
        OR EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
""")  # noqa: S608 - a number of ours
_DATABASE = text("""
    SELECT datname, pg_catalog.pg_encoding_to_char(encoding) AS encoding, datcollate, datctype,
           pg_catalog.pg_has_role(datdba, 'USAGE') AS is_ours,
           pg_catalog.shobj_description(oid, 'pg_database') AS mark
    FROM pg_catalog.pg_database WHERE datname = :name
""")
_OTHERS = text("""
    SELECT count(*) FROM pg_catalog.pg_stat_activity
    WHERE datname = :name AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'
""")
_DISCONNECT = text("""
    SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
    WHERE datname = :name AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'
""")


class PostgresPlace:
    """The database that `url` names, absent or empty, under the contract of `RestorePlace`.

    A restore is made in a database beside it, `<name>__retention_restore`, which bears a mark (its comment) and into
    which only its owner, who is the role of `url`, may connect. Superusers cannot be kept out.

    Dumps are carried out over one connection, statement by statement; no client program reads their text, so none of
    its commands is ever obeyed. `pg_restore` is used to turn archives into text; it gets no connection and no password.
    What pg_dump does not write is refused; see `pg_rules`. All the same a dump brings functions with it, which the
    server may run, with the role's rights: let the role be one that may create databases and nothing more, no superuser.

    Triggers and rules are made, row level security switched on, and materialized views filled only at the release:
    erasing fires nothing and sees every row, and no materialized view keeps what was erased.

    Its encoding and locale are those of the empty final database; privileges and settings of that one are not carried over.
    What was erased is gone for every reader; its bytes stay in the server's files until VACUUM, as after every DELETE.

    How it is released: the empty final database is closed and looked into once more, and dropped. Then, in one
    transaction, the staging database gets the final name, is opened for others, and loses its mark. Killed before that
    transaction, there is no final database and the marked one is dropped by the next `begin`; killed after it, all is
    released and nothing bears a mark that a `begin` could take for a leftover.
    """

    takes = Content.ROWS

    def __init__(self, name: str, url: str, programs: Programs | None = None, scratch: Path | None = None) -> None:
        """Connects to nothing yet. `scratch` is where archives are spooled, by default the system's folder for such.

        Raises ValueError where the URL is not of PostgreSQL or names no database.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() != "postgresql" or parsed.database in (None, "", _MAINTENANCE):
            raise ValueError("a PostgreSQL place needs a URL such as postgresql://host/database")
        self._name = name
        self.url = parsed.set(drivername="postgresql+psycopg")
        self.final = parsed.database or ""
        self.staging = _beside(self.final)
        self.programs = programs or Programs()
        self.scratch = scratch

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @contextmanager
    def begin(self) -> Iterator[PostgresStaging]:
        """Begin a restore; leaving the block without a release drops the staging database.

        What a killed restore left is dropped first, if it bears the mark or is empty. Raises Refused where the final
        database holds something, where another restore is under way, or where the role may not create databases;
        Unavailable where the server does not answer.
        """
        with ExitStack() as closing:
            maintenance = closing.enter_context(self._maintenance())
            with self.speaking():
                self._lock(maintenance)
                self._reopen(maintenance)
                if (final := self.database(maintenance, self.final)) is not None:
                    if not final["is_ours"]:
                        raise Refused(self._name, "the role of the URL does not own the database to restore into")
                    self.check_empty()
                self._drop_leftover(maintenance)
                self._create(maintenance)
            staging = PostgresStaging(self, maintenance)
            try:
                yield staging
            finally:
                staging.leave()

    # ------------------------------------------------------------------------------ what the staging uses too

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Errors of the database leave the block as the place's own."""
        with translated(self._name, Postgres()):
            yield

    @contextmanager
    def connected(self, database: str) -> Iterator[Connection]:
        """A connection to this database, each statement its own transaction."""
        with self.speaking():
            engine = _engine(self.url.set(database=database))
            with engine.connect() as connection:
                yield connection

    def check_empty(self) -> None:
        """Raises Refused where the final database holds tables, views, sequences, routines or large objects."""
        with self.connected(self.final) as connection:
            if connection.execute(_HOLDS_SOMETHING).scalar():
                raise Refused(self._name, "the database to restore into is not empty")

    def database(self, connection: Connection, name: str) -> dict[str, object] | None:
        """What the server says of the database of this name, None where there is none."""
        row = connection.execute(_DATABASE, {"name": name}).mappings().first()
        return None if row is None else dict(row)

    def drop(self, connection: Connection, name: str) -> None:
        """No database of this name is there, whoever was connected to it."""
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")

    def give_way(self, maintenance: Connection) -> None:
        """The final database is gone. Nobody comes in from the last look into it on; raises Refused where it is used."""
        final = quoted(self.final)
        with self.connected(self.final) as connection:
            self._mark(maintenance, f"ALTER DATABASE {final} ALLOW_CONNECTIONS false", self.final, _GIVING_WAY)
            try:
                if connection.execute(_OTHERS, {"name": self.final}).scalar():
                    raise Refused(self._name, "the database to restore into is in use")
                if connection.execute(_HOLDS_SOMETHING).scalar():
                    raise Refused(self._name, "the database to restore into is no longer empty")
            except BaseException:
                self._reopen(maintenance)
                raise
        self.drop(maintenance, self.final)

    def _mark(self, connection: Connection, statement: str, database: str, mark: str | None) -> None:
        """The statement and the mark, in one transaction."""
        word = "NULL" if mark is None else f"'{mark}'"
        _together(connection, statement, f"COMMENT ON DATABASE {quoted(database)} IS {word}")

    def publish(self, maintenance: Connection) -> None:
        """In one transaction: the staging database bears the final name, is open to others, and has no mark."""
        maintenance.execute(_DISCONNECT, {"name": self.staging})
        final = quoted(self.final)
        _together(
            maintenance,
            f"ALTER DATABASE {quoted(self.staging)} RENAME TO {final}",
            f"GRANT CONNECT, TEMPORARY ON DATABASE {final} TO PUBLIC",
            f"COMMENT ON DATABASE {final} IS NULL",
        )

    # ------------------------------------------------------------------------------ beginning

    @contextmanager
    def _maintenance(self) -> Iterator[Connection]:
        """A connection to the server that is not to the database itself; it holds the lock."""
        with self.connected(_MAINTENANCE) as connection:
            yield connection

    def _lock(self, maintenance: Connection) -> None:
        key = int.from_bytes(hashlib.sha256(self.final.encode()).digest()[:4], "big", signed=True)
        asked = text("SELECT pg_catalog.pg_try_advisory_lock(:kind, :key)")
        if not maintenance.execute(asked, {"kind": _LOCK_CLASS, "key": key}).scalar():
            raise Refused(self._name, "another restore into this place is under way")

    def _reopen(self, maintenance: Connection) -> None:
        """The final database is not left closed by a release that was killed or refused."""
        found = self.database(maintenance, self.final)
        if found is not None and found["mark"] == _GIVING_WAY:
            reopened = f"ALTER DATABASE {quoted(self.final)} ALLOW_CONNECTIONS true"
            self._mark(maintenance, reopened, self.final, None)

    def _drop_leftover(self, maintenance: Connection) -> None:
        found = self.database(maintenance, self.staging)
        if found is None:
            return
        if found["mark"] != _UNRELEASED:
            with self.connected(self.staging) as connection:
                if connection.execute(_HOLDS_SOMETHING).scalar():
                    raise Refused(self._name, "the name of the staging database is taken by another database")
        self.drop(maintenance, self.staging)

    def _create(self, maintenance: Connection) -> None:
        staging, alike = quoted(self.staging), ""
        if (final := self.database(maintenance, self.final)) is not None:
            words = {word: str(final[word]).replace("'", "''") for word in ("encoding", "datcollate", "datctype")}
            alike = " ENCODING '{encoding}' LC_COLLATE '{datcollate}' LC_CTYPE '{datctype}'".format(**words)
        maintenance.exec_driver_sql(f"CREATE DATABASE {staging} TEMPLATE template0{alike or _UTF8}")
        closed = f"REVOKE ALL ON DATABASE {staging} FROM PUBLIC"
        self._mark(maintenance, closed, self.staging, _UNRELEASED)


_UTF8 = " ENCODING 'UTF8'"


class PostgresStaging:
    """A restore into the staging database. Not thread-safe; the store that it gives is."""

    def __init__(self, place: PostgresPlace, maintenance: Connection) -> None:
        self._place = place
        self._maintenance = maintenance
        self._later = Later()
        self._stores: list[SqlStore] = []
        self._is_released = False

    def load(self, source: SetReader, name: str, files: Sequence[SetFile]) -> None:
        """The dumps among the files are in the staging database, each of them whole or not at all.

        Raises Refused for anything that is no dump of PostgreSQL, and for one that is damaged or holds what a restore
        does not carry out; Unavailable where the server, its disk or the scratch folder gives out.
        """
        archives: dict[str, list[SetFile]] = {}
        dumps: list[SetFile] = []
        for file in files:
            if file.form is Form.PG_DUMP_DIRECTORY:
                archives.setdefault(file.path.rpartition("/")[0], []).append(file)
            elif file.form in (Form.PG_DUMP_PLAIN, Form.PG_DUMP_CUSTOM):
                dumps.append(file)
            else:
                raise Refused(self._place.name, f"a {file.form} cannot be restored into PostgreSQL")
        try:
            for file in dumps:
                with source.open(name, file.path) as stream:
                    if file.form is Form.PG_DUMP_PLAIN:
                        self._load_plain(stream)
                    else:
                        self._load_custom(stream)
            for members in archives.values():
                self._load_directory(source, name, members)
        except Unfit as unfit:
            raise Refused(self._place.name, str(unfit)) from unfit
        except OSError as error:
            raise Unavailable(self._place.name, "the dump cannot be read or spooled to its end") from error

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
        """The restored database bears the final name; see `PostgresPlace` for the order and for being killed.

        Raises Refused where the final database is no longer empty or somebody is connected to it, and where the dump
        holds a trigger or a materialized view that cannot be made. A second call does nothing.
        """
        if self._is_released:
            return
        self._close_stores()
        try:
            with self._loading() as loading:
                loading.finish()
        except Unfit as unfit:
            raise Refused(self._place.name, str(unfit)) from unfit
        with self._place.speaking():
            if self._place.database(self._maintenance, self._place.final) is not None:
                self._place.give_way(self._maintenance)
            self._place.publish(self._maintenance)
        self._is_released = True

    def leave(self) -> None:
        """Connections are closed, and the staging database is gone where it was not released."""
        self._close_stores()
        if not self._is_released:
            with self._place.speaking():
                self._place.drop(self._maintenance, self._place.staging)

    def _close_stores(self) -> None:
        while self._stores:
            self._stores.pop().close()

    @contextmanager
    def _loading(self) -> Iterator[PgLoading]:
        with self._place.connected(self._place.staging) as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            try:
                yield PgLoading(self._place.name, cast(Wire, driver.pgconn), self._later)
            except psycopg.Error as error:
                raise Unavailable(self._place.name, "the connection broke off") from error

    def _load_plain(self, stream: BinaryIO) -> None:
        with unpacked(stream) as lines, self._loading() as loading:
            loading.load(lines)

    def _load_custom(self, stream: BinaryIO) -> None:
        with tempfile.TemporaryFile(dir=self._place.scratch) as archive:
            with unpacked(stream) as content:
                copy_into(self._place.name, content, archive)
            archive.seek(0)
            self._load_archive([], archive)

    def _load_directory(self, source: SetReader, name: str, members: Sequence[SetFile]) -> None:
        with tempfile.TemporaryDirectory(dir=self._place.scratch, prefix="retention-restore-") as folder:
            for member in members:
                leaf = member.path.rpartition("/")[2]
                if (
                    re.fullmatch(r"toc\.dat|\d+\.dat(\.gz|\.lz4|\.zst)?|blob\w*\.(toc|dat)(\.gz|\.lz4|\.zst)?", leaf)
                    is None
                ):
                    raise Unfit("a folder dump with a file that pg_dump does not write")
                with source.open(name, member.path) as stream, (Path(folder) / leaf).open("xb") as copy:
                    copy_into(self._place.name, stream, copy)
            _check_paths(Path(folder))
            self._load_archive(["--format=directory", folder], None)

    def _load_archive(self, arguments: list[str], archive: BinaryIO | None) -> None:
        """The archive, as the text that pg_restore makes of it."""
        program = self._place.programs.find(self._place.name, "pg_restore")
        command: list[Path | str] = [program, "--no-owner", "--no-privileges", "--file=-", *arguments]
        with said_by(self._place.name, command, archive) as lines, self._loading() as loading:
            loading.load(lines)


_CLIMBING = re.compile(rb"\x00..\x00\x00(?:\.?/)*\.\./", re.DOTALL)
_LARGE_OBJECT = re.compile(rb"\d+ blob_\d+\.dat")


def _check_paths(folder: Path) -> None:
    """Raises Unfit where the archive names a file outside of its folder, which pg_restore would read.

    Its table of contents keeps each text after a byte for its sign and four for its length.
    Source: PostgreSQL, src/bin/pg_dump/pg_backup_archiver.c, `WriteInt` and `WriteStr`.
    """
    for each in folder.iterdir():
        content = each.read_bytes() if each.name.endswith("toc.dat") or each.name.endswith(".toc") else b""
        if each.name == "toc.dat":
            is_climbing = _CLIMBING.search(content) is not None
        else:
            is_climbing = any(_LARGE_OBJECT.fullmatch(line) is None for line in content.splitlines())
        if is_climbing:
            raise Unfit("the folder dump names a file outside of its folder")


def _together(connection: Connection, *statements: str) -> None:
    """All of the statements are done, or none; the connection can be used after either."""
    connection.exec_driver_sql("BEGIN")
    try:
        for statement in statements:
            connection.exec_driver_sql(statement)
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def quoted(name: str) -> str:
    """The name as an identifier, whatever it holds."""
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def _beside(database: str) -> str:
    """A name for the staging database, shortened by a digest where the whole would be too long."""
    name = database + _SUFFIX
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(database.encode()).hexdigest()[:12]
    kept = database.encode()[: _LONGEST_NAME - len(_SUFFIX) - 13].decode(errors="ignore")
    return f"{kept}_{digest}{_SUFFIX}"


def _engine(url: URL) -> Engine:
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool, connect_args={"connect_timeout": 10})
