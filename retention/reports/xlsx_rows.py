"""Rows of a worksheet as its XML: quick, because a report has millions of cells, and text in it is text, never markup. Pure.

Source: ECMA-376-1, 18.3.1.4 (c), 18.3.1.73 (row), 18.4.12 (t), 22.9.2.19 (escaped characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from html import escape
from typing import TypeAlias

from retention.reports.cells import all_entries, local
from retention.reports.document import Cell, CellKind, Lang, Report, Row, Table, Text
from retention.reports.wording import on_one_line, sound

LONGEST_TEXT = 32_767
"""Characters that fit into a cell, counted as UTF-16 does."""

Styles: TypeAlias = Mapping[CellKind, int]
"""The numbers of the workbook's formats, by kind."""

_EXACT = 10**15
_FIRST_DAY = date(1900, 3, 1)
"""Excel counts a day in 1900 that there was not; before it, dates are text."""

_OF_TEXT = frozenset({CellKind.TEXT, CellKind.ENTRIES, CellKind.FLAG})
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's dates have no zone
_CUT = " […]"
_ODD = re.compile("[&<>\x00-\x1f\ud800-\udfff\ufffe\uffff]|_x|\\A\\s|\\s\\Z")
"""What a text must not have to stand in XML, and in a cell, as it is."""

_ESCAPED = re.compile("_(?=x[0-9a-fA-F]{4}_)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def xml_rows(
    rows: Iterable[tuple[int, Row]], table: Table, report: Report, lang: Lang, styles: Styles
) -> Iterator[str]:
    """Each of the numbered rows as a `row` element; 1 is the first row of a sheet. Empty cells are left out."""
    columns = [(_letters(index), column.kind) for index, column in enumerate(table.columns)]
    said = _Cells(report, lang, styles)
    for number, row in rows:
        cells = "".join(
            [
                f'<c r="{letters}{number}"{said.cell(cell, kind)}</c>'
                for (letters, kind), cell in zip(columns, row, strict=True)
                if cell is not None
            ]
        )
        yield f'<row r="{number}">{cells}</row>'


def fitting(text: str) -> str:
    """The text as far as a cell can hold it, with a mark where it is cut; the CSV and JSON have all of it."""
    if len(text) > LONGEST_TEXT // 2 and len(text.encode("utf-16-le")) // 2 > LONGEST_TEXT:
        return text.encode("utf-16-le")[: 2 * (LONGEST_TEXT - len(_CUT))].decode("utf-16-le", "ignore") + _CUT
    return text


class _Cells:
    """Cells from behind their place on: ` s="3"><v>7</v>`."""

    def __init__(self, report: Report, lang: Lang, styles: Styles) -> None:
        self._report, self._lang = report, lang
        style = {kind: f' s="{styles[kind]}"' for kind in CellKind}
        self._number = {kind: f"{style[CellKind.COUNT if kind in _OF_TEXT else kind]}><v>" for kind in CellKind}
        self._text = f'{style[CellKind.TEXT]} t="inlineStr"><is><t>'
        self._spaced = f'{style[CellKind.TEXT]} t="inlineStr"><is><t xml:space="preserve">'
        self._flag = f'{style[CellKind.COUNT]} t="b"><v>'

    def cell(self, cell: Cell, kind: CellKind) -> str:
        """The cell, whatever it is; of nothing there is no cell."""
        match cell:
            case str():
                return self._plain(cell)
            case datetime():
                return self._instant(local(cell, self._report).replace(tzinfo=None))
            case Text():
                return self._plain(on_one_line(cell, self._lang))
            case bool():
                return f"{self._flag}{cell:d}</v>"
            case tuple():
                return self._plain(all_entries(cell))
            case date():
                return self._day(cell)
            case int() if abs(cell) < _EXACT:
                return f"{self._number[kind]}{cell}</v>"
            case float() if abs(cell) < _EXACT:
                return f"{self._number[kind]}{cell:.16G}</v>"
            case _:  # Excel has 15 digits, and would change the others
                return self._plain(repr(cell))

    def _instant(self, at: datetime) -> str:
        if at.date() < _FIRST_DAY:
            return self._plain(at.isoformat())
        since = at - _DAY_ZERO
        return f"{self._number[CellKind.INSTANT]}{since.days + (since.seconds + since.microseconds / 1e6) / 86_400:.16G}</v>"

    def _day(self, day: date) -> str:
        if day < _FIRST_DAY:
            return self._plain(day.isoformat())
        return f"{self._number[CellKind.DAY]}{(day - _DAY_ZERO.date()).days}</v>"

    def _plain(self, text: str) -> str:
        if len(text) <= LONGEST_TEXT // 2 and _ODD.search(text) is None:
            return f"{self._text}{text}</t></is>"
        escaped = _ESCAPED.sub("_x005F_", fitting(sound(text)))
        escaped = _CONTROL.sub(lambda found: f"_x{ord(found.group()):04X}_", escaped)
        return f"{self._spaced}{escape(escaped, quote=False)}</t></is>"


def _letters(index: int) -> str:
    """A column's name: A to Z, then AA."""
    before, last = divmod(index, 26)
    return (_letters(before - 1) if before else "") + chr(ord("A") + last)
