"""Erase: the stored bytes and rows are removed. For data without keys this is where the point of no return lies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.evidence.bodies import BatchDone
from retention.evidence.commitments import ITEM, BatchTree
from retention.evidence.entries import Entry, EntryType
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.lifecycle.counting import count, kept_from
from retention.lifecycle.states import StrandEvent, next_state
from retention.model.case import StrandState
from retention.model.copy import Copy, CopyRole, CopyStatus, EndState
from retention.model.plan import StepKind
from retention.workflows.steps.shred import check_no_return
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import Batch, Item, ItemResult, Keep, Store
from storage_adapters.errors import StoreError


@dataclass(slots=True)
class Tally:
    """What the erasing of one copy came to."""

    done: int = 0
    kept: int = 0
    newest_kept: datetime | None = None
    unknown: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    locked: int = 0
    locked_readable: int = 0
    locks: set[str] = field(default_factory=set)
    locked_until: datetime | None = None


def erase(run: StrandRun) -> None:
    """Every primary and replica is erased as far as law and store allow it today.

    The strand is ERASED when nothing of it is left to erase; else it stays ERASING, each copy says why, and the next run
    tries again.
    """
    with run.step(StepKind.ERASE):
        _begin(run)
        statuses = [_erase_copy(run, status) for status in run.record.copies if is_erasable(status)]
        run.acted(StepKind.ERASE)
        is_complete = all(status.end_state is None for status in statuses)
        with run.transaction() as session:
            for status in statuses:
                _put(run, session, status)
            if is_complete:
                state = next_state(run.record.state, StrandEvent.ERASED)
                case_rows.move_strand(session, run.record, state, run.now, "erased_at")
            body = {"items": sum(s.gone_count for s in statuses), "complete": is_complete}
            run.finish(session, StepKind.ERASE, dict(body))
    run.reload()


def _put(run: StrandRun, session: Session, status: CopyStatus) -> None:
    """Store the copy; a reason why it waits is evidence when it is a new one."""
    before = run.status(status.copy)
    if status.end_state is None or (before.end_state, before.until) == (status.end_state, status.until):
        case_rows.put_copy(session, run.record.strand.id, status)
    else:
        run.put_outcome(session, status)


def is_erasable(status: CopyStatus) -> bool:
    """Whether it is a lasting copy with a place of its own."""
    return status.copy.place is not None and status.copy.role.lasts


def _begin(run: StrandRun) -> None:
    """Pass the point of no return where the keys have not done so already; a strand that is ERASING goes on."""
    if run.record.state is StrandState.ERASING:
        return
    with run.transaction() as session:
        may_be_readable = run.record.state is not StrandState.SHREDDED
        record = check_no_return(run, session) if may_be_readable else run.record
        stamps: tuple[case_rows.Stamp, ...] = () if record.passed_at else ("passed_at",)
        state = next_state(record.state, StrandEvent.ERASE_BEGUN)
        case_rows.move_strand(session, record, state, run.now, *stamps)
        body = {"step": str(StepKind.ERASE), "event": str(StrandEvent.ERASE_BEGUN)}
        run.deployment.journal.write(session, run.entry(EntryType.STEP_OUTCOME, dict(body)))
    run.reload()


def _erase_copy(run: StrandRun, status: CopyStatus) -> CopyStatus:
    assert status.copy.place is not None
    tally = Tally()
    gone_before = status.gone_count
    try:
        store = run.deployment.store(status.copy.store)
        for batch in store.erase(status.copy.place, _keep(run, store, status.copy)):
            _add(run, tally, store, batch)
            status = _batch_erased(run, status, batch)
            run.batch_done(StepKind.ERASE)
    except StoreError as error:
        return replace(status, end_state=EndState.FAILED, reason=str(error), until=None)
    return _judged(run, replace(status, gone_count=gone_before + tally.done), tally)


def _keep(run: StrandRun, store: Store, copy: Copy) -> Keep | None:
    """What must be left: objects under a statutory minimum by their own date, and what was written after a comeback.

    The law keeps the data itself: a replica's date is that of its copying, and what it repeats need not stay twice.

    A store that cannot tell when something was written (rows) cannot tell a comeback's data apart either; that nothing
    new is written there before the erasure is verified is what the service was told (docs/adr/0007).
    """
    strand = run.record.strand
    bounds = [] if strand.not_from is None or not store.capabilities().tells_written_at else [strand.not_from]
    if strand.keep_written is not None and copy.role is not CopyRole.REPLICA:
        policy = run.policy()
        bounds.append(
            kept_from(run.now, strand.keep_written, policy.time_zone, policy.calendar, policy.last_day_off_moves)
        )
    return Keep(min(bounds)) if bounds else None


def _batch_erased(run: StrandRun, status: CopyStatus, batch: Batch) -> CopyStatus:
    """Record one batch: its count and the Merkle root of its items' commitments, and the copy's running total."""
    done = [outcome.item.name for outcome in batch if outcome.result is ItemResult.DONE]
    if not done:
        return status
    journal = run.deployment.journal
    tree = BatchTree(ITEM)
    for name in done:
        tree.add(bytes.fromhex(journal.item(name)))
    body = BatchDone.of(tree.batch()).to_json()
    entry = Entry(EntryType.BATCH, run.now, body, case=run.case.id, policy=run.case.policy_hash)
    status = replace(status, gone_count=status.gone_count + len(done))
    with run.transaction() as session:
        journal.write(session, entry)
        case_rows.put_copy(session, run.record.strand.id, status)
    return status


def _add(run: StrandRun, tally: Tally, store: Store, batch: Batch) -> None:
    locked: list[Item] = []
    for outcome in batch:
        match outcome.result:
            case ItemResult.DONE:
                tally.done += 1
            case ItemResult.ABSENT:
                continue
            case ItemResult.KEPT:
                _add_kept(run, tally, outcome.item)
            case ItemResult.LOCKED:
                locked.append(outcome.item)
            case ItemResult.REFUSED:
                tally.refused[outcome.reason or "refused"] += 1
            case ItemResult.UNKNOWN:
                tally.unknown += 1
    if locked:
        _add_locked(run, tally, store, locked)


def is_of_strand(run: StrandRun, item: Item) -> bool:
    """Whether the item is what the strand is about, and not what the customer wrote after coming back."""
    since = run.record.strand.not_from
    return since is None or item.written_at is None or item.written_at < since


def _add_kept(run: StrandRun, tally: Tally, item: Item) -> None:
    if not is_of_strand(run, item):
        return
    tally.kept += 1
    if item.written_at is not None:
        tally.newest_kept = max(tally.newest_kept or item.written_at, item.written_at)


def _add_locked(run: StrandRun, tally: Tally, store: Store, items: list[Item]) -> None:
    tally.locked += len(items)
    tally.locks.update(item.lock or "lock" for item in items)
    known = [item.locked_until for item in items if item.locked_until is not None]
    tally.locked_until = max([*known, *([tally.locked_until] if tally.locked_until else [])], default=None)
    tally.locked_readable += len(items) - count_closed(run, store, items)


def count_closed(run: StrandRun, store: Store, items: list[Item]) -> int:
    """How many of the items (at most a page) were sealed under keys that this strand has destroyed: nobody opens them."""
    destroyed = {key.key_id for key in run.record.keys}
    if not destroyed:
        return 0
    heads = store.heads([item.name for item in items], HEADER_LENGTH)
    headers = [read_header(head) for _, head in heads if head is not None]
    return sum(header is not None and header.key_id in destroyed for header in headers)


def _judged(run: StrandRun, status: CopyStatus, tally: Tally) -> CopyStatus:
    """The copy with what still stands in the way of its end; no end state where nothing does."""
    if tally.unknown or tally.refused:
        said = ", ".join(f"{count} × {reason}" for reason, count in sorted(tally.refused.items()))
        unknown = f"{tally.unknown} with unknown outcome" if tally.unknown else ""
        reason = "not erased: " + "; ".join(filter(None, (said, unknown)))
        return replace(status, end_state=EndState.FAILED, reason=reason, until=None)
    if tally.locked_readable:
        locks = ", ".join(sorted(tally.locks))
        reason = f"{tally.locked_readable} items are locked by the store ({locks}) and not closed by a destroyed key"
        return replace(status, end_state=EndState.UNSUPPORTED, reason=reason, until=tally.locked_until)
    if tally.kept:
        until = _kept_until(run, tally)
        reason = run.record.strand.keep_basis or "statutory minimum"
        return replace(status, end_state=EndState.KEPT_BY_LAW, reason=reason, until=until, kept_until=until)
    return replace(status, end_state=None, reason=None, until=None)


def _kept_until(run: StrandRun, tally: Tally) -> datetime | None:
    period = run.record.strand.keep_written
    if period is None or tally.newest_kept is None:
        return None
    policy = run.policy()
    return count(tally.newest_kept, period, policy.time_zone, policy.calendar, policy.last_day_off_moves).due_at
