"""Customer keys in use: made on first use, found by the id in a header, refused by their state, held for seconds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import datetime

from retention.keys.epochs import begin_roll, current_epoch
from retention.keys.errors import EpochGone, KeyGone, KeyRefused, KeysUnavailable, NotAuthentic
from retention.keys.key_cache import KeyCache, Ticket, UsableKey
from retention.keys.provider import KeyProvider
from retention.keys.sealed import KEY_ID_LENGTH, KEY_LENGTH, Binding, read_header, was_sealed_with
from retention.keys.store import KeyStore
from retention.keys.wrapping import key_inside, payload_of
from retention.model.key import KeyScope, KeyState, WrappedKey

CACHE_SECONDS = 5.0
"""The stated bound: so long after a shred or restriction, a key may still be used by another process."""

_ATTEMPTS = 5


class Keyring:
    """The customer keys of one process. Thread-safe.

    now: the present, aware UTC, for `created_at`. ticks: seconds of a clock that nobody can set, for the bound: a wall
    clock put back would stretch it; read for every 16 KiB of a stream, so it should be quick. Every method may raise
    KeysUnavailable, ProviderRefused and NotAuthentic (a wrapped key that is damaged or stands in another key's row).
    """

    def __init__(
        self,
        store: KeyStore,
        provider: KeyProvider,
        now: Callable[[], datetime],
        ticks: Callable[[], float],
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        self._store = store
        self._provider = provider
        self._now = now
        self._cache = KeyCache(ticks, cache_seconds)

    def key_for_sealing(self, scope: KeyScope) -> UsableKey:
        """The key of exactly this scope, made where there is none; all who ask at once get the same.

        An item's key is made only under a dataset that has a key: that one is made first. Raises KeyRefused where the
        key or its dataset's is restricted or tombstoned, and what the store's own rules raise against a new key.
        """
        held = self._cache.find(scope)
        if held is not None:
            return held
        key, ticket = self._looked_up(lambda: self._standing(scope))
        self._cache.put(key, ticket)
        return key

    def key_for_opening(self, key_id: str, scope: KeyScope) -> UsableKey:
        """The key that a header names, if it may open what is in `scope`.

        Raises KeyGone where it was shredded, never made, or belongs elsewhere; KeyRefused where it or its dataset's is
        restricted or tombstoned.
        """
        held = self._cache.get(key_id)
        if held is not None and held.scope.covers(scope):
            return held
        key, ticket = self._looked_up(lambda: self._live(self._named(key_id, scope)))
        self._cache.put(key, ticket)
        return key

    def is_sealed(self, binding: Binding, first: bytes) -> bool:
        """Whether content beginning with `first` was sealed for this place with a key that stands: a shred will close it.

        `sealed.PROOF_LENGTH` bytes are enough. Restricted and tombstoned keys answer too, for nothing is opened.
        """
        header = read_header(first)
        if header is None:
            return False
        try:
            key, _ = self._looked_up(lambda: self._named(header.key_id, binding.scope))
        except KeyGone:
            return False
        return was_sealed_with(key.key, binding, first)

    def forget(self, scope: KeyScope) -> None:
        """The scope's keys, of a dataset with all its items', are looked up anew from now on in this process.

        Call it after every change of a key's state and after a shred.
        """
        self._cache.forget(scope)

    def sweep(self) -> None:
        """Keys past their time are overwritten in memory; for a process that may be idle for long."""
        self._cache.sweep()

    # -------------------------------------------------------------------------------------------------- finding

    def _looked_up(self, find: Callable[[], WrappedKey | None]) -> tuple[UsableKey, Ticket]:
        """The key in the row that `find` gives, and the ticket from before it looked; again while it says None."""
        for _ in range(_ATTEMPTS):
            ticket = self._cache.ticket()
            row = find()
            key = None if row is None else self._unwrapped(row)
            if key is not None:
                return key, ticket
        raise KeysUnavailable("the keys kept changing while one was looked up")

    def _standing(self, scope: KeyScope) -> WrappedKey | None:
        """The live row of the scope, made where there is none. None: look again."""
        if scope.item is not None:
            whole = self._store.find(scope.whole) or self._made(scope.whole)
            if whole is None:
                return None
            _refuse_unless_live(whole)
        row = self._store.find(scope) or self._made(scope)
        if row is not None:
            _refuse_unless_live(row)
        return row

    def _named(self, key_id: str, scope: KeyScope) -> WrappedKey:
        row = self._store.get(key_id)
        if row is None or not row.scope.covers(scope):
            raise KeyGone("the key that the content is sealed with is not there")
        return row

    def _live(self, row: WrappedKey) -> WrappedKey:
        """The row, if it and its dataset's key are live."""
        whole = row if row.scope.item is None else self._store.find(row.scope.whole)
        if whole is None:
            raise KeyGone("the key of the dataset is not there")
        _refuse_unless_live(whole)
        _refuse_unless_live(row)
        return row

    def _made(self, scope: KeyScope) -> WrappedKey | None:
        """The row of a new key, or of the one that somebody else made first. None: look again."""
        epoch = current_epoch(self._store) or begin_roll(self._store, self._provider, self._now)
        key_id, key = secrets.token_hex(KEY_ID_LENGTH), secrets.token_bytes(KEY_LENGTH)
        try:
            (wrapped,) = self._provider.wrap(epoch.name, [payload_of(key, key_id, scope)])
        except EpochGone:  # rolled on since it was read
            return None
        row = WrappedKey(key_id, scope, epoch.name, epoch.name, wrapped, KeyState.LIVE, self._now())
        return self._store.add(row)

    # ------------------------------------------------------------------------------------------------ unwrapping

    def _unwrapped(self, row: WrappedKey) -> UsableKey | None:
        """The key in the clear. None: a roll has wrapped it anew meanwhile, look again. Raises KeyGone, NotAuthentic."""
        try:
            (payload,) = self._provider.unwrap(row.epoch, [row.wrapped])
        except EpochGone as gone:
            again = self._store.get(row.key_id)
            if again is None or again.epoch == row.epoch:
                raise KeyGone("the epoch key that the key was wrapped under was destroyed") from gone
            return None
        key = None if payload is None else key_inside(payload, row.key_id, row.scope)
        if key is None:
            raise NotAuthentic(f"the wrapped key {row.key_id} is damaged or another row's")
        return UsableKey(row.key_id, row.scope, key)


def _refuse_unless_live(row: WrappedKey) -> None:
    if row.state is not KeyState.LIVE:
        raise KeyRefused(f"the key is {row.state}: nothing is read or written under it")
