"""What `erase` promises: nothing of the customer is left, and nothing else is touched."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from storage_adapters.conformance.bench import MANY, Bench, items_of, names_of, outcomes_of
from storage_adapters.conformance.oddities import CUSTOMERS, ITEM_NAMES, OddCustomer
from storage_adapters.contract import Item, ItemResult, Keep
from storage_adapters.errors import StoreError

ATTEMPTS = 100
"""How often a younger item is written before the store's clock is held to stand still."""


class Erasing:
    """Promises of the point after which there is no way back."""

    @pytest.mark.parametrize("odd", [pytest.param(odd, id=odd.sentence) for odd in CUSTOMERS])
    def test_erasing_leaves_nothing_and_every_neighbour_as_it_was(self, bench: Bench, odd: OddCustomer) -> None:
        for who in (odd.customer, *odd.neighbours):
            bench.put(who, {"a": who.encode(), "b": b"2"})
        before = {who: seen(bench, who) for who in odd.neighbours}
        outcomes = outcomes_of(bench.store.erase(bench.place(odd.customer)))
        assert {outcome.result for outcome in outcomes} == {ItemResult.DONE}
        assert nothing_is_left(bench, odd.customer)
        assert {who: seen(bench, who) for who in odd.neighbours} == before

    def test_every_surveyed_item_is_accounted_for_by_name(self, bench: Bench) -> None:
        bench.put("c-1", dict.fromkeys(ITEM_NAMES, b"1"))
        bench.put("c-1", dict.fromkeys(ITEM_NAMES, b"22"))
        surveyed = names_of(items_of(bench.store.survey(bench.place("c-1"))))
        outcomes = outcomes_of(bench.store.erase(bench.place("c-1")))
        done = names_of(outcome.item for outcome in outcomes if outcome.result is ItemResult.DONE)
        assert done == surveyed
        assert nothing_is_left(bench, "c-1")

    def test_erasing_again_does_nothing(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"1"})
        bench.put("c-10", {"a": b"1"})
        outcomes_of(bench.store.erase(bench.place("c-1")))
        again = outcomes_of(bench.store.erase(bench.place("c-1")))
        assert {outcome.result for outcome in again} <= {ItemResult.ABSENT}
        assert bench.read("c-10") == {"a": b"1"}

    def test_what_is_hidden_is_erased_and_never_comes_back(self, bench: Bench) -> None:
        if not bench.store.capabilities().tombstone:
            return  # nothing can be hidden; the refusal is asked for elsewhere
        bench.put("c-1", dict.fromkeys(ITEM_NAMES, b"1"))
        bench.put("c-10", dict.fromkeys(ITEM_NAMES, b"1"))
        neighbour = bench.read("c-10")
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        outcomes_of(bench.store.tombstone(bench.place("c-10")))
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert nothing_is_left(bench, "c-1")
        assert list(bench.store.bring_back(bench.place("c-1"))) == []
        assert bench.read("c-1") == {}
        outcomes_of(bench.store.bring_back(bench.place("c-10")))
        assert bench.read("c-10") == neighbour

    def test_a_part_is_erased_alone(self, bench: Bench) -> None:
        everything = {name: name.encode() for name in ITEM_NAMES}
        bench.put("c-1", everything)
        bench.put("c-10", everything)
        for name in ITEM_NAMES:
            outcomes = outcomes_of(bench.store.erase(bench.part("c-1", name)))
            assert {outcome.result for outcome in outcomes} == {ItemResult.DONE}
            del everything[name]
            assert bench.read("c-1") == everything
        assert bench.read("c-10") == {name: name.encode() for name in ITEM_NAMES}

    def test_a_batch_is_gone_when_it_is_reported_and_the_rest_untouched(self, bench: Bench) -> None:
        bench.put("c-1", {f"n{i:05d}": str(i).encode() for i in range(MANY)})
        bench.put("c-10", {"a": b"1"})
        before = names_of(items_of(bench.store.survey(bench.place("c-1"))))
        batches = bench.store.erase(bench.place("c-1"))
        done = names_of(outcome.item for outcome in next(batches) if outcome.result is ItemResult.DONE)
        assert done
        assert not done & names_of(items_of(bench.store.survey(bench.place("c-1"))))
        del batches
        assert names_of(items_of(bench.store.survey(bench.place("c-1")))) == before - done
        outcomes = outcomes_of(bench.store.erase(bench.place("c-1")))
        assert {outcome.result for outcome in outcomes} == {ItemResult.DONE}
        assert names_of(outcome.item for outcome in outcomes) == before - done
        assert nothing_is_left(bench, "c-1")
        assert bench.read("c-10") == {"a": b"1"}

    def test_what_is_written_again_after_an_erasure_is_found_and_erased(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"1"})
        outcomes_of(bench.store.erase(bench.place("c-1")))
        bench.put("c-1", {"a": b"again"})
        assert bench.read("c-1") == {"a": b"again"}
        assert list(bench.store.remains(bench.place("c-1"))) != []
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert nothing_is_left(bench, "c-1")

    def test_keep_leaves_what_is_younger_or_of_unknown_age(self, bench: Bench) -> None:
        bench.put("c-1", {"old": b"1"})
        cut = younger(bench, "c-1")
        before = items_of(bench.store.survey(bench.place("c-1")))
        old = {item.name for item in before if item.written_at is not None and item.written_at < cut}
        outcomes = outcomes_of(bench.store.erase(bench.place("c-1"), Keep(cut)))
        named = {
            result: names_of(outcome.item for outcome in outcomes if outcome.result is result) for result in ItemResult
        }
        assert named[ItemResult.DONE] == old
        assert named[ItemResult.KEPT] == names_of(before) - old
        assert names_of(items_of(bench.store.survey(bench.place("c-1")))) == names_of(before) - old
        assert bool(old) is bench.store.capabilities().tells_written_at
        assert ("old" in bench.read("c-1")) is not bool(old)

    def test_an_item_written_at_the_very_instant_is_kept(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"1"})
        instants = [item.written_at for item in items_of(bench.store.survey(bench.place("c-1")))]
        cut = instants[0] or younger(bench, "c-1")
        outcomes = outcomes_of(bench.store.erase(bench.place("c-1"), Keep(cut)))
        assert {outcome.result for outcome in outcomes} == {ItemResult.KEPT}
        assert bench.read("c-1")["a"] == b"1"

    def test_several_places_are_worked_on_at_once(self, bench: Bench) -> None:
        customers = [f"c-{number}" for number in range(6)]
        for who in customers:
            bench.put(who, {f"n{i}": f"{who}/{i}".encode() for i in range(60)})
        before = {who: bench.read(who) for who in customers}
        hides = bench.store.capabilities().tombstone

        def erase(who: str) -> object:
            return outcomes_of(bench.store.erase(bench.place(who)))

        def hide(who: str) -> object:
            return outcomes_of(bench.store.tombstone(bench.place(who))) if hides else None

        def look(who: str) -> object:
            return items_of(bench.store.survey(bench.place(who)))

        work: list[Callable[[str], object]] = [erase, erase, hide, hide, look, look]
        with ThreadPoolExecutor(max_workers=len(customers)) as pool:
            list(pool.map(lambda task, who: task(who), work, customers))
        gone = customers[:4] if hides else customers[:2]
        assert {who: bench.read(who) for who in customers} == {
            who: {} if who in gone else contents for who, contents in before.items()
        }
        assert nothing_is_left(bench, "c-0")
        assert nothing_is_left(bench, "c-1")

    def test_two_who_erase_the_same_place_both_finish(self, bench: Bench) -> None:
        bench.put("c-1", {f"n{i}": b"1" for i in range(300)})
        bench.put("c-10", {"a": b"1"})

        def erase() -> set[ItemResult]:
            try:
                return {outcome.result for outcome in outcomes_of(bench.store.erase(bench.place("c-1")))}
            except StoreError:
                return set()  # the loser may be told to try again; it may not do harm or leave data

        with ThreadPoolExecutor(max_workers=2) as pool:
            results = [future.result() for future in [pool.submit(erase), pool.submit(erase)]]
        assert set().union(*results) <= {ItemResult.DONE, ItemResult.ABSENT}
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert nothing_is_left(bench, "c-1")
        assert bench.read("c-10") == {"a": b"1"}


