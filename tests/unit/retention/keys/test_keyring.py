"""Customer keys in use: made once, refused by their state, and used no longer than the stated bound."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.errors import RefusedByRule
from retention.keys import sealed
from retention.keys.epochs import begin_roll, continue_roll
from retention.keys.errors import KeyGone, KeyRefused, KeysUnavailable, NotAuthentic
from retention.keys.file_provider import FileKeyProvider
from retention.keys.key_cache import UsableKey
from retention.keys.keyring import CACHE_SECONDS, Keyring
from retention.keys.memory_store import MemoryKeyStore
from retention.keys.sealed import Binding, ObjectSubject
from retention.model.key import EpochState, KeyScope, KeyState, WrappedKey

WHOLE = KeyScope("c-1", "training-data")
ITEM = KeyScope.of_object("c-1", "training-data", "a")
OTHER_ITEM = KeyScope.of_object("c-1", "training-data", "b")
BOUND = timedelta(seconds=CACHE_SECONDS)
NOT_LIVE = pytest.mark.parametrize("state", [KeyState.RESTRICTED, KeyState.TOMBSTONED])


def another_process(store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock) -> Keyring:
    return Keyring(store, provider, clock.now, lambda: clock.ticks)


# -------------------------------------------------------------------------------------------------------------- making


def test_the_first_use_makes_a_key_and_every_later_one_finds_it(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    assert len(key.key) == 32
    assert key == keyring.key_for_sealing(WHOLE) == keyring.key_for_opening(key.key_id, WHOLE)
    assert another_process(store, provider, clock).key_for_sealing(WHOLE) == key
    row = store.find(WHOLE)
    assert row is not None
    assert (row.key_id, row.state, row.created_at) == (key.key_id, KeyState.LIVE, clock.at)
    assert key.key not in row.wrapped


def test_every_scope_has_its_own_key(keyring: Keyring) -> None:
    scopes = (WHOLE, ITEM, OTHER_ITEM, KeyScope("c-10", WHOLE.dataset), KeyScope("c-1", "logs"))
    keys = [keyring.key_for_sealing(scope) for scope in scopes]
    assert len({key.key for key in keys}) == len({key.key_id for key in keys}) == len(scopes)


def test_the_first_key_of_all_makes_the_first_epoch(keyring: Keyring, store: MemoryKeyStore) -> None:
    keyring.key_for_sealing(WHOLE)
    assert [epoch.state for epoch in store.epochs()] == [EpochState.CURRENT]


def test_an_item_has_its_datasets_key_beside_it(keyring: Keyring, store: MemoryKeyStore) -> None:
    keyring.key_for_sealing(ITEM)
    assert store.find(WHOLE) is not None


def test_all_who_make_a_key_at_once_get_the_same(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    rings = [another_process(store, provider, clock) for _ in range(16)]
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda ring: ring.key_for_sealing(ITEM), rings))
    assert len(set(keys)) == 1


def test_a_roll_between_making_and_adding_a_key_leaves_none_under_the_old_epoch(
    provider: FileKeyProvider, clock: ManualClock
) -> None:
    class RolledInBetween(MemoryKeyStore):
        rolled = False

        def add(self, key: WrappedKey) -> WrappedKey | None:
            if not self.rolled:
                self.rolled = True
                begin_roll(self, provider, clock.now)
                list(continue_roll(self, provider, clock.now))
            return super().add(key)

    store = RolledInBetween()
    key = another_process(store, provider, clock).key_for_sealing(WHOLE)
    row = store.find(WHOLE)
    assert row is not None
    assert [row.epoch] == [epoch.name for epoch in store.epochs() if epoch.state is EpochState.CURRENT]
    assert another_process(store, provider, clock).key_for_opening(key.key_id, WHOLE) == key


def test_a_store_that_never_comes_to_rest_is_unavailable_not_an_endless_loop(
    provider: FileKeyProvider, clock: ManualClock
) -> None:
    class Restless(MemoryKeyStore):
        def add(self, key: WrappedKey) -> WrappedKey | None:
            return None

    with pytest.raises(KeysUnavailable):
        another_process(Restless(), provider, clock).key_for_sealing(WHOLE)


def test_a_rule_of_the_store_against_new_keys_is_heard(provider: FileKeyProvider, clock: ManualClock) -> None:
    class NotYet(MemoryKeyStore):
        def add(self, key: WrappedKey) -> WrappedKey | None:
            raise RefusedByRule("not yet")

    with pytest.raises(RefusedByRule, match="not yet"):
        another_process(NotYet(), provider, clock).key_for_sealing(WHOLE)


# -------------------------------------------------------------------------------------------------------------- states


@NOT_LIVE
def test_a_key_that_is_not_live_is_refused_with_exit_code_3(
    keyring: Keyring, store: MemoryKeyStore, state: KeyState
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.set_state(WHOLE, state)
    keyring.forget(WHOLE)
    uses: list[Callable[[], object]] = [
        lambda: keyring.key_for_sealing(WHOLE),
        lambda: keyring.key_for_opening(key.key_id, WHOLE),
    ]
    for call in uses:
        with pytest.raises(KeyRefused, match=state) as refusal:
            call()
        assert isinstance(refusal.value, RefusedByRule)
        assert refusal.value.exit_code == 3
    store.set_state(WHOLE, KeyState.LIVE)
    assert keyring.key_for_opening(key.key_id, WHOLE) == key


@NOT_LIVE
def test_a_dataset_that_is_not_live_refuses_all_its_items_old_and_new(
    keyring: Keyring, store: MemoryKeyStore, state: KeyState
) -> None:
    key = keyring.key_for_sealing(ITEM)
    store.set_state(WHOLE, state)
    keyring.forget(WHOLE)
    for scope in (ITEM, OTHER_ITEM):
        with pytest.raises(KeyRefused):
            keyring.key_for_sealing(scope)
    with pytest.raises(KeyRefused):
        keyring.key_for_opening(key.key_id, ITEM)
    assert store.find(OTHER_ITEM) is None


@NOT_LIVE
def test_an_item_that_is_not_live_is_refused_alone(keyring: Keyring, store: MemoryKeyStore, state: KeyState) -> None:
    key, other = keyring.key_for_sealing(ITEM), keyring.key_for_sealing(OTHER_ITEM)
    store.set_state(ITEM, state)
    keyring.forget(ITEM)
    with pytest.raises(KeyRefused):
        keyring.key_for_opening(key.key_id, ITEM)
    assert keyring.key_for_opening(other.key_id, OTHER_ITEM) == other


def test_a_shredded_key_is_gone_and_the_next_one_is_another(keyring: Keyring, store: MemoryKeyStore) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.remove(WHOLE)
    keyring.forget(WHOLE)
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, WHOLE)
    new = keyring.key_for_sealing(WHOLE)
    assert new.key_id != key.key_id
    assert new.key != key.key
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, WHOLE)


def test_an_item_whose_dataset_was_shredded_without_it_is_gone(keyring: Keyring, store: MemoryKeyStore) -> None:
    """A store that forgot the items would still open nothing."""
    key = keyring.key_for_sealing(ITEM)
    item = store.find(ITEM)
    assert item is not None
    store.remove(WHOLE)
    store.write(item)
    keyring.forget(WHOLE)
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, ITEM)


def test_a_key_opens_nothing_of_another_scope_even_while_it_is_held(keyring: Keyring) -> None:
    whole, item = keyring.key_for_sealing(WHOLE), keyring.key_for_sealing(ITEM)
    assert keyring.key_for_opening(whole.key_id, ITEM) == whole
    for key, scope in (
        (whole, KeyScope("c-10", WHOLE.dataset)),
        (whole, KeyScope("c-1", "logs")),
        (item, OTHER_ITEM),
        (item, WHOLE),
    ):
        with pytest.raises(KeyGone):
            keyring.key_for_opening(key.key_id, scope)


def test_a_key_that_never_was_is_gone(keyring: Keyring) -> None:
    with pytest.raises(KeyGone):
        keyring.key_for_opening("0" * 32, WHOLE)


# ----------------------------------------------------------------------------------------------------------- the bound


@NOT_LIVE
def test_another_process_hears_of_a_new_state_within_the_bound(
    keyring: Keyring, store: MemoryKeyStore, clock: ManualClock, state: KeyState
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.set_state(WHOLE, state)
    clock.advance(BOUND - timedelta(milliseconds=1))
    assert keyring.key_for_opening(key.key_id, WHOLE) == key
    clock.advance(timedelta(milliseconds=1))
    with pytest.raises(KeyRefused):
        keyring.key_for_opening(key.key_id, WHOLE)
    with pytest.raises(KeyRefused):
        keyring.key_for_sealing(WHOLE)


def test_another_process_hears_of_a_shred_within_the_bound(
    keyring: Keyring, store: MemoryKeyStore, clock: ManualClock
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.remove(WHOLE)
    clock.advance(BOUND)
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, WHOLE)


def test_using_a_key_does_not_stretch_the_bound(keyring: Keyring, store: MemoryKeyStore, clock: ManualClock) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.remove(WHOLE)
    for _ in range(4):
        clock.advance(BOUND / 4)
        used_at = clock.ticks
        try:
            keyring.key_for_opening(key.key_id, WHOLE)
        except KeyGone:
            break
    assert used_at == CACHE_SECONDS


def test_a_wall_clock_put_back_does_not_stretch_the_bound(
    keyring: Keyring, store: MemoryKeyStore, clock: ManualClock
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    store.remove(WHOLE)
    clock.jump(-timedelta(days=400))
    clock.advance(BOUND)
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, WHOLE)


def test_the_bound_counts_from_before_the_store_was_read(provider: FileKeyProvider, clock: ManualClock) -> None:
    class Slow(MemoryKeyStore):
        seconds = 0

        def get(self, key_id: str) -> WrappedKey | None:
            row = super().get(key_id)
            clock.advance(timedelta(seconds=self.seconds))
            return row

    store = Slow()
    key = another_process(store, provider, clock).key_for_sealing(WHOLE)
    keyring, store.seconds = another_process(store, provider, clock), 4
    keyring.key_for_opening(key.key_id, WHOLE)
    store.remove(WHOLE)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(KeyGone):
        keyring.key_for_opening(key.key_id, WHOLE)


def test_a_key_looked_up_while_its_state_changes_is_not_held(provider: FileKeyProvider, clock: ManualClock) -> None:
    class RestrictedInBetween(MemoryKeyStore):
        def get(self, key_id: str) -> WrappedKey | None:
            row = super().get(key_id)
            self.set_state(WHOLE, KeyState.RESTRICTED)
            keyring.forget(WHOLE)
            return row

    store = RestrictedInBetween()
    key = another_process(store, provider, clock).key_for_sealing(WHOLE)
    keyring = another_process(store, provider, clock)
    assert keyring.key_for_opening(key.key_id, WHOLE) == key
    with pytest.raises(KeyRefused):
        keyring.key_for_opening(key.key_id, WHOLE)


def test_forgetting_one_item_forgets_neither_its_dataset_nor_others(
    keyring: Keyring, store: MemoryKeyStore, clock: ManualClock
) -> None:
    keys = {scope: keyring.key_for_sealing(scope) for scope in (WHOLE, ITEM, OTHER_ITEM)}
    keyring.forget(ITEM)
    store.remove(WHOLE)
    for scope in (WHOLE, OTHER_ITEM):
        assert keyring.key_for_opening(keys[scope].key_id, scope) == keys[scope]
    with pytest.raises(KeyGone):
        keyring.key_for_opening(keys[ITEM].key_id, ITEM)


def test_a_key_in_the_clear_is_not_shown_when_printed(keyring: Keyring) -> None:
    key = keyring.key_for_sealing(WHOLE)
    assert key.key.hex() not in repr(key)
    assert repr(key.key) not in repr(key)
    assert repr(UsableKey("id", WHOLE, b"secret")).count("secret") == 0


# ------------------------------------------------------------------------------------------------- rolls and old copies


def test_keys_open_after_a_roll_in_this_process_and_others(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    keys = {scope: keyring.key_for_sealing(scope) for scope in (WHOLE, ITEM)}
    begin_roll(store, provider, clock.now)
    list(continue_roll(store, provider, clock.now))
    for ring in (keyring, another_process(store, provider, clock)):
        assert {scope: ring.key_for_sealing(scope) for scope in keys} == keys


def test_a_roll_between_reading_and_unwrapping_a_key_is_not_noticed(
    provider: FileKeyProvider, clock: ManualClock
) -> None:
    class RolledInBetween(MemoryKeyStore):
        rolled = False

        def get(self, key_id: str) -> WrappedKey | None:
            row = super().get(key_id)
            if not self.rolled:
                self.rolled = True
                begin_roll(self, provider, clock.now)
                list(continue_roll(self, provider, clock.now))
            return row

    store = RolledInBetween()
    key = another_process(store, provider, clock).key_for_sealing(WHOLE)
    assert another_process(store, provider, clock).key_for_opening(key.key_id, WHOLE) == key


def test_a_copy_of_the_key_table_from_before_the_shred_opens_nothing_after_the_roll(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    key = keyring.key_for_sealing(WHOLE)
    keyring.key_for_sealing(KeyScope("c-2", "training-data"))
    copy = store.copy()
    assert another_process(copy, provider, clock).key_for_opening(key.key_id, WHOLE) == key
    store.remove(WHOLE)
    assert another_process(copy, provider, clock).key_for_opening(key.key_id, WHOLE) == key
    begin_roll(store, provider, clock.now)
    list(continue_roll(store, provider, clock.now))
    with pytest.raises(KeyGone, match="destroyed"):
        another_process(copy, provider, clock).key_for_opening(key.key_id, WHOLE)


# -------------------------------------------------------------------------------------------------------------- damage


def test_a_damaged_wrapped_key_is_not_authentic_and_not_replaced(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    another_process(store, provider, clock).key_for_sealing(WHOLE)
    row = store.find(WHOLE)
    assert row is not None
    store.write(replace(row, wrapped=row.wrapped[:-1] + bytes([row.wrapped[-1] ^ 1])))
    with pytest.raises(NotAuthentic) as refusal:
        another_process(store, provider, clock).key_for_sealing(WHOLE)
    assert refusal.value.exit_code == 4


def test_a_wrapped_key_put_into_another_customers_row_does_not_open_there(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    theirs = KeyScope("c-2", WHOLE.dataset)
    keyring.key_for_sealing(WHOLE)
    keyring.key_for_sealing(theirs)
    mine, other = store.find(WHOLE), store.find(theirs)
    assert mine is not None
    assert other is not None
    store.write(replace(mine, wrapped=other.wrapped))
    with pytest.raises(NotAuthentic):
        another_process(store, provider, clock).key_for_sealing(WHOLE)


def test_no_error_names_a_customer(keyring: Keyring, store: MemoryKeyStore, directory: Path) -> None:
    scope = KeyScope("张三科技", "训练数据")
    key = keyring.key_for_sealing(scope)
    messages: list[str] = []
    for change in (
        lambda: store.set_state(scope, KeyState.TOMBSTONED),
        lambda: store.remove(scope),
    ):
        change()
        keyring.forget(scope)
        with pytest.raises((KeyRefused, KeyGone)) as refusal:
            keyring.key_for_opening(key.key_id, scope)
        messages.append(str(refusal.value))
    assert all(messages)
    assert not any(word in message for message in messages for word in ("张三科技", "训练数据", str(directory)))


# ------------------------------------------------------------------------------------------------------ was it sealed?


def test_content_is_told_to_be_sealed_in_every_state_of_its_key_until_the_shred(
    keyring: Keyring, store: MemoryKeyStore
) -> None:
    place = Binding("c-1", "training-data", ObjectSubject("a"))
    key = keyring.key_for_sealing(WHOLE)
    first = sealed.seal_value(key.key, key.key_id, place, b"secret")[: sealed.PROOF_LENGTH]
    for state in KeyState:
        store.set_state(WHOLE, state)
        keyring.forget(WHOLE)
        assert keyring.is_sealed(place, first)
        assert not keyring.is_sealed(replace(place, customer="c-10"), first)
        assert not keyring.is_sealed(replace(place, subject=ObjectSubject("b")), first)
        assert not keyring.is_sealed(place, first[:-1] + bytes([first[-1] ^ 1]))
        assert not keyring.is_sealed(place, b"plain")
    store.remove(WHOLE)
    assert not keyring.is_sealed(place, first)


@NOT_LIVE
def test_asking_whether_content_is_sealed_does_not_let_a_refused_key_out(
    keyring: Keyring, store: MemoryKeyStore, state: KeyState
) -> None:
    place = Binding("c-1", "training-data", ObjectSubject("a"))
    key = keyring.key_for_sealing(WHOLE)
    first = sealed.seal_value(key.key, key.key_id, place, b"secret")
    store.set_state(WHOLE, state)
    keyring.forget(WHOLE)
    assert keyring.is_sealed(place, first)
    with pytest.raises(KeyRefused):
        keyring.key_for_opening(key.key_id, WHOLE)
