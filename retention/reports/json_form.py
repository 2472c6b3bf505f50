"""The whole report as one JSON document, written row by row: no table is ever held. Shape: `docs/formats/report.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TypeAlias

from retention.reports.cells import counted_rows, iso_instant
from retention.reports.document import Block, Cell, Chart, Report, Section, Table, Text
from retention.reports.wording import sound

REPORT_FORMAT = "retention-report/1"

Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def write_json(report: Report, path: Path) -> None:
    """The document, UTF-8, always in both languages. ReportInconsistent when a table's rows are not as announced."""
    with path.open("x", encoding="utf-8", newline="") as file:
        file.writelines(_document(report))


def _document(report: Report) -> Iterator[str]:
    yield "{"
    for name, value in _front(report).items():
        yield f"\n{_encoded(name)}: {_encoded(value)},"
    yield '\n"tables": ['
    for number, table in enumerate(report.tables()):
        yield f"{',' if number else ''}\n{{"
        for name, value in _about(table).items():
            yield f"\n{_encoded(name)}: {_encoded(value)},"
        yield '\n"rows": ['
        names = [column.name for column in table.columns]
        for index, row in enumerate(counted_rows(table)):
            cells = [_cell(cell, report) for cell in row]
            yield f"{',' if index else ''}\n{_encoded(dict(zip(names, cells, strict=True)))}"
        yield "\n]}"
    yield "\n]}\n"


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _encoded(value: Json) -> str:
    return sound(_encode(value))


def _front(report: Report) -> dict[str, Json]:
    ledger = report.integrity
    return {
        "format": REPORT_FORMAT,
        "title": _text(report.title),
        "number": report.number,
        "issuer": report.issuer,
        "period": {
            "first_day": report.first_day.isoformat(),
            "last_day": report.last_day.isoformat(),
            "zone": report.zone.key,
        },
        "made_at": iso_instant(report.made_at, report),
        "policy": {"title": report.policy_title, "version": report.policy_version},
        "integrity": {
            "origin": ledger.origin,
            "key": ledger.key,
            "first": {"size": ledger.first_size, "root": ledger.first_root},
            "last": {"size": ledger.last_size, "root": ledger.last_root},
        },
        "identified": report.identified,
        "figures": [
            {
                "title": _text(figure.title),
                "value": figure.value,
                "table": figure.table,
                "needs_attention": figure.needs_attention,
            }
            for figure in report.figures
        ],
        "sections": [_section(section, str(number)) for number, section in enumerate(report.sections, 1)],
    }


def _section(section: Section, number: str) -> Json:
    return {
        "number": number,
        "title": _text(section.title),
        "blocks": [_block(block) for block in section.blocks],
        "parts": [_section(part, f"{number}.{index}") for index, part in enumerate(section.parts, 1)],
    }


def _block(block: Block) -> Json:
    match block:
        case Text():
            return {"kind": "paragraph", "text": _text(block)}
        case Table():
            return {"kind": "table", "table": block.name}
        case Chart():
            return {
                "kind": "chart",
                "name": block.name,
                "title": _text(block.title),
                "unit": _text(block.unit),
                "table": block.table,
                "categories": block.categories,
                "series": [{"title": _text(each.title), "values": each.values} for each in block.series],
            }


def _about(table: Table) -> dict[str, Json]:
    return {
        "name": table.name,
        "title": _text(table.title),
        "note": None if table.note is None else _text(table.note),
        "columns": [
            {"name": column.name, "title": _text(column.title), "kind": column.kind.value} for column in table.columns
        ],
        "row_count": table.row_count,
    }


def _text(text: Text) -> Json:
    return {"zh": text.zh, "en": text.en}


def _cell(cell: Cell, report: Report) -> Json:
    match cell:
        case str() | None:
            return cell
        case datetime():
            return iso_instant(cell, report)
        case Text():
            return _text(cell)
        case date():
            return cell.isoformat()
        case _:
            return cell
