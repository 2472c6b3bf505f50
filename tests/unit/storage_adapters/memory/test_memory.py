"""What the memory store does beside the contract: locks, versions, a bucket that is dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from storage_adapters.contract import ItemKind, ItemResult, Keep, Objects, Prefix, Rows, TablePlace
from storage_adapters.errors import NotFound
from storage_adapters.memory import MemoryStore

EARLY = datetime(2026, 1, 1, tzinfo=UTC)
LATE = EARLY + timedelta(days=1)
PLACE = Prefix("data/c-1/")


def test_a_locked_object_is_hidden_but_not_erased_until_it_is_unlocked() -> None:
    store = MemoryStore("memory")
    store.put("data/c-1/a", b"1", EARLY)
    store.lock("data/c-1/a", "object-lock", LATE)
    [[item]] = store.survey(PLACE)
    assert (item.lock, item.locked_until) == ("object-lock", LATE)
    [[hidden]] = store.tombstone(PLACE)
    assert hidden.result is ItemResult.DONE
    [[outcome]] = store.erase(PLACE)
    assert (outcome.result, outcome.reason) == (ItemResult.LOCKED, "object-lock")
    store.unlock("data/c-1/a")
    [[outcome]] = store.erase(PLACE)
    assert outcome.result is ItemResult.DONE
    assert list(store.remains(PLACE)) == []


def test_a_superseded_version_is_surveyed_and_becomes_current_when_only_the_newer_one_goes() -> None:
    store = MemoryStore("memory", versions=True)
    store.put("data/c-1/a", b"first", EARLY)
    store.put("data/c-1/a", b"second", LATE)
    [[first, second]] = store.survey(PLACE)
    assert (first.kind, second.kind) == (ItemKind.VERSION, ItemKind.OBJECT)
    store.lock("data/c-1/a", "legal-hold", LATE)
    assert {outcome.result for batch in store.erase(PLACE) for outcome in batch} == {ItemResult.LOCKED}
    store.unlock("data/c-1/a")
    [outcomes] = store.erase(PLACE, Keep(LATE))
    assert [outcome.result for outcome in outcomes] == [ItemResult.DONE, ItemResult.KEPT]
    assert store.get("data/c-1/a") == b"second"


def test_without_versions_an_overwritten_content_is_gone() -> None:
    store = MemoryStore("memory")
    store.put("data/c-1/a", b"first", EARLY)
    store.put("data/c-1/a", b"second", LATE)
    [[item]] = store.survey(PLACE)
    assert (item.size, item.written_at) == (6, LATE)


def test_an_object_that_goes_between_two_batches_is_absent() -> None:
    store = MemoryStore("memory")
    for number in range(1_001):
        store.put(f"data/c-1/{number:04d}", b"1", EARLY)
    batches = store.erase(PLACE)
    assert len(next(batches)) == 1_000
    list(store.erase(Objects(("data/c-1/1000",))))
    [outcome] = next(batches)
    assert outcome.result is ItemResult.ABSENT


def test_the_time_of_writing_is_told_in_utc() -> None:
    store = MemoryStore("memory")
    store.put("data/c-1/a", b"1", EARLY.astimezone(timezone(timedelta(hours=8))))
    [[item]] = store.survey(PLACE)
    assert item.written_at == EARLY
    assert item.written_at.tzinfo is UTC


def test_only_gives_the_place_of_exactly_the_items_asked_for() -> None:
    store = MemoryStore("memory", versions=True)
    for key in ("data/c-1/a", "data/c-1/a#1", "data/c-1/a"):
        store.put(key, b"1", EARLY)
    [[first, last, odd]] = store.survey(PLACE)
    assert store.only([first, last]) == Objects(("data/c-1/a",))
    assert store.only([odd]) == Objects(("data/c-1/a#1",))


def test_a_dropped_bucket_is_not_found() -> None:
    store = MemoryStore("memory")
    store.put("data/c-1/a", b"1", EARLY)
    batches = store.erase(PLACE)
    store.drop()
    with pytest.raises(NotFound):
        next(batches)
    with pytest.raises(NotFound):
        next(store.heads(["data/c-1/a#1"], 1))


def test_rows_are_no_place_even_where_they_are_asked_for() -> None:
    store = MemoryStore("memory", kinds=frozenset({Rows}))
    with pytest.raises(ValueError):
        next(store.survey(Rows((TablePlace("t", customer_column="c"),), "c-1")))


def test_nothing_is_unclaimed_where_there_is_no_schema() -> None:
    assert MemoryStore("memory").unclaimed([]) == ()
