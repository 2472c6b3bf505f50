"""What the typesetter is given: every word of the printed report, in its order and language, as JSON. Pure.

`typst/report.typ` reads it. A text is `[main]` or, in both languages, `[main, beside]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from retention.reports import charts
from retention.reports.document import Block, Chart, Lang, Report, Table, Text
from retention.reports.json_form import Json
from retention.reports.markup import notation
from retention.reports.outline import (
    NumberedSection,
    caption,
    chart_note,
    chart_numbers,
    figures,
    reading_note,
    sections,
    table_notes,
    table_numbers,
)
from retention.reports.print_table import PrintedTable, printed
from retention.reports.title_page import about, integrity, short_period
from retention.reports.wording import Said, Word, on_one_line, say

_WORDS = {
    "attention": Word.ATTENTION,
    "contents": Word.CONTENTS,
    "continued": Word.CONTINUED,
    "figure": Word.FIGURE,
    "integrity": Word.INTEGRITY,
    "integrity_note": Word.INTEGRITY_NOTE,
    "rare": Word.RARE,
    "rare_note": Word.RARE_NOTE,
    "summary": Word.SUMMARY,
    "table": Word.TABLE,
    "value": Word.VALUE,
}


def print_data(report: Report, lang: Lang, printable: Callable[[str], str]) -> dict[str, Json]:
    """The whole document; of each table the rows that a page shows. printable: see `Glyphs`; asked where room is measured."""
    blocks = _Blocks(report, lang, printable)
    return {
        "lang": lang.value,
        "words": {key: _said(word.text, lang) for key, word in _WORDS.items()},
        "page": on_one_line(Word.PAGE.text, lang),
        "plain_title": on_one_line(report.title, lang),
        "title": _said(report.title, lang),
        "number": report.number,
        "issuer": report.issuer,
        "period": short_period(report),
        "about": [[_said(label, lang), _said(value, lang)] for label, value in about(report)],
        "integrity": [[_said(label, lang), _said(value, lang)] for label, value in integrity(report)],
        "figures": [
            {
                "title": _said(figure.title, lang),
                "value": f"{figure.value:,}",
                "table": figure.table,
                "table_number": table_numbers(report)[figure.table],
                "needs_attention": figure.needs_attention,
            }
            for figure in figures(report)
        ],
        "reading": _said(reading_note(report), lang),
        "sheets": _sheets([each for section in sections(report) for each in blocks.of(section)]),
    }


def replaced_characters(replaced: Iterable[str]) -> list[Json]:
    """The notation of each character that was printed as such, in the order of their numbers."""
    return [notation(each) for each in sorted(set(replaced))]


def _sheets(blocks: Sequence[Mapping[str, Json]]) -> list[Json]:
    """The blocks, parted where the paper is turned. A heading and a paragraph go with the table that follows them."""
    turned = False
    marked: list[tuple[bool, Mapping[str, Json]]] = []
    for block in reversed(blocks):
        turned = turned if block["kind"] in {"heading", "paragraph"} else bool(block.get("is_turned", False))
        marked.append((turned, block))
    groups = groupby(reversed(marked), key=itemgetter(0))
    return [{"is_turned": is_turned, "blocks": [block for _, block in group]} for is_turned, group in groups]


class _Blocks:
    def __init__(self, report: Report, lang: Lang, printable: Callable[[str], str]) -> None:
        self._report, self._lang, self._shown = report, lang, printable
        self._tables, self._charts = table_numbers(report), chart_numbers(report)

    def of(self, section: NumberedSection) -> Iterator[Mapping[str, Json]]:
        """The section's heading and its blocks, told apart by `kind`."""
        yield {"kind": "heading", "level": section.level, "title": _said(section.title, self._lang)}
        for block in section.blocks:
            yield self._block(block)

    def _block(self, block: Block) -> Mapping[str, Json]:
        match block:
            case Text():
                return {"kind": "paragraph", "text": _said(block, self._lang)}
            case Chart():
                return self._chart(block)
            case Table():
                return self._table(block)

    def _chart(self, chart: Chart) -> Mapping[str, Json]:
        return {
            "kind": "chart",
            "caption": _said(caption(Word.CHART, self._charts[chart.name], chart.title), self._lang),
            "alt": on_one_line(chart.title, self._lang),
            "drawing": _drawing(charts.draw(self._printable(chart), self._lang)),
            "note": _said(chart_note(chart, self._tables), self._lang),
        }

    def _printable(self, chart: Chart) -> Chart:
        return replace(chart, categories=tuple(map(self._shown, chart.categories)))

    def _table(self, table: Table) -> Mapping[str, Json]:
        named: dict[str, Json] = {
            "name": table.name,
            "caption": _said(caption(Word.TABLE, self._tables[table.name], table.title), self._lang),
        }
        if table.row_count == 0:
            return {"kind": "nothing", **named, "empty": _said(table.empty or Word.NO_ROWS.text, self._lang)}
        notes: Json = [_said(note, self._lang) for note in table_notes(table)]
        return {
            "kind": "table",
            **named,
            **_grid(printed(table, self._report, self._lang, self._shown)),
            "notes": notes,
        }


def _grid(table: PrintedTable) -> dict[str, Json]:
    return {
        "widths": table.widths.columns,
        "is_turned": table.widths.is_turned,
        "aligned": ["right" if each else "left" for each in table.is_right_aligned],
        "heads": list(table.heads),
        "rows": [{"cells": row, "is_long": index in table.long_rows} for index, row in enumerate(table.rows)],
    }


def _drawing(drawing: charts.Drawing) -> Json:
    shapes: list[Json] = []
    for shape in drawing.shapes:
        match shape:
            case charts.Box():
                box: dict[str, Json] = {"kind": "box", "x": shape.x, "y": shape.y, "fill": shape.fill}
                shapes.append({**box, "width": shape.width, "height": shape.height})
            case charts.Line():
                shapes.append(
                    {"kind": "line", "x": shape.x, "top": shape.top, "bottom": shape.bottom, "axis": shape.is_axis}
                )
            case charts.Label():
                label: dict[str, Json] = {"kind": "label", "words": shape.words, "x": shape.x, "y": shape.y}
                shapes.append({**label, "anchor": shape.anchor, "size": shape.size})
    fills: list[Json] = [{"grey": fill.grey, "hatching": fill.hatching} for fill in charts.FILLS]
    return {"width": drawing.width, "height": drawing.height, "shapes": shapes, "fills": fills}


def _said(text: Text, lang: Lang) -> Json:
    return _pair(say(text, lang))


def _pair(said: Said) -> Json:
    return [said.main] if said.beside is None else [said.main, said.beside]
