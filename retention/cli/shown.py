"""How results are shown: JSON for programs, tables on a terminal, plain aligned lines where the output is piped."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

Document = None | bool | int | float | str | Sequence["Document"] | dict[str, "Document"]

_MOST_UNBROKEN = 20
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def say(text: str) -> None:
    """A line of the result, on standard output."""
    typer.echo(text)


def tell(text: str) -> None:
    """A line about the result (a problem, a warning), on standard error."""
    typer.echo(text, err=True)


def say_json(document: Document) -> None:
    """The result as indented JSON, its text as it is and not escaped."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def as_json(noun: object) -> Document:
    """A noun as JSON values: fields by their names, instants in UTC as RFC 3339, enumerations by their words."""
    from pydantic import TypeAdapter

    document: Document = TypeAdapter(type(noun)).dump_python(noun, mode="json")
    return document


def at(instant: datetime | None, zone: ZoneInfo) -> str:
    """The instant as people of the policy's zone read it: `2026-12-06 00:00 +08:00`, with seconds if any; `-` for none."""
    if instant is None:
        return "-"
    local = instant.astimezone(zone)
    text = local.isoformat(sep=" ", timespec="seconds" if local.second else "minutes")
    return f"{text[:-6]} {text[-6:]}"


def size(count: int) -> str:
    """Bytes for reading: `0 B`, `1.5 kB`, in powers of 1,000."""
    amount, unit = float(count), 0
    while amount >= 1_000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1_000, unit + 1
    return f"{count} B" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def say_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: ruled and folded to its width on a terminal; elsewhere one whole line per row, columns two spaces apart."""
    if sys.stdout.isatty():
        _ruled(headings, rows)
        return
    from rich.cells import cell_len

    lines = [tuple(heading.upper() for heading in headings), *rows]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(headings))]
    for line in lines:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())


def _ruled(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    columns = [(heading, *cells) for heading, *cells in zip(headings, *rows, strict=True)]
    has_room = sum(_longest_word(cells) + 2 for cells in columns) + 2 <= console.width
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for cells in columns:  # names of cases and the like stay whole, so that they can be copied
        is_one_word = all(" " not in cell and cell_len(cell) <= _MOST_UNBROKEN for cell in cells)
        table.add_column(cells[0], overflow="fold", no_wrap=has_room and is_one_word)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # as it is: a customer's name is no markup
    console.print(table)


def _longest_word(cells: Sequence[str]) -> int:
    from rich.cells import cell_len

    return min(max(cell_len(word) for cell in cells for word in (cell or "-").split()), _MOST_UNBROKEN)
