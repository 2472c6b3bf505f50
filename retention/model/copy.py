"""Copies: where one customer's part of one dataset lies, and how each ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from storage_adapters.contract import Place


class CopyRole(StrEnum):
    """What a copy is for: the data itself, a plain copy for speed, a further lasting copy, or a copy for disasters."""

    PRIMARY = "primary"
    CACHE = "cache"
    REPLICA = "replica"
    BACKUP = "backup"

    @property
    def lasts(self) -> bool:
        """Whether it is hidden and erased piece by piece; a cache is cleared, and a backup is closed set by set."""
        return self in (CopyRole.PRIMARY, CopyRole.REPLICA)


class EndState(StrEnum):
    """How a copy ended. Never merged into one "done"; the case is as good as its worst copy."""

    ERASED_VERIFIED = "erased-verified"
    SHREDDED_VERIFIED = "shredded-verified"
    ANONYMISED = "anonymised"
    NOT_FOUND = "not-found"
    QUARANTINED = "quarantined"
    HELD = "held"
    KEPT_BY_LAW = "kept-by-law"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"

    @property
    def is_gone(self) -> bool:
        """Whether nothing readable of the copy is left."""
        return self in _GONE


BEST_TO_WORST = (
    EndState.NOT_FOUND,
    EndState.ERASED_VERIFIED,
    EndState.ANONYMISED,
    EndState.SHREDDED_VERIFIED,
    EndState.QUARANTINED,
    EndState.KEPT_BY_LAW,
    EndState.HELD,
    EndState.UNSUPPORTED,
    EndState.FAILED,
)
"""From the end of which least is left to the one that needs somebody most."""


def worst_of(states: Iterable[EndState]) -> EndState:
    """What its sets make of a backup: it is as good as its worst set, and `not-found` without any."""
    return max(states, key=BEST_TO_WORST.index, default=EndState.NOT_FOUND)


_GONE = frozenset({EndState.ERASED_VERIFIED, EndState.SHREDDED_VERIFIED, EndState.ANONYMISED, EndState.NOT_FOUND})


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy. `place=None` where it cannot be told safely what is the customer's; `refusal` then says why.

    backup: for a backup, the plan that makes its sets; `place` is then set only where the sets are the customer's own.
    partial: only a part of the customer's dataset is meant. number: tells copies of one role in one store apart.
    territory, recipient: of a replica, where it lies and whose it is, where it is one recipient's alone.
    """

    dataset: str
    store: str
    role: CopyRole
    subscription: str | None = None
    place: Place | None = None
    refusal: str | None = None
    backup: str | None = None
    partial: bool = False
    number: int = 1
    territory: str | None = None
    recipient: str | None = None

    @property
    def label(self) -> str:
        """Names the copy within its case, without personal data."""
        tail = f"@{self.backup}" if self.backup else ""
        number = f"/{self.number}" if self.number > 1 else ""
        return f"{self.dataset}/{self.role}/{self.store}{tail}{number}"


@dataclass(frozen=True, slots=True)
class SetEnd:
    """How one backup set ended for one copy of a case. Instants are aware UTC.

    id: stands for the set, whatever becomes of its name in the policy. set: its name as it may be shown now, without personal
    data. until: for what waits, when
    deleting becomes possible, None where only somebody's act can make it so. refusal: what a read that was really tried
    came to. missed_at: when a listing first left the set out. at, entry: the ledger entry that tells it, and its time.
    """

    store: str
    id: str
    set: str
    end_state: EndState
    reason: str | None = None
    until: datetime | None = None
    refusal: str | None = None
    missed_at: datetime | None = None
    at: datetime | None = None
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """What is known of a copy of a case. Counts are items, sizes bytes; `until` is aware UTC.

    seen_count: the most items ever seen there before anything was removed. sealed_count: of the `sealable_count` items
    with content that were looked into, how many were sealed under the customer's keys. empty_looks: in how many runs
    nothing was found where something had been seen. entry: the ledger entry that tells the end state. sets: of a backup,
    how each set ended that may have held it. kept_until: the last date (aware UTC) until which a statutory minimum by written
    date has kept something of it, also when that is over; None where it never did.
    """

    copy: Copy
    end_state: EndState | None = None
    reason: str | None = None
    until: datetime | None = None
    seen_count: int = 0
    seen_bytes: int = 0
    gone_count: int = 0
    sealed_count: int = 0
    sealable_count: int = 0
    empty_looks: int = 0
    verified_at: datetime | None = None
    entry: int | None = None
    sets: tuple[SetEnd, ...] = ()
    kept_until: datetime | None = None
