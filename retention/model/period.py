"""Periods as calendars count them. Six months is not 180 days.

Source: Civil Code of the PRC, articles 200-204; ISO 8601-1:2019, 5.5.2 (durations).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class PeriodUnit(StrEnum):
    """What a period is counted in."""

    HOURS = "hours"
    DAYS = "days"
    WORKING_DAYS = "working days"
    MONTHS = "months"
    YEARS = "years"


MOST_OF_A_UNIT = {
    PeriodUnit.HOURS: 24 * 366,
    PeriodUnit.DAYS: 366 * 100,
    PeriodUnit.WORKING_DAYS: 250 * 10,
    PeriodUnit.MONTHS: 12 * 100,
    PeriodUnit.YEARS: 100,
}
"""Bounds beyond which a period means nothing a person would write; they also keep dates inside what can be computed."""


@dataclass(frozen=True, slots=True)
class Period:
    """A span of calendar time; `Period(0, HOURS)` is "none"."""

    amount: int
    unit: PeriodUnit

    @property
    def is_none(self) -> bool:
        """Whether it is "none"."""
        return self.amount == 0

    def __str__(self) -> str:
        if self.is_none:
            return "none"
        unit = str(self.unit)
        return f"{self.amount} {unit.removesuffix('s') if self.amount == 1 else unit}"


NO_PERIOD = Period(0, PeriodUnit.HOURS)

_WORDS = re.compile(r"(?P<amount>\d{1,6}) +(?P<unit>hours?|days?|working days?|months?|years?)")
_ISO = re.compile(r"P(?:(?P<Y>\d{1,6})Y|(?P<M>\d{1,6})M|(?P<W>\d{1,6})W|(?P<D>\d{1,6})D|T(?P<H>\d{1,6})H)")
_ISO_UNITS = {
    "Y": (PeriodUnit.YEARS, 1),
    "M": (PeriodUnit.MONTHS, 1),
    "W": (PeriodUnit.DAYS, 7),
    "D": (PeriodUnit.DAYS, 1),
    "H": (PeriodUnit.HOURS, 1),
}


def parse_period(text: str) -> Period:
    """The period that `text` names: "15 days", "10 working days", "24 hours", "6 months", "P15D", "PT24H", "none".

    Raises ValueError, saying what to write instead, for anything else, for zero and for absurdly long ones.
    """
    text = text.strip()
    if text == "none":
        return NO_PERIOD
    period = _from_words(text) or _from_iso(text)
    if period is None:
        raise ValueError(f'{text!r} is no period; write "15 days", "10 working days", "6 months", "24 hours" or "none"')
    if period.amount == 0:
        raise ValueError(f'{text!r} is an empty period; write "none"')
    if period.amount > MOST_OF_A_UNIT[period.unit]:
        raise ValueError(
            f"{text!r} is longer than a period may be; the most is {MOST_OF_A_UNIT[period.unit]} {period.unit}"
        )
    return period


def _from_words(text: str) -> Period | None:
    found = _WORDS.fullmatch(text)
    if found is None:
        return None
    unit = found["unit"]
    return Period(int(found["amount"]), PeriodUnit(unit if unit.endswith("s") else f"{unit}s"))


def _from_iso(text: str) -> Period | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    letter, digits = next((k, v) for k, v in found.groupdict().items() if v is not None)
    unit, factor = _ISO_UNITS[letter]
    return Period(int(digits) * factor, unit)
