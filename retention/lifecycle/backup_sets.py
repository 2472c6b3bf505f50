"""Which backup sets a deletion is about, when a set may go, and what its sets make of a copy. Pure.

A set holds what its plan says; one that fits no plan of its store counts as holding everybody. A set that was begun after
the erasure was complete holds nothing of it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from retention.lifecycle.counting import count
from retention.lifecycle.places import CUSTOMER, DATE, SUBSCRIPTION
from retention.model.copy import BEST_TO_WORST, EndState, SetEnd, worst_of
from retention.model.policy import BackupPlan, Policy
from storage_adapters.backups.contract import BackupSet, SetLayout
from storage_adapters.contract import Rows, TablePlace

_DATE = re.compile(
    r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})"
    r"(?:[T_.-]?(?P<hour>[0-9]{2})[:.-]?(?P<minute>[0-9]{2})(?:[:.-]?[0-9]{2})?Z?)?"
)
_DAY = timedelta(days=1)
_AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Label:
    """What a set's label says of it: the day it names, from its first instant to the next (aware UTC), and whose it is.

    shown: the label with `{customer}` where the customer's name stands.
    """

    day_begins: datetime
    day_ends: datetime
    customer: str | None
    shown: str


def layout_of(plan: BackupPlan) -> SetLayout:
    """Where the sets of a plan lie."""
    segments = plan.sets.removesuffix("/").split("/")
    first = next(i for i, segment in enumerate(segments) if "{" in segment)
    return SetLayout("".join(f"{segment}/" for segment in segments[:first]), len(segments) - first)


def claimed_prefixes(policy: Policy, store: str) -> tuple[str, ...]:
    """The folders of the store in which datasets themselves lie: no backups, where one store serves for both."""
    places = [place for dataset in policy.datasets.values() for place in dataset.locations()]
    roots = {place.prefix.partition("{")[0] for place in places if place.store == store and place.prefix}
    return tuple(sorted(root for root in roots if root))


def read_label(plan: BackupPlan, label: str, policy: Policy) -> Label | None:
    """What the label says, or None where it is none of this plan's."""
    pattern = re.escape(plan.sets).replace(re.escape(DATE), "(?P<date>[^/]+?)", 1)
    pattern = pattern.replace(re.escape(DATE), "(?P=date)")
    pattern = pattern.replace(re.escape(CUSTOMER), "(?P<customer>[^/]+)", 1).replace(
        re.escape(CUSTOMER), "(?P=customer)"
    )
    found = re.fullmatch(pattern, label)
    if found is None:
        return None
    day = _day(found["date"], policy)
    if day is None:
        return None
    return Label(day, day + _DAY, found.groupdict().get("customer"), plan.sets.replace(DATE, found["date"]))


def _day(text: str, policy: Policy) -> datetime | None:
    """The first instant of the day that the text names, in the policy's zone."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        day = datetime(int(found["year"]), int(found["month"]), int(found["day"]), tzinfo=policy.time_zone)
    except ValueError:  # no such day: not a date, so not a set of this plan
        return None
    return datetime.combine(day.date(), time.min, policy.time_zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a set is to one copy: the series it is read by, of which policy version; no label where it fits no series."""

    plan: BackupPlan
    policy: Policy
    label: Label | None


def meaning_of(
    found: BackupSet, plan: BackupPlan, policy: Policy, dataset: str, versions: Sequence[Policy]
) -> Meaning | None:
    """What the set is to a copy of the dataset in `plan`, by the policy that is frozen into its case.

    None where another series of that policy has it. A set that fits none of its series counts as holding everybody; where a
    later version declares a series for it that holds the dataset, it is read by that.
    """
    label = read_label(plan, found.label, policy)
    if label is not None:
        return Meaning(plan, policy, label)
    if _declared(found, plan.store, policy):
        return None
    for version in reversed(versions):
        for later, label in _declared(found, plan.store, version):
            if dataset in later.holds:
                return Meaning(later, version, label)
    return Meaning(plan, policy, None)


def _declared(found: BackupSet, store: str, policy: Policy) -> list[tuple[BackupPlan, Label]]:
    """The series of the policy that the set fits."""
    plans = [plan for plan in policy.backups.values() if plan.store == store]
    labels = [(plan, read_label(plan, found.label, policy)) for plan in plans]
    return [(plan, label) for plan, label in labels if label is not None]


def shown_name(found: BackupSet, label: Label) -> str:
    """The set's name as it may be shown: unique in its store, with `{customer}` where the customer's name stands."""
    is_named = found.name == found.label
    return label.shown if is_named else f"{label.shown}#{hashlib.sha256(found.name.encode()).hexdigest()[:8]}"


