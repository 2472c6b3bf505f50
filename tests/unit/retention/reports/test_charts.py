"""Stacked bars that can be read in grey."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from retention.reports.charts import FILLS, MOST_CATEGORIES, Box, Label, draw, svg
from retention.reports.document import Chart, Lang, Series, Text
from tests.unit.retention.reports.sample_report import BY_CUSTOMER, MONTHLY


def labels(chart: Chart, lang: Lang = Lang.BOTH) -> list[str]:
    return [shape.words for shape in draw(chart, lang).shapes if isinstance(shape, Label)]


def bars(chart: Chart) -> list[Box]:
    return [shape for shape in draw(chart, Lang.ZH).shapes if isinstance(shape, Box) and shape.height == 15]


def test_a_chart_says_its_categories_series_totals_and_unit() -> None:
    said = labels(MONTHLY)
    assert {"2026-01", "按期完成 / in time", "案件数 / cases", "44", "135", "321", "301"} <= set(said)


def test_a_bar_is_as_long_as_its_value_and_parts_follow_each_other() -> None:
    first, second = [bar for bar in bars(MONTHLY) if bar.y == bars(MONTHLY)[0].y]
    assert first.width / second.width == pytest.approx(41 / 3)
    assert first.x + first.width == pytest.approx(second.x)


def test_series_differ_without_colour() -> None:
    assert len({(fill.grey, fill.hatching) for fill in FILLS}) == len(FILLS)
    assert all(one.hatching != two.hatching or abs(one.grey - two.grey) > 60 for one, two in pairwise(FILLS))


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param(replace(MONTHLY, categories=(), series=()), id="nothing at all"),
        pytest.param(replace(MONTHLY, series=(Series(Text("零", "none"), (0, 0, 0)),)), id="only zeros"),
        pytest.param(replace(MONTHLY, series=(Series(Text("多", "many"), (10**12, 1, 0)),)), id="very large numbers"),
        pytest.param(replace(MONTHLY, series=MONTHLY.series * 4), id="more series than there are fills"),
    ],
)
def test_any_values_can_be_drawn(chart: Chart) -> None:
    drawing = draw(chart, Lang.BOTH)
    boxes = [shape for shape in drawing.shapes if isinstance(shape, Box)]
    assert all(box.x >= 0 and box.x + box.width <= drawing.width for box in boxes)
    ElementTree.fromstring(svg(chart, Lang.BOTH))


def test_a_long_name_is_shortened_and_many_categories_are_cut() -> None:
    names = tuple(f"{number} 客户名称很长的云计算数据服务股份有限公司" for number in range(40))
    chart = replace(BY_CUSTOMER, categories=names, series=(Series(Text("待办", "open"), tuple(range(40))),))
    assert sum(label.endswith("…") for label in labels(chart)) == MOST_CATEGORIES


def test_svg_is_well_formed_refers_to_nothing_outside_and_is_the_same_each_time() -> None:
    drawn = svg(BY_CUSTOMER, Lang.BOTH)
    root = ElementTree.fromstring(drawn)
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        *("svg", "title", "defs", "pattern", "path", "rect", "line", "text")
    }
    assert "href" not in drawn
    assert "=cmd|' /C calc'!A0" in {each.text for each in root.iter()}
    assert drawn == svg(BY_CUSTOMER, Lang.BOTH)
