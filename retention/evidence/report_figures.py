"""Whether the figures of a report are the number of the rows that they count. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from retention.evidence.errors import Malformed
from retention.evidence.report_rows import Json, JsonRow, ReportedRow

_GROUPS = {
    "statement": "clause",
    "by-month": "month",
    "by-rule": "rule",
    "by-service": "service",
    "by-dataset": "dataset",
}
"""Tables of figures that count the rows of `cases`, and the column they are grouped by."""
_MEASURES = {
    "due": "due",
    "on_time": "on-time",
    "late": "late",
    "overdue": "overdue",
    "stopped": "stopped",
    "open": "open",
    "brought_back": "brought-back",
    "with_copies_left": "left",
}
"""Their columns, and the name under which rows are counted."""
_DUE, _DECISIONS = "Deletions due", "Decisions on transfers"
_OF_ROWS = {"unsupported", "backup-sets", "drills", "incidents", "limits-hit"}
"""Tables of which a figure of the summary counts every row."""
_SUMMARY = (
    *(("cases", _DUE if name == "due" else f"{_DUE}: {name}") for name in _MEASURES.values() if name != "left"),
    *(("decisions", f"{_DECISIONS}: {verdict}") for verdict in ("allow", "deny")),
)
"""Figures that no summary lacks, by the table that they count and their title; of other tables there is one each."""


@dataclass(slots=True)
class Figures:
    """Counts rows as they go by, and remembers what the summary and the tables of figures say of them.

    front: what stands before the tables. Malformed where that has no time zone that is known.
    """

    front: Mapping[str, Json]
    zone: tzinfo = field(init=False)
    counted: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    total: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    standing_holds: int = 0
    said: list[tuple[str, str, str, JsonRow]] = field(default_factory=list)

    def __post_init__(self) -> None:
        period = self.front.get("period")
        try:
            self.zone = ZoneInfo(str(period.get("zone")) if isinstance(period, dict) else "")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Malformed("period: no time zone that is known") from None

    def see(self, row: ReportedRow) -> None:
        """One more row. Malformed where a counted case has no day on which it fell due."""
        self.rows[row.table] += 1
        if row.table in _GROUPS:
            self.said.append((row.place, row.table, str(row.cells.get(_GROUPS[row.table])), row.cells))
        elif row.table == "cases" and row.cells.get("is_due") is True:
            self._count_case(row)
        elif row.table == "decisions":
            self.verdicts[word(row.cells.get("verdict"))] += 1
        elif row.table == "holds":
            self.standing_holds += row.cells.get("stands") is True

    def wrong(self) -> Iterator[tuple[str, str]]:
        """The place and the message, for each figure that its rows do not bear out; after the last row."""
        yield from self._wrong_summary()
        said = {(table, group) for _, table, group, _ in self.said}
        for place, table, group, cells in self.said:
            counts = self.counted.get(table, {}).get(group, Counter())
            for name, counted in _MEASURES.items():
                if name in cells and not _is(cells[name], counts[counted]):
                    yield place, f"{name} is {_short(cells[name])}, and {counts[counted]} rows of table cases are so"
        for table, groups in self.counted.items():
            for group in groups.keys() - {each for name, each in said if name == table}:
                message = f"no row is about {_short(group)}, and {groups[group]['due']} rows of table cases are"
                yield f"report.json: table {table}", message

    def _count_case(self, row: ReportedRow) -> None:
        status, left = word(row.cells.get("status")), row.cells.get("copies_left")
        has_left = isinstance(left, int) and left > 0 and status in ("on-time", "late")
        marks = ("due", status, *(("left",) if has_left else ()))
        self.total.update(marks)
        for table, name in _GROUPS.items():
            value = self._month(row) if name == "month" else str(row.cells.get(name))
            self.counted.setdefault(table, {}).setdefault(value, Counter()).update(marks)

    def _month(self, row: ReportedRow) -> str:
        try:
            due_at = datetime.fromisoformat(str(row.cells.get("due_at")))
            return due_at.astimezone(self.zone).date().isoformat()[:7]
        except (ValueError, OverflowError):
            raise Malformed(f"{row.place}: due_at is no instant") from None

    def _wrong_summary(self) -> Iterator[tuple[str, str]]:
        figures = self.front.get("figures")
        there = set()
        for figure in figures if isinstance(figures, list) else ():
            about = figure if isinstance(figure, dict) else {}
            title, value = word(about.get("title")), about.get("value")
            table = word(about.get("table"))
            there |= {(table, title), (table, "")}
            number = self._number_of(title, table)
            if number is None:
                yield "report.json", f"the figure {_short(title)} counts no rows that are known"
            elif not _is(value, number):
                yield "report.json", f"the figure {_short(title)} is {_short(value)}, and {number} rows are so"

        for table, title in (*_SUMMARY, *((table, "") for table in sorted({"holds", *_OF_ROWS}))):
            if (table, title) not in there:
                yield "report.json", f"the summary has no figure {_short(title)} of table {table}"

    def _number_of(self, title: str, table: str) -> int | None:
        """How many rows a figure of the summary counts; None where nobody knows which."""
        name, _, which = title.partition(": ")
        if table == "cases" and name == _DUE and (not which or which in _MEASURES.values()):
            return self.total[which or "due"]
        if table == "decisions" and name == _DECISIONS and which:
            return self.verdicts[which]
        if table == "holds":
            return self.standing_holds
        return self.rows[table] if table in _OF_ROWS else None


def word(cell: Json) -> str:
    """What stands in a cell, as programs compare it: of two languages the English."""
    said = cell.get("en") if isinstance(cell, dict) else cell
    return "" if isinstance(said, list | dict) else str(said)


def _is(said: Json, number: int) -> bool:
    """Whether it is this integer; `true` and `1.0` are none."""
    return type(said) is int and said == number


def _short(value: Json) -> str:
    return "no number" if isinstance(value, list | dict) else json.dumps(value, ensure_ascii=False)[:80]
