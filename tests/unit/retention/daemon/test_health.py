"""What keeps the daemon from its work, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from retention.daemon.health import Health, JobName, JobReport, JobResult, Snapshot
from retention.daemon.metrics import metrics_text
from retention.daemon.web import health_document
from retention.model.plan import StepKind
from retention.policy.cron import parse_cron
from retention.workflows.measure import Measures
from retention.workflows.timetable import InForce, Timetable

NOW = datetime(2026, 12, 1, 3, tzinfo=UTC)
IN_FORCE = InForce("1", "ab" * 32, Timetable(ZoneInfo("UTC"), parse_cron("* * * * *"), parse_cron("* * * * *")))
MEASURES = Measures(
    {"buffer": 3, "certified": 5}, 1, 2, 0, 3, 4, 1000, ledger_is_writable=True, transfer_warnings={"near-threshold": 1}
)


def done(result: JobResult = JobResult.DONE, troubles: int = 0) -> dict[JobName, JobReport]:
    return {JobName.DELETIONS: JobReport(result, NOW, troubles)}


GOOD = Snapshot(looked_at=NOW, is_catalog_reachable=True, policy=IN_FORCE, measures=MEASURES, reports=done())


@pytest.mark.parametrize(
    ("snapshot", "status"),
    [
        pytest.param(GOOD, "waiting", id="between two cycles"),
        pytest.param(replace(GOOD, running=JobName.DELETIONS, moved_at=NOW), "working", id="in a cycle"),
        pytest.param(replace(GOOD, reports=done(JobResult.STANDING_BY)), "standing-by", id="while another one works"),
        pytest.param(replace(GOOD, reports=done(JobResult.REFUSED)), "refused", id="while an approval is missing"),
        pytest.param(replace(GOOD, reports=done(troubles=3)), "waiting", id="where some deletions could not go on"),
        pytest.param(replace(GOOD, is_policy_rejected=True), "waiting", id="while the policy file is wrong"),
    ],
)
def test_it_is_well(snapshot: Snapshot, status: str) -> None:
    document, code = health_document(snapshot, NOW)
    assert (code, document["status"], document["problems"]) == (200, status, [])


@pytest.mark.parametrize(
    ("snapshot", "problem"),
    [
        pytest.param(replace(GOOD, is_catalog_reachable=False), "the catalogue cannot be reached", id="no catalogue"),
        pytest.param(replace(GOOD, policy=None), "no policy is in force", id="no policy"),
        pytest.param(
            replace(GOOD, measures=replace(MEASURES, ledger_is_writable=False)),
            "the ledger cannot be written",
            id="a full or read-only disk under the ledger",
        ),
        pytest.param(replace(GOOD, reports=done(JobResult.FAILED)), "deletions failed", id="a cycle that failed"),
        pytest.param(
            replace(GOOD, looked_at=NOW - timedelta(minutes=11)),
            "it has not looked at the catalogue for too long",
            id="a main thread that hangs",
        ),
        pytest.param(
            replace(GOOD, running=JobName.DELETIONS, moved_at=NOW - timedelta(minutes=61)),
            "deletions has not moved for too long",
            id="a worker that hangs",
        ),
    ],
)
def test_it_is_not_well(snapshot: Snapshot, problem: str) -> None:
    document, code = health_document(snapshot, NOW)
    assert (code, document["status"], document["problems"]) == (503, "failing", [problem])


def test_before_anything_is_known_it_is_not_well() -> None:
    assert health_document(Health().snapshot(), NOW)[1] == 503


def test_a_later_success_ends_a_failure() -> None:
    health = Health()
    health.looked(NOW, is_reachable=True)
    health.policy_is(IN_FORCE)
    for result in (JobResult.FAILED, JobResult.DONE):
        health.began(JobName.DELETIONS, NOW)
        health.ended(JobName.DELETIONS, JobReport(result, NOW))
    assert health.snapshot().problems(NOW) == ()


def test_metrics_count_what_happened() -> None:
    health = Health()
    health.measured(MEASURES)
    health.began(JobName.DELETIONS, NOW)
    health.moved(NOW, StepKind.ERASE)
    health.moved(NOW)
    health.ended(JobName.DELETIONS, JobReport(JobResult.DONE, NOW, trouble_count=2))
    health.began(JobName.DELETIONS, NOW)
    health.ended(JobName.DELETIONS, JobReport(JobResult.FAILED, NOW + timedelta(hours=1)))
    lines = metrics_text(health.snapshot(), NOW).decode().splitlines()
    assert {
        'retention_steps_total{step="erase"} 1.0',
        'retention_steps_total{step="shred"} 0.0',
        'retention_runs_total{job="deletions",result="done"} 1.0',
        'retention_runs_total{job="deletions",result="failed"} 1.0',
        'retention_last_done_timestamp_seconds{job="deletions"} 1.796094e+09',
        'retention_cases{state="certified"} 5.0',
        "retention_overdue_cases 1.0",
        "retention_failed_copies 2.0",
        "retention_keys_waiting_for_epoch 4.0",
        "retention_ledger_entries 1000.0",
        'retention_transfer_warnings{code="near-threshold"} 1.0',
        "retention_healthy 0.0",
    } <= set(lines)
