"""The state machine, pair by pair: every (state, event), and every (state, fact) for every kind of starting fact."""

from __future__ import annotations

import pytest

from retention.lifecycle.states import (
    OPEN,
    PROGRESS,
    REVOCABLE,
    TRANSITIONS,
    NoSuchTransition,
    StrandEvent,
    event_of,
    is_too_late,
    next_state,
)
from retention.model.case import StrandState
from retention.model.fact import FactType
from retention.model.fact_roles import CANCELS, CONSENTS, ENDINGS, INSTRUCTIONS, MOVES_DATES, STARTING

# One line per state: where each event leads, in the order of the heading; "." is nowhere.
TABLE = """
              cancelled     tombstoned  shredded  erase-begun  erased  verified  certified  found-again  started-again
buffer        brought-back  tombstoned  .         .            .       .         .          .            .
tombstoned    brought-back  .           shredded  erasing      .       .         .          .            .
shredded      .             .           .         erasing      .       .         .          .            .
erasing       .             .           .         .            erased  .         .          .            .
erased        .             .           .         .            .       verified  .          reopened     .
verified      .             .           .         .            .       .         certified  reopened     .
certified     .             .           .         .            .       .         .          reopened     .
reopened      .             .           .         erasing      .       .         .          .            .
brought-back  .             .           .         .            .       .         .          .            buffer
"""
HEADING, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
PAIRS = [(row[0], event, row[1 + i]) for row in ROWS for i, event in enumerate(HEADING)]

# One line per kind of fact: which starting facts it takes back.
TAKES_BACK = {
    "arrears-cleared": {"arrears-started"},
    "service-renewed": {"service-expired", "service-terminated", "arrears-started"},
    "service-activated": {
        "service-expired",
        "service-terminated",
        "service-released",
        "arrears-started",
        "account-closed",
    },
    "deletion-withdrawn": {
        "service-expired",
        "service-terminated",
        "service-released",
        "arrears-started",
        "account-closed",
        "data-deleted",
        "deletion-ordered",
    },
}


@pytest.mark.parametrize(("state", "event", "leads_to"), PAIRS, ids=[f"{e} in {s}" for s, e, _ in PAIRS])
def test_every_event_in_every_state(state: str, event: str, leads_to: str) -> None:
    if leads_to == ".":
        with pytest.raises(NoSuchTransition, match=f"{event} cannot happen in {state}"):
            next_state(StrandState(state), StrandEvent(event))
    else:
        assert next_state(StrandState(state), StrandEvent(event)) == leads_to


def test_the_table_above_names_every_state_and_every_event() -> None:
    assert {row[0] for row in ROWS} == set(StrandState)
    assert set(HEADING) == set(StrandEvent)


@pytest.mark.parametrize("started_by", sorted(STARTING))
@pytest.mark.parametrize("told", FactType)
@pytest.mark.parametrize("state", StrandState)
def test_every_fact_in_every_state(state: StrandState, told: FactType, started_by: FactType) -> None:
    event = event_of(told, started_by)
    takes_back = started_by in TAKES_BACK.get(told, set())
    assert (event is StrandEvent.CANCELLED) == takes_back
    can_come_back = state in (StrandState.BUFFER, StrandState.TOMBSTONED)
    if takes_back and can_come_back:
        assert event is not None
        assert next_state(state, event) is StrandState.BROUGHT_BACK
    assert is_too_late(state, event) == (takes_back and not can_come_back and state is not StrandState.BROUGHT_BACK)


def test_every_fact_either_starts_or_takes_back_or_moves_dates_or_is_about_transfers() -> None:
    kinds = [ENDINGS, INSTRUCTIONS, frozenset(CANCELS), MOVES_DATES, CONSENTS]
    assert sorted(fact for kind in kinds for fact in kind) == sorted(FactType)


def test_no_way_leads_back_from_the_point_of_no_return() -> None:
    beyond = set(StrandState) - REVOCABLE - {StrandState.BROUGHT_BACK}
    for (state, _), leads_to in TRANSITIONS.items():
        assert state not in beyond or leads_to in beyond


def test_every_state_can_be_reached_and_every_open_one_can_be_left() -> None:
    assert set(TRANSITIONS.values()) == set(StrandState)
    assert {state for state, _ in TRANSITIONS} >= OPEN


def test_progress_orders_every_state_once() -> None:
    assert sorted(PROGRESS) == sorted(StrandState)
