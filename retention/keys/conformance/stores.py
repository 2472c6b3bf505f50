"""What every key store does: the catalogue, and its double in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from retention.keys.store import KeyStore, Rewrap
from retention.model.key import Epoch, EpochState, KeyScope, KeyState, WrappedKey

NOW = datetime(2026, 11, 8, 9, 30, 15, 123456, tzinfo=UTC)
WHOLE = KeyScope("c-1", "训练数据")
ITEM = KeyScope.of_object("c-1", "训练数据", "training/c-1/a'b\"%_.bin")


class KeyStoreBench(Protocol):
    """A fresh store without keys and epochs, with the two changes that are the catalogue's own."""

    @property
    def store(self) -> KeyStore: ...

    def set_state(self, scope: KeyScope, state: KeyState) -> None:
        """Give the key of exactly this scope another state."""
        ...

    def shred(self, scope: KeyScope) -> None:
        """Remove the key of the scope; of a dataset, those of its items too."""
        ...


def key(number: int, scope: KeyScope, epoch: str = "e-1") -> WrappedKey:
    """A key whose id sorts by its number."""
    return WrappedKey(f"{number:032x}", scope, epoch, epoch, b"\x00\xffwrapped %d" % number, KeyState.LIVE, NOW)


def prepared(name: str) -> Epoch:
    """A prepared epoch of this name."""
    return Epoch(name, EpochState.PREPARED, NOW)


def make_epoch(store: KeyStore, name: str) -> None:
    """The epoch of this name is the current one."""
    store.prepare_epoch(prepared(name))
    store.make_current(name)


def states(store: KeyStore) -> dict[str, EpochState]:
    """Every epoch's state, by name."""
    return {epoch.name: epoch.state for epoch in store.epochs()}


def swaps(keys: Sequence[WrappedKey], new_epoch: str) -> list[Rewrap]:
    """What a roll to the new epoch would swap."""
    return [Rewrap(each.key_id, each.epoch, new_epoch, b"anew " + each.wrapped) for each in keys]


