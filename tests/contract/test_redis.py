"""The Redis store passes the suite on a real server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from redis import Redis

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import KeyPattern, Place
from storage_adapters.redis import RedisStore


class RedisBench:
    """Keys `<prefix>features:<customer>:<name>`, written and read by a plain client."""

    place_kinds: frozenset[type[Place]] = frozenset({KeyPattern})
    has_bytes = False

    def __init__(self, url: str, prefix: str) -> None:
        self.store = RedisStore("cache", url)
        self.client: Redis = Redis.from_url(url)
        self._prefix = f"{prefix}features:"

    def place(self, customer: str) -> Place:
        return KeyPattern((self._prefix, customer, ":", None))

    def part(self, customer: str, name: str) -> Place:
        return KeyPattern((self._prefix, customer, ":", name))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        self.client.mset({f"{self._prefix}{customer}:{name}": content for name, content in contents.items()})

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"{self._prefix}{customer}:".encode()
        keys = [key for key in self.client.keys(f"{self._prefix}*") if isinstance(key, bytes) and key.startswith(start)]
        values = self.client.mget(keys) if keys else []
        return {
            key.removeprefix(start).decode(): value
            for key, value in zip(keys, values, strict=True)
            if isinstance(value, bytes)
        }

    def missing(self) -> tuple[RedisStore, Place]:
        url = self.client.connection_pool.connection_kwargs
        return RedisStore("missing", f"redis://{url['host']}:{url['port']}/999999"), self.place("c-1")


class TestRedisStore(StoreConformance):
    @pytest.fixture
    def bench(self, redis_url: str, redis_prefix: str) -> Iterator[Bench]:
        bench = RedisBench(redis_url, redis_prefix)
        yield bench
        bench.store.close()
        bench.client.close()
