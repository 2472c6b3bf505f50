"""`demo`: a small provider's half year in a minute, told day by day, with a table of what happened to whom at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from retention.cli.options import Json
from retention.cli.shown import as_json, say, say_json, say_table
from retention.errors import NotInOrder

if TYPE_CHECKING:
    from retention.demo.story import Day, Ending
    from retention.workflows.status import CaseStatus

_ZONE = ZoneInfo("Asia/Shanghai")
_INTO = Path("var/demo")

Into = Annotated[Path, typer.Option("--into", metavar="FOLDER", help="Where the demo's provider lives; made anew.")]


def demo(into: Into = _INTO, *, json: Json = False) -> None:
    """Run a small provider with customers, stores, caches and backups, and its whole life, in a minute."""
    from retention.demo import story

    platform = story.begin(into)
    try:
        before = platform.fingerprint(story.STAYING)
        if not json:
            _introduce(into)
        with _progress(story.DAYS, quiet=json) as advance:
            for day in story.live(platform):
                advance(day)
        ending = story.end(platform, before)
    finally:
        platform.deployment.close()
    if json:
        say_json(as_json(ending))
    else:
        _show(ending, into)
    if ending.findings or not ending.staying_is_unchanged or not ending.tampering or ending.abroad.left_count:
        raise typer.Exit(NotInOrder.exit_code)


def _introduce(into: Path) -> None:
    from retention.demo import story

    say(f"A provider with {len(story.CUSTOMERS)} customers lives in {into}: sealed objects and rows, a cache, plain")
    say(f"access logs, backups. {story.DAYS} days pass; every day the daemon's cycle runs.\n")


@contextmanager
def _progress(days: int, *, quiet: bool) -> Iterator[Callable[[Day], None]]:
    """What shows a day: on a terminal with a moving bar, elsewhere only when something was told on it."""
    if quiet or not sys.stdout.isatty():
        yield _say_nothing if quiet else _say_day
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"))
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=days)

        def show(day: Day) -> None:
            progress.update(task, completed=day.number, description=str(_day_of(day.at)))
            for line in _lines(day):
                progress.console.print(line, markup=False, highlight=False)

        yield show


def _say_day(day: Day) -> None:
    for line in _lines(day):
        say(line)


def _say_nothing(day: Day) -> None:
    """For programs: the result alone is printed."""


def _lines(day: Day) -> list[str]:
    return [f"{_day_of(day.at)}  {sentence}" for sentence in day.sentences]


def _day_of(at: datetime) -> date:
    return at.astimezone(_ZONE).date()


def _show(ending: Ending, into: Path) -> None:
    say("")
    say_table(("customer", "why", "state", "due", "gone for good", "copies"), [_row(case) for case in ending.cases])
    say("")
    for case in ending.cases:
        for dataset, needed_by in case.left:
            say(f"{case.customer}: {dataset} stays, because subscription {needed_by} still needs it")
    certificate = next(iter(ending.certificates.values()))
    say(
        f"\n{len(ending.certificates)} certificates in {certificate.parent}, each as JSON, tlog-proof and PDF; one of them:"
    )
    say(f"  {certificate.name}")
    say(f"Checked offline, with the public key alone: {ending.entry_count} ledger entries, {_found(ending.findings)}.")
    say(f"A copy with one word changed is found out: {ending.tampering[0] if ending.tampering else 'NOT FOUND'}")
    _show_backups(ending)
    _show_abroad(ending)
    say(f"The regulator's report on all of it, checked too: {ending.report}/report.pdf (and XLSX, CSV, JSON, a page).")
    unchanged = "unchanged" if ending.staying_is_unchanged else "CHANGED"
    say(f"The customer who stays: every object and row is {unchanged}.\n")
    say("Check it yourself:")
    say(f'  retention verify {into}/ledger {certificate} {ending.report} --key "$(cat {ending.key_file})"')


def _show_backups(ending: Ending) -> None:
    story = ending.quarantine
    counts = f"{story.quarantined_count} backup sets went to quarantine, and {story.deleted_count} were deleted"
    say(f"{counts}, each on the first day on which it could be.")
    say(f"A read was tried on each and refused: {story.attempt}.")
    if ending.restored is not None:
        who = ", ".join(ending.restored_customers)
        say(f"{ending.restored.set} came back through the restore gate with the logs of {who}:")
        say(
            f"{ending.restored.removed} files of others were in it, and the ledger was replayed before it was given out."
        )


def _show_abroad(ending: Ending) -> None:
    story = ending.abroad
    say(
        f"{story.copied_count} objects went to Singapore under a consent; after its withdrawal {story.left_count} lie there."
    )
    say(f"Of another customer nothing left: {'; '.join(story.denied)}.")


def _found(findings: Sequence[object]) -> str:
    return "nothing wrong" if not findings else f"{len(findings)} FINDINGS: {findings[0]}"


def _row(case: CaseStatus) -> tuple[str, ...]:
    counts: dict[str, int] = {}
    for copy in case.copies:
        word = str(copy.end_state or "open")
        counts[word] = counts.get(word, 0) + 1
    return (
        case.customer,
        f"{case.rule} ({case.clause})",
        case.state,
        str(_day_of(case.due_at)) if case.due_at else "-",
        str(_day_of(case.unrecoverable_at)) if case.unrecoverable_at else "-",
        ", ".join(f"{count} {word}" for word, count in sorted(counts.items())) or "everything is there again",
    )
