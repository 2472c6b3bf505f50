"""The daemon's jobs at the policy's times, on one worker: jobs never overlap.

The job store is memory: nothing is shared between processes, and everything is made anew from the policy at every start.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from retention.clock import Clock
from retention.daemon.health import JobName
from retention.workflows.timetable import Timetable

Work = Callable[[], None]


class Timer:
    """Runs `works` at their times. `clock` is the machine's: cron lines mean its time, in the policy's zone."""

    def __init__(self, works: dict[JobName, Work], clock: Clock) -> None:
        self._works = works
        self._clock = clock
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def start(self, timetable: Timetable) -> None:
        """Keep the timetable from now on; the first cycle begins at once, for nobody knows how long we were away."""
        self.keep(timetable)
        self._scheduler.start()
        self.run_within(JobName.DELETIONS, timedelta(0))

    def keep(self, timetable: Timetable) -> None:
        """Every job is due at its next time from now, whatever was planned before; a running one is left alone."""
        fields_of = {
            JobName.DELETIONS: timetable.deletions,
            JobName.VERIFICATION: timetable.verification,
            JobName.BACKUPS: timetable.backups,
            JobName.DRILLS: timetable.drills,
            JobName.REPORT: timetable.report,
        }
        for name, fields in fields_of.items():
            if fields is None:
                if self._scheduler.get_job(name) is not None:
                    self._scheduler.remove_job(name)
                continue
            trigger = CronTrigger(
                minute=fields.minute,
                hour=fields.hour,
                day=fields.day,
                month=fields.month,
                day_of_week=fields.day_of_week,
                timezone=timetable.time_zone,
            )
            self._scheduler.add_job(self._works[name], trigger, id=name, name=name, replace_existing=True)

    def run_within(self, name: JobName, delay: timedelta) -> None:
        """The job runs after `delay` at the latest; its times after that stay as they are."""
        job = self._scheduler.get_job(name)
        at = self._clock.now() + delay
        if job is not None and (job.next_run_time is None or job.next_run_time > at):
            job.modify(next_run_time=at)

    def was_due(self, name: JobName, since: datetime) -> bool:
        """Whether one of the job's times lay between `since` (aware) and now."""
        job = self._scheduler.get_job(name)
        at = job.trigger.get_next_fire_time(None, since) if job is not None else None
        return at is not None and at <= self._clock.now()

    def next_runs(self) -> dict[JobName, datetime]:
        """When each job is due next, aware."""
        due = {name: self._scheduler.get_job(name) for name in self._works}
        return {name: job.next_run_time for name, job in due.items() if job is not None and job.next_run_time}

    def stop(self) -> None:
        """No job begins any more, and the running one has ended."""
        self._scheduler.shutdown(wait=True)
