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
from retention.evidence.entries import Entry, EntryType
from retention.lifecycle.consents import consents_of
from retention.lifecycle.places import name_problem
from retention.model.particulars import Particulars, ToldDecision, ToldUse
from retention.model.policy import Policy
from retention.model.transfer import (
    DatasetNature,
    Decision,
    MeasureKind,
    NamedPersons,
    Terms,
    TransferRequest,
    Verdict,
)
from retention.transfers.decide import Circumstances, decide, leaves_home
from retention.transfers.law import thresholds_at
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told

MOST_NAMED = 100_000
"""Persons that one decision can name: 67 bytes of its particulars each, which MariaDB takes in one packet of 16 MiB."""
_EVERYTHING = frozenset({"necessity", "separate-consent", "legal-measure"})


class TransferDenied(RefusedByRule):
    """The transfer is not allowed (any more); the message names the reasons, `decision` has them."""

    def __init__(self, message: str, decision: Decision) -> None:
        super().__init__(message)
        self.decision = decision


def check_transfer(
    deployment: Deployment,
    request: TransferRequest,
    persons: Iterable[str] | None = None,
    sensitive: Iterable[str] | None = None,
) -> DecidedTransfer:
    """The decision as of now, kept and recorded in the ledger. Moves nothing.

    persons: who it is about, by any name that stays the same; each counts once a year. sensitive: those whose sensitive
    information is in it; they are persons, whether they stand in `persons` or not. Names replace the numbers of the request;
    where only `persons` is given, `request.sensitive_persons` 0 says that it is about nobody's, and None does not say.
    Without names, the numbers are how many new ones it adds. Of names only commitments are kept. A second call is a second
    decision.

    Raises InputError for more than MOST_NAMED names, and where names and numbers together do not tell who is meant.
    """
    _refuse_odd_names(request)
    named = _named(deployment, request, persons, sensitive)
    with deployment.catalog.transaction() as session:
        if named is not None:
            request = replace(request, sensitive_persons=request.sensitive_persons if sensitive is None else 0)
            request = _counted(session, _year_of(deployment.clock.now()), request, named)
        policy = deployment.shelf.in_force(session, deployment.clock.now())
        decision = decide(request, terms_of(policy), circumstances(deployment, session, request.customer))
        kept = named if decision.verdict is Verdict.ALLOW else None  # nothing else is ever used
        told = ToldDecision(secrets.token_hex(8), request, decision, kept)
        entry = _entry(deployment, told, policy)
        (position,) = deployment.journal.write(session, Told(entry, Particulars(decision=told)))
        decided = DecidedTransfer(told.id, request, decision, None, position)
        transfer_rows.put_decision(session, decided, kept)
    deployment.journal.publish()
    return decided


def _refuse_odd_names(request: TransferRequest) -> None:
    """Names and territories are such as every catalogue can hold. Raises InputError naming what is not."""
    problems = []
    for what, name in (("customer", request.customer), ("dataset", request.dataset)):
        if problem := name_problem(name):
            problems.append(f"the name of the {what} {problem}")
    for what, place in (("source", request.source), ("destination", request.destination)):
        if place is not None and not (len(place) == 2 and place.isascii() and place.isalpha() and place.isupper()):
            problems.append(f"{what}: {place[:20]!r} is no territory; write its code of two letters (ISO 3166-1)")
    if problems:
        raise InputError(problems)


