"""What a guard asks, and what it raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from retention.errors import RefusedByRule
from retention.model.transfer import Crossing, Decision

Permit = Callable[[Crossing], Decision]
"""Says whether a crossing may happen now. Called for everything that would leave home; it has to be cheap."""


class TransferBlocked(RefusedByRule):
    """It would have left the country without a decision that allows it. Nothing was sent."""

    def __init__(self, crossing: Crossing, decision: Decision) -> None:
        codes = ", ".join(ground.code for ground in decision.grounds)
        super().__init__(f"blocked before anything was sent to {crossing.place}: {decision.verdict} ({codes})")
        self.crossing = crossing
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Territories:
    """Where regions, endpoints and databases lie. Names are compared in lower case; what is in none of them is unknown.

    home: the territory that needs no decision. regions: the territory of each storage region. hosts: of each host name of
    an endpoint or a database. buckets: of each bucket whose region a client does not tell.
    """

    home: str
    regions: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    buckets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data a piece of platform code is working with."""

    customer: str
    dataset: str


_SUBJECT: ContextVar[Subject | None] = ContextVar("subject", default=None)


@contextmanager
def working_for(customer: str, dataset: str) -> Iterator[None]:
    """Within the block, whatever leaves is this customer's data of this dataset. Of nested blocks the inner one counts."""
    token = _SUBJECT.set(Subject(customer, dataset))
    try:
        yield
    finally:
        _SUBJECT.reset(token)


def current_subject() -> Subject | None:
    """Whose data is being worked with here; None outside every `working_for`."""
    return _SUBJECT.get()
