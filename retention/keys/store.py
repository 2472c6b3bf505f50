"""What keys and epochs need of the catalogue. Checked by `retention.keys.conformance`.

Every method is one transaction, durable on return. **Two locks keep every living key openable**, and a store that leaves
either out loses keys:

- `add` and `rewrap` take the row of the current epoch against change (`FOR SHARE`; on SQLite `BEGIN IMMEDIATE`), so that
  no key is wrapped under an epoch that has retired meanwhile;
- `make_current` and `begin_destruction` take the rows of the epochs they change exclusively (`FOR UPDATE`), so that no key
  arrives under an epoch between the last look and its destruction.

A shred is not here: it is the catalogue's own transaction with the hold check and the ledger intent. It removes the rows (of
a dataset: its own key and those of all its items), and remembers `first_epoch` and `epoch` of each: see
`retention.keys.epochs.unrecoverable_at`. So a key that is here lives, whatever its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from retention.model.key import Epoch, KeyScope, WrappedKey

PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True)
class Rewrap:
    """One key of a roll: `wrapped` under `new_epoch` takes the place of what was under `old_epoch`."""

    key_id: str
    old_epoch: str
    new_epoch: str
    wrapped: bytes


class KeyStore(Protocol):
    """Where wrapped keys and epochs are recorded. Safe to use from many threads and processes at once."""

    # -------------------------------------------------------------------------------------------------- keys

    def find(self, scope: KeyScope) -> WrappedKey | None:
        """The key of exactly this scope, or None."""
        ...

    def get(self, key_id: str) -> WrappedKey | None:
        """The key with this id, or None."""
        ...

    def add(self, key: WrappedKey) -> WrappedKey | None:
        """The key that now stands for the scope: this one, or the one that was there first.

        None, and nothing is added, where what the caller relied on has changed: `key.epoch` is not the current one, or
        the scope is an item whose dataset has no key or one that is not live. The caller looks again.
        The catalogue may raise a RefusedByRule of its own: nothing is written to a place whose erasure is not verified.
        """
        ...

    # ------------------------------------------------------------------------------------------------ epochs

    def epochs(self) -> Sequence[Epoch]:
        """Every epoch ever prepared, destroyed ones included, in the order in which they were prepared."""
        ...

    def prepare_epoch(self, epoch: Epoch) -> Epoch:
        """The one epoch that is PREPARED: this one, or the one that already was; then nothing is added."""
        ...

    def make_current(self, name: str) -> None:
        """The PREPARED epoch is CURRENT, and the one that was is RETIRED. Changes nothing where it is not PREPARED."""
        ...

    def keys_under(self, epoch: str, after: str, limit: int) -> Sequence[WrappedKey]:
        """At most `limit` keys wrapped under the epoch whose ids sort after `after`, sorted by id; `after=""` is all."""
        ...

    def rewrap(self, page: Sequence[Rewrap]) -> int:
        """How many keys were swapped: those still under their old epoch. A key's state is left as it is.

        0, and nothing is swapped, unless every `new_epoch` is the current one.
        """
        ...

    def begin_destruction(self, name: str) -> bool:
        """Whether the epoch is DESTROYING now: it was PREPARED, RETIRED or DESTROYING, and no key is under it."""
        ...

    def schedule_destruction(self, name: str, effective_at: datetime) -> None:
        """The DESTROYING epoch has this `effective_at`; changes nothing in another state."""
        ...

    def finish_destruction(self, name: str, destroyed_at: datetime) -> None:
        """The DESTROYING epoch is DESTROYED; changes nothing in another state, so that the first time stands."""
        ...
