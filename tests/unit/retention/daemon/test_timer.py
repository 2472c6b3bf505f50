"""The policy's times: cron lines in the policy's zone, with a crontab's weekdays, one job at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from retention.clock import SystemClock
from retention.daemon.health import JobName
from retention.daemon.timer import Timer
from retention.policy.cron import parse_cron
from retention.workflows.timetable import Timetable

SHANGHAI = ZoneInfo("Asia/Shanghai")
SOON = 20.0
"""Seconds to wait for what should come at once."""


def timetable(deletions: str = "0 0 1 1 *", verification: str = "0 0 1 1 *", zone: ZoneInfo = SHANGHAI) -> Timetable:
    return Timetable(zone, parse_cron(deletions), parse_cron(verification))


@contextmanager
def running(
    times: Timetable, delete: Callable[[], None] = lambda: None, verify: Callable[[], None] = lambda: None
) -> Iterator[Timer]:
    timer = Timer({JobName.DELETIONS: delete, JobName.VERIFICATION: verify}, SystemClock())
    timer.start(times)
    try:
        yield timer
    finally:
        timer.stop()


def test_the_first_cycle_begins_at_once_and_the_verification_at_its_time() -> None:
    deleted, verified = threading.Event(), threading.Event()
    with running(timetable(), deleted.set, verified.set):
        assert deleted.wait(SOON)
        assert not verified.is_set()


@pytest.mark.parametrize(
    ("line", "weekday"),
    [
        pytest.param("0 2 * * 1", 0, id="1 is Monday"),
        pytest.param("0 2 * * 0", 6, id="0 is Sunday"),
        pytest.param("0 2 * * 7", 6, id="7 is Sunday too"),
        pytest.param("0 2 * * sat", 5, id="names are days"),
    ],
)
def test_weekdays_are_a_crontab_s(line: str, weekday: int) -> None:
    with running(timetable(verification=line)) as timer:
        assert timer.next_runs()[JobName.VERIFICATION].astimezone(SHANGHAI).weekday() == weekday


def test_times_are_in_the_policy_s_zone() -> None:
    with running(timetable(verification="30 3 * * *")) as timer:
        due_at = timer.next_runs()[JobName.VERIFICATION]
    assert (due_at.astimezone(UTC).hour, due_at.astimezone(UTC).minute) == (19, 30)


def test_a_new_timetable_replaces_the_old_one() -> None:
    with running(timetable(verification="30 3 * * *")) as timer:
        timer.keep(timetable(verification="45 4 * * *"))
        due_at = timer.next_runs()[JobName.VERIFICATION].astimezone(SHANGHAI)
    assert (due_at.hour, due_at.minute) == (4, 45)


def test_a_job_that_is_asked_for_sooner_comes_sooner_and_never_later() -> None:
    verified = threading.Event()
    with running(timetable(), verify=verified.set) as timer:
        timer.run_within(JobName.VERIFICATION, timedelta(seconds=2))
        timer.run_within(JobName.VERIFICATION, timedelta(days=300))
        assert timer.next_runs()[JobName.VERIFICATION] < datetime.now(UTC) + timedelta(minutes=1)
        assert verified.wait(SOON)


def test_jobs_never_overlap() -> None:
    at_work = threading.Lock()
    overlaps: list[str] = []
    done = threading.Barrier(2)

    def work() -> None:
        if not at_work.acquire(blocking=False):
            overlaps.append("both at once")
            return
        threading.Event().wait(0.5)
        at_work.release()

    def last() -> None:
        work()
        done.wait(SOON)

    with running(timetable(), work, last) as timer:
        timer.run_within(JobName.VERIFICATION, timedelta(0))
        done.wait(SOON)
    assert overlaps == []


def test_stopping_waits_for_the_running_job() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        threading.Event().wait(0.5)
        ended.set()

    with running(timetable(), work):
        assert begun.wait(SOON)
    assert ended.is_set()


def test_a_time_that_passed_while_nobody_was_here_is_told() -> None:
    zone = SHANGHAI
    now = datetime.now(UTC)
    hour_ago = (now - timedelta(hours=1)).astimezone(zone)
    with running(timetable(verification=f"{hour_ago.minute} {hour_ago.hour} * * *")) as timer:
        assert timer.was_due(JobName.VERIFICATION, now - timedelta(hours=2))
        assert not timer.was_due(JobName.VERIFICATION, now - timedelta(minutes=1))
        assert not timer.was_due(JobName.REPORT, now - timedelta(hours=2))
