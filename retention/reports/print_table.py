"""A table as it is typeset: its columns measured, and every cell in pieces that fit into its column. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from retention.reports.cells import LONGEST_PRINTED, Printer, shown_rows
from retention.reports.column_widths import ENGLISH, Widths, Written, room_in, widths
from retention.reports.document import CellKind, Lang, Report, Row, Table
from retention.reports.stacks import Stack, stacks
from retention.reports.type_widths import pieces, width
from retention.reports.wording import Said, say

Pieces: TypeAlias = list[str]
"""Words in pieces, between which a line may be broken."""

Line: TypeAlias = list[Pieces]
"""What a line of a cell says, and, of what is said in both languages, the English below it."""

_MOST_LINES = 25

_Told: TypeAlias = list[tuple[Said, CellKind]]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """heads: a line each; rows: of each the cells, and of each cell its lines. long_rows: those that a page may part."""

    widths: Widths
    is_right_aligned: tuple[bool, ...]
    heads: tuple[Line, ...]
    rows: tuple[list[list[Line]], ...]
    long_rows: frozenset[int]


def printed(table: Table, report: Report, lang: Lang, printable: Callable[[str], str]) -> PrintedTable:
    """The table with its first rows. printable: see `Glyphs`; asked before anything is measured."""
    rows = list(shown_rows(table))
    columns = stacks(table, rows)
    printer = Printer(report, lang)
    heads = [_shown(say(stack.title, lang), printable) for stack in columns]
    cells = [[_told(stack, printer, row, printable) for stack in columns] for row in rows]
    measured = widths(
        [
            Written(head, tuple(line for row in cells for line in row[index]), stack.weight, stack.is_right_aligned)
            for index, (head, stack) in enumerate(zip(heads, columns, strict=True))
        ]
    )
    return PrintedTable(
        measured,
        tuple(stack.is_right_aligned for stack in columns),
        tuple(_line(head, wide, is_bold=True) for head, wide in zip(heads, measured.columns, strict=True)),
        tuple(_row(row, measured.columns) for row in cells),
        frozenset(index for index, row in enumerate(cells) if _is_long(row, measured.columns)),
    )


def _is_long(cells: Sequence[_Told], columns: Sequence[float]) -> bool:
    """Whether some cell has more lines than may be kept on one page."""
    return any(
        sum(said.main.count("\n") + width(said.main) / room_in(wide) for said, _ in cell) > _MOST_LINES
        for cell, wide in zip(cells, columns, strict=True)
    )


def _row(cells: Sequence[_Told], columns: Sequence[float]) -> list[list[Line]]:
    return [[_line(said, wide) for said, _ in cell] for cell, wide in zip(cells, columns, strict=True)]


def _told(stack: Stack, printer: Printer, row: Row, printable: Callable[[str], str]) -> _Told:
    return [(_shown(said, printable), kind) for said, kind in stack.lines(row, printer, LONGEST_PRINTED)]


def _shown(said: Said, printable: Callable[[str], str]) -> Said:
    return Said(printable(said.main), None if said.beside is None else printable(said.beside))


def _line(said: Said, column: float, *, is_bold: bool = False) -> Line:
    main = pieces(said.main, room_in(column), is_bold=is_bold)
    if said.beside is None:
        return [main]
    return [main, pieces(said.beside, room_in(column, ENGLISH), is_bold=is_bold)]
