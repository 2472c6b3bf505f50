"""The roll: whatever happens to it, no living key is lost, and no old epoch key outlives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar, cast

import pytest

from retention.clock import ManualClock
from retention.keys.epochs import (
    Destroyed,
    Drained,
    NotDestroyed,
    Rewrapped,
    begin_roll,
    continue_roll,
    current_epoch,
    epochs_that_open,
    unrecoverable_at,
)
from retention.keys.errors import KeyGone
from retention.keys.file_provider import FileKeyProvider
from retention.keys.key_cache import UsableKey
from retention.keys.keyring import Keyring
from retention.keys.memory_store import MemoryKeyStore
from retention.keys.store import PAGE_SIZE
from retention.model.key import Epoch, EpochState, KeyScope, KeyState
from tests.unit.retention.keys.rolling import fresh_keyring, make_keys, roll, states

Target = TypeVar("Target")


# ---------------------------------------------------------------------------------------------------------- a good roll


def test_a_roll_puts_every_living_key_under_a_new_epoch_and_destroys_the_old_one(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    keys = make_keys(keyring, 1, 2, 3)
    (old,) = store.epochs()
    clock.advance(timedelta(days=1))
    steps = roll(store, provider, clock)
    assert steps == [Rewrapped(old.name, 3, ()), Drained(old.name), Destroyed(old.name, clock.at)]
    new = current_epoch(store)
    assert new is not None
    assert [key.epoch for key in store.keys_under(new.name, "", 10)] == [new.name] * 3
    assert provider.epochs() == (new.name,)
    assert store.epochs()[0] == replace(old, state=EpochState.DESTROYED, destroyed_at=clock.at)
    ring = fresh_keyring(store, provider, clock)
    assert {scope: ring.key_for_opening(key.key_id, scope) for scope, key in keys.items()} == keys


@pytest.mark.parametrize("state", list(KeyState))
def test_keys_of_every_state_are_taken_along_as_they_are(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock, state: KeyState
) -> None:
    (scope,) = make_keys(keyring, 1)
    store.set_state(scope, state)
    roll(store, provider, clock)
    row = store.find(scope)
    assert row is not None
    assert row.state is state
    assert provider.unwrap(row.epoch, [row.wrapped]) != [None]


def test_more_keys_than_a_page_go_page_by_page(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    make_keys(keyring, *range(2 * PAGE_SIZE + 1))
    steps = roll(store, provider, clock)
    assert [step.count for step in steps if isinstance(step, Rewrapped)] == [PAGE_SIZE, PAGE_SIZE, 1]
    assert isinstance(steps[-1], Destroyed)


def test_a_roll_without_keys_only_changes_the_epoch(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    first = begin_roll(store, provider, clock.now)
    assert list(continue_roll(store, provider, clock.now)) == []
    assert roll(store, provider, clock) == [Drained(first.name), Destroyed(first.name, clock.at)]


def test_where_nothing_is_left_to_do_a_roll_continues_with_nothing(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    make_keys(keyring, 1)
    roll(store, provider, clock)
    before = store.epochs()
    assert list(continue_roll(store, provider, clock.now)) == []
    assert store.epochs() == before


def test_epochs_are_named_by_their_minute_and_never_alike(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    names = {begin_roll(store, provider, clock.now).name for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("e20261108t0930-") for name in names)


def test_keys_made_and_shredded_during_the_roll_are_neither_lost_nor_brought_back(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    keys = make_keys(keyring, *range(PAGE_SIZE + 10))
    begin_roll(store, provider, clock.now)
    shredded = {row.scope for row in store.keys_under(store.epochs()[0].name, "", PAGE_SIZE + 10)[-3:]}
    made: dict[KeyScope, UsableKey] = {}
    for step in continue_roll(store, provider, clock.now):
        if isinstance(step, Rewrapped) and not made:
            made = make_keys(fresh_keyring(store, provider, clock), 9_001, 9_002)
            for scope in shredded:
                store.remove(scope)
    assert states(store) == [EpochState.DESTROYED, EpochState.CURRENT]
    ring = fresh_keyring(store, provider, clock)
    for scope, key in (keys | made).items():
        if scope in shredded:
            with pytest.raises(KeyGone):
                ring.key_for_opening(key.key_id, scope)
        else:
            assert ring.key_for_opening(key.key_id, scope) == key


def test_stopping_at_drained_leaves_the_old_epoch_to_the_next_call(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    make_keys(keyring, 1)
    begin_roll(store, provider, clock.now)
    for step in continue_roll(store, provider, clock.now):
        if isinstance(step, Drained):
            break
    assert states(store) == [EpochState.RETIRED, EpochState.CURRENT]
    assert len(provider.epochs()) == 2
    assert [type(step) for step in continue_roll(store, provider, clock.now)] == [Drained, Destroyed]


# -------------------------------------------------------------------------------------------------------- killed anywhere


class Killed(BaseException):
    """The process ended here."""


class Countdown:
    """Kills at the `number`th call of everything that it interrupts together."""

    def __init__(self, number: int, *, after_acting: bool) -> None:
        self._number = number
        self._after_acting = after_acting
        self._calls = count(1)

    def interrupting(self, target: Target) -> Target:
        """The target, whose calls are counted."""
        return cast(Target, _Interrupted(target, self))

    def call(self, method: Callable[..., object], *arguments: object) -> object:
        is_the_one = next(self._calls) == self._number
        if is_the_one and not self._after_acting:
            raise Killed
        answer = method(*arguments)
        if is_the_one:
            raise Killed
        return answer


class _Interrupted:
    def __init__(self, target: object, countdown: Countdown) -> None:
        self._target = target
        self._countdown = countdown

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = cast(Callable[..., object], getattr(self._target, name))
        return lambda *arguments: self._countdown.call(method, *arguments)


@pytest.mark.parametrize("after_acting", [False, True], ids=["killed before it acted", "killed after it acted"])
def test_a_roll_killed_at_any_call_continues_to_the_same_end(
    tmp_path: Path, clock: ManualClock, after_acting: bool
) -> None:
    was_killed = True
    number = 0
    while was_killed:
        number += 1
        store, provider = MemoryKeyStore(), FileKeyProvider.create(tmp_path / str(number), clock.now)
        keys = make_keys(fresh_keyring(store, provider, clock), 1, 2, 3)
        shredded = KeyScope("c-2", "d")
        copy, countdown = store.copy(), Countdown(number, after_acting=after_acting)
        try:
            roll(countdown.interrupting(store), countdown.interrupting(provider), clock)
            was_killed = False
        except Killed:
            was_killed = True
        keys |= make_keys(fresh_keyring(store, provider, clock), 4)
        store.remove(shredded)
        list(continue_roll(store, provider, clock.now))
        if len(store.epochs()) == 1:  # killed before anything was recorded: the roll never began
            roll(store, provider, clock)
        assert_rolled(store, copy, provider, clock, keys, shredded)
    assert number > 15


def assert_rolled(
    store: MemoryKeyStore,
    copy: MemoryKeyStore,
    provider: FileKeyProvider,
    clock: ManualClock,
    keys: dict[KeyScope, UsableKey],
    shredded: KeyScope,
) -> None:
    """Every living key opens, the shredded one is gone, one epoch is left, and the old copy opens nothing."""
    current = current_epoch(store)
    assert current is not None
    assert provider.epochs() == (current.name,)
    assert states(store) == [EpochState.DESTROYED] * (len(store.epochs()) - 1) + [EpochState.CURRENT]
    ring, stale = fresh_keyring(store, provider, clock), fresh_keyring(copy, provider, clock)
    for scope, key in keys.items():
        if scope == shredded:
            with pytest.raises(KeyGone):
                ring.key_for_opening(key.key_id, scope)
        else:
            assert ring.key_for_opening(key.key_id, scope) == key
        with pytest.raises(KeyGone):
            stale.key_for_opening(key.key_id, scope)


def test_two_rolls_at_once_end_like_one(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    keys = make_keys(keyring, 1, 2, 3)
    begin_roll(store, provider, clock.now)
    one, other = (continue_roll(store, provider, clock.now) for _ in range(2))
    steps = [step for pair in zip(one, other, strict=False) for step in pair]
    steps += [*one, *other]
    assert sum(step.count for step in steps if isinstance(step, Rewrapped)) == 3
    assert not [step for step in steps if isinstance(step, NotDestroyed)]
    assert states(store) == [EpochState.DESTROYED, EpochState.CURRENT]
    ring = fresh_keyring(store, provider, clock)
    assert {scope: ring.key_for_opening(key.key_id, scope) for scope, key in keys.items()} == keys


def test_a_second_roll_that_overtakes_the_first_loses_no_key(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    keys = make_keys(keyring, *range(PAGE_SIZE + 5))
    begin_roll(store, provider, clock.now)
    slow = continue_roll(store, provider, clock.now)
    next(slow)
    roll(store, provider, clock)
    list(slow)
    list(continue_roll(store, provider, clock.now))
    assert states(store) == [EpochState.DESTROYED, EpochState.DESTROYED, EpochState.CURRENT]
    ring = fresh_keyring(store, provider, clock)
    assert {scope: ring.key_for_opening(key.key_id, scope) for scope, key in keys.items()} == keys


# ------------------------------------------------------------------------------------------------ when is it unrecoverable

DAYS = [datetime(2026, 11, day, tzinfo=UTC) for day in range(1, 6)]


def epoch(number: int, destroyed_at: datetime | None) -> Epoch:
    state = EpochState.RETIRED if destroyed_at is None else EpochState.DESTROYED
    return Epoch(f"e-{number}", state, DAYS[0], destroyed_at=destroyed_at)


@pytest.mark.parametrize(
    ("first", "last", "destroyed", "expected", "open_ones"),
    [
        pytest.param("e-1", "e-1", [DAYS[1], None], DAYS[1], (), id="its only epoch is destroyed"),
        pytest.param("e-0", "e-1", [DAYS[1], None], None, ("e-1",), id="its last epoch lives"),
        pytest.param("e-1", "e-2", [None, DAYS[2], DAYS[3]], DAYS[3], (), id="an epoch before its first lives"),
        pytest.param("e-0", "e-2", [None, DAYS[2], DAYS[3]], None, ("e-0",), id="its first epoch lives"),
        pytest.param("e-0", "e-2", [DAYS[4], DAYS[2], DAYS[3]], DAYS[4], (), id="its first epoch went last"),
        pytest.param("e-0", "e-0", [DAYS[1], None, None], DAYS[1], (), id="epochs after its last live"),
    ],
)
def test_a_shredded_key_is_unrecoverable_when_the_last_epoch_that_wrapped_it_is_destroyed(
    first: str, last: str, destroyed: list[datetime | None], expected: datetime | None, open_ones: tuple[str, ...]
) -> None:
    start = 1 if (first, last) == ("e-1", "e-1") else 0
    epochs = [epoch(number, time) for number, time in enumerate(destroyed, start=start)]
    assert unrecoverable_at(first, last, epochs) == expected
    assert epochs_that_open(first, last, epochs) == open_ones


@pytest.mark.parametrize(("first", "last"), [("e-1", "e-0"), ("e-0", "e-9")], ids=["reversed", "unknown"])
def test_epochs_that_the_store_does_not_have_in_this_order_are_an_error(first: str, last: str) -> None:
    with pytest.raises(ValueError, match=r"e-9|comes before"):
        unrecoverable_at(first, last, [epoch(0, DAYS[0]), epoch(1, DAYS[1])])


def test_the_time_of_a_shred_and_of_the_last_roll_are_told_apart(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    (scope,) = make_keys(keyring, 1)
    roll(store, provider, clock)
    (shredded,) = store.remove(scope)
    shredded_at = clock.at
    assert unrecoverable_at(shredded.first_epoch, shredded.epoch, store.epochs()) is None
    clock.advance(timedelta(hours=5))
    roll(store, provider, clock)
    assert unrecoverable_at(shredded.first_epoch, shredded.epoch, store.epochs()) == shredded_at + timedelta(hours=5)
