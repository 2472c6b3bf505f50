"""The life of a strand (the deletion of one dataset within a case), as a table.

A strand begins in BUFFER: the data is only stored. When the buffer is over it is TOMBSTONED: hidden, and it can still
come back. The point of no return leads to SHREDDED where keys are destroyed, or straight to ERASING where there are
none. What was ERASED is looked for once more in another way (VERIFIED), and when nothing is open any more, not even an
old copy of a key, it is CERTIFIED. What is found again afterwards makes it REOPENED, which erases again.

A hold or a statutory minimum is no state: it is a block on the next step, read at the moment of the step
(`retention.lifecycle.precedence`). Facts enter through `EVENT_OF`; everything else is an outcome of our own step.

`docs/states.md` is drawn from this table by `python -m retention.lifecycle.diagram`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from retention.model.case import StrandState
from retention.model.fact import FactType
from retention.model.fact_roles import CANCELS

S = StrandState


class StrandEvent(StrEnum):
    """What moves a strand."""

    CANCELLED = "cancelled"
    TOMBSTONED = "tombstoned"
    SHREDDED = "shredded"
    ERASE_BEGUN = "erase-begun"
    ERASED = "erased"
    VERIFIED = "verified"
    CERTIFIED = "certified"
    FOUND_AGAIN = "found-again"
    STARTED_AGAIN = "started-again"


E = StrandEvent

TRANSITIONS: Mapping[tuple[StrandState, StrandEvent], StrandState] = {
    (S.BUFFER, E.CANCELLED): S.BROUGHT_BACK,
    (S.BUFFER, E.TOMBSTONED): S.TOMBSTONED,
    (S.TOMBSTONED, E.CANCELLED): S.BROUGHT_BACK,
    (S.TOMBSTONED, E.SHREDDED): S.SHREDDED,
    (S.TOMBSTONED, E.ERASE_BEGUN): S.ERASING,
    (S.SHREDDED, E.ERASE_BEGUN): S.ERASING,
    (S.ERASING, E.ERASED): S.ERASED,
    (S.ERASED, E.VERIFIED): S.VERIFIED,
    (S.ERASED, E.FOUND_AGAIN): S.REOPENED,
    (S.VERIFIED, E.CERTIFIED): S.CERTIFIED,
    (S.VERIFIED, E.FOUND_AGAIN): S.REOPENED,
    (S.CERTIFIED, E.FOUND_AGAIN): S.REOPENED,
    (S.REOPENED, E.ERASE_BEGUN): S.ERASING,
    (S.BROUGHT_BACK, E.STARTED_AGAIN): S.BUFFER,
}

REVOCABLE = frozenset({S.BUFFER, S.TOMBSTONED})
"""States before the point of no return."""

OPEN = frozenset(set(S) - {S.CERTIFIED, S.BROUGHT_BACK})
"""States in which something is still to be done."""

PROGRESS: tuple[StrandState, ...] = (
    S.BUFFER,
    S.TOMBSTONED,
    S.SHREDDED,
    S.REOPENED,
    S.ERASING,
    S.ERASED,
    S.VERIFIED,
    S.CERTIFIED,
    S.BROUGHT_BACK,
)
"""From least to most advanced; a case stands where its least advanced strand stands."""


class NoSuchTransition(Exception):
    """The event cannot happen in this state; the caller's picture of the strand is out of date."""


def next_state(state: StrandState, event: StrandEvent) -> StrandState:
    """The state that `event` leads to. Raises NoSuchTransition where the table has none."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise NoSuchTransition(f"{event} cannot happen in {state}") from None


# ------------------------------------------------------------------------------------------- facts as events


def event_of(fact_type: FactType, started_by: FactType) -> StrandEvent | None:
    """What a fact is to a strand that another fact started: CANCELLED, or None where it moves nothing.

    A second starting fact opens a case of its own; holds, releases and agreements move dates and blocks, not states.
    """
    return StrandEvent.CANCELLED if started_by in CANCELS.get(fact_type, frozenset()) else None


def is_too_late(state: StrandState, event: StrandEvent | None) -> bool:
    """Whether the event comes after the point of no return: the fact is kept and flagged, and nothing moves."""
    return event is StrandEvent.CANCELLED and (state, event) not in TRANSITIONS and state is not S.BROUGHT_BACK
