"""Official holiday calendars, from files that a person can extend: `holidays/<NAME>.yaml`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from retention.errors import InputError
from retention.model.policy import WorkCalendar
from retention.policy.problems import Problem, listed, quoted
from retention.policy.source import Source, read_yaml

_HOLIDAYS = files("retention.policy").joinpath("holidays")
_SATURDAY = 5
_LONGEST_HOLIDAY = 31


def _days(value: object) -> tuple[date, ...]:
    """`2026-10-01` or `2026-10-01..2026-10-07` as its days."""
    first_text, _, last_text = str(value).partition("..")
    try:
        first = date.fromisoformat(first_text)
        last = date.fromisoformat(last_text or first_text)
    except ValueError:
        raise ValueError(f"{quoted(value)} is no day; write 2026-10-01, or 2026-10-01..2026-10-07") from None
    if not 0 <= (last - first).days <= _LONGEST_HOLIDAY:
        raise ValueError(f"{quoted(value)} runs backwards or over a month; write the first day first")
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


Days = Annotated[tuple[date, ...], BeforeValidator(_days)]


class _Year(BaseModel):
    model_config = ConfigDict(extra="forbid")

    notice: str
    off: tuple[Days, ...]
    worked: tuple[Days, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    years: Annotated[dict[int, _Year], Field(min_length=1)]


@cache
def calendar_names() -> frozenset[str]:
    """The calendars that there are."""
    return frozenset(file.name.removesuffix(".yaml") for file in _HOLIDAYS.iterdir() if file.name.endswith(".yaml"))


@cache
def load_calendar(name: str) -> WorkCalendar:
    """The calendar of that name, known from its first year to the end of its last; read once per process.

    Raises InputError, with every problem at its place, where the file is wrong or there is none of that name.
    """
    if name not in calendar_names():
        raise InputError(f"there is no holiday calendar {quoted(name)}; add retention/policy/holidays/{name}.yaml")
    text = _HOLIDAYS.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return parse_calendar(text, name)


def parse_calendar(text: str, name: str) -> WorkCalendar:
    """The calendar that `text` describes. Raises InputError with every problem at its place."""
    source = read_yaml(text, f"retention/policy/holidays/{name}.yaml")
    try:
        file = _File.model_validate(source.value)
    except ValidationError as errors:
        found = [source.malformed(error, _File) for error in errors.errors()]
        raise InputError(listed([*source.problems, *found], source.name)) from errors
    problems = [*source.problems, *_wrong_days(file, source)]
    if problems:
        raise InputError(listed(problems, source.name))
    off = frozenset(day for year in file.years.values() for days in year.off for day in days)
    worked = frozenset(day for year in file.years.values() for days in year.worked for day in days)
    weekdays_off = frozenset(day for day in off if day.weekday() < _SATURDAY)
    return WorkCalendar(name, weekdays_off, worked, date(max(file.years), 12, 31))


def _wrong_days(file: _File, source: Source) -> Iterator[Problem]:
    for year in range(min(file.years), max(file.years)):
        if year not in file.years:
            yield source.problem(("years",), f"the year {year} is missing; a calendar has no gaps", at_key=True)
    for year, entry in file.years.items():
        for kind, spans in (("off", entry.off), ("worked", entry.worked)):
            for index, days in enumerate(spans):
                place = ("years", str(year), kind, index)
                if any(day.year != year for day in days):
                    yield source.problem(place, f"is not in {year}; write it under its own year")
                if kind == "worked" and any(day.weekday() < _SATURDAY for day in days):
                    yield source.problem(place, "is no weekend day; weekdays are worked unless they stand under `off`")
