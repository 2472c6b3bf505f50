"""`check`, `diff` and `approve`: the policy before it is in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from retention.cli.opening import has_catalog, opened, settings_of
from retention.cli.options import POLICY_FILE, Config, Json
from retention.cli.shown import as_json, at, say, say_json, say_table, tell
from retention.errors import InputError

if TYPE_CHECKING:
    from retention.model.policy import Policy
    from retention.workflows.diff_policies import Dates, Moved, PolicyDiff

_MOST_NAMES = 5


def check(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The policy.")] = POLICY_FILE,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Validate a policy: every problem at once, with its place and what to write instead."""
    from retention.workflows.check_policy import check_policy

    settings = settings_of(config)
    try:
        policy = check_policy(file, settings.store_kinds)
    except InputError as error:
        if not json:
            raise
        say_json({"valid": False, "file": str(file), "problems": list(error.problems)})
        raise typer.Exit(error.exit_code) from None
    if json:
        say_json({"valid": True, "file": str(file), "problems": [], **_summary(policy)})
        return
    say(f"{file} is valid: {policy.title}, version {policy.version}")
    say(f"effective {at(policy.effective_at, policy.time_zone)}")
    counts = f"{len(policy.services)} services, {len(policy.datasets)} datasets, {len(policy.rules)} rules"
    say(f"{counts}; stores as in {settings.path or 'the embedded default'}")
    say(f"content hash {policy.hash}")


def _summary(policy: Policy) -> dict[str, str]:
    return {
        "title": policy.title,
        "version": policy.version,
        "effective_at": policy.effective_at.isoformat().replace("+00:00", "Z"),
        "policy_hash": policy.hash,
    }


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The policy as it was.", show_default=False)],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The policy as it would be.", show_default=False)],
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Show whose dates a policy change moves, and how.

    Open cases keep their version. For every other customer: what would be due when, if a fact that starts a deletion
    happened now, under OLD and under NEW. Where there is no catalogue yet, only the values are compared.
    """
    from retention.workflows.diff_policies import diff_policies
    from retention.workflows.timetable import time_zone_of

    settings = settings_of(config)
    if not has_catalog(settings):
        _show_diff(diff_policies(None, old, new, settings.store_kinds), ZoneInfo("UTC"), json=json)
        return
    with opened(config) as deployment:
        found = diff_policies(deployment, old, new, settings.store_kinds)
        _show_diff(found, time_zone_of(deployment), json=json)


def _show_diff(found: PolicyDiff, zone: ZoneInfo, *, json: bool) -> None:
    if json:
        say_json(as_json(found))
        return
    if not found.changes:
        say("The two mean the same.")
        return
    for change in found.changes:
        say(f"{'*' if change.moves_dates else ' '} {change}")
    say("\n* can move dates")
    if found.as_of is None:
        tell("no catalogue here: whose dates it moves was not looked at")
        return
    say(f"{found.kept_case_count} open cases keep their version.")
    if not found.moved:
        say(f"No dates of {found.customer_count} customers would move.")
        return
    say(f"If it happened now ({at(found.as_of, zone)}):\n")
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in found.moved:
        alike.setdefault(_moved(row, zone), []).append(row.customer)
    rows = [(*row, _names(customers)) for row, customers in alike.items()]
    say_table(("fact", "service", "dataset", "due", "complete by", "customers"), rows)


def _moved(row: Moved, zone: ZoneInfo) -> tuple[str, ...]:
    dataset = f"{row.dataset} ({row.subscription})" if row.subscription else row.dataset
    due, complete_by = (_change(row.before, row.after, name, zone) for name in ("due_at", "complete_by"))
    return (str(row.fact_type), row.service or "all", dataset, due, complete_by)


def _names(customers: list[str]) -> str:
    """All of them in JSON; here the first few, and how many there are."""
    shown = ", ".join(customers[:_MOST_NAMES])
    return shown if len(customers) <= _MOST_NAMES else f"{shown} and {len(customers) - _MOST_NAMES} more"


def _change(before: Dates | None, after: Dates | None, name: str, zone: ZoneInfo) -> str:
    was = at(getattr(before, name), zone) if before else "not deleted"
    becomes = at(getattr(after, name), zone) if after else "not deleted"
    return was if was == becomes else f"{was} → {becomes}"


def approve(
    plan_or_policy: Annotated[
        str, typer.Argument(help="A plan file, a policy file, or a content hash.", show_default=False)
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="The officer who approves.", show_default=False)],
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Approve a plan, a policy or a clock jump, where the policy asks for a second pair of eyes.

    An approved policy is adopted by `retention run`. Approving twice changes nothing.
    """
    from retention.workflows.approval import approve_named

    with opened(config) as deployment:
        approved = approve_named(deployment, plan_or_policy, by)
    if json:
        say_json(as_json(approved))
        return
    say(f"{approved.what} {approved.subject} is approved by {by}" + ("" if approved.is_new else ", as before"))
    say(f"approvals so far: {approved.count}")
