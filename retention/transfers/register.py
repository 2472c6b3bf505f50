"""The consent register: what a customer's facts amount to. Pure. A withdrawal is a fact of its own and edits nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from retention.model.fact import Fact
from retention.model.transfer import Consent


def consents_of(facts: Iterable[Fact]) -> tuple[Consent, ...]:
    """Every consent that the facts tell of, in whatever state, by when it was given and id.

    A withdrawal counts from when it happened, and also where the consent is told of later.
    """
    told = list(facts)
    withdrawn: dict[str, datetime] = {}
    for fact in told:
        if fact.withdrawn_consent is not None:
            known = withdrawn.get(fact.withdrawn_consent, fact.at)
            withdrawn[fact.withdrawn_consent] = min(known, fact.at)
    consents = [fact.consent for fact in told if fact.consent is not None]
    standing = [replace(consent, withdrawn_at=withdrawn.get(consent.id)) for consent in consents]
    return tuple(sorted(standing, key=lambda consent: (consent.given_at, consent.id)))
