"""Cron lines of five fields, as crontab(5) means them, in the words that a scheduler's cron trigger takes.

The weekday is why this exists: in a crontab 0 and 7 are Sunday, for APScheduler 0 is Monday, and its `from_crontab`
does not translate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_LONGEST = 100
_ITEM = re.compile(r"(?P<first>\*|[a-z0-9]+)(-(?P<last>[a-z0-9]+))?(/(?P<step>[0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class CronFields:
    """The five fields, each `*` or a list of values ("0,15,30"), weekdays as names ("mon,fri").

    The names of the fields are the arguments of `apscheduler.triggers.cron.CronTrigger`.
    """

    minute: str
    hour: str
    day: str
    month: str
    day_of_week: str


def parse_cron(line: str) -> CronFields:
    """The fields of a cron line such as `30 3 * * 1-5`; 0 and 7 are Sunday, months and weekdays may be names.

    Raises ValueError, saying what to write instead, for any other line, for one that gives both a day of the month and a
    weekday (cron means "either", schedulers mean "both"), and for a day that no month has.
    """
    fields = line.lower().split() if len(line) <= _LONGEST else []
    if len(fields) != 5:
        raise ValueError(
            'a cron line has five fields: minute, hour, day, month, weekday; write for example "0 3 * * *" for 03:00 daily'
        )
    minutes = _values(fields[0], "minute", 0, 59)
    hours = _values(fields[1], "hour", 0, 23)
    days = _values(fields[2], "day of the month", 1, 31)
    months = _values(fields[3], "month", 1, 12, _MONTHS)
    weekdays = _values(fields[4], "weekday", 0, 7, _WEEKDAYS)
    if days is not None and weekdays is not None:
        raise ValueError("gives both a day of the month and a weekday; write `*` for one of them")
    if days is not None and min(days) > max(_LONGEST_MONTH.get(month, 31) for month in months or [1]):
        raise ValueError(f"no such month has a day {min(days)}, so this time never comes; choose an earlier day")
    named = None if weekdays is None else [_WEEKDAYS[day] for day in sorted({day % 7 for day in weekdays})]
    return CronFields(_listed(minutes), _listed(hours), _listed(days), _listed(months), _listed(named))


def _listed(values: list[int] | list[str] | None) -> str:
    return "*" if values is None else ",".join(str(value) for value in values)


def _values(field: str, what: str, low: int, high: int, names: tuple[str, ...] = ()) -> list[int] | None:
    """Every value that the field names, ascending; None for `*`."""
    if field == "*":
        return None
    found: set[int] = set()
    for item in field.split(","):
        found.update(_item(item, what, low, high, names))
    return sorted(found)


def _item(item: str, what: str, low: int, high: int, names: tuple[str, ...]) -> range:
    parts = _ITEM.fullmatch(item)
    if parts is None or (parts["first"] == "*" and parts["last"]):
        raise _wrong(item, what, low, high)
    step = int(parts["step"] or 1)
    if parts["first"] == "*":
        # every second weekday is 0,2,4,6; 7 is Sunday once more
        first, last = low, 6 if what == "weekday" else high
    else:
        first = _number(parts["first"], what, low, high, names)
        last = _number(parts["last"], what, low, high, names) if parts["last"] else first
    if last < first:
        raise ValueError(f"the {what} `{item}` runs backwards; write the smaller one first, or two ranges with a comma")
    if step == 0 or (parts["step"] and first == last):
        raise ValueError(
            f"the step in the {what} `{item}` has nothing to step through; write a range, such as `*/{step or 5}`"
        )
    return range(first, last + 1, step)


def _number(text: str, what: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + low
    if not text.isdecimal() or not low <= int(text) <= high:
        raise _wrong(text, what, low, high)
    return int(text)


def _wrong(text: str, what: str, low: int, high: int) -> ValueError:
    return ValueError(
        f"`{text}` is no {what}; write {low} to {high}, a range `a-b`, a list `a,b`, a step `*/n`, or `*`"
    )
