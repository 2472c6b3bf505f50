"""One cycle of the daemon, and the whole of `retention run --once`.

Take the lease, look at the clock, make the plan, look at the limits, carry it out, roll the keys, publish the evidence.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from uuid import uuid4

import structlog
from sqlalchemy.exc import DBAPIError

from retention.catalog import leases
from retention.catalog.leases import Lease
from retention.errors import RefusedByRule
from retention.evidence.entries import Entry, EntryType
from retention.model.plan import Plan
from retention.workflows.carry_out_plan import RunHooks, RunReport, carry_out_plan
from retention.workflows.clock_guard import check_clock
from retention.workflows.deployment import Deployment
from retention.workflows.limits import find_over_limit
from retention.workflows.plan_deletions import content_hash, item_key, plan_deletions
from retention.workflows.roll_keys import Rolled, roll_if_due
from retention.workflows.scan_backups import notice_lifted_locks
from retention.workflows.strand_run import LEASE_NAME

_SHORTEST_BEAT = 0.2  # seconds

_log = structlog.get_logger(__name__)


class NotTheOwner(RefusedByRule):
    """Another daemon has the lease of this catalogue; this process does not act."""


class RunRefused(RefusedByRule):
    """A limit or the clock stops the run before its first change; the message says what to approve."""


@dataclass(slots=True)
class Cycle:
    """What one cycle came to. `plan` is the first plan of the cycle; `skipped` were shown and are not due as shown."""

    plan: Plan
    report: RunReport
    rolled: Rolled | None = None
    skipped: list[str] = field(default_factory=list)


@contextmanager
def owned(deployment: Deployment) -> Iterator[Lease]:
    """The lease, for as long as the block runs. Raises NotTheOwner where another process has it."""
    with deployment.catalog.transaction() as session:
        lease = leases.take(session, LEASE_NAME, _new_holder(), deployment.wall.now(), deployment.lease_term)
    if lease is None:
        raise NotTheOwner("another process is acting on this catalogue; it has the lease")
    try:
        with _kept_alive(deployment, lease):
            yield lease
    finally:
        with deployment.catalog.transaction() as session:
            leases.give_up(session, lease, deployment.wall.now())


@contextmanager
def _kept_alive(deployment: Deployment, lease: Lease) -> Iterator[None]:
    """The lease does not expire while this process lives and the block runs: a store may be listed for minutes."""
    ended = Event()
    every = max(deployment.lease_term.total_seconds() / 3, _SHORTEST_BEAT)

    def renew() -> None:
        while not ended.wait(every):
            try:
                with deployment.catalog.transaction() as session:
                    if not leases.renew(session, lease, deployment.wall.now(), deployment.lease_term):
                        return  # taken over: whoever works under it finds out before its next change
            except DBAPIError as error:
                _log.warning("lease not renewed", error=type(error).__name__)

    beat = Thread(target=renew, name="lease", daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()


def _new_holder() -> str:
    """A name for one use of the lease: two jobs of one process exclude each other like two daemons do."""
    return f"{socket.gethostname()[:100]}/{os.getpid()}/{uuid4().hex[:12]}"


def run_cycle(deployment: Deployment, hooks: RunHooks | None = None, shown: Plan | None = None) -> Cycle:
    """Everything that is due is done as far as it can be now. With `shown`, only what that plan showed, and nothing else.

    Raises NotTheOwner, RunRefused (clock, limits: nothing was changed), LeaseLost and Stopped.
    """
    with owned(deployment) as lease:
        deployment.journal.publish()
        now = deployment.clock.now()
        with deployment.catalog.reading() as session:
            policy = deployment.shelf.in_force(session, now)
        jump = check_clock(deployment, policy)
        if jump is not None:
            raise RunRefused(
                f"the clock jumped by {jump.by}; set it right, or approve {jump.subject} if it is right now"
            )
        if shown is None:
            notice_lifted_locks(deployment)
        plan = plan_deletions(deployment, now, count=False)
        skipped: list[str] = []
        if shown is not None:
            plan, skipped = _only_shown(plan, shown)
        over = find_over_limit(deployment, shown or plan, policy)
        if over is not None:
            raise RunRefused(over.sentence)
        cycle = Cycle(plan, RunReport(), skipped=skipped)
        _work_off(deployment, cycle, lease, hooks or RunHooks(), policy.hash)
        cycle.rolled = roll_if_due(deployment, deployment.clock.now())
        _close(deployment, cycle, lease, hooks or RunHooks())
        return cycle


def _work_off(deployment: Deployment, cycle: Cycle, lease: Lease, hooks: RunHooks, policy_hash: str) -> None:
    if not cycle.plan.acting:
        return
    _tell(deployment, EntryType.RUN_STARTED, policy_hash, {"plan": cycle.plan.hash, "items": len(cycle.plan.acting)})
    cycle.report = carry_out_plan(deployment, cycle.plan, lease, hooks)
    told: dict[str, str | int] = {
        "plan": cycle.plan.hash,
        "steps": cycle.report.steps_taken,
        "troubles": len(cycle.report.troubles),
    }
    _tell(deployment, EntryType.RUN_FINISHED, policy_hash, told)


def _close(deployment: Deployment, cycle: Cycle, lease: Lease, hooks: RunHooks) -> None:
    """Strands of this cycle that only waited for their keys are closed in it; nothing else is begun."""
    rest = plan_deletions(deployment, deployment.clock.now(), count=False)
    mine = tuple(item for item in rest.acting if item.strand in cycle.report.strands and _only_closes(item.steps))
    if mine:
        report = carry_out_plan(deployment, replace(rest, items=mine, hash=content_hash(mine)), lease, hooks)
        cycle.report.steps_taken += report.steps_taken
        cycle.report.troubles += report.troubles
    deployment.catalog.forget_freed_pages()  # what a run that was killed right after a shred left there
    deployment.journal.publish()


def _only_closes(steps: Iterable[object]) -> bool:
    return [str(step) for step in steps] == ["certify"]


def _only_shown(fresh: Plan, shown: Plan) -> tuple[Plan, list[str]]:
    """What of the shown plan is still exactly due, and the strands that are not; what is new since is left out."""
    due, seen = _by_strand(fresh), _by_strand(shown)
    lost = {strand for strand, items in seen.items() if due.get(strand) != items}
    kept = tuple(item for item in fresh.acting if item.strand in seen and item.strand not in lost)
    return Plan(fresh.as_of, fresh.policy_hash, kept, content_hash(kept)), sorted(lost)


def _by_strand(plan: Plan) -> dict[str, set[str]]:
    """What the plan would do to each strand, so that two plans can be compared."""
    found: dict[str, set[str]] = {}
    for item in plan.acting:
        found.setdefault(item.strand, set()).add(str(item_key(item)))
    return found


def _tell(deployment: Deployment, kind: EntryType, policy_hash: str, body: dict[str, str | int]) -> None:
    with deployment.catalog.transaction() as session:
        entry = Entry(kind, deployment.clock.now(), dict(body), policy=policy_hash)
        deployment.journal.write(session, entry)
    deployment.journal.publish()
