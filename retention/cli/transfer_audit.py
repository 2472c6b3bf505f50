"""`transfer audit`: what leaves home or lies abroad without a decision, and closing it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import Document, as_json, at, say, say_json, tell
from retention.errors import InputError, NotInOrder

if TYPE_CHECKING:
    from retention.workflows.audit_transfers import TransferFinding
    from retention.workflows.close_ways_out import Proposal, Remedied
    from retention.workflows.deployment import Deployment

_Option = typer.Option
_NAMED = 5


def audit(
    only: Annotated[
        list[str] | None, _Option("--only", metavar="FINDING", help="Enforce only this finding; several are allowed.")
    ] = None,
    undo: Annotated[
        str | None, _Option("--undo", metavar="ID", help="Put a store's setting back to what it was before --enforce.")
    ] = None,
    lang: Annotated[str, _Option("--lang", metavar="zh|en", help="The language.")] = "en",
    config: Config = None,
    *,
    enforce: Annotated[
        bool,
        _Option("--enforce", help="Remove replication rules and deny writes, as shown; each can be undone."),
    ] = False,
    json: Json = False,
) -> None:
    """Find what leaves home, or lies abroad, without a decision that allows it. Exits with 4 while anything is found."""
    if lang not in ("zh", "en"):
        raise InputError(f"--lang: {lang!r} is no language here; write zh or en")
    if only and not enforce:
        raise InputError("--only names what --enforce is about; add --enforce")
    with opened(config) as deployment:
        if undo is not None:
            _undo(deployment, undo, json=json)
        else:
            _audit(deployment, set(only or ()), lang, enforce=enforce, json=json)


def _audit(deployment: Deployment, only: set[str], lang: str, *, enforce: bool, json: bool) -> None:
    from retention.workflows.audit_transfers import audit_transfers
    from retention.workflows.close_ways_out import remedy_finding

    findings = audit_transfers(deployment)
    if unknown := only - {finding.id for finding in findings}:
        raise InputError(f"--only: no finding {', '.join(sorted(unknown))} is there (any more)")
    if not json:
        _show_findings(deployment, findings, lang)
    show = partial(_show_change, lang, json=json)
    results = [
        remedy_finding(deployment, each, show, enforce=enforce and (not only or each.id in only)) for each in findings
    ]
    if json:
        say_json(_document(findings, results))
    else:
        _show_results(results)
    standing = [finding for finding, result in zip(findings, results, strict=True) if not result.puts_in_order(finding)]
    if standing:
        hint = "" if enforce or not any(each.proposals for each in results) else "; --enforce makes the changes shown"
        tell(f"{len(standing)} of {len(findings)} findings stand{hint}")
        raise typer.Exit(NotInOrder.exit_code)


def _show_findings(deployment: Deployment, findings: Sequence[TransferFinding], lang: str) -> None:
    from retention.workflows.close_ways_out import ways_closed
    from retention.workflows.said_findings import finding_sentence
    from retention.workflows.timetable import time_zone_of

    zone = time_zone_of(deployment)
    for finding in findings:
        say(f"{finding.id}  {finding_sentence(finding, lang)}")
        if finding.customers:
            named = ", ".join(finding.customers[:_NAMED])
            more = f" and {finding.customer_count - _NAMED} more" if finding.customer_count > _NAMED else ""
            say(f"          customers: {named}{more}")
    for way in ways_closed(deployment):
        say(
            f"closed {at(way.closed_at, zone)} in {way.store}: {way.way}; undo: retention transfer audit --undo {way.id}"
        )


def _show_results(results: Sequence[Remedied]) -> None:
    for result in results:
        for way in result.closed:
            say(f"{result.finding}  done: {way.way}; undo: retention transfer audit --undo {way.id}")
        if result.trouble:
            tell(f"{result.finding}  {result.trouble}")
    if not results:
        say("Nothing leaves home, or lies abroad, without a decision.")


def _show_change(lang: str, proposal: Proposal, *, json: bool) -> None:
    from retention.workflows.said_findings import remedy_sentence

    if json:
        return
    say(f"{proposal.finding}  {proposal.store}: {remedy_sentence(proposal.remedy, proposal.subject, lang)}")
    before, after = (_lines(text) for text in (proposal.change.before, proposal.change.after))
    for line in difflib.unified_diff(before, after, "before", "after", lineterm="", n=1):
        say(f"    {line}")


def _lines(setting: str | None) -> list[str]:
    """The setting as lines that can be compared: a tag or a member each."""
    text = setting or ""
    for mark in ("><", ",", "{", "["):
        text = text.replace(mark, mark[:1] + "\n" + mark[1:])
    return [line.strip() for line in text.splitlines() if line.strip()]


def _undo(deployment: Deployment, way_id: str, *, json: bool) -> None:
    from retention.workflows.close_ways_out import undo_closing

    way = undo_closing(deployment, way_id)
    if json:
        say_json({"undone": as_json(way)})
    else:
        say(f"{way.store}: the {way.what} is as it was before {way.way}")


def _document(findings: Sequence[TransferFinding], results: Sequence[Remedied]) -> Document:
    from retention.workflows.said_findings import finding_sentence

    told: list[Document] = []
    for finding, result in zip(findings, results, strict=True):
        document = as_json(finding)
        assert isinstance(document, dict)
        sentences: dict[str, Document] = {
            "zh": finding_sentence(finding, "zh"),
            "en": finding_sentence(finding, "en"),
        }
        changes: dict[str, Document] = {
            "changes": [as_json(proposal) for proposal in result.proposals],
            "closed": [as_json(way) for way in result.closed],
            "trouble": result.trouble,
        }
        told.append({**document, **sentences, **changes})
    return {"findings": told}
