"""Transfers: giving a customer's data to somewhere outside the home territory, and what has to be there before.

Source: clause 6.12 (necessity, separate consent, other legal measures); PIPL articles 38, 39, 41, 55.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class MeasureKind(StrEnum):
    """The ways that law knows for a transfer (PIPL art. 38; CAC Order 16, art. 5 for exemptions)."""

    SECURITY_ASSESSMENT = "security-assessment"
    STANDARD_CONTRACT = "standard-contract"
    CERTIFICATION = "certification"
    EXEMPTION = "exemption"


@dataclass(frozen=True, slots=True)
class Consent:
    """A customer's recorded separate consent to one kind of transfer. Instants are aware UTC.

    destination: a territory. method: how the data is handed over. categories: of data. rights: how individuals exercise
    theirs with the recipient. how_given: by which act. is_separate: given apart from any other consent. document: the
    SHA-256 of what was signed. valid_until: None where it has no end of its own. withdrawn_at: None while it stands.
    Source: PIPL art. 23, 39.
    """

    id: str
    customer: str
    dataset: str
    purpose: str
    service: str
    recipient: str
    contact: str
    destination: str
    method: str
    categories: tuple[str, ...]
    rights: str
    given_at: datetime
    how_given: str
    is_separate: bool
    document: str
    valid_from: datetime
    valid_until: datetime | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A legal measure of the provider's, as its policy registers it. Instants are aware UTC.

    number: the authority's or the filing's. datasets, destinations, recipients: what it covers; empty covers nothing.
    assessment: the reference of the impact assessment (PIPL art. 55). ground: of an exemption, the article and its facts.
    """

    name: str
    kind: MeasureKind
    number: str
    datasets: frozenset[str]
    destinations: frozenset[str]
    recipients: frozenset[str]
    assessment: str
    valid_from: datetime
    valid_until: datetime
    ground: str = ""


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """What somebody wants to transfer. None is "not said", and what is not said is not allowed.

    source, destination: territories (`CN`, `SG`). persons, sensitive_persons: individuals it would add to those of this
    year, the second those of whom sensitive information is in it. foreign_authority: whether a foreign court or agency asks
    for it, and then approval: the reference of the competent authority's approval (PIPL art. 41). persons_are_named: they
    were told one by one, and both numbers are of those who are new this year; who was counted and becomes sensitive is new
    in the second only.
    """

    customer: str
    dataset: str
    source: str | None
    destination: str | None
    recipient: str | None = None
    purpose: str | None = None
    service: str | None = None
    persons: int | None = None
    sensitive_persons: int | None = None
    foreign_authority: bool = False
    approval: str | None = None
    persons_are_named: bool = False


@dataclass(frozen=True, slots=True)
class Crossing:
    """Something that is about to leave: whose data of which dataset goes where. None is "cannot be told".

    source, destination: territories. place: what it goes to, for the message: a bucket, an endpoint, a database; no secret.
    """

    customer: str | None
    dataset: str | None
    source: str | None
    destination: str | None
    place: str


@dataclass(frozen=True, slots=True)
class DatasetNature:
    """What a dataset is, as far as law asks. None is "not said". Services: those that it is kept for."""

    personal: bool
    sensitive: bool | None
    important: bool | None
    services: frozenset[str]


@dataclass(frozen=True, slots=True)
class PersonCount:
    """Distinct individuals whose information has gone abroad since 1 January (Shanghai time)."""

    persons: int = 0
    sensitive_persons: int = 0


@dataclass(frozen=True, slots=True)
class NamedPersons:
    """Individuals who were told one by one, as commitments: each stands in one of the two, sorted and once.

    sensitive: those of whom sensitive information is in it; ordinary: all others.
    """

    ordinary: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the policy says of transfers. `required`: words of clause 6.12. is_ciio: None is "not said".

    datasets: what each is, by name. measures: the register. accepted: the kinds of measure that count here.
    """

    home: str
    required: frozenset[str]
    accepted: frozenset[MeasureKind]
    measures: tuple[Measure, ...]
    datasets: Mapping[str, DatasetNature]
    is_ciio: bool | None = None


class Verdict(StrEnum):
    """The answer. Only the first lets a byte go."""

    ALLOW = "allow"
    NEEDS_INFORMATION = "needs-information"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason of a decision: its code, what it is about, and the law or clause behind it."""

    code: str
    about: Mapping[str, str] = field(default_factory=dict)
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request, with every reason at once. `decided_at` and `valid_until` are aware UTC.

    grounds: why it is allowed, or everything that stands in the way. warnings: what will stand in the way soon. consent,
    measure: what it rests on. valid_until: when the first of these ends; None where nothing of it ends by itself.
    """

    verdict: Verdict
    grounds: tuple[Ground, ...]
    decided_at: datetime
    warnings: tuple[Ground, ...] = ()
    consent: str | None = None
    measure: str | None = None
    valid_until: datetime | None = None
