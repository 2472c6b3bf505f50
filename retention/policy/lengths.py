"""How long a period lasts at least and at most, where two periods of different units have to be compared."""

from __future__ import annotations

from retention.model.period import Period, PeriodUnit

_SHORTEST = {
    PeriodUnit.HOURS: 1,
    PeriodUnit.DAYS: 24,
    PeriodUnit.WORKING_DAYS: 24,
    PeriodUnit.MONTHS: 28 * 24,
    PeriodUnit.YEARS: 365 * 24,
}
_LONGEST = {
    PeriodUnit.HOURS: 1,
    PeriodUnit.DAYS: 24,
    PeriodUnit.WORKING_DAYS: 36,  # 250 of 366 days are worked
    PeriodUnit.MONTHS: 31 * 24,
    PeriodUnit.YEARS: 366 * 24,
}
_LONGEST_HOLIDAY = 10 * 24


def shortest_hours(period: Period) -> int:
    """The hours that the period has at least, wherever in the calendar it lies."""
    return period.amount * _SHORTEST[period.unit]


def longest_hours(period: Period) -> int:
    """The hours that the period has at most. Working days are assumed to meet the longest holiday."""
    holiday = _LONGEST_HOLIDAY if period.unit is PeriodUnit.WORKING_DAYS else 0
    return period.amount * _LONGEST[period.unit] + holiday
