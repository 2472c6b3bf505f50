"""The roll: living keys go under a new epoch key, and the old one is destroyed, so that no old copy of the key table opens.

    prepare (recorded) ─▶ create in the provider ─▶ make current, the old one retires
    retired:    wrap its living keys under the current one, page by page ─▶ none left ─▶ destroying (recorded)
    destroying: destroy in the provider ─▶ read back ─▶ destroyed (recorded)

Every arrow is one idempotent call on the store or the provider. Killed between any two, `continue_roll` goes on from what is
recorded; two rolls at once only do some work twice.

After a roll no older backup of the catalogue opens anything, for living customers too: whoever relies on backups of the
catalogue takes one at `Drained`, before going on.

Source: D. Boneh, R. Lipton, "A Revocable Backup System", USENIX Security 1996.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retention.keys.errors import EpochGone, KeysUnavailable, ProviderRefused
from retention.keys.provider import DestructionResult, KeyProvider
from retention.keys.store import PAGE_SIZE, KeyStore, Rewrap
from retention.keys.wrapping import key_inside
from retention.model.key import Epoch, EpochState, WrappedKey

_PROBE_LENGTH = 64
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """`count` keys of the epoch went under the current one. `lost`: ids of keys that did not open, and stay as they are."""

    epoch: str
    count: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drained:
    """No key is under the epoch any more; the next step destroys it. Stopping here loses nothing."""

    epoch: str


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The epoch key was destroyed at `destroyed_at`, aware UTC, as the store now says; the provider was read back."""

    epoch: str
    destroyed_at: datetime


@dataclass(frozen=True, slots=True)
class DestructionScheduled:
    """The epoch key opens nothing any more, and the provider destroys it at `effective_at`, aware UTC."""

    epoch: str
    effective_at: datetime


class Obstacle(StrEnum):
    """Why an epoch could not be destroyed."""

    KEYS_REMAIN = "keys-remain"  # keys under it did not open, or arrived meanwhile
    UNACCOUNTED = "unaccounted"  # the provider remembers what it destroyed, and does not know this one


@dataclass(frozen=True, slots=True)
class NotDestroyed:
    """The epoch could not be destroyed. The next `continue_roll` tries again; where it stays, somebody has to look."""

    epoch: str
    obstacle: Obstacle


RollStep = Rewrapped | Drained | Destroyed | DestructionScheduled | NotDestroyed


def begin_roll(store: KeyStore, provider: KeyProvider, now: Callable[[], datetime]) -> Epoch:
    """A new epoch is current, proven to wrap and unwrap; the one before has retired. Returns the current one.

    An epoch that an interrupted call has prepared is taken instead of a second one. A call after one that had returned
    makes another: to finish a roll, call `continue_roll`. Raises what the provider raises.
    """
    for _ in range(_ATTEMPTS):
        prepared = store.prepare_epoch(Epoch(_new_name(now()), EpochState.PREPARED, now()))
        try:
            provider.create_epoch(prepared.name)
        except EpochGone:  # the catalogue was restored to a time before this epoch lived and died
            if store.begin_destruction(prepared.name):
                store.finish_destruction(prepared.name, now())
            continue
        _prove(provider, prepared.name)
        store.make_current(prepared.name)
        current = current_epoch(store)
        if current is not None:
            return current
    raise KeysUnavailable("no epoch could be made current")


def make_epoch(provider: KeyProvider, now: datetime) -> Epoch:
    """A new epoch that is in the provider and proven to wrap and unwrap, for a store that has lost sight of its own.

    It is recorded nowhere: where the caller does not do that, a key that wraps nothing is left in the provider. Raises what
    the provider raises.
    """
    epoch = Epoch(_new_name(now), EpochState.CURRENT, now)
    provider.create_epoch(epoch.name)
    _prove(provider, epoch.name)
    return epoch


def is_in(provider: KeyProvider, epoch: str) -> bool:
    """Whether the provider opens what is under the epoch. Raises KeysUnavailable where it cannot be asked."""
    try:
        provider.unwrap(epoch, [])
    except EpochGone:
        return False
    return True


def continue_roll(store: KeyStore, provider: KeyProvider, now: Callable[[], datetime]) -> Iterator[RollStep]:
    """Brings every epoch but the current one to its end, one step at a time; the caller may stop between any two.

    Nothing where nothing is left to do. What the steps say is also in the store: after a crash, read it there.
    Raises EpochGone where the current epoch is not in the provider (begin a roll), ProviderRefused where the provider
    does not give back what it wrapped or still opens what it destroyed, KeysUnavailable.
    """
    if any(epoch.state is EpochState.PREPARED for epoch in store.epochs()):
        begin_roll(store, provider, now)
    for epoch in store.epochs():
        if epoch.state is EpochState.RETIRED:
            yield from _drain(store, provider, epoch.name)
        if epoch.state is EpochState.RETIRED or _is_due(epoch, now()):
            yield from _destroy(store, provider, epoch.name, now)


def current_epoch(store: KeyStore) -> Epoch | None:
    """The epoch that keys are wrapped under, or None before the first."""
    return next((epoch for epoch in store.epochs() if epoch.state is EpochState.CURRENT), None)


def epochs_that_open(first_epoch: str, last_epoch: str, epochs: Sequence[Epoch]) -> tuple[str, ...]:
    """The epochs that may still open a copy of a key: all from its first to its last that are not destroyed.

    epochs: as `KeyStore.epochs` gives them. Raises ValueError where the two are not in it, in this order.
    """
    return tuple(each.name for each in _between(first_epoch, last_epoch, epochs) if each.destroyed_at is None)


