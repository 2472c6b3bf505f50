"""How wide the columns of a printed table are: as their weights say, but wide enough for what may not be broken. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention.reports.document import CellKind, Column

PORTRAIT, LANDSCAPE = 160.0, 247.0
"""Millimetres between the margins of A4."""

_DIGIT, _CJK, _AROUND = 1.72, 3.05, 2.9
"""Millimetres in the type of a table: a digit or Latin letter, a Chinese character, the space beside a cell's words."""

_LEAST_LETTERS = {CellKind.INSTANT: 10, CellKind.DAY: 10, CellKind.SHARE: 6, CellKind.FLAG: 4, CellKind.ENTRIES: 11}
_LEAST_OF_TEXT = 11


@dataclass(frozen=True, slots=True)
class Widths:
    """Millimetres of each column, and whether the table needs a page of its own, turned."""

    columns: tuple[float, ...]
    is_turned: bool


def widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Widths:
    """The widths for these columns and what their cells say."""
    least = [_least(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    is_turned = sum(least) > PORTRAIT
    return Widths(
        _shared(LANDSCAPE if is_turned else PORTRAIT, [column.weight for column in columns], least), is_turned
    )


def _shared(room: float, weights: Sequence[int], least: Sequence[float]) -> tuple[float, ...]:
    """The room by weight; a column whose share is too small gets its least, and the others share what is left."""
    fixed: set[int] = set()
    while True:
        left = room - sum(least[index] for index in fixed)
        total = sum(weight for index, weight in enumerate(weights) if index not in fixed)
        share = {index: left * weight / total for index, weight in enumerate(weights) if index not in fixed}
        narrow = {index for index, width in share.items() if width < least[index]}
        if not narrow or len(fixed | narrow) == len(weights):
            break
        fixed |= narrow
    shares = [share.get(index, each) for index, each in enumerate(least)]
    return tuple(round(each * room / sum(shares), 2) for each in shares)


def _least(column: Column, cells: Sequence[str]) -> float:
    if column.kind in {CellKind.COUNT, CellKind.BYTES}:
        letters = max(map(len, cells), default=0)
    else:
        letters = _LEAST_LETTERS.get(column.kind, _LEAST_OF_TEXT)
    words = max(map(len, column.title.en.split()), default=0)
    return _AROUND + max(letters * _DIGIT, min(words, 11) * _DIGIT, min(len(column.title.zh), 3) * _CJK)
