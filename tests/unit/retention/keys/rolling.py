"""A roll, the keyring of a fresh process, and keys to roll: for the tests of epochs."""

from __future__ import annotations

from retention.clock import ManualClock
from retention.keys.epochs import (
    RollStep,
    begin_roll,
    continue_roll,
)
from retention.keys.key_cache import UsableKey
from retention.keys.keyring import Keyring
from retention.keys.provider import KeyProvider
from retention.keys.store import KeyStore
from retention.model.key import EpochState, KeyScope


def roll(store: KeyStore, provider: KeyProvider, clock: ManualClock) -> list[RollStep]:
    begin_roll(store, provider, clock.now)
    return list(continue_roll(store, provider, clock.now))


def fresh_keyring(store: KeyStore, provider: KeyProvider, clock: ManualClock) -> Keyring:
    return Keyring(store, provider, clock.now, lambda: clock.ticks)


def make_keys(keyring: Keyring, *numbers: int) -> dict[KeyScope, UsableKey]:
    scopes = [KeyScope(f"c-{number}", "d") for number in numbers]
    return {scope: keyring.key_for_sealing(scope) for scope in scopes}


def states(store: KeyStore) -> list[EpochState]:
    return [epoch.state for epoch in store.epochs()]
