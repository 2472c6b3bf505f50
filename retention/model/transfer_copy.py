"""Copies abroad and ways out: what was brought where under which decision, and what was closed so that nothing else goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CopyState(StrEnum):
    """Where a `transfer copy` stands. A running one that nobody works on was interrupted; asked for again, it goes on."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class TransferCopy:
    """One customer's part of a dataset on its way to a replica, under one decision. Instants are aware UTC.

    target: the store of the replica; territory: where that lies. item_count, byte_count: what has arrived: objects or rows,
    and bytes. position: behind which piece it goes on, None at the begin. reason: why it was stopped: codes of grounds, no
    personal data. policy: the hash of the version that it was begun under.
    """

    id: str
    decision: str
    customer: str
    dataset: str
    target: str
    territory: str
    started_at: datetime
    changed_at: datetime
    state: CopyState = CopyState.RUNNING
    item_count: int = 0
    byte_count: int = 0
    position: str | None = None
    reason: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class ClosedWay:
    """A change that `transfer audit --enforce` made to a store's own settings, so that it can be undone.

    way: what was closed, as the audit names it. what: which part of the store's settings. before, after: the whole part as
    text, None where it was or is not set. Instants are aware UTC; undone_at is None while the change stands.
    """

    id: str
    store: str
    way: str
    what: str
    before: str | None
    after: str | None
    closed_at: datetime
    undone_at: datetime | None = None
