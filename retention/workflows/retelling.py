"""What the ledger tells, told to a catalogue that has not heard it: entry after entry, each change as it was made.

Facts are recorded again by the very code that recorded them, and every entry that this writes has to be the one that stands
in the ledger: so the cases, their frozen policy versions and their dates come out as they were, or the replay stops. How far
a strand had come is read from the particulars of the entry that told it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import keys as key_rows
from retention.catalog import policies
from retention.catalog import transfer_copies as copy_rows
from retention.catalog import transfers as transfer_rows
from retention.catalog.standings import put_passed, put_standing
from retention.catalog.transfers import DecidedTransfer
from retention.errors import NotInOrder
from retention.evidence.bodies import EpochDestroyed, KeyShredded
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.particulars import decode_particulars
from retention.model.key import Epoch, EpochState
from retention.model.particulars import Particulars
from retention.model.record import ShreddedKey
from retention.policy.load import policy_from_canonical
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal, Told
from retention.workflows.record_facts import Tally, put_facts
from retention.workflows.roll_keys import note_unrecoverable

FACTS = frozenset(
    {
        EntryType.FACT_RECORDED,
        EntryType.HOLD_PLACED,
        EntryType.HOLD_RELEASED,
        EntryType.CONSENT_GRANTED,
        EntryType.CONSENT_WITHDRAWN,
    }
)
OF_FACTS = frozenset({EntryType.CASE_OPENED, EntryType.CASE_CHANGED, EntryType.FACT_CONTRADICTS})
"""What is written only where facts are recorded, right behind them."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of the ledger, with what it leaves out."""

    position: int
    raw: bytes
    entry: Entry
    particulars: Particulars


def lines_of(journal: Journal, positions: range) -> Iterator[Line]:
    """The entries at these positions, in order.

    Raises ParticularsDamaged for the first whose particulars are missing or not its own, LedgerDamaged, and Malformed.
    """

    def entries() -> Iterator[bytes]:
        return journal.ledger.entries(positions.start, positions.stop)

    texts = journal.particulars.read(positions.start, entries())
    for position, raw, text in zip(positions, entries(), texts, strict=True):
        yield Line(position, raw, decode_entry(raw), decode_particulars(text))


