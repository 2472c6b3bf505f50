"""What a ledger entry commits to and does not say, and a catalogue has to be told when it is brought up to date."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retention.model.fact import Fact
from retention.model.transfer import Decision, NamedPersons, TransferRequest
from retention.model.transfer_copy import ClosedWay, TransferCopy


@dataclass(frozen=True, slots=True)
class ToldFact:
    """A fact as it was recorded. `following`: how many facts after it were taken in with it, for the same customer.

    versions: how many policy versions were known then.
    """

    fact: Fact
    following: int
    versions: int


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved what: `subject` is a content hash."""

    subject: str
    officer: str


@dataclass(frozen=True, slots=True)
class ToldDecision:
    """A decision on a transfer as it was made. named: of one that allows, the persons who were told one by one."""

    id: str
    request: TransferRequest
    decision: Decision
    named: NamedPersons | None = None


@dataclass(frozen=True, slots=True)
class ToldUse:
    """The first use of a decision in a year: its persons are counted in it, unless nothing left home (`is_abroad`)."""

    decision: str
    year: int
    is_abroad: bool = True


@dataclass(frozen=True, slots=True)
class Particulars:
    """The particulars of one entry; most have none. At most a few are set.

    policy: the canonical document of the version that was adopted. strand: the strand whose key was shredded.
    epoch_created_at: when the epoch that became current was made, aware UTC. standing: how far the strand had come when
    the entry was written, as the catalogue writes it down. decision, use, copy: of transfers; copy and closed as they were
    after the entry.
    """

    fact: ToldFact | None = None
    policy: str | None = None
    approval: Approval | None = None
    strand: str | None = None
    epoch_created_at: datetime | None = None
    standing: str | None = None
    decision: ToldDecision | None = None
    use: ToldUse | None = None
    copy: TransferCopy | None = None
    closed: ClosedWay | None = None


NOTHING = Particulars()
