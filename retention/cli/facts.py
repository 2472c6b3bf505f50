"""`record`: facts come in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.opening import opened
from retention.cli.options import Config, Json
from retention.cli.shown import Document, as_json, say, say_json, tell
from retention.errors import InputError

if TYPE_CHECKING:
    from retention.workflows.record_facts import Recorded

_MOST_BYTES = 1 << 30  # far beyond what the workflow takes; it only keeps an endless stream out of memory


def record(
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="CloudEvents JSON: one event, an array, or one a line.")
    ] = "-",
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Record the facts that are right, name the others, and exit with 1.")
    ] = False,
    config: Config = None,
    *,
    json: Json = False,
) -> None:
    """Take in facts. With one wrong fact none is recorded; a fact that is repeated changes nothing."""
    from retention.workflows.take_in_facts import take_in_facts

    text, name = _read(file)
    with opened(config) as deployment:
        try:
            taken = take_in_facts(deployment, text, name, keep_good=keep_good)
        except InputError as error:
            raise InputError([*error.problems, "mend these, or keep the others with --keep-good"]) from None
    if json:
        say_json({**recorded_json(taken.recorded), "problems": list(taken.problems)})
    else:
        show_recorded(taken.recorded)
    for problem in taken.problems:
        tell(problem)
    if taken.problems:
        raise typer.Exit(InputError.exit_code)


def show_recorded(recorded: Recorded) -> None:
    """What the facts came to, for people; warnings on standard error."""
    said = [f"{recorded.new_count} recorded"]
    said += [f"{recorded.repeated_count} repeated"] if recorded.repeated_count else []
    said += [f"{len(recorded.opened)} cases opened"] if recorded.opened else []
    said += [f"{len(recorded.brought_back)} deletions cancelled"] if recorded.brought_back else []
    say(", ".join(said))
    for warning in recorded.warnings:
        tell(f"warning: {warning}")


def recorded_json(recorded: Recorded) -> dict[str, Document]:
    """The keys that `record`, `hold place` and `hold release` have in common."""
    document = as_json(recorded)
    assert isinstance(document, dict)
    return document


def _read(file: str) -> tuple[str, str]:
    """The text of the input, and its name in messages."""
    if file == "-":
        data, name = sys.stdin.buffer.read(_MOST_BYTES), "-"
    else:
        with Path(file).open("rb") as source:
            data, name = source.read(_MOST_BYTES), file
    try:
        return data.decode("utf-8-sig"), name
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: not UTF-8; save it as UTF-8") from None
