"""What will stand in the way of transfers soon, or does already: thresholds, and what ends. Pure.

Source: CAC Order 16, articles 5, 7, 8 (thresholds); `retention.transfers.law` has the numbers, and from which share of a
threshold and how many days before an end to warn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from retention.model.transfer import Consent, Ground, Measure, PersonCount
from retention.transfers.law import Thresholds
from retention.transfers.reasons import Code, ground

CODES = (
    Code.NEAR_THRESHOLD,
    Code.NEAR_SENSITIVE_THRESHOLD,
    Code.THRESHOLD_REACHED,
    Code.SENSITIVE_THRESHOLD_REACHED,
    Code.MEASURE_ENDS_SOON,
    Code.MEASURE_ENDED,
    Code.CONSENT_ENDS_SOON,
)
"""Every warning there is."""


@dataclass(frozen=True, slots=True)
class _Threshold:
    """A number of persons from which on law asks for more, the article, and the codes for "near" and "reached"."""

    count: int
    threshold: int
    basis: str
    near: Code
    reached: Code


def threshold_warnings(law: Thresholds, counted: PersonCount) -> tuple[Ground, ...]:
    """One for every threshold of which the count has reached the share to warn from, or all of it."""
    return (*near_thresholds(law, counted), *_reached(law, counted))


def near_thresholds(law: Thresholds, counted: PersonCount) -> tuple[Ground, ...]:
    """One for every threshold that is near and not reached."""
    return tuple(
        ground(each.near, count=str(each.count), threshold=str(each.threshold))
        for each in _thresholds(law, counted)
        if law.warn_share * each.threshold <= each.count < each.threshold
    )


def measure_warnings(
    law: Thresholds, now: datetime, measures: Iterable[Measure], resting: Mapping[str, int]
) -> tuple[Ground, ...]:
    """One for every measure that ends soon, or has ended while decisions of this year rest on it (`resting`, by its name)."""
    found = []
    for measure in measures:
        count = resting.get(measure.name, 0)
        if ends_soon(law, now, measure.valid_until):
            found.append(ground(Code.MEASURE_ENDS_SOON, name=measure.name, at=day(measure.valid_until)))
        elif measure.valid_until <= now and count:
            about = {"name": measure.name, "at": day(measure.valid_until), "count": str(count)}
            found.append(ground(Code.MEASURE_ENDED, **about))
    return tuple(found)


def consent_warnings(law: Thresholds, now: datetime, consents: Iterable[Consent]) -> tuple[Ground, ...]:
    """One for every consent that stands now and ends soon."""
    return tuple(
        ground(Code.CONSENT_ENDS_SOON, name=consent.id, customer=consent.customer, at=day(consent.valid_until))
        for consent in consents
        if consent.valid_until is not None
        and consent.valid_from <= now
        and not (consent.withdrawn_at is not None and consent.withdrawn_at <= now)
        and ends_soon(law, now, consent.valid_until)
    )


def ends_soon(law: Thresholds, now: datetime, ends: datetime) -> bool:
    """Whether what is in force until `ends` has not ended and does so within the days to warn before."""
    return now < ends <= now + timedelta(days=law.warn_days)


def day(at: datetime) -> str:
    """The date of an instant, as reasons say it."""
    return at.date().isoformat()


def _reached(law: Thresholds, counted: PersonCount) -> Iterator[Ground]:
    for each in _thresholds(law, counted):
        if each.count >= each.threshold:
            yield ground(each.reached, basis=each.basis, count=str(each.count), threshold=str(each.threshold))


def _thresholds(law: Thresholds, counted: PersonCount) -> tuple[_Threshold, ...]:
    persons = (Code.NEAR_THRESHOLD, Code.THRESHOLD_REACHED)
    sensitive = (Code.NEAR_SENSITIVE_THRESHOLD, Code.SENSITIVE_THRESHOLD_REACHED)
    return (
        _Threshold(counted.persons, law.exempt_below, law.contract_basis, *persons),
        _Threshold(counted.persons, law.contract_below, law.assessment_basis, *persons),
        _Threshold(counted.sensitive_persons, law.exempt_sensitive_below, law.contract_basis, *sensitive),
        _Threshold(counted.sensitive_persons, law.contract_sensitive_below, law.assessment_basis, *sensitive),
    )
