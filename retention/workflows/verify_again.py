"""Look again at what was verified: data that appears later reopens its case, and what could not go yet goes when it can.

Source: product promise "found again later → reopened"; clause 6.10 (until the backup can be deleted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from retention.catalog import cases as case_rows
from retention.catalog.cases import StrandChanged
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.lifecycle.states import REVOCABLE, StrandEvent, next_state
from retention.model.case import StrandState
from retention.model.copy import CopyRole, CopyStatus, EndState
from retention.model.plan import StepKind
from retention.model.policy import Policy
from retention.model.record import StrandRecord
from retention.workflows.carry_out_plan import RunHooks
from retention.workflows.deployment import Deployment
from retention.workflows.run_cycle import owned
from retention.workflows.scan_backups import Inventory
from retention.workflows.steps.backups import close_backup
from retention.workflows.steps.verify import remains_of
from retention.workflows.strand_run import StrandRun
from storage_adapters.errors import StoreError


@dataclass(slots=True)
class Looked:
    """What a verification run came to: strands looked at, those found again, copies that went since, and troubles."""

    strands: int = 0
    reopened: list[str] = field(default_factory=list)
    gone_since: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)


def verify_again(deployment: Deployment, hooks: RunHooks | None = None, at_most: int = 1_000) -> Looked:
    """The verified strands that were looked at longest ago are looked at again, `at_most` in one run.

    Of a customer who came back, or whose data of the same dataset waits for a later deletion, only the backups are looked at:
    what lies elsewhere now may be theirs of today, and is that deletion's to take. Raises NotTheOwner and Stopped.
    """
    hooks = hooks or RunHooks()
    looked = Looked()
    with owned(deployment) as lease:
        with deployment.catalog.reading() as session:
            records = case_rows.strands(session, states=[StrandState.VERIFIED, StrandState.CERTIFIED])
            cases = case_rows.bare_cases(session, [record.strand.case for record in records])
            policies = {version.hash: version for version in deployment.shelf.versions(session)}
            live = case_rows.living_services(session)
            waiting = {(each.customer, each.strand.dataset) for each in case_rows.strands(session, states=REVOCABLE)}

        def came_back(record: StrandRecord) -> bool:
            policy = policies[cases[record.strand.case].policy_hash]
            is_newer = (record.customer, record.strand.dataset) in waiting
            return is_newer or _came_back(record, policy, live.get(record.customer, frozenset()))

        inventory = Inventory(deployment)
        due = [record for record in records if not came_back(record) or _has_backup(record)]
        for record in sorted(due, key=_last_look)[:at_most]:
            run = StrandRun(deployment, cases[record.strand.case], record, lease, hooks.observe, hooks.should_stop)
            run.shared_inventory = inventory
            _look(run, looked, only_backups=came_back(record))
    _tell(deployment, looked)
    return looked


def _tell(deployment: Deployment, looked: Looked) -> None:
    """One entry for the whole run: that it was looked, and how much. A run with nothing to look at leaves none."""
    if not looked.strands:
        return
    body: dict[str, JsonValue] = {
        "verified_again": looked.strands,
        "reopened": len(looked.reopened),
        "troubles": len(looked.troubles),
    }
    with deployment.catalog.transaction() as session:
        deployment.journal.write(session, Entry(EntryType.RUN_FINISHED, deployment.clock.now(), body))
    deployment.journal.publish()


def _last_look(record: StrandRecord) -> datetime:
    return record.checked_at or record.verified_at or record.strand.due.at


def _came_back(record: StrandRecord, policy: Policy, live: frozenset[str]) -> bool:
    """Whether data found now may be theirs of today: they consented again, or a living service writes this dataset.

    What lies abroad under a withdrawn consent alone is nobody's of today, however alive their services are.
    """
    strand = record.strand
    writes_there = any(copy.role is CopyRole.PRIMARY for copy in strand.copies)
    lives = not live.isdisjoint(policy.datasets[strand.dataset].services)
    return strand.not_from is not None or (writes_there and lives)


def _has_backup(record: StrandRecord) -> bool:
    return any(status.copy.role is CopyRole.BACKUP for status in record.copies)


def _look(run: StrandRun, looked: Looked, *, only_backups: bool) -> None:
    looked.strands += 1
    found: list[CopyStatus] = []
    changed: list[CopyStatus] = []
    try:
        for status in run.record.copies:
            now_known = status if only_backups and status.copy.role is not CopyRole.BACKUP else _copy_now(run, status)
            (found if _is_there_again(status, now_known) else changed).append(now_known)
    except StoreError as error:
        looked.troubles.append((run.record.strand.id, str(error)))
        return
    try:
        _record(run, found, changed)
    except StrandChanged:
        looked.troubles.append((run.record.strand.id, "it changed while it was looked at; the next run looks again"))
        return
    if found:
        looked.reopened.append(run.record.strand.id)
    looked.gone_since += [s.copy.label for s in changed if s.end_state is not run.status(s.copy).end_state]


def _record(run: StrandRun, found: Sequence[CopyStatus], changed: Sequence[CopyStatus]) -> None:
    news = [status for status in (*found, *changed) if status != run.status(status.copy)]
    if not news:
        with run.transaction() as session:
            case_rows.move_strand(session, run.record, run.record.state, run.now, "checked_at")
        return
    with run.step(StepKind.VERIFY), run.transaction() as session:
        for status in news:
            run.put_outcome(session, replace(status, verified_at=run.now))
        if found:
            state = next_state(run.record.state, StrandEvent.FOUND_AGAIN)
            case_rows.move_strand(session, run.record, state, run.now, clear=("erased_at", "verified_at"))
            body = {"copies": [status.copy.label for status in found]}
            run.deployment.journal.write(session, run.entry(EntryType.FOUND_AGAIN, dict(body)))
        else:
            case_rows.move_strand(session, run.record, run.record.state, run.now, "checked_at")
        run.finish(session, StepKind.VERIFY)


def _is_there_again(before: CopyStatus, now: CopyStatus) -> bool:
    """Whether the look found data that had been verified absent; a backup store that does not answer shows nothing."""
    if now.end_state is None or now.end_state.is_gone:
        return False
    if now.copy.role is CopyRole.BACKUP:
        was_gone = before.end_state is not None and before.end_state.is_gone
        return was_gone and now.end_state is not EndState.FAILED
    return now.end_state is EndState.FAILED


def _copy_now(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """The copy as a look now finds it: FAILED where something is there again; a backup as it can be closed now."""
    if status.copy.role is CopyRole.BACKUP:
        return close_backup(run, status)
    if status.copy.place is None:
        return status
    _, left = remains_of(run, status)
    if left:
        return replace(status, end_state=EndState.FAILED, reason=f"found again: {left} items", until=None)
    return status
