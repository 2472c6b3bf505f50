"""Real servers for every test that asks: PostgreSQL, MariaDB, Redis and S3.

A server that already runs is used: the one that `RETENTION_TEST_POSTGRES_URL`, `RETENTION_TEST_MARIADB_URL` or
`RETENTION_TEST_REDIS_URL` names, or the one on its usual local port that lets us in without a password. Otherwise, and
with `RETENTION_TEST_SERVICES=own`, the test run starts its own. Tests of a service that cannot be had are skipped, and
the end of the run says so by name.

Folders of tests lie in memory where there is room for them: the product waits for the disk at every step, and no test
pulls the plug. They are gone after the run; `--basetemp=FOLDER` puts them where they stay.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.services import buckets, caches, databases
from tests.services.catalogues import Catalogues, catalogues
from tests.services.server import ServiceMissing, stop_all

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

RUN_FOLDER = pytest.StashKey[Path]()
IN_MEMORY = pytest.StashKey[Path]()
MISSING = "SERVICE MISSING: "

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that have to be free in memory; a whole run needs less than a quarter of them."""

# the many processes that tests start would each compile everything anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


class WorkerNode(Protocol):
    """The part of an xdist worker that its controller writes to before the worker starts."""

    config: pytest.Config
    workerinput: dict[str, str]


class NewBucket(Protocol):
    def __call__(self, *, versioned: bool = True, object_lock: bool = False) -> str: ...


# ------------------------------------------------------------------------------------------- one folder per test run


@pytest.hookimpl(tryfirst=True)  # before pytest reads where the folders of tests shall be
def pytest_configure(config: pytest.Config) -> None:
    given: dict[str, str] | None = getattr(config, "workerinput", None)  # only a worker of xdist has one
    folder = given["run_folder"] if given else tempfile.mkdtemp(prefix="retention-tests-")
    config.stash[RUN_FOLDER] = Path(folder)
    if not given and not config.option.basetemp and (in_memory := _folder_in_memory()):
        config.stash[IN_MEMORY] = in_memory
        config.option.basetemp = str(in_memory)


def _folder_in_memory() -> Path | None:
    """A new folder in memory; None where that has no room, or (before Linux 6.6) cannot do all that a disk can."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return None
    folder = Path(tempfile.mkdtemp(prefix="retention-tests-", dir=MEMORY))
    try:
        os.setxattr(folder, "user.retention", b"")
    except OSError:
        folder.rmdir()
        return None
    return folder


def pytest_collection_finish() -> None:
    """What was imported and collected stays until the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerNode) -> None:
    node.workerinput["run_folder"] = str(node.config.stash[RUN_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        stop_all(config.stash[RUN_FOLDER])
    if IN_MEMORY in config.stash:
        subprocess.run(["rm", "-rf", str(config.stash[IN_MEMORY])], check=True)  # deeper than any path, some of it


@pytest.hookimpl(wrapper=True, tryfirst=True)  # so that it stands last, below pytest's own summary
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    missing: dict[str, list[str]] = {}
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report.longrepr, tuple) and MISSING in report.longrepr[2]:
            missing.setdefault(report.longrepr[2].partition(MISSING)[2], []).append(report.nodeid)
    for service, tests in sorted(missing.items()):
        terminalreporter.section(f"NOT TESTED: no {service} here", sep="!", red=True, bold=True)
        for test in sorted(tests):
            terminalreporter.write_line(f"not run: {test}")
    if missing:
        terminalreporter.write_line(f"Run {' and '.join(sorted(missing))} here to test all of it.", red=True)


@pytest.fixture
def another_file_system(tmp_path: Path) -> Iterator[Path]:
    """An empty folder on another file system than `tmp_path`."""
    others = (MEMORY, Path(tempfile.gettempdir()), Path("/var/tmp"))
    here = tmp_path.stat().st_dev
    other = next((other for other in others if other.is_dir() and other.stat().st_dev != here), None)
    if other is None:
        pytest.skip("no second file system here")
    with tempfile.TemporaryDirectory(dir=other) as folder:
        yield Path(folder)


def _skip_where_missing(server: Callable[[Path], str], config: pytest.Config) -> str:
    try:
        return server(config.stash[RUN_FOLDER])
    except ServiceMissing as missing:
        pytest.skip(f"{MISSING}{missing}")


# ----------------------------------------------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """The URL of a PostgreSQL server (`postgresql+psycopg://…`) on which databases can be created."""
    return _skip_where_missing(databases.postgres_server, pytestconfig)


@pytest.fixture
def new_postgres_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Each call returns the URL of another fresh database, dropped after the test."""
    with ExitStack() as after_the_test:
        yield lambda: after_the_test.enter_context(databases.fresh_database(postgres_url))


@pytest.fixture
def postgres_database(new_postgres_database: Callable[[], str]) -> str:
    """The URL of a fresh database, dropped after the test."""
    return new_postgres_database()


# ------------------------------------------------------------------------------------------------------- MariaDB


@pytest.fixture(scope="session")
def mariadb_url(pytestconfig: pytest.Config) -> str:
    """The URL of a MariaDB server (`mysql+pymysql://…`) on which databases can be created."""
    return _skip_where_missing(databases.mariadb_server, pytestconfig)


@pytest.fixture
def new_mariadb_database(mariadb_url: str) -> Iterator[Callable[[], str]]:
    """Each call returns the URL of another fresh database, dropped after the test."""
    with ExitStack() as after_the_test:
        yield lambda: after_the_test.enter_context(databases.fresh_database(mariadb_url))


@pytest.fixture
def mariadb_database(new_mariadb_database: Callable[[], str]) -> str:
    """The URL of a fresh database, dropped after the test."""
    return new_mariadb_database()


# ----------------------------------------------------------------------------------------------------- catalogues


@pytest.fixture(scope="session")
def server_catalogues() -> Iterator[Catalogues]:
    """One catalogue on each server, emptied for each test that asks for it."""
    with catalogues() as made:
        yield made


# --------------------------------------------------------------------------------------------------------- Redis


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> str:
    """The URL of a Redis server (`redis://…`), without a database number."""
    return _skip_where_missing(caches.redis_server, pytestconfig)


@pytest.fixture
def redis_prefix(redis_url: str) -> Iterator[str]:
    """A key prefix of this test alone in database 0 of `redis_url`; its keys are gone after the test."""
    with caches.fresh_prefix(redis_url) as prefix:
        yield prefix


@pytest.fixture
def redis_database(redis_url: str) -> Iterator[str]:
    """The URL of an empty numbered database of this test alone, emptied after it."""
    with caches.fresh_database(redis_url) as url:
        yield url


# ------------------------------------------------------------------------------------------------------------ S3


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The endpoint URL of an S3 server (moto) of this worker."""
    with buckets.s3_server() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Iterator[S3Client]:
    """A plain boto3 client for `s3_endpoint`, to prepare and to look with other eyes than the product's."""
    with buckets.s3_client_of(s3_endpoint) as client:
        yield client


@pytest.fixture
def new_s3_bucket(s3_client: S3Client) -> NewBucket:
    """Each call returns the name of another fresh bucket; `versioned` (default) and `object_lock` as asked."""

    def new_bucket(*, versioned: bool = True, object_lock: bool = False) -> str:
        return buckets.fresh_bucket(s3_client, versioned=versioned, object_lock=object_lock)

    return new_bucket


@pytest.fixture
def s3_bucket(new_s3_bucket: NewBucket) -> str:
    """The name of a fresh versioned bucket."""
    return new_s3_bucket()
