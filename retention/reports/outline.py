"""A report as it is numbered: sections 1, 1.1, tables and charts each from 1. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from retention.reports.charts import MOST_CATEGORIES
from retention.reports.document import Block, Chart, Figure, Report, Section, Table, Text
from retention.reports.wording import Word


@dataclass(frozen=True, slots=True)
class NumberedSection:
    """A section without its parts, which follow it. level: 1 for the outermost."""

    number: str
    level: int
    title: Text
    blocks: tuple[Block, ...]


def sections(report: Report) -> Iterator[NumberedSection]:
    """Every section and part, in the order in which they are printed."""
    for number, section in enumerate(report.sections, 1):
        yield from _numbered(section, str(number), 1)


def _numbered(section: Section, number: str, level: int) -> Iterator[NumberedSection]:
    yield NumberedSection(number, level, section.title, section.blocks)
    for index, part in enumerate(section.parts, 1):
        yield from _numbered(part, f"{number}.{index}", level + 1)


def table_numbers(report: Report) -> Mapping[str, int]:
    """The number of each table, by its name."""
    return {table.name: number for number, table in enumerate(report.tables(), 1)}


def chart_numbers(report: Report) -> Mapping[str, int]:
    """The number of each chart, by its name."""
    charts = (block for block in report.blocks() if isinstance(block, Chart))
    return {chart.name: number for number, chart in enumerate(charts, 1)}


def caption(word: Word, number: int, title: Text) -> Text:
    """`表 3　标题`, `Table 3  title`."""
    return Text(f"{word.text.zh} {number}　{title.zh}", f"{word.text.en} {number}  {title.en}")


def csv_name(table: Table) -> str:
    """Where the table's CSV file is, from the folder of the report."""
    return f"csv/{table.name}.csv"


def figures(report: Report) -> tuple[Figure, ...]:
    """The figures of the summary, those that need attention first."""
    return tuple(sorted(report.figures, key=lambda figure: not figure.needs_attention))


def reading_note(report: Report) -> Text:
    """How the tables are to be read: in which zone their times are, and where their other columns and rows are."""
    return Word.READING.filled(zone=report.zone.key)


def table_notes(table: Table) -> Iterator[Text]:
    """What stands below a printed table: its note, and where its other rows are."""
    if table.note is not None:
        yield table.note
    more = table.row_count - table.shown_rows
    if more > 0:
        yield Word.ROWS_MORE.filled(
            shown=f"{table.shown_rows:,}",
            more=f"{more:,}",
            all=f"{table.row_count:,}",
            columns=len(table.columns),
            file=csv_name(table),
            sheet=table.name,
        )


def chart_note(chart: Chart, numbers: Mapping[str, int]) -> Text:
    """What stands below a chart: which table has its figures, and whether there are more bars than are drawn."""
    table = numbers[chart.table]
    if len(chart.categories) > MOST_CATEGORIES:
        return Word.CHART_REST.filled(shown=MOST_CATEGORIES, all=f"{len(chart.categories):,}", table=table)
    return Word.CHART_SOURCE.filled(table=table)
