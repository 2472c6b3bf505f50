"""Backups: every set that may hold what was deleted is closed as far as it can be today, and says what is left of it.

In this order, for each set: deleted, where it is the customer's own or its rotation is over; shredded, where everything in
it was sealed (each file is looked at); anonymised, where the policy says so; else quarantined, and a read is tried, which
must fail. What no store can do is `unsupported`, and loudly so. See docs/adr/0015.

Source: clause 6.10 (stored securely, no further processing, until deleted or anonymised), clause 6.11 (every backup copy).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.lifecycle.backup_sets import (
    Label,
    begun_at,
    dataset_folders,
    locked_until,
    may_hold,
    read_label,
    rotates_at,
    sum_up,
)
from retention.model.backup import KnownSet
from retention.model.copy import CopyRole, CopyStatus, EndState, SetEnd
from retention.model.hold import Hold
from retention.model.plan import StepKind
from retention.model.policy import BackupPlan, Policy
from retention.workflows.anonymise_set import CannotAnonymise, anonymise_set
from retention.workflows.backup_owners import hold_in_the_way, is_wholly_going, lies_in, places_in_set
from retention.workflows.strand_run import StrandRun
from storage_adapters.backups.contract import BackupStore, Form, Whereabouts
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable


def close_backups(run: StrandRun) -> None:
    """The waiting backups of a verified strand are tried once more. What is not gone stays, each set with its reason."""
    with run.step(StepKind.CLOSE_BACKUPS):
        statuses = [close_backup(run, status) for status in run.record.copies if status.copy.role is CopyRole.BACKUP]
        run.acted(StepKind.CLOSE_BACKUPS)
        with run.transaction() as session:
            for status in statuses:
                if status != run.status(status.copy):
                    run.put_outcome(session, replace(status, verified_at=run.now))
            case_rows.move_strand(session, run.record, run.record.state, run.now, "checked_at")
            run.finish(session, StepKind.CLOSE_BACKUPS, {"copies": len(statuses)})
    run.deployment.journal.publish()
    run.reload()


def close_backup(run: StrandRun, status: CopyStatus) -> CopyStatus:
    """The copy with the end state that its sets amount to after this try. Raises StoreError where they cannot be listed."""
    closing = _Closing.of(run, status)
    before = {(end.store, end.set): end for end in status.sets}
    ends: dict[tuple[str, str], SetEnd] = {}
    for known in run.inventory.sets(closing.plan.store):
        label = read_label(closing.plan, known.set.label, closing.policy)
        if closing.is_about(known, label):
            key = (known.store, known.shown)
            ends[key] = closing.close(known, label, before.get(key))
    for key, end in before.items():
        ends.setdefault(key, end if end.end_state.is_gone else closing.missed(end))
    sets = tuple(_unless_the_same(before.get(key), ends[key]) for key in sorted(ends))
    end_state, reason, until = sum_up(sets)
    return replace(status, sets=sets, end_state=end_state, reason=reason, until=until)


def _unless_the_same(before: SetEnd | None, now: SetEnd) -> SetEnd:
    """What was told before, where nothing is news."""
    return before if before is not None and replace(before, at=None, entry=None) == now else now


def _held(hold: Hold) -> str:
    return f"hold {hold.id}: {hold.ground}"


@dataclass(frozen=True, slots=True)
class _Situation:
    """What decides about one set. is_own: the customer's alone, and everything in it is to go; is_known: it fits a series."""

    known: KnownSet
    is_known: bool
    is_own: bool
    rotation: datetime | None
    is_locked: bool
    lock_ends: datetime | None

    def may_go(self, now: datetime) -> bool:
        """Whether the set can be deleted now, as far as store and rotation are concerned."""
        return not self.is_locked and (self.is_own or (self.rotation is not None and now >= self.rotation))

    @property
    def goes_at(self) -> datetime | None:
        """When deleting becomes possible (aware UTC); None where that is not known."""
        if not self.is_known or (self.is_locked and self.lock_ends is None):
            return None
        if self.is_own:
            return self.lock_ends
        return max(filter(None, (self.rotation, self.lock_ends)), default=None)

    def why_it_stays(self, obstacle: str) -> str:
        """One sentence: why it cannot be deleted today, and why it is not anonymised, where that was to be."""
        reasons = []
        if not self.is_known:
            reasons.append("it fits no series of the policy, so what it holds is unknown and somebody has to decide")
        elif not self.is_own:
            reasons.append("it holds other data too, and serves its recovery until its own rotation")
        if self.is_locked:
            reasons.append("the store locks it: " + ", ".join(sorted({lock.kind for lock in self.known.set.locks})))
        if obstacle:
            reasons.append(f"not anonymised: {obstacle}")
        return "; ".join(reasons)


