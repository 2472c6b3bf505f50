"""All forms together: complete or not there, and never larger in memory than a row."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retention.errors import InputError
from retention.reports.cells import ReportInconsistent
from retention.reports.csv_form import write_csv
from retention.reports.document import CellKind, Column, Figure, Integrity, Lang, Report, Row, Section, Table, Text
from retention.reports.forms import write_forms
from retention.reports.json_form import write_json
from retention.reports.xlsx_form import write_xlsx
from tests.unit.retention.reports.sample_report import MONTHLY, START, deletions, exceptions, sample_report

ALL = (
    "csv/deletions.csv",
    "csv/exceptions.csv",
    "csv/transfers.csv",
    "report.html",
    "report.json",
    "report.pdf",
    "report.xlsx",
)


def test_a_report_is_written_in_every_form(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "2026-q1"
    assert write_forms(sample_report(), folder, Lang.ZH) == tuple(map(Path, ALL))
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == sorted(ALL)
    assert not list(folder.glob(".*"))


def test_every_form_is_the_same_bytes_when_it_is_written_again(tmp_path: Path) -> None:
    names = write_forms(sample_report(), tmp_path / "one", Lang.BOTH)
    write_forms(sample_report(), tmp_path / "two", Lang.BOTH)
    assert [
        name for name in names if (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()
    ] == []


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        write_forms(sample_report(), tmp_path, Lang.ZH)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_report_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    table = replace(deletions(), row_count=499)
    report = replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())
    with pytest.raises(ReportInconsistent):
        write_forms(report, tmp_path, Lang.ZH)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            {"figures": (Figure(Text("无", "none"), 1, "nowhere"),)}, "no table nowhere", id="a figure of no table"
        ),
        pytest.param(
            {"sections": (Section(Text("一", "one"), (exceptions(), exceptions())),)},
            "named 2 times",
            id="a name twice",
        ),
        pytest.param({"made_at": START.replace(tzinfo=None)}, "no time zone", id="a date of nowhere"),
        pytest.param(
            {"sections": (Section(Text("一", "one"), (replace(exceptions(), name="../x"),)),)},
            "a name has up to 31 characters",
            id="a name that leads out of the folder",
        ),
        pytest.param(
            {"sections": (Section(Text("一", "one"), (deletions(), replace(MONTHLY, categories=("1",)))),)},
            "not as many values",
            id="a chart whose series do not fit",
        ),
    ],
)
def test_a_report_that_contradicts_itself_is_not_written(tmp_path: Path, change: dict[str, object], said: str) -> None:
    report = replace(sample_report(), **{"figures": (), **change})  # type: ignore[arg-type]
    with pytest.raises(ReportInconsistent, match=said):
        write_forms(report, tmp_path / "out", Lang.ZH)
    assert not (tmp_path / "out").exists()


def long_report(row_count: int) -> Report:
    """One table of many rows, whose cells are made anew for each."""
    columns = (
        Column("name", Text("名称", "Name")),
        Column("count", Text("数", "Count"), CellKind.COUNT),
    )

    def rows() -> Iterator[Row]:
        return ((f"客户 {number} " + "数据" * 50, number) for number in range(row_count))

    table = Table("long", Text("长表", "Long"), columns, rows, row_count)
    return replace(sample_report(), figures=(), sections=(Section(Text("一", "one"), (table,)),))


def test_a_long_table_is_never_held(tmp_path: Path) -> None:
    report = long_report(20_000)
    tracemalloc.start()
    try:
        write_json(report, tmp_path / "report.json")
        write_xlsx(report, tmp_path / "report.xlsx", Lang.BOTH)
        write_csv(report, next(report.tables()), tmp_path / "long.csv", Lang.BOTH)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "report.json").stat().st_size > 6 << 20
    assert peak < 8 << 20


def test_the_worked_example_of_the_format_is_what_is_written(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs" / "formats" / "report.md").read_text("utf-8")
    expected_json, expected_csv = re.findall(r"```(?:json|csv)\n(.*?)```", page, re.DOTALL)
    rows: tuple[Row, ...] = (("case-1", "=星河公司", START, 12, (7, 9, 10)), ("case-2", None, None, 0, ()))
    columns = (
        Column("case_id", Text("案件", "Case")),
        Column("customer", Text("客户", "Customer")),
        Column("due_at", Text("到期时间", "Due"), CellKind.INSTANT),
        Column("item_count", Text("条目数", "Items"), CellKind.COUNT),
        Column("entries", Text("账本条目", "Ledger entries"), CellKind.ENTRIES),
    )
    table = Table("deletions", Text("完成的删除", "Deletions"), columns, lambda: iter(rows), len(rows))
    report = replace(
        sample_report(),
        policy_version="3",
        integrity=Integrity("ledger.example.test", "ledger.example.test+c74f20a3+ARpc", 10, "4qvr", 58, "CsUY"),
        figures=(Figure(Text("完成的删除", "Deletions"), 2, "deletions"),),
        sections=(Section(Text("删除", "Deletions"), (Text("见下表。", "See the table."), table)),),
        identified=None,
    )
    write_forms(report, tmp_path / "out", Lang.EN)
    assert (tmp_path / "out" / "report.json").read_text("utf-8") == expected_json
    assert (tmp_path / "out" / "csv" / "deletions.csv").read_text("utf-8-sig") == expected_csv
