"""What the catalogue knows of cases: the frozen case with how far each strand and copy has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention.model.case import Case, Strand, StrandState
from retention.model.copy import CopyStatus


@dataclass(frozen=True, slots=True)
class ShreddedKey:
    """A destroyed key; instants are aware UTC.

    epochs: the epochs that wrapped it and still existed when it was destroyed, in their order. unrecoverable_at: when the
    last of them was destroyed, None until then. `entry` and `gone_entry` are the ledger entries that tell of the one and
    of the other.
    """

    key_id: str
    dataset: str
    epochs: tuple[str, ...]
    shredded_at: datetime
    unrecoverable_at: datetime | None
    entry: int
    gone_entry: int | None


@dataclass(frozen=True, slots=True)
class StrandRecord:
    """A strand and how far it has come. `version` grows with every change; instants are aware UTC, None while not yet."""

    strand: Strand
    customer: str
    state: StrandState
    version: int
    copies: tuple[CopyStatus, ...]
    keys: tuple[ShreddedKey, ...] = ()
    restricted_at: datetime | None = None
    cleared_at: datetime | None = None
    tombstoned_at: datetime | None = None
    passed_at: datetime | None = None
    shredded_at: datetime | None = None
    erased_at: datetime | None = None
    verified_at: datetime | None = None
    checked_at: datetime | None = None
    certified_at: datetime | None = None
    settled_at: datetime | None = None

    @property
    def deadline(self) -> datetime:
        """By when it has to be complete: as the case says, and as long after the law kept something of it last."""
        complete_by = self.strand.complete_by
        length = complete_by.at - complete_by.from_at
        kept = [status.kept_until + length for status in self.copies if status.kept_until is not None]
        return max([complete_by.at, *kept])

    @property
    def waits_for_keys(self) -> bool:
        """Whether an old copy of the key store could still open something of it."""
        return any(key.unrecoverable_at is None for key in self.keys)

    @property
    def unrecoverable_at(self) -> datetime | None:
        """When the last of its keys became unrecoverable; None while one is not, or where there was none."""
        instants = [key.unrecoverable_at for key in self.keys]
        known = [at for at in instants if at is not None]
        return max(known) if known and len(known) == len(instants) else None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case as it was frozen, and all its strands, those brought back included.

    opened_entry, dates_entry: the ledger entries that opened it and that tell its present dates and copies.
    """

    case: Case
    opened_at: datetime
    strands: tuple[StrandRecord, ...]
    opened_entry: int | None = None
    dates_entry: int | None = None
