"""One workbook: a title page, then a sheet per table, written row by row. The same bytes for the same data.

Text is text: nothing that stands in a cell is ever a formula, a link or a number made of text.
Source: ECMA-376-1, 18.3.1. Format: `docs/formats/report.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from retention.reports.cells import ReportInconsistent, counted_rows, heading
from retention.reports.document import CellKind, Column, Lang, Report, Row, Table
from retention.reports.title_page import title_facts
from retention.reports.wording import Word, on_one_line, sound
from retention.reports.xlsx_rows import fitting, xml_rows

ROWS_A_SHEET = 1_048_575
"""Rows that fit on a sheet below its heading."""

_NUMBER_FORMATS = {
    CellKind.COUNT: "#,##0",
    CellKind.BYTES: "#,##0",
    CellKind.SHARE: "0.0%",
    CellKind.INSTANT: "yyyy-mm-dd hh:mm:ss",
    CellKind.DAY: "yyyy-mm-dd",
}
_WIDTHS = {
    CellKind.COUNT: 13,
    CellKind.BYTES: 19,
    CellKind.SHARE: 10,
    CellKind.INSTANT: 23,
    CellKind.DAY: 13,
    CellKind.ENTRIES: 24,
    CellKind.FLAG: 10,
}


@dataclass(frozen=True, slots=True)
class _Formats:
    title: Format
    label: Format
    heading: Format
    attention: Format
    wrapped: Format
    text: Format
    of: dict[CellKind, Format]


def write_xlsx(report: Report, path: Path, lang: Lang, rows_a_sheet: int = ROWS_A_SHEET) -> None:
    """The workbook. A longer table goes on on a further sheet. ReportInconsistent when rows are not as announced.

    What is not written yet lies beside `path` meanwhile, for nobody else to read, and is gone on return.
    """
    with TemporaryDirectory(dir=path.parent) as scratch:
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": scratch,
        }
        workbook = xlsxwriter.Workbook(str(path), options)
        try:
            _write_book(workbook, report, lang, rows_a_sheet)
            workbook.close()
        finally:
            for sheet in workbook.worksheets():
                sheet.row_data_fh.close()  # is left open when the book is not finished


def sheet_names(table: Table, rows_a_sheet: int = ROWS_A_SHEET) -> tuple[str, ...]:
    """The table's sheets: its name, then `name (2)`, `name (3)` for what one sheet cannot hold."""
    count = max(1, math.ceil(table.row_count / rows_a_sheet))
    further = (f" ({number})" for number in range(2, count + 1))
    return (table.name, *(table.name[: 31 - len(each)] + each for each in further))


def _write_book(workbook: xlsxwriter.Workbook, report: Report, lang: Lang, rows_a_sheet: int) -> None:
    made_at = report.made_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    workbook.set_properties(
        {
            "title": sound(on_one_line(report.title, lang)),
            "subject": sound(report.number),
            "company": sound(report.issuer),
            "created": made_at,
        }
    )
    formats = _formats(workbook)
    _TitleSheet(workbook.add_worksheet(on_one_line(Word.TITLE_PAGE.text, lang).replace("/", "·")), formats, lang).write(
        report, rows_a_sheet
    )
    for table in report.tables():
        rows = counted_rows(table)
        for name in sheet_names(table, rows_a_sheet):
            sheet = workbook.add_worksheet(name)
            _write_sheet(sheet, table, islice(rows, rows_a_sheet), report, lang, formats)
        if next(rows, None) is not None:  # asks for the end as well, where the count is compared
            raise ReportInconsistent(f"table {table.name}: more than {table.row_count} rows")


def _formats(workbook: xlsxwriter.Workbook) -> _Formats:
    font = {"font_name": "Microsoft YaHei", "font_size": 10, "valign": "top"}
    return _Formats(
        title=workbook.add_format({**font, "font_size": 16, "bold": True}),
        label=workbook.add_format({**font, "bold": True, "text_wrap": True}),
        heading=workbook.add_format(
            {**font, "bold": True, "text_wrap": True, "bg_color": "#E7E6E6", "bottom": 1, "valign": "vcenter"}
        ),
        attention=workbook.add_format({**font, "bold": True, "num_format": "#,##0"}),
        wrapped=workbook.add_format({**font, "text_wrap": True, "num_format": "@"}),
        text=workbook.add_format({**font, "num_format": "@"}),
        of={kind: workbook.add_format({**font, "num_format": form}) for kind, form in _NUMBER_FORMATS.items()},
    )


