"""Holds, as the facts tell them: where facts contradict each other, the hold stands."""

from __future__ import annotations

import pytest

from retention.lifecycle.holds import holds_of
from retention.model.fact import Fact
from tests.unit.retention.lifecycle.world import fact

PLACED = fact("hold-placed", "2026-03-01", hold="h", dataset="weights")
RELEASED = fact("hold-released", "2026-03-05", hold="h")

HOLDS: dict[str, tuple[list[Fact], set[str]]] = {
    "a hold covers its dataset": ([PLACED], {"weights"}),
    "a hold without a dataset covers all": ([fact("hold-placed", "2026-03-01", hold="h")], {"weights", "prompts"}),
    "a released hold covers nothing": ([PLACED, RELEASED], set()),
    "told in the wrong order, it is released all the same": ([RELEASED, PLACED], set()),
    "released at the instant it was placed, it stands": (
        [PLACED, fact("hold-released", "2026-03-01", hold="h")],
        {"weights"},
    ),
    "a release before the order ends nothing": ([PLACED, fact("hold-released", "2026-02-01", hold="h")], {"weights"}),
    "placed again after its release, it stands again": (
        [PLACED, RELEASED, fact("hold-placed", "2026-03-09", hold="h", dataset="prompts")],
        {"prompts"},
    ),
    "placed again with another dataset while it stands, it covers both": (
        [PLACED, fact("hold-placed", "2026-03-02", hold="h", dataset="prompts")],
        {"weights", "prompts"},
    ),
    "placed again narrower while it stands, it stays as wide": (
        [fact("hold-placed", "2026-02-01", hold="h"), PLACED],
        {"weights", "prompts"},
    ),
    "one of two holds released leaves the other": (
        [PLACED, fact("hold-placed", "2026-03-02", hold="g", dataset="prompts"), RELEASED],
        {"prompts"},
    ),
}


@pytest.mark.parametrize(("facts", "covered"), HOLDS.values(), ids=HOLDS.keys())
def test_what_the_holds_cover(facts: list[Fact], covered: set[str]) -> None:
    holds, _ = holds_of(facts)
    assert {name for name in ("weights", "prompts") for hold in holds if hold.covers(name)} == covered


def test_a_hold_keeps_its_ground_authority_and_dates() -> None:
    (hold,), _ = holds_of([PLACED, RELEASED, fact("hold-released", "2026-04-01", hold="h")])
    assert (hold.ground, hold.authority, hold.placed_at, hold.released_at) == (
        "案件 7",
        "某法院",
        PLACED.at,
        RELEASED.at,
    )
