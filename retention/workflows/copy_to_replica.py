"""Copy a customer's part of a dataset to a replica, abroad or not, under a decision that still allows it at every batch.

A batch is: ask the decision again → entry of what may go now → put piece by piece, asking again at least once a second →
entry of what arrived. What was interrupted goes on behind the last piece that arrived. A withdrawal stops the next block
of bytes, and what already lies there is named; it goes with the case that the withdrawal started.
Source: clause 6.12; PIPL art. 39, 47.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.catalog import leases
from retention.catalog import transfer_copies as copy_rows
from retention.catalog.leases import Lease
from retention.errors import RefusedByRule
from retention.evidence.canonical import JsonValue
from retention.evidence.commitments import ITEM, BatchTree
from retention.evidence.entries import Entry, EntryType
from retention.model.particulars import Particulars
from retention.model.transfer_copy import CopyState, TransferCopy
from retention.workflows.copy_errands import Errand, plan_errand
from retention.workflows.decide_transfer import TransferDenied, use_decision
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Told
from retention.workflows.strand_run import LeaseLost
from storage_adapters.contract import ItemResult, Objects
from storage_adapters.copies.contract import Arrived, Piece
from storage_adapters.errors import Refused, StoreError

BATCH_PIECES = 200
BATCH_BYTES = 64 * 1024 * 1024
"""A batch ends with whichever comes first."""
ASK_EVERY_SECONDS = 1.0
"""How old the last answer may be when another block is sent."""
MOST_NAMES = 1_000
"""How many of the things that already lie there are named."""


class CopyStopped(RefusedByRule):
    """A rule stopped it. `copy` says how far it had come; `went` names what lies at the replica, the first MOST_NAMES."""

    def __init__(self, message: str, copy: TransferCopy, went: tuple[str, ...]) -> None:
        super().__init__(message)
        self.copy = copy
        self.went = went


Observe = Callable[[TransferCopy], None]


def copy_to_replica(
    deployment: Deployment, decision_id: str, target: str, observe: Observe = lambda copy: None
) -> TransferCopy:
    """What the decision is about lies at the dataset's replica in the store `target` too; how much arrived.

    `observe` is called after every batch. A second call goes on where an earlier one was interrupted, and copies anew after
    one that was done or stopped. Raises InputError and RefusedByRule as `plan_errand` does; CopyStopped where the decision
    does not, or no longer, allow it, or the data is to be deleted; LeaseLost where another process took it over; what the
    stores raise. After each of these a new call goes on.
    """
    errand = plan_errand(deployment, decision_id, target)
    with _alone(deployment, f"copy/{decision_id}/{target}") as lease:
        run = _CopyRun(deployment, errand, lease, _begun(deployment, errand))
        run.carry_all(observe)
    return run.copy


def _begun(deployment: Deployment, errand: Errand) -> TransferCopy:
    """The copy that was interrupted, where all that arrived before is still there and in the same place; else a new one."""
    now, request = deployment.clock.now(), errand.request
    with deployment.catalog.reading() as session:
        known = copy_rows.interrupted_copy(session, errand.decision, errand.target)
        passed_at = case_rows.last_passed_at(session, request.customer, request.dataset)
    is_all_there = known is not None and (passed_at is None or passed_at < known.started_at)
    if known is not None and is_all_there and known.policy == errand.policy_hash:
        return replace(known, changed_at=now)
    return TransferCopy(
        id=secrets.token_hex(8),
        decision=errand.decision,
        customer=request.customer,
        dataset=request.dataset,
        target=errand.target,
        territory=errand.replica.territory,
        started_at=now,
        changed_at=now,
        policy=errand.policy_hash,
    )


@contextmanager
def _alone(deployment: Deployment, name: str) -> Iterator[Lease]:
    """Nobody else works on the same copy. RefusedByRule where somebody does."""
    with deployment.catalog.transaction() as session:
        holder = secrets.token_hex(8)
        lease = leases.take(session, name, holder, deployment.wall.now(), deployment.lease_term)
    if lease is None:
        raise RefusedByRule("another process is carrying this copy out; try again when it is done")
    try:
        yield lease
    finally:
        with deployment.catalog.transaction() as session:
            leases.give_up(session, lease, deployment.wall.now())


Numbered = tuple[int, Piece]
"""A piece, and which of the errand's ways it belongs to."""


