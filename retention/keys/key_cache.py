"""Unwrapped customer keys, held for seconds: the stated bound within which a shred or restriction reaches every process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from retention.model.key import KeyScope


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A customer key in the clear. Its 32 bytes are in no log and no message: they have no representation."""

    key_id: str
    scope: KeyScope
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ticket:
    """When a look-up began, and how often keys had been forgotten by then."""

    ticks: float
    forgotten_count: int


@dataclass(slots=True)
class _Held:
    scope: KeyScope
    secret: bytearray
    until: float


class KeyCache:
    """Keys by id and scope. Thread-safe.

    A key counts from before it was read, so that it is never used later than `seconds` after the store said it lives.
    Expired keys are overwritten with zeros at the next call (best effort: Python may have copied them before). ticks:
    seconds of a clock that nobody can set.
    """

    def __init__(self, ticks: Callable[[], float], seconds: float) -> None:
        self._ticks = ticks
        self._seconds = seconds
        self._lock = Lock()
        self._held: OrderedDict[str, _Held] = OrderedDict()  # about in the order of their ends
        self._ids: dict[KeyScope, str] = {}
        self._forgotten_count = 0

    def ticket(self) -> Ticket:
        """Take it before reading the store, and give it to `put`."""
        with self._lock:
            return Ticket(self._ticks(), self._forgotten_count)

    def get(self, key_id: str) -> UsableKey | None:
        """The key with this id, or None where it is not held any more."""
        with self._lock:
            now = self._drop_expired()
            held = self._held.get(key_id)
            if held is None or held.until <= now:
                return None
            return UsableKey(key_id, held.scope, bytes(held.secret))

    def find(self, scope: KeyScope) -> UsableKey | None:
        """The key of exactly this scope, or None where it is not held any more."""
        with self._lock:
            key_id = self._ids.get(scope)
        return None if key_id is None else self.get(key_id)

    def put(self, key: UsableKey, ticket: Ticket) -> None:
        """The key is held, unless something was forgotten since the ticket was taken: then it may be that key."""
        with self._lock:
            self._drop_expired()
            if ticket.forgotten_count != self._forgotten_count:
                return
            self._drop(key.key_id)
            self._held[key.key_id] = _Held(key.scope, bytearray(key.key), ticket.ticks + self._seconds)
            self._ids[key.scope] = key.key_id

    def forget(self, scope: KeyScope) -> None:
        """The key of the scope and, of a dataset, those of its items are held no more; nor what is being looked up."""
        with self._lock:
            self._forgotten_count += 1
            for key_id in [key_id for key_id, held in self._held.items() if scope in (held.scope, held.scope.whole)]:
                self._drop(key_id)

    def sweep(self) -> None:
        """Keys past their time are overwritten now; for a process that may be idle for long."""
        with self._lock:
            self._drop_expired()

    def _drop_expired(self) -> float:
        """Drops from the front; returns the time that was read. One that was put out of order waits for its turn."""
        now = self._ticks()
        while self._held and next(iter(self._held.values())).until <= now:
            self._drop(next(iter(self._held)))
        return now

    def _drop(self, key_id: str) -> None:
        held = self._held.pop(key_id, None)
        if held is not None:
            held.secret[:] = bytes(len(held.secret))
            self._ids.pop(held.scope, None)
