"""The workbook, read back with another library."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from retention.reports.cells import ReportInconsistent
from retention.reports.document import Lang, Report, Row, Section, Table
from retention.reports.xlsx_form import ROWS_A_SHEET, sheet_names, write_xlsx
from retention.reports.xlsx_rows import LONGEST_TEXT
from tests.unit.retention.reports.sample_report import LONG_ID, deletion_rows, deletions, exceptions, sample_report


def read(
    folder: Path, report: Report | None = None, lang: Lang = Lang.BOTH, rows_a_sheet: int = ROWS_A_SHEET
) -> Workbook:
    path = folder / "report.xlsx"
    write_xlsx(report or sample_report(), path, lang, rows_a_sheet)
    return load_workbook(path)


def with_rows(*rows: Row) -> Report:
    table = replace(exceptions(), rows=lambda: iter(rows), row_count=len(rows))
    return replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    return read(tmp_path_factory.mktemp("book"))


def test_the_first_sheet_says_what_the_report_is(book: Workbook) -> None:
    said = {str(row[0]): row[1] for row in book.worksheets[0].iter_rows(values_only=True) if row[0]}
    assert "客户数据删除情况报告 / Report on the deletion of customer data" in said
    assert said["报告编号 / Report number"] == "DEL-2026-Q1-0007"
    assert "4qvrP0b1qJmYw0p5cO9Jt0a5O4b6mTnmyf2bGdo9Mv4=" in str(
        said["期初（条目数，根散列） / At the start (entries, root hash)"]
    )
    assert said["未能如期完成 / Not completed in time"] == 3


def test_there_is_a_sheet_for_each_table_with_a_heading_that_stays_and_filters(book: Workbook) -> None:
    assert book.sheetnames == ["首页 · Title page", "deletions", "exceptions", "transfers"]
    sheet = book["deletions"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:K501"
    assert sheet["D1"].value == "到期时间（Asia/Shanghai）\nDue (Asia/Shanghai)"


def test_every_cell_reads_back(book: Workbook) -> None:
    rows = list(book["deletions"].iter_rows(min_row=2, values_only=True))
    assert len(rows) == 500
    for row, expected in zip(rows, deletion_rows(500), strict=True):
        assert (row[0], row[1], row[5], row[6]) == (expected[0], expected[1], expected[5], expected[6])
        assert (row[7], row[8], row[10]) == (expected[7], expected[8], expected[10])
    assert rows[1][3] == datetime.fromisoformat("2026-01-05T11:30:07"), "a real date, in the report's zone"
    assert rows[1][4] == datetime.fromisoformat("2026-01-20")
    assert str(rows[1][9]).startswith("1 3 4 5 10")
    assert rows[7][1:] == (None,) * 10


def test_no_cell_is_a_formula_or_a_link(book: Workbook) -> None:
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "b", "d"}
    assert not any(cell.hyperlink for cell in cells)


def test_numbers_made_of_text_stay_text(book: Workbook) -> None:
    assert book["exceptions"]["A4"].value == "00012345678901234567"
    assert book["exceptions"]["B2"].value == LONG_ID


def test_what_looks_like_the_librarys_own_markup_is_text(tmp_path: Path) -> None:
    text = "<r><t>&</t></r>"
    assert read(tmp_path, with_rows((text, "a", "b", "c", None)))["exceptions"]["A2"].value == text


def test_more_text_than_a_cell_holds_is_cut_with_a_mark(tmp_path: Path) -> None:
    value = read(tmp_path, with_rows(("𠮷" * LONGEST_TEXT, "a", "b", "c", None)))["exceptions"]["A2"].value
    assert str(value).endswith("𠮷 […]")
    assert len(str(value).encode("utf-16-le")) // 2 <= LONGEST_TEXT


def test_a_number_that_excel_would_round_is_text(tmp_path: Path) -> None:
    report = with_rows(("a", "b", "c", 1234567890123456789, None))
    assert read(tmp_path, report)["exceptions"]["D2"].value == "1234567890123456789"


def test_rows_that_do_not_fit_go_on_on_a_further_sheet(tmp_path: Path) -> None:
    book = read(tmp_path, rows_a_sheet=200)
    assert book.sheetnames[1:4] == ["deletions", "deletions (2)", "deletions (3)"]
    assert [book[name].max_row for name in book.sheetnames[1:4]] == [201, 201, 101]
    assert book["deletions (3)"]["A2"].value == "case-000400"
    assert book["deletions (3)"]["A1"].value == book["deletions"]["A1"].value


def test_a_name_as_long_as_excel_allows_still_has_room_for_a_number() -> None:
    names = sheet_names(replace(deletions(), name="a" * 31, row_count=ROWS_A_SHEET + 1))
    assert names == ("a" * 31, "a" * 27 + " (2)")


def test_the_same_report_is_the_same_bytes_and_names_nobody_and_no_machine(tmp_path: Path) -> None:
    for name in ("one.xlsx", "two.xlsx"):
        write_xlsx(sample_report(), tmp_path / name, Lang.ZH)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.xlsx") as parts:
        core = parts.read("docProps/core.xml").decode()
    assert "2026-04-03T01:15:42Z</dcterms:created>" in core
    assert "<dc:creator></dc:creator>" in core
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.xlsx", "two.xlsx"], "nothing else is left"


def too_many(table: Table) -> Table:
    return replace(table, row_count=table.row_count - 1)


def too_few(table: Table) -> Table:
    return replace(table, row_count=table.row_count + 1)


@pytest.mark.parametrize("changed", [too_many, too_few])
def test_another_number_of_rows_than_announced_is_an_error(tmp_path: Path, changed: object) -> None:
    assert callable(changed)
    report = replace(sample_report(), sections=(Section(sample_report().title, (changed(exceptions()),)),), figures=())
    with pytest.raises(ReportInconsistent, match="exceptions"):
        write_xlsx(report, tmp_path / "report.xlsx", Lang.EN)
    assert not list(tmp_path.glob("tmp*"))
