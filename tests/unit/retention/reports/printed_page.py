"""What is wrong with how a printed document looks, as far as a machine can see it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pypdfium2

Box = tuple[float, float, float, float, str]
"""Left, bottom, right, top, in points, and what stands there."""

_LEFT, _RIGHT = 28 * 72 / 25.4, 22 * 72 / 25.4
"""The margins."""

_TOUCH, _BLANK = 0.8, 3.0
"""Points by which boxes may run into each other, as those of letters do, and by which a blank may stand out on the right."""


def collisions(document: bytes) -> list[str]:
    """Every two pieces of text that run into each other, and every one that leaves the page's margins."""
    with pypdfium2.PdfDocument(document) as opened:
        return [f"page {number}: {said}" for number, page in enumerate(opened, 1) for said in _wrong(page)]


def _wrong(page: pypdfium2.PdfPage) -> Iterator[str]:
    boxes = sorted(_boxes(page))
    for index, one in enumerate(boxes):
        for other in islice(boxes, index + 1, None):
            if other[0] > one[2] - _TOUCH:
                break
            if min(one[3], other[3]) - max(one[1], other[1]) > _TOUCH < other[2] - other[0]:
                yield f"{one[4]!r} runs into {other[4]!r}"
    for box in boxes:
        if box[0] < _LEFT - _TOUCH or box[2] > page.get_width() - _RIGHT + _BLANK:
            yield f"{box[4]!r} leaves the page"


def _boxes(page: pypdfium2.PdfPage) -> Iterator[Box]:
    text = page.get_textpage()
    for index in range(text.count_rects()):
        box = text.get_rect(index)
        yield (*box, text.get_text_bounded(*box))
