"""Carry out a plan: strand by strand, step by step, as it was shown and nothing outside it.

Before each step the strand is read again and the rules are asked again; a step is taken only if it is still the next one.
What cannot be done now is left, with its reason, to the next run; one customer's trouble does not hold up another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from retention.catalog import cases as case_rows
from retention.catalog.cases import StrandChanged
from retention.catalog.leases import Lease
from retention.errors import RetentionError
from retention.evidence.entries import EntryType
from retention.lifecycle.precedence import next_steps
from retention.lifecycle.states import NoSuchTransition
from retention.model.plan import Plan, StepKind
from retention.workflows.deployment import Deployment
from retention.workflows.plan_deletions import progress_of
from retention.workflows.scan_backups import Inventory
from retention.workflows.steps.backups import close_backups
from retention.workflows.steps.bring_back import bring_back
from retention.workflows.steps.caches import clear_caches
from retention.workflows.steps.certify import close_strand
from retention.workflows.steps.erase import erase
from retention.workflows.steps.restriction import restrict
from retention.workflows.steps.shred import shred
from retention.workflows.steps.tombstone import tombstone
from retention.workflows.steps.verify import verify
from retention.workflows.strand_run import Blocked, LeaseLost, Moment, StrandRun
from storage_adapters.errors import StoreError

STEPS: Mapping[StepKind, Callable[[StrandRun], None]] = {
    StepKind.RESTRICT: restrict,
    StepKind.CLEAR_CACHES: clear_caches,
    StepKind.TOMBSTONE: tombstone,
    StepKind.SHRED: shred,
    StepKind.ERASE: erase,
    StepKind.VERIFY: verify,
    StepKind.CLOSE_BACKUPS: close_backups,
    StepKind.CERTIFY: close_strand,
    StepKind.BRING_BACK: bring_back,
}

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RunReport:
    """What a run came to. `troubles` name strands (without customers) that could not go on, and why."""

    steps_taken: int = 0
    strands: list[str] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunHooks:
    """How others look on and stop a run between two steps."""

    observe: Callable[[Moment], None] = lambda moment: None
    should_stop: Callable[[], bool] = lambda: False


def carry_out_plan(deployment: Deployment, plan: Plan, lease: Lease, hooks: RunHooks | None = None) -> RunReport:
    """Every acting item of the plan is carried out as far as possible now; durable step by step.

    Raises LeaseLost and Stopped at once; everything else is noted for its strand, and the others go on.
    """
    hooks = hooks or RunHooks()
    report = RunReport()
    steps: dict[str, set[StepKind]] = {}
    for item in plan.acting:
        steps.setdefault(item.strand, set()).update(item.steps)
    versions = {item.strand: item.strand_version for item in plan.acting}
    inventory = Inventory(deployment)
    for strand_id, planned in steps.items():
        run = _open_run(deployment, strand_id, lease, hooks)
        run.shared_inventory = inventory
        if run.record.version != versions[strand_id]:
            report.troubles.append((strand_id, "it has changed since the plan was made"))
            continue
        _carry_out_strand(run, [kind for kind in StepKind if kind in planned], report)
    return report


def _open_run(deployment: Deployment, strand_id: str, lease: Lease, hooks: RunHooks) -> StrandRun:
    with deployment.catalog.reading() as session:
        record = case_rows.strand(session, strand_id)
        (case,) = case_rows.cases(session, case=record.strand.case)
    return StrandRun(deployment, case.case, record, lease, hooks.observe, hooks.should_stop)


def _carry_out_strand(run: StrandRun, planned: list[StepKind], report: RunReport) -> None:
    strand_id = run.record.strand.id
    report.strands.append(strand_id)
    for kind in planned:
        offered = next_steps(run.record.strand, progress_of(run.record), run.holds(), run.now)
        if not offered.steps or offered.steps[0] is not kind:
            break
        try:
            STEPS[kind](run)
        except Blocked as blocked:
            _record_refusal(run, kind, blocked)
            report.troubles.append((strand_id, str(blocked)))
            return
        except LeaseLost:
            raise
        except (StoreError, StrandChanged, RetentionError) as error:
            _log.warning("step failed", strand=strand_id, step=str(kind), error=type(error).__name__)
            report.troubles.append((strand_id, f"{kind}: {error}"))
            return
        except (ValueError, NoSuchTransition) as error:  # a place that the store does not take, a mistake of our own
            _log.exception("step failed", strand=strand_id, step=str(kind))
            report.troubles.append((strand_id, f"{kind}: {type(error).__name__}; the log says more"))
            return
        report.steps_taken += 1


def _record_refusal(run: StrandRun, kind: StepKind, blocked: Blocked) -> None:
    body = {"step": str(kind), "block": str(blocked.block.kind)}
    with run.transaction() as session:
        run.deployment.journal.write(session, run.entry(EntryType.REFUSED, dict(body)))
    run.deployment.journal.publish()
