"""Stacked bars: greys and hatching that a black-and-white copy still tells apart. The same drawing for the same chart.

As shapes, from which print is typeset, and as SVG without script, style sheet or reference to anything outside.
Source: SVG 1.1.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retention.reports.document import Chart, Lang
from retention.reports.markup import Markup, element
from retention.reports.wording import on_one_line

MOST_CATEGORIES = 24

_FONTS = "Noto Sans SC, Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"
_INK = "#1a1a1a"
_WIDTH, _LINE, _BAR, _SIZE = 640.0, 24.0, 15.0, 11.0
_LABELS_MOST, _TOTALS, _ALONE = 190.0, 64.0, 0.5
"""Room for the names of the bars and for their totals; how much of the width a single bar has at most."""


@dataclass(frozen=True, slots=True)
class Fill:
    """How a series looks. grey: 0 to 255; hatching: lines (x1, y1, x2, y2) over it in a tile of 6 by 6."""

    grey: int
    hatching: tuple[tuple[int, int, int, int], ...] = ()


_RISING, _FALLING, _LEVEL, _UPRIGHT = (0, 6, 6, 0), (0, 0, 6, 6), (0, 3, 6, 3), (3, 0, 3, 6)
FILLS = (
    Fill(77),
    Fill(255, (_RISING,)),
    Fill(179),
    Fill(255, (_FALLING,)),
    Fill(217, (_LEVEL,)),
    Fill(255, (_UPRIGHT,)),
    Fill(140, (_UPRIGHT,)),
    Fill(255, (_RISING, _FALLING)),
)
"""By series; a ninth begins again."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, from its left upper corner. fill: the number of a grey and its hatching; None is white."""

    x: float
    y: float
    width: float
    height: float
    fill: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line down from its upper end. is_axis: the one that the bars stand on, darker than the scale's."""

    x: float
    top: float
    bottom: float
    is_axis: bool


