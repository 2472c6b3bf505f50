"""What every step of a run shares: the fence, the intent, the outcome, and the strand as it stands now.

Each step is intent in catalogue and ledger, act, read back, outcome. A process that dies between the two leaves an
unfinished step, and the next run repeats it: every act is idempotent. Every writing transaction renews the lease first, so
a daemon that was asleep while another took over writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import leases, steps
from retention.catalog.backups import put_set_end
from retention.catalog.cases import StrandChanged
from retention.catalog.leases import Lease
from retention.errors import RefusedByRule, RetentionError
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.model.case import Case
from retention.model.copy import Copy, CopyStatus, SetEnd
from retention.model.hold import Hold
from retention.model.plan import Block, StepKind
from retention.model.policy import Policy
from retention.model.record import StrandRecord
from retention.workflows.case_evidence import copy_outcome, set_ended
from retention.workflows.deployment import Deployment
from retention.workflows.scan_backups import Inventory


class LeaseLost(RetentionError):
    """Another daemon has taken over; this one stops before it changes anything more."""

    exit_code = 3


class Stopped(Exception):
    """The service was asked to stop; the step that was under way is finished or will be repeated."""


class Blocked(RefusedByRule):
    """The point of no return was refused: something stops it that was not there when the plan was made."""

    def __init__(self, block: Block) -> None:
        super().__init__(block.reason)
        self.block = block


@dataclass(frozen=True, slots=True)
class Moment:
    """One observable moment of a run, for progress bars and for tests that kill the process there."""

    strand: str
    step: StepKind
    phase: str  # "intent", "batch", "acted", "outcome"


@dataclass(slots=True)
class StrandRun:
    """One strand on its way through its steps. `record` is what was read last; `reload` reads it anew."""

    deployment: Deployment
    case: Case
    record: StrandRecord
    lease: Lease
    observe: Callable[[Moment], None] = lambda moment: None
    should_stop: Callable[[], bool] = lambda: False
    shared_inventory: Inventory | None = None
    _step: int | None = field(default=None, init=False)

    @property
    def inventory(self) -> Inventory:
        """The backup sets as this cycle lists them."""
        if self.shared_inventory is None:
            self.shared_inventory = Inventory(self.deployment)
        return self.shared_inventory

    @property
    def now(self) -> datetime:
        return self.deployment.clock.now()

    def reload(self) -> StrandRecord:
        """The strand as the catalogue has it now."""
        with self.deployment.catalog.reading() as session:
            self.record = case_rows.strand(session, self.record.strand.id)
        return self.record

    def policy(self) -> Policy:
        """The policy version that is frozen into the case."""
        with self.deployment.catalog.reading() as session:
            versions = self.deployment.shelf.versions(session)
        return next(version for version in versions if version.hash == self.case.policy_hash)

    def holds(self) -> tuple[Hold, ...]:
        """The customer's holds as the catalogue has them now."""
        with self.deployment.catalog.reading() as session:
            return fact_rows.holds_of(session, self.record.customer)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction under the lease and the customer's lock: whoever tells a fact comes before it or after it.

        How far the strand has come is told with the last entry of the transaction, for a replay. Raises LeaseLost where
        another daemon holds the lease now.
        """
        with self.deployment.catalog.transaction() as session:
            wall = self.deployment.wall.now()
            if not leases.renew(session, self.lease, wall, self.deployment.lease_term):
                raise LeaseLost("another daemon has taken over this catalogue")
            fact_rows.lock_customer(session, self.record.customer, self.now)
            yield session
            self.deployment.journal.add_standing(session, self.record.strand.id)

    @contextmanager
    def step(self, kind: StepKind) -> Iterator[None]:
        """Intent before, and whatever the block did not finish stays unfinished, with the reason, for the next run.

        Raises StrandChanged, before anything was done, where the strand is not the one that was read.
        """
        if self.should_stop():
            raise Stopped
        with self.transaction() as session:
            if case_rows.strand(session, self.record.strand.id).version != self.record.version:
                raise StrandChanged(self.record.strand.id)
            self._step = steps.begin(session, self.record.strand.id, kind, self.now)
            self.deployment.journal.write(session, self.entry(EntryType.STEP_INTENT, {"step": str(kind)}))
        self._tell(kind, "intent")
        try:
            yield
        except Exception as error:
            with self.transaction() as session:
                steps.fail(session, self._step, type(error).__name__)
            raise
        self._tell(kind, "outcome")

    def batch_done(self, kind: StepKind) -> None:
        """Between two batches: others may look, a stop is obeyed, and who has lost the lease does not begin another."""
        self._tell(kind, "batch")
        with self.transaction():
            pass  # its fence is all that is wanted
        if self.should_stop():
            raise Stopped

    def acted(self, kind: StepKind) -> None:
        """The act is done and not yet recorded."""
        self._tell(kind, "acted")

    def finish(self, session: Session, kind: StepKind, body: dict[str, JsonValue] | None = None) -> None:
        """Record the step's outcome in the transaction that records what it changed."""
        assert self._step is not None
        steps.finish(session, self._step, self.now)
        if body is not None:
            self.deployment.journal.write(session, self.entry(EntryType.STEP_OUTCOME, {"step": str(kind), **body}))

    def entry(self, kind: EntryType, body: dict[str, JsonValue]) -> Entry:
        """An entry about this strand; `body` gets the customer's commitment and the dataset."""
        told: dict[str, JsonValue] = {
            "customer": self.deployment.journal.customer(self.record.customer),
            "dataset": self.record.strand.dataset,
            **body,
        }
        return Entry(kind, self.now, told, case=self.case.id, policy=self.case.policy_hash)

    def put_outcome(self, session: Session, status: CopyStatus) -> None:
        """Store how a copy stands, with the entries that certificates rest on: its own, and one for each set that is news."""
        for end in status.sets:
            if end.entry is None:
                self._put_set_end(session, status.copy, end)
        body = copy_outcome(self.deployment.journal, self.record.customer, status)
        entry = Entry(EntryType.STEP_OUTCOME, self.now, body.to_json(), case=self.case.id, policy=self.case.policy_hash)
        (position,) = self.deployment.journal.write(session, entry)
        case_rows.put_copy(session, self.record.strand.id, status, position)

    def _put_set_end(self, session: Session, copy: Copy, end: SetEnd) -> None:
        body = set_ended(self.deployment.journal, self.record.customer, copy, end)
        entry = Entry(EntryType.BACKUP_SET, self.now, body.to_json(), case=self.case.id, policy=self.case.policy_hash)
        (position,) = self.deployment.journal.write(session, entry)
        put_set_end(session, self.record.strand.id, copy.label, replace(end, at=entry.at, entry=position))

    def status(self, copy: Copy) -> CopyStatus:
        """What is known of this copy."""
        return next(status for status in self.record.copies if status.copy == copy)

    def _tell(self, kind: StepKind, phase: str) -> None:
        self.observe(Moment(self.record.strand.id, kind, phase))


LEASE_NAME = "deletions"
"""One lease for everything irreversible in one catalogue."""
