"""`status` and `explain`: where every case stands, and why this date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Customer, Json
from retention.cli.shown import Document, as_json, at, say, say_json, say_table
from retention.errors import NotInOrder

if TYPE_CHECKING:
    from retention.model.copy import SetEnd
    from retention.workflows.status import CaseStatus, CopyLine


def status(customer: Customer = None, config: Config = None, *, json: Json = False) -> None:
    """Show where every case stands, and how every copy ended. Exits with 4 when one is overdue, failed or unsupported."""
    from retention.workflows.status import status as status_of
    from retention.workflows.timetable import time_zone_of
    from retention.workflows.transfer_warnings import transfer_warnings

    with opened(config) as deployment:
        cases = status_of(deployment, customer)
        warnings = transfer_warnings(deployment, customer)
        zone = time_zone_of(deployment)
    if json:
        say_json({"cases": [_case_json(case) for case in cases], "warnings": [as_json(each) for each in warnings]})
    elif not cases:
        say("No cases.")
    elif customer is None:
        _show_all(cases, zone)
    else:
        for case in cases:
            _show_one(case, zone)
    if not json:
        for warning in warnings:
            say(f"warning: {warning.en}")
    if not is_in_order(cases):
        raise typer.Exit(NotInOrder.exit_code)


def is_in_order(cases: Sequence[CaseStatus]) -> bool:
    """Whether nothing is overdue, no copy failed, and none lies where it can neither be deleted nor kept from readers."""
    return not any(case.is_overdue or case.has_failed_copy or case.has_unsupported_copy for case in cases)


def _case_json(case: CaseStatus) -> Document:
    document = as_json(case)
    assert isinstance(document, dict)
    document["left"] = [{"dataset": dataset, "needed_by": needed_by} for dataset, needed_by in case.left]
    return document


def _show_all(cases: Sequence[CaseStatus], zone: ZoneInfo) -> None:
    rows = [
        (
            case.customer,
            case.case,
            f"{case.rule} ({case.clause})",
            _state(case),
            at(case.due_at, zone),
            at(case.complete_by, zone),
            _ends(case),
        )
        for case in cases
    ]
    say_table(("customer", "case", "rule", "state", "due", "complete by", "copies"), rows)
    overdue, failed = sum(case.is_overdue for case in cases), sum(case.has_failed_copy for case in cases)
    say(f"\n{len(cases)} cases, {overdue} overdue, {failed} with a failed copy")
    unsupported = sum(case.has_unsupported_copy for case in cases)
    if unsupported:
        say(f"UNSUPPORTED: {unsupported} cases have a copy that can neither be deleted now nor kept from readers")


def _state(case: CaseStatus) -> str:
    return f"{case.state}, OVERDUE" if case.is_overdue else case.state


def _ends(case: CaseStatus) -> str:
    counts = Counter(str(line.end_state or "open") for line in case.copies)
    return ", ".join(f"{count} {end}" for end, count in sorted(counts.items())) or "-"


def _show_one(case: CaseStatus, zone: ZoneInfo) -> None:
    say(f"case {case.case}: {_state(case)}")
    say(f"  rule {case.rule}, clause {case.clause}, policy {case.policy_hash[:16]}")
    say(f"  started {at(case.started_at, zone)}, due {at(case.due_at, zone)}")
    say(f"  complete by {at(case.complete_by, zone)}")
    if case.shredded_at:
        gone = at(case.unrecoverable_at, zone) if case.unrecoverable_at else "when the next epoch key is destroyed"
        say(f"  keys destroyed {at(case.shredded_at, zone)}; gone from every old copy of the key store: {gone}")
    for dataset, needed_by in case.left:
        say(f"  {dataset} stays: {needed_by} still needs it")
    if case.copies:
        say_table(
            ("dataset", "copy", "end state", "until", "seen", "gone", "reason"),
            [_copy(line, zone) for line in case.copies],
        )
    waiting = [(line, end) for line in case.copies for end in line.sets if not end.end_state.is_gone]
    if waiting:
        say("  backup sets that are not gone yet:")
        say_table(
            ("dataset", "set", "state", "until", "reason", "the read that was tried"),
            [_set(line, end, zone) for line, end in waiting],
        )
    say("")


def _set(line: CopyLine, end: SetEnd, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        line.dataset,
        f"{end.store}:{end.set}",
        str(end.end_state),
        at(end.until, zone),
        end.reason or "",
        end.refusal or "-",
    )


def _copy(line: CopyLine, zone: ZoneInfo) -> tuple[str, ...]:
    where = f"{line.role} in {line.store}" + (f" ({line.backup})" if line.backup else "")
    where += f" of {line.subscription}" if line.subscription else ""
    end = str(line.end_state or "open")
    counts = (str(line.seen_count), str(line.gone_count))
    return (line.dataset, where, end, at(line.until, zone), *counts, line.reason or "")


def explain(
    customer: Annotated[str, typer.Argument(show_default=False)],
    dataset: Annotated[str | None, typer.Argument(metavar="[DATASET]", help="Only this dataset.")] = None,
    lang: Annotated[str, typer.Option(metavar="zh|en", help="The language.")] = "en",
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Explain why a date is what it is: fact, rule, clause, counting, what stops it, what would happen next."""
    from retention.workflows.explain import explain as explain_to

    with opened(config) as deployment:
        explained = explain_to(deployment, customer, dataset, lang)
    if json:
        say_json(as_json(explained))
        return
    for line in explained.text:
        say(line)
