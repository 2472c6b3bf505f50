"""The page: complete in itself, and nothing of what customers call themselves is markup in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from retention.reports.document import Lang
from retention.reports.html_form import write_html
from retention.reports.markup import element
from tests.unit.retention.reports.sample_report import CUSTOMERS, sample_report


class Page(HTMLParser):
    """Which elements there are, with their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements are closed in the order in which they were opened"

    def handle_data(self, data: str) -> None:
        self.text += data


def written(folder: Path, lang: Lang = Lang.BOTH) -> str:
    path = folder / f"{lang}.html"
    path.unlink(missing_ok=True)
    write_html(sample_report(), path, lang)
    return path.read_text("utf-8")


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(written(tmp_path))


def test_the_page_is_whole_and_its_parts_are_marked_as_what_they_are(page: Page) -> None:
    assert page.open == []
    tags = [tag for tag, _ in page.found]
    assert tags.count("table") == 3
    assert tags.count("caption") == 2
    assert tags.count("svg") == 2
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.found if tag == "th")
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [str(attributes["href"]).removeprefix("#") for tag, attributes in page.found if tag == "a"]
    assert links
    assert set(links) <= set(ids)


def test_nothing_is_taken_from_outside_and_nothing_can_run(page: Page) -> None:
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in page.found}
    for _, attributes in page.found:
        assert not any(name.startswith("on") or name in {"src", "style"} for name in attributes)
        assert str(attributes.get("href", "#")).startswith("#")
    policy = next(
        str(found["content"]) for _, found in page.found if found.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_what_a_customer_is_called_is_text(page: Page, tmp_path: Path) -> None:
    assert all(name in page.text for name in CUSTOMERS)
    assert "<script>" not in written(tmp_path)
    assert "〖U+0007〗" in page.text, "what HTML cannot hold is shown by its number"


@pytest.mark.parametrize(
    ("lang", "root", "has", "has_not"),
    [
        (Lang.ZH, "zh-CN", "本期完成的删除", "Deletions completed"),
        (Lang.EN, "en", "Deletions completed", "本期完成的删除"),
        (Lang.BOTH, "zh-CN", "Deletions completed", "nothing of the kind"),
    ],
)
def test_it_is_written_in_the_language_that_was_asked_for(
    tmp_path: Path, lang: Lang, root: str, has: str, has_not: str
) -> None:
    page = Page(written(tmp_path, lang))
    assert next(attributes["lang"] for tag, attributes in page.found if tag == "html") == root
    assert has in page.text
    assert has_not not in page.text


def test_english_beside_chinese_says_that_it_is_english(page: Page) -> None:
    assert all(
        attributes["lang"] == "en" for tag, attributes in page.found if tag == "span" and attributes["class"] == "en"
    )


def test_it_shows_the_first_rows_and_says_where_the_others_are(page: Page) -> None:
    assert "case-000039" in page.text
    assert "case-000040" not in page.text
    assert "另有 460 行；全部 500 行、11 列见 csv/deletions.csv" in page.text
    assert "No data left the country in this period." in page.text


def test_the_same_report_is_the_same_page(tmp_path: Path) -> None:
    assert written(tmp_path) == written(tmp_path)


def test_text_and_attributes_are_escaped_whatever_they_are() -> None:
    made = element("p", "<b>&\"'", element("i", "x"), title='"><script>')
    assert made == '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;&quot;&#x27;<i>x</i></p>'


def test_a_chart_has_a_name_for_those_who_cannot_see_it(page: Page) -> None:
    named = [attributes for tag, attributes in page.found if tag == "svg"]
    assert [found["aria-labelledby"] for found in named] == ["monthly-title", "by-customer-title"]
    assert re.search("各月完成的删除 / Deletions completed, by month", page.text)
