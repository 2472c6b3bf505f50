"""Clear caches: they hold plain copies, so they go when the data is restricted, and are looked at again at the end."""

from __future__ import annotations

from dataclasses import replace

from retention.catalog import cases as case_rows
from retention.model.copy import CopyRole, CopyStatus
from retention.model.plan import StepKind
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemResult


def clear_caches(run: StrandRun) -> None:
    """No cache holds anything of the customer's for this dataset. A second call clears what has come back since."""
    caches = [status for status in run.record.copies if status.copy.role is CopyRole.CACHE and status.copy.place]
    with run.step(StepKind.CLEAR_CACHES):
        cleared = [_clear(run, status) for status in caches]
        run.acted(StepKind.CLEAR_CACHES)
        with run.transaction() as session:
            case_rows.move_strand(session, run.record, run.record.state, run.now, "cleared_at")
            for status in cleared:
                case_rows.put_copy(session, run.record.strand.id, status)
            run.finish(session, StepKind.CLEAR_CACHES, {"items": sum(s.gone_count for s in cleared)})
    run.reload()


def _clear(run: StrandRun, status: CopyStatus) -> CopyStatus:
    assert status.copy.place is not None
    gone = 0
    for batch in run.deployment.store(status.copy.store).erase(status.copy.place):
        gone += sum(outcome.result is ItemResult.DONE for outcome in batch)
        run.batch_done(StepKind.CLEAR_CACHES)
    total = status.gone_count + gone
    return replace(status, seen_count=max(status.seen_count, total), gone_count=total)
