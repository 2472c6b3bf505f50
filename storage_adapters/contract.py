"""The contract between the product and a store of customer data.

It is batch-first: everything that lists or changes speaks in pages of at most `PAGE_SIZE` items, because the speed of
a purge depends on it, and yields them lazily, so that the caller can record evidence and stop between two of them.

Rules for every adapter, checked by `storage_adapters.conformance`:

1. A `Place` names one customer's part of one dataset. Nothing outside it is ever touched: `c-1/` never reaches `c-10/`.
2. A change says per item what happened (`ItemOutcome`); a 200 with errors inside is errors.
3. Every change is idempotent: repeating it after a crash reports `ABSENT` for what is gone, or nothing at all.
4. `survey` and `remains` are two *different* ways of looking wherever the store offers two; `remains` also sees what
   `survey` hides. Enumerate before deleting: a listing is never read while its own items are being removed.
5. Foreign exceptions never leave an adapter; see `storage_adapters.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

PAGE_SIZE = 1_000
"""The most items a page or a batch holds; also the most that S3's DeleteObjects takes."""


# ---------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Prefix:
    """All objects (or files) whose name begins with `prefix`, which is not empty and ends with `/`."""

    prefix: str

    def __post_init__(self) -> None:
        if not self.prefix.endswith("/") or self.prefix.strip("/") == "":
            raise ValueError(f"a prefix names a folder and ends with '/': {self.prefix!r}")


@dataclass(frozen=True, slots=True)
class Objects:
    """Exactly these objects (or files), by their full names. Every version of each, and nothing that they prefix."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """Cache keys made of literal text, with `*` where `None` stands: `("features:", "c-1", ":", None)`.

    Literals are matched as they are, glob characters in them included. At least one literal is not empty.
    """

    parts: tuple[str | None, ...]

    def __post_init__(self) -> None:
        if not any(self.parts):
            raise ValueError("a key pattern needs some literal text")


@dataclass(frozen=True, slots=True)
class TablePlace:
    """How rows of one table are found: by the customer column, or through a foreign key to another listed table.

    `name` is `table` or `schema.table`, in the case the database stores it. Exactly one of `customer_column` and
    `through` is set; `through` names another `TablePlace` of the same `Rows`. `sealed_columns` are the columns whose
    values the application seals (so far information for the survey; it changes nothing that is deleted).
    """

    name: str
    customer_column: str | None = None
    through: str | None = None
    sealed_columns: tuple[str, ...] = ()


KeyValue = str | int


@dataclass(frozen=True, slots=True)
class Rows:
    """One customer's rows in a set of related tables.

    With `only`, just the rows of `only_table` with these primary keys (each a mapping of every key column to its
    value) that also belong to the customer, and the rows of listed tables that hang below them.
    """

    tables: tuple[TablePlace, ...]
    customer: str
    only_table: str | None = None
    only: tuple[Mapping[str, KeyValue], ...] = ()


Place = Prefix | Objects | KeyPattern | Rows


# ---------------------------------------------------------------------------------------------------- items


class ItemKind(StrEnum):
    """What an item is; a copy is gone only when items of every kind are."""

    OBJECT = "object"
    VERSION = "version"
    DELETE_MARKER = "delete-marker"
    UPLOAD = "upload"  # an incomplete multipart upload or a temporary file: bytes that no plain listing shows
    ROW = "row"
    KEY = "key"
    TOMBSTONE = "tombstone"  # hidden by `tombstone`, and still there


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a store. `name` is unique within the store and stable; it names a version where there are versions.

    `size` is bytes (0 where the store does not tell). `written_at` is aware UTC, None where unknown.
    `locked_until` is set where the store itself refuses removal until then; `lock` says which lock it is.
    """

    kind: ItemKind
    name: str
    size: int = 0
    written_at: datetime | None = None
    lock: str | None = None
    locked_until: datetime | None = None


class ItemResult(StrEnum):
    """What became of an item."""

    DONE = "done"
    ABSENT = "absent"  # it was already gone
    KEPT = "kept"  # younger than `Keep` allows to touch
    LOCKED = "locked"  # the store holds it: Object Lock, legal hold
    REFUSED = "refused"  # the store said no to this one item
    UNKNOWN = "unknown"  # may or may not have happened


@dataclass(frozen=True, slots=True)
class ItemOutcome:
    """What became of one item. `reason` is the store's code or a short word, never data."""

    item: Item
    result: ItemResult
    reason: str | None = None


Page = tuple[Item, ...]
Batch = tuple[ItemOutcome, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave what was written at or after `written_from` (aware UTC).

    An item whose time of writing is unknown, or whose store cannot tell one, is kept.
    """

    written_from: datetime


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capability sheet: what the store can do, so that the plan says it before the run.

    tombstone: `tombstone` hides data and `bring_back` restores it exactly.
    hides_superseded: the store keeps superseded versions, which only a listing of versions shows.
    tells_written_at: items carry the time at which they were written.
    verifies_independently: `remains` looks in another way than `survey` does.
    notes: what an operator has to know, one sentence each (hidden soft-delete, archive tiers, replication targets).
    """

    tombstone: bool
    hides_superseded: bool
    tells_written_at: bool
    verifies_independently: bool
    notes: tuple[str, ...] = ()


class Store(Protocol):
    """A store of customer data. Thread-safe: several places may be worked on at once.

    Every method raises ValueError for a `Place` of a kind that this store does not have, `NotFound` where the bucket,
    database, table or root is missing, `Refused`, `Unavailable` or `OutcomeUnknown` as `storage_adapters.errors` says.
    """

    @property
    def name(self) -> str:
        """The store's configured name."""
        ...

    def capabilities(self) -> Capabilities:
        """The capability sheet, read from the store itself where it depends on settings (versioning, Object Lock)."""
        ...

    def survey(self, place: Place) -> Iterator[Page]:
        """Every item at the place, of every kind, tombstoned ones included. No pages where there is nothing."""
        ...

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """Hide what is at the place from every ordinary reader, so that `bring_back` can restore it exactly.

        A second call hides what has appeared since and leaves the rest. Raises Refused where the capability is missing.
        """
        ...

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """Undo `tombstone`: readers see again, byte for byte, what they saw before. No batches where nothing is hidden.

        Where something new has been written under a hidden name since, the new stands and that item is `REFUSED`.
        """
        ...

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """Remove what is at the place for good: all versions, markers, uploads, tombstones; rows children first.

        Not undoable. Each batch is durable in the store when it is yielded. A caller that stops iterating leaves the
        rest untouched; a new call goes on with what is left. With `keep`, younger items are reported `KEPT`.
        """
        ...

    def remains(self, place: Place) -> Iterator[Page]:
        """What an independent look still finds at the place; no pages when it is empty."""
        ...

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """The first `length` bytes of each named item (as `survey` named it; ≤ 1,000), None where it is gone.

        Used to check that content was sealed. Raises Refused where items have no bytes of their own (rows, cache keys).
        """
        ...

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """Names of tables that look like they hold a customer's data and are covered by none of `places` (drift).

        Empty where the store has no schema to read.
        """
        ...

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        ...
