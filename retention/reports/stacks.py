"""The columns of a table as they are printed: those of its summary, some of them below each other in one cell. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retention.reports.cells import RIGHT_ALIGNED, Printer
from retention.reports.document import Cell, CellKind, Column, Row, Table, Text
from retention.reports.wording import Said


@dataclass(frozen=True, slots=True)
class Stack:
    """Columns that share a printed one, each on a line of its own, with their places in a row."""

    members: tuple[tuple[int, Column], ...]

    @property
    def title(self) -> Text:
        """The titles of all, parted by ` / `."""
        titles = [column.title for _, column in self.members]
        return Text(" / ".join(each.zh for each in titles), " / ".join(each.en for each in titles))

    @property
    def is_right_aligned(self) -> bool:
        """Whether it holds numbers."""
        return self.members[0][1].kind in RIGHT_ALIGNED

    @property
    def weight(self) -> int:
        """The largest of its members'."""
        return max(column.weight for _, column in self.members)

    def lines(self, row: Row, printer: Printer, longest: int | None = None) -> list[tuple[Said, CellKind]]:
        """What the row says here. A text that is empty is left out where another line stands; a date never is."""
        found = [(row[place], column.kind) for place, column in self.members]
        told = [each for each in found if not (each[1] is CellKind.TEXT and _is_empty(each[0]))] or found[:1]
        return [(printer.cell(None if _is_empty(cell) else cell, kind, longest), kind) for cell, kind in told]


def stacks(table: Table, rows: Sequence[Row]) -> tuple[Stack, ...]:
    """The printed columns in which at least one of these rows has something; all of them where none has anything."""
    found: list[list[tuple[int, Column]]] = []
    for place, column in enumerate(table.columns):
        if not column.is_summary:
            continue
        if not (column.is_below and found):
            found.append([])
        found[-1].append((place, column))
    return tuple(_filled(found, rows)) or tuple(Stack(tuple(each)) for each in found)


def _filled(columns: Sequence[Sequence[tuple[int, Column]]], rows: Sequence[Row]) -> Iterator[Stack]:
    for members in columns:
        filled = tuple(each for each in members if not all(_is_empty(row[each[0]]) for row in rows))
        if filled:
            yield Stack(filled)


def _is_empty(cell: Cell) -> bool:
    return cell is None or cell in ("", ())
