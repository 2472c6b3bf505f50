"""Backups: every set that may hold what was deleted is closed as far as it can be today, and says what is left of it.

In this order, for each set: deleted, where it is the customer's own; left alone, where a look at each file finds nothing of
the customer, or all of it sealed under keys that are destroyed; deleted, where its rotation is over; anonymised, where the
policy says so; else quarantined, and a read is tried, which must fail. What no store can do is `unsupported`, and loudly so.
A hold that came after the point of no return keeps the last copy: it is quarantined, and neither deleted nor rewritten.
See docs/adr/0015.

Source: clause 6.10 (stored securely, no further processing, until deleted or anonymised), clause 6.11 (every backup copy).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session

from retention.catalog import backups as backup_rows
from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.lifecycle.backup_sets import (
    Meaning,
    begun_at,
    dataset_folders,
    locked_until,
    meaning_of,
    rotates_at,
    sum_up,
)
from retention.lifecycle.precedence import stopping_hold
from retention.model.backup import KnownSet
from retention.model.copy import CopyRole, CopyStatus, EndState, SetEnd
from retention.model.plan import StepKind
from retention.model.policy import BackupPlan, Policy
from retention.workflows.anonymise_set import CannotAnonymise, anonymise_set
from retention.workflows.backup_owners import hold_in_the_way, is_held_by, is_wholly_going, lies_in, places_in_set
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
    before = {end.id: end for end in status.sets}
    listed = {known.id: known for known in run.inventory.sets(closing.plan.store)}
    missing = closing.names_of([end for end in status.sets if end.id not in listed and not end.end_state.is_gone])
    ends: dict[str, SetEnd] = {}
    for known in listed.values():
        meaning = closing.meaning(known)
        is_renamed = any(_overlap(known.set.name, name) for name in missing.values())
        if meaning is not None or known.id in before or is_renamed:
            ends[known.id] = closing.close(known, meaning or closing.unknown, before.get(known.id))
    for key, end in before.items():
        if key not in ends:
            ends[key] = end if end.end_state.is_gone else closing.missed(end, missing.get(key), listed.values())
    sets = tuple(_unless_the_same(before.get(key), ends[key]) for key in sorted(ends))
    end_state, reason, until = sum_up(sets)
    return replace(status, sets=sets, end_state=end_state, reason=reason, until=until)


def _overlap(one: str, other: str) -> bool:
    """Whether two names of sets stand for some of the same files: a new series cuts what was one set in another way."""
    return one.startswith(other) or other.startswith(one)


def _unless_the_same(before: SetEnd | None, now: SetEnd) -> SetEnd:
    """What was told before, where nothing is news."""
    return before if before is not None and replace(before, at=None, entry=None) == now else now


class _Held(Exception):
    """A hold that came after the point of no return keeps this set; the message names it."""


@dataclass(frozen=True, slots=True)
class _Situation:
    """What decides about one set. is_own: the customer's alone, and everything in it is to go."""

    known: KnownSet
    meaning: Meaning
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
        if self.meaning.label is None or (self.is_locked and self.lock_ends is None):
            return None
        if self.is_own:
            return self.lock_ends
        return max(filter(None, (self.rotation, self.lock_ends)), default=None)

    def why_it_stays(self, obstacle: str) -> str:
        """One sentence: why it cannot be deleted today, and why it is not anonymised, where that was to be."""
        reasons = []
        if self.meaning.label is None:
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
    versions: tuple[Policy, ...]

    @classmethod
    def of(cls, run: StrandRun, status: CopyStatus) -> _Closing:
        policy = run.policy()
        plan = policy.backups[status.copy.backup or ""]
        with run.deployment.catalog.reading() as session:
            versions = run.deployment.shelf.versions(session)
        return cls(run, policy, plan, run.deployment.backup_store(plan.store), versions)

    @property
    def unknown(self) -> Meaning:
        """What a set is that fits no series: everybody's."""
        return Meaning(self.plan, self.policy, None)

    def meaning(self, known: KnownSet) -> Meaning | None:
        """What the set is to this copy; None where it cannot hold what the strand deleted."""
        meaning = meaning_of(known.set, self.plan, self.policy, self.run.record.strand.dataset, self.versions)
        return meaning if meaning is not None and is_held_by(known, meaning, self.run.record) else None

    def names_of(self, ends: Sequence[SetEnd]) -> dict[str, str]:
        """The names that the store had for these sets when they were last listed, by id."""
        with self.run.deployment.catalog.reading() as session:
            return backup_rows.names_of(session, self.plan.store, [end.id for end in ends])

    def missed(self, before: SetEnd, name: str | None, listed: Iterable[KnownSet]) -> SetEnd:
        """A set that is not found any more: its own rotation removed it, once two listings agree.

        Not while its files are listed as other sets: then it waits for those.
        """
        if name is not None and any(_overlap(known.set.name, name) for known in listed):
            reason = "its files are listed as other sets now, and go with those"
            return replace(before, reason=reason, until=None, missed_at=None, at=None, entry=None)
        listed_at = self.run.inventory.listed_at(before.store)
        if before.missed_at is None or before.missed_at >= listed_at:
            reason = "not found by one listing; the next one decides whether it is gone"
            missed_at = before.missed_at or listed_at
            return replace(before, reason=reason, until=missed_at, missed_at=missed_at, at=None, entry=None)
        reason = "two listings do not find it any more"
        return SetEnd(before.store, before.id, before.set, EndState.ERASED_VERIFIED, reason)

    def close(self, known: KnownSet, meaning: Meaning, before: SetEnd | None) -> SetEnd:
        """The set's end, after what can be done today. What fails leaves it as it was, and says so."""
        if before is not None and before.end_state.is_gone and before.at is not None and before.at >= known.changed_at:
            return before
        self.run.batch_done(StepKind.CLOSE_BACKUPS)
        try:
            return self._close(known, meaning)
        except NotFound:
            self.run.inventory.forget(known.store)
            return self._end(known, EndState.FAILED, "it vanished while it was looked at; the next run looks again")
        except (Unavailable, OutcomeUnknown, Refused) as error:
            return self._end(known, EndState.FAILED, str(error))

    def _close(self, known: KnownSet, meaning: Meaning) -> SetEnd:
        found = self._situation(known, meaning)
        looked = None if found.may_go(self.run.now) and found.is_own else self._look_into(known, meaning)
        if looked is not None:
            return looked
        try:
            return self._delete(known) if found.may_go(self.run.now) else self._anonymise(found)
        except _Held as held:
            return self._quarantine(known, str(held), None)
        except CannotAnonymise as obstacle:
            return self._quarantine(known, found.why_it_stays(str(obstacle)), found.goes_at)

    def _situation(self, known: KnownSet, meaning: Meaning) -> _Situation:
        label, plan = meaning.label, meaning.plan
        rotation = rotates_at(begun_at(known.set, label), plan, meaning.policy) if label else None
        is_own = label is not None and label.customer is not None and is_wholly_going(self.run, known, plan)
        is_locked, lock_ends = locked_until(known.set)
        return _Situation(known, meaning, is_own, rotation, is_locked, lock_ends)

    # -------------------------------------------------------------------------------------------------- acts

    def _look_into(self, known: KnownSet, meaning: Meaning) -> SetEnd | None:
        """The set's end where a look at every file shows that nothing readable of the strand is in it; else None."""
        if not self.store.capabilities().reads or known.set.item_count == 0:
            return None
        everywhere = dataset_folders(meaning.policy, meaning.plan, meaning.policy.datasets)
        places = tuple(places_in_set(self.run.record, meaning.plan))
        mine = readable = 0
        closed: dict[tuple[str, bool], bool] = {}
        try:
            for file, head in self.store.heads(known.set.name, HEADER_LENGTH):
                is_mine = any(lies_in(file.path, place) for place in places)
                if not is_mine and file.form is Form.PLAIN_FILE and everywhere.covers(file.path):
                    continue
                mine += 1
                header = read_header(head)
                if header is None:
                    readable += 1
                    continue
                key = (header.key_id, is_mine)
                if key not in closed:
                    closed[key] = self._is_closed(header.key_id, is_mine=is_mine)
                readable += not closed[key]
        except Refused:  # a fence may keep us out too; what nobody looked into is taken to be readable
            return None
        if mine == 0:
            reason = f"none of its {known.set.item_count} files lies where the customer's do"
            return self._end(known, EndState.NOT_FOUND, reason)
        if readable == 0 and self.run.record.keys and self.run.record.strand.shreds_key:
            reason = f"{mine} of {mine} files are sealed, and none under a key of the customer's that still exists"
            return self._end(known, EndState.SHREDDED_VERIFIED, reason)
        return None

    def _is_closed(self, key_id: str, *, is_mine: bool) -> bool:
        """Whether a file that is sealed under this key cannot be read by whoever has this customer's keys.

        In the customer's own folder it has to be a key that was destroyed; elsewhere another's key will do.
        """
        with self.run.deployment.catalog.reading() as session:
            if case_rows.is_shredded(session, key_id):
                return True
        key = self.run.deployment.key_store.get(key_id)
        about = (self.run.record.customer, self.run.record.strand.dataset)
        return not is_mine and key is not None and (key.scope.customer, key.scope.dataset) != about

    def _intend(self, known: KnownSet, act: str) -> None:
        """Tell what is about to be done to the set. Raises _Held where a hold forbids it, read in the same transaction."""
        with self.run.transaction() as session:
            hold = hold_in_the_way(self.run, session, known)
            if hold is not None:
                raise _Held(f"hold {hold.id}")  # its ground may name people, and this reason goes into the ledger
            self._tell(session, EntryType.STEP_INTENT, known, {"step": str(StepKind.CLOSE_BACKUPS), "act": act})

    def _delete(self, known: KnownSet) -> SetEnd:
        """Delete the whole set. Raises _Held where a hold forbids it."""
        self._intend(known, "delete")
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
        """Raises CannotAnonymise where that is not wanted or cannot be done, and _Held where a hold forbids it."""
        known, plan = found.known, found.meaning.plan
        if not plan.anonymise:
            raise CannotAnonymise
        if found.is_locked or found.meaning.label is None:
            raise CannotAnonymise("the store locks it" if found.is_locked else "what it holds is unknown")
        with self.run.deployment.catalog.reading() as session:
            holds = fact_rows.holds_of(session, self.run.record.customer)
        hold = stopping_hold(self.run.record.strand, [each for each in holds if each.stands])
        if hold is not None:
            raise _Held(f"hold {hold.id}")  # its ground may name people, and this reason goes into the ledger
        removed = anonymise_set(self.run, known, plan, self.store)
        if not removed:
            return self._end(known, EndState.ANONYMISED, "searched: nothing of the customer is in it any more")
        self.run.inventory.forget(known.store)
        self.run.inventory.sets(known.store)  # from now on the set is known as it is now
        with self.run.transaction() as session:
            self._tell(session, EntryType.BACKUP_ANONYMISED, known, {"removed": removed})
        reason = "rewritten without the deleted customers, restored and searched; the old set is gone"
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
        return SetEnd(known.store, known.id, known.shown, state, reason, until)

    def _tell(self, session: Session, kind: EntryType, known: KnownSet, body: dict[str, JsonValue]) -> None:
        told: dict[str, JsonValue] = {"store": known.store, "set": known.shown, "id": known.id, **body}
        case, policy = self.run.case.id, self.run.case.policy_hash
        self.run.deployment.journal.write(session, Entry(kind, self.run.now, told, case=case, policy=policy))
