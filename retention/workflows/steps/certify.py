"""The last step: everything is gone and unrecoverable, so the strand is closed and its certificate is final."""

from __future__ import annotations

from retention.catalog import cases as case_rows
from retention.lifecycle.states import StrandEvent, next_state
from retention.model.plan import StepKind
from retention.workflows.strand_run import StrandRun


def close_strand(run: StrandRun) -> None:
    """The strand is CERTIFIED. The rules offer this step only when no copy and no key is waited for."""
    with run.step(StepKind.CERTIFY), run.transaction() as session:
        state = next_state(run.record.state, StrandEvent.CERTIFIED)
        case_rows.move_strand(session, run.record, state, run.now, "certified_at")
        run.finish(session, StepKind.CERTIFY, {})
    run.deployment.journal.publish()
    run.reload()
