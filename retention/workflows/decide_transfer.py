"""Decide on a transfer: gather what is known, ask the rules, and write the answer down. Every decision is an entry.

Source: clause 6.12; CAC Order 16 (persons since 1 January, Shanghai time); guarantee "every decision is a ledger entry".
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import transfers as transfer_rows
from retention.catalog.transfers import DecidedTransfer
from retention.errors import InputError, RefusedByRule
from retention.evidence.canonical import JsonValue
from retention.evidence.commitments import Commitment
from retention.evidence.entries import Entry, EntryType
from retention.model.particulars import Particulars, ToldDecision, ToldUse
from retention.model.policy import Policy
from retention.model.transfer import DatasetNature, Decision, MeasureKind, Terms, TransferRequest, Verdict
from retention.transfers.decide import Circumstances, decide
from retention.transfers.law import thresholds_at
from retention.transfers.register import consents_of
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told

_EVERYTHING = frozenset({"necessity", "separate-consent", "legal-measure"})


class TransferDenied(RefusedByRule):
    """The transfer is not allowed (any more); the message names the reasons, `decision` has them."""

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision


def check_transfer(
    deployment: Deployment, request: TransferRequest, persons: Iterable[str] | None = None
) -> DecidedTransfer:
    """The decision as of now, kept and recorded in the ledger. Moves nothing.

    persons: who it is about, by any name that stays the same; each counts once a year. Without it, `request.persons` is how
    many new ones it adds. A second call is a second decision.
    """
    with deployment.catalog.transaction() as session:
        named = None if persons is None else _committed(deployment, persons)
        if named is not None:
            request = _counted(deployment, session, request, named)
        policy = deployment.shelf.in_force(session, deployment.clock.now())
        decision = decide(request, terms_of(policy), circumstances(deployment, session, request.customer))
        told = ToldDecision(secrets.token_hex(8), request, decision)
        entry = _entry(deployment, told, policy)
        (position,) = deployment.journal.write(session, Told(entry, Particulars(decision=told)))
        decided = DecidedTransfer(told.id, request, decision, None, position)
        transfer_rows.put_decision(session, decided)
    deployment.journal.publish()
    return decided


def use_decision(deployment: Deployment, decision_id: str, persons: Iterable[str] | None = None) -> Decision:
    """Something goes under the decision now: it is asked once more, and its persons are counted the first time.

    Raises InputError where there is no such decision, and TransferDenied where it is not, or no longer, allowed.
    """
    now = deployment.clock.now()
    with deployment.catalog.transaction() as session:
        decided = transfer_rows.find_decision(session, decision_id)
        if decided is None:
            raise InputError(f"there is no decision {decision_id!r}; `retention transfer check` makes one")
        request = decided.request
        if decided.used_at is not None:
            request = replace(request, persons=0, sensitive_persons=0)  # they are in the count already
        policy = deployment.shelf.in_force(session, now)
        decision = decide(request, terms_of(policy), circumstances(deployment, session, request.customer))
        if decided.decision.verdict is not Verdict.ALLOW or decision.verdict is not Verdict.ALLOW:
            against = decision if decision.verdict is not Verdict.ALLOW else decided.decision
            codes = ", ".join(ground.code for ground in against.grounds)
            raise TransferDenied(f"decision {decision_id} does not allow it any more: {codes}", against)
        if decided.used_at is None:
            named = tuple(sorted(_committed(deployment, persons or ())))
            year = now.astimezone(thresholds_at(now).zone).year
            use = ToldUse(decision_id, year, named, bool(request.sensitive_persons))
            note_use(session, use, now)
            body: dict[str, JsonValue] = {"decision": decision_id, "persons": request.persons or 0}
            entry = Entry(EntryType.TRANSFER_USED, now, body, policy=policy.hash)
            deployment.journal.write(session, Told(entry, Particulars(use=use)))
    deployment.journal.publish()
    return decision


def note_use(session: Session, use: ToldUse, now: datetime) -> None:
    """The decision was first used now, and its persons have gone abroad."""
    transfer_rows.mark_used(session, use.decision, now)
    transfer_rows.put_persons(session, use.year, use.persons, sensitive=use.sensitive)


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


def territory_of(deployment: Deployment, place: str) -> str | None:
    """The territory that a configured store, a region (`ap-southeast-1`) or a territory (`SG`) lies in; None if unknown."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    regions = policy.transfers.regions if policy.transfers else {}
    if place in deployment.stores or place in deployment.backups.stores:
        return regions.get(deployment.store_regions.get(place, ""))
    if place in regions:
        return regions[place]
    is_territory = len(place) == 2 and place.isascii() and place.isalpha() and place.isupper()
    return place if is_territory else None


def home_of(deployment: Deployment) -> str:
    """The home territory of the policy in force."""
    with deployment.catalog.reading() as session:
        return deployment.shelf.in_force(session, deployment.clock.now()).home


def circumstances(deployment: Deployment, session: Session, customer: str) -> Circumstances:
    """What is known of the customer and of this year's transfers now."""
    now = deployment.clock.now()
    law = thresholds_at(now)
    return Circumstances(
        now=now,
        law=law,
        consents=consents_of(fact_rows.facts_of(session, customer)),
        counted=transfer_rows.person_count(session, now.astimezone(law.zone).year, law.year_began_at(now)),
        ordered=case_rows.living_services(session).get(customer, frozenset()),
    )


def _committed(deployment: Deployment, persons: Iterable[str]) -> frozenset[Commitment]:
    return frozenset(deployment.journal.commitments.of("person", person) for person in persons)


def _counted(
    deployment: Deployment, session: Session, request: TransferRequest, persons: frozenset[Commitment]
) -> TransferRequest:
    """The request with the number of those persons who have not gone abroad this year."""
    now = deployment.clock.now()
    year = now.astimezone(thresholds_at(now).zone).year
    new = len(transfer_rows.new_persons(session, year, persons))
    sensitive = new if request.sensitive_persons else 0
    return replace(request, persons=new, sensitive_persons=sensitive, persons_are_named=True)


def _entry(deployment: Deployment, told: ToldDecision, policy: Policy) -> Entry:
    journal, request, decision = deployment.journal, told.request, told.decision
    body: dict[str, JsonValue] = {
        "decision": told.id,
        "customer": journal.customer(request.customer),
        "dataset": request.dataset,
        "source": request.source or "",
        "destination": request.destination or "",
        "recipient": request.recipient or "",
        "purpose": request.purpose or "",
        "service": request.service or "",
        "verdict": str(decision.verdict),
        "grounds": [ground.code for ground in decision.grounds],
        "warnings": [ground.code for ground in decision.warnings],
        "measure": decision.measure or "",
        "persons": request.persons if request.persons is not None else -1,
    }
    if decision.consent is not None:
        body["consent"] = journal.commitments.of("consent", decision.consent)
    return Entry(EntryType.TRANSFER_DECIDED, decision.decided_at, body, policy=policy.hash)
