"""What the daemon knows of itself: written by its threads, read by whoever asks over HTTP. No personal data."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from retention.model.plan import StepKind
from retention.workflows.measure import Measures
from retention.workflows.timetable import InForce

LOOKS_AT_LEAST_EVERY = timedelta(minutes=10)
MOVES_AT_LEAST_EVERY = timedelta(hours=1)
"""Longer than the longest listing between two batches; a job that is silent for longer hangs."""


class JobName(StrEnum):
    """The jobs that the daemon runs."""

    DELETIONS = "deletions"
    VERIFICATION = "verification"
    BACKUPS = "backups"
    DRILLS = "drills"
    REPORT = "report"


class JobResult(StrEnum):
    """How a job ended."""

    DONE = "done"
    REFUSED = "refused"  # a limit or the clock stops it before its first change, until somebody approves
    STANDING_BY = "standing-by"  # another process has the lease
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobReport:
    """How a job ended, and when (aware UTC); `trouble_count` deletions could not go on in it."""

    result: JobResult
    at: datetime
    trouble_count: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one moment. None is "not known yet". Instants aware UTC."""

    looked_at: datetime | None = None
    is_catalog_reachable: bool = False
    policy: InForce | None = None
    is_policy_rejected: bool = False
    is_policy_waiting: bool = False
    measures: Measures | None = None
    running: JobName | None = None
    moved_at: datetime | None = None
    reports: Mapping[JobName, JobReport] = field(default_factory=dict)
    done_at: Mapping[JobName, datetime] = field(default_factory=dict)
    next_runs: Mapping[JobName, datetime] = field(default_factory=dict)
    steps: Mapping[StepKind, int] = field(default_factory=dict)
    results: Mapping[tuple[JobName, JobResult], int] = field(default_factory=dict)

    def problems(self, now: datetime) -> tuple[str, ...]:
        """What keeps the daemon from its work at `now`; empty while it works, stands by, or waits for an approval."""
        found = []
        if self.looked_at is None or now - self.looked_at > LOOKS_AT_LEAST_EVERY:
            found.append("it has not looked at the catalogue for too long")
        if not self.is_catalog_reachable:
            found.append("the catalogue cannot be reached")
        if self.policy is None:
            found.append("no policy is in force")
        if self.measures is not None and not self.measures.ledger_is_writable:
            found.append("the ledger cannot be written")
        if self.running and self.moved_at and now - self.moved_at > MOVES_AT_LEAST_EVERY:
            found.append(f"{self.running} has not moved for too long")
        found += [f"{name} failed" for name, report in self.reports.items() if report.result is JobResult.FAILED]
        return tuple(found)

    @property
    def lease(self) -> str:
        """Who acts on the catalogue, as far as this process knows: `this` one, `another`, or `nobody`."""
        if self.running:
            return "this"
        last = [report.result for report in self.reports.values()]
        return "another" if JobResult.STANDING_BY in last else "nobody"


class Health:
    """The present snapshot. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None
        self._is_reachable = False
        self._policy: InForce | None = None
        self._is_rejected = self._is_waiting = False
        self._measures: Measures | None = None
        self._running: JobName | None = None
        self._moved_at: datetime | None = None
        self._reports: dict[JobName, JobReport] = {}
        self._done_at: dict[JobName, datetime] = {}
        self._next_runs: Mapping[JobName, datetime] = {}
        self._steps: Counter[StepKind] = Counter()
        self._results: Counter[tuple[JobName, JobResult]] = Counter()

    def snapshot(self) -> Snapshot:
        """Everything known now, of one moment."""
        with self._lock:
            return Snapshot(
                looked_at=self._looked_at,
                is_catalog_reachable=self._is_reachable,
                policy=self._policy,
                is_policy_rejected=self._is_rejected,
                is_policy_waiting=self._is_waiting,
                measures=self._measures,
                running=self._running,
                moved_at=self._moved_at,
                reports=dict(self._reports),
                done_at=dict(self._done_at),
                next_runs=self._next_runs,
                steps=dict(self._steps),
                results=dict(self._results),
            )

    def looked(self, now: datetime, *, is_reachable: bool) -> None:
        """The catalogue was asked, and answered or not."""
        with self._lock:
            self._looked_at, self._is_reachable = now, is_reachable

    def due_next(self, next_runs: Mapping[JobName, datetime]) -> None:
        """When each job runs next."""
        with self._lock:
            self._next_runs = dict(next_runs)

    def policy_is(self, in_force: InForce) -> None:
        """This version is in force."""
        with self._lock:
            self._policy = in_force

    def policy_file_is(self, *, rejected: bool = False, waiting: bool = False) -> None:
        """What became of the policy file as it is now."""
        with self._lock:
            self._is_rejected, self._is_waiting = rejected, waiting

    def measured(self, measures: Measures) -> None:
        """The numbers of now."""
        with self._lock:
            self._measures = measures

    def began(self, job: JobName, now: datetime) -> None:
        """A job runs from now on."""
        with self._lock:
            self._running, self._moved_at = job, now

    def moved(self, now: datetime, step_done: StepKind | None = None) -> None:
        """The running job goes on; with `step_done`, a step of this kind is done."""
        with self._lock:
            self._moved_at = now
            if step_done is not None:
                self._steps[step_done] += 1

    def ended(self, job: JobName, report: JobReport) -> None:
        """A job has ended."""
        with self._lock:
            self._running = None
            self._reports[job] = report
            self._results[job, report.result] += 1
            if report.result is JobResult.DONE:
                self._done_at[job] = report.at
