"""`plan` and `run`: what would be done, and doing it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.files import writing
from retention.cli.instants import read_instant
from retention.cli.opening import opened, settings_of
from retention.cli.options import POLICY_FILE, Config, Json, PolicyFile
from retention.cli.shown import Document, as_json, at, say, say_json, say_table, size, tell
from retention.cli.standing import is_in_order
from retention.errors import InputError, NotInOrder

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from retention.model.plan import Plan, PlanItem
    from retention.workflows.deployment import Deployment
    from retention.workflows.find_drift import Drift
    from retention.workflows.run_cycle import Cycle
    from retention.workflows.strand_run import Moment


def plan(
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="Preview this moment instead of now.")] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="Keep the plan, for `approve` and `run --plan`.")
    ] = None,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Show what would be done, to which copies, why and when. Touches nothing.

    Tables that look like a customer's and that no dataset covers are named too.
    """
    from retention.workflows.find_drift import find_drift
    from retention.workflows.plan_deletions import plan_deletions
    from retention.workflows.plan_file import plan_document
    from retention.workflows.timetable import time_zone_of

    with opened(config) as deployment:
        zone = time_zone_of(deployment)
        instant = read_instant(as_of, zone, "--as-of") if as_of else deployment.clock.now()
        made = plan_deletions(deployment, instant)
        drifts = find_drift(deployment)
    if out is not None:
        with writing(out) as file:
            file.write(plan_document(made).encode())
    if json:
        document = as_json(made)
        assert isinstance(document, dict)
        say_json({**document, "drift": [as_json(drift) for drift in drifts]})
        return
    _show_plan(made, zone)
    for drift in drifts:
        tell(_drift(drift))
    if out is not None:
        say(f"kept in {out}: retention run --plan {out} does this and nothing else")


def _drift(drift: Drift) -> str:
    if drift.problem is not None:
        return f"tables that the policy forgot could not be looked for: {drift.problem}"
    names = ", ".join(drift.tables)
    return f"{drift.store}: {names} may hold customers' data and is in no dataset; add it to the policy"


def _show_plan(made: Plan, zone: ZoneInfo) -> None:
    if made.items:
        headings = ("due", "customer", "case", "dataset", "copy", "what", "items", "size", "rule", "why")
        say_table(headings, [_item(item, zone) for item in made.items])
        say("")
    acting = made.acting
    customers = {item.customer for item in acting}
    waiting = len(made.items) - len(acting)
    say(f"{len(acting)} copies of {len(customers)} customers to act on, {waiting} waiting")
    say(f"as of {at(made.as_of, zone)}, plan {made.hash}")


def _item(item: PlanItem, zone: ZoneInfo) -> tuple[str, ...]:
    counted = (str(item.count), size(item.bytes)) if item.steps else ("", "")
    until = f" until {at(item.block.until, zone)}" if item.block and item.block.until else ""
    return (
        at(item.due_at, zone),
        item.customer,
        item.case,
        item.copy.dataset,
        f"{item.copy.role} in {item.copy.store}" + (f" ({item.copy.territory})" if item.copy.territory else ""),
        " → ".join(item.steps) or f"{item.block.kind if item.block else 'nothing'}{until}",
        *counted,
        f"{item.rule} ({item.clause})",
        item.reason,
    )


