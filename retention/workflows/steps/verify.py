"""Verify: an independent look finds nothing, or says truthfully what is there and why. Every copy gets its end state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retention.catalog import cases as case_rows
from retention.catalog import steps
from retention.evidence.entries import EntryType
from retention.lifecycle.states import StrandEvent, next_state
from retention.model.copy import Copy, CopyRole, CopyStatus, EndState
from retention.model.plan import StepKind
from retention.workflows.steps.backups import close_backup
from retention.workflows.steps.erase import count_closed, is_of_strand
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemResult
from storage_adapters.errors import StoreError

EMPTY_LOOKS = 3
"""In how many runs nothing must be found, where something had been seen, before its absence is believed."""


def verify(run: StrandRun) -> None:
    """Every copy has an end state that a look behind the erasure bears out.

    VERIFIED when none of them failed; what was found again makes the strand REOPENED, and the next run erases it.
    """
    with run.step(StepKind.VERIFY):
        statuses = [_verified(run, status) for status in run.record.copies]
        run.acted(StepKind.VERIFY)
        _record(run, statuses)
    run.deployment.journal.publish()
    run.reload()


def _record(run: StrandRun, statuses: Sequence[CopyStatus]) -> None:
    found_again = [s for s in statuses if s.end_state is EndState.FAILED and s.reason and s.reason.startswith(_FOUND)]
    failed = [s for s in statuses if s.end_state is EndState.FAILED]
    with run.transaction() as session:
        for status in statuses:
            run.put_outcome(session, status)
        if found_again:
            state = next_state(run.record.state, StrandEvent.FOUND_AGAIN)
            case_rows.move_strand(session, run.record, state, run.now, clear=("erased_at", "verified_at"))
            counts = {"copies": [s.copy.label for s in found_again]}
            run.deployment.journal.write(session, run.entry(EntryType.FOUND_AGAIN, dict(counts)))
        elif not failed:
            state = next_state(run.record.state, StrandEvent.VERIFIED)
            case_rows.move_strand(session, run.record, state, run.now, "verified_at", "checked_at")
        run.finish(session, StepKind.VERIFY)


_FOUND = "found again: "


def _verified(run: StrandRun, status: CopyStatus) -> CopyStatus:
    copy = status.copy
    if copy.refusal is not None:
        return replace(status, end_state=EndState.FAILED, reason=copy.refusal, verified_at=run.now)
    try:
        if copy.role is CopyRole.BACKUP:
            return replace(close_backup(run, status), verified_at=run.now)
        assert copy.place is not None  # a copy that could not be placed has a refusal
        if copy.role is CopyRole.CACHE:
            status = _cleared_again(run, status)
        closed, left = remains_of(run, status)
    except StoreError as error:
        return replace(status, end_state=EndState.FAILED, reason=str(error), verified_at=run.now)
    return replace(_end_state(run, status, closed, left), verified_at=run.now)


def remains_of(run: StrandRun, status: CopyStatus) -> tuple[int, int]:
    """What an independent look finds of the strand at the copy: items closed by destroyed keys, and others."""
    assert status.copy.place is not None
    store = run.deployment.store(status.copy.store)
    closed = left = 0
    for page in store.remains(status.copy.place):
        mine = [item for item in page if is_of_strand(run, item)]
        held = [item for item in mine if item.lock is not None]
        shut = count_closed(run, store, held) if held else 0
        closed += shut
        left += len(mine) - shut
        run.batch_done(StepKind.VERIFY)
    return closed, left


def _cleared_again(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """A cache fills again from a reader that was under way; it is cleared once more before it is looked at."""
    assert status.copy.place is not None
    gone = status.gone_count
    for batch in run.deployment.store(status.copy.store).erase(status.copy.place):
        gone += sum(outcome.result is ItemResult.DONE for outcome in batch)
        run.batch_done(StepKind.VERIFY)
    return replace(status, seen_count=max(status.seen_count, gone), gone_count=gone)


def _end_state(run: StrandRun, status: CopyStatus, closed: int, left: int) -> CopyStatus:
    if left and status.copy.role is CopyRole.CACHE and status.copy.partial:
        left = 0  # it fills again with what stays; what was to go was cleared
    if left:
        return replace(status, end_state=EndState.FAILED, reason=f"{_FOUND}{left} items", until=None)
    if closed:
        reason = f"{closed} items that the store locks were sealed under keys that are destroyed"
        return replace(status, end_state=EndState.SHREDDED_VERIFIED, reason=reason, until=None)
    if status.gone_count:
        return replace(status, end_state=EndState.ERASED_VERIFIED, reason=None, until=None, empty_looks=0)
    if status.seen_count == 0:
        return replace(status, end_state=EndState.NOT_FOUND, reason=None, until=None)
    return _believed_empty(run, status)


def _believed_empty(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """Zero is suspicious: nothing is found and nothing was erased where something had been seen."""
    other = _erased_by(run, status)
    if other is not None:
        return replace(status, end_state=EndState.NOT_FOUND, reason=f"erased with case {other}", until=None)
    looks = status.empty_looks + 1
    if looks < EMPTY_LOOKS:
        reason = f"nothing was found where {status.seen_count} items had been seen (look {looks} of {EMPTY_LOOKS})"
        return replace(status, end_state=EndState.FAILED, reason=reason, until=None, empty_looks=looks)
    who = "an erasure that was interrupted before it was recorded" if _was_interrupted(run) else "somebody else"
    reason = f"{status.seen_count} items had been seen; {looks} looks found nothing: removed by {who}"
    return replace(status, end_state=EndState.NOT_FOUND, reason=reason, until=None, empty_looks=looks)


def _was_interrupted(run: StrandRun) -> bool:
    """Whether an erasure of this strand was begun more than once, so that one may have acted and not said so."""
    with run.deployment.catalog.reading() as session:
        begun = [step for step in steps.steps_of(session, run.record.strand.id) if step.kind is StepKind.ERASE]
    return sum(step.attempts for step in begun) > 1


def _erased_by(run: StrandRun, status: CopyStatus) -> str | None:
    """Another case of the customer's that has erased all of this copy since it was counted, or None."""
    counted_at = run.record.tombstoned_at
    with run.deployment.catalog.reading() as session:
        others = case_rows.strands(session, customer=run.record.customer)
    for other in others:
        if other.strand.id == run.record.strand.id or other.strand.dataset != run.record.strand.dataset:
            continue
        is_since = counted_at is None or (other.erased_at or run.now) >= counted_at
        if is_since and any(known.gone_count and _covers(known.copy, status.copy) for known in other.copies):
            return other.strand.case
    return None


def _covers(other: Copy, copy: Copy) -> bool:
    """Whether `other` is the same copy, or all of what `copy` is a part of."""
    if other.label != copy.label or other.subscription not in (None, copy.subscription):
        return False
    return not other.partial or other.place == copy.place
