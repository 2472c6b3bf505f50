"""What may happen next to a strand, and what stops it: hold, then statutory minimum, then buffer, then deletion.

The longest minimum wins; when nothing requires keeping, the earliest deletion date wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from retention.model.case import Strand, StrandState
from retention.model.copy import CopyRole
from retention.model.hold import Hold
from retention.model.plan import Block, BlockKind, StepKind


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a strand has come. `version` grows with every change of it, so that a plan can tell it is the same.

    is_restricted: keys refuse. is_cleared: caches were cleared. is_settled: of a strand brought back, everything is
    readable again.
    waits_for_keys: verified, and an epoch that wrapped its keys still exists. waits_for_copies: verified, and a copy has a
    dated exception. backups_at: from when on its waiting backup sets are worth another try, None where none waits.
    """

    state: StrandState
    version: int
    is_restricted: bool = False
    is_cleared: bool = False
    is_settled: bool = False
    waits_for_keys: bool = False
    waits_for_copies: bool = False
    backups_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """The steps that can be taken now, in order, and what stops the one after them."""

    steps: tuple[StepKind, ...]
    block: Block | None = None


def next_steps(strand: Strand, progress: Progress, holds: Iterable[Hold], now: datetime) -> Next:
    """What a run at `now` would do to the strand. The same for a preview of any date."""
    match progress.state:
        case StrandState.BUFFER:
            return _before_tombstone(strand, progress, tuple(holds), now)
        case StrandState.TOMBSTONED:
            return _before_no_return((), strand, tuple(holds), now)
        case StrandState.SHREDDED | StrandState.ERASING | StrandState.REOPENED:
            return _after_no_return(strand, progress, tuple(holds))
        case StrandState.ERASED:
            return Next((StepKind.VERIFY,))
        case StrandState.VERIFIED:
            return _before_certificate(progress, now)
        case StrandState.BROUGHT_BACK:
            return Next(() if progress.is_settled else (StepKind.BRING_BACK,))
        case StrandState.CERTIFIED:
            return Next(())


def stopping_hold(strand: Strand, holds: Iterable[Hold]) -> Hold | None:
    """The hold that covers the strand's dataset, of several the one placed first; None where nothing does."""
    covering = [hold for hold in holds if hold.covers(strand.dataset)]
    return min(covering, key=lambda hold: (hold.placed_at, hold.id), default=None)


def block_before_no_return(strand: Strand, holds: Iterable[Hold], now: datetime) -> Block | None:
    """What forbids the point of no return at `now`, or None. Read again inside its transaction."""
    hold = stopping_hold(strand, holds)
    if hold is not None:
        return _held(hold)
    if strand.keep is not None and now < strand.keep.at:
        return Block(BlockKind.KEPT_BY_LAW, strand.keep.basis, strand.keep.at)
    if now < strand.due.at:
        return Block(BlockKind.IN_BUFFER, strand.due.basis, strand.due.at)
    if now < strand.no_return.at:
        return Block(BlockKind.IN_UNDO_WINDOW, strand.no_return.basis, strand.no_return.at)
    return None


def _held(hold: Hold) -> Block:
    return Block(BlockKind.HELD, f"hold {hold.id}: {hold.ground}", hold.review_at)


def _before_tombstone(strand: Strand, progress: Progress, holds: tuple[Hold, ...], now: datetime) -> Next:
    restrict = () if progress.is_restricted else (StepKind.RESTRICT,)
    has_caches = any(copy.role is CopyRole.CACHE for copy in strand.copies)
    begin = (*restrict, StepKind.CLEAR_CACHES) if has_caches and not progress.is_cleared else restrict
    block = block_before_no_return(strand, holds, now)
    if block is not None and block.kind is BlockKind.HELD:
        return Next(restrict, block)  # restricting deletes nothing; clearing a cache would
    if block is not None and block.kind is not BlockKind.IN_UNDO_WINDOW:
        return Next(begin, block)
    return _before_no_return((*begin, StepKind.TOMBSTONE), strand, holds, now)


def _before_no_return(
    done_before: tuple[StepKind, ...], strand: Strand, holds: tuple[Hold, ...], now: datetime
) -> Next:
    block = block_before_no_return(strand, holds, now)
    if block is not None:
        return Next(done_before, block)
    shred = (StepKind.SHRED,) if strand.shreds_key else ()
    return Next((*done_before, *shred, StepKind.ERASE, StepKind.VERIFY))


def _after_no_return(strand: Strand, progress: Progress, holds: tuple[Hold, ...]) -> Next:
    """After the point of no return a hold still stops the removal of bytes that somebody could still read.

    Those are bytes whose keys were not destroyed, and whatever was found again after it had been verified absent.
    """
    hold = stopping_hold(strand, holds)
    unreadable = strand.shreds_key and progress.state is not StrandState.REOPENED
    if hold is not None and not unreadable:
        return Next((), _held(hold))
    return Next((StepKind.ERASE, StepKind.VERIFY))


def _before_certificate(progress: Progress, now: datetime) -> Next:
    is_worth_a_try = progress.backups_at is not None and progress.backups_at <= now
    steps = (StepKind.CLOSE_BACKUPS,) if is_worth_a_try else ()
    if progress.waits_for_keys:
        return Next(steps, Block(BlockKind.WAITING_FOR_KEYS, "an epoch key that wrapped its keys still exists"))
    if progress.waits_for_copies:
        reason = "a copy is not gone yet; each says why and until when"
        return Next(steps, Block(BlockKind.WAITING_FOR_COPIES, reason, progress.backups_at))
    return Next((StepKind.CERTIFY,))
