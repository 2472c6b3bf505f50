"""Cells and rows: checked against what their table announces, and as a printed page shows them. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from retention.errors import RetentionError
from retention.reports.document import Cell, CellKind, Column, Lang, Report, Row, Table, Text
from retention.reports.wording import Said, Word, on_one_line, say, sound

RIGHT_ALIGNED = frozenset({CellKind.COUNT, CellKind.BYTES, CellKind.SHARE})
ENTRY_GROUPS_SHOWN = 4
LONGEST_PRINTED = 200
"""Characters of one printed cell."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


class ReportInconsistent(RetentionError):
    """A report's content contradicts what it says about itself: rows, columns or names that do not fit."""


def counted_rows(table: Table) -> Iterator[Row]:
    """Every row. ReportInconsistent, at the latest behind the last row, when their number or width is not as announced."""
    count = 0
    for count, row in enumerate(table.rows(), 1):
        if len(row) != len(table.columns):
            raise ReportInconsistent(f"table {table.name}, row {count}: {len(row)} cells, not {len(table.columns)}")
        yield row
    if count != table.row_count:
        raise ReportInconsistent(f"table {table.name}: {count} rows, not {table.row_count} as announced")


def shown_rows(table: Table) -> Iterator[Row]:
    """The first rows, as many as a page shows."""
    return islice(table.rows(), table.shown_rows)


def local(at: datetime, report: Report) -> datetime:
    """The instant in the report's zone. ReportInconsistent for a naive one: nobody could say when it was."""
    if at.utcoffset() is None:
        raise ReportInconsistent("an instant of a report has a time zone")
    return at.astimezone(report.zone)


def heading(column: Column, lang: Lang, report: Report) -> Text:
    """The title of a column where cells are exact values: with the zone of its instants and the unit of its bytes."""
    match column.kind:
        case CellKind.INSTANT:
            zh = en = report.zone.key
        case CellKind.BYTES:
            zh, en = Word.BYTES.text.zh, Word.BYTES.text.en
        case _:
            return column.title
    return Text(f"{column.title.zh}（{zh}）", f"{column.title.en} ({en})")


@dataclass(frozen=True, slots=True)
class Printer:
    """Says cells as people read them, in one language and the report's zone."""

    report: Report
    lang: Lang

    def cell(self, cell: Cell, kind: CellKind, longest: int | None = None) -> Said:
        """The cell as it is read; an empty one is a dash. Text above `longest` characters is cut, and says so."""
        match cell:
            case None:
                return Said("—")
            case Text():
                return say(cell, self.lang)
            case str():
                return Said(self._cut(sound(cell), longest))
            case bool():
                return say((Word.YES if cell else Word.NO).text, self.lang)
            case datetime():
                return Said(local(cell, self.report).strftime("%Y-%m-%d %H:%M"))
            case date():
                return Said(cell.isoformat())
            case tuple():
                return Said(printed_entries(cell))
            case int() | float():
                return Said(printed_number(cell, kind))

    def _cut(self, text: str, longest: int | None) -> str:
        if longest is None or len(text) <= longest:
            return text
        return text[:longest].rstrip() + on_one_line(
            Word.CELL_CUT.text, Lang.ZH if self.lang is Lang.BOTH else self.lang
        )


def printed_number(number: float, kind: CellKind) -> str:
    """`12,345`, `1.5 GiB`, `97.3%`. A share is only 0 % or 100 % when it is exactly that."""
    match kind:
        case CellKind.SHARE:
            return printed_share(number)
        case CellKind.BYTES:
            return printed_bytes(int(number))
        case _:
            return f"{number:,}"


def printed_share(share: float) -> str:
    """Per cent with one place, rounded towards 50 %, so that 0.9999 does not become everything, nor 0.0001 nothing."""
    thousandths = share * 1000
    whole = math.floor(thousandths + 1e-9) if share > 0.5 else math.ceil(thousandths - 1e-9)
    return f"{whole / 10:.1f}%"


def printed_bytes(count: int) -> str:
    """With a binary unit and three digits at least."""
    size, unit = float(count), 0
    while abs(size) >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.{2 if abs(size) < 10 else 1}f} {_UNITS[unit]}"


def printed_entries(numbers: tuple[int, ...], groups: int = ENTRY_GROUPS_SHOWN) -> str:
    """`#12, #15–18`; behind a few groups `… (of 40)` says how many entries there are."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    shown = [f"#{first}" if first == last else f"#{first}–{last}" for first, last in runs[:groups]]
    return ", ".join(shown) + (f" … ({len(numbers)})" if len(runs) > groups else "")


def iso_instant(at: datetime, report: Report) -> str:
    """ISO 8601 in the report's zone, with its offset; microseconds where there are any. Source: ISO 8601-1:2019, 5.4.2."""
    return local(at, report).isoformat()


def all_entries(numbers: tuple[int, ...]) -> str:
    """Every entry number, parted by spaces, as CSV and XLSX have them."""
    return " ".join(map(str, numbers))