class KeyStoreConformance:
    """Subclass it, and give it a fixture `bench`."""

    @pytest.fixture
    def store(self, bench: KeyStoreBench) -> KeyStore:
        return bench.store

    # ------------------------------------------------------------------------------------------------ keys

    def test_a_key_comes_back_as_it_was_added_by_scope_and_by_id(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        whole, item = key(1, WHOLE), key(2, ITEM)
        assert store.add(whole) == whole
        assert store.add(item) == item
        assert store.find(WHOLE) == store.get(whole.key_id) == whole
        assert store.find(ITEM) == store.get(item.key_id) == item

    def test_what_was_never_added_is_not_found(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        store.add(key(1, WHOLE))
        for other in (KeyScope("c-10", WHOLE.dataset), KeyScope("C-1", WHOLE.dataset), KeyScope("c-1", "训练数"), ITEM):
            assert store.find(other) is None
        assert store.get(f"{2:032x}") is None

    def test_the_first_key_of_a_scope_stays_and_is_what_the_second_gets(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        first = key(1, WHOLE)
        store.add(first)
        assert store.add(key(2, WHOLE)) == first
        assert store.get(f"{2:032x}") is None

    def test_many_creators_at_once_get_the_same_key(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: store.add(key(number, WHOLE)), range(1, 25)))
        assert {answer.key_id for answer in answers if answer} == {store.keys_under("e-1", "", 10)[0].key_id}
        assert len(store.keys_under("e-1", "", 10)) == 1

    @pytest.mark.parametrize("epoch", ["e-1", "e-3", "e-4"], ids=["a retired", "a prepared", "an unknown"])
    def test_no_key_is_added_under_another_epoch_than_the_current_one(self, store: KeyStore, epoch: str) -> None:
        make_epoch(store, "e-1")
        make_epoch(store, "e-2")
        store.prepare_epoch(prepared("e-3"))
        assert store.add(key(1, WHOLE, epoch)) is None
        assert store.find(WHOLE) is None

    def test_a_key_that_stands_is_the_answer_whatever_epoch_the_late_creator_used(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        first = key(1, WHOLE)
        store.add(first)
        make_epoch(store, "e-2")
        assert store.add(key(2, WHOLE, "e-1")) == first

    def test_an_item_gets_no_key_where_its_dataset_has_none(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        store.add(key(1, KeyScope("c-2", ITEM.dataset)))
        assert store.add(key(2, ITEM)) is None
        assert store.find(ITEM) is None

    @pytest.mark.parametrize("state", [KeyState.RESTRICTED, KeyState.TOMBSTONED])
    def test_an_item_gets_no_key_while_its_dataset_is_not_live(self, bench: KeyStoreBench, state: KeyState) -> None:
        make_epoch(bench.store, "e-1")
        bench.store.add(key(1, WHOLE))
        bench.set_state(WHOLE, state)
        assert bench.store.add(key(2, ITEM)) is None
        bench.set_state(WHOLE, KeyState.LIVE)
        assert bench.store.add(key(2, ITEM)) == key(2, ITEM)

    def test_a_key_shows_its_new_state(self, bench: KeyStoreBench) -> None:
        make_epoch(bench.store, "e-1")
        bench.store.add(key(1, WHOLE))
        for state in (KeyState.RESTRICTED, KeyState.TOMBSTONED, KeyState.LIVE):
            bench.set_state(WHOLE, state)
            assert bench.store.find(WHOLE) == replace(key(1, WHOLE), state=state)

    def test_a_shredded_item_leaves_its_dataset(self, bench: KeyStoreBench) -> None:
        make_epoch(bench.store, "e-1")
        bench.store.add(key(1, WHOLE))
        bench.store.add(key(2, ITEM))
        bench.shred(ITEM)
        assert bench.store.find(ITEM) is None
        assert bench.store.find(WHOLE) == key(1, WHOLE)

    def test_a_shredded_dataset_takes_its_items_and_nobody_elses(self, bench: KeyStoreBench) -> None:
        make_epoch(bench.store, "e-1")
        other = KeyScope("c-10", WHOLE.dataset)
        for number, scope in enumerate((WHOLE, ITEM, other), start=1):
            bench.store.add(key(number, scope))
        bench.shred(WHOLE)
        assert [each.scope for each in bench.store.keys_under("e-1", "", 10)] == [other]
        assert bench.store.get(f"{1:032x}") is None

    def test_after_a_shred_the_scope_can_have_a_new_key(self, bench: KeyStoreBench) -> None:
        make_epoch(bench.store, "e-1")
        bench.store.add(key(1, WHOLE))
        bench.shred(WHOLE)
        assert bench.store.add(key(2, WHOLE)) == key(2, WHOLE)

    # ---------------------------------------------------------------------------------------------- epochs

    def test_a_new_store_has_no_epochs(self, store: KeyStore) -> None:
        assert tuple(store.epochs()) == ()

    def test_only_one_epoch_is_prepared_at_a_time(self, store: KeyStore) -> None:
        assert store.prepare_epoch(prepared("e-1")) == prepared("e-1")
        assert store.prepare_epoch(prepared("e-2")) == prepared("e-1")
        assert tuple(store.epochs()) == (prepared("e-1"),)

    def test_many_rollers_at_once_prepare_the_same_epoch(self, store: KeyStore) -> None:
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: store.prepare_epoch(prepared(f"e-{number}")), range(16)))
        assert set(answers) == set(store.epochs())
        assert len(store.epochs()) == 1

    def test_a_new_current_epoch_retires_the_one_before(self, store: KeyStore) -> None:
        for name in ("e-9", "e-1", "e-5"):
            make_epoch(store, name)
        assert list(states(store).items()) == [
            ("e-9", EpochState.RETIRED),
            ("e-1", EpochState.RETIRED),
            ("e-5", EpochState.CURRENT),
        ]

    @pytest.mark.parametrize("name", ["e-1", "e-2", "e-3"], ids=["a retired", "the current", "an unknown"])
    def test_making_another_than_a_prepared_epoch_current_changes_nothing(self, store: KeyStore, name: str) -> None:
        make_epoch(store, "e-1")
        make_epoch(store, "e-2")
        store.make_current(name)
        assert states(store) == {"e-1": EpochState.RETIRED, "e-2": EpochState.CURRENT}

    def test_keys_of_an_epoch_come_in_pages_sorted_by_id(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        for number in (3, 1, 2, 0xFF, 0xA):
            store.add(key(number, KeyScope(f"c-{number}", "d")))
        first = store.keys_under("e-1", "", 3)
        rest = store.keys_under("e-1", first[-1].key_id, 3)
        assert [int(each.key_id, 16) for each in first] == [1, 2, 3]
        assert [int(each.key_id, 16) for each in rest] == [0xA, 0xFF]
        assert list(store.keys_under("e-1", rest[-1].key_id, 3)) == []
        assert list(store.keys_under("e-2", "", 3)) == []

    def test_rewrapped_keys_are_under_the_new_epoch_and_otherwise_as_they_were(self, bench: KeyStoreBench) -> None:
        store = bench.store
        make_epoch(store, "e-1")
        store.add(key(1, WHOLE))
        store.add(key(2, ITEM))
        bench.set_state(WHOLE, KeyState.RESTRICTED)
        make_epoch(store, "e-2")
        page = store.keys_under("e-1", "", 10)
        bench.set_state(WHOLE, KeyState.TOMBSTONED)
        assert store.rewrap(swaps(page, "e-2")) == 2
        assert list(store.keys_under("e-1", "", 10)) == []
        expected = [
            replace(each, epoch="e-2", wrapped=b"anew " + each.wrapped) for each in (key(1, WHOLE), key(2, ITEM))
        ]
        assert store.find(WHOLE) == replace(expected[0], state=KeyState.TOMBSTONED)
        assert store.find(ITEM) == expected[1]

    def test_a_key_shredded_meanwhile_is_not_brought_back(self, bench: KeyStoreBench) -> None:
        store = bench.store
        make_epoch(store, "e-1")
        for number in (1, 2, 3):
            store.add(key(number, KeyScope(f"c-{number}", "d")))
        make_epoch(store, "e-2")
        page = store.keys_under("e-1", "", 10)
        bench.shred(KeyScope("c-2", "d"))
        assert store.rewrap(swaps(page, "e-2")) == 2
        assert store.get(f"{2:032x}") is None

    def test_rewrapping_the_same_page_twice_changes_nothing(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        store.add(key(1, WHOLE))
        make_epoch(store, "e-2")
        page = swaps(store.keys_under("e-1", "", 10), "e-2")
        assert store.rewrap(page) == 1
        assert store.rewrap([replace(page[0], wrapped=b"another")]) == 0
        assert [each.wrapped for each in store.keys_under("e-2", "", 10)] == [page[0].wrapped]
        assert store.rewrap([]) == 0

    def test_nothing_is_rewrapped_under_another_epoch_than_the_current_one(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        store.add(key(1, WHOLE))
        make_epoch(store, "e-2")
        page = swaps(store.keys_under("e-1", "", 10), "e-2")
        make_epoch(store, "e-3")
        assert store.rewrap(page) == 0
        assert store.find(WHOLE) == key(1, WHOLE)

    @pytest.mark.parametrize("state", list(KeyState))
    def test_an_epoch_with_a_key_under_it_is_never_destroyed_whatever_the_keys_state(
        self, bench: KeyStoreBench, state: KeyState
    ) -> None:
        make_epoch(bench.store, "e-1")
        bench.store.add(key(1, WHOLE))
        bench.set_state(WHOLE, state)
        make_epoch(bench.store, "e-2")
        assert bench.store.begin_destruction("e-1") is False
        assert states(bench.store)["e-1"] is EpochState.RETIRED
        bench.shred(WHOLE)
        assert bench.store.begin_destruction("e-1") is True

    @pytest.mark.parametrize("name", ["e-1", "e-2"], ids=["the current", "an unknown"])
    def test_another_than_a_retired_epoch_is_never_destroyed(self, store: KeyStore, name: str) -> None:
        make_epoch(store, "e-1")
        assert store.begin_destruction(name) is False
        assert states(store) == {"e-1": EpochState.CURRENT}

    def test_a_prepared_epoch_can_be_given_up(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        store.prepare_epoch(prepared("e-2"))
        assert store.begin_destruction("e-2") is True
        assert store.prepare_epoch(prepared("e-3")) == prepared("e-3")

    def test_a_destruction_is_recorded_once_and_its_first_time_stands(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        make_epoch(store, "e-2")
        later = NOW + timedelta(days=7)
        assert store.begin_destruction("e-1") is True
        assert store.begin_destruction("e-1") is True
        store.schedule_destruction("e-1", later)
        assert store.epochs()[0] == Epoch("e-1", EpochState.DESTROYING, NOW, effective_at=later)
        store.finish_destruction("e-1", later)
        store.finish_destruction("e-1", later + timedelta(days=1))
        store.schedule_destruction("e-1", later + timedelta(days=1))
        assert store.epochs()[0] == Epoch("e-1", EpochState.DESTROYED, NOW, effective_at=later, destroyed_at=later)
        assert store.begin_destruction("e-1") is False

    def test_a_destruction_that_has_not_begun_is_not_recorded(self, store: KeyStore) -> None:
        make_epoch(store, "e-1")
        make_epoch(store, "e-2")
        store.schedule_destruction("e-1", NOW)
        for name in ("e-1", "e-2", "e-3"):
            store.finish_destruction(name, NOW)
        assert states(store) == {"e-1": EpochState.RETIRED, "e-2": EpochState.CURRENT}
        assert all(epoch.destroyed_at is None and epoch.effective_at is None for epoch in store.epochs())

    def test_while_epochs_come_and_go_no_key_is_left_under_a_dying_one(self, store: KeyStore) -> None:
        """Creators, re-wrappers and destroyers at once: the locks that the contract asks for."""
        make_epoch(store, "e-0")

        def create(number: int) -> None:
            for epoch in store.epochs():
                if epoch.state is EpochState.CURRENT:
                    store.add(key(number, KeyScope(f"c-{number}", "d"), epoch.name))

        def roll(number: int) -> None:
            make_epoch(store, f"e-{number}")
            for epoch in store.epochs():
                store.rewrap(swaps(store.keys_under(epoch.name, "", 100), f"e-{number}"))
                store.begin_destruction(epoch.name)

        with ThreadPoolExecutor(6) as threads:
            creations = [threads.submit(create, number) for number in range(1, 61)]
            rolls = [threads.submit(roll, number) for number in range(1, 16)]
            for done in (*creations, *rolls):
                done.result()
        dying = {name for name, state in states(store).items() if state is EpochState.DESTROYING}
        assert dying
        assert [each for name in dying for each in store.keys_under(name, "", 100)] == []
        assert list(states(store).values()).count(EpochState.CURRENT) == 1
