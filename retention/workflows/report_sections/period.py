"""The days that a report is about, as instants. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from retention.errors import InputError

_FIRST_YEAR, _LAST_YEAR = 1900, 9998
"""Years whose every midnight is an instant in every zone."""


@dataclass(frozen=True)
class Period:
    """From 00:00 of `first_day` to 24:00 of `last_day` in the policy's zone. made_at: aware UTC, when it is looked at."""

    first_day: date
    last_day: date
    zone: ZoneInfo
    made_at: datetime

    @cached_property
    def start_at(self) -> datetime:
        """The first instant of the period, aware UTC."""
        return _midnight(self.first_day, self.zone)

    @cached_property
    def end_at(self) -> datetime:
        """The first instant after the period, aware UTC."""
        return _midnight(self.last_day + timedelta(days=1), self.zone)

    @cached_property
    def until(self) -> datetime:
        """As of when the report speaks: the end of the period, or now while it goes on."""
        return min(self.end_at, self.made_at)

    @cached_property
    def last_at(self) -> datetime:
        """The last instant of the period up to `until`, which is not included: the year and the law are those of this one."""
        return self.until - timedelta(microseconds=1)

    @property
    def name(self) -> str:
        """The period in a file's name: `2026-11`, or both days where it is no whole month."""
        if is_whole_month(self.first_day, self.last_day):
            return f"{self.first_day:%Y-%m}"
        return f"{self.first_day.isoformat()}_{self.last_day.isoformat()}"


def period_of(first_day: date, last_day: date, zone: ZoneInfo, now: datetime) -> Period:
    """The period. Raises InputError where it ends before it begins, has not begun, or is near the ends of the calendar."""
    if last_day < first_day:
        raise InputError(f"--to {last_day} lies before --from {first_day}")
    for option, day in (("--from", first_day), ("--to", last_day)):
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise InputError(f"{option} {day}: a report is about days of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    period = Period(first_day, last_day, zone, now)
    if period.start_at >= now:
        raise InputError(f"--from {first_day} has not come yet; a report looks back")
    return period


def month_before(now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day of the month before that of `now` in the zone."""
    last_day = now.astimezone(zone).date().replace(day=1) - timedelta(days=1)
    return last_day.replace(day=1), last_day


def is_whole_month(first_day: date, last_day: date) -> bool:
    """Whether the days are those of one calendar month."""
    return first_day.day == 1 and month_of(first_day) == month_of(last_day) and (last_day + timedelta(days=1)).day == 1


def month_of(day: date) -> str:
    """The day's month, `2026-11`."""
    return day.isoformat()[:7]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
