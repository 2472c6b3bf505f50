"""Facts: what happened, as the service was told. CloudEvents 1.0 events in, frozen nouns out.

Source: CloudEvents 1.0.2, section "Context Attributes" (`id`, `source`, `type`, `subject`, `time`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from retention.model.period import Period
from retention.model.transfer import Consent


class FactType(StrEnum):
    """Every kind of fact the product understands."""

    SERVICE_ACTIVATED = "service-activated"
    SERVICE_EXPIRED = "service-expired"
    SERVICE_TERMINATED = "service-terminated"
    SERVICE_RENEWED = "service-renewed"
    SERVICE_RELEASED = "service-released"
    ARREARS_STARTED = "arrears-started"
    ARREARS_CLEARED = "arrears-cleared"
    DATA_DELETED = "data-deleted"
    DELETION_ORDERED = "deletion-ordered"
    DELETION_WITHDRAWN = "deletion-withdrawn"  # docs/adr/0006: the undo of a mistaken instruction
    ACCOUNT_CLOSED = "account-closed"
    HOLD_PLACED = "hold-placed"
    HOLD_RELEASED = "hold-released"
    AGREEMENT_MADE = "agreement-made"
    CONSENT_GRANTED = "consent-granted"
    CONSENT_WITHDRAWN = "consent-withdrawn"


@dataclass(frozen=True, slots=True)
class FactKey:
    """What makes two facts the same fact: CloudEvents `source` and `id`."""

    source: str
    id: str

    def __str__(self) -> str:
        return f"{self.source}#{self.id}"


RowKey = tuple[tuple[str, str | int], ...]
"""A primary key: (column, value) pairs, sorted by column."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of a customer's data a deletion is about. `dataset=None` means all of it.

    At most one of `prefix` (relative to the customer's place, ends with `/`), `objects` (names relative to it) and
    `table` with `keys` is given, and only together with a dataset.
    """

    dataset: str | None = None
    prefix: str | None = None
    objects: tuple[str, ...] = ()
    table: str | None = None
    keys: tuple[RowKey, ...] = ()

    @property
    def is_whole_dataset(self) -> bool:
        """Whether no narrower part is named."""
        return not (self.prefix or self.objects or self.table)


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """What `hold-placed` says. `dataset=None` holds all of the customer's data. Dates are aware UTC."""

    hold: str
    dataset: str | None = None
    ground: str = ""
    authority: str = ""
    review_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Another buffer agreed with this customer (clause 6.11, "unless otherwise agreed"). Document: its reference."""

    buffer: Period
    document: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to one customer.

    at: when it happened, aware UTC. recorded_at: when the service was told. `service=None` means all of the customer's
    services; `subscription=None` all subscriptions of the service. Only the detail that its type calls for is set:
    `part` (data-deleted, deletion-ordered), `hold` (hold-placed; hold-released sets only `hold.hold`), `agreement`
    (agreement-made), `withdraws` (deletion-withdrawn: the fact that is taken back), `consent` (consent-granted),
    `withdrawn_consent` (consent-withdrawn: its id).
    """

    key: FactKey
    type: FactType
    customer: str
    at: datetime
    recorded_at: datetime
    service: str | None = None
    subscription: str | None = None
    part: Part | None = None
    hold: HoldTerms | None = None
    agreement: Agreement | None = None
    withdraws: FactKey | None = None
    ground: str = ""
    consent: Consent | None = None
    withdrawn_consent: str | None = None

    @property
    def order(self) -> tuple[datetime, str, str]:
        """Facts are understood in the order in which they happened, whatever the order they arrived in."""
        return (self.at, self.key.source, self.key.id)


FactsByCustomer = Mapping[str, tuple[Fact, ...]]
