"""Each step against stores that refuse, forget to answer, lie, and processes that die in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from retention.catalog import cases as case_rows
from retention.model.case import StrandState
from retention.model.copy import CopyStatus, EndState
from retention.workflows.run_cycle import Cycle, run_cycle
from storage_adapters.contract import Prefix
from storage_adapters.faults import Crash, Fault, FaultKind, Operation
from storage_adapters.memory import MemoryStore

if TYPE_CHECKING:
    from tests.property.provider import Provider

Fail = Callable[..., None]
VICTIM = "c-1"


def run(provider: Provider, **later: float) -> Cycle:
    provider.clock.advance(timedelta(**later))
    return run_cycle(provider.started())


def crash(provider: Provider) -> None:
    with pytest.raises(Crash):
        run(provider)


def readable(provider: Provider) -> list[bool]:
    return [provider.readable(one) for one in provider.written if one.customer == VICTIM]


def copies(provider: Provider, dataset: str) -> list[CopyStatus]:
    with provider.catalog.reading() as session:
        return [s for r in case_rows.strands(session) if r.strand.dataset == dataset for s in r.copies]


def states(provider: Provider) -> set[StrandState]:
    with provider.catalog.reading() as session:
        return {record.state for record in case_rows.strands(session)}


def order_by_mistake(provider: Provider) -> Callable[[], object]:
    """The customer deletes everything; what is returned withdraws that."""
    provider.tell("data-deleted", VICTIM)
    key = f"f{provider.told}"
    return lambda: provider.tell("deletion-withdrawn", VICTIM, key)


# -------------------------------------------------------------------------------------------- hiding, bringing back


@pytest.mark.parametrize("kind", [FaultKind.ITEM_LIE, FaultKind.BATCH_LIE, FaultKind.ITEM_UNKNOWN_NOT_DONE])
def test_what_a_store_left_in_sight_is_hidden_in_the_same_run(provider: Provider, fail: Fail, kind: FaultKind) -> None:
    provider.tell("data-deleted", VICTIM)
    fail(Fault(kind, Operation.TOMBSTONE), Fault(kind, Operation.TOMBSTONE))
    run(provider)
    assert states(provider) == {StrandState.TOMBSTONED}
    assert readable(provider) == [False] * 5


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.ITEM_LIE,
        FaultKind.BATCH_LIE,
        FaultKind.ITEM_REFUSED,
        FaultKind.ITEM_UNKNOWN_NOT_DONE,
        FaultKind.ITEM_UNKNOWN_DONE,
        FaultKind.UNKNOWN_NOT_DONE,
        FaultKind.UNKNOWN_DONE,
        FaultKind.UNAVAILABLE,
    ],
)
def test_what_was_hidden_is_all_in_sight_again_whatever_the_store_did_at_first(
    provider: Provider, fail: Fail, kind: FaultKind
) -> None:
    withdraw = order_by_mistake(provider)
    run(provider)
    withdraw()
    fail(Fault(kind, Operation.BRING_BACK), Fault(kind, Operation.BRING_BACK))
    for _ in range(3):
        run(provider, minutes=10)
    assert readable(provider) == [True] * 5
    assert run(provider).plan.acting == ()


@pytest.mark.parametrize("kind", [FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.UNKNOWN_DONE])
def test_hiding_that_was_cut_short_is_undone_although_it_was_never_finished(
    provider: Provider, fail: Fail, kind: FaultKind
) -> None:
    withdraw = order_by_mistake(provider)
    fail(Fault(kind, Operation.TOMBSTONE))
    if kind is FaultKind.UNKNOWN_DONE:
        assert run(provider).report.troubles
    else:
        crash(provider)
    withdraw()
    run(provider, minutes=10)
    assert readable(provider) == [True] * 5


def test_a_hold_told_while_the_data_is_hidden_keeps_it_hidden_and_whole(provider: Provider) -> None:
    provider.tell("data-deleted", VICTIM)
    run(provider)
    provider.tell("hold-placed", VICTIM, "h")
    run(provider, hours=48)
    assert {name for d in ("models", "notes") for name in provider.there(VICTIM, d)} == {
        one.name for one in provider.written if one.customer == VICTIM
    }
    provider.tell("hold-released", VICTIM, "h")
    run(provider)
    assert not provider.there(VICTIM, "models") | provider.there(VICTIM, "notes")


# --------------------------------------------------------------------------------------------------------- caches


@pytest.mark.parametrize("kind", [FaultKind.ITEM_LIE, FaultKind.BATCH_LIE, FaultKind.ITEM_REFUSED])
def test_a_cache_that_was_not_cleared_is_not_called_cleared(provider: Provider, fail: Fail, kind: FaultKind) -> None:
    provider.tell("data-deleted", VICTIM)
    fail(Fault(kind, Operation.ERASE))
    assert [trouble for _, trouble in run(provider).report.troubles if "still there after clearing" in trouble]
    with provider.catalog.reading() as session:
        assert all(record.cleared_at is None for record in case_rows.strands(session))
    assert run(provider, minutes=10).report.troubles == []
    assert not any(key.startswith(f"models:{VICTIM}:") for key in provider.cache.read_all())


def test_a_store_that_does_not_take_such_places_holds_up_nobody_else(provider: Provider) -> None:
    provider.cache = MemoryStore("cache", kinds=frozenset({Prefix}))
    provider.tell("data-deleted", VICTIM)
    run(provider)
    ((strand, trouble),) = run(provider, hours=25).report.troubles
    assert strand.endswith("/models")
    assert trouble == "clear-caches: ValueError; the log says more"
    assert not provider.there(VICTIM, "notes")
    assert len(provider.there(VICTIM, "models")) == 3


# --------------------------------------------------------------------------------------------------------- erasing


@pytest.mark.parametrize("kind", [FaultKind.ITEM_LIE, FaultKind.BATCH_LIE])
def test_what_a_store_only_said_to_have_erased_is_found_and_erased_again(
    provider: Provider, fail: Fail, kind: FaultKind
) -> None:
    provider.tell("data-deleted", VICTIM)
    run(provider)
    fail(Fault(kind, Operation.ERASE), Fault(kind, Operation.ERASE))
    run(provider, hours=25)
    assert StrandState.REOPENED in states(provider)
    assert any(
        status.end_state is EndState.FAILED for status in [*copies(provider, "models"), *copies(provider, "notes")]
    )
    for _ in range(2):
        run(provider, minutes=10)
    assert states(provider) == {StrandState.CERTIFIED}
    assert not provider.there(VICTIM, "models") | provider.there(VICTIM, "notes")


@pytest.mark.parametrize("kind", [FaultKind.ITEM_REFUSED, FaultKind.ITEM_UNKNOWN_NOT_DONE, FaultKind.UNKNOWN_NOT_DONE])
def test_what_could_not_be_erased_is_said_to_have_failed_and_tried_again(
    provider: Provider, fail: Fail, kind: FaultKind
) -> None:
    provider.tell("data-deleted", VICTIM)
    run(provider)
    fail(Fault(kind, Operation.ERASE))
    run(provider, hours=25)
    assert StrandState.ERASING in states(provider)
    assert any(
        status.end_state is EndState.FAILED for status in [*copies(provider, "models"), *copies(provider, "notes")]
    )
    run(provider, minutes=10)
    assert not provider.there(VICTIM, "models") | provider.there(VICTIM, "notes")


def test_an_erasure_that_died_before_it_was_recorded_is_not_ascribed_to_somebody_else(
    provider: Provider, fail: Fail
) -> None:
    provider.tell("data-deleted", VICTIM)
    run(provider)
    fail(Fault(FaultKind.CRASH_AFTER, Operation.ERASE))
    provider.clock.advance(timedelta(hours=25))
    crash(provider)
    for _ in range(5):
        run(provider, minutes=10)
    assert states(provider) == {StrandState.CERTIFIED}
    unsaid = [s for d in ("models", "notes") for s in copies(provider, d) if s.end_state is EndState.NOT_FOUND]
    for status in unsaid:
        assert status.reason is not None
        assert status.reason.endswith("removed by an erasure that was interrupted before it was recorded")


def test_a_listing_that_omits_something_before_and_is_whole_afterwards_hides_nothing(
    provider: Provider, fail: Fail
) -> None:
    """The count before is too small, which no end state may rest on; the look behind it is another one."""
    provider.tell("data-deleted", VICTIM)
    fail(*[Fault(FaultKind.OMITS_PAGE, Operation.SURVEY)] * 4)
    run(provider)
    run(provider, hours=25)
    for _ in range(3):
        run(provider, minutes=10)
    assert states(provider) == {StrandState.CERTIFIED}
    assert not provider.there(VICTIM, "models") | provider.there(VICTIM, "notes")
