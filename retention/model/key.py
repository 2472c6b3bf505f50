"""Keys: the customer key as it is stored, what it is for, and the epoch key that it is wrapped under."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retention.model.fact import RowKey


class KeyState(StrEnum):
    """What a customer key may be used for. A shredded key has no state: it is not there."""

    LIVE = "live"
    RESTRICTED = "restricted"
    TOMBSTONED = "tombstoned"


class EpochState(StrEnum):
    """The life of an epoch key, in this order and never back."""

    PREPARED = "prepared"  # recorded; the provider may not have it yet
    CURRENT = "current"  # the one that keys are wrapped under
    RETIRED = "retired"  # still opens keys; they are being wrapped under the current one
    DESTROYING = "destroying"  # opens no stored key; its destruction was ordered or is about to be
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeyScope:
    """What one key is for: a customer's dataset, or with `item` one object or row of it (`encrypted: object`)."""

    customer: str
    dataset: str
    item: str | None = None

    def __post_init__(self) -> None:
        if not self.customer or not self.dataset or self.item == "":
            raise ValueError("a key is for a named customer, dataset and item")

    @property
    def whole(self) -> KeyScope:
        """The dataset's own key, whose state counts for all its items."""
        return self if self.item is None else KeyScope(self.customer, self.dataset)

    def covers(self, other: KeyScope) -> bool:
        """Whether this key may seal what is in `other`: the same scope, or an item of this dataset."""
        return self in (other, other.whole)

    @classmethod
    def of_object(cls, customer: str, dataset: str, name: str) -> KeyScope:
        """The scope of one object or file, by its full name as the store lists it."""
        return cls(customer, dataset, f"object:{name}")

    @classmethod
    def of_row(cls, customer: str, dataset: str, table: str, key: RowKey) -> KeyScope:
        """The scope of one row, all its sealed columns. Source: `docs/formats/sealed.md`, The wrapped key."""
        pairs = [[column, str(value)] for column, value in sorted(key)]
        return cls(customer, dataset, "row:" + json.dumps([table, pairs], ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A customer key as the catalogue stores it. There is one per scope at a time; after a shred, none.

    key_id: 32 lower-case hex digits, random; the header of everything sealed with the key names it.
    epoch: the epoch that `wrapped` is under. first_epoch: the one it was first wrapped under; all between the two have
    wrapped it once. wrapped: opaque bytes of the provider. created_at: aware UTC.
    """

    key_id: str
    scope: KeyScope
    first_epoch: str
    epoch: str
    wrapped: bytes
    state: KeyState
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch key as the catalogue knows it; the key itself is the provider's.

    effective_at: when a destruction that the provider only schedules becomes effective. destroyed_at: when it was
    destroyed, set in the state DESTROYED alone. Instants are aware UTC.
    """

    name: str
    state: EpochState
    created_at: datetime
    effective_at: datetime | None = None
    destroyed_at: datetime | None = None
