"""The policy as the rules read it: what is kept, for how long, and what happens then.

The file's form (YAML, positions, messages) is the business of `retention.policy`; it makes only valid ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from retention.model.fact import FactType
from retention.model.period import NO_PERIOD, Period
from retention.model.transfer import Measure


class Encryption(StrEnum):
    """Whether a dataset's content is sealed, and how fine the keys are (`encrypted:`)."""

    CUSTOMER = "customer"
    OBJECT = "object"
    NO = "no"


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Which days are worked. `off`: weekdays without work. `worked`: weekend days with work.

    Counting working days past `known_through` is refused: the official calendar for it is not published or not entered.
    """

    name: str
    off: frozenset[date]
    worked: frozenset[date]
    known_through: date


@dataclass(frozen=True, slots=True)
class Service:
    """What a customer can order. `buffers` overrides `buffer` by the fact that started the deletion."""

    name: str
    title: str
    buffer: Period
    buffers: Mapping[FactType, Period] = field(default_factory=dict)

    def buffer_for(self, fact_type: FactType) -> Period:
        """The buffer after a fact of this type."""
        return self.buffers.get(fact_type, self.buffer)


class KeepFrom(StrEnum):
    """From when a statutory minimum runs."""

    WRITTEN = "written"  # each object's own date
    START = "start"  # the starting fact of the case


@dataclass(frozen=True, slots=True)
class KeepAtLeast:
    """A statutory minimum, with the law it rests on (PIPL art. 47(2): meanwhile only stored)."""

    period: Period
    starts: KeepFrom
    basis: str


@dataclass(frozen=True, slots=True)
class TableRule:
    """How the customer's rows of a table are found: exactly one of `customer` (a column) and `through` (a table)."""

    name: str
    customer: str | None = None
    through: str | None = None
    sealed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """Where a dataset or a cache lies. Exactly one of `prefix`, `keys` and `tables` is given.

    `prefix` and `keys` are templates with `{customer}` and perhaps `{subscription}`; in `keys`, `*` is anything.
    """

    store: str
    prefix: str | None = None
    keys: str | None = None
    tables: tuple[TableRule, ...] = ()

    @property
    def names_subscription(self) -> bool:
        """Whether each subscription has a place of its own there."""
        return "{subscription}" in (self.prefix or "") + (self.keys or "")


@dataclass(frozen=True, slots=True)
class Replica:
    """A further copy of a dataset, which lasts like the data itself. territory: where it lies, abroad or not.

    recipient: who has it, as consents name them; None where any consent to the territory is about it. number: tells those of
    one store apart, the same in every case.
    """

    location: Location
    territory: str
    recipient: str | None = None
    number: int = 1


@dataclass(frozen=True, slots=True)
class Dataset:
    """A kind of customer data kept for one purpose under one rule [ISO/IEC 27555: cluster of PII].

    sensitive_information, important_data: None is "not said".
    """

    name: str
    title: str
    services: tuple[str, ...]
    personal_information: bool
    primary: tuple[Location, ...]
    encrypted: Encryption
    caches: tuple[Location, ...] = ()
    backups: tuple[str, ...] = ()
    keep_at_least: KeepAtLeast | None = None
    sensitive_information: bool | None = None
    important_data: bool | None = None
    replicas: tuple[Replica, ...] = ()

    def locations(self) -> tuple[Location, ...]:
        """Everywhere it lies but in backups: primaries, replicas, caches."""
        return (*self.primary, *(replica.location for replica in self.replicas), *self.caches)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which facts start a deletion, the buffer, what happens, by when, and the clause behind it.

    `buffer=None` means: the buffer of the service the customer ordered. `datasets` empty means all datasets.
    """

    name: str
    title: str
    clause: str
    when: tuple[FactType, ...]
    cancelled_by: tuple[FactType, ...]
    buffer: Period | None
    tombstone: Period
    complete_within: Period
    datasets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """A series of backup sets. `sets` is a template with `{date}`, and `{customer}` where a set is one customer's.

    objects: the folder in a set below which objects have their own store's names, empty for the set itself. anonymise:
    whether a set that cannot go yet is rewritten without the customers that are deleted.
    """

    name: str
    title: str
    store: str
    sets: str
    holds: tuple[str, ...]
    mixed: bool
    delete_after: Period
    objects: str = ""
    anonymise: bool = False


@dataclass(frozen=True, slots=True)
class TransferRules:
    """The cross-border part; what it means is the transfer gate's business (clause 6.12).

    regions: the territory of each storage region. measures: the register of legal measures. is_ciio: None is "not said".
    """

    clause: str
    regions: Mapping[str, str] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    legal_measures: tuple[str, ...] = ()
    measures: tuple[Measure, ...] = ()
    is_ciio: bool | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Above these a run stops before its first change and asks. `share_of_customers` is a fraction, 0 to 1."""

    customers_per_run: int = 50
    share_of_customers: float = 0.05
    clock_jump: Period = NO_PERIOD


@dataclass(frozen=True, slots=True)
class Approval:
    """How many officers beside the author have to approve."""

    policy_change: int = 0
    over_limit: int = 1


@dataclass(frozen=True, slots=True)
class Notice:
    """Tell somebody this long before a buffer ends."""

    before_buffer_ends: Period
    to: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """Cron lines of five fields, in the policy's time zone. No `drills`: no restore is rehearsed by itself."""

    deletions: str = "*/10 * * * *"
    backups: str = "0 3 * * *"
    verification: str = "30 3 * * *"
    report: str = "0 6 1 * *"
    drills: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy. `hash` is the SHA-256 (hex) of its canonical content, not of its spelling.

    effective_at: 00:00 of the effective date in `time_zone`, aware UTC.
    """

    title: str
    version: str
    effective_at: datetime
    time_zone: ZoneInfo
    calendar: WorkCalendar | None
    last_day_off_moves: bool
    home: str
    services: Mapping[str, Service]
    datasets: Mapping[str, Dataset]
    rules: Mapping[str, Rule]
    backups: Mapping[str, BackupPlan]
    transfers: TransferRules | None
    limits: Limits
    approval: Approval
    notices: tuple[Notice, ...]
    schedule: Schedule
    hash: str

    def rules_for(self, fact_type: FactType) -> tuple[Rule, ...]:
        """The rules that a fact of this type starts; empty where none does."""
        return tuple(rule for rule in self.rules.values() if fact_type in rule.when)
