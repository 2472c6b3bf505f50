"""A real cluster of three primaries: every one is scanned, and every key goes where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from redis.cluster import RedisCluster

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import ItemResult, KeyPattern, Place
from storage_adapters.redis import RedisStore

PLACE = KeyPattern(("features:", "c-1", ":", None))


@pytest.fixture
def cluster(redis_cluster_url: str) -> Iterator[RedisCluster]:
    """A plain client of the empty cluster."""
    client = RedisCluster.from_url(redis_cluster_url.replace("+cluster", ""))
    client.flushall(target_nodes=RedisCluster.PRIMARIES)
    yield client
    client.close()


@pytest.fixture(params=["redis+cluster://", "redis://"], ids=["the URL says so", "the server says so"])
def store(cluster: RedisCluster, redis_cluster_url: str, request: pytest.FixtureRequest) -> Iterator[RedisStore]:
    """The store on the cluster, which it knows from the URL or from the server."""
    store = RedisStore("cache", redis_cluster_url.replace("redis+cluster://", str(request.param)))
    yield store
    store.close()


def test_keys_on_every_primary_are_found_and_removed(cluster: RedisCluster, store: RedisStore) -> None:
    for number in range(2_500):
        cluster.set(f"features:c-1:{number}", "1")
    cluster.set("features:c-10:1", "1")
    assert all(_keys_of(cluster))
    assert sum(len(page) for page in store.survey(PLACE)) == 2_500
    assert sum(len(page) for page in store.remains(PLACE)) == 2_500
    outcomes = [outcome for batch in store.erase(PLACE) for outcome in batch]
    assert len(outcomes) == 2_500
    assert {outcome.result for outcome in outcomes} == {ItemResult.DONE}
    assert sum(len(keys) for keys in _keys_of(cluster)) == 1


def test_a_customer_in_braces_is_found_though_its_keys_lie_on_one_server(
    cluster: RedisCluster, store: RedisStore
) -> None:
    for name in ("{c-1}", "{c-1", "{c*1}", "{}"):
        for number in range(20):
            cluster.set(f"features:{name}:{number}", "1")
    for name in ("{c*1}", "{c-1}", "{}", "{c-1"):
        place = KeyPattern(("features:", name, ":", None))
        assert sum(len(page) for page in store.survey(place)) == 20
        assert sum(len(page) for page in store.remains(place)) == 20
        list(store.erase(place))
        assert list(store.remains(place)) == []


def test_the_notes_say_that_it_is_a_cluster(store: RedisStore) -> None:
    assert any("slot" in note for note in store.capabilities().notes)


def _keys_of(cluster: RedisCluster) -> list[list[bytes | str]]:
    nodes = cluster.get_primaries()  # type: ignore[no-untyped-call]  # the client leaves it untyped
    return [list(cluster.get_redis_connection(node).keys("*")) for node in nodes]


class ClusterBench:
    """Keys `features:<customer>:<name>` of the whole cluster, written and read by a plain client."""

    place_kinds: frozenset[type[Place]] = frozenset({KeyPattern})
    has_bytes = False

    def __init__(self, client: RedisCluster, url: str) -> None:
        self.store = RedisStore("cache", url)
        self._client = client

    def place(self, customer: str) -> Place:
        return KeyPattern(("features:", customer, ":", None))

    def part(self, customer: str, name: str) -> Place:
        return KeyPattern(("features:", customer, ":", name))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        self._client.mset_nonatomic({f"features:{customer}:{name}": content for name, content in contents.items()})

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"features:{customer}:".encode()
        keys = [key for keys in _keys_of(self._client) for key in keys if isinstance(key, bytes)]
        found = {key: self._client.get(key) for key in keys if key.startswith(start)}
        return {key.removeprefix(start).decode(): value for key, value in found.items() if isinstance(value, bytes)}

    def missing(self) -> None:
        return None  # a cluster has no part that could be missing by name


class TestRedisStoreOnACluster(StoreConformance):
    @pytest.fixture
    def bench(self, cluster: RedisCluster, redis_cluster_url: str) -> Iterator[Bench]:
        bench = ClusterBench(cluster, redis_cluster_url)
        yield bench
        bench.store.close()
