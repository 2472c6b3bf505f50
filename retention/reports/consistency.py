"""Whether a report fits together, asked before any of it is written. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from retention.reports.cells import ReportInconsistent
from retention.reports.document import Chart, Report, Table

TABLE_NAME = re.compile(r"[a-z][a-z-]{0,30}")
NAME = re.compile(r"[a-z][a-z0-9_-]*")


def check_report(report: Report) -> None:
    """Nothing, or ReportInconsistent with everything that is wrong: a table named twice, a figure without its table ..."""
    problems = list(_problems(report))
    if problems:
        raise ReportInconsistent("\n".join(problems))


def _problems(report: Report) -> Iterator[str]:
    tables = {table.name for table in report.tables()}
    names = Counter(block.name for block in report.blocks() if isinstance(block, Table | Chart))
    yield from (f"{name}: named {count} times" for name, count in names.items() if count > 1)
    yield from (
        f"figure {figure.title.en!r}: no table {figure.table}"
        for figure in report.figures
        if figure.table not in tables
    )
    if report.made_at.utcoffset() is None:
        yield "made_at has no time zone"
    if report.first_day > report.last_day:
        yield f"the period ends on {report.last_day}, before it begins on {report.first_day}"
    for block in report.blocks():
        if isinstance(block, Table):
            yield from _of_table(block)
        elif isinstance(block, Chart):
            yield from _of_chart(block, tables)


def _of_table(table: Table) -> Iterator[str]:
    if not TABLE_NAME.fullmatch(table.name):
        yield f"table {table.name!r}: a name has up to 31 characters, a-z and -"
    columns = Counter(column.name for column in table.columns)
    yield from (f"table {table.name}: {count} columns {name}" for name, count in columns.items() if count > 1)
    yield from (f"table {table.name}: column {name!r}" for name in columns if not NAME.fullmatch(name))
    printed = [column for column in table.columns if column.is_summary]
    if not printed:
        yield f"table {table.name}: no column for the printed page"
    elif printed[0].is_below:
        yield f"table {table.name}: column {printed[0].name!r} is the first of the printed page, and stands below none"


def _of_chart(chart: Chart, tables: set[str]) -> Iterator[str]:
    if not NAME.fullmatch(chart.name):
        yield f"chart {chart.name!r}: a name has a-z, 0-9, _ and -"
    if chart.table not in tables:
        yield f"chart {chart.name}: no table {chart.table}"
    if any(len(series.values) != len(chart.categories) for series in chart.series):
        yield f"chart {chart.name}: a series has not as many values as there are categories"
    if any(value < 0 for series in chart.series for value in series.values):
        yield f"chart {chart.name}: a negative value cannot be stacked"
