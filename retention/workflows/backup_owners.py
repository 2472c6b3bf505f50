"""Whose data a backup set holds, and what of it has to go: the questions before a set is deleted or rewritten."""

from __future__ import annotations

from collections.abc import Iterator

from sqlmodel import Session

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.lifecycle.backup_sets import begun_at, may_hold, read_label
from retention.model.backup import KnownSet
from retention.model.case import StrandState
from retention.model.copy import CopyRole
from retention.model.hold import Hold
from retention.model.policy import BackupPlan
from retention.model.record import StrandRecord
from retention.workflows.deployment import Deployment
from retention.workflows.strand_run import StrandRun
from storage_adapters.contract import Objects, Place, Prefix


def is_wholly_going(run: StrandRun, known: KnownSet, plan: BackupPlan) -> bool:
    """Whether everything in a set of one customer's own is past the point of no return: each dataset, as a whole."""
    with run.deployment.catalog.reading() as session:
        records = case_rows.strands(session, customer=run.record.customer)
    going = {
        record.strand.dataset
        for record in records
        if record.strand.part.is_whole_dataset
        and record.strand.subscription is None
        and is_past_return(record)
        and _may_hold(run.deployment, record, known)
    }
    return set(plan.holds) <= going


def hold_in_the_way(run: StrandRun, session: Session, known: KnownSet) -> Hold | None:
    """A hold on data that may lie in this set and nowhere else any more, because its primary is gone; None without one."""
    for hold in fact_rows.holds_of(session, None):
        for record in case_rows.strands(session, customer=hold.customer):
            if (
                hold.covers(record.strand.dataset)
                and is_past_return(record)
                and _may_hold(run.deployment, record, known)
            ):
                return hold
    return None


def is_past_return(record: StrandRecord) -> bool:
    """Whether the strand has passed the point of no return and was not brought back."""
    return record.passed_at is not None and record.state is not StrandState.BROUGHT_BACK


def _may_hold(deployment: Deployment, record: StrandRecord, known: KnownSet) -> bool:
    """Whether the set may hold what the strand deleted, by the policy that is frozen into its case."""
    with deployment.catalog.reading() as session:
        case = case_rows.bare_cases(session, [record.strand.case])[record.strand.case]
        versions = deployment.shelf.versions(session)
    policy = next(version for version in versions if version.hash == case.policy_hash)
    for copy in record.strand.copies:
        plan = policy.backups.get(copy.backup or "")
        if copy.role is not CopyRole.BACKUP or plan is None or plan.store != known.store:
            continue
        label = read_label(plan, known.set.label, policy)
        if label is None and known.plans:
            continue
        if label is not None and label.customer not in (None, record.customer):
            continue
        if may_hold(begun_at(known.set, label), record.erased_at):
            return True
    return False


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
        case _:
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
    """Every strand, of all customers, that is past the point of no return and whose data the set may hold."""
    with run.deployment.catalog.reading() as session:
        records = case_rows.strands(session)
    return tuple(
        record
        for record in records
        if is_past_return(record) and record.strand.dataset in plan.holds and _may_hold(run.deployment, record, known)
    )
