"""Cases and their strands: one deletion to be carried through, frozen with its policy version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from retention.model.copy import Copy
from retention.model.fact import FactKey, FactType, Part
from retention.model.period import Period
from retention.model.policy import Encryption


class StrandState(StrEnum):
    """Where the deletion of one dataset stands. The machine is `retention.lifecycle.states`."""

    BUFFER = "buffer"
    TOMBSTONED = "tombstoned"
    SHREDDED = "shredded"
    ERASING = "erasing"
    ERASED = "erased"
    VERIFIED = "verified"
    CERTIFIED = "certified"
    REOPENED = "reopened"
    BROUGHT_BACK = "brought-back"


class CountedBy(StrEnum):
    """Who set the length of a period: the rule, the service's buffer, an agreement with the customer, or a law."""

    RULE = "rule"
    SERVICE = "service"
    AGREEMENT = "agreement"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class Count:
    """How a date was counted, so that it can be explained.

    from_at: the instant it was counted from (aware UTC). period: how long. basis: which words of the policy,
    agreement or law said so, and `by` what kind of words those are. last_day: the last day of the period in the
    policy's zone (None for hours and "none"). moved_from: the day it would have been, where a day off moved it.
    at: the resulting instant, aware UTC; from it on the period is over.
    """

    from_at: datetime
    period: Period
    basis: str
    at: datetime
    last_day: date | None = None
    moved_from: date | None = None
    by: CountedBy = CountedBy.RULE


@dataclass(frozen=True, slots=True)
class Strand:
    """The deletion of one dataset (or of one subscription's part of it) within a case.

    It is the unit that is held, kept and shredded, because keys and statutory minimums go by dataset. All instants are
    aware UTC. `due`: the buffer is over. `keep`: the statutory minimum is over, where it runs from the starting fact;
    `keep_written`: its length where it runs from each object's own date; `keep_basis`: its law. `no_return`: the undo
    window is over, which begins when buffer and minimum both are. `complete_by`: it has to be gone; counted from there
    too, or from the release of the last hold. shreds_key: destroying keys is part of it, because everything sealed under
    them goes at once. not_from: the customer came back then; what was written since is not this strand's.
    """

    case: str
    dataset: str
    subscription: str | None
    part: Part
    encrypted: Encryption
    due: Count
    no_return: Count
    complete_by: Count
    copies: tuple[Copy, ...]
    shreds_key: bool = False
    keep: Count | None = None
    keep_written: Period | None = None
    keep_basis: str | None = None
    not_from: datetime | None = None

    @property
    def id(self) -> str:
        """Unique within the catalogue, the same whenever it is derived again from the same facts."""
        return strand_id(self.case, self.dataset, self.subscription)

    @property
    def erasable_at(self) -> datetime:
        """The earliest instant of the point of no return: undo window and case-wide statutory minimum both over."""
        return max(self.no_return.at, self.keep.at) if self.keep else self.no_return.at


@dataclass(frozen=True, slots=True)
class Case:
    """customer × rule × starting fact.

    strands: what goes on; empty where nothing does. left: datasets that stay although their subscription ended (or the
    instruction named its service), with the subscription that still needs each. undone: datasets that were brought back
    before the point of no return, with the fact that did it; cancelled_by: the first such fact.
    """

    id: str
    customer: str
    rule: str
    clause: str
    starting_fact: FactKey
    fact_type: FactType
    started_at: datetime
    policy_hash: str
    strands: tuple[Strand, ...]
    left: tuple[tuple[str, str], ...] = ()
    cancelled_by: FactKey | None = None
    ground: str = ""
    undone: tuple[tuple[str, FactKey], ...] = ()


def strand_id(case: str, dataset: str, subscription: str | None) -> str:
    """The name of a strand: its case, its dataset, and the subscription where it is about one, with `/` between."""
    return f"{case}/{dataset}" + (f"/{subscription}" if subscription else "")


def case_id(rule: str, starting_fact: FactKey) -> str:
    """A short name, the same for the same rule and starting fact; it is made of nothing about the customer.

    The first 80 bits of a SHA-256 in base 32: of a billion cases, two share one with odds below 1 in 10^6.
    """
    text = "\x00".join((rule, starting_fact.source, starting_fact.id))
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10])
    return "".join(_BASE32[(digest >> shift) & 31] for shift in range(75, -1, -5))


_BASE32 = "0123456789abcdefghjkmnpqrstvwxyz"
