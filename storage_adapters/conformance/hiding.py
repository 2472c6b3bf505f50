"""What `tombstone` and `bring_back` promise; of a store without the capability, that it refuses."""

from __future__ import annotations

from itertools import chain

import pytest

from storage_adapters.conformance.bench import MANY, Bench, items_of, names_of, outcomes_of
from storage_adapters.conformance.oddities import CUSTOMERS, ITEM_NAMES, OddCustomer
from storage_adapters.contract import PAGE_SIZE, ItemKind, ItemResult
from storage_adapters.errors import Refused


def refuses_to_hide(bench: Bench, customer: str = "c-1") -> bool:
    """Whether the store cannot hide; if so, having checked that it says so and leaves everything as it was."""
    if bench.store.capabilities().tombstone:
        return False
    before = bench.read(customer)
    with pytest.raises(Refused):
        list(bench.store.tombstone(bench.place(customer)))
    assert list(bench.store.bring_back(bench.place(customer))) == []
    assert bench.read(customer) == before
    return True


class Hiding:
    """Promises of the undo window."""

    @pytest.mark.parametrize("odd", [pytest.param(odd, id=odd.sentence) for odd in CUSTOMERS])
    def test_hiding_and_bringing_back_touch_one_customer_only(self, bench: Bench, odd: OddCustomer) -> None:
        everybody = (odd.customer, *odd.neighbours)
        for who in everybody:
            bench.put(who, {"a": who.encode(), "b": b"2"})
        before = {who: bench.read(who) for who in everybody}
        if refuses_to_hide(bench, odd.customer):
            return
        outcomes_of(bench.store.tombstone(bench.place(odd.customer)))
        assert {who: bench.read(who) for who in everybody} == {**before, odd.customer: {}}
        for who in odd.neighbours:
            assert list(bench.store.bring_back(bench.place(who))) == []
        assert bench.read(odd.customer) == {}
        outcomes_of(bench.store.bring_back(bench.place(odd.customer)))
        assert {who: bench.read(who) for who in everybody} == before

    def test_what_is_hidden_comes_back_byte_for_byte(self, bench: Bench) -> None:
        bench.put("c-1", {name: bytes(range(256)) + name.encode() for name in ITEM_NAMES} | {"empty": b""})
        if refuses_to_hide(bench):
            return
        before, listed = bench.read("c-1"), items_of(bench.store.survey(bench.place("c-1")))
        hidden = outcomes_of(bench.store.tombstone(bench.place("c-1")))
        assert {outcome.result for outcome in hidden} == {ItemResult.DONE}
        assert len(hidden) >= len(before)
        assert bench.read("c-1") == {}
        shown = outcomes_of(bench.store.bring_back(bench.place("c-1")))
        assert {outcome.result for outcome in shown} == {ItemResult.DONE}
        assert bench.read("c-1") == before
        assert items_of(bench.store.survey(bench.place("c-1"))) == listed

    def test_a_survey_and_remains_still_see_what_is_hidden(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"1", "b": b"2"})
        if refuses_to_hide(bench):
            return
        plain = items_of(bench.store.survey(bench.place("c-1")))
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        hidden = items_of(bench.store.survey(bench.place("c-1")))
        assert len(hidden) >= len(plain)
        assert {ItemKind.TOMBSTONE, ItemKind.DELETE_MARKER} & {item.kind for item in hidden}
        assert len(items_of(bench.store.remains(bench.place("c-1")))) >= len(plain)

    def test_heads_still_read_what_is_hidden(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"0123"})
        if refuses_to_hide(bench) or not bench.has_bytes:
            return
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        hidden = items_of(bench.store.survey(bench.place("c-1")))
        names = [item.name for item in hidden if item.kind is not ItemKind.DELETE_MARKER]
        assert [head for _, head in bench.store.heads(names, 2)] == [b"01"]

    def test_hiding_twice_hides_what_came_since_and_leaves_the_rest(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"1"})
        if refuses_to_hide(bench):
            return
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        once = names_of(items_of(bench.store.survey(bench.place("c-1"))))
        again = outcomes_of(bench.store.tombstone(bench.place("c-1")))
        assert {outcome.result for outcome in again} <= {ItemResult.ABSENT}
        assert names_of(items_of(bench.store.survey(bench.place("c-1")))) == once
        bench.put("c-1", {"late": b"2"})
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        assert bench.read("c-1") == {}
        outcomes_of(bench.store.bring_back(bench.place("c-1")))
        assert bench.read("c-1") == {"a": b"1", "late": b"2"}
        assert list(bench.store.bring_back(bench.place("c-1"))) == []
        assert bench.read("c-1") == {"a": b"1", "late": b"2"}

    def test_something_new_under_a_hidden_name_stands(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"old", "b": b"2"})
        if refuses_to_hide(bench):
            return
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        bench.put("c-1", {"a": b"new"})
        results = {outcome.result for outcome in outcomes_of(bench.store.bring_back(bench.place("c-1")))}
        assert results == {ItemResult.DONE, ItemResult.REFUSED}
        assert bench.read("c-1") == {"a": b"new", "b": b"2"}
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert bench.read("c-1") == {}
        assert list(bench.store.survey(bench.place("c-1"))) == []
        assert list(bench.store.remains(bench.place("c-1"))) == []

    def test_a_name_written_and_hidden_again_comes_back_with_its_last_content(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"old"})
        if refuses_to_hide(bench):
            return
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        bench.put("c-1", {"a": b"new"})
        outcomes_of(bench.store.tombstone(bench.place("c-1")))
        assert bench.read("c-1") == {}
        outcomes_of(bench.store.bring_back(bench.place("c-1")))
        assert bench.read("c-1") == {"a": b"new"}
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert list(bench.store.remains(bench.place("c-1"))) == []

    def test_a_part_is_hidden_and_comes_back_alone(self, bench: Bench) -> None:
        everything = {"n": b"1", "n1": b"2", "N": b"3"}
        bench.put("c-1", everything)
        if refuses_to_hide(bench):
            return
        outcomes_of(bench.store.tombstone(bench.part("c-1", "n")))
        assert bench.read("c-1") == {"n1": b"2", "N": b"3"}
        assert list(bench.store.bring_back(bench.part("c-1", "n1"))) == []
        outcomes_of(bench.store.bring_back(bench.part("c-1", "n")))
        assert bench.read("c-1") == everything

    def test_hiding_goes_on_after_a_stop_and_so_does_bringing_back(self, bench: Bench) -> None:
        bench.put("c-1", {f"n{i:05d}": str(i).encode() for i in range(MANY)})
        if refuses_to_hide(bench):
            return
        before = bench.read("c-1")
        batches = bench.store.tombstone(bench.place("c-1"))
        first = next(batches)
        del batches
        assert len(before) - PAGE_SIZE <= len(bench.read("c-1")) <= len(before)
        rest = bench.store.tombstone(bench.place("c-1"))
        assert len(outcomes_of(chain([first], rest))) >= len(before)
        assert bench.read("c-1") == {}
        back = bench.store.bring_back(bench.place("c-1"))
        first = next(back)
        del back
        assert len(bench.read("c-1")) <= PAGE_SIZE
        outcomes_of(chain([first], bench.store.bring_back(bench.place("c-1"))))
        assert bench.read("c-1") == before
