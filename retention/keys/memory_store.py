"""A key store in memory: for tests and previews. It passes the same suite as the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

from retention.keys.store import Rewrap
from retention.model.key import Epoch, EpochState, KeyScope, KeyState, WrappedKey


class MemoryKeyStore:
    """One lock around everything makes every method a transaction."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[str, WrappedKey] = {}
        self._ids: dict[KeyScope, str] = {}
        self._epochs: dict[str, Epoch] = {}

    # -------------------------------------------------------------------------------------------------- keys

    def find(self, scope: KeyScope) -> WrappedKey | None:
        with self._lock:
            return self._of(scope)

    def get(self, key_id: str) -> WrappedKey | None:
        with self._lock:
            return self._keys.get(key_id)

    def add(self, key: WrappedKey) -> WrappedKey | None:
        with self._lock:
            standing = self._of(key.scope)
            if standing is not None:
                return standing
            if not self._is_current(key.epoch) or not self._may_have_items(key.scope):
                return None
            self._keys[key.key_id], self._ids[key.scope] = key, key.key_id
            return key

    def set_state(self, scope: KeyScope, state: KeyState) -> None:
        """The key of the scope has this state, if there is one."""
        with self._lock:
            key = self._of(scope)
            if key is not None:
                self._keys[key.key_id] = replace(key, state=state)

    def remove(self, scope: KeyScope) -> Sequence[WrappedKey]:
        """The keys that were removed: that of the scope and, for a dataset, those of its items."""
        with self._lock:
            removed = [key for key in self._keys.values() if scope in (key.scope, key.scope.whole)]
            for key in removed:
                del self._keys[key.key_id], self._ids[key.scope]
            return removed

    def write(self, key: WrappedKey) -> None:
        """The row is there as it is, past every rule: what damage or somebody with the database's password could do."""
        with self._lock:
            self._keys[key.key_id], self._ids[key.scope] = key, key.key_id

    def copy(self) -> MemoryKeyStore:
        """What a backup of the key table would hold."""
        with self._lock:
            twin = MemoryKeyStore()
            twin._keys, twin._ids, twin._epochs = dict(self._keys), dict(self._ids), dict(self._epochs)
            return twin

    # ------------------------------------------------------------------------------------------------ epochs

    def epochs(self) -> Sequence[Epoch]:
        with self._lock:
            return tuple(self._epochs.values())

    def prepare_epoch(self, epoch: Epoch) -> Epoch:
        with self._lock:
            standing = next((each for each in self._epochs.values() if each.state is EpochState.PREPARED), None)
            if standing is not None:
                return standing
            self._epochs[epoch.name] = epoch
            return epoch

    def make_current(self, name: str) -> None:
        with self._lock:
            if not self._is_in(name, EpochState.PREPARED):
                return
            for epoch in list(self._epochs.values()):
                if epoch.state is EpochState.CURRENT:
                    self._change(epoch.name, EpochState.RETIRED)
            self._change(name, EpochState.CURRENT)

    def keys_under(self, epoch: str, after: str, limit: int) -> Sequence[WrappedKey]:
        with self._lock:
            under = [key for key in self._keys.values() if key.epoch == epoch and key.key_id > after]
            return sorted(under, key=lambda key: key.key_id)[:limit]

    def rewrap(self, page: Sequence[Rewrap]) -> int:
        with self._lock:
            if not all(self._is_current(swap.new_epoch) for swap in page):
                return 0
            due = [swap for swap in page if self._is_under(swap.key_id, swap.old_epoch)]
            for swap in due:
                key = self._keys[swap.key_id]
                self._keys[swap.key_id] = replace(key, epoch=swap.new_epoch, wrapped=swap.wrapped)
            return len(due)

    def begin_destruction(self, name: str) -> bool:
        with self._lock:
            if not self._is_in(name, EpochState.PREPARED, EpochState.RETIRED, EpochState.DESTROYING):
                return False
            if any(key.epoch == name for key in self._keys.values()):
                return False
            self._change(name, EpochState.DESTROYING)
            return True

    def schedule_destruction(self, name: str, effective_at: datetime) -> None:
        with self._lock:
            if self._is_in(name, EpochState.DESTROYING):
                self._epochs[name] = replace(self._epochs[name], effective_at=effective_at)

    def finish_destruction(self, name: str, destroyed_at: datetime) -> None:
        with self._lock:
            if self._is_in(name, EpochState.DESTROYING):
                self._change(name, EpochState.DESTROYED)
                self._epochs[name] = replace(self._epochs[name], destroyed_at=destroyed_at)

    # ------------------------------------------------------------------------------- under the lock, all of it

    def _of(self, scope: KeyScope) -> WrappedKey | None:
        key_id = self._ids.get(scope)
        return None if key_id is None else self._keys[key_id]

    def _may_have_items(self, scope: KeyScope) -> bool:
        if scope.item is None:
            return True
        whole = self._of(scope.whole)
        return whole is not None and whole.state is KeyState.LIVE

    def _is_current(self, name: str) -> bool:
        return self._is_in(name, EpochState.CURRENT)

    def _is_in(self, name: str, *states: EpochState) -> bool:
        epoch = self._epochs.get(name)
        return epoch is not None and epoch.state in states

    def _is_under(self, key_id: str, epoch: str) -> bool:
        key = self._keys.get(key_id)
        return key is not None and key.epoch == epoch

    def _change(self, name: str, state: EpochState) -> None:
        self._epochs[name] = replace(self._epochs[name], state=state)