class Lines:
    """Lines one after the other, of which the next few can be looked at before they are taken."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._ahead: deque[Line] = deque()

    def ahead(self, count: int) -> list[Line]:
        """The next lines, `count` of them or as many as there are."""
        while len(self._ahead) < count and (line := next(self._lines, None)) is not None:
            self._ahead.append(line)
        return list(self._ahead)[:count]

    def take(self) -> Line | None:
        """The next line, which is behind us then; None at the end."""
        self.ahead(1)
        return self._ahead.popleft() if self._ahead else None


@dataclass(frozen=True, slots=True)
class RetoldJournal(Journal):
    """A journal whose entries are in the ledger already: each one written has to be the next one there.

    What was committed and never published comes behind the ledger's end, as new entries.
    """

    lines: Lines

    def write(self, session: Session, *entries: Entry | Told) -> range:
        """The positions that the entries have. Raises NotInOrder where the ledger tells something else."""
        start: int | None = None
        for number, entry in enumerate(entries):
            line = self.lines.take()
            if line is None:
                written = Journal.write(self, session, *entries[number:])
                return range(written.start if start is None else start, written.stop)
            start = line.position if start is None else start
            plain = entry.entry if isinstance(entry, Told) else entry
            if plain.encode() != line.raw:
                raise NotInOrder(
                    f"entry {line.position} of the ledger ({line.entry.type}) is not what the facts before it amount to"
                )
        return range(start or 0, (start or 0) + len(entries))


@dataclass(slots=True)
class Counts:
    """What was told so far."""

    facts: int = 0
    cases: int = 0
    shreds: int = 0


@dataclass(slots=True)
class Retelling:
    """One replay, in one transaction. `present`: the epochs that the key provider opens. Instants are the entries' own.

    `customers` are those of whom something was told. Every method raises NotInOrder, naming the entry, where the ledger and
    its particulars do not lead on from what the catalogue has.
    """

    deployment: Deployment
    session: Session
    lines: Lines
    present: frozenset[str]
    counts: Counts = field(default_factory=Counts)
    customers: set[str] = field(default_factory=set)

    def tell_all(self) -> None:
        """The catalogue has heard every line."""
        while lines := self.lines.ahead(1):
            (line,) = lines
            if line.entry.type in FACTS:
                self._facts(line)
                continue
            self.lines.take()
            self._tell(line)
            if line.particulars.standing is not None:
                self._standing(line, line.particulars.standing)

    def _tell(self, line: Line) -> None:
        """Entries of other types change nothing but how far their strand has come."""
        match line.entry.type:
            case EntryType.POLICY_ADOPTED:
                self._policy(line)
            case EntryType.PLAN_APPROVED:
                self._approval(line)
            case EntryType.KEY_SHREDDED:
                self._shred(line)
            case EntryType.EPOCH_ROLLED:
                self._rolled(line)
            case EntryType.EPOCH_DESTROYED:
                self._destroyed(line)
            case EntryType.TRANSFER_DECIDED:
                self._decision(line)
            case EntryType.TRANSFER_USED:
                self._use(line)
            case EntryType.TRANSFER_COPYING | EntryType.TRANSFER_COPIED:
                self._copy(line)
            case EntryType.WAY_OUT_CLOSED | EntryType.WAY_OUT_REOPENED:
                self._closed(line)
            case kind if kind in OF_FACTS:
                raise NotInOrder(f"entry {line.position} of the ledger ({kind}) follows from no fact that it tells")

    # ------------------------------------------------------------------------------------- facts, policies, approvals

    def _facts(self, first: Line) -> None:
        """Record the facts that were taken in together, at the instant and under the versions of then."""
        told = first.particulars.fact
        if told is None:
            raise _silent(first)
        group = [line.particulars.fact for line in self.lines.ahead(told.following + 1)]
        facts = [each.fact for each in group if each is not None]
        customer, now = told.fact.customer, first.entry.at
        journal = self.deployment.journal
        retold = RetoldJournal(
            journal.catalog, journal.ledger, journal.particulars, journal.signer, journal.commitments, self.lines
        )
        versions = self.deployment.shelf.versions(self.session)[: told.versions]
        tally = Tally()
        fact_rows.lock_customer(self.session, customer, now)
        put_facts(retold, self.session, customer, facts, versions, now, tally)
        if tally.new_count != len(group):
            raise NotInOrder(f"entry {first.position} of the ledger tells facts that the catalogue has already")
        self.counts.facts += tally.new_count
        self.counts.cases += len(tally.opened)
        self.customers.add(customer)

    def _policy(self, line: Line) -> None:
        document = line.particulars.policy
        if document is None:
            raise _silent(line)
        policy = policy_from_canonical(document)
        if policy.hash != line.entry.policy:
            raise _silent(line)
        policies.add_version(self.session, policy.hash, policy.version, document, line.entry.at)

    def _approval(self, line: Line) -> None:
        approval = line.particulars.approval
        if approval is None or approval.subject != line.entry.body.get("subject"):
            raise _silent(line)
        policies.approve(self.session, approval.subject, approval.officer, line.entry.at)

    # ------------------------------------------------------------------------------------------------------ transfers

    def _decision(self, line: Line) -> None:
        told = line.particulars.decision
        if told is None or told.id != line.entry.body.get("decision"):
            raise _silent(line)
        decided = DecidedTransfer(told.id, told.request, told.decision, None, line.position)
        transfer_rows.put_decision(self.session, decided, told.named)

    def _use(self, line: Line) -> None:
        use = line.particulars.use
        if use is None or use.decision != line.entry.body.get("decision"):
            raise _silent(line)
        transfer_rows.put_use(self.session, use, line.entry.at)

    def _copy(self, line: Line) -> None:
        copy = line.particulars.copy
        if copy is None or copy.id != line.entry.body.get("copy"):
            raise _silent(line)
        copy_rows.put_copy(self.session, copy)

    def _closed(self, line: Line) -> None:
        way = line.particulars.closed
        if way is None or way.id != line.entry.body.get("closed"):
            raise _silent(line)
        copy_rows.put_closed_way(self.session, way)

    # ----------------------------------------------------------------------------------------------- strands and keys

    def _standing(self, line: Line, standing: str) -> None:
        customer = put_standing(self.session, standing)
        if customer is None:
            raise NotInOrder(f"entry {line.position} of the ledger is about a deletion that no fact leads to")
        self.customers.add(customer)

    def _shred(self, line: Line) -> None:
        """The strand is past its point of no return, even where the end of its step was never published."""
        strand, at = line.particulars.strand, line.entry.at
        if strand is None:
            raise _silent(line)
        body = KeyShredded.from_json(line.entry.body)
        for name in body.epochs:
            self._known_epoch(name, at)
        key = ShreddedKey(body.key, body.dataset, body.epochs, at, None, line.position, None)
        case_rows.add_shredded_key(self.session, strand, key)
        put_passed(self.session, strand, at)
        self.counts.shreds += 1

    def _rolled(self, line: Line) -> None:
        """The epoch is current and the one before has retired, unless it is destroyed by now."""
        name = str(line.entry.body.get("epoch"))
        made = self._known_epoch(name, line.particulars.epoch_created_at or line.entry.at)
        if made.state is not EpochState.DESTROYED:
            retire_current(self.session)
            key_rows.put_epoch(self.session, Epoch(name, EpochState.CURRENT, made.created_at))

    def _destroyed(self, line: Line) -> None:
        """The epoch is destroyed; one that a restored key directory brought back retires, and is destroyed once more."""
        name = EpochDestroyed.from_json(line.entry.body).epoch
        known = self._known_epoch(name, line.entry.at)
        destroyed = Epoch(name, EpochState.DESTROYED, known.created_at, known.effective_at, line.entry.at)
        is_back = name in self.present
        key_rows.put_epoch(self.session, Epoch(name, EpochState.RETIRED, known.created_at) if is_back else destroyed)
        key_rows.put_epoch_entry(self.session, name, line.position)
        told = key_rows.epoch_entries(self.session)
        times = {epoch.name: epoch.destroyed_at for epoch in (*key_rows.epochs(self.session), destroyed)}
        note_unrecoverable(self.session, {n: at for n, at in times.items() if at is not None and n in told}, told)

    def _known_epoch(self, name: str, at: datetime) -> Epoch:
        """The epoch as the catalogue has it; one that it never heard of has retired."""
        for epoch in key_rows.epochs(self.session):
            if epoch.name == name:
                return epoch
        epoch = Epoch(name, EpochState.RETIRED, at)
        key_rows.put_epoch(self.session, epoch)
        return epoch


def retire_current(session: Session) -> None:
    """No epoch is current."""
    for epoch in key_rows.epochs(session):
        if epoch.state is EpochState.CURRENT:
            key_rows.put_epoch(session, Epoch(epoch.name, EpochState.RETIRED, epoch.created_at))


def _silent(line: Line) -> NotInOrder:
    return NotInOrder(
        f"the particulars of entry {line.position} of the ledger ({line.entry.type}) do not say what it is about"
    )
