"""How wide the columns of a printed table are: as what stands in them needs, and never too narrow for it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention.reports.document import CellKind
from retention.reports.type_widths import longest_line, widest_token
from retention.reports.wording import Said

PORTRAIT, LANDSCAPE = 160.0, 247.0
"""Millimetres between the margins of A4."""

EM, INSET = 2.823, 1.1
"""Millimetres: the type of a table (8 pt), and the blank on both sides of a cell."""

ENGLISH = 0.84
"""How large the English beside Chinese is."""

_SPARE = 0.3
"""Millimetres that are not used, for what rounding takes."""

_WHOLE = frozenset({CellKind.COUNT, CellKind.BYTES, CellKind.INSTANT, CellKind.DAY, CellKind.SHARE})
_LEAST_OF_TEXT, _LEAST_OF_HEAD = 4.8, 6.4
"""In em: from where on a word of a text may be broken, and one of a heading."""

_SHORT_HEAD, _FEW_CHARACTERS, _WHOLE_WORD, _LINE = 4.4, 7.5, 12.0, 32.0
"""In em: up to where what is left is used to keep short headings, a few characters and words whole, and then lines."""


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a column: its heading, and the lines of all its cells with what each holds. weight: of what is left.

    is_number: whether it stays as narrow as it can be, while others have more room than they need.
    """

    head: Said
    lines: tuple[tuple[Said, CellKind], ...]
    weight: int
    is_number: bool


@dataclass(frozen=True, slots=True)
class Widths:
    """Millimetres of each column, and whether the table needs a page that is turned."""

    columns: tuple[float, ...]
    is_turned: bool


def widths(columns: Sequence[Written]) -> Widths:
    """The widths with which least has to be broken. Where a turned page is too narrow for all, each has its part of it."""
    least = [_least(column) for column in columns]
    is_turned = sum(least) > PORTRAIT
    room = LANDSCAPE if is_turned else PORTRAIT
    if sum(least) > room:
        return Widths(tuple(round(each * room / sum(least), 2) for each in least), is_turned)
    weights = [column.weight for column in columns]
    whole = _filled(room, least, [_with_whole_words(column) for column in columns])
    shared = _shared(room, whole, [_with_whole_lines(column) for column in columns], weights)
    wide = sum(each for each, column in zip(shared, columns, strict=True) if not column.is_number)
    left, growing = room - sum(shared), wide or sum(shared)
    return Widths(
        tuple(
            round(each if column.is_number and wide else each + left * each / growing, 2)
            for each, column in zip(shared, columns, strict=True)
        ),
        is_turned,
    )


def room_in(width: float, scale: float = 1.0) -> float:
    """Em of type that fit into a column of so many millimetres, and at least one character."""
    return max(1.0, (width - 2 * INSET - _SPARE) / (EM * scale))


def _filled(room: float, least: Sequence[float], best: Sequence[float]) -> list[float]:
    """What is left beyond the least goes to those that need the fewest millimetres, so that most are at their best."""
    filled = list(least)
    for index in sorted(range(len(least)), key=lambda index: best[index] - least[index]):
        filled[index] += max(0.0, min(best[index] - least[index], room - sum(filled)))
    return filled


def _shared(room: float, least: Sequence[float], best: Sequence[float], weights: Sequence[int]) -> list[float]:
    """What is left beyond the least goes by weight to those that are not at their best."""
    shared = list(least)
    while (left := room - sum(shared)) > 0.01:
        needy = [index for index, each in enumerate(shared) if each < best[index] - 0.01]
        if not needy:
            break
        total = sum(weights[index] for index in needy)
        for index in needy:
            shared[index] = min(best[index], shared[index] + left * weights[index] / total)
    return shared


def _millimetres(em: float) -> float:
    return em * EM + 2 * INSET + _SPARE


def _least(column: Written) -> float:
    main = widest_token(column.head.main, at_signs=True, is_bold=True)
    beside = widest_token(column.head.beside or "", at_signs=True, is_bold=True)
    cells = max((_least_of(said, kind) for said, kind in column.lines), default=0.0)
    return _millimetres(max(min(main, _LEAST_OF_HEAD), ENGLISH * min(beside, _LEAST_OF_HEAD), cells, 2.0))


def _least_of(said: Said, kind: CellKind) -> float:
    if kind in _WHOLE:
        return widest_token(said.main, at_signs=False)
    main = min(widest_token(said.main, at_signs=True), _LEAST_OF_TEXT)
    return max(main, ENGLISH * min(widest_token(said.beside or "", at_signs=True), _LEAST_OF_TEXT))


def _with_whole_words(column: Written) -> float:
    head = min(longest_line(column.head.main, is_bold=True), _SHORT_HEAD)
    return _millimetres(max([head, *(_whole_of(said, kind) for said, kind in column.lines)]))


def _whole_of(said: Said, kind: CellKind) -> float:
    if kind in _WHOLE:
        return longest_line(said.main)
    line, beside = longest_line(said.main), ENGLISH * widest_token(said.beside or "", at_signs=False)
    word = line if line <= _FEW_CHARACTERS else widest_token(said.main, at_signs=False)
    return min(max(word, beside), _WHOLE_WORD)


def _with_whole_lines(column: Written) -> float:
    main, beside = (longest_line(words or "", is_bold=True) for words in (column.head.main, column.head.beside))
    head = min(max(main, ENGLISH * beside), _LINE if column.is_number else _LEAST_OF_HEAD)
    said = [said for said, _ in column.lines]
    cells = (max(longest_line(each.main), ENGLISH * longest_line(each.beside or "")) for each in said)
    return _millimetres(min(max([head, *cells]), _LINE))
