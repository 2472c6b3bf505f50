"""What the Redis store does beside the contract: bytes as keys, every type, refusals, a server that is not there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from redis import Redis

from storage_adapters.contract import Item, ItemKind, ItemResult, Keep, KeyPattern
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from storage_adapters.redis import RedisStore
from tests.services.server import free_port

PLACE = KeyPattern(("features:", "c-1", ":", None))


@pytest.fixture
def client(redis_database: str) -> Iterator[Redis]:
    """A plain client of an empty database."""
    with Redis.from_url(redis_database) as client:
        yield client


@pytest.fixture
def store(redis_database: str) -> Iterator[RedisStore]:
    """The store on the same database."""
    store = RedisStore("cache", redis_database)
    yield store
    store.close()


def command(client: Redis, *words: str | int) -> None:
    """The server has carried out the command."""
    client.execute_command(*words)  # type: ignore[no-untyped-call]  # the client leaves it untyped


class Limited(NamedTuple):
    """The store as a user of its own, who may do what `allow` says."""

    store: RedisStore
    allow: Callable[..., None]


@pytest.fixture
def limited(client: Redis, redis_database: str) -> Iterator[Limited]:
    """A user of this test's own, who is gone after it."""
    user = f"limited-{secrets.token_hex(4)}"
    store = RedisStore("cache", redis_database.replace("redis://", f"redis://{user}:secret@"))

    def allow(*rules: str) -> None:
        command(client, "ACL", "SETUSER", user, "reset", "on", ">secret", "~*", "+select", *rules)

    yield Limited(store, allow)
    store.close()
    command(client, "ACL", "DELUSER", user)


def test_keys_of_every_type_are_removed(client: Redis, store: RedisStore) -> None:
    client.set("features:c-1:string", "1")
    client.rpush("features:c-1:list", "1")
    client.sadd("features:c-1:set", "1")
    client.zadd("features:c-1:zset", {"a": 1})
    client.hset("features:c-1:hash", "a", "1")
    client.xadd("features:c-1:stream", {"a": "1"})
    client.set("features:c-1:expiring", "1", ex=1_000)
    client.set("features:c-10:string", "1")
    assert {outcome.result for batch in store.erase(PLACE) for outcome in batch} == {ItemResult.DONE}
    assert client.keys("*") == [b"features:c-10:string"]


def test_keys_are_any_bytes(client: Redis, store: RedisStore) -> None:
    everything = bytes(range(256))
    client.set(b"features:c-1:" + everything, "1")
    client.set(b"features:\xff:a", "1")
    [[item]] = store.survey(PLACE)
    assert item.name.encode(errors="surrogateescape") == b"features:c-1:" + everything
    [[item]] = store.survey(KeyPattern(("features:", b"\xff".decode(errors="surrogateescape"), ":", None)))
    assert item == Item(ItemKind.KEY, "features:\udcff:a")
    list(store.erase(PLACE))
    assert client.keys("*") == [b"features:\xff:a"]


def test_a_pattern_that_is_no_utf_8_is_refused(store: RedisStore) -> None:
    with pytest.raises(Refused):
        list(store.survey(KeyPattern(("\ud800",))))


def test_a_pattern_of_literals_alone_is_one_key(client: Redis, store: RedisStore) -> None:
    client.mset({"features:c-1": "1", "features:c-1:a": "1", "xfeatures:c-1": "1"})
    place = KeyPattern(("features:", "c-1"))
    assert [item.name for page in store.remains(place) for item in page] == ["features:c-1"]
    list(store.erase(place))
    assert sorted(client.keys("*")) == [b"features:c-1:a", b"xfeatures:c-1"]


def test_keys_written_while_others_are_removed_are_removed_too(client: Redis, store: RedisStore) -> None:
    client.mset({f"features:c-1:{number}": "1" for number in range(1_500)})
    batches = store.erase(PLACE)
    next(batches)
    client.set("features:c-1:late", "1")
    list(batches)
    assert client.keys("*") == []


def test_a_key_that_goes_between_the_listing_and_its_batch_is_absent(client: Redis, store: RedisStore) -> None:
    client.mset({f"features:c-1:{number}": "1" for number in range(1_001)})
    batches = store.erase(PLACE)
    next(batches)
    client.flushdb()
    assert [outcome.result for outcome in next(batches)] == [ItemResult.ABSENT]
    assert list(batches) == []


