"""What `survey`, `remains`, `heads`, `capabilities` and the errors promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from storage_adapters.conformance.bench import MANY, Bench, items_of, names_of, outcomes_of
from storage_adapters.conformance.oddities import CUSTOMERS, ITEM_NAMES, OddCustomer
from storage_adapters.contract import (
    PAGE_SIZE,
    Item,
    ItemKind,
    KeyPattern,
    Objects,
    Place,
    Prefix,
    Rows,
    Store,
    TablePlace,
)
from storage_adapters.errors import NotFound, Refused

ODD = [pytest.param(odd, id=odd.sentence) for odd in CUSTOMERS]
EVERY_KIND: tuple[Place, ...] = (
    Prefix("p/"),
    Objects(("o",)),
    KeyPattern(("k:", None)),
    Rows((TablePlace("t", customer_column="customer"),), "c-1"),
)
ASKED: dict[str, Callable[[Store, Place], object]] = {
    "survey": lambda store, place: list(store.survey(place)),
    "tombstone": lambda store, place: list(store.tombstone(place)),
    "bring_back": lambda store, place: list(store.bring_back(place)),
    "erase": lambda store, place: list(store.erase(place)),
    "remains": lambda store, place: list(store.remains(place)),
}


class Looking:
    """Reading promises."""

    @pytest.mark.parametrize("odd", ODD)
    def test_a_survey_shows_one_customers_items_and_no_neighbours(self, bench: Bench, odd: OddCustomer) -> None:
        for who in (odd.customer, *odd.neighbours):
            bench.put(who, {"a": who.encode(), "b": b"2"})
        mine = items_of(bench.store.survey(bench.place(odd.customer)))
        assert len(mine) >= 2
        theirs = [names_of(items_of(bench.store.survey(bench.place(who)))) for who in odd.neighbours]
        assert all(len(names) == len(mine) for names in theirs)
        assert len(names_of(mine).union(*theirs)) == len(mine) * (1 + len(odd.neighbours))

    def test_a_survey_sees_every_odd_item_name(self, bench: Bench) -> None:
        bench.put("c-1", {"first": b"1"})
        each = len(items_of(bench.store.survey(bench.place("c-1"))))
        bench.put("c-1", {name: name.encode() for name in ITEM_NAMES})
        assert len(items_of(bench.store.survey(bench.place("c-1")))) == each * (1 + len(ITEM_NAMES))

    def test_more_items_than_a_page_holds_come_in_full_by_pages(self, bench: Bench) -> None:
        bench.put("c-1", {f"n{i:05d}": str(i).encode() for i in range(MANY)})
        bench.put("c-10", {"a": b"1"})
        pages = list(bench.store.survey(bench.place("c-1")))
        assert len(pages) >= MANY / PAGE_SIZE
        found = items_of(pages)
        assert len(found) >= MANY
        if bench.has_bytes:
            heads = dict(bench.store.heads([item.name for item in pages[-1]], 16))
            assert names_of(pages[-1]) == set(heads)
        assert len(items_of(bench.store.remains(bench.place("c-1")))) >= len(found)

    @pytest.mark.parametrize("asked", list(ASKED))
    def test_an_empty_place_gives_nothing(self, bench: Bench, asked: str) -> None:
        bench.put("c-1", {"a": b"1"})
        if asked == "tombstone" and not bench.store.capabilities().tombstone:
            return  # its refusal is asked for elsewhere
        assert ASKED[asked](bench.store, bench.place("nobody")) == []
        assert bench.read("c-1") == {"a": b"1"}

    def test_a_part_is_one_thing_and_nothing_beside_it(self, bench: Bench) -> None:
        bench.put("c-1", {"n": b"1"})
        alone = len(items_of(bench.store.survey(bench.place("c-1"))))
        bench.put("c-1", {"n1": b"2", "n.1": b"3", "N": b"4"})
        assert len(items_of(bench.store.survey(bench.part("c-1", "n")))) == alone

    def test_remains_finds_as_much_as_the_survey_does(self, bench: Bench) -> None:
        bench.put("c-1", dict.fromkeys(ITEM_NAMES, b"1"))
        bench.put("c-10", {"a": b"1"})
        assert items_of(bench.store.remains(bench.place("nobody"))) == []
        surveyed = items_of(bench.store.survey(bench.place("c-1")))
        assert len(items_of(bench.store.remains(bench.place("c-1")))) >= len(surveyed)

    @pytest.mark.parametrize("asked", list(ASKED))
    def test_a_place_of_another_kind_is_a_mistake_of_the_caller(self, bench: Bench, asked: str) -> None:
        others = [place for place in EVERY_KIND if type(place) not in bench.place_kinds]
        assert others
        for place in others:
            with pytest.raises(ValueError):  # noqa: PT011 - the contract fixes no words
                ASKED[asked](bench.store, place)

    @pytest.mark.parametrize("asked", list(ASKED))
    def test_a_missing_bucket_root_or_table_is_not_an_empty_one(self, bench: Bench, asked: str) -> None:
        missing = bench.missing()
        if missing is None:
            return  # a store without buckets, roots or tables cannot miss one
        if asked in ("tombstone", "bring_back") and not bench.store.capabilities().tombstone:
            return  # its refusal is asked for elsewhere
        store, place = missing
        with pytest.raises(NotFound):
            ASKED[asked](store, place)
        store.close()

    def test_heads_are_the_first_bytes_of_each_item(self, bench: Bench) -> None:
        bench.put("c-1", {"long": b"0123456789", "short": b"ab", "empty": b""})
        names = [item.name for item in items_of(bench.store.survey(bench.place("c-1")))]
        if not bench.has_bytes:
            with pytest.raises(Refused):
                list(bench.store.heads(names, 4))
            return
        heads = dict(bench.store.heads(names, 4))
        assert set(heads) == set(names)
        assert sorted(head for head in heads.values() if head is not None) == [b"", b"0123", b"ab"]

    def test_heads_of_odd_names_are_their_own(self, bench: Bench) -> None:
        if not bench.has_bytes:
            return  # rows and cache keys have no heads; the refusal is asked for above
        bench.put("c-1", {name: name.encode() for name in ITEM_NAMES})
        names = [item.name for item in items_of(bench.store.survey(bench.place("c-1")))]
        heads = [head for _, head in bench.store.heads(names, 1024) if head is not None]
        assert sorted(heads) == sorted(name.encode() for name in ITEM_NAMES)

    def test_heads_of_what_is_gone_are_none(self, bench: Bench) -> None:
        if not bench.has_bytes:
            return  # likewise
        bench.put("c-1", {"a": b"1"})
        names = [item.name for item in items_of(bench.store.survey(bench.place("c-1")))]
        outcomes_of(bench.store.erase(bench.place("c-1")))
        assert [head for _, head in bench.store.heads(names, 4)] == [None]

    def test_the_capability_sheet_is_true(self, bench: Bench) -> None:
        sheet = bench.store.capabilities()
        bench.put("c-1", {"a": b"first"})
        once = items_of(bench.store.survey(bench.place("c-1")))
        bench.put("c-1", {"a": b"second"})
        twice = items_of(bench.store.survey(bench.place("c-1")))
        assert (len(twice) > len(once)) is sheet.hides_superseded
        assert all(told(item) is sheet.tells_written_at for item in twice)
        assert all(note.strip().endswith(".") for note in sheet.notes)

    def test_items_are_what_a_plain_survey_should_name(self, bench: Bench) -> None:
        bench.put("c-1", {"a": b"12345"})
        items = items_of(bench.store.survey(bench.place("c-1")))
        assert not {item.kind for item in items} & {ItemKind.TOMBSTONE, ItemKind.DELETE_MARKER, ItemKind.UPLOAD}
        assert all(item.locked_until is None for item in items)
        assert all(item.name for item in items)
        if bench.has_bytes:
            assert [item.size for item in items] == [5]

    def test_the_store_has_a_name_and_closes_twice(self, bench: Bench) -> None:
        assert bench.store.name
        bench.store.close()
        bench.store.close()


def told(item: Item) -> bool:
    """Whether the item tells its time of writing, having checked that it is told in UTC."""
    if item.written_at is None:
        return False
    assert item.written_at.utcoffset() == timedelta(0), "a time of writing that is not aware UTC"
    return True