@dataclass(frozen=True, slots=True)
class _Closing:
    """One backup copy of one strand, while its sets are closed."""

    run: StrandRun
    policy: Policy
    plan: BackupPlan
    store: BackupStore

    @classmethod
    def of(cls, run: StrandRun, status: CopyStatus) -> _Closing:
        policy = run.policy()
        plan = policy.backups[status.copy.backup or ""]
        return cls(run, policy, plan, run.deployment.backup_store(plan.store))

    def is_about(self, known: KnownSet, label: Label | None) -> bool:
        """Whether the set may hold what the strand deleted. One that fits no series counts as holding everybody."""
        if label is None and known.plans:
            return False
        if label is not None and label.customer not in (None, self.run.record.customer):
            return False
        return may_hold(begun_at(known.set, label), self.run.record.erased_at)

    def missed(self, before: SetEnd) -> SetEnd:
        """A set that is not found any more: its own rotation removed it, once two listings agree."""
        listed_at = self.run.inventory.listed_at(before.store)
        if before.missed_at is None or before.missed_at >= listed_at:
            reason = "not found by one listing; the next one decides whether it is gone"
            missed_at = before.missed_at or listed_at
            return replace(before, reason=reason, until=missed_at, missed_at=missed_at, at=None, entry=None)
        return SetEnd(before.store, before.set, EndState.ERASED_VERIFIED, "two listings do not find it any more")

    def close(self, known: KnownSet, label: Label | None, before: SetEnd | None) -> SetEnd:
        """The set's end, after what can be done today. What fails leaves it as it was, and says so."""
        if before is not None and before.end_state.is_gone and before.at is not None and before.at >= known.changed_at:
            return before
        self.run.batch_done(StepKind.CLOSE_BACKUPS)
        try:
            return self._close(known, label)
        except NotFound:
            self.run.inventory.forget(known.store)
            return self._end(known, EndState.FAILED, "it vanished while it was looked at; the next run looks again")
        except (Unavailable, OutcomeUnknown, Refused) as error:
            return self._end(known, EndState.FAILED, str(error))

    def _close(self, known: KnownSet, label: Label | None) -> SetEnd:
        found = self._situation(known, label)
        looked = None if found.may_go(self.run.now) and found.is_own else self._look_into(known)
        if looked is not None:
            return looked
        if found.may_go(self.run.now):
            deleted = self._delete(known)
            return deleted if isinstance(deleted, SetEnd) else self._quarantine(known, _held(deleted), None)
        try:
            return self._anonymise(found)
        except CannotAnonymise as obstacle:
            return self._quarantine(known, found.why_it_stays(str(obstacle)), found.goes_at)

    def _situation(self, known: KnownSet, label: Label | None) -> _Situation:
        rotation = rotates_at(begun_at(known.set, label), self.plan, self.policy) if label else None
        is_own = label is not None and label.customer is not None and is_wholly_going(self.run, known, self.plan)
        is_locked, lock_ends = locked_until(known.set)
        return _Situation(
            known,
            is_known=label is not None,
            is_own=is_own,
            rotation=rotation,
            is_locked=is_locked,
            lock_ends=lock_ends,
        )

    # -------------------------------------------------------------------------------------------------- acts

    def _look_into(self, known: KnownSet) -> SetEnd | None:
        """The set's end where a look at every file shows that nothing readable of the strand is in it; else None."""
        if not self.store.capabilities().reads or known.set.item_count == 0:
            return None
        everywhere = dataset_folders(self.policy, self.plan, self.policy.datasets)
        places = tuple(places_in_set(self.run.record, self.plan))
        mine = plain = 0
        try:
            for file, head in self.store.heads(known.set.name, HEADER_LENGTH):
                is_elsewhere = file.form is Form.PLAIN_FILE and everywhere.covers(file.path)
                if is_elsewhere and not any(lies_in(file.path, place) for place in places):
                    continue
                mine += 1
                plain += read_header(head) is None
        except Refused:  # a fence may keep us out too; what nobody looked into is taken to be readable
            return None
        if mine == 0:
            reason = f"none of its {known.set.item_count} files lies where the customer's do"
            return self._end(known, EndState.NOT_FOUND, reason)
        if plain == 0 and self.run.record.keys and self.run.record.strand.shreds_key:
            reason = f"{mine} of {mine} files are sealed, and the customer's keys are destroyed"
            return self._end(known, EndState.SHREDDED_VERIFIED, reason)
        return None

    def _delete(self, known: KnownSet) -> SetEnd | Hold:
        """Delete the whole set, unless a hold forbids it, which is read in the transaction that tells the intent."""
        with self.run.transaction() as session:
            hold = hold_in_the_way(self.run, session, known)
            if hold is not None:
                return hold
            self._tell(session, EntryType.STEP_INTENT, known, {"step": str(StepKind.CLOSE_BACKUPS), "act": "delete"})
        deletion = self.store.delete(known.set.name)
        self.run.inventory.forget(known.store)
        if deletion.result is ItemResult.LOCKED:
            _, until = locked_until(replace(known.set, locks=deletion.locks))
            reason = "the store locks it: " + ", ".join(sorted({lock.kind for lock in deletion.locks}))
            return self._quarantine(known, reason, until)
        if deletion.result not in (ItemResult.DONE, ItemResult.ABSENT) or self.store.find(known.set.name) is not None:
            return self._end(known, EndState.FAILED, f"not deleted: {deletion.reason or deletion.result}")
        with self.run.transaction() as session:
            self._tell(session, EntryType.BACKUP_DELETED, known, {"result": str(deletion.result)})
        return self._end(known, EndState.ERASED_VERIFIED, "deleted as a whole; a look behind it finds nothing")

    def _anonymise(self, found: _Situation) -> SetEnd:
        """Raises CannotAnonymise where that is not wanted or cannot be done."""
        if not self.plan.anonymise:
            raise CannotAnonymise
        if found.is_locked or not found.is_known:
            raise CannotAnonymise("the store locks it" if found.is_locked else "what it holds is unknown")
        known = found.known
        removed = anonymise_set(self.run, known, self.plan, self.store)
        if removed:
            with self.run.transaction() as session:
                self._tell(session, EntryType.BACKUP_ANONYMISED, known, {"removed": removed})
            self.run.inventory.forget(known.store)
            reason = "rewritten without the deleted customers, restored and searched; the old set is gone"
        else:
            reason = "searched: nothing of the customer is in it any more"
        return self._end(known, EndState.ANONYMISED, reason)

    def _quarantine(self, known: KnownSet, reason: str, until: datetime | None) -> SetEnd:
        """Put the set out of reach, try to read it, and believe the attempt and nothing else."""
        try:
            whereabouts = self.store.quarantine(known.set.name)
            attempt = self.store.try_reading(known.set.name)
        except Refused as refusal:
            why = f"{reason}; and it cannot be quarantined: {refusal.message}"
            return self._end(known, EndState.UNSUPPORTED, why, until)
        is_news = whereabouts is not known.set.whereabouts or not attempt.is_refused
        if is_news:
            body: dict[str, JsonValue] = {
                "whereabouts": str(whereabouts),
                "read_refused": attempt.is_refused,
                "attempt": attempt.how,
            }
            with self.run.transaction() as session:
                self._tell(session, EntryType.BACKUP_QUARANTINED, known, body)
            self.run.inventory.forget(known.store)
        if not attempt.is_refused:
            why = (
                f"{reason}; it was put in quarantine ({whereabouts}), and a read succeeded all the same: {attempt.how}"
            )
            return self._end(known, EndState.UNSUPPORTED, why, until)
        where = "moved to quarantine" if whereabouts is Whereabouts.MOVED else "fenced where it lies"
        return replace(self._end(known, EndState.QUARANTINED, f"{reason}; {where}", until), refusal=attempt.how)

    def _end(self, known: KnownSet, state: EndState, reason: str, until: datetime | None = None) -> SetEnd:
        return SetEnd(known.store, known.shown, state, reason, until)

    def _tell(self, session: Session, kind: EntryType, known: KnownSet, body: dict[str, JsonValue]) -> None:
        told: dict[str, JsonValue] = {"store": known.store, "set": known.shown, **body}
        case, policy = self.run.case.id, self.run.case.policy_hash
        self.run.deployment.journal.write(session, Entry(kind, self.run.now, told, case=case, policy=policy))
