"""What can stand in the way of a roll: damage, a restored catalogue, and providers of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.keys.epochs import (
    Destroyed,
    DestructionScheduled,
    Drained,
    NotDestroyed,
    Obstacle,
    Rewrapped,
    RollStep,
    begin_roll,
    continue_roll,
    unrecoverable_at,
)
from retention.keys.errors import EpochGone, ProviderRefused
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.keys.memory_store import MemoryKeyStore
from retention.keys.provider import Destruction, DestructionResult, KeyProvider, ProviderCapabilities
from retention.keys.store import KeyStore
from retention.model.key import Epoch, EpochState, KeyScope, WrappedKey
from tests.unit.retention.keys.rolling import fresh_keyring, make_keys, roll, states

# ------------------------------------------------------------------------------------------------------------ obstacles


def damage(store: MemoryKeyStore, scope: KeyScope) -> WrappedKey:
    row = store.find(scope)
    assert row is not None
    store.write(replace(row, wrapped=bytes(72)))
    return row


def test_a_damaged_key_keeps_its_epoch_alive_is_named_and_keeps_no_other_key_back(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    first, second, third = make_keys(keyring, 1, 2, 3)
    good = damage(store, second)
    (old,) = store.epochs()
    steps = roll(store, provider, clock)
    assert steps == [Rewrapped(old.name, 2, (good.key_id,)), NotDestroyed(old.name, Obstacle.KEYS_REMAIN)]
    assert old.name in provider.epochs()
    store.write(good)  # brought back from a backup
    assert list(continue_roll(store, provider, clock.now)) == [
        Rewrapped(old.name, 1, ()),
        Drained(old.name),
        Destroyed(old.name, clock.at),
    ]
    ring = fresh_keyring(store, provider, clock)
    assert all(ring.key_for_sealing(scope) for scope in (first, second, third))


def test_a_key_in_another_customers_row_is_not_taken_along(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    first, second = make_keys(keyring, 1, 2)
    mine, theirs = store.find(first), store.find(second)
    assert mine is not None
    assert theirs is not None
    store.write(replace(mine, wrapped=theirs.wrapped))
    steps = roll(store, provider, clock)
    assert steps[0] == Rewrapped(mine.epoch, 1, (mine.key_id,))


def test_a_catalogue_from_before_the_last_roll_loses_its_keys_visibly_and_goes_on_with_new_ones(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    (scope,) = make_keys(keyring, 1)
    restored = store.copy()
    roll(store, provider, clock)
    with pytest.raises(EpochGone):
        list(continue_roll_of_gone(restored, provider, clock))
    (old,) = restored.epochs()
    steps = roll(restored, provider, clock)
    row = restored.find(scope)
    assert row is not None
    assert steps == [Rewrapped(old.name, 0, (row.key_id,)), NotDestroyed(old.name, Obstacle.KEYS_REMAIN)]
    assert make_keys(fresh_keyring(restored, provider, clock), 2)


def continue_roll_of_gone(store: KeyStore, provider: KeyProvider, clock: ManualClock) -> Sequence[RollStep]:
    """A roll whose current epoch the provider does not have."""
    gone = store.epochs()[0].name
    provider.wrap(gone, [bytes(64)])
    return list(continue_roll(store, provider, clock.now))


def test_a_prepared_epoch_that_was_destroyed_since_is_given_up_for_another(
    provider: FileKeyProvider, clock: ManualClock
) -> None:
    store = MemoryKeyStore()
    store.prepare_epoch(Epoch("e-1", EpochState.PREPARED, clock.at))
    provider.create_epoch("e-1")
    provider.destroy_epoch("e-1")
    current = begin_roll(store, provider, clock.now)
    assert current.name != "e-1"
    assert states(store) == [EpochState.DESTROYED, EpochState.CURRENT]


def test_an_epoch_key_that_vanished_from_a_provider_that_remembers_is_not_reported_as_destroyed(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock, directory: Path
) -> None:
    make_keys(keyring, 1)
    (old,) = store.epochs()
    begin_roll(store, provider, clock.now)
    for step in continue_roll(store, provider, clock.now):
        if isinstance(step, Drained):
            (directory / f"{old.name}.epoch").rename(directory.parent / "kept for later")
    assert step == NotDestroyed(old.name, Obstacle.UNACCOUNTED)
    assert states(store) == [EpochState.DESTROYING, EpochState.CURRENT]
    (directory.parent / "kept for later").rename(directory / f"{old.name}.epoch")
    assert list(continue_roll(store, provider, clock.now)) == [Destroyed(old.name, clock.at)]


def test_nothing_is_destroyed_while_the_current_epoch_is_not_in_the_provider(
    keyring: Keyring, store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock, directory: Path
) -> None:
    make_keys(keyring, 1)
    (old,) = store.epochs()
    new = begin_roll(store, provider, clock.now)
    rolling = continue_roll(store, provider, clock.now)
    assert [type(next(rolling)), type(next(rolling))] == [Rewrapped, Drained]
    (directory / f"{new.name}.epoch").rename(directory.parent / "lost")
    with pytest.raises(EpochGone):
        next(rolling)
    assert provider.epochs() == (old.name,)
    assert states(store) == [EpochState.RETIRED, EpochState.CURRENT]


# ------------------------------------------------------------------------------------------ providers of another kind


class CloudProvider:
    """Schedules destructions like a KMS: the key opens nothing from the order on, and is forgotten seven days later."""

    delay = timedelta(days=7)

    def __init__(self, inner: FileKeyProvider, now: Callable[[], datetime]) -> None:
        self._inner = inner
        self._now = now
        self._scheduled: dict[str, datetime] = {}

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities("cloud", self.delay, True, False, False, ("Keys go after seven days.",))

    def create_epoch(self, epoch: str) -> bool:
        return self._inner.create_epoch(epoch)

    def wrap(self, epoch: str, payloads: Sequence[bytes]) -> list[bytes]:
        return self._inner.wrap(self._usable(epoch), payloads)

    def unwrap(self, epoch: str, wrapped: Sequence[bytes]) -> list[bytes | None]:
        return self._inner.unwrap(self._usable(epoch), wrapped)

    def destroy_epoch(self, epoch: str) -> Destruction:
        if epoch not in self._inner.epochs():
            return Destruction(epoch, DestructionResult.ABSENT, None)
        due = self._scheduled.setdefault(epoch, self._now() + self.delay)
        if due <= self._now():
            self._inner.destroy_epoch(epoch)
            return Destruction(epoch, DestructionResult.ABSENT, None)
        return Destruction(epoch, DestructionResult.SCHEDULED, due)

    def epochs(self) -> tuple[str, ...]:
        return self._inner.epochs()

    def _usable(self, epoch: str) -> str:
        if epoch in self._scheduled:
            raise EpochGone(epoch)
        return epoch


def test_a_destruction_that_the_provider_only_schedules_is_finished_when_its_date_has_come(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    cloud: KeyProvider = CloudProvider(provider, clock.now)
    make_keys(fresh_keyring(store, cloud, clock), 1)
    (old,) = store.epochs()
    ordered_at, due = clock.at, clock.at + timedelta(days=7)
    assert roll(store, cloud, clock)[-1] == DestructionScheduled(old.name, due)
    assert store.epochs()[0] == replace(old, state=EpochState.DESTROYING, effective_at=due)
    assert unrecoverable_at(old.name, old.name, store.epochs()) is None
    clock.advance(timedelta(days=6))
    assert list(continue_roll(store, cloud, clock.now)) == []
    clock.advance(timedelta(days=1, hours=3))
    assert list(continue_roll(store, cloud, clock.now)) == [Destroyed(old.name, clock.at)]
    assert unrecoverable_at(old.name, old.name, store.epochs()) == clock.at > ordered_at + CloudProvider.delay


class LyingProvider(CloudProvider):
    """Says that it destroys, and goes on opening."""

    def destroy_epoch(self, epoch: str) -> Destruction:
        return Destruction(epoch, DestructionResult.DESTROYED, self._now())


class ForgetfulProvider(CloudProvider):
    """Gives back something else than it wrapped, after so many good answers."""

    breaks_after: int | None = None

    def unwrap(self, epoch: str, wrapped: Sequence[bytes]) -> list[bytes | None]:
        opened = super().unwrap(epoch, wrapped)
        if self.breaks_after is None:
            return opened
        self.breaks_after -= 1
        return opened if self.breaks_after >= 0 else [b"x" * 64 for _ in opened]


def test_a_provider_that_still_opens_what_it_destroyed_is_found_out(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    lying = LyingProvider(provider, clock.now)
    make_keys(fresh_keyring(store, lying, clock), 1)
    with pytest.raises(ProviderRefused, match="still opens"):
        roll(store, lying, clock)
    assert states(store) == [EpochState.DESTROYING, EpochState.CURRENT]


def test_an_epoch_that_does_not_give_back_what_it_wraps_never_becomes_current(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    forgetful = ForgetfulProvider(provider, clock.now)
    keys = make_keys(fresh_keyring(store, forgetful, clock), 1)
    forgetful.breaks_after = 0
    with pytest.raises(ProviderRefused, match="does not give back"):
        begin_roll(store, forgetful, clock.now)
    assert states(store) == [EpochState.CURRENT, EpochState.PREPARED]
    forgetful.breaks_after = None
    assert isinstance(list(continue_roll(store, forgetful, clock.now))[-1], DestructionScheduled)
    assert make_keys(fresh_keyring(store, forgetful, clock), 1) == keys


def test_keys_that_do_not_come_back_from_the_new_epoch_stay_under_the_old_one(
    store: MemoryKeyStore, provider: FileKeyProvider, clock: ManualClock
) -> None:
    forgetful = ForgetfulProvider(provider, clock.now)
    keys = make_keys(fresh_keyring(store, forgetful, clock), 1, 2)
    (old,) = store.epochs()
    begin_roll(store, forgetful, clock.now)
    forgetful.breaks_after = 1  # the old epoch still opens, the new one does not
    with pytest.raises(ProviderRefused, match="does not give back"):
        list(continue_roll(store, forgetful, clock.now))
    assert len(store.keys_under(old.name, "", 10)) == 2
    forgetful.breaks_after = None
    ring = fresh_keyring(store, forgetful, clock)
    assert {scope: ring.key_for_opening(key.key_id, scope) for scope, key in keys.items()} == keys


def test_a_slow_roll_does_not_call_keys_lost_that_another_roll_has_taken_along(
    provider: FileKeyProvider, clock: ManualClock
) -> None:
    class Overtaken(MemoryKeyStore):
        is_slow = False

        def keys_under(self, epoch: str, after: str, limit: int) -> Sequence[WrappedKey]:
            page = super().keys_under(epoch, after, limit)
            if self.is_slow:
                self.is_slow = False
                list(continue_roll(self, provider, clock.now))
            return page

    store = Overtaken()
    make_keys(fresh_keyring(store, provider, clock), 1, 2)
    (old,) = store.epochs()
    begin_roll(store, provider, clock.now)
    store.is_slow = True
    assert list(continue_roll(store, provider, clock.now)) == [Rewrapped(old.name, 0, ()), Drained(old.name)]
    assert states(store) == [EpochState.DESTROYED, EpochState.CURRENT]
