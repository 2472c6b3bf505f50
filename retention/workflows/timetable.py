"""When the daemon does what: the cron lines of the policy in force, ready for a scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from retention.policy.cron import CronFields, parse_cron
from retention.workflows.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Timetable:
    """The cron fields of each job, to be read in `time_zone`; None for one that does not run by itself."""

    time_zone: ZoneInfo
    deletions: CronFields
    verification: CronFields
    backups: CronFields | None = None
    drills: CronFields | None = None
    report: CronFields | None = None


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy version that is in force now, by name and content hash, and its timetable."""

    version: str
    hash: str
    timetable: Timetable


def policy_in_force(deployment: Deployment) -> InForce:
    """The version in force now. Raises InputError where none was adopted yet."""
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    schedule = policy.schedule
    timetable = Timetable(
        policy.time_zone,
        deletions=parse_cron(schedule.deletions),
        verification=parse_cron(schedule.verification),
        backups=parse_cron(schedule.backups),
        drills=parse_cron(schedule.drills) if schedule.drills else None,
        report=parse_cron(schedule.report),
    )
    return InForce(policy.version, policy.hash, timetable)


def time_zone_of(deployment: Deployment) -> ZoneInfo:
    """The zone in which the policy in force counts, and in which people are shown times; UTC before the first policy."""
    with deployment.catalog.reading() as session:
        if not deployment.shelf.versions(session):
            return ZoneInfo("UTC")
        return deployment.shelf.in_force(session, deployment.clock.now()).time_zone


def has_policy(deployment: Deployment) -> bool:
    """Whether a version was ever adopted."""
    with deployment.catalog.reading() as session:
        return bool(deployment.shelf.versions(session))
