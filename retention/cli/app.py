"""The command `retention`: its commands by name, and what every failure becomes, a line per problem and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

import retention
from retention.cli import (
    backups,
    consents,
    deletions,
    demo,
    evidence,
    facts,
    holds,
    keys,
    policies,
    reports,
    standing,
    transfer_audit,
    transfer_copy,
    transfers,
)
from retention.cli.shown import say, tell

UNEXPECTED = 70
"""The exit code of a mistake in this program, which none of 1 to 4 is. Source: sysexits.h, EX_SOFTWARE."""

app = typer.Typer(
    name="retention",
    help="Customer data goes when it must, everywhere, on time, and anyone can check it.",
    epilog="Exit codes: 0 done, 1 input or policy wrong, 2 usage, 3 refused by a rule, "
    "4 overdue, unverified or tampered with.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
hold_app = typer.Typer(help="Orders that stop deletion.", no_args_is_help=True, rich_markup_mode=None)
consent_app = typer.Typer(
    help="The register of separate consents to transfers.", no_args_is_help=True, rich_markup_mode=None
)
transfer_app = typer.Typer(help="The cross-border gate.", no_args_is_help=True, rich_markup_mode=None)
backup_app = typer.Typer(
    help="Backup sets: inventory, the restore gate, and a rehearsal of it.", no_args_is_help=True, rich_markup_mode=None
)
key_app = typer.Typer(help="Customer keys, and their epoch keys.", no_args_is_help=True, rich_markup_mode=None)

for command in (policies.check, deletions.plan, policies.diff, policies.approve, deletions.run, facts.record):
    app.command()(command)
app.command()(standing.status)
app.command()(standing.explain)
app.add_typer(hold_app, name="hold")
hold_app.command()(holds.place)
hold_app.command()(holds.release)
hold_app.command("list")(holds.list_)
app.add_typer(consent_app, name="consent")
consent_app.command()(consents.record)
consent_app.command()(consents.withdraw)
consent_app.command("list")(consents.list_)
app.add_typer(transfer_app, name="transfer")
transfer_app.command()(transfers.check)
transfer_app.command()(transfer_copy.copy)
transfer_app.command()(transfer_audit.audit)
app.add_typer(backup_app, name="backup")
backup_app.command()(backups.scan)
backup_app.command("list")(backups.list_)
backup_app.command()(backups.restore)
backup_app.command()(backups.drill)
app.add_typer(key_app, name="key")
key_app.command("list")(keys.list_)
key_app.command()(keys.roll)
app.command()(keys.seal)
app.command("open")(keys.open_)
app.command()(reports.report)
app.command()(evidence.certify)
app.command()(evidence.verify)
app.command()(demo.demo)


@app.callback(invoke_without_command=True)
def _whole(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False
) -> None:
    if version:
        say(f"retention {retention.__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the process's) name; its exit code."""
    try:
        app(args=arguments, prog_name="retention")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:  # noqa: BLE001 - nothing is above this: whatever it is becomes a message and a code
        return show_failure(error)
    return 0


def show_failure(error: Exception) -> int:
    """The exit code of a failure, after a line per problem on standard error; with RETENTION_DEBUG set, the traceback too."""
    from retention.workflows.failures import explain_failure, shown_problems

    if os.environ.get("RETENTION_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    failure = explain_failure(error)
    if failure is None:
        tell(f"retention: a mistake in this program: {type(error).__name__}; RETENTION_DEBUG=1 shows where")
        return UNEXPECTED
    for problem in shown_problems(failure):
        tell(problem)
    return failure.exit_code
