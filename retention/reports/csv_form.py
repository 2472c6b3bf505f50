"""One CSV file per table, for programs and for spreadsheets that must not run what a customer's name says.

Source: RFC 4180 (CRLF, quotes); OWASP, CSV Injection. Format: `docs/formats/report.md`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from retention.reports.cells import all_entries, counted_rows, heading, iso_instant
from retention.reports.document import Cell, Lang, Report, Table, Text
from retention.reports.wording import on_one_line, sound

_BLANK = r"[^\S\t\r\n]|[\u200b-\u200f\u2028-\u202f\u2060\ufeff]"
_LIVE = r"[=+\-@＝＋－＠]"
_SEAM = re.compile(rf"\A(?=(?:{_BLANK})*(?:{_LIVE}|[\t\r\n])|')|(?<=[;\t\r\n])(?=(?:{_BLANK})*{_LIVE}|')")
"""Where a spreadsheet may begin a cell (`;` and tab part cells in some countries) and would find a formula."""

_PARTS = re.compile(r"[;\t\r\n]")
_GUARD = re.compile(r"(?:\A|(?<=[;\t\r\n]))'")


def neutralised(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet could take what follows for a formula. `original` undoes it."""
    if text[:1].isalnum() and _PARTS.search(text) is None:  # most cells, and quicker to see than to search
        return text
    return _SEAM.sub("'", text)


def original(text: str) -> str:
    """What was given to `neutralised`."""
    return _GUARD.sub("", text)


def write_csv(report: Report, table: Table, path: Path, lang: Lang) -> None:
    """The table's file, with every row and column. ReportInconsistent when the rows are not as announced."""
    with path.open("x", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(header(report, table, lang))
        writer.writerows(_lines(report, table, lang))


def header(report: Report, table: Table, lang: Lang) -> list[str]:
    """The first line: each column's title, and behind it in square brackets its name, as the JSON has it."""
    titles = (on_one_line(heading(column, lang, report), lang) for column in table.columns)
    return [neutralised(f"{title} [{column.name}]") for title, column in zip(titles, table.columns, strict=True)]


def _lines(report: Report, table: Table, lang: Lang) -> Iterator[list[str]]:
    for row in counted_rows(table):
        yield [field(cell, report, lang) for cell in row]


def field(cell: Cell, report: Report, lang: Lang) -> str:
    """The cell as text: an instant with its offset, entry numbers parted by spaces, a share as a number, true or false."""
    match cell:
        case None:
            return ""
        case str():
            return neutralised(sound(cell))
        case datetime():
            return iso_instant(cell, report)
        case Text():
            return neutralised(sound(on_one_line(cell, lang)))
        case bool():
            return "true" if cell else "false"
        case date():
            return cell.isoformat()
        case tuple():
            return all_entries(cell)
        case int() | float():
            return repr(cell)
