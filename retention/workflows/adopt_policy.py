"""Adopt a policy version, and approve what the policy wants a second pair of eyes for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from retention.catalog import policies
from retention.errors import InputError
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.model.particulars import Approval, Particulars
from retention.model.policy import Policy
from retention.policy.canonical import canonical_document
from retention.policy.load import load_policy
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told


class AdoptionResult(StrEnum):
    """What became of a policy file."""

    ADOPTED = "adopted"
    ALREADY = "already"  # this version was adopted before
    WAITS = "waits"  # for the approvals that the version in force asks for


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of a policy version; with WAITS, how many `approvals` it has of those `needed`."""

    result: AdoptionResult
    policy: Policy
    approvals: int = 0
    needed: int = 0


def adopt_policy(deployment: Deployment, path: Path) -> Adoption:
    """The policy in the file is one of the adopted versions, if enough officers approved it. Cases keep their version.

    A wrong file raises InputError with everything wrong in it, and the versions adopted before stay in force. The first
    version needs no approval; later ones what the version in force says.
    """
    policy = load_policy(path, deployment.store_kinds)
    now = deployment.clock.now()
    with deployment.catalog.transaction() as session:
        if policies.has_version(session, policy.hash):
            return Adoption(AdoptionResult.ALREADY, policy)
        versions = deployment.shelf.versions(session)
        needed = deployment.shelf.in_force(session, now).approval.policy_change if versions else 0
        approvals = policies.approval_count(session, policy.hash)
        if approvals < needed:
            return Adoption(AdoptionResult.WAITS, policy, approvals, needed)
        document = canonical_document(policy)
        if not policies.add_version(session, policy.hash, policy.version, document, now):
            return Adoption(AdoptionResult.ALREADY, policy)
        body: dict[str, JsonValue] = {
            "version": policy.version,
            "effective_at": policy.effective_at.isoformat(),
            "approvals": approvals,
        }
        entry = Entry(EntryType.POLICY_ADOPTED, now, body, policy=policy.hash)
        deployment.journal.write(session, Told(entry, Particulars(policy=document)))
    deployment.journal.publish()
    return Adoption(AdoptionResult.ADOPTED, policy, approvals, needed)


def approve(deployment: Deployment, subject: str, officer: str) -> bool:
    """An officer approves the plan, policy or clock jump with this content hash; False where they had done so already."""
    if not officer.strip():
        raise InputError("--by: who approves? write a name")
    now = deployment.clock.now()
    with deployment.catalog.transaction() as session:
        is_new = policies.approve(session, subject, officer.strip(), now)
        if is_new:
            body: dict[str, JsonValue] = {
                "subject": subject,
                "officer": deployment.journal.commitments.of("officer", officer.strip()),
            }
            told = Particulars(approval=Approval(subject, officer.strip()))
            deployment.journal.write(session, Told(Entry(EntryType.PLAN_APPROVED, now, body), told))
    deployment.journal.publish()
    return is_new