@dataclass(frozen=True, slots=True)
class Label:
    """Words; `x` is their start, middle or end, as `anchor` says, and `y` the line that they stand on."""

    words: str
    x: float
    y: float
    anchor: str
    size: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as shapes, those behind first; lengths in units of which `width` are as wide as the page."""

    width: float
    height: float
    shapes: tuple[Box | Line | Label, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    top: float
    scale: float
    highest: int
    step: int

    def x(self, value: float) -> float:
        return self.left + value * self.scale


def draw(chart: Chart, lang: Lang) -> Drawing:
    """The chart: a bar for each category from the top, its series from the left, its total behind it.

    At most MOST_CATEGORIES bars; whoever shows the chart says that there are more.
    """
    legend = list(_legend(chart, lang))
    frame = _frame(chart, max((each.y for each in legend if isinstance(each, Label)), default=-4.0) + 12)
    bar_count = min(len(chart.categories), MOST_CATEGORIES)
    bottom = frame.top + bar_count * _LINE
    shapes = [
        *legend,
        *_scale(frame, bottom, on_one_line(chart.unit, lang)),
        *(shape for index in range(bar_count) for shape in _bar(chart, index, frame)),
        Line(frame.left, frame.top, bottom, is_axis=True),
    ]
    return Drawing(_WIDTH, bottom + 34, tuple(shapes))


def svg(chart: Chart, lang: Lang) -> Markup:
    """The drawing as one `<svg>` element."""
    drawing = draw(chart, lang)
    width, height = _n(drawing.width), _n(drawing.height)
    return element(
        "svg",
        element("title", on_one_line(chart.title, lang), id=f"{chart.name}-title"),
        element("defs", *(_pattern(chart, index) for index in range(min(len(chart.series), len(FILLS))))),
        element("rect", width=width, height=height, fill="#ffffff"),
        *(_shape(shape, chart) for shape in drawing.shapes),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{chart.name}-title",
        font_family=_FONTS,
        fill=_INK,
    )


def _frame(chart: Chart, top: float) -> _Frame:
    totals = [sum(series.values[index] for series in chart.series) for index in range(len(chart.categories))]
    highest = max(totals[:MOST_CATEGORIES], default=0)
    step = _round_step(highest)
    end = step * max(1, math.ceil(highest / step))
    left = min(_LABELS_MOST, max((_wide(each) for each in chart.categories[:MOST_CATEGORIES]), default=0.0)) + 10
    room = (_WIDTH - left - _TOTALS) * (1 if len(chart.categories) > 1 else _ALONE)
    return _Frame(left, top, room / end, end, step)


def _round_step(highest: int) -> int:
    """The distance of the lines: 1, 2 or 5 times a power of ten, so that there are about five of them."""
    rough = max(highest, 1) / 5
    power = 10 ** max(0, math.floor(math.log10(rough))) if rough >= 1 else 1
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def _scale(frame: _Frame, bottom: float, unit: str) -> Iterator[Line | Label]:
    for value in range(0, frame.highest + 1, frame.step):
        yield Line(frame.x(value), frame.top, bottom, is_axis=False)
        yield Label(f"{value:,}", frame.x(value), bottom + 13, "middle", 9)
    yield Label(unit, frame.x(frame.highest / 2), bottom + 28, "middle", 9.5)


def _bar(chart: Chart, index: int, frame: _Frame) -> Iterator[Box | Label]:
    middle = frame.top + (index + 0.5) * _LINE
    yield Label(_fitting(chart.categories[index], frame.left - 10), frame.left - 6, middle + 4, "end", _SIZE)
    sofar = 0
    for number, series in enumerate(chart.series):
        value = series.values[index]
        if value:
            yield Box(frame.x(sofar), middle - _BAR / 2, value * frame.scale, _BAR, number % len(FILLS))
            if len(chart.series) > 1:
                yield from _figure(f"{value:,}", frame.x(sofar + value / 2), value * frame.scale, middle)
        sofar += value
    yield Label(f"{sofar:,}", frame.x(sofar) + 5, middle + 3.3, "start", 9.5)


def _figure(figure: str, center: float, room: float, middle: float) -> Iterator[Box | Label]:
    """The value of a part of a bar, on a white plate, where there is room for it."""
    plate = _wide(figure, 9) + 6
    if room > plate + 4:
        yield Box(center - plate / 2, middle - 5.5, plate, 11, None)
        yield Label(figure, center, middle + 3.3, "middle", 9)


def _legend(chart: Chart, lang: Lang) -> Iterator[Box | Label]:
    """An entry for each series, in as many lines as they need."""
    x, y = 0.0, 12.0
    for number, series in enumerate(chart.series):
        words = _fitting(on_one_line(series.title, lang), _WIDTH - 40)
        if x > 0 and x + 22 + _wide(words) > _WIDTH:
            x, y = 0.0, y + 18
        yield Box(x, y - 9, 16, 10, number % len(FILLS))
        yield Label(words, x + 21, y, "start", _SIZE)
        x += 21 + _wide(words) + 20


def _shape(shape: Box | Line | Label, chart: Chart) -> Markup:
    match shape:
        case Box():
            place = {"x": _n(shape.x), "y": _n(shape.y), "width": _n(shape.width), "height": _n(shape.height)}
            if shape.fill is None:
                return element("rect", **place, fill="#ffffff")
            return element("rect", **place, fill=f"url(#{chart.name}-{shape.fill})", stroke=_INK, stroke_width="0.7")
        case Line():
            look = {"stroke": _INK} if shape.is_axis else {"stroke": "#cccccc", "stroke_width": "0.6"}
            return element("line", x1=_n(shape.x), x2=_n(shape.x), y1=_n(shape.top), y2=_n(shape.bottom), **look)
        case Label():
            place = {"x": _n(shape.x), "y": _n(shape.y), "text_anchor": shape.anchor, "font_size": _n(shape.size)}
            return element("text", shape.words, **place)


def _pattern(chart: Chart, number: int) -> Markup:
    fill = FILLS[number]
    drawn = " ".join(f"M{x1} {y1}L{x2} {y2}" for x1, y1, x2, y2 in fill.hatching)
    lines = [element("path", d=drawn, stroke=_INK, stroke_width="0.8", fill="none")] if drawn else []
    return element(
        "pattern",
        element("rect", width="6", height="6", fill=f"#{fill.grey:02x}{fill.grey:02x}{fill.grey:02x}"),
        *lines,
        id=f"{chart.name}-{number}",
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
    )


def _fitting(words: str, room: float) -> str:
    if _wide(words) <= room:
        return words
    while words and _wide(words + "…") > room:
        words = words[:-1]
    return words + "…"


def _wide(words: Sequence[str], size: float = _SIZE) -> float:
    """About how wide the words are: a Chinese character is as wide as it is high, a Latin one a little over half."""
    return size * sum(1.0 if unicodedata.east_asian_width(each) in "WFA" else 0.57 for each in words)


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
