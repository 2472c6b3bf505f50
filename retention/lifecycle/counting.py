"""When a period ends. Pure calendar arithmetic in the policy's time zone.

A period of days, months or years does not count its first day and ends at 24:00 of its last day; a month ends on the
corresponding day, or on the month's last day where there is none. Hours run from the moment itself.

Source: Civil Code of the PRC, articles 200-203.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from retention.errors import InputError
from retention.model.period import Period, PeriodUnit
from retention.model.policy import WorkCalendar

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_SATURDAY = 5
_MONTHS = {PeriodUnit.MONTHS: 1, PeriodUnit.YEARS: 12}


class CalendarUnknown(InputError):
    """A date depends on a holiday calendar that is not there, or does not reach that far. Nothing was counted."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How a date was counted.

    start_day: the first day, which does not count, in the policy's zone. last_day: None for hours and "none".
    moved_from: the last day before it was moved off a day without work, else None. due_at: aware UTC; from this
    instant on the period is over.
    """

    start_day: date
    period: Period
    last_day: date | None
    moved_from: date | None
    due_at: datetime


def count(
    start: datetime, period: Period, zone: ZoneInfo, calendar: WorkCalendar | None, last_day_off_moves: bool
) -> Counted:
    """When a period that began at the instant `start` (aware) ends. "none" ends at `start`.

    With `last_day_off_moves`, a last day without work gives way to the next day with work; hours never move.
    Raises CalendarUnknown where working days are needed and `calendar` is missing or does not know them.
    Source: Civil Code, articles 200 (Gregorian calendar), 201 (first day, hours), 202 (last day), 203 (days off, 24:00).
    """
    start_day = start.astimezone(zone).date()
    if period.is_none or period.unit is PeriodUnit.HOURS:
        return Counted(start_day, period, None, None, start.astimezone(UTC) + timedelta(hours=period.amount))
    return _count_days(start_day, period, zone, calendar, last_day_off_moves)


def count_on(
    day: date, period: Period, zone: ZoneInfo, calendar: WorkCalendar | None, last_day_off_moves: bool
) -> Counted:
    """When a period ends that follows another one whose last day was `day`.

    Fifteen days after a buffer that ended at 24:00 of 16 October end at 24:00 of 31 October: `day` is the day that does
    not count. Hours run from 24:00 of `day`; "none" ends there, with `day` as its last day.
    Raises CalendarUnknown as `count` does.
    """
    if period.is_none:
        return Counted(day, period, day, None, _end_of(day, zone))
    if period.unit is PeriodUnit.HOURS:
        return Counted(day, period, None, None, _end_of(day, zone) + timedelta(hours=period.amount))
    return _count_days(day, period, zone, calendar, last_day_off_moves)


def kept_from(
    now: datetime,
    period: Period,
    zone: ZoneInfo,
    calendar: WorkCalendar | None = None,
    last_day_off_moves: bool = False,
) -> datetime:
    """The instant (aware UTC) before which everything written has served `period` by `now`, and from which on nothing has.

    It is the inverse of `count`: `count(w, ...).due_at <= now` exactly where `w < kept_from(now, ...)`, to the microsecond.
    Raises CalendarUnknown as `count` does.
    """
    if period.is_none or period.unit is PeriodUnit.HOURS:
        return now.astimezone(UTC) - timedelta(hours=period.amount) + _INSTANT
    needed = now.astimezone(zone).date()  # what has its last day before this one has served
    if last_day_off_moves:
        known = _known(calendar)
        while not _is_worked(needed - _DAY, known):
            needed -= _DAY
    return _end_of(_first_start(needed, period, calendar) - _DAY, zone)


def _count_days(start_day: date, period: Period, zone: ZoneInfo, calendar: WorkCalendar | None, moves: bool) -> Counted:
    last_day = _last_day(start_day, period, calendar)
    moved = _worked_from(last_day, _known(calendar)) if moves else last_day
    return Counted(start_day, period, moved, last_day if moved != last_day else None, _end_of(moved, zone))


def _last_day(start_day: date, period: Period, calendar: WorkCalendar | None) -> date:
    if period.unit is PeriodUnit.DAYS:
        return start_day + timedelta(days=period.amount)
    if period.unit is PeriodUnit.WORKING_DAYS:
        return _step_working_days(start_day, period.amount, _DAY, _known(calendar))
    year, month = _shift_month(start_day, period.amount * _MONTHS[period.unit])
    return date(year, month, min(start_day.day, monthrange(year, month)[1]))


def _first_start(last_day: date, period: Period, calendar: WorkCalendar | None) -> date:
    """The earliest first day of a period that ends on `last_day` or later."""
    if period.unit is PeriodUnit.DAYS:
        return last_day - timedelta(days=period.amount)
    if period.unit is PeriodUnit.WORKING_DAYS:
        return _step_working_days(last_day, period.amount, -_DAY, _known(calendar))
    year, month = _shift_month(last_day, -period.amount * _MONTHS[period.unit])
    days_in_month = monthrange(year, month)[1]
    if last_day.day <= days_in_month:
        return date(year, month, last_day.day)
    # No day of that month corresponds: even its last day leads to an earlier end.
    return date(year, month, days_in_month) + _DAY


def _shift_month(day: date, months: int) -> tuple[int, int]:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return year, month + 1


def _step_working_days(day: date, amount: int, step: timedelta, calendar: WorkCalendar) -> date:
    while amount:
        day += step
        amount -= _is_worked(day, calendar)
    return day


def _worked_from(day: date, calendar: WorkCalendar) -> date:
    while not _is_worked(day, calendar):
        day += _DAY
    return day


def _is_worked(day: date, calendar: WorkCalendar) -> bool:
    first_year = min((known.year for known in calendar.off | calendar.worked), default=day.year)
    if day.year < first_year or day > calendar.known_through:
        raise CalendarUnknown(
            f"the holiday calendar {calendar.name} knows {first_year}-01-01 to {calendar.known_through} and the count "
            f"needs {day}; add the official days off of {day.year} to retention/policy/holidays/{calendar.name}.yaml"
        )
    return day in calendar.worked or (day.weekday() < _SATURDAY and day not in calendar.off)


def _known(calendar: WorkCalendar | None) -> WorkCalendar:
    if calendar is None:
        raise CalendarUnknown(
            "working days and moved last days need a holiday calendar; name one in the policy, "
            "`holidays: CN`, from retention/policy/holidays/"
        )
    return calendar


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of `day`, aware UTC. Where the clocks skip midnight, the instant at which the next day begins."""
    return datetime.combine(day + _DAY, time.min, zone).astimezone(UTC)
