"""`report`: the regulator's export, one signed bundle about a period."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from retention.cli.opening import opened, settings_of
from retention.cli.options import Config, Json
from retention.cli.shown import say, say_json
from retention.errors import InputError


def report(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day.", show_default=False)],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="The last day, included.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.", show_default=False)],
    lang: Annotated[str, typer.Option(metavar="zh|en|both", help="The language.")] = "both",
    ground: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why names are given out; the ledger records that they were."),
    ] = None,
    config: Config = None,
    *,
    identify: Annotated[bool, typer.Option("--identify", help="Name customers; needs --ground.")] = False,
    json: Json = False,
) -> None:
    """Report on a period: PDF, XLSX, CSV, JSON and HTML with a manifest and proofs, which `verify` checks offline."""
    from retention.reports.document import Lang
    from retention.workflows.compile_report import ReportOrder, compile_report

    if identify is not (ground is not None):
        raise InputError("--identify needs --ground, and --ground is only for --identify: say why names are given out")
    if lang not in set(Lang):
        raise InputError(f"--lang: {lang!r} is none of zh, en, both")
    issuer = settings_of(config).reports.issuer
    order = ReportOrder(_day(first, "--from"), _day(last, "--to"), Lang(lang), ground, issuer)
    with opened(config) as deployment:
        issued = compile_report(deployment, order, out)
        key = str(deployment.journal.ledger.key)
    if json:
        say_json(
            {
                "report": issued.number,
                "folder": str(issued.folder),
                "entry": issued.entry,
                "manifest": issued.manifest,
                "files": issued.file_count,
                "cases": issued.case_count,
                "due": issued.due_count,
                "overdue": issued.overdue_count,
                "verifier_key": key,
            }
        )
        return
    say(f"{out}: report {issued.number}, ledger entry {issued.entry}")
    say(
        f"deletions due: {issued.due_count}, overdue: {issued.overdue_count}, in the list of cases: {issued.case_count}"
    )
    say(f"check it with: retention verify {out} --key {key}")


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f'{option}: {text!r} is no day; write "2026-11-30"') from None
