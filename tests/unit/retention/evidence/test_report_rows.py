"""Reading a report's JSON: row by row as it is written, and refused in every other form."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from retention.evidence.errors import Malformed
from retention.evidence.report_rows import ReportFile
from retention.reports.document import CellKind, Column, Integrity, Report, Section, Table, Text
from retention.reports.json_form import write_json

ROWS = (("k1", "它", (3, 7)), ("k2", 'a "quoted" one, }', ()))


def table(name: str, rows: tuple[tuple[str, str, tuple[int, ...]], ...]) -> Table:
    columns = (
        Column("case", Text("案", "case")),
        Column("what", Text("何", "what")),
        Column("entries", Text("条", "entries"), CellKind.ENTRIES),
    )
    return Table(name, Text("表", "table"), columns, lambda: iter(rows), len(rows))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A report with a table of two rows, and one of none."""
    report = Report(
        title=Text("题", "title"),
        number="1",
        issuer="x",
        first_day=date(2026, 11, 1),
        last_day=date(2026, 11, 30),
        zone=ZoneInfo("Asia/Shanghai"),
        made_at=datetime(2026, 12, 1, tzinfo=UTC),
        policy_title="p",
        policy_version="1",
        integrity=Integrity("o", "k", 0, "", 0, ""),
        figures=(),
        sections=(Section(Text("节", "part"), (table("cases", ROWS), table("copies", ()))),),
    )
    write_json(report, tmp_path / "report.json")
    return tmp_path / "report.json"


def test_rows_are_read_with_their_place_and_what_they_cite(path: Path) -> None:
    report = ReportFile(path)
    assert report.front["number"] == "1"
    rows = list(report.rows())
    assert [(row.place, row.cells["entries"]) for row in rows] == [
        ("report.json: table cases, row 1", [3, 7]),
        ("report.json: table cases, row 2", []),
    ]
    assert {row.citing for row in rows} == {("entries",)}


def test_what_is_no_regular_file_keeps_nobody_waiting(path: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(path)
    for name in ("pipe", "link", "."):
        with pytest.raises(Malformed, match="regular"):
            ReportFile(tmp_path / name)


@pytest.mark.parametrize(
    "cell", ['"7"', "null", "[true]", "[1.0]", f"[{', '.join('0' for _ in range(41))}]"], ids=lambda cell: cell[:9]
)
def test_a_cell_that_cites_is_a_short_list_of_numbers(path: Path, cell: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace("[3, 7]", cell), encoding="utf-8")
    row = next(ReportFile(path).rows())
    with pytest.raises(Malformed, match="row 1"):
        list(row.cited())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace('"number": "1",', '"number": "1", "number": "2",'), id="a key twice"),
        pytest.param(
            lambda text: text.replace('"number": "1",\n', '"number": "1",\n"number": "2",\n'), id="a line twice"
        ),
        pytest.param(lambda text: text.replace('"tables": [', '"tables": [],\n"tables": ['), id="tables twice"),
        pytest.param(lambda text: text.replace('"row_count": 2', '"row_count": 1'), id="another number of rows"),
        pytest.param(lambda text: text.replace('{"case": "k2"', '{"case": "k2", "case": "k3"'), id="a cell twice"),
        pytest.param(lambda text: text.replace('{"case": "k2", ', "{"), id="a cell is missing"),
        pytest.param(lambda text: text.replace('"name": "copies"', '"name": "cases"'), id="a table twice"),
        pytest.param(lambda text: text.replace('"k2"', '"\\uD800"'), id="half of a surrogate pair"),
        pytest.param(lambda text: text.replace("[3, 7]", "[3, NaN]"), id="a number that JSON has not"),
        pytest.param(lambda text: text.replace("[3, 7]", "[[3], 7]"), id="a cell with more in it than a list"),
        pytest.param(lambda text: text + "x", id="something follows"),
        pytest.param(lambda text: text[:-20], id="it is cut off"),
        pytest.param(lambda text: text.replace("\n", ""), id="all on one line"),
    ],
)
def test_what_another_program_could_read_otherwise_is_refused(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")
    with pytest.raises(Malformed):
        list(ReportFile(path).rows())
