"""When periods end: the vectors of the Civil Code, and the laws that counting and its inverse obey."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.errors import InputError
from retention.lifecycle.counting import CalendarUnknown, count, count_on, kept_from
from retention.model.period import NO_PERIOD, Period, PeriodUnit, parse_period
from retention.model.policy import WorkCalendar
from retention.policy.work_calendar import load_calendar

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "periods.json").read_text(encoding="utf-8"))["cases"]
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "UTC", "America/Havana", "Asia/Beirut", "Pacific/Apia")]
CN = load_calendar("CN")
ALWAYS_KNOWN = WorkCalendar("TEST", frozenset({date(2000, 1, 3)}), frozenset({date(2000, 1, 8)}), date(2200, 12, 31))

instants = st.timedeltas(timedelta(0), timedelta(days=45 * 365)).map(
    lambda since: datetime(2015, 1, 1, tzinfo=UTC) + since
)
zones = st.sampled_from(ZONES)
periods = st.one_of(
    st.builds(Period, st.integers(1, 200), st.just(PeriodUnit.HOURS)),
    st.builds(Period, st.integers(1, 400), st.just(PeriodUnit.DAYS)),
    st.builds(Period, st.integers(1, 30), st.just(PeriodUnit.WORKING_DAYS)),
    st.builds(Period, st.integers(1, 40), st.just(PeriodUnit.MONTHS)),
    st.builds(Period, st.integers(1, 10), st.just(PeriodUnit.YEARS)),
    st.just(NO_PERIOD),
)


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_the_civil_code_is_followed(case: dict[str, str | bool | None]) -> None:
    counted = count(
        datetime.fromisoformat(str(case["start"])),
        parse_period(str(case["period"])),
        SHANGHAI,
        CN,
        case["last_day_off_moves"] is True,
    )
    assert (counted.last_day.isoformat() if counted.last_day else None) == case["last_day"]
    assert counted.due_at == datetime.fromisoformat(str(case["due_at"]))
    assert counted.due_at.tzinfo is UTC


def test_a_moved_last_day_says_from_where_it_moved() -> None:
    counted = count(datetime(2026, 10, 31, 1, tzinfo=UTC), parse_period("15 days"), SHANGHAI, CN, True)
    assert (counted.last_day, counted.moved_from) == (date(2026, 11, 16), date(2026, 11, 15))


def test_no_period_is_due_at_the_start() -> None:
    start = datetime(2026, 10, 1, 7, 0, tzinfo=UTC)
    counted = count(start, NO_PERIOD, SHANGHAI, None, False)
    assert (counted.due_at, counted.last_day) == (start, None)


def test_fifteen_days_after_a_buffer_that_ended_on_16_october_end_with_31_october() -> None:
    counted = count_on(date(2026, 10, 16), parse_period("15 days"), SHANGHAI, None, False)
    assert (counted.last_day, counted.due_at) == (date(2026, 10, 31), datetime(2026, 10, 31, 16, tzinfo=UTC))


def test_hours_after_a_buffer_run_from_its_end_at_24_00() -> None:
    counted = count_on(date(2026, 10, 16), parse_period("24 hours"), SHANGHAI, None, False)
    assert (counted.last_day, counted.due_at) == (None, datetime(2026, 10, 17, 16, tzinfo=UTC))


def test_nothing_after_a_buffer_is_due_when_the_buffer_ends() -> None:
    counted = count_on(date(2026, 10, 16), NO_PERIOD, SHANGHAI, None, False)
    assert (counted.last_day, counted.due_at) == (date(2026, 10, 16), datetime(2026, 10, 16, 16, tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "period", "moves"),
    [
        pytest.param(datetime(2026, 12, 25, tzinfo=UTC), "10 working days", False, id="working days into 2027"),
        pytest.param(
            datetime(2026, 12, 25, tzinfo=UTC), "15 days", True, id="a last day in 2027 that might have to move"
        ),
        pytest.param(datetime(2024, 12, 25, tzinfo=UTC), "10 working days", False, id="working days from before 2025"),
    ],
)
def test_a_year_the_calendar_does_not_know_is_refused_and_the_file_to_extend_is_named(
    start: datetime, period: str, moves: bool
) -> None:
    with pytest.raises(CalendarUnknown, match=r"retention/policy/holidays/CN\.yaml") as caught:
        count(start, parse_period(period), SHANGHAI, CN, moves)
    assert isinstance(caught.value, InputError)


def test_working_days_without_any_calendar_are_refused() -> None:
    with pytest.raises(CalendarUnknown, match="holidays: CN"):
        count(datetime(2026, 10, 1, tzinfo=UTC), parse_period("10 working days"), SHANGHAI, None, False)


def test_calendar_days_need_no_calendar() -> None:
    assert count(datetime(2031, 1, 1, tzinfo=UTC), parse_period("15 days"), SHANGHAI, None, False).last_day == date(
        2031, 1, 16
    )


@given(instants, periods, zones, st.booleans())
def test_the_last_moment_of_the_last_day_still_belongs_to_the_period(
    start: datetime, period: Period, zone: ZoneInfo, moves: bool
) -> None:
    counted = count(start, period, zone, ALWAYS_KNOWN, moves)
    if counted.last_day is not None:
        before = counted.due_at - timedelta(microseconds=1)
        assert before.astimezone(zone).date() == counted.last_day
        assert counted.due_at.astimezone(zone).date() == counted.last_day + timedelta(days=1)


@given(instants, st.timedeltas(timedelta(0), timedelta(days=400)), periods, zones, st.booleans())
def test_what_starts_later_is_never_due_earlier(
    start: datetime, later: timedelta, period: Period, zone: ZoneInfo, moves: bool
) -> None:
    first = count(start, period, zone, ALWAYS_KNOWN, moves)
    assert first.due_at <= count(start + later, period, zone, ALWAYS_KNOWN, moves).due_at


@given(instants, periods, zones, st.booleans())
def test_exactly_what_was_written_before_kept_from_has_served_its_minimum(
    now: datetime, period: Period, zone: ZoneInfo, moves: bool
) -> None:
    bound = kept_from(now, period, zone, ALWAYS_KNOWN, moves)
    assert count(bound - timedelta(microseconds=1), period, zone, ALWAYS_KNOWN, moves).due_at <= now
    assert count(bound, period, zone, ALWAYS_KNOWN, moves).due_at > now


@given(instants, instants, periods, zones)
def test_a_single_object_is_judged_alike_forwards_and_backwards(
    now: datetime, written_at: datetime, period: Period, zone: ZoneInfo
) -> None:
    served = count(written_at, period, zone, ALWAYS_KNOWN, False).due_at <= now
    assert served == (written_at < kept_from(now, period, zone, ALWAYS_KNOWN))
