"""Consents: a customer's separate consent to a transfer is granted and withdrawn as a fact; the register never edits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.errors import InputError
from retention.lifecycle.consents import consents_of
from retention.model.copy import Copy, CopyRole
from retention.model.fact import FactType
from retention.model.transfer import Consent
from retention.workflows.deployment import Deployment
from retention.workflows.record_facts import Recorded
from retention.workflows.take_in_facts import record_here
from storage_adapters.errors import StoreError

MOST_NAMES = 1_000
"""How many of the things that lie at a replica are named."""


class ConsentState(StrEnum):
    """Whether a consent counts now."""

    STANDS = "stands"
    NOT_YET = "not-yet"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ListedConsent:
    """A consent of the register and whether it counts now."""

    consent: Consent
    state: ConsentState


def grant_consent(deployment: Deployment, customer: str, data: Mapping[str, object]) -> Recorded:
    """The consent is in the register. `data` as docs/formats/facts.md says of consent-granted.

    Raises InputError with everything that is missing, bundled or unspecific, and for an id that the customer's register has.
    """
    known = {each.consent.id for each in list_consents(deployment, customer)}
    if data.get("consent") in known:
        raise InputError(
            f"consent {data['consent']!r} is in the register already; a consent is never edited, give another id"
        )
    return _record(deployment, FactType.CONSENT_GRANTED, customer, data)


def withdraw_consent(deployment: Deployment, customer: str, consent: str, ground: str = "") -> Recorded:
    """The consent counts no more, from now on. InputError where the customer has none of this id, or it was withdrawn."""
    standing = [
        each.consent.id for each in list_consents(deployment, customer) if each.state is not ConsentState.WITHDRAWN
    ]
    if consent not in standing:
        there = f"there are: {', '.join(standing)}" if standing else "the customer has none"
        raise InputError(f"consent {consent!r} cannot be withdrawn; {there}")
    data = {"consent": consent, **({"ground": ground} if ground else {})}
    return _record(deployment, FactType.CONSENT_WITHDRAWN, customer, data)


@dataclass(frozen=True, slots=True)
class LiesAbroad:
    """What lies at one replica and goes with a case. names: the first MOST_NAMES; problem: why they could not be listed."""

    case: str
    dataset: str
    store: str
    territory: str | None
    item_count: int = 0
    names: tuple[str, ...] = ()
    problem: str | None = None


def what_lies_abroad(deployment: Deployment, cases: Iterable[str]) -> tuple[LiesAbroad, ...]:
    """What lies at the replicas of these cases now, as the stores list it. Reads only."""
    with deployment.catalog.reading() as session:
        records = [record for case in cases for record in case_rows.cases(session, case=case)]
    return tuple(
        _looked_at(deployment, record.case.id, status.copy)
        for record in records
        for strand in record.strands
        for status in strand.copies
        if status.copy.role is CopyRole.REPLICA
    )


def _looked_at(deployment: Deployment, case: str, copy: Copy) -> LiesAbroad:
    found = LiesAbroad(case, copy.dataset, copy.store, copy.territory)
    if copy.place is None:
        return replace(found, problem=copy.refusal)
    count = 0
    names: list[str] = []
    try:
        for page in deployment.store(copy.store).survey(copy.place):
            count += len(page)
            names += [item.name for item in page[: MOST_NAMES - len(names)]]
    except StoreError as error:
        return replace(found, problem=str(error))
    return replace(found, item_count=count, names=tuple(names))


def hash_of_file(path: Path) -> str:
    """The SHA-256 (hex) of a file of any size. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_consents(deployment: Deployment, customer: str | None = None) -> tuple[ListedConsent, ...]:
    """Every consent (of one customer), whatever its state, by customer, when it was given, and id."""
    now = deployment.clock.now()
    with deployment.catalog.reading() as session:
        names = fact_rows.customers(session) if customer is None else (customer,)
        consents = [consent for name in names for consent in consents_of(fact_rows.facts_of(session, name))]
    found = []
    for consent in consents:
        state = ConsentState.STANDS
        if consent.withdrawn_at is not None and consent.withdrawn_at <= now:
            state = ConsentState.WITHDRAWN
        elif consent.valid_from > now:
            state = ConsentState.NOT_YET
        elif consent.valid_until is not None and consent.valid_until <= now:
            state = ConsentState.EXPIRED
        found.append(ListedConsent(consent, state))
    return tuple(found)


def _record(deployment: Deployment, kind: FactType, customer: str, data: Mapping[str, object]) -> Recorded:
    return record_here(deployment, "consent", kind, customer, data)
