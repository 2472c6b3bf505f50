"""The guard against clock jumps: a wrong clock makes everybody look due at once.

The wall clock is compared with a clock that nobody can set, since the last run; across a restart of the machine only going
backwards can be told. After a jump nothing irreversible happens until an officer has approved exactly this jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from retention.catalog import clock_readings, policies
from retention.clock import Reading
from retention.evidence.canonical import JsonValue, hash_json
from retention.evidence.entries import Entry, EntryType
from retention.model.policy import Policy
from retention.workflows.deployment import Deployment
from retention.workflows.record_facts import tolerance


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The wall clock moved `by` more (or, negative, less) than time did. `subject` is what an officer approves."""

    by: timedelta
    subject: str


def find_jump(before: Reading, now: Reading, allowed: timedelta) -> timedelta | None:
    """How far the wall clock jumped between two readings beyond `allowed`, or None where it did not."""
    walked = now.at - before.at
    if now.boot == before.boot:
        jumped = walked - timedelta(seconds=now.ticks - before.ticks)
    else:
        jumped = min(walked, timedelta(0))
    return jumped if abs(jumped) > allowed else None


def check_clock(deployment: Deployment, policy: Policy) -> ClockJump | None:
    """None when the clock may be trusted, and then its reading is remembered; else the jump, recorded as evidence.

    A jump stays found until it is approved; an approval is for that one jump, from that one reading.
    """
    now = deployment.clock.reading()
    with deployment.catalog.transaction() as session:
        before = clock_readings.last_reading(session)
        jumped = find_jump(before, now, tolerance(policy)) if before else None
        if before is None or jumped is None:
            clock_readings.put_reading(session, now)
            return None
        subject = hash_json({"clock-jump": before.at.isoformat(), "hours": round(jumped / timedelta(hours=1))})
        if policies.approval_count(session, subject) >= policy.approval.over_limit:
            clock_readings.put_reading(session, now)
            return None
        body: dict[str, JsonValue] = {"seconds": int(jumped.total_seconds()), "subject": subject}
        deployment.journal.write(session, Entry(EntryType.CLOCK_JUMP, now.at, body, policy=policy.hash))
    deployment.journal.publish()
    return ClockJump(jumped, subject)