def unrecoverable_at(first_epoch: str, last_epoch: str, epochs: Sequence[Epoch]) -> datetime | None:
    """When the last epoch that ever wrapped a shredded key was destroyed, aware UTC; None while one still lives.

    Counted by epochs, not by times: a clock that jumped cannot make a key look unrecoverable.
    """
    times = [each.destroyed_at for each in _between(first_epoch, last_epoch, epochs)]
    known = [time for time in times if time is not None]
    return max(known) if len(known) == len(times) else None


# ----------------------------------------------------------------------------------------------------- one epoch's end


def _drain(store: KeyStore, provider: KeyProvider, old: str) -> Iterator[RollStep]:
    after = ""
    while page := store.keys_under(old, after, PAGE_SIZE):
        yield _rewrap_page(store, provider, old, page)
        after = page[-1].key_id
    if not store.keys_under(old, "", 1):
        yield Drained(old)


def _rewrap_page(store: KeyStore, provider: KeyProvider, old: str, page: Sequence[WrappedKey]) -> Rewrapped:
    current = current_epoch(store)
    if current is None:
        raise KeysUnavailable("an epoch has retired and none is current")
    payloads = {key.key_id: payload for key, payload in zip(page, _opened(provider, old, page), strict=True)}
    found = {key_id: payload for key_id, payload in payloads.items() if payload is not None}
    wrapped = provider.wrap(current.name, list(found.values()))
    if provider.unwrap(current.name, wrapped) != list(found.values()):
        raise ProviderRefused("the provider does not give back what it wrapped; the old epoch stays")
    swaps = [Rewrap(key_id, old, current.name, under) for key_id, under in zip(found, wrapped, strict=True)]
    lost = tuple(key_id for key_id in payloads if key_id not in found and _is_under(store, key_id, old))
    return Rewrapped(old, store.rewrap(swaps), lost)


def _opened(provider: KeyProvider, epoch: str, page: Sequence[WrappedKey]) -> list[bytes | None]:
    """Each payload, or None where it is damaged, is another row's, or the epoch is gone."""
    try:
        payloads = provider.unwrap(epoch, [key.wrapped for key in page])
    except EpochGone:
        return [None] * len(page)
    return [
        payload if payload is not None and key_inside(payload, key.key_id, key.scope) is not None else None
        for key, payload in zip(page, payloads, strict=True)
    ]


def _destroy(store: KeyStore, provider: KeyProvider, name: str, now: Callable[[], datetime]) -> Iterator[RollStep]:
    current = current_epoch(store)
    if current is None:
        raise KeysUnavailable("an epoch is to be destroyed and none is current")
    _prove(provider, current.name)  # the living keys open here; so this is the provider that they are in
    if not store.begin_destruction(name):
        if _destroyed_at(store, name) is None:
            yield NotDestroyed(name, Obstacle.KEYS_REMAIN)
        return
    probe = _probe_under(provider, name)
    destruction = provider.destroy_epoch(name)
    if _opens(provider, name, probe):
        raise ProviderRefused(f"the provider still opens what is under epoch {name} after destroying it")
    match destruction.result, destruction.effective_at:
        case DestructionResult.SCHEDULED, datetime() as effective_at:
            store.schedule_destruction(name, effective_at)
            yield DestructionScheduled(name, effective_at)
        case DestructionResult.DESTROYED, datetime() as destroyed_at:
            yield _finished(store, name, destroyed_at)
        case _ if provider.capabilities().remembers_destroyed:
            yield NotDestroyed(name, Obstacle.UNACCOUNTED)
        case _:  # it forgets what it destroyed: gone by now is all that can be said
            yield _finished(store, name, now())


def _finished(store: KeyStore, name: str, destroyed_at: datetime) -> Destroyed:
    store.finish_destruction(name, destroyed_at)
    return Destroyed(name, _destroyed_at(store, name) or destroyed_at)


def _prove(provider: KeyProvider, epoch: str) -> None:
    probe = secrets.token_bytes(_PROBE_LENGTH)
    if provider.unwrap(epoch, provider.wrap(epoch, [probe])) != [probe]:
        raise ProviderRefused("the provider does not give back what it wrapped")


def _probe_under(provider: KeyProvider, epoch: str) -> bytes:
    """Something that only the epoch key opens; random bytes where it is gone already."""
    try:
        return provider.wrap(epoch, [secrets.token_bytes(_PROBE_LENGTH)])[0]
    except EpochGone:
        return secrets.token_bytes(_PROBE_LENGTH + 8)


def _opens(provider: KeyProvider, epoch: str, probe: bytes) -> bool:
    """Whether the provider answers for the epoch at all; an epoch that is gone raises, whatever it is asked to open."""
    try:
        provider.unwrap(epoch, [probe])
    except EpochGone:
        return False
    return True


def _is_under(store: KeyStore, key_id: str, epoch: str) -> bool:
    key = store.get(key_id)
    return key is not None and key.epoch == epoch


def _is_due(epoch: Epoch, now: datetime) -> bool:
    return epoch.state is EpochState.DESTROYING and (epoch.effective_at is None or epoch.effective_at <= now)


def _destroyed_at(store: KeyStore, name: str) -> datetime | None:
    return next((epoch.destroyed_at for epoch in store.epochs() if epoch.name == name), None)


def _between(first_epoch: str, last_epoch: str, epochs: Sequence[Epoch]) -> Sequence[Epoch]:
    names = [epoch.name for epoch in epochs]
    first, last = names.index(first_epoch), names.index(last_epoch)
    if first > last:
        raise ValueError("a key's first epoch comes before its last")
    return epochs[first : last + 1]


def _new_name(now: datetime) -> str:
    return f"e{now:%Y%m%dt%H%M}-{secrets.token_hex(6)}"
