"""What a report is made of: numbered sections with paragraphs, tables and charts, in Chinese and English.

It says nothing of how it looks. Every form (`pdf`, `xlsx`, `csv`, `json`, `html`) is written from the same document, so no
form can say what another does not. Rows come from a function, so that a table of any length is never held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo


class Lang(StrEnum):
    """The languages that a report is written in; `both` puts Chinese first and English beside or below it."""

    ZH = "zh"
    EN = "en"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in Chinese and English."""

    zh: str
    en: str


class CellKind(StrEnum):
    """What a column holds. None is allowed in every kind and is an empty cell.

    text: str or Text. count, bytes: int. instant: aware UTC, shown in the report's time zone. day: date. share: float, 0
    to 1. entries: tuple of ledger entry numbers. flag: bool.
    """

    TEXT = "text"
    COUNT = "count"
    BYTES = "bytes"
    INSTANT = "instant"
    DAY = "day"
    SHARE = "share"
    ENTRIES = "entries"
    FLAG = "flag"


Cell = str | Text | int | float | bool | datetime | date | tuple[int, ...] | None
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. name: its key in CSV and JSON, lower case with underscores. weight: its share of a printed line's width.

    is_summary: whether a printed page shows it; forms for machines have every column. is_below: whether it is printed in
    the cell of the one before it, on a line of its own.
    """

    name: str
    title: Text
    kind: CellKind = CellKind.TEXT
    weight: int = 2
    is_summary: bool = True
    is_below: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table. name: unique in the report, the name of its CSV file and sheet (at most 31 characters, a-z and `-`).

    rows: yields every row, in the order in which they matter; called anew for each form, with the same result.
    shown_rows: how many of the first rows a printed page shows; the rest is in the CSV, XLSX and JSON, and the page says so.
    row_count: how many rows there are. note: what a reader has to know before reading it. empty: what stands there when it
    has no rows.
    """

    name: str
    title: Text
    columns: tuple[Column, ...]
    rows: Callable[[], Iterator[Row]]
    row_count: int
    note: Text | None = None
    empty: Text | None = None
    shown_rows: int = 40


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a chart; as many values as the chart has categories."""

    title: Text
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, one group for each category, stacked. Readable in grey. table: the table that has its figures."""

    name: str
    title: Text
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    unit: Text
    table: str


Block = Text | Table | Chart
"""A paragraph, a table or a chart."""


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of a report. Numbers follow from the order: 1, 1.1, 1.2, 2."""

    title: Text
    blocks: tuple[Block, ...] = ()
    parts: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the summary: what, how many, and the table whose rows it counts."""

    title: Text
    value: int
    table: str
    needs_attention: bool = False


@dataclass(frozen=True, slots=True)
class Integrity:
    """The ledger at both ends of the period, for the title page. size: entries; root: base64; key: the verifier key."""

    origin: str
    key: str
    first_size: int
    first_root: str
    last_size: int
    last_root: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report about a period.

    number: what it is called when it is cited. issuer: who answers for it. first_day, last_day: of the period, in `zone`,
    both included. made_at: aware UTC. identified: whether customers stand in it by name, and on what ground.
    """

    title: Text
    number: str
    issuer: str
    first_day: date
    last_day: date
    zone: ZoneInfo
    made_at: datetime
    policy_title: str
    policy_version: str
    integrity: Integrity
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    identified: str | None = None

    def tables(self) -> Iterator[Table]:
        """Every table, in the order in which they are printed."""
        yield from (block for block in self.blocks() if isinstance(block, Table))

    def blocks(self) -> Iterator[Block]:
        """Every paragraph, table and chart, in the order in which they are printed."""
        waiting = list(reversed(self.sections))
        while waiting:
            section = waiting.pop()
            yield from section.blocks
            waiting.extend(reversed(section.parts))
