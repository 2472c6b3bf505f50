"""Which sets a deletion is about, when they may go, and what they make of a copy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retention.lifecycle.backup_sets import (
    begun_at,
    claimed_prefixes,
    dataset_folders,
    layout_of,
    locked_until,
    may_hold,
    next_try_at,
    object_roots,
    read_label,
    rotates_at,
    shown_name,
    sum_up,
)
from retention.model.copy import EndState, SetEnd
from retention.model.policy import BackupPlan, Policy
from retention.policy.load import load_policy
from storage_adapters.backups.contract import BackupSet, Form, Lock, SetLayout

POLICY: Policy = load_policy(Path(__file__).parents[4] / "policies.yaml")
NIGHTLY = POLICY.backups["nightly"]
AT = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)


def found(
    name: str, begun: datetime | None = AT, *, label: str | None = None, locks: tuple[Lock, ...] = ()
) -> BackupSet:
    return BackupSet(name, label or name, begun, begun, 1, 10, frozenset({Form.PLAIN_FILE}), locks)


def plan(sets: str, **changes: object) -> BackupPlan:
    return replace(NIGHTLY, sets=sets, mixed="{customer}" not in sets, **changes)  # type: ignore[arg-type]


LAYOUTS = {
    "a folder of a day": ("nightly/{date}/", SetLayout("nightly/", 1)),
    "a folder of a day in a folder of a customer": ("own/{customer}/{date}/", SetLayout("own/", 2)),
    "a file of a day": ("dumps/app-{date}.dump", SetLayout("dumps/", 1)),
    "a name at the root": ("app-{date}", SetLayout("", 1)),
    "what is below the day": ("a/b/{date}/full/", SetLayout("a/b/", 2)),
}


@pytest.mark.parametrize(("sets", "layout"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_layout_says_where_sets_lie(sets: str, layout: SetLayout) -> None:
    assert layout_of(plan(sets)) == layout


LABELS = {
    "a day": ("nightly/{date}/", "nightly/2026-11-10/", True),
    "a day without hyphens": ("nightly/{date}/", "nightly/20261110/", True),
    "a day with a time": ("nightly/{date}/", "nightly/2026-11-10T03:15:00Z/", True),
    "a snapshot's name": ("rds:app-{date}", "rds:app-2026-11-10-03-15", True),
    "no day": ("nightly/{date}/", "nightly/latest/", False),
    "a day that no calendar has": ("nightly/{date}/", "nightly/2026-02-30/", False),
    "another folder": ("nightly/{date}/", "weekly/2026-11-10/", False),
    "a file beside the folders": ("nightly/{date}/", "nightly/2026-11-10", False),
    "something before the name": ("app-{date}", "my-app-2026-11-10", False),
}


@pytest.mark.parametrize(("sets", "label", "fits"), LABELS.values(), ids=LABELS.keys())
def test_a_label_fits_its_series_or_not(sets: str, label: str, fits: bool) -> None:
    read = read_label(plan(sets), label, POLICY)
    assert (read is not None) == fits
    if read is not None:
        assert read.day_begins == datetime(2026, 11, 9, 16, 0, tzinfo=UTC), "the day begins in the policy's zone"


def test_a_customer_is_read_from_the_name_and_not_shown() -> None:
    own = plan("own/{customer}/{date}/")
    read = read_label(own, "own/c-1/2026-11-10/", POLICY)
    assert read is not None
    assert read.customer == "c-1"
    assert shown_name(found("own/c-1/2026-11-10/"), read) == "own/{customer}/2026-11-10/"


def test_sets_of_one_label_are_told_apart() -> None:
    read = read_label(plan("nightly/{date}"), "nightly/2026-11-10", POLICY)
    assert read is not None
    names = {shown_name(found(name, label="nightly/2026-11-10"), read) for name in ("abc", "def")}
    assert len(names) == 2
    assert all(name.startswith("nightly/2026-11-10#") for name in names)


def test_a_set_that_was_copied_here_later_counts_from_the_day_in_its_name() -> None:
    read = read_label(NIGHTLY, "nightly/2026-11-10/", POLICY)
    assert read is not None
    assert begun_at(found("nightly/2026-11-10/", AT), read) == AT
    assert begun_at(found("nightly/2026-11-10/", AT + timedelta(days=3)), read) == read.day_begins
    assert begun_at(found("x/", AT), None) == AT


HOLDS = {
    "begun before the erasure": (AT, AT + timedelta(hours=1), True),
    "begun at the moment of it": (AT, AT, True),
    "begun after it": (AT, AT - timedelta(seconds=1), False),
    "begun nobody knows when": (None, AT, True),
    "nothing is erased yet": (AT, None, True),
}


@pytest.mark.parametrize(("begun", "erased", "holds"), HOLDS.values(), ids=HOLDS.keys())
def test_a_set_may_hold_what_was_there_when_it_was_begun(
    begun: datetime | None, erased: datetime | None, holds: bool
) -> None:
    assert may_hold(begun, erased) == holds


def test_a_rotation_ends_at_the_end_of_its_last_day() -> None:
    assert rotates_at(AT, NIGHTLY, POLICY) == datetime(2026, 12, 10, 16, 0, tzinfo=UTC)
    assert rotates_at(None, NIGHTLY, POLICY) is None


def test_a_lock_without_an_end_has_none() -> None:
    later = AT + timedelta(days=9)
    assert locked_until(found("a/")) == (False, None)
    assert locked_until(found("a/", locks=(Lock("governance", AT), Lock("compliance", later)))) == (True, later)
    assert locked_until(found("a/", locks=(Lock("compliance", later), Lock("legal-hold")))) == (True, None)


def end(state: EndState, until: datetime | None = None) -> SetEnd:
    return SetEnd("backups", "ab" * 8, f"nightly/{state}/", state, f"because {state}", until)


def test_a_copy_is_as_good_as_its_worst_set_and_waits_for_the_last() -> None:
    later = AT + timedelta(days=9)
    assert sum_up([])[0] is EndState.NOT_FOUND
    assert sum_up([end(EndState.ERASED_VERIFIED), end(EndState.SHREDDED_VERIFIED)])[0] is EndState.SHREDDED_VERIFIED
    state, reason, until = sum_up(
        [end(EndState.ERASED_VERIFIED), end(EndState.QUARANTINED, AT), end(EndState.QUARANTINED, later)]
    )
    assert (state, until) == (EndState.QUARANTINED, later)
    assert reason == "backup sets: 1 erased-verified, 2 quarantined; because quarantined"
    assert sum_up([end(EndState.QUARANTINED, AT), end(EndState.UNSUPPORTED)])[::2] == (EndState.UNSUPPORTED, None)


TRIES = {
    "nothing waits": ([end(EndState.ERASED_VERIFIED)], None),
    "at its date": ([end(EndState.QUARANTINED, AT)], AT),
    "at the first of several dates": (
        [end(EndState.QUARANTINED, AT), end(EndState.QUARANTINED, AT + timedelta(1))],
        AT,
    ),
    "a day after the last look where no date is known": ([end(EndState.UNSUPPORTED)], AT + timedelta(days=1)),
    "at once where the store did not answer": (
        [end(EndState.FAILED), end(EndState.QUARANTINED, AT)],
        datetime.min.replace(tzinfo=UTC),
    ),
}


@pytest.mark.parametrize(("ends", "at"), TRIES.values(), ids=TRIES.keys())
def test_a_waiting_set_is_tried_again(ends: list[SetEnd], at: datetime | None) -> None:
    assert next_try_at(ends, AT) == at


def test_folders_of_datasets_are_known_within_a_set() -> None:
    whole = plan("nightly/{date}/", holds=("training-data", "access-logs"), objects="objects/")
    folders = dataset_folders(POLICY, whole)
    assert folders.covers("objects/training/c-1/a.bin")
    assert folders.covers("objects/access-logs/c-1/2026-11-01.log")
    assert not folders.covers("training/c-1/a.bin")
    assert not folders.covers("objects/training/readme.txt")
    assert object_roots(POLICY, whole) == ("objects/access-logs/", "objects/training/")


def test_where_datasets_lie_is_no_backup() -> None:
    assert claimed_prefixes(POLICY, "objects") == ("access-logs/", "training/")
    assert claimed_prefixes(POLICY, "backups") == ()
