"""The catalogue's database: opening it, bringing its schema up to date, and transactions.

A transaction here is short and serial where it matters: SQLite takes the write lock at its beginning, the others lock the
customer's row (`lock_customer`) and the ledger's head. Nothing outside the database happens inside a transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from retention.errors import InputError, NotInOrder, RetentionError

_MIGRATIONS = Path(__file__).parent / "migrations"
_PATIENCE = 30_000  # milliseconds that a transaction waits for another one on SQLite
_LOCK_NAME = "CONCAT('retention-schema-', MD5(DATABASE()))"


class CatalogUnavailable(RetentionError):
    """The catalogue's database cannot be reached or refuses us; nothing was done."""


class Catalog:
    """The open catalogue. Thread-safe; each transaction uses its own connection."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._barred: str | None = None

    def bar(self, reason: str) -> None:
        """Nobody reads or writes through this catalogue from now on: NotInOrder, with this reason."""
        self._barred = reason

    def lift(self) -> None:
        """The catalogue is as it should be, and open to all again."""
        self._barred = None

    def beyond_the_bar(self) -> Catalog:
        """The same catalogue for whoever puts it in order. Closing either closes both."""
        return Catalog(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session whose changes are durable when the block ends, and undone together when it raises."""
        self._check_bar()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for reading only, all of it as of one moment; whatever it changed would be undone."""
        self._check_bar()
        with Session(self.engine, expire_on_commit=False) as session:
            if self.engine.dialect.name == "sqlite":
                session.connection().exec_driver_sql("BEGIN")
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    def _check_bar(self) -> None:
        if self._barred is not None:
            raise NotInOrder(self._barred)

    def forget_freed_pages(self) -> None:
        """Make what was deleted unreadable in the database's own files, as far as the database can.

        SQLite: freed cells are overwritten (`secure_delete`), and the log is folded in and truncated. Other databases keep
        old row versions in tables, logs and replicas until they are vacuumed: that is why epoch keys are destroyed.
        Where somebody is reading, the log stays as it is after a second of waiting, and the next call empties it.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=1000")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE}")

    def close(self) -> None:
        """Close all connections. A second call does nothing."""
        self.engine.dispose()


def open_catalog(url: str) -> Catalog:
    """The catalogue at the SQLAlchemy `url`, with its schema brought up to date.

    Creates a SQLite file and its folder where missing. Raises InputError for a URL of another kind of database, and
    CatalogUnavailable where the server cannot be reached.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise InputError(
            f"catalog.url: {backend!r} is not supported; write sqlite, postgresql+psycopg or mysql+pymysql"
        )
    if backend == "sqlite" and parsed.database and not parsed.database.startswith((":memory:", "file:")):
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if backend == "sqlite":
        engine = create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
    else:  # what is read under a lock has to be what the one before left there; MariaDB would show an older state
        engine = create_engine(parsed, pool_pre_ping=True, isolation_level="READ COMMITTED")
    try:
        _upgrade(engine)
    except DBAPIError as error:
        engine.dispose()
        raise CatalogUnavailable(
            f"the catalogue at {parsed.render_as_string()} cannot be opened: {error.orig}"
        ) from error
    return Catalog(engine)


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where `transaction` says so
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        f"busy_timeout={_PATIENCE}",
    ):
        connection.cursor().execute(f"PRAGMA {pragma}")


def _upgrade(engine: Engine) -> None:
    with engine.connect() as connection:
        if _version(connection) == _newest_version():
            return  # as nearly always: nobody is waited for, and nothing more has to be imported
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection, _alone(connection):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()  # before others are let in: which version it is now is seen only after this


def _version(connection: Connection) -> str | None:
    """The schema that the database has, None where it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _newest_version() -> str:
    """The schema of this program: the number of its last migration, which its file is named after."""
    newest = max(path.stem for path in (_MIGRATIONS / "versions").glob("v*.py"))
    return newest.removeprefix("v").partition("_")[0]


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Nobody else changes the schema meanwhile; another process that starts at the same moment waits."""
    match connection.dialect.name:
        case "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield
        case "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7236112)"))
            yield
        case _:  # a schema change ends the transaction here, so the lock is the connection's
            connection.execute(text(f"SELECT GET_LOCK({_LOCK_NAME}, 600)"))
            try:
                yield
            finally:
                connection.execute(text(f"SELECT RELEASE_LOCK({_LOCK_NAME})"))
