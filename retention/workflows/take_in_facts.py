"""Take in the facts of one input: every mistake at once, and all of it or only what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from retention.errors import InputError
from retention.model.fact import FactType
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import fact_of, read_facts
from retention.workflows.record_facts import Numbered, Recorded, find_problems, record_facts


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of the input. `problems` name each fact that was left out, as `name:line: what is wrong`."""

    recorded: Recorded
    problems: tuple[str, ...]


def take_in_facts(deployment: Deployment, text: str, name: str, *, keep_good: bool) -> TakenIn:
    """The facts of `text` are recorded; `name` stands for the input in messages.

    With one wrong fact none is recorded, and InputError names every wrong one; with `keep_good` the others are recorded.
    """
    read = read_facts(text, name, deployment.clock.now())
    refused = find_problems(deployment, read.facts)
    problems = (
        *(f"{place}: {problem}" for place, problem in read.problems),
        *(f"{place}: {problem}" for place, problem in refused.items()),
    )
    if problems and not keep_good:
        raise InputError([*problems, "nothing was recorded"])
    good = [numbered for numbered in read.facts if numbered.place not in refused]
    return TakenIn(record_facts(deployment, good), problems)


def record_here(
    deployment: Deployment, door: str, kind: FactType, customer: str, data: Mapping[str, object]
) -> Recorded:
    """A fact that a person tells at one of our own doors (`hold`, `consent`) is recorded as of now, under a new id.

    Raises InputError with everything wrong in it.
    """
    now = deployment.clock.now()
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"/retention/{door}",
        "type": str(kind),
        "subject": customer,
        "time": now.isoformat(),
        "data": dict(data),
    }
    return record_facts(deployment, [Numbered(door, fact_of(event, now))])
