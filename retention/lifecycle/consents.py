"""Consents: what a customer's facts amount to, and what lies abroad under one of them. Pure.

A withdrawal is a fact of its own and edits nothing. What lies abroad goes when the last consent under which it may lie there
is withdrawn. Source: clause 6.12; PIPL art. 15, 47.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from retention.model.fact import Fact
from retention.model.policy import Dataset, Location, Policy, Replica
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


def covers(consent: Consent, dataset: str, replica: Replica) -> bool:
    """Whether the consent is about what lies at this replica of the dataset."""
    return (
        consent.dataset == dataset
        and consent.destination == replica.territory
        and replica.recipient in (None, consent.recipient)
    )


def withdrawals_told(facts: Iterable[Fact]) -> Mapping[str, datetime]:
    """When we were first told that each consent was withdrawn (aware UTC), by its id."""
    told: dict[str, datetime] = {}
    for fact in facts:
        if fact.withdrawn_consent is not None:
            told[fact.withdrawn_consent] = min(told.get(fact.withdrawn_consent, fact.recorded_at), fact.recorded_at)
    return told


def others_standing(
    withdrawn: Consent, replica: Replica, consents: Iterable[Consent], by: Fact, told: Mapping[str, datetime]
) -> tuple[Consent, ...]:
    """The customer's other consents under which it may go on lying at the replica after the withdrawal `by`.

    One whose own withdrawal was told later counts: that one takes what is left to it. One that had not begun when it was
    given does not: nothing may lie there until it does. told: of `withdrawals_told`.
    """
    at = by.at
    return tuple(
        other
        for other in consents
        if other.id != withdrawn.id
        and other.is_separate
        and (other.id not in told or told[other.id] > by.recorded_at)
        and other.valid_from <= max(at, other.given_at)
        and (other.valid_until is None or other.valid_until > at)
        and covers(other, withdrawn.dataset, replica)
    )


def replicas_of(versions: Iterable[Policy], dataset: str) -> tuple[Replica, ...]:
    """Every place at which the dataset was ever declared to lie as a replica; of one place, what was said of it last.

    `versions` in the order of their adoption. What lies somewhere does not move when a policy changes.
    """
    found: dict[Location, Replica] = {}
    for version in versions:
        if dataset in version.datasets:
            found |= {replica.location: replica for replica in version.datasets[dataset].replicas}
    numbers: Counter[str] = Counter()
    numbered = []
    for replica in found.values():
        numbers[replica.location.store] += 1
        numbered.append(replace(replica, number=numbers[replica.location.store]))
    return tuple(numbered)


def only_abroad(dataset: Dataset, replicas: Sequence[Replica]) -> Dataset:
    """The dataset as far as it lies at these replicas: what lies at home, and what the law keeps there, stays."""
    return replace(dataset, primary=(), caches=(), backups=(), keep_at_least=None, replicas=tuple(replicas))
