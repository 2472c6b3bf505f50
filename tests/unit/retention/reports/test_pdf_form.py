"""The printed report, looked at with another library."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pypdfium2
import pytest
import typst

from retention.reports.document import Cell, CellKind, Column, Lang, Report, Row, Section, Text
from retention.reports.glyphs import EUROPEAN, Glyphs
from retention.reports.pdf_form import typeset
from tests.unit.retention.reports.printed_page import collisions
from tests.unit.retention.reports.sample_report import START, exceptions, sample_report


@cache
def document(lang: Lang) -> bytes:
    return typeset(sample_report(), lang)


def pages(data: bytes) -> list[str]:
    """The text of each page, without line breaks and without the places where a word may break."""
    with pypdfium2.PdfDocument(data) as opened:
        texts = [page.get_textpage().get_text_range() for page in opened]
    return [re.sub("[\r\n\u200b\ufffe]", "", text) for text in texts]


def text(lang: Lang) -> str:
    return "".join(pages(document(lang)))


def with_names(*names: str) -> Report:
    rows = [(name, "a", "b", "c", None) for name in names]
    table = replace(exceptions(), rows=lambda: iter(rows), row_count=len(rows))
    return replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())


@pytest.mark.parametrize("lang", list(Lang))
def test_every_page_can_be_drawn_and_has_something_on_it(lang: Lang) -> None:
    with pypdfium2.PdfDocument(document(lang)) as opened:
        assert len(opened) == 7
        for page in opened:
            assert len(set(page.render(scale=0.2).to_pil().tobytes())) > 8


@pytest.mark.parametrize(
    ("lang", "labels"),
    [
        (
            Lang.ZH,
            [
                "客户数据删除情况报告",
                "报告编号",
                "目录",
                "数据摘要",
                "表 1",
                "本期完成的删除",
                "（续）",
                "图 2",
                "第 3 页，共 7 页",
            ],
        ),
        (
            Lang.EN,
            ["Report on the deletion", "Report number", "Contents", "Summary of figures", "Table 1", "Page 3 of 7"],
        ),
        (Lang.BOTH, ["完整性", "Integrity", "2.1", "完成的删除", "Completed", "按期完成 / in time", "▲ 需关注"]),
    ],
)
def test_every_label_can_be_found_in_its_text(lang: Lang, labels: list[str]) -> None:
    squeezed = re.sub(r"\s", "", text(lang))
    assert [label for label in labels if re.sub(r"\s", "", label) not in squeezed] == []


def test_the_title_page_says_what_the_report_is_anchored_in() -> None:
    first = pages(document(Lang.ZH))[0].replace(" ", "")
    ledger = sample_report().integrity
    assert all(each in first for each in (ledger.origin, ledger.first_root, ledger.last_root, ledger.key, "58,117"))
    assert sample_report().policy_version in first
    assert "2026年4月3日" in first


def test_the_head_of_a_table_is_repeated_and_only_its_first_rows_are_printed() -> None:
    with_table = [page for page in pages(document(Lang.ZH)) if "账本条目 case-" in page or "账本条目case-" in page]
    assert len(with_table) == 3
    assert "case-000039" in text(Lang.ZH)
    assert "case-000040" not in text(Lang.ZH)
    assert "另有460行；全部500行、11列见csv/deletions.csv" in text(Lang.ZH).replace(" ", "")
    assert "备注" not in text(Lang.ZH), "a column that is not for the printed page"


def test_a_character_that_no_font_has_is_shown_by_its_number_and_explained() -> None:
    said = text(Lang.ZH)
    assert "𠮷野家" in said
    assert "〖U+2A6A5〗" in said
    assert "〖U+1F35C〗" in said
    assert "〖U+202E〗" in said, "what turns the writing around is not obeyed, but shown"
    assert "关于字符的说明" in said
    assert "\ufffd" not in said


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a\u0301 z\u0301 龘\u0301", id="accents behind letters"),
        pytest.param("葛\U000e0100城", id="a selected variant of a character"),
        pytest.param("\ud800\x00\ufffe", id="what is no character"),
        pytest.param("مرحبا ไทย", id="writing that the fonts do not have"),
        pytest.param("👨‍👩‍👧", id="a family of emoji"),
        pytest.param('#strong[x] $x$ \\ // /* @a <b> `c` "', id="the typesetter's own signs"),
        pytest.param("一" * 5000, id="a text longer than a page"),
        pytest.param("x" * 5000, id="a word longer than a page"),
        pytest.param("\n" * 300, id="nothing but line breaks"),
        pytest.param("", id="nothing"),
    ],
)
def test_any_name_can_be_printed(name: str) -> None:
    data = typeset(with_names(name), Lang.BOTH)
    if name.startswith("#"):
        assert "#strong[x] $x$" in pages(data)[2]


def test_letters_of_europe_are_printed() -> None:
    letters = "".join(chr(number) for each in EUROPEAN for number in each)
    glyphs = Glyphs()
    printed = glyphs.printable(letters)
    assert len(glyphs.replaced) < 20, "only code points that stand for no letter"
    said = pages(typeset(with_names(*re.findall(".{1,60}", printed)), Lang.EN))
    assert "Łódź" in "".join(pages(typeset(with_names("Łódź"), Lang.EN)))
    assert "\ufffd" not in "".join(said)


def test_a_font_that_has_no_glyph_would_be_refused() -> None:
    source = '#set text(font: "Libertinus Serif", fallback: false)\n龘'.encode()
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
    with pytest.raises(typst.TypstError, match="could not be displayed"):
        typst.compile(source, font_paths=fonts, pdf_standards="a-2b", timestamp=0)


def test_the_same_report_is_the_same_bytes_in_another_process_too() -> None:
    script = (
        "import sys, hashlib; from retention.reports.document import Lang; from retention.reports.pdf_form import typeset;"
        "from tests.unit.retention.reports.sample_report import sample_report;"
        "sys.stdout.buffer.write(typeset(sample_report(), Lang.BOTH))"
    )
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert typeset(sample_report(), Lang.BOTH) == document(Lang.BOTH) == again


def test_it_is_an_archive_document_of_the_day_on_which_it_was_made() -> None:
    data = document(Lang.ZH)
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in data.replace(b'"', b"")
    with pypdfium2.PdfDocument(data) as opened:
        about = opened.get_metadata_dict()
    assert about["Title"] == "客户数据删除情况报告"
    assert about["Author"] == "华北算力云服务有限公司"
    assert about["CreationDate"].startswith("D:20260403011542")


@pytest.mark.parametrize("lang", list(Lang))
def test_nothing_runs_into_anything_else_or_off_the_page(lang: Lang) -> None:
    assert collisions(document(lang)) == []


WIDE = ("W" * 60, "@" * 200, "一" * 200, "（" * 40 + "数" * 9 + "）" * 40, "〖" * 50, "\U0002a6a5" * 30, "Ж" * 90)


def long_rows(kinds: list[CellKind], count: int) -> Report:
    """A table of columns of these kinds, all of whose cells are as long as any may be, and its heading too."""
    title = Text("非常之长而又不能分开的列标题", "Customer (pseudonym) / Unreasonablyverylongwords inaheading")
    columns = tuple(Column(f"c{chr(97 + n)}", title, kind) for n, kind in enumerate(kinds))
    cells: dict[CellKind, Cell] = {
        CellKind.TEXT: Text("依法保存并隔离", "incomprehensibilities"),
        CellKind.INSTANT: START,
        CellKind.COUNT: 10**15,
    }
    rows: list[Row] = [tuple(cells[kind] for kind in kinds)]
    rows += [tuple(wide if kind is CellKind.TEXT else None for kind in kinds) for wide in WIDE]
    table = replace(exceptions(), columns=columns, rows=lambda: iter(rows[:count]), row_count=min(count, len(rows)))
    return replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())


@pytest.mark.parametrize(
    ("kinds", "is_turned"),
    [
        pytest.param([CellKind.TEXT] * 6, False, id="six columns of words"),
        pytest.param([CellKind.TEXT] * 10, True, id="ten columns of words"),
        pytest.param([CellKind.TEXT] * 24, True, id="more columns than fit on any page"),
        pytest.param([CellKind.TEXT, CellKind.INSTANT, CellKind.COUNT] * 4, True, id="columns of every kind"),
    ],
)
@pytest.mark.parametrize("lang", [Lang.EN, Lang.BOTH])
def test_what_is_very_long_is_broken_within_its_column(kinds: list[CellKind], is_turned: bool, lang: Lang) -> None:
    printed = typeset(long_rows(kinds, 99), lang)
    assert [said for said in collisions(printed) if not said.startswith("page 1")] == []
    with pypdfium2.PdfDocument(printed) as opened:
        assert (opened[2].get_width() > opened[2].get_height()) is is_turned


def test_tables_that_are_too_wide_share_turned_pages() -> None:
    columns = tuple(Column(f"c{chr(97 + n)}", Text(f"第{n}列", f"Column {n}"), CellKind.INSTANT) for n in range(12))
    tables = [
        replace(exceptions(), name=name, columns=columns, rows=lambda: iter([(START,) * 12]), row_count=1)
        for name in "abc"
    ]
    *wide, narrow = [Section(table.title, (table,)) for table in (*tables, exceptions())]
    report = replace(sample_report(), sections=(*wide, narrow), figures=())
    with pypdfium2.PdfDocument(typeset(report, Lang.ZH)) as opened:
        sizes = [page.get_width() > page.get_height() for page in opened]
    assert sizes == [False, False, True, False]


def test_a_column_in_which_nothing_stands_is_not_printed() -> None:
    rows: list[Row] = [(name, None, "", "c", None) for name in ("a", "b")]
    table = replace(exceptions(), rows=lambda: iter(rows), row_count=2)
    report = replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())
    said = pages(typeset(report, Lang.EN))[2]
    assert "State" in said
    assert not any(head in said for head in ("Copy", "Reason", "Since"))


def test_columns_below_each_other_share_a_cell_and_a_missing_date_is_a_dash() -> None:
    columns = (
        Column("case", Text("案件", "Case")),
        Column("why", Text("原因", "Why"), is_below=True),
        Column("due", Text("到期", "Due"), CellKind.INSTANT),
        Column("done", Text("完成", "Done"), CellKind.INSTANT, is_below=True),
    )
    rows: list[Row] = [("case-1", "held", START, None), ("case-2", None, None, START)]
    table = replace(exceptions(), columns=columns, rows=lambda: iter(rows), row_count=2)
    report = replace(sample_report(), sections=(Section(table.title, (table,)),), figures=())
    said = pages(typeset(report, Lang.EN))[2].replace(" ", "")
    assert "Case/WhyDue/Done" in said
    assert "case-1held2026-01-0500:30—case-2—2026-01-0500:30" in said


def test_what_needs_attention_stands_first_in_the_summary() -> None:
    summary = pages(document(Lang.EN))[1]
    assert summary.index("Not completed in time") < summary.index("Deletions completed")
