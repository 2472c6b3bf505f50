"""Bring back: the customer paid, renewed or withdrew the instruction in time. Readers see again what they saw before."""

from __future__ import annotations

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.model.case import StrandState
from retention.model.copy import CopyRole
from retention.model.plan import StepKind
from retention.model.record import StrandRecord
from retention.workflows.steps.restriction import forget_keys, settle_key_states
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemResult


def bring_back(run: StrandRun) -> None:
    """The data is readable as before, unless another case of the customer's hides it still. A second call changes nothing."""
    with run.step(StepKind.BRING_BACK):
        shown = refused = 0
        if run.record.tombstoned_at is not None and not _is_hidden_by_another(run):
            shown, refused = _show(run)
        run.acted(StepKind.BRING_BACK)
        with run.transaction() as session:
            fact_rows.lock_customer(session, run.record.customer, run.now)
            case_rows.move_strand(session, run.record, StrandState.BROUGHT_BACK, run.now, "settled_at")
            settle_key_states(session, run.record.customer, run.record.strand.dataset)
            run.finish(session, StepKind.BRING_BACK, {"items": shown, "kept_new": refused})
    forget_keys(run.deployment, run.record)
    run.deployment.journal.publish()
    run.reload()


def _is_hidden_by_another(run: StrandRun) -> bool:
    def hides(other: StrandRecord) -> bool:
        return other.strand.id != run.record.strand.id and other.strand.dataset == run.record.strand.dataset

    with run.deployment.catalog.reading() as session:
        tombstoned = case_rows.strands(session, customer=run.record.customer, states=[StrandState.TOMBSTONED])
    return any(hides(other) for other in tombstoned)


def _show(run: StrandRun) -> tuple[int, int]:
    shown = refused = 0
    for status in run.record.copies:
        place = status.copy.place
        if status.copy.role is not CopyRole.PRIMARY or place is None:
            continue
        store = run.deployment.store(status.copy.store)
        if not store.capabilities().tombstone:
            continue
        for batch in store.bring_back(place):
            shown += sum(outcome.result is ItemResult.DONE for outcome in batch)
            refused += sum(outcome.result is ItemResult.REFUSED for outcome in batch)
            run.batch_done(StepKind.BRING_BACK)
    return shown, refused
