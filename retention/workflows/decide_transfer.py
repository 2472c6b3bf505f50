"""Decide on a transfer: gather what is known, ask the rules, and write the answer down. Every decision is an entry.

Source: clause 6.12; guarantee "every decision is a ledger entry".
"""

from __future__ import annotations

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.model.policy import Policy
from retention.model.transfer import DatasetNature, Decision, MeasureKind, PersonCount, Terms, TransferRequest
from retention.transfers.decide import Circumstances, decide
from retention.transfers.law import thresholds_at
from retention.transfers.register import consents_of
from retention.workflows.deployment import Deployment

_EVERYTHING = frozenset({"necessity", "separate-consent", "legal-measure"})


def check_transfer(deployment: Deployment, request: TransferRequest) -> Decision:
    """The decision as of now, recorded in the ledger. Moves nothing."""
    now = deployment.clock.now()
    with deployment.catalog.transaction() as session:
        policy = deployment.shelf.in_force(session, now)
        decision = decide(request, terms_of(policy), _circumstances(deployment, session, request.customer))
        deployment.journal.write(session, _entry(deployment, request, decision, policy))
    deployment.journal.publish()
    return decision


def terms_of(policy: Policy) -> Terms:
    """What the policy says of transfers. A policy without a word on them asks for everything, and registers nothing."""
    rules = policy.transfers
    datasets = {
        name: DatasetNature(
            personal=dataset.personal_information,
            sensitive=dataset.sensitive_information,
            important=dataset.important_data,
            services=frozenset(dataset.services),
        )
        for name, dataset in policy.datasets.items()
    }
    if rules is None:
        return Terms(policy.home, _EVERYTHING, frozenset(), (), datasets)
    accepted = frozenset(MeasureKind(kind) for kind in rules.legal_measures)
    return Terms(policy.home, frozenset(rules.require), accepted, rules.measures, datasets, rules.is_ciio)


def territory_of(policy: Policy, place: str | None) -> str | None:
    """The territory that a region (`ap-southeast-1`) or a territory (`SG`) names; None where that is not known."""
    if place is None:
        return None
    regions = policy.transfers.regions if policy.transfers else {}
    if place in regions:
        return regions[place]
    is_territory = len(place) == 2 and place.isascii() and place.isalpha() and place.isupper()
    return place if is_territory else None


def _circumstances(deployment: Deployment, session: Session, customer: str) -> Circumstances:
    now = deployment.clock.now()
    return Circumstances(
        now=now,
        law=thresholds_at(now),
        consents=consents_of(fact_rows.facts_of(session, customer)),
        counted=PersonCount(),
        ordered=case_rows.living_services(session).get(customer, frozenset()),
    )


def _entry(deployment: Deployment, request: TransferRequest, decision: Decision, policy: Policy) -> Entry:
    journal = deployment.journal
    body: dict[str, JsonValue] = {
        "customer": journal.customer(request.customer),
        "dataset": request.dataset,
        "source": request.source or "",
        "destination": request.destination or "",
        "recipient": request.recipient or "",
        "purpose": request.purpose or "",
        "service": request.service or "",
        "verdict": str(decision.verdict),
        "grounds": [ground.code for ground in decision.grounds],
        "measure": decision.measure or "",
    }
    if decision.consent is not None:
        body["consent"] = journal.commitments.of("consent", decision.consent)
    return Entry(EntryType.TRANSFER_DECIDED, decision.decided_at, body, policy=policy.hash)
