"""How one deletion stood at an instant: done, on time or late, or what stopped it. Pure; the figures are counts of these.

A deletion is *due* in a period when its buffer was over before the period ended and it was not done before it began. So every
deletion that is due stands in the figures of the period in which it is done, once, and until then in those of each period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from retention.catalog.report_queries import KeyTally, ReportedStrand
from retention.lifecycle.precedence import Progress, block_before_no_return, next_steps, stopping_hold
from retention.model.case import StrandState
from retention.model.copy import CopyStatus, EndState
from retention.model.hold import Hold
from retention.model.plan import Block, BlockKind
from retention.model.record import StrandRecord
from retention.workflows.report_sections.period import Period
from retention.workflows.status import is_overdue

_DONE = (StrandState.VERIFIED, StrandState.CERTIFIED)


class Standing(StrEnum):
    """How a deletion stood, those that need somebody first. `stopped`: by a hold or a statutory minimum."""

    OVERDUE = "overdue"
    STOPPED = "stopped"
    OPEN = "open"
    LATE = "late"
    ON_TIME = "on-time"
    BROUGHT_BACK = "brought-back"


class Cause(StrEnum):
    """Why a deletion is not done, or was late."""

    HELD = "held"
    KEPT_BY_LAW = "kept-by-law"
    WAITED_FOR_KEYS = "waited-for-keys"
    FOUND_AGAIN = "found-again"
    FAILED_COPY = "failed-copy"
    STEP_REPEATED = "step-repeated"
    NOT_TAKEN_UP = "not-taken-up"


@dataclass(frozen=True, slots=True)
class Stood:
    """How a deletion stood as of the period's end. done_at: aware UTC, and None while it is not done; may lie after it.

    is_due: whether it counts in the figures. cause: of what is open, stopped, overdue or late; `hold` where it is one.
    left_count: copies that are not gone, each of which has a reason and perhaps a date.
    """

    standing: Standing
    is_due: bool
    done_at: datetime | None
    cause: Cause | None
    hold: Hold | None
    left_count: int


def standing_of(strand: ReportedStrand, holds: Sequence[Hold], period: Period) -> Stood:
    """How the deletion stood at `period.until`, as far as the catalogue tells it today. `holds`: all of the customer's."""
    record, until = strand.record, period.until
    done_at = finished_at(record, strand.keys)
    left = sum(status.end_state is not None and not status.end_state.is_gone for status in live_copies(record))
    if _was_back(record, period):
        return Stood(Standing.BROUGHT_BACK, _is_back_due(record, period), None, None, None, 0)
    is_due = record.strand.due.at < until and not (done_at is not None and done_at < period.start_at)
    if done_at is not None and done_at < until:
        if done_at <= record.deadline:
            kept = Cause.KEPT_BY_LAW if done_at > record.strand.complete_by.at else None
            return Stood(Standing.ON_TIME, is_due, done_at, kept, None, left)
        return Stood(Standing.LATE, is_due, done_at, _why_late(strand), None, left)
    went_on = done_at is not None or record.state is StrandState.BROUGHT_BACK
    block = _block_at(strand, holds_at(holds, until), until, went_on=went_on)
    standing = _open_standing(record, block, until, went_on=went_on)
    hold = stopping_hold(record.strand, holds_at(holds, until)) if block and block.kind is BlockKind.HELD else None
    return Stood(standing, is_due, done_at, _cause_of(block, strand, until), hold, left)


def _was_back(record: StrandRecord, period: Period) -> bool:
    """Whether it was brought back by `period.until`; what was brought back since stood like any other then."""
    if record.state is not StrandState.BROUGHT_BACK:
        return False
    return period.until == period.made_at or (record.settled_at is not None and record.settled_at < period.until)


def _is_back_due(record: StrandRecord, period: Period) -> bool:
    """Whether it was due when it was brought back, and that was in the period."""
    due_at, at = record.strand.due.at, record.settled_at or period.made_at
    return due_at < period.until and due_at <= at and at >= period.start_at


