"""Which backup sets a deletion is about, when a set may go, and what its sets make of a copy. Pure.

A set holds what its plan says; one that fits no plan of its store counts as holding everybody. A set that was begun after
the erasure was complete holds nothing of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from retention.lifecycle.counting import count
from retention.lifecycle.places import CUSTOMER, DATE
from retention.model.copy import EndState, SetEnd
from retention.model.policy import BackupPlan, Policy
from storage_adapters.backups.contract import BackupSet, SetLayout

_DATE = re.compile(
    r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})"
    r"(?:[T_.-]?(?P<hour>[0-9]{2})[:.-]?(?P<minute>[0-9]{2})(?:[:.-]?[0-9]{2})?Z?)?"
)
_DAY = timedelta(days=1)


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
    places = [place for dataset in policy.datasets.values() for place in (*dataset.primary, *dataset.caches)]
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


_BEST_TO_WORST = (
    EndState.NOT_FOUND,
    EndState.ERASED_VERIFIED,
    EndState.ANONYMISED,
    EndState.SHREDDED_VERIFIED,
    EndState.QUARANTINED,
    EndState.HELD,
    EndState.UNSUPPORTED,
    EndState.FAILED,
)


def worst_of(ends: Iterable[EndState]) -> EndState:
    """What the sets make of their copy: it is as good as its worst set; `not-found` without any."""
    return max(ends, key=_BEST_TO_WORST.index, default=EndState.NOT_FOUND)


def sum_up(ends: Sequence[SetEnd]) -> tuple[EndState, str | None, datetime | None]:
    """The copy's end state, why, and until when (the last date; None where one of those that wait has none)."""
    worst = worst_of(end.end_state for end in ends)
    waiting = [end for end in ends if not end.end_state.is_gone]
    dates = [end.until for end in waiting]
    known = [date for date in dates if date is not None]
    until = max(known) if known and len(known) == len(dates) else None
    if not ends:
        return worst, "no backup set from before the erasure is there", None
    counts = [(state, sum(end.end_state is state for end in ends)) for state in _BEST_TO_WORST]
    said = ", ".join(f"{number} {state}" for state, number in counts if number)
    why = next((end.reason for end in ends if end.end_state is worst and end.reason), None)
    return worst, f"backup sets: {said}" + (f"; {why}" if waiting and why else ""), until


def looked_into_again_at(ends: Sequence[SetEnd], now_checked: datetime | None) -> datetime | None:
    """From when on it makes sense to try the waiting sets again; None where none waits.

    A set whose date is not known is tried again a day after the last look, one that has a date when it has come.
    """
    instants = []
    for end in ends:
        if end.end_state.is_gone:
            continue
        if end.until is not None:
            instants.append(end.until)
        elif now_checked is not None:
            instants.append(now_checked + _DAY)
    waiting = any(not end.end_state.is_gone for end in ends)
    return min(instants, default=datetime.min.replace(tzinfo=UTC)) if waiting else None