@dataclass(slots=True)
class _CopyRun:
    """One copy under way. `copy` is what was recorded last."""

    deployment: Deployment
    errand: Errand
    lease: Lease
    copy: TransferCopy
    _asked_at: float = field(default=float("-inf"), init=False)
    _passed_at: datetime | None = field(default=None, init=False)
    _is_answered: bool = field(default=False, init=False)

    def carry_all(self, observe: Observe) -> None:
        try:
            pieces = self._pieces()
            while batch := list(islice(pieces, BATCH_PIECES)):
                left = self._carry(batch)
                pieces = chain(left, pieces)
                observe(self.copy)
            self._ask(at_once=True)
            self._record([], CopyState.DONE)
        except RefusedByRule as refused:
            raise self._stopped(refused) from refused

    def _pieces(self) -> Iterator[Numbered]:
        """What is still to be copied, in its one order."""
        first, cursor = json.loads(self.copy.position) if self.copy.position is not None else (0, None)
        for number, way in enumerate(self.errand.ways[first:], first):
            for piece in way.source.pieces(way.place, cursor):
                yield number, piece
            cursor = None

    def _carry(self, batch: list[Numbered]) -> list[Numbered]:
        """One batch; what of it is left because the batch had grown large enough.

        A deletion may have passed by between the last answer and a put. So it is asked once more behind the batch, and what
        a refusal finds newly arrived is taken back: nobody would look for it there again.
        """
        self._ask(at_once=True)
        self._announce(batch)
        arrived: list[tuple[Numbered, Arrived | None]] = []
        left = list(batch)
        try:
            try:
                while left and sum(each.size for _, each in arrived if each) < BATCH_BYTES:
                    arrived.append((left[0], self._put(left[0])))
                    del left[0]
                self._ask(at_once=True)
            except RefusedByRule:
                self._take_back(arrived)
                arrived.clear()
                raise
        finally:  # what has arrived is told, whatever happened then
            self._record(arrived, CopyState.RUNNING)
        return left

    def _take_back(self, arrived: list[tuple[Numbered, Arrived | None]]) -> None:
        """What arrived in this batch is not there any more. Raises StoreError where the store keeps it."""
        names = tuple(self._full_name(numbered) for numbered, each in arrived if each is not None)
        if not names:
            return
        store = self.deployment.store(self.errand.target)
        kept = [
            outcome.reason or str(outcome.result)
            for batch in store.erase(Objects(names))
            for outcome in batch
            if outcome.result not in (ItemResult.DONE, ItemResult.ABSENT)
        ]
        if kept:
            raise Refused(
                self.errand.target, f"{len(kept)} items that arrived too late could not be taken back: {kept[0]}"
            )

    def _put(self, numbered: Numbered) -> Arrived | None:
        """The piece has arrived; None where it is not there any more."""
        number, piece = numbered
        way = self.errand.ways[number]
        content = way.source.read(way.place, piece)
        if content is None:
            return None
        return self.errand.store.put(self.errand.place, way.name_of(piece), content, self._ask)

    def _ask(self, *, at_once: bool = False) -> None:
        """It may go on, as of at most a second ago, or of now. Raises TransferDenied and RefusedByRule."""
        ticks = self.deployment.wall.reading().ticks
        if not at_once and ticks < self._asked_at + ASK_EVERY_SECONDS:
            return
        use_decision(self.deployment, self.errand.decision)
        if not plan_errand(self.deployment, self.errand.decision, self.errand.target).leads_as(self.errand):
            raise RefusedByRule("the policy has changed since, and the data would lie elsewhere by now; begin anew")
        with self.deployment.catalog.transaction() as session:
            self._hold_on(session)
        self._asked_at = ticks

    def _hold_on(self, session: Session) -> None:
        """Within the transaction nothing of the data waits for its deletion, or was deleted since this call began."""
        self._fence(session)
        request = self.errand.request
        fact_rows.lock_customer(session, request.customer, self.deployment.clock.now())
        case_rows.refuse_copying(session, request.customer, request.dataset)
        passed_at = case_rows.last_passed_at(session, request.customer, request.dataset)
        if self._is_answered and passed_at != self._passed_at:
            raise RefusedByRule(f"something of dataset {request.dataset} was deleted meanwhile; begin anew")
        self._passed_at, self._is_answered = passed_at, True

    def _fence(self, session: Session) -> None:
        if not leases.renew(session, self.lease, self.deployment.wall.now(), self.deployment.lease_term):
            raise LeaseLost("another process has taken this copy over")

    # ------------------------------------------------------------------------------------------------- evidence

    def _announce(self, batch: list[Numbered]) -> None:
        """The ledger tells what may go now, before any of it does."""
        with self.deployment.catalog.transaction() as session:
            self._hold_on(session)
            names = [self._full_name(numbered) for numbered in batch]
            copy_rows.put_copy(session, self.copy)
            body: dict[str, JsonValue] = {"pieces": len(batch), "root": self._root(names)}
            self._write(session, EntryType.TRANSFER_COPYING, body)
        self.deployment.journal.publish()

    def _record(self, done: list[tuple[Numbered, Arrived | None]], state: CopyState, reason: str = "") -> None:
        """The ledger and the catalogue tell what has arrived."""
        arrived = [(numbered, each) for numbered, each in done if each is not None]
        copy = self.copy
        items = sum(piece.items for (_, piece), _ in arrived)
        size = sum(each.size for _, each in arrived)
        if done:
            (number, piece), _ = done[-1]
            copy = replace(copy, position=json.dumps([number, piece.cursor]))
        self.copy = replace(
            copy,
            state=state,
            reason=reason,
            changed_at=self.deployment.clock.now(),
            item_count=copy.item_count + items,
            byte_count=copy.byte_count + size,
        )
        names = [self._full_name(numbered) for numbered, _ in arrived]
        body: dict[str, JsonValue] = {"state": str(state), "pieces": len(names), "items": items, "bytes": size}
        body |= {"root": self._root(names)} if names else {}
        body |= {"reason": reason} if reason else {}
        with self.deployment.catalog.transaction() as session:
            self._fence(session)
            copy_rows.put_copy(session, self.copy)
            self._write(session, EntryType.TRANSFER_COPIED, body)
        self.deployment.journal.publish()

    def _write(self, session: Session, kind: EntryType, body: dict[str, JsonValue]) -> None:
        journal = self.deployment.journal
        said: dict[str, JsonValue] = {
            "copy": self.copy.id,
            "decision": self.copy.decision,
            "customer": journal.customer(self.copy.customer),
            "dataset": self.copy.dataset,
            "store": self.copy.target,
            "territory": self.copy.territory,
        }
        policy = self.errand.policy_hash
        entry = Entry(kind, self.deployment.clock.now(), said | body, policy=policy)
        journal.write(session, Told(entry, Particulars(copy=self.copy)))

    def _full_name(self, numbered: Numbered) -> str:
        number, piece = numbered
        return self.errand.place.prefix + self.errand.ways[number].name_of(piece)

    def _root(self, names: list[str]) -> str:
        tree = BatchTree(ITEM)
        for name in names:
            tree.add(bytes.fromhex(self.deployment.journal.item(name)))
        return tree.batch().root

    # ------------------------------------------------------------------------------------------------- stopping

    def _stopped(self, refused: RefusedByRule) -> CopyStopped:
        codes = [ground.code for ground in refused.decision.grounds] if isinstance(refused, TransferDenied) else []
        self._record([], CopyState.STOPPED, ", ".join(codes) or str(refused))
        went, says = self._what_lies_there()
        copy = self.copy
        message = (
            f"stopped: {refused}; {copy.item_count} items ({copy.byte_count} bytes) had arrived in {copy.target} "
            f"({copy.territory}); {says}"
        )
        return CopyStopped(message, copy, went)

    def _what_lies_there(self) -> tuple[tuple[str, ...], str]:
        """The names of what lies at the replica, from the store itself, and what to say of them."""
        try:
            pages = self.deployment.store(self.errand.target).survey(self.errand.place)
            names = tuple(islice((item.name for page in pages for item in page), MOST_NAMES))
        except StoreError as error:
            return (), f"what lies there could not be listed: {error}"
        more = f", the first {MOST_NAMES} of them named" if len(names) == MOST_NAMES else ""
        return names, f"{len(names)} lie there{more}"
