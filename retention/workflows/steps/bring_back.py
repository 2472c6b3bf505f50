"""Bring back: the customer paid, renewed or withdrew the instruction in time. Readers see again what they saw before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import steps
from retention.model.case import StrandState
from retention.model.plan import StepKind
from retention.model.record import StrandRecord
from retention.workflows.steps.restriction import forget_keys, settle_key_states
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import ItemResult, Place, Store
from storage_adapters.errors import OutcomeUnknown

_HIDING = (StrandState.TOMBSTONED, StrandState.SHREDDED, StrandState.ERASING, StrandState.REOPENED)
_LOOKS = 3


def bring_back(run: StrandRun) -> None:
    """The data is readable as before, unless another case of the customer's hides it still. A second call changes nothing.

    What a store refuses to show is tried again in the next runs, before it is believed that something newer stands there.
    """
    with run.step(StepKind.BRING_BACK):
        results = _show(run) if _may_be_hidden(run) else Counter[ItemResult]()
        run.acted(StepKind.BRING_BACK)
        with run.transaction() as session:
            is_believed = not results[ItemResult.REFUSED] or _tries(run, session) >= _LOOKS
            stamps: tuple[case_rows.Stamp, ...] = ("settled_at",) if is_believed else ()
            case_rows.move_strand(session, run.record, StrandState.BROUGHT_BACK, run.now, *stamps)
            settle_key_states(session, run.record.customer, run.record.strand.dataset)
            body = {"items": results[ItemResult.DONE], "kept_new": results[ItemResult.REFUSED]}
            run.finish(session, StepKind.BRING_BACK, dict(body))
    forget_keys(run.deployment, run.record)
    run.deployment.journal.publish()
    run.reload()


def _tries(run: StrandRun, session: Session) -> int:
    tried = [step for step in steps.steps_of(session, run.record.strand.id) if step.kind is StepKind.BRING_BACK]
    return sum(step.attempts for step in tried)


def _may_be_hidden(run: StrandRun) -> bool:
    """Whether hiding was ever begun; a run that was killed or overtaken by the fact may have hidden some of it."""
    with run.deployment.catalog.reading() as session:
        return any(step.kind is StepKind.TOMBSTONE for step in steps.steps_of(session, run.record.strand.id))


def _show(run: StrandRun) -> Counter[ItemResult]:
    """Show what this strand hid, and hide again what others of the customer's hide in the same places."""
    others = [other for other in _others_that_hide(run) if other.strand.not_from is None]
    theirs = [place for other in others for place in _lasting(other)]
    results: Counter[ItemResult] = Counter()
    shown = False
    for name, place in _lasting(run.record):
        store = run.deployment.store(name)
        if (name, place) not in theirs and store.capabilities().tombstone:
            results += _shown(run, store, place)
            shown = True
    for name, place in theirs if shown else ():
        store = run.deployment.store(name)
        for _ in store.tombstone(place) if store.capabilities().tombstone else ():
            run.batch_done(StepKind.BRING_BACK)
    return results


def _shown(run: StrandRun, store: Store, place: Place) -> Counter[ItemResult]:
    """Show until a look finds nothing that could still be shown. Raises OutcomeUnknown where that does not come about."""
    shown = 0
    for _ in range(_LOOKS):
        results: Counter[ItemResult] = Counter()
        for batch in store.bring_back(place):
            results.update(outcome.result for outcome in batch)
            run.batch_done(StepKind.BRING_BACK)
        shown += results[ItemResult.DONE]
        if not results[ItemResult.DONE] and not results[ItemResult.UNKNOWN]:
            return Counter({ItemResult.DONE: shown, ItemResult.REFUSED: results[ItemResult.REFUSED]})
    raise OutcomeUnknown(store.name, "what was hidden may not all be in sight again")


def _others_that_hide(run: StrandRun) -> list[StrandRecord]:
    with run.deployment.catalog.reading() as session:
        hiding = case_rows.strands(session, customer=run.record.customer, states=_HIDING)
    mine = run.record.strand
    return [other for other in hiding if other.strand.id != mine.id and other.strand.dataset == mine.dataset]


def _lasting(record: StrandRecord) -> Iterator[tuple[str, Place]]:
    """The store and place of every primary and replica that could be told."""
    for copy in record.strand.copies:
        if copy.role.lasts and copy.place is not None:
            yield copy.store, copy.place