def run(
    once: Annotated[bool, typer.Option("--once", help="One cycle, and exit: for cron or a CronJob.")] = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", metavar="FILE", help="Do what this plan showed, and nothing else; once.")
    ] = None,
    policy: PolicyFile = POLICY_FILE,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Run the daemon, or one cycle. Adopts the policy file first; a wrong one leaves the version in force as it is.

    A catalogue that was restored from an old copy is brought up to date with the ledger before anything else.

    With --once, exits with 3 when a limit, the clock or another process stops it before its first change, with 4 when
    something is overdue or a copy failed after it, with 1 when the policy file is wrong, and else with 0, also where
    something only waits. The daemon exits with 0 on SIGTERM, after the step that is under way.
    """
    if once or plan is not None:
        _run_once(plan, policy, config, json=json)
        return
    from retention.daemon.daemon import run_daemon

    raise typer.Exit(run_daemon(settings_of(config), policy))


def _run_once(plan_file: Path | None, policy_file: Path, config: Path | None, *, json: bool) -> None:
    from retention.daemon.stopping import stopping_on_signals
    from retention.workflows.carry_out_plan import RunHooks
    from retention.workflows.plan_file import read_plan
    from retention.workflows.replay_ledger import catch_up
    from retention.workflows.run_cycle import run_cycle
    from retention.workflows.status import status
    from retention.workflows.strand_run import Stopped

    shown = read_plan(plan_file) if plan_file is not None else None
    with opened(config, may_begin=True) as deployment, stopping_on_signals() as stop:
        replayed = catch_up(deployment)
        if replayed is not None:
            tell(replayed.sentence)
        problems = _adopt(deployment, policy_file)
        try:
            with _progress(deployment, is_wanted=sys.stderr.isatty() and not json) as observe:
                cycle = run_cycle(deployment, RunHooks(observe, stop.is_set), shown)
        except Stopped:
            tell("stopped after the step that was under way; the next run goes on from there")
            raise typer.Exit(128 + stop.signal) from None
        in_order = is_in_order(status(deployment))
    if json:
        say_json(_cycle_json(cycle, in_order=in_order))
    else:
        _show_cycle(cycle)
    for problem in problems:
        tell(problem)
    if not in_order:
        tell("something is overdue or a copy failed: `retention status` shows it")
        raise typer.Exit(NotInOrder.exit_code)
    if problems:
        raise typer.Exit(InputError.exit_code)


def _adopt(deployment: Deployment, policy_file: Path) -> tuple[str, ...]:
    """Adopt the file; everything wrong in it, where another version is in force and the cycle can go on under that one."""
    from retention.workflows.adopt_policy import AdoptionResult, adopt_policy
    from retention.workflows.timetable import has_policy

    try:
        adoption = adopt_policy(deployment, policy_file)
    except InputError as wrong:
        if not has_policy(deployment):
            raise
        return (*wrong.problems, "the version adopted before stays in force")
    if adoption.result is AdoptionResult.WAITS:
        count = f"{adoption.approvals} of {adoption.needed} approvals"
        tell(
            f"policy version {adoption.policy.version} waits with {count}: `retention approve {policy_file} --by NAME`"
        )
    if adoption.result is AdoptionResult.ADOPTED:
        tell(f"policy version {adoption.policy.version} is adopted")
    return ()


@contextmanager
def _progress(deployment: Deployment, *, is_wanted: bool) -> Iterator[Callable[[Moment], None]]:
    """What is told of each moment of the run: a bar on standard error, where it is wanted."""
    if not is_wanted:
        yield lambda moment: None
        return
    from rich.console import Console
    from rich.progress import Progress

    from retention.workflows.plan_deletions import plan_deletions

    acting = plan_deletions(deployment, deployment.clock.now(), count=False).acting
    total = len({(item.strand, step) for item in acting for step in item.steps})
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("steps", total=total)

        def observe(moment: Moment) -> None:
            bar.update(task, advance=moment.phase == "outcome", description=str(moment.step))

        yield observe


def _cycle_json(cycle: Cycle, *, in_order: bool) -> Document:
    return {
        "plan": cycle.plan.hash,
        "steps_taken": cycle.report.steps_taken,
        "strands": list(cycle.report.strands),
        "troubles": [{"strand": strand, "reason": reason} for strand, reason in cycle.report.troubles],
        "skipped": list(cycle.skipped),
        "rolled": as_json(cycle.rolled) if cycle.rolled else None,
        "in_order": in_order,
    }


def _show_cycle(cycle: Cycle) -> None:
    say(f"{cycle.report.steps_taken} steps taken for {len(cycle.report.strands)} deletions")
    if cycle.rolled:
        say(f"epoch {cycle.rolled.epoch} is current, {len(cycle.rolled.destroyed)} destroyed")
    for strand in cycle.skipped:
        tell(f"{strand}: not due as the plan showed it; left alone")
    for strand, reason in cycle.report.troubles:
        tell(f"{strand}: {reason}")