def seen(bench: Bench, customer: str) -> tuple[dict[str, bytes], list[Item]]:
    """Everything that can be seen of the customer: an ordinary reader's view and the survey, sorted by name."""
    items = items_of(bench.store.survey(bench.place(customer)))
    return bench.read(customer), sorted(items, key=lambda item: item.name)


def nothing_is_left(bench: Bench, customer: str) -> bool:
    """Whether no way of looking finds anything of the customer."""
    place = bench.place(customer)
    looks = (bench.store.survey(place), bench.store.remains(place))
    return bench.read(customer) == {} and all(items_of(look) == [] for look in looks)


def younger(bench: Bench, customer: str) -> datetime:
    """The instant of a thing written later than all before it, as the store tells it.

    Writes one new thing after another until the store's clock has moved on. Where the store tells no time, an instant
    after everything.
    """
    before = items_of(bench.store.survey(bench.place(customer)))
    instants = [item.written_at for item in before if item.written_at is not None]
    if not instants:
        return datetime.fromisoformat("9999-01-01T00:00:00+00:00")
    for attempt in range(ATTEMPTS):
        bench.put(customer, {f"young-{attempt}": b"2"})
        items = items_of(bench.store.survey(bench.place(customer)))
        latest = max(item.written_at for item in items if item.written_at is not None)
        if latest > max(instants):
            return latest
        time.sleep(0.05)
    raise AssertionError("the store's clock stands still")