def finished_at(record: StrandRecord, keys: KeyTally | None) -> datetime | None:
    """Since when nothing readable is left but copies with a dated exception (aware UTC); None while that is not so.

    The later of: an independent look found nothing, and the last key became unrecoverable in every old copy of the key store.
    """
    if record.state not in _DONE or record.verified_at is None or is_kept(record.copies):
        return None
    if keys is None:
        return record.verified_at
    if keys.waiting_count or keys.unrecoverable_at is None:
        return None
    return max(record.verified_at, keys.unrecoverable_at)


def is_kept(copies: Sequence[CopyStatus]) -> bool:
    """Whether the law keeps something of it."""
    return any(status.end_state is EndState.KEPT_BY_LAW for status in copies)


def live_copies(record: StrandRecord) -> tuple[CopyStatus, ...]:
    """The copies of a deletion that goes on; none of one that was brought back."""
    return () if record.state is StrandState.BROUGHT_BACK else record.copies


def holds_at(holds: Sequence[Hold], at: datetime) -> tuple[Hold, ...]:
    """The holds that stood at the instant, as they stood then."""
    return tuple(
        replace(hold, released_at=None)
        for hold in holds
        if hold.placed_at < at and (hold.released_at is None or hold.released_at >= at)
    )


def _open_standing(record: StrandRecord, block: Block | None, until: datetime, *, went_on: bool) -> Standing:
    stops = block is not None and block.kind in (BlockKind.HELD, BlockKind.KEPT_BY_LAW)
    if stops or is_kept(record.copies):
        return Standing.STOPPED
    if went_on:
        return Standing.OVERDUE if until > record.deadline else Standing.OPEN
    return Standing.OVERDUE if is_overdue(record, block, until) else Standing.OPEN


def _block_at(strand: ReportedStrand, holds: Sequence[Hold], until: datetime, *, went_on: bool) -> Block | None:
    """What stopped the next step at the instant. Of what went on since, only what stops the point of no return is known."""
    record = strand.record
    was_before = record.state is StrandState.BROUGHT_BACK or (
        record.passed_at is not None and record.passed_at >= until
    )
    if went_on or was_before:
        return block_before_no_return(record.strand, holds, until) if was_before else None
    progress = Progress(
        record.state,
        record.version,
        is_restricted=record.restricted_at is not None,
        is_cleared=record.cleared_at is not None,
        waits_for_keys=strand.keys is not None and strand.keys.waiting_count > 0,
        waits_for_copies=any(status.end_state and not status.end_state.is_gone for status in record.copies),
    )
    return next_steps(record.strand, progress, holds, until).block


def _cause_of(block: Block | None, strand: ReportedStrand, until: datetime) -> Cause | None:
    if block is not None and block.kind is BlockKind.HELD:
        return Cause.HELD
    if is_kept(strand.record.copies) or (block is not None and block.kind is BlockKind.KEPT_BY_LAW):
        return Cause.KEPT_BY_LAW
    if until < strand.record.strand.due.at:
        return None
    if block is not None and block.kind is BlockKind.WAITING_FOR_KEYS:
        return Cause.WAITED_FOR_KEYS
    return _trouble(strand) or (Cause.NOT_TAKEN_UP if until > strand.record.strand.complete_by.at else None)


def _why_late(strand: ReportedStrand) -> Cause:
    record = strand.record
    if record.verified_at is not None and record.verified_at <= record.deadline:
        return Cause.WAITED_FOR_KEYS
    return _trouble(strand) or Cause.NOT_TAKEN_UP


def _trouble(strand: ReportedStrand) -> Cause | None:
    if strand.record.state is StrandState.REOPENED:
        return Cause.FOUND_AGAIN
    if any(status.end_state is EndState.FAILED for status in strand.record.copies):
        return Cause.FAILED_COPY
    return Cause.STEP_REPEATED if strand.attempts else None
