"""Periods as people and ISO 8601 write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.model.period import MOST_OF_A_UNIT, NO_PERIOD, Period, PeriodUnit, parse_period

periods = st.sampled_from(PeriodUnit).flatmap(
    lambda unit: st.integers(1, MOST_OF_A_UNIT[unit]).map(lambda amount: Period(amount, unit))
)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("15 days", Period(15, PeriodUnit.DAYS)),
        ("1 day", Period(1, PeriodUnit.DAYS)),
        ("10 working days", Period(10, PeriodUnit.WORKING_DAYS)),
        ("6 months", Period(6, PeriodUnit.MONTHS)),
        ("3  years", Period(3, PeriodUnit.YEARS)),
        (" 24 hours ", Period(24, PeriodUnit.HOURS)),
        ("P15D", Period(15, PeriodUnit.DAYS)),
        ("P2W", Period(14, PeriodUnit.DAYS)),
        ("P6M", Period(6, PeriodUnit.MONTHS)),
        ("P1Y", Period(1, PeriodUnit.YEARS)),
        ("PT24H", Period(24, PeriodUnit.HOURS)),
        ("none", NO_PERIOD),
    ],
)
def test_a_period_is_what_it_says(text: str, period: Period) -> None:
    assert parse_period(text) == period


@given(periods)
def test_a_printed_period_is_read_back(period: Period) -> None:
    assert parse_period(str(period)) == period


def test_one_is_singular() -> None:
    assert [str(Period(1, unit)) for unit in PeriodUnit] == ["1 hour", "1 day", "1 working day", "1 month", "1 year"]


@pytest.mark.parametrize("text", ["0 days", "P0D", "PT0H", "0 months"])
def test_nothing_is_written_none(text: str) -> None:
    with pytest.raises(ValueError, match='write "none"'):
        parse_period(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15",
        "days",
        "15days",
        "-15 days",
        "1.5 days",
        "15 Days",
        "15 dayz",
        "P",
        "PT",
        "P1Y6M",
        "PT30M",
        "P15",
        "十五天",
    ],
)
def test_any_other_text_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match='is no period; write "15 days"'):
        parse_period(text)


@pytest.mark.parametrize(
    "text", ["101 years", "1201 months", "999999 days", "P6000W", "8785 hours", "2501 working days"]
)
def test_absurd_lengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than a period may be"):
        parse_period(text)
