"""The plan: what a run would do as of an instant, to which copies, why and when. Touches nothing.

The run makes its plan here too, so a preview of any date is the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.evidence.canonical import JsonValue, hash_json
from retention.lifecycle.backup_sets import next_try_at
from retention.lifecycle.precedence import Next, Progress, next_steps
from retention.lifecycle.states import OPEN
from retention.model.case import Case
from retention.model.copy import Copy, CopyRole
from retention.model.hold import Hold
from retention.model.plan import Plan, PlanItem, StepKind
from retention.model.record import StrandRecord
from retention.workflows.deployment import Deployment
from storage_adapters.errors import StoreError

_CACHE_STEPS = frozenset({StepKind.CLEAR_CACHES, StepKind.VERIFY, StepKind.CERTIFY})
_BACKUP_STEPS = frozenset({StepKind.SHRED, StepKind.VERIFY, StepKind.CLOSE_BACKUPS, StepKind.CERTIFY})
_STEPS_OF = {
    CopyRole.PRIMARY: frozenset(StepKind) - {StepKind.CLEAR_CACHES, StepKind.CLOSE_BACKUPS},
    CopyRole.REPLICA: frozenset(StepKind) - {StepKind.CLEAR_CACHES, StepKind.CLOSE_BACKUPS},
    CopyRole.CACHE: _CACHE_STEPS,
    CopyRole.BACKUP: _BACKUP_STEPS,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One open strand with its case and what can happen to it next."""

    case: Case
    record: StrandRecord
    next: Next


def progress_of(record: StrandRecord) -> Progress:
    """How far the strand has come, as the rules read it."""
    return Progress(
        record.state,
        record.version,
        is_restricted=record.restricted_at is not None,
        is_cleared=record.cleared_at is not None,
        is_settled=record.settled_at is not None,
        waits_for_keys=record.waits_for_keys,
        waits_for_copies=any(status.end_state and not status.end_state.is_gone for status in record.copies),
        backups_at=_backups_at(record),
    )


def _backups_at(record: StrandRecord) -> datetime | None:
    """From when on one of the waiting backup sets is worth another try."""
    ends = [end for status in record.copies for end in status.sets]
    return next_try_at(ends, record.checked_at or record.verified_at)


def open_subjects(deployment: Deployment, as_of: datetime, customer: str | None = None) -> tuple[Subject, ...]:
    """Every strand in which something is still to be done, with its next steps at `as_of`; ordered by due date and id."""
    with deployment.catalog.reading() as session:
        records = case_rows.strands(session, customer=customer, states=OPEN)
        records += case_rows.unsettled(session, customer)
        cases = case_rows.bare_cases(session, [record.strand.case for record in records])
        holds: dict[str, list[Hold]] = {}
        for hold in fact_rows.holds_of(session, customer):
            holds.setdefault(hold.customer, []).append(hold)
    return tuple(
        Subject(
            cases[record.strand.case],
            record,
            next_steps(record.strand, progress_of(record), holds.get(record.customer, ()), as_of),
        )
        for record in sorted(records, key=lambda record: (record.strand.due.at, record.strand.id))
    )


def plan_deletions(deployment: Deployment, as_of: datetime, *, count: bool = True) -> Plan:
    """What would be done as of the instant (aware UTC), and what waits and why. Touches nothing.

    With `count`, the stores are asked how many items and bytes each acting copy has; a store that cannot answer leaves 0
    and says so in the item's reason.
    """
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, as_of)
    items = [item for subject in open_subjects(deployment, as_of) for item in _items(subject)]
    if count:
        items = [_counted(deployment, item) for item in items]
    return Plan(as_of, policy.hash, tuple(items), content_hash(items))


def content_hash(items: Iterable[PlanItem]) -> str:
    """SHA-256 (hex) of what is to be done, canonical (RFC 8785); counts and waiting items do not enter it."""
    return hash_json([item_key(item) for item in items if item.steps])


def item_key(item: PlanItem) -> dict[str, JsonValue]:
    """What makes a plan item the same as the one that was shown."""
    return {
        "case": item.case,
        "strand": item.strand,
        "strand_version": item.strand_version,
        "copy": item.copy.label,
        "place": repr(item.copy.place),
        "steps": [str(step) for step in item.steps],
        "rule": item.rule,
        "clause": item.clause,
        "policy": item.policy_hash,
        "due_at": item.due_at.isoformat(),
    }


def _items(subject: Subject) -> Sequence[PlanItem]:
    record, following = subject.record, subject.next
    return [_item(subject, record.strand.copies[i], following) for i in range(len(record.strand.copies))]


def _item(subject: Subject, copy: Copy, following: Next) -> PlanItem:
    strand = subject.record.strand
    steps = tuple(step for step in following.steps if step in _STEPS_OF[copy.role])
    return PlanItem(
        case=subject.case.id,
        customer=subject.case.customer,
        strand=strand.id,
        strand_version=subject.record.version,
        copy=copy,
        steps=steps,
        rule=subject.case.rule,
        clause=subject.case.clause,
        policy_hash=subject.case.policy_hash,
        due_at=strand.due.at,
        reason=copy.refusal or (following.block.reason if following.block else strand.due.basis),
        block=following.block,
    )


def _counted(deployment: Deployment, item: PlanItem) -> PlanItem:
    if not item.steps or item.copy.place is None:
        return item
    try:
        count = size = 0
        for page in deployment.store(item.copy.store).survey(item.copy.place):
            count += len(page)
            size += sum(found.size for found in page)
    except StoreError as error:
        return replace(item, reason=f"{item.reason}; not counted: {error}")
    return replace(item, count=count, bytes=size)
