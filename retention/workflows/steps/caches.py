"""Clear caches: they hold plain copies, so they go when the data is restricted, and are looked at again at the end."""

from __future__ import annotations

from dataclasses import replace

from retention.catalog import cases as case_rows
from retention.model.copy import CopyRole, CopyStatus
from retention.model.plan import StepKind
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemResult
from storage_adapters.errors import Unavailable


def clear_caches(run: StrandRun) -> None:
    """No cache holds anything of the customer's for this dataset. A second call clears what has come back since."""
    caches = [status for status in run.record.copies if status.copy.role is CopyRole.CACHE and status.copy.place]
    with run.step(StepKind.CLEAR_CACHES):
        cleared = [_clear(run, status) for status in caches]
        run.acted(StepKind.CLEAR_CACHES)
        with run.transaction() as session:
            case_rows.move_strand(session, run.record, run.record.state, run.now, "cleared_at")
            run.finish(session, StepKind.CLEAR_CACHES, {"items": sum(s.gone_count for s in cleared)})
    run.reload()


def _clear(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """The copy with what was cleared, recorded batch by batch. Raises Unavailable where a look still finds something."""
    place = status.copy.place
    assert place is not None
    store = run.deployment.store(status.copy.store)
    for batch in store.erase(place):
        gone = status.gone_count + sum(outcome.result is ItemResult.DONE for outcome in batch)
        status = replace(status, seen_count=max(status.seen_count, gone), gone_count=gone)
        with run.transaction() as session:
            case_rows.put_copy(session, run.record.strand.id, status)
        run.batch_done(StepKind.CLEAR_CACHES)
    left = sum(len(page) for page in store.remains(place))
    if left:
        raise Unavailable(store.name, f"{left} items are still there after clearing")
    return status