def test_everything_is_kept_whose_age_nobody_knows(client: Redis, store: RedisStore) -> None:
    client.set("features:c-1:a", "1")
    [[outcome]] = store.erase(PLACE, Keep(datetime(2026, 1, 1, tzinfo=UTC)))
    assert outcome.result is ItemResult.KEPT
    assert client.exists("features:c-1:a")


def test_a_key_whose_removal_is_not_allowed_is_refused_once_and_named(client: Redis, limited: Limited) -> None:
    limited.allow("+@read", "+info")
    client.mset({"features:c-1:a": "1", "features:c-1:b": "1"})
    [outcomes] = limited.store.erase(PLACE)
    assert {(outcome.result, outcome.reason) for outcome in outcomes} == {(ItemResult.REFUSED, "NoPermissionError")}
    assert {outcome.item.name for outcome in outcomes} == {"features:c-1:a", "features:c-1:b"}
    assert sum(len(page) for page in limited.store.remains(PLACE)) == 2


def test_a_key_out_of_the_users_reach_is_refused_beside_one_within(client: Redis, limited: Limited) -> None:
    limited.allow("+@all", "resetkeys", "~features:c-1:a", "%R~features:*")
    client.mset({"features:c-1:a": "1", "features:c-1:b": "1"})
    [outcomes] = limited.store.erase(PLACE)
    assert {outcome.item.name: outcome.result for outcome in outcomes} == {
        "features:c-1:a": ItemResult.DONE,
        "features:c-1:b": ItemResult.REFUSED,
    }


def test_a_user_who_may_not_list_is_refused(client: Redis, limited: Limited) -> None:
    limited.allow("+info")
    with pytest.raises(Refused, match="NoPermissionError"):
        list(limited.store.survey(PLACE))


def test_a_server_that_does_not_tell_whether_it_is_a_cluster_is_refused(client: Redis, limited: Limited) -> None:
    limited.allow("+scan")
    with pytest.raises(Refused, match="NoPermissionError"):
        list(limited.store.survey(PLACE))


def test_a_wrong_password_is_refused_and_told_to_nobody(redis_database: str) -> None:
    store = RedisStore("cache", redis_database.replace("redis://", "redis://nobody:hunter2@"))
    with pytest.raises(Refused) as refusal:
        list(store.survey(PLACE))
    assert "hunter2" not in str(refusal.value)


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = RedisStore("cache", f"redis://127.0.0.1:{free_port()}")
    for asked in (store.survey, store.erase, store.remains):
        with pytest.raises(Unavailable):
            list(asked(PLACE))
    with pytest.raises(Unavailable):
        store.capabilities()


def test_a_database_that_is_not_there_is_not_found(redis_url: str) -> None:
    with pytest.raises(NotFound):
        RedisStore("cache", f"{redis_url}/999999").capabilities()


def test_an_answer_that_is_lost_on_the_way_leaves_the_outcome_unknown(client: Redis, redis_database: str) -> None:
    client.mset({f"features:c-1:{number}": "1" for number in range(2_000)})
    store = RedisStore("cache", f"{redis_database}?socket_timeout=0.1")
    batches = store.erase(PLACE)
    next(batches)
    command(client, "CLIENT", "PAUSE", 2_000, "WRITE")
    with pytest.raises(OutcomeUnknown):
        next(batches)
    command(client, "CLIENT", "UNPAUSE")
    list(store.erase(PLACE))
    assert client.keys("*") == []


def test_a_url_that_asks_for_decoded_answers_is_a_mistake(redis_database: str) -> None:
    with pytest.raises(ValueError, match="decoded"):
        RedisStore("cache", f"{redis_database}?decode_responses=true")


def test_the_notes_say_what_the_server_says_about_its_files(client: Redis, store: RedisStore) -> None:
    config = client.config_get("save")
    says_snapshots = any("Snapshots" in note for note in store.capabilities().notes)
    assert says_snapshots is bool(config["save"])


def test_a_server_that_hides_its_settings_is_said_to(client: Redis, limited: Limited) -> None:
    limited.allow("+info", "+scan")
    assert any("could not be read" in note for note in limited.store.capabilities().notes)


def test_a_closed_store_connects_anew(client: Redis, store: RedisStore) -> None:
    client.set("features:c-1:a", "1")
    store.close()
    assert [len(page) for page in store.survey(PLACE)] == [1]
