"""Held keys are overwritten when their time is over."""

from __future__ import annotations

from collections.abc import Callable

from retention.keys.key_cache import KeyCache, UsableKey
from retention.model.key import KeyScope

FIRST = UsableKey("1" * 32, KeyScope("c-1", "d"), bytes(range(32)))
SECOND = UsableKey("2" * 32, KeyScope("c-2", "d"), bytes(range(32, 64)))


class Ticks:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def secret_of(cache: KeyCache, key: UsableKey) -> bytearray:
    """The very bytes that the cache holds."""
    return cache._held[key.key_id].secret


def test_an_expired_key_is_zeroed_by_the_next_call_of_any_kind() -> None:
    calls: list[Callable[[KeyCache], object]] = [
        lambda cache: cache.sweep(),
        lambda cache: cache.get(SECOND.key_id),
        lambda cache: cache.put(SECOND, cache.ticket()),
    ]
    for call in calls:
        ticks = Ticks()
        cache = KeyCache(ticks, 5)
        cache.put(FIRST, cache.ticket())
        secret = secret_of(cache, FIRST)
        ticks.seconds = 4.9
        call(cache)
        assert secret == FIRST.key
        ticks.seconds = 5
        call(cache)
        assert secret == bytes(32)


def test_a_forgotten_key_is_zeroed_at_once() -> None:
    cache = KeyCache(Ticks(), 5)
    cache.put(FIRST, cache.ticket())
    secret = secret_of(cache, FIRST)
    cache.forget(FIRST.scope)
    assert secret == bytes(32)
    assert cache.get(FIRST.key_id) is None
    assert cache.find(FIRST.scope) is None


def test_a_key_put_after_one_that_began_later_still_ends_in_its_own_time() -> None:
    ticks = Ticks()
    cache = KeyCache(ticks, 5)
    early = cache.ticket()
    ticks.seconds = 3
    cache.put(SECOND, cache.ticket())
    cache.put(FIRST, early)
    ticks.seconds = 5
    assert cache.get(FIRST.key_id) is None
    assert cache.get(SECOND.key_id) == SECOND
    ticks.seconds = 8
    cache.sweep()
    assert cache.get(SECOND.key_id) is None


def test_the_newest_reading_of_a_key_counts() -> None:
    ticks = Ticks()
    cache = KeyCache(ticks, 5)
    cache.put(FIRST, cache.ticket())
    ticks.seconds = 4
    cache.put(FIRST, cache.ticket())
    ticks.seconds = 8
    assert cache.get(FIRST.key_id) == cache.find(FIRST.scope) == FIRST
