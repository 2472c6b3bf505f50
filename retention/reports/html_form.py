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
from retention.reports.cells import Printer, shown_rows
from retention.reports.document import Block, CellKind, Chart, Lang, Report, Row, Table, Text
from retention.reports.markup import Markup, element, joined
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
from retention.reports.stacks import Stack, stacks
from retention.reports.title_page import title_facts
from retention.reports.wording import Said, Word, say

_UNBROKEN = frozenset({CellKind.INSTANT, CellKind.DAY})


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
        for figure in figures(self._report):
            mark = element("strong", " ▲ ", self._word(Word.ATTENTION)) if figure.needs_attention else ""
            words = f"{say(Word.TABLE.text, self._lang).main} {self._tables[figure.table]}"
            link = element("a", words, href=f"#table-{figure.table}")
            cells = (
                element("th", self._said(figure.title), mark, scope="row"),
                element("td", f"{figure.value:,}", class_="right"),
                element("td", link),
            )
            attributes = {"class_": "attention"} if figure.needs_attention else {}
            rows.append(element("tr", *cells, **attributes))
        table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
        note = element("p", self._said(reading_note(self._report)), class_="note")
        return element("section", element("h2", self._word(Word.SUMMARY), id="summary"), table, note, class_="summary")

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
        title = self._said(caption(Word.TABLE, self._tables[table.name], table.title))
        named = joined(title, " ", element("span", f"[{table.name}]", class_="name"))
        if table.row_count == 0:
            empty = self._said(table.empty or Word.NO_ROWS.text)
            return element("p", element("strong", named), " ", empty, id=f"table-{table.name}", class_="nothing")
        rows = list(shown_rows(table))
        columns = stacks(table, rows)
        heads = (element("th", self._said(each.title), scope="col", class_=_alignment(each)) for each in columns)
        drawn = element(
            "table",
            element("caption", named),
            element("thead", element("tr", *heads)),
            element("tbody", *(element("tr", *(self._cell(row, each) for each in columns)) for row in rows)),
            id=f"table-{table.name}",
        )
        below = (element("p", self._said(note), class_="note") for note in table_notes(table))
        return joined(element("div", drawn, class_="wide"), *below)

    def _cell(self, row: Row, stack: Stack) -> Markup:
        lines = [self._line(said, kind) for said, kind in stack.lines(row, self._printer)]
        return element("td", *lines, class_=_alignment(stack))

    def _line(self, said: Said, kind: CellKind) -> Markup:
        return element("div", self._words(said), class_="unbroken" if kind in _UNBROKEN else "line")

    def _word(self, word: Word) -> Markup:
        return self._said(word.text)

    def _said(self, text: Text) -> Markup:
        return self._words(say(text, self._lang))

    def _words(self, said: Said) -> Markup:
        if said.beside is None:
            return joined(said.main)
        return joined(said.main, " ", element("span", said.beside, lang="en", class_="en"))


def _alignment(stack: Stack) -> str:
    return "right" if stack.is_right_aligned else "left"
