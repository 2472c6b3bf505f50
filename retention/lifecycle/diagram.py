"""`docs/states.md`, drawn from the tables in `retention.lifecycle.states`.

`python -m retention.lifecycle.diagram > docs/states.md` draws it anew; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping

from retention.lifecycle.states import OPEN, REVOCABLE, TRANSITIONS, StrandEvent
from retention.model.case import StrandState
from retention.model.fact import FactType
from retention.model.fact_roles import ALWAYS_CANCEL, CANCELS, CONSENTS, ENDINGS, INSTRUCTIONS, MOVES_DATES, WITHDRAWALS

STATES: Mapping[StrandState, str] = {
    StrandState.BUFFER: "The data is only stored: reads and writes are refused, caches are cleared.",
    StrandState.TOMBSTONED: "The data is hidden and marked, and can still be brought back.",
    StrandState.SHREDDED: "The keys are destroyed: the point of no return of what was sealed.",
    StrandState.ERASING: "Bytes and rows are being removed; for what was never sealed, its point of no return.",
    StrandState.ERASED: "Every copy that can be removed is removed.",
    StrandState.VERIFIED: "An independent look found nothing.",
    StrandState.CERTIFIED: "Nothing is open any more, not even an old copy of a key; the certificate can be given out.",
    StrandState.REOPENED: "Something was found again after it had been erased; it is erased again.",
    StrandState.BROUGHT_BACK: "A fact took the deletion back in time; everything is as it was.",
}

EVENTS: Mapping[StrandEvent, str] = {
    StrandEvent.CANCELLED: "a fact took the starting fact back, or another subscription needs the data",
    StrandEvent.TOMBSTONED: "buffer and statutory minimum are over, and the data was hidden",
    StrandEvent.SHREDDED: "the undo window is over too, and the keys were destroyed",
    StrandEvent.ERASE_BEGUN: "removal was begun",
    StrandEvent.ERASED: "everything that can be removed was removed",
    StrandEvent.VERIFIED: "the independent look found nothing",
    StrandEvent.CERTIFIED: "every copy has its end state, and no epoch key is left that wrapped a key of it",
    StrandEvent.FOUND_AGAIN: "the data was found again: a late writer, a restore, an incomplete erasure",
    StrandEvent.STARTED_AGAIN: "what had brought it back ended in its turn, and the starting fact still stands",
}


def draw() -> str:
    """The whole of `docs/states.md`, with a newline at its end. The same tables give the same text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The life of a strand"
    yield ""
    yield "A strand is the deletion of one dataset within a case. This page is drawn from the tables in"
    yield "`retention/lifecycle/states.py`; draw it anew with `python -m retention.lifecycle.diagram > docs/states.md`."
    yield ""
    yield from _mermaid()
    yield ""
    yield "A hold, a statutory minimum, the buffer and the undo window are no states: they block the next step, and are read"
    yield "at the moment of the step, in this order: hold → keep-at-least → buffer → deletion."
    yield ""
    yield "## States"
    yield ""
    yield from _table(
        ("state", "meaning", "can come back", "something to do"),
        ((state, STATES[state], _yes(state in REVOCABLE), _yes(state in OPEN)) for state in StrandState),
    )
    yield ""
    yield "## Events"
    yield ""
    yield from _table(("event", "what happened"), ((event, EVENTS[event]) for event in StrandEvent))
    yield ""
    yield "## Facts"
    yield ""
    yield from _table(("fact", "what it is to a strand"), ((fact, _role(fact)) for fact in FactType))


def _mermaid() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for state in StrandState:
        yield f'    state "{state}" as {state.name}'
    yield f"    [*] --> {StrandState.BUFFER.name}: starting fact"
    for (state, event), leads_to in TRANSITIONS.items():
        yield f"    {state.name} --> {leads_to.name}: {event}"
    for state in StrandState:
        if state not in OPEN:
            yield f"    {state.name} --> [*]"
    yield "```"


def _role(fact: FactType) -> str:
    if fact in ENDINGS:
        return "ends subscriptions; their data goes when the last subscription that needs it has ended"
    if fact in INSTRUCTIONS:
        return "says itself what has to go, whoever else would need it"
    if fact in MOVES_DATES:
        return "starts and ends nothing; moves dates and blocks"
    if fact in WITHDRAWALS:
        return "says that what lies abroad under a consent has to go, unless another one allows it to lie there"
    if fact in CONSENTS:
        return "starts and ends nothing; says what may go abroad"
    taken_back = ", ".join(f"`{each}`" for each in FactType if each in CANCELS[fact])
    return f"takes back {taken_back}" + ("" if fact in ALWAYS_CANCEL else ", where the rule's `cancelled-by` names it")


def _yes(fact: bool) -> str:
    return "yes" if fact else ""


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(heading) + " |"
    yield "|" + "---|" * len(heading)
    for name, *rest in rows:
        yield "| " + " | ".join([f"`{name}`", *rest]) + " |"


if __name__ == "__main__":
    sys.stdout.write(draw())
