"""What the printed certificate of one deletion shows. No rules: whoever fills it in has decided already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from retention.reports.document import Text


@dataclass(frozen=True, slots=True)
class StrandLine:
    """One dataset of the case: when it was due and had to be gone, and what became of its keys. Instants are aware.

    title: what the policy calls it, None where it has no name. shredded_at: when the last of its keys was destroyed, None
    where it has none. unrecoverable_at: since when no old copy of the key store opens any of them, None while
    `waiting_count` of them wait for that.
    """

    dataset: str
    title: str | None
    subscription: str | None
    due_at: datetime
    complete_by: datetime
    key_count: int
    waiting_count: int
    shredded_at: datetime | None
    unrecoverable_at: datetime | None


@dataclass(frozen=True, slots=True)
class CopyLine:
    """How one copy ended. asset: store and dataset. kind: what the copy is for. entry: that of the ledger which says it.

    method: NIST's method and technique, None where nothing was sanitized. notes: until when, why, and the sets of a backup.
    """

    asset: str
    kind: Text
    end_state: Text
    is_gone: bool
    method: Text | None
    item_count: int
    at: datetime
    entry: int
    notes: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Sanitized:
    """The fields of NIST SP 800-88's certificate that copies share, each value once. first_at, last_at: of verification."""

    methods: tuple[Text, ...]
    tools: tuple[Text, ...]
    verification_methods: tuple[Text, ...]
    agents: tuple[Text, ...]
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where the ledger holds it. statement: the SHA-256, in hex, of what is stated. entry: the one that holds this hash, in
    the tree of `size` entries and this `root` (base64). cited: the entries that the claims rest on. key: the verifier key.
    """

    origin: str
    key: str
    statement: str
    entry: int
    size: int
    root: str
    cited: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CertificatePage:
    """The whole page. zone: in which instants are shown. copies: those that are not gone first.

    is_final: every copy is gone and every key unrecoverable. rule_title: what the policy calls the rule.
    """

    case: str
    customer: str
    rule: str
    rule_title: str | None
    clause: str
    policy: str
    started_at: datetime
    issued_at: datetime
    zone: ZoneInfo
    is_final: bool
    strands: tuple[StrandLine, ...]
    copies: tuple[CopyLine, ...]
    sanitized: Sanitized
    ledger: LedgerPlace

    @property
    def exception_count(self) -> int:
        """How many copies are not gone."""
        return sum(not copy.is_gone for copy in self.copies)

    @property
    def waiting_count(self) -> int:
        """How many keys an old copy of the key store could still open."""
        return sum(strand.waiting_count for strand in self.strands)