class _TitleSheet:
    """Writes the first sheet from the top."""

    def __init__(self, sheet: Worksheet, formats: _Formats, lang: Lang) -> None:
        self._sheet, self._formats, self._lang, self._row = sheet, formats, lang, 0

    def write(self, report: Report, rows_a_sheet: int) -> None:
        """Title, period, issuer, integrity, figures, and where every table is."""
        self._sheet.set_column(0, 0, 38)
        self._sheet.set_column(1, 1, 66)
        self._sheet.set_column(2, 2, 34)
        self._sheet.set_column(3, 3, 14)
        self._sheet.set_column(4, 4, 60)
        _put(self._sheet, 0, 0, sound(on_one_line(report.title, self._lang)), self._formats.title)
        self._row = 2
        for group in title_facts(report):
            for label, value in group:
                self._line(on_one_line(label, self._lang), on_one_line(value, self._lang))
            self._row += 1
        self._figures(report)
        self._tables(report, rows_a_sheet)

    def _line(self, *cells: str | int, is_marked: bool = False) -> None:
        for column, cell in enumerate(cells):
            if isinstance(cell, int):
                number = self._formats.attention if is_marked else self._formats.of[CellKind.COUNT]
                self._sheet.write_number(self._row, column, cell, number)
            else:
                _put(self._sheet, self._row, column, cell, self._formats.wrapped if column else self._formats.label)
        self._row += 1

    def _heading(self, *words: Word) -> None:
        for column, word in enumerate(words):
            _put(self._sheet, self._row, column, on_one_line(word.text, self._lang), self._formats.heading)
        self._row += 1

    def _figures(self, report: Report) -> None:
        self._heading(Word.FIGURE, Word.VALUE, Word.SHEET, Word.NOTE)
        for figure in report.figures:
            marked = (on_one_line(Word.ATTENTION.text, self._lang),) if figure.needs_attention else ()
            title = on_one_line(figure.title, self._lang)
            self._line(title, figure.value, figure.table, *marked, is_marked=figure.needs_attention)
        self._row += 1

    def _tables(self, report: Report, rows_a_sheet: int) -> None:
        self._heading(Word.TABLE, Word.TITLE, Word.SHEET, Word.ROWS, Word.NOTE)
        for number, table in enumerate(report.tables(), 1):
            sheets = ", ".join(sheet_names(table, rows_a_sheet))
            empty = table.empty or Word.NO_ROWS.text
            notes = [each for each in (table.note, None if table.row_count else empty) if each]
            said = "\n".join(on_one_line(each, self._lang) for each in notes)
            self._line(f"{number}", on_one_line(table.title, self._lang), sheets, table.row_count, said)


def _add_rows(sheet: Worksheet, rows: Iterable[str], width: int) -> int:
    """The rows, as XML and of at most `width` cells each, stand below the sheet's first one; how many there are."""
    sheet._write_single_row(1)
    count = 0
    for row in rows:
        sheet.row_data_fh.write(row)
        count += 1
    sheet._check_dimensions(count, width - 1)
    return count


def _write_sheet(
    sheet: Worksheet, table: Table, rows: Iterator[Row], report: Report, lang: Lang, formats: _Formats
) -> None:
    """One sheet: the heading and the rows."""
    sheet.freeze_panes(1, 0)
    sheet.set_row(0, 45 if lang is Lang.BOTH else 30)
    for index, column in enumerate(table.columns):
        sheet.set_column(index, index, _width(column))
        title = heading(column, lang, report)
        _put(sheet, 0, index, on_one_line(title, lang).replace(" / ", "\n"), formats.heading)
    styles = {kind: formats.of.get(kind, formats.text)._get_xf_index() for kind in CellKind}
    last = _add_rows(sheet, xml_rows(enumerate(rows, 2), table, report, lang, styles), len(table.columns))
    sheet.autofilter(0, 0, last, len(table.columns) - 1)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _width(column: Column) -> int:
    return _WIDTHS.get(column.kind, min(60, max(14, 11 * column.weight)))


def _put(sheet: Worksheet, row: int, column: int, text: str, form: Format) -> None:
    """The text as a text cell. What Excel cannot hold is cut, with a mark; the CSV and JSON have all of it."""
    text = fitting(text)
    if text.startswith("<r>") and text.endswith("</r>"):  # xlsxwriter would take this for its own markup, unescaped
        done = sheet.write_rich_string(row, column, form, text[:1], form, text[1:], form)
    else:
        done = sheet.write_string(row, column, text, form)
    if done:
        raise ReportInconsistent(
            f"sheet {sheet.get_name()}: the cell in row {row + 1}, column {column + 1} does not fit"
        )
