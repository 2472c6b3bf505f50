"""Where every case stands, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.lifecycle.precedence import next_steps
from retention.lifecycle.states import PROGRESS
from retention.model.case import StrandState
from retention.model.copy import EndState, SetEnd
from retention.model.hold import Hold
from retention.model.plan import Block, BlockKind
from retention.model.record import CaseRecord, StrandRecord
from retention.workflows.deployment import Deployment
from retention.workflows.plan_deletions import progress_of


@dataclass(frozen=True, slots=True)
class CopyLine:
    """One copy: its end state, or why it has none yet, and until when where that is known. Instants aware UTC.

    sets: of a backup, how each set ended that may have held it.
    """

    dataset: str
    store: str
    role: str
    subscription: str | None
    backup: str | None
    end_state: EndState | None
    reason: str | None
    until: datetime | None
    seen_count: int
    gone_count: int
    sets: tuple[SetEnd, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """One case. `state` is that of its least advanced strand, or `still-needed` where it has none.

    due_at: the first date on which something is due; complete_by: the last by which something has to be gone; None where
    nothing is to be deleted. is_overdue: not done by then, and nothing that the law or a hold requires stops it.
    """

    case: str
    customer: str
    rule: str
    clause: str
    state: str
    started_at: datetime
    due_at: datetime | None
    complete_by: datetime | None
    policy_hash: str
    copies: tuple[CopyLine, ...]
    left: tuple[tuple[str, str], ...]
    is_overdue: bool
    has_failed_copy: bool
    has_unsupported_copy: bool
    shredded_at: datetime | None
    unrecoverable_at: datetime | None


def status(deployment: Deployment, customer: str | None = None) -> tuple[CaseStatus, ...]:
    """Every case (of one customer), by start. Reads only."""
    now = deployment.clock.now()
    with deployment.catalog.reading() as session:
        cases = case_rows.cases(session, customer=customer)
        holds: dict[str, list[Hold]] = {}
        for hold in fact_rows.holds_of(session, customer):
            holds.setdefault(hold.customer, []).append(hold)
    return tuple(_case(record, tuple(holds.get(record.case.customer, ())), now) for record in cases)


def _case(record: CaseRecord, holds: tuple[Hold, ...], now: datetime) -> CaseStatus:
    carried = [strand for strand in record.strands if strand.state is not StrandState.BROUGHT_BACK]
    blocks = {s.strand.id: next_steps(s.strand, progress_of(s), holds, now).block for s in carried}
    lines = tuple(
        _line(strand, index, blocks[strand.strand.id]) for strand in carried for index in range(len(strand.copies))
    )
    ends = {line.end_state for line in lines}
    shredded = [s.shredded_at for s in carried if s.shredded_at is not None]
    gone = [s.unrecoverable_at for s in carried if s.keys]
    return CaseStatus(
        case=record.case.id,
        customer=record.case.customer,
        rule=record.case.rule,
        clause=record.case.clause,
        state=_state(record),
        started_at=record.case.started_at,
        due_at=min((s.strand.due.at for s in carried), default=None),
        complete_by=max((s.strand.complete_by.at for s in carried), default=None),
        policy_hash=record.case.policy_hash,
        copies=lines,
        left=record.case.left,
        is_overdue=any(is_overdue(strand, blocks[strand.strand.id], now) for strand in carried),
        has_failed_copy=EndState.FAILED in ends,
        has_unsupported_copy=EndState.UNSUPPORTED in ends,
        shredded_at=max(shredded, default=None),
        unrecoverable_at=max((at for at in gone if at), default=None) if all(gone) else None,
    )


def _state(record: CaseRecord) -> str:
    states = [strand.state for strand in record.strands]
    if not states:
        return "still-needed" if record.case.left else str(StrandState.BROUGHT_BACK)
    return str(min(states, key=PROGRESS.index))


def is_overdue(record: StrandRecord, block: Block | None, now: datetime) -> bool:
    """Whether the strand should have been gone by now; a hold or a statutory minimum excuses it, a wait for keys not."""
    if now <= record.deadline or record.state in (StrandState.CERTIFIED, StrandState.BROUGHT_BACK):
        return False
    if block is not None and block.kind in (BlockKind.HELD, BlockKind.KEPT_BY_LAW, BlockKind.WAITING_FOR_COPIES):
        return False
    return not any(status.end_state is EndState.KEPT_BY_LAW for status in record.copies)


def _line(record: StrandRecord, index: int, block: Block | None) -> CopyLine:
    known = record.copies[index]
    end_state, reason, until = known.end_state, known.reason, known.until
    if end_state is None and block is not None:
        waits = {BlockKind.HELD: EndState.HELD, BlockKind.KEPT_BY_LAW: EndState.KEPT_BY_LAW}
        end_state, reason, until = waits.get(block.kind), block.reason, block.until
    return CopyLine(
        dataset=known.copy.dataset,
        store=known.copy.store,
        role=str(known.copy.role),
        subscription=known.copy.subscription,
        backup=known.copy.backup,
        end_state=end_state,
        reason=reason,
        until=until,
        seen_count=known.seen_count,
        gone_count=known.gone_count,
        sets=known.sets,
    )
