"""Whose data a backup set holds, and what of it has to go: the questions before a set is deleted or rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.lifecycle.backup_sets import Meaning, begun_at, may_hold, meaning_of
from retention.model.backup import KnownSet
from retention.model.case import StrandState
from retention.model.copy import CopyRole
from retention.model.hold import Hold
from retention.model.policy import BackupPlan, Policy
from retention.model.record import StrandRecord
from retention.workflows.deployment import Deployment
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import Objects, Place, Prefix


def is_wholly_going(run: StrandRun, known: KnownSet, plan: BackupPlan) -> bool:
    """Whether everything in a set of one customer's own is past the point of no return: each dataset, as a whole."""
    with run.deployment.catalog.reading() as session:
        records = case_rows.strands(session, customer=run.record.customer)
        owners = _Owners.of(run.deployment, session, records)
    going = {
        record.strand.dataset
        for record in records
        if record.strand.part.is_whole_dataset
        and record.strand.subscription is None
        and is_past_return(record)
        and owners.may_hold(record, known)
    }
    return set(plan.holds) <= going


def hold_in_the_way(run: StrandRun, session: Session, known: KnownSet) -> Hold | None:
    """A hold on data that may lie in this set and nowhere else any more, because its primary is gone; None without one."""
    for hold in fact_rows.holds_of(session, None):
        if not hold.stands:
            continue
        records = [r for r in case_rows.strands(session, customer=hold.customer) if is_past_return(r)]
        owners = _Owners.of(run.deployment, session, records)
        if any(hold.covers(record.strand.dataset) and owners.may_hold(record, known) for record in records):
            return hold
    return None


def is_past_return(record: StrandRecord) -> bool:
    """Whether the strand has passed the point of no return and was not brought back."""
    return record.passed_at is not None and record.state is not StrandState.BROUGHT_BACK


@dataclass(frozen=True, slots=True)
class _Owners:
    """The policies that are frozen into the cases of some strands, for asking what a set means to them."""

    versions: tuple[Policy, ...]
    policy_of: Mapping[str, str]

    @classmethod
    def of(cls, deployment: Deployment, session: Session, records: Sequence[StrandRecord]) -> _Owners:
        cases = case_rows.bare_cases(session, {record.strand.case for record in records})
        return cls(deployment.shelf.versions(session), {case.id: case.policy_hash for case in cases.values()})

    def may_hold(self, record: StrandRecord, known: KnownSet) -> bool:
        """Whether the set may hold what the strand deleted."""
        policy = next(version for version in self.versions if version.hash == self.policy_of[record.strand.case])
        for copy in record.strand.copies:
            plan = policy.backups.get(copy.backup or "")
            if copy.role is not CopyRole.BACKUP or plan is None or plan.store != known.store:
                continue
            meaning = meaning_of(known.set, plan, policy, record.strand.dataset, self.versions)
            if meaning is not None and is_held_by(known, meaning, record):
                return True
        return False


def is_held_by(known: KnownSet, meaning: Meaning, record: StrandRecord) -> bool:
    """Whether a set of this meaning may hold what the strand deleted: the customer's, and begun before the erasure."""
    if meaning.label is not None and meaning.label.customer not in (None, record.customer):
        return False
    return may_hold(begun_at(known.set, meaning.label), record.erased_at)


def places_in_set(record: StrandRecord, plan: BackupPlan) -> Iterator[Place]:
    """Where the strand's data lies within a set of this series: where its primaries do."""
    for copy in record.strand.copies:
        if copy.role is CopyRole.PRIMARY and copy.place is not None:
            yield place_in_set(copy.place, plan)


def place_in_set(place: Place, plan: BackupPlan) -> Place:
    """The place as it is within a set of this series: objects below the folder that they have there, rows where they were."""
    match place:
        case Prefix(prefix):
            return Prefix(plan.objects + prefix)
        case Objects(names):
            return Objects(tuple(plan.objects + name for name in names))
        case _:  # rows are where they were
            return place


def lies_in(path: str, place: Place) -> bool:
    """Whether a file of this path is at the place, both within one set."""
    match place:
        case Prefix(prefix):
            return path.startswith(prefix)
        case Objects(names):
            return path in names
        case _:
            return False


def due_in_set(run: StrandRun, known: KnownSet, plan: BackupPlan) -> tuple[StrandRecord, ...]:
    """Every strand of any customer that is past the point of no return, may be in the set, and is covered by no hold."""
    with run.deployment.catalog.reading() as session:
        records = case_rows.strands(session)
        holds = [hold for hold in fact_rows.holds_of(session, None) if hold.stands]
        owners = _Owners.of(run.deployment, session, records)
    return tuple(
        record
        for record in records
        if is_past_return(record)
        and record.strand.dataset in plan.holds
        and not any(hold.customer == record.customer and hold.covers(record.strand.dataset) for hold in holds)
        and owners.may_hold(record, known)
    )
