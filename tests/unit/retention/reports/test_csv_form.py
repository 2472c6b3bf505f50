"""One CSV file per table, which no spreadsheet runs and every program reads."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.reports.cells import ReportInconsistent
from retention.reports.csv_form import neutralised, original, write_csv
from retention.reports.document import Lang, Table
from tests.unit.retention.reports.sample_report import (
    CUSTOMERS,
    FORMULA,
    LONG,
    deletions,
    exceptions,
    sample_report,
    transfers,
)


def written(table: Table, folder: Path, lang: Lang = Lang.BOTH) -> bytes:
    path = folder / f"{table.name}.csv"
    write_csv(sample_report(), table, path, lang)
    return path.read_bytes()


def lines(table: Table, folder: Path, lang: Lang = Lang.BOTH) -> list[list[str]]:
    return list(csv.reader(io.StringIO(written(table, folder, lang).decode("utf-8-sig"), newline="")))


def test_a_file_has_a_byte_order_mark_and_ends_its_lines_with_crlf(tmp_path: Path) -> None:
    data = written(deletions(), tmp_path)
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n") == 501


@pytest.mark.parametrize(
    ("lang", "first", "due"),
    [
        (Lang.ZH, "案件 [case_id]", "到期时间（Asia/Shanghai） [due_at]"),
        (Lang.EN, "Case [case_id]", "Due (Asia/Shanghai) [due_at]"),
        (Lang.BOTH, "案件 / Case [case_id]", "到期时间（Asia/Shanghai） / Due (Asia/Shanghai) [due_at]"),
    ],
)
def test_the_first_line_has_titles_and_machine_names(tmp_path: Path, lang: Lang, first: str, due: str) -> None:
    head = lines(deletions(1), tmp_path, lang)[0]
    assert (head[0], head[3]) == (first, due)


def test_every_row_and_every_kind_of_cell_reads_back(tmp_path: Path) -> None:
    rows = lines(deletions(), tmp_path)[1:]
    assert len(rows) == 500
    assert [original(row[1]) for row in rows[:7]] == list(CUSTOMERS[:7])
    assert rows[1][2:10] == [
        "模型权重 / model weights",
        "2026-01-05T11:30:07+08:00",
        "2026-01-20",
        "137",
        "1024",
        "1.0",
        "true",
        "1 3 4 5 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40",
    ]
    assert original(rows[3][10]) == LONG
    assert rows[7][1:] == [""] * 10, "an empty cell is empty, of whatever kind"


def test_text_in_one_language_is_said_in_it(tmp_path: Path) -> None:
    assert lines(deletions(1), tmp_path, Lang.EN)[1][2] == "training data"


def test_a_table_without_rows_is_its_first_line(tmp_path: Path) -> None:
    assert len(lines(transfers(), tmp_path)) == 1


def test_line_breaks_and_long_numbers_stay_in_their_cell(tmp_path: Path) -> None:
    last = lines(exceptions(), tmp_path)[3]
    assert last[0] == "00012345678901234567"
    assert last[2] == "第一行\n'=1+1\n第三行"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(FORMULA, "'" + FORMULA, id="an equals sign"),
        pytest.param("+1", "'+1", id="a plus sign"),
        pytest.param("-1", "'-1", id="a minus sign"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="an at sign"),
        pytest.param("＝1＋1", "'＝1＋1", id="fullwidth signs, which some input methods leave"),
        pytest.param("\u3000 ＠x", "'\u3000 ＠x", id="signs behind blanks, fullwidth ones too"),
        pytest.param("\u200b\ufeff=1", "'\u200b\ufeff=1", id="signs behind what cannot be seen"),
        pytest.param("\t=1", "'\t'=1", id="a tab, which parts cells in some countries"),
        pytest.param("\r=1", "'\r'=1", id="a carriage return"),
        pytest.param("a;=1", "a;'=1", id="a sign behind a semicolon, which parts cells in some countries"),
        pytest.param("a\n=1", "a\n'=1", id="a sign in a second line"),
        pytest.param("'a", "''a", id="an apostrophe, so that the way back is known"),
        pytest.param("a=1-2", "a=1-2", id="signs inside a text run nothing"),
        pytest.param("北京", "北京", id="other text is as it was"),
        pytest.param("", "", id="nothing is nothing"),
    ],
)
def test_nothing_begins_like_a_formula(text: str, shown: str) -> None:
    assert neutralised(text) == shown
    assert original(shown) == text


@given(st.text(alphabet="'=+-@＝＋－＠;\t\r\n \u3000\u200bab", max_size=12))
def test_whatever_is_neutralised_can_be_read_back(text: str) -> None:
    shown = neutralised(text)
    assert original(shown) == text
    assert all(
        not part.strip(" \u3000\u200b")[:1] or part.strip(" \u3000\u200b")[0] not in "=+-@＝＋－＠"
        for part in shown.replace("\t", ";").replace("\r", ";").replace("\n", ";").split(";")
    )


def test_half_of_a_character_is_no_character_and_does_not_stop_the_file(tmp_path: Path) -> None:
    table = replace(exceptions(), rows=lambda: iter([("a\ud800", "", "", "", None)]), row_count=1)
    assert lines(table, tmp_path)[1][0] == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("announced", [499, 501])
def test_another_number_of_rows_than_announced_is_an_error(tmp_path: Path, announced: int) -> None:
    with pytest.raises(ReportInconsistent, match="500 rows, not"):
        written(replace(deletions(), row_count=announced), tmp_path)
