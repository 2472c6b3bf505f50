"""The holiday calendars: what they know, and what a person who extends one reads about a mistake."""

from __future__ import annotations

from datetime import date

import pytest

from retention.errors import InputError
from retention.policy.work_calendar import calendar_names, load_calendar, parse_calendar

VALID = """\
title: 测试
years:
  2026:
    notice: 通知
    off:
      - 2026-01-01..2026-01-03
    worked: [2026-01-04]
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_calendar(text, "XX")
    return [problem.removeprefix("retention/policy/holidays/XX.yaml:") for problem in caught.value.problems]


def test_the_chinese_calendar_is_known_for_2025_and_2026() -> None:
    assert calendar_names() == {"CN"}
    assert load_calendar("CN").known_through == date(2026, 12, 31)


@pytest.mark.parametrize(
    ("year", "weekdays_off", "weekends_worked"),
    [pytest.param(2025, 18, 5, id="2025"), pytest.param(2026, 19, 6, id="2026")],
)
def test_as_many_days_are_off_and_worked_as_announced(year: int, weekdays_off: int, weekends_worked: int) -> None:
    calendar = load_calendar("CN")
    assert sum(day.year == year for day in calendar.off) == weekdays_off
    assert sum(day.year == year for day in calendar.worked) == weekends_worked


def test_weekends_inside_a_holiday_are_no_weekdays_off() -> None:
    calendar = parse_calendar(VALID, "XX")
    assert calendar.off == {date(2026, 1, 1), date(2026, 1, 2)}
    assert calendar.worked == {date(2026, 1, 4)}


def test_a_calendar_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InputError, match=r"add retention/policy/holidays/XX\.yaml"):
        load_calendar("XX")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("2026-01-04", "2026-01-05", "7:14: is no weekend day", id="a worked weekday"),
        pytest.param("2026-01-01..2026-01-03", "2025-01-01", "6:9: is not in 2026", id="a day of another year"),
        pytest.param(
            "..2026-01-03", "..2025-12-30", '6:9: "2026-01-01..2025-12-30" runs backwards', id="a span backwards"
        ),
        pytest.param("2026-01-01..2026-01-03", "1 January", '6:9: "1 January" is no day', id="a day in words"),
        pytest.param("    notice: 通知\n", "", "3:3: `notice` is missing", id="a year without its notice"),
        pytest.param(
            "title: 测试", "title: 测试\nyear: 1", "2:1: unknown key `year`; did you mean `years`?", id="a key"
        ),
        pytest.param("  2026:", "  2024: {notice: x, off: []}\n  2026:", "2:1: the year 2025 is missing", id="a gap"),
    ],
)
def test_a_mistake_in_a_calendar_is_named_at_its_place(old: str, new: str, expected: str) -> None:
    (problem,) = problems_of(VALID.replace(old, new))
    assert problem.startswith(expected)
