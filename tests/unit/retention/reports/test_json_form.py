"""The whole report as one JSON document."""

from __future__ import annotations

import json
from pathlib import Path

from retention.reports.document import Text
from retention.reports.json_form import write_json
from tests.unit.retention.reports.sample_report import LONG, deletion_rows, sample_report


def written(folder: Path, name: str = "report.json") -> bytes:
    write_json(sample_report(), folder / name)
    return (folder / name).read_bytes()


def test_the_front_says_what_the_title_page_says(tmp_path: Path) -> None:
    document = json.loads(written(tmp_path))
    assert list(document) == [
        *("format", "title", "number", "issuer", "period", "made_at", "policy", "integrity", "identified"),
        *("figures", "sections", "tables"),
    ]
    assert document["format"] == "retention-report/1"
    assert document["period"] == {"first_day": "2026-01-01", "last_day": "2026-03-31", "zone": "Asia/Shanghai"}
    assert document["made_at"] == "2026-04-03T09:15:42+08:00"
    assert document["integrity"]["first"]["size"] == 10_482
    assert document["figures"][1]["needs_attention"] is True


def test_sections_are_numbered_and_name_their_tables(tmp_path: Path) -> None:
    second = json.loads(written(tmp_path))["sections"][1]
    assert (second["number"], second["blocks"][0]["kind"]) == ("2", "chart")
    assert [part["number"] for part in second["parts"]] == ["2.1", "2.2"]
    assert second["parts"][0]["blocks"] == [{"kind": "table", "table": "deletions"}]


def test_every_row_is_there_with_every_cell(tmp_path: Path) -> None:
    table = json.loads(written(tmp_path))["tables"][0]
    names = [column["name"] for column in table["columns"]]
    assert table["row_count"] == len(table["rows"]) == 500
    for row, expected in zip(table["rows"], deletion_rows(500), strict=True):
        assert list(row) == names
        assert row["customer"] == expected[1]
        assert row["item_count"] == expected[5]
        assert row["erased_share"] == expected[7]
        assert row["is_final"] == expected[8]
        assert row["entries"] == (None if expected[9] is None else list(expected[9]))  # type: ignore[arg-type]
    assert table["rows"][1]["dataset"] == {"zh": "模型权重", "en": "model weights"}
    assert table["rows"][1]["due_at"] == "2026-01-05T11:30:07+08:00"
    assert table["rows"][3]["remark"] == LONG


def test_a_table_without_rows_has_none(tmp_path: Path) -> None:
    assert json.loads(written(tmp_path))["tables"][2]["rows"] == []


def test_the_same_report_is_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path) == written(tmp_path, "again.json")


def test_texts_are_in_both_languages(tmp_path: Path) -> None:
    title = sample_report().title
    assert Text(**json.loads(written(tmp_path))["title"]) == title