def begun_at(found: BackupSet, label: Label | None) -> datetime | None:
    """The earliest instant whose data may be in the set, None where nothing tells it.

    A set that was written on a later day than its name says was copied here: then its name counts.
    """
    if label is None:
        return found.begun_at
    if found.begun_at is not None and found.begun_at < label.day_ends:
        return found.begun_at
    return label.day_begins


@dataclass(frozen=True, slots=True)
class DatasetFolders:
    """The folders of a set in which objects of its datasets lie; anything else in it is of unknown content."""

    patterns: tuple[re.Pattern[str], ...]

    def covers(self, path: str) -> bool:
        """Whether the path lies in the folder of some customer's dataset."""
        return any(pattern.match(path) for pattern in self.patterns)


def dataset_folders(policy: Policy, plan: BackupPlan, names: Iterable[str] | None = None) -> DatasetFolders:
    """Where objects of the plan's datasets, or of those named, lie in its sets."""
    places = [place for name in names or plan.holds for place in policy.datasets[name].primary]
    patterns = []
    for place in places:
        if place.prefix is not None:
            text = re.escape(plan.objects + place.prefix).replace(re.escape(CUSTOMER), "[^/]+")
            patterns.append(re.compile(text.replace(re.escape(SUBSCRIPTION), "[^/]+")))
    return DatasetFolders(tuple(patterns))


def object_roots(policy: Policy, plan: BackupPlan) -> tuple[str, ...]:
    """The folders of a set below which all objects of its datasets lie; without those that begin with a customer's name."""
    places = [place for name in plan.holds for place in policy.datasets[name].primary]
    roots = {(plan.objects + place.prefix).partition("{")[0].rpartition("/")[0] for place in places if place.prefix}
    return tuple(sorted(f"{root}/" for root in roots if root))


def dataset_rows(policy: Policy, plan: BackupPlan) -> tuple[Rows, ...]:
    """The tables of the plan's datasets, as places of nobody: for asking which tables nobody accounts for."""
    places = [place for name in plan.holds for place in policy.datasets[name].primary if place.tables]
    return tuple(
        Rows(tuple(TablePlace(t.name, t.customer, t.through, t.sealed) for t in place.tables), "-") for place in places
    )


def may_hold(begun: datetime | None, erased_at: datetime | None) -> bool:
    """Whether a set begun then may hold what was erased at `erased_at` (None: not yet)."""
    return begun is None or erased_at is None or begun <= erased_at


def rotates_at(begun: datetime | None, plan: BackupPlan, policy: Policy) -> datetime | None:
    """When the set's own rotation is over (aware UTC); None where it is not known how old it is."""
    if begun is None:
        return None
    return count(begun, plan.delete_after, policy.time_zone, policy.calendar, policy.last_day_off_moves).due_at


def locked_until(found: BackupSet) -> tuple[bool, datetime | None]:
    """Whether a lock forbids deleting the set, and until when; None where a lock has no end of its own."""
    if not found.locks:
        return False, None
    ends = [lock.until for lock in found.locks]
    known = [end for end in ends if end is not None]
    return True, max(known) if len(known) == len(ends) else None


def sum_up(ends: Sequence[SetEnd]) -> tuple[EndState, str | None, datetime | None]:
    """The copy's end state, why, and until when (the last date; None where one of those that wait has none)."""
    worst = worst_of(end.end_state for end in ends)
    if not ends:
        return worst, "no backup set from before the erasure is there", None
    waiting = [end for end in ends if not end.end_state.is_gone]
    dates = {end.until for end in waiting}
    until = None if None in dates else max((date for date in dates if date is not None), default=None)
    counts = Counter(end.end_state for end in ends)
    said = ", ".join(f"{counts[state]} {state}" for state in BEST_TO_WORST if counts[state])
    why = next((end.reason for end in waiting if end.end_state is worst and end.reason), None)
    return worst, f"backup sets: {said}" + (f"; {why}" if why else ""), until


def next_try_at(ends: Iterable[SetEnd], looked_at: datetime | None) -> datetime | None:
    """From when on the waiting sets are worth another try (aware UTC); None where none waits.

    A set with a date when that has come, one without a day after the last look, one that could not be asked at once.
    """
    instants = []
    for end in ends:
        if end.end_state.is_gone:
            continue
        if end.end_state is EndState.FAILED or (end.until is None and looked_at is None):
            instants.append(_AT_ONCE)
        elif end.until is not None:
            instants.append(end.until)
        elif looked_at is not None:
            instants.append(looked_at + _DAY)
    return min(instants, default=None)
