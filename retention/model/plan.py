"""Plans: exactly what would be done, with a content hash. The run executes the plan that was shown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retention.model.copy import Copy


class StepKind(StrEnum):
    """What is done to a strand, in this order; each is intent / act / read back / outcome."""

    RESTRICT = "restrict"
    CLEAR_CACHES = "clear-caches"
    TOMBSTONE = "tombstone"
    SHRED = "shred"
    ERASE = "erase"
    VERIFY = "verify"
    CLOSE_BACKUPS = "close-backups"
    CERTIFY = "certify"
    BRING_BACK = "bring-back"


class BlockKind(StrEnum):
    """Why the next step waits. The order is the order of precedence."""

    HELD = "held"
    KEPT_BY_LAW = "kept-by-law"
    IN_BUFFER = "in-buffer"
    IN_UNDO_WINDOW = "in-undo-window"
    NOT_APPROVED = "not-approved"
    WAITING_FOR_KEYS = "waiting-for-keys"
    WAITING_FOR_COPIES = "waiting-for-copies"


@dataclass(frozen=True, slots=True)
class Block:
    """What stops the next step towards deletion. `until` is None where only a fact can end it (a hold)."""

    kind: BlockKind
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlanItem:
    """What would be done to one copy now, and why. `count` and `bytes` are what a survey found when the plan was made.

    strand_version: the version of the strand that the plan was made from; a changed strand is not what was shown.
    """

    case: str
    customer: str
    strand: str
    strand_version: int
    copy: Copy
    steps: tuple[StepKind, ...]
    rule: str
    clause: str
    policy_hash: str
    due_at: datetime
    reason: str
    block: Block | None = None
    count: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that would be done as of one instant. `hash` covers what is to be done, not the counts, which move."""

    as_of: datetime
    policy_hash: str
    items: tuple[PlanItem, ...]
    hash: str

    @property
    def acting(self) -> tuple[PlanItem, ...]:
        """The items that change something; the others only wait and say why."""
        return tuple(item for item in self.items if item.steps)