def use_decision(deployment: Deployment, decision_id: str) -> Decision:
    """Something goes under the decision now: it is asked once more, and its persons are counted the first time in a year.

    Who was named with it is counted one by one, as of now: those who went under another decision meanwhile are not new.
    Raises InputError where there is no such decision, and TransferDenied where it is not, or no longer, allowed.
    """
    now = deployment.clock.now()
    year = _year_of(now)
    with deployment.catalog.transaction() as session:
        decided = transfer_rows.find_decision(session, decision_id)
        if decided is None:
            raise InputError(f"there is no decision {decision_id!r}; `retention transfer check` makes one")
        is_new = _is_new_this_year(deployment, session, decision_id, year)
        request = _request_now(session, decided, year) if is_new else _counted_already(decided.request)
        policy = deployment.shelf.in_force(session, now)
        decision = decide(request, terms_of(policy), circumstances(deployment, session, request.customer))
        if decided.decision.verdict is not Verdict.ALLOW or decision.verdict is not Verdict.ALLOW:
            against = decision if decision.verdict is not Verdict.ALLOW else decided.decision
            codes = ", ".join(ground.code for ground in against.grounds)
            raise TransferDenied(f"decision {decision_id} does not allow it any more: {codes}", against)
        if is_new:
            use = ToldUse(decision_id, year, is_abroad=leaves_home(decision))
            transfer_rows.put_use(session, use, now)
            persons = (request.persons or 0) if use.is_abroad else 0
            body: dict[str, JsonValue] = {"decision": decision_id, "persons": persons}
            entry = Entry(EntryType.TRANSFER_USED, now, body, policy=policy.hash)
            deployment.journal.write(session, Told(entry, Particulars(use=use)))
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
        counted=transfer_rows.person_count(session, _year_of(now)),
        ordered=case_rows.services_of(session, customer),
    )


def _named(
    deployment: Deployment, request: TransferRequest, persons: Iterable[str] | None, sensitive: Iterable[str] | None
) -> NamedPersons | None:
    """Commitments of those who are named; None where nobody is asked to be. Blank names are nobody's."""
    if persons is None and sensitive is None:
        return None
    if sensitive is None and request.sensitive_persons:
        raise InputError("persons are named and sensitive ones are a number: name those, so that each counts once")
    if persons is None and request.persons is not None:
        raise InputError("sensitive persons are named and persons are a number: name all, so that each counts once")
    of = deployment.journal.commitments.of
    found = []
    for names in (persons or (), sensitive or ()):
        clean = {name.strip() for name in names} - {""}
        if len(clean) > MOST_NAMED:
            raise InputError(f"{len(clean)} persons are named; one decision names at most {MOST_NAMED}, so split it")
        found.append({of("person", name) for name in clean})
    everybody, sensitive_ones = found
    if len(everybody | sensitive_ones) > MOST_NAMED:
        raise InputError(f"more than {MOST_NAMED} persons are named, which is the most of one decision, so split it")
    return NamedPersons(tuple(sorted(everybody - sensitive_ones)), tuple(sorted(sensitive_ones)))


def _counted(session: Session, year: int, request: TransferRequest, named: NamedPersons) -> TransferRequest:
    """The request with the numbers of those who have not gone abroad this year; what is not said of them stays so."""
    new = transfer_rows.new_persons(session, year, named)
    sensitive = None if request.sensitive_persons is None else new.sensitive_persons
    return replace(request, persons=new.persons, sensitive_persons=sensitive, persons_are_named=True)


def _request_now(session: Session, decided: DecidedTransfer, year: int) -> TransferRequest:
    """What was asked, with those of its named persons who are new now."""
    if not decided.request.persons_are_named:
        return decided.request
    return _counted(session, year, decided.request, transfer_rows.named_persons(session, decided.id))


def _counted_already(request: TransferRequest) -> TransferRequest:
    """What was asked, whose persons are in this year's count."""
    return replace(request, persons=0, sensitive_persons=0)


def _year_of(now: datetime) -> int:
    """The year in which persons are counted at `now`."""
    return now.astimezone(thresholds_at(now).zone).year


def _is_new_this_year(deployment: Deployment, session: Session, decision_id: str, year: int) -> bool:
    """Whether nothing went under the decision this year; then nobody else counts until this transaction ends."""
    if transfer_rows.is_counted(session, decision_id, year):
        return False
    deployment.journal.write(session)  # takes the ledger's turn: writers wait for each other
    return not transfer_rows.is_counted(session, decision_id, year)


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
