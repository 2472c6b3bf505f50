"""Limits: half the customers suddenly look due, and the run asks before its first change."""

from __future__ import annotations

from dataclasses import dataclass

from retention.catalog import facts as fact_rows
from retention.catalog import policies
from retention.evidence.canonical import JsonValue, hash_json
from retention.evidence.entries import Entry, EntryType
from retention.model.plan import Plan, PlanItem, StepKind
from retention.model.policy import Policy
from retention.workflows.deployment import Deployment

_SMALL = 20
"""With fewer customers than this a share says nothing; the limit on customers stands."""


@dataclass(frozen=True, slots=True)
class OverLimit:
    """The plan would delete data of more customers than the policy lets one run. `sentence` says it for people."""

    customers: int
    of: int
    sentence: str


def begun_by(plan: Plan) -> tuple[PlanItem, ...]:
    """The items by which the plan would begin to delete something; what was begun before was counted then."""
    return tuple(item for item in plan.acting if StepKind.TOMBSTONE in item.steps)


def _strand_subject(item: PlanItem) -> str:
    return hash_json({"strand": item.strand, "due_at": item.due_at.isoformat()})


def find_over_limit(deployment: Deployment, plan: Plan, policy: Policy) -> OverLimit | None:
    """Why the plan may not run as it is, recorded as evidence; None where it may, or where enough officers approved it.

    An approved plan that is interrupted goes on without a second approval: it is remembered for each of its strands.
    """
    begun = begun_by(plan)
    if not begun:
        return None
    with deployment.catalog.transaction() as session:
        everybody = fact_rows.customer_count(session)
        asked = [i for i in begun if not policies.approval_count(session, _strand_subject(i))]
        customers = {item.customer for item in asked}
        sentence = _sentence(len(customers), everybody, policy)
        if sentence is None:
            return None
        approvals = policies.approval_count(session, plan.hash)
        now = deployment.clock.now()
        if approvals >= policy.approval.over_limit > 0:
            for subject in {_strand_subject(item) for item in asked}:
                policies.approve(session, subject, f"plan {plan.hash}", now)
            return None
        body: dict[str, JsonValue] = {
            "customers": len(customers),
            "of": everybody,
            "plan": plan.hash,
            "approvals": approvals,
        }
        deployment.journal.write(session, Entry(EntryType.LIMIT_HIT, now, body, policy=policy.hash))
    deployment.journal.publish()
    return OverLimit(len(customers), everybody, f"{sentence}; approve plan {plan.hash} or raise the limit")


def _sentence(count: int, everybody: int, policy: Policy) -> str | None:
    limits = policy.limits
    if count > limits.customers_per_run:
        return f"{count} customers would be deleted in one run; limits.customers-per-run is {limits.customers_per_run}"
    if everybody >= _SMALL and count > limits.share_of_customers * everybody and count > 1:
        share = f"{limits.share_of_customers:.0%}"
        return f"{count} of {everybody} customers would be deleted in one run; limits.share-of-customers is {share}"
    return None
