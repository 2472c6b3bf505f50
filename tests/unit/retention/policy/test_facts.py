"""The policy's table of facts and the lifecycle's are the same."""

from __future__ import annotations

from retention.lifecycle import states
from retention.policy import facts


def test_a_policy_may_name_exactly_the_facts_that_the_lifecycle_understands() -> None:
    assert (facts.ENDINGS, facts.INSTRUCTIONS, facts.STARTING) == (states.ENDINGS, states.INSTRUCTIONS, states.STARTING)
    assert dict(facts.CANCELS) == dict(states.CANCELS)
