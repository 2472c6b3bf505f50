"""`transfer check`: may this data go there now?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import Document, as_json, at, say, say_json, tell
from retention.errors import InputError, RefusedByRule

_Option = typer.Option
_LARGEST_FILE = 32 << 20
"""Bytes of a file of names: more than the names of any one decision."""


def check(
    customer: Annotated[str, typer.Argument(show_default=False)],
    dataset: Annotated[str, typer.Argument(show_default=False)],
    to: Annotated[
        str, _Option("--to", metavar="PLACE", help="A store, a region or a territory (SG).", show_default=False)
    ],
    origin: Annotated[str | None, _Option("--from", metavar="PLACE", help="Where it lies; home, if not given.")] = None,
    recipient: Annotated[str | None, _Option("--recipient", help="Who gets it, as the consent names them.")] = None,
    purpose: Annotated[str | None, _Option("--purpose", help="What for, as the consent says.")] = None,
    service: Annotated[str | None, _Option("--service", help="The service that needs it.")] = None,
    persons: Annotated[
        int | None, _Option("--persons", min=0, help="How many individuals it adds to those of this year.")
    ] = None,
    sensitive: Annotated[
        int | None, _Option("--sensitive", min=0, help="Of how many of them sensitive information is in it.")
    ] = None,
    persons_file: Annotated[
        Path | None,
        _Option("--persons-file", metavar="FILE", help="Who they are, one a line; each counts once a year."),
    ] = None,
    sensitive_file: Annotated[
        Path | None,
        _Option("--sensitive-file", metavar="FILE", help="Those whose sensitive information is in it, one a line."),
    ] = None,
    approval: Annotated[
        str | None, _Option("--approval", help="The competent authority's approval of a foreign authority's request.")
    ] = None,
    lang: Annotated[str, _Option("--lang", metavar="zh|en", help="The language.")] = "en",
    config: Config = None,
    *,
    foreign_authority: Annotated[
        bool, _Option("--foreign-authority", help="A foreign court or agency asks for it (PIPL, 41).")
    ] = False,
    json: Json = False,
) -> None:
    """Decide whether a customer's data may go somewhere now, and record it. Moves nothing. Exits with 3 unless allowed."""
    from retention.model.transfer import TransferRequest, Verdict
    from retention.workflows.decide_transfer import check_transfer, home_of, territory_of
    from retention.workflows.said_reasons import sentences_of, warnings_of
    from retention.workflows.timetable import time_zone_of

    if lang not in ("zh", "en"):
        raise InputError(f"--lang: {lang!r} is no language here; write zh or en")
    names, sensitive_names = _names(persons_file), _names(sensitive_file)
    with opened(config) as deployment:
        zone = time_zone_of(deployment)
        request = TransferRequest(
            customer=customer,
            dataset=dataset,
            source=home_of(deployment) if origin is None else territory_of(deployment, origin),
            destination=territory_of(deployment, to),
            recipient=recipient,
            purpose=purpose,
            service=service,
            persons=persons,
            sensitive_persons=sensitive,
            foreign_authority=foreign_authority,
            approval=approval,
        )
        decided = check_transfer(deployment, request, names, sensitive_names)
    decision = decided.decision
    if json:
        document = as_json(decided)
        assert isinstance(document, dict)
        told: dict[str, Document] = {"zh": list(sentences_of(decision, "zh")), "en": list(sentences_of(decision, "en"))}
        say_json({**document, "sentences": told})
    else:
        say(f"{decision.verdict}: decision {decided.id}, entry {decided.entry} of the ledger")
        for sentence in sentences_of(decision, lang):
            say(f"  {sentence}")
        if decision.valid_until is not None:
            say(f"  until {at(decision.valid_until, zone)}, or until something of it changes")
    for sentence in warnings_of(decision, lang):
        tell(f"warning: {sentence}")
    if decision.verdict is not Verdict.ALLOW:
        raise typer.Exit(RefusedByRule.exit_code)


def _names(file: Path | None) -> list[str] | None:
    """The lines of a file of names; None for no file. Raises InputError where it is too large or not UTF-8."""
    if file is None:
        return None
    with file.open("rb") as source:
        data = source.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise InputError(f"{file}: larger than {_LARGEST_FILE >> 20} MiB; split it")
    try:
        return data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{file}:{line}: not UTF-8; save it as UTF-8") from None
