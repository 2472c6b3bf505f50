"""The report as one HTML page that needs nothing but itself: no script, no reference to anything outside.

Source: HTML Living Standard; Content Security Policy Level 3; WCAG 2.2 (language of parts, table headers).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from retention.reports import charts
from retention.reports.cells import RIGHT_ALIGNED, Printer, shown_rows
from retention.reports.document import Block, Cell, CellKind, Chart, Column, Lang, Report, Table, Text
from retention.reports.markup import Markup, element, joined
from retention.reports.outline import (
    NumberedSection,
    caption,
    chart_note,
    chart_numbers,
    sections,
    table_notes,
    table_numbers,
)
from retention.reports.title_page import title_facts
from retention.reports.wording import Said, Word, say


def write_html(report: Report, path: Path, lang: Lang) -> None:
    """The page, UTF-8. It shows the first rows of each table and says where the others are."""
    with path.open("x", encoding="utf-8", newline="") as file:
        file.writelines(f"{piece}\n" for piece in _Page(report, lang).pieces())


class _Page:
    """Makes the page piece by piece."""

    def __init__(self, report: Report, lang: Lang) -> None:
        self._report, self._lang = report, lang
        self._printer = Printer(report, lang)
        self._tables, self._charts = table_numbers(report), chart_numbers(report)

    def pieces(self) -> Iterator[str]:
        """The page from its first line."""
        yield "<!DOCTYPE html>"
        yield f'<html lang="{"en" if self._lang is Lang.EN else "zh-CN"}">'
        yield self._head()
        yield "<body>"
        yield self._title()
        yield "<main>"
        yield self._figures()
        for section in sections(self._report):
            yield from self._section(section)
        yield "</main>"
        yield "</body>"
        yield "</html>"

    def _head(self) -> Markup:
        style = Markup(files("retention.reports").joinpath("page.css").read_text("utf-8"))
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        title = say(self._report.title, self._lang).main
        return element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"{title} · {self._report.number}"),
            element("style", style),
        )

    def _title(self) -> Markup:
        groups = [
            element(
                "dl",
                *(joined(element("dt", self._said(label)), element("dd", self._said(value))) for label, value in each),
            )
            for each in title_facts(self._report)
        ]
        return element(
            "header",
            element("h1", self._said(self._report.title)),
            *groups,
            element("p", self._word(Word.INTEGRITY_NOTE), class_="note"),
            self._contents(),
        )

    def _contents(self) -> Markup:
        links = [element("li", element("a", self._word(Word.SUMMARY), href="#summary"), class_="level-1")]
        for section in sections(self._report):
            words = joined(f"{section.number} ", self._said(section.title))
            link = element("a", words, href=f"#section-{section.number}")
            links.append(element("li", link, class_=f"level-{min(section.level, 3)}"))
        heading_ = element("h2", self._word(Word.CONTENTS), id="contents")
        return element("nav", heading_, element("ul", *links), aria_labelledby="contents")

    def _figures(self) -> Markup:
        aligned = ((Word.FIGURE, "left"), (Word.VALUE, "right"), (Word.TABLE, "left"))
        heads = [element("th", self._word(word), scope="col", class_=side) for word, side in aligned]
        rows = []
        for figure in self._report.figures:
            mark = element("strong", " ▲ ", self._word(Word.ATTENTION)) if figure.needs_attention else ""
            words = f"{say(Word.TABLE.text, self._lang).main} {self._tables[figure.table]}"
            link = element("a", words, href=f"#table-{figure.table}")
            cells = (
                element("th", self._said(figure.title), mark, scope="row"),
                element("td", f"{figure.value:,}", class_="right"),
                element("td", link),
            )
            rows.append(element("tr", *cells))
        table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
        return element("section", element("h2", self._word(Word.SUMMARY), id="summary"), table)

    def _section(self, section: NumberedSection) -> Iterator[Markup]:
        words = joined(f"{section.number} ", self._said(section.title))
        yield element(f"h{min(section.level + 1, 6)}", words, id=f"section-{section.number}")
        for block in section.blocks:
            yield self._block(block)

    def _block(self, block: Block) -> Markup:
        match block:
            case Text():
                return element("p", self._said(block))
            case Chart():
                words = self._said(caption(Word.CHART, self._charts[block.name], block.title))
                note = element("span", self._said(chart_note(block, self._tables)), class_="note")
                drawn = charts.svg(block, self._lang)
                return element("figure", element("figcaption", words), drawn, note)
            case Table():
                return self._table(block)

    def _table(self, table: Table) -> Markup:
        columns = [(index, column) for index, column in enumerate(table.columns) if column.is_summary]
        heads = [self._head_cell(column) for _, column in columns]
        rows = [
            element("tr", *(self._cell(row[index], column) for index, column in columns)) for row in shown_rows(table)
        ]
        if not rows:
            empty = self._said(table.empty or Word.NO_ROWS.text)
            rows = [element("tr", element("td", empty, colspan=str(len(columns)), class_="empty"))]
        words = self._said(caption(Word.TABLE, self._tables[table.name], table.title))
        drawn = element(
            "table",
            element("caption", words),
            element("thead", element("tr", *heads)),
            element("tbody", *rows),
            id=f"table-{table.name}",
        )
        below = (element("p", self._said(note), class_="note") for note in table_notes(table, self._report))
        return joined(element("div", drawn, class_="wide"), *below)

    def _head_cell(self, column: Column) -> Markup:
        words = self._said(column.title)
        return element("th", words, scope="col", class_=_alignment(column))

    def _cell(self, cell: Cell, column: Column) -> Markup:
        said = self._printer.cell(cell, column.kind)
        return element("td", self._words(said), class_=_alignment(column))

    def _word(self, word: Word) -> Markup:
        return self._said(word.text)

    def _said(self, text: Text) -> Markup:
        return self._words(say(text, self._lang))

    def _words(self, said: Said) -> Markup:
        if said.beside is None:
            return joined(said.main)
        return joined(said.main, " ", element("span", said.beside, lang="en", class_="en"))


def _alignment(column: Column) -> str:
    if column.kind in {CellKind.INSTANT, CellKind.DAY}:
        return "unbroken"
    return "right" if column.kind in RIGHT_ALIGNED else "left"
