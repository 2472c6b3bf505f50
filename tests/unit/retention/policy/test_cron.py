"""Cron lines mean what crontab(5) says, whatever the scheduler numbers its weekdays by."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.policy.cron import CronFields, parse_cron

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, tzinfo=SHANGHAI)


def fires(line: str, count: int, start: datetime = MONDAY) -> list[datetime]:
    """The first times from `start` on at which a scheduler that is given the fields runs."""
    trigger = CronTrigger(**asdict(parse_cron(line)), timezone=start.tzinfo)
    times: list[datetime] = []
    while len(times) < count:
        after = times[-1] if times else None
        times.append(trigger.get_next_fire_time(after, start if after is None else after + timedelta(seconds=1)))
    return times


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 2 * * 1", ["Mon 23 02:00", "Mon 30 02:00"]),
        ("0 2 * * 0", ["Sun 29 02:00", "Sun 06 02:00"]),
        ("0 2 * * 7", ["Sun 29 02:00", "Sun 06 02:00"]),
        ("0 2 * * SUN", ["Sun 29 02:00", "Sun 06 02:00"]),
        (
            "0 2 * * 1-5",
            ["Mon 23 02:00", "Tue 24 02:00", "Wed 25 02:00", "Thu 26 02:00", "Fri 27 02:00", "Mon 30 02:00"],
        ),
        ("0 2 * * 5-7", ["Fri 27 02:00", "Sat 28 02:00", "Sun 29 02:00", "Fri 04 02:00"]),
        ("0 2 * * mon,thu", ["Mon 23 02:00", "Thu 26 02:00", "Mon 30 02:00"]),
        ("0 2 * * 1-5/2", ["Mon 23 02:00", "Wed 25 02:00", "Fri 27 02:00", "Mon 30 02:00"]),
        ("0 2 * * */2", ["Tue 24 02:00", "Thu 26 02:00", "Sat 28 02:00", "Sun 29 02:00", "Tue 01 02:00"]),
        ("*/20 * * * *", ["Mon 23 00:00", "Mon 23 00:20", "Mon 23 00:40", "Mon 23 01:00"]),
        ("5,35 1-3/2 * * *", ["Mon 23 01:05", "Mon 23 01:35", "Mon 23 03:05", "Mon 23 03:35", "Tue 24 01:05"]),
        ("0 6 1 * *", ["Tue 01 06:00", "Fri 01 06:00"]),
        ("0 0 1 jan,jul *", ["Fri 01 00:00", "Thu 01 00:00"]),
        ("0 0 29 2 *", ["Tue 29 00:00"]),
    ],
    ids=[
        "1 is Monday",
        "0 is Sunday",
        "7 is Sunday too",
        "names in capitals",
        "a range of weekdays",
        "a range up to 7",
        "a list of names",
        "every second of a range",
        "every second weekday begins on Sunday",
        "every twenty minutes",
        "lists, ranges and steps together",
        "the first of the month",
        "months by name",
        "the leap day",
    ],
)
def test_a_line_fires_when_cron_says(line: str, expected: list[str]) -> None:
    assert [f"{at:%a %d %H:%M}" for at in fires(line, len(expected))] == expected


def test_a_line_counts_in_the_zone_it_is_given() -> None:
    assert fires("0 3 * * *", 1)[0].astimezone(UTC) == datetime(2026, 11, 22, 19, tzinfo=UTC)


def test_fields_are_lists_and_weekdays_are_names() -> None:
    assert parse_cron("*/30 3 * 1-2 0,6") == CronFields("0,30", "3", "*", "1,2", "sun,sat")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "has five fields"),
        ("@daily", "has five fields"),
        ("0 3 * *", "has five fields"),
        ("0 0 3 * * *", "has five fields"),
        ("0 3 * * " + "1," * 100 + "1", "has five fields"),
        ("60 3 * * *", "`60` is no minute; write 0 to 59"),
        ("0 24 * * *", "`24` is no hour; write 0 to 23"),
        ("0 3 0 * *", "`0` is no day of the month; write 1 to 31"),
        ("0 3 * 13 *", "`13` is no month; write 1 to 12"),
        ("0 3 * * 8", "`8` is no weekday; write 0 to 7"),
        ("0 3 * * monday", "`monday` is no weekday"),
        ("0 3 L * *", "`l` is no day of the month"),
        ("0 3 ? * 1", "`\\?` is no day of the month"),
        ("-5 3 * * *", "`-5` is no minute"),
        ("0 3 * * 5-1", "runs backwards"),
        ("*/0 3 * * *", "nothing to step through"),
        ("5/10 3 * * *", "nothing to step through"),
        ("0 3 1 * 1", "both a day of the month and a weekday"),
        ("0 3 30 2 *", "never comes"),
        ("0 3 31 2,4,6 *", "never comes"),
        ("0 3 * * 1,", "`` is no weekday"),
    ],
)
def test_any_other_line_is_refused_with_what_to_write(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_cron(line)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 7))
def test_every_weekly_line_fires_on_its_weekday(minute: int, hour: int, weekday: int) -> None:
    (at,) = fires(f"{minute} {hour} * * {weekday}", 1)
    assert (at.minute, at.hour, at.isoweekday() % 7) == (minute, hour, weekday % 7)


@given(st.text(alphabet="0123456789*/,-abcdefmonsu LW#?@", max_size=40))
def test_any_text_is_fields_or_refused(line: str) -> None:
    try:
        fields = parse_cron(line)
    except ValueError:
        return
    CronTrigger(**asdict(fields), timezone=SHANGHAI)
