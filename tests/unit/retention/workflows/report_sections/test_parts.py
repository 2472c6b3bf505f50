"""The pure parts of a report: its days, its spools, its law, and how a deletion stood."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from retention.catalog.report_queries import KeyTally, ReportedStrand
from retention.errors import InputError
from retention.evidence.report_words import STATED
from retention.model.case import Case, Count, Strand, StrandState
from retention.model.copy import Copy, CopyRole, CopyStatus, EndState
from retention.model.fact import FactKey, FactType, Part
from retention.model.hold import Hold
from retention.model.period import parse_period
from retention.model.policy import Encryption
from retention.model.record import StrandRecord
from retention.reports.document import Row, Text
from retention.workflows.report_sections.law import articles
from retention.workflows.report_sections.period import Period, month_before, period_of
from retention.workflows.report_sections.spool import Spool
from retention.workflows.report_sections.standing import Cause, Standing, standing_of
from retention.workflows.report_sections.transfers import VERDICTS
from retention.workflows.report_sections.words import END_STATES, STANDINGS

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 12, 5, tzinfo=UTC)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30), SHANGHAI, NOW)

# -------------------------------------------------------------------------------------------------------- period


def test_a_day_begins_and_ends_in_the_policy_s_zone() -> None:
    assert NOVEMBER.start_at == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert NOVEMBER.end_at == NOVEMBER.until == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert replace(NOVEMBER, last_day=date(2026, 12, 31)).until == NOW


def test_the_last_instant_of_a_year_is_of_that_year() -> None:
    year = Period(date(2026, 1, 1), date(2026, 12, 31), SHANGHAI, datetime(2027, 1, 5, tzinfo=UTC))
    assert year.last_at.astimezone(SHANGHAI) == datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("now", "first_day", "last_day"),
    [
        pytest.param(datetime(2026, 12, 1, 6, tzinfo=UTC), date(2026, 11, 1), date(2026, 11, 30), id="December"),
        pytest.param(
            datetime(2026, 12, 31, 17, tzinfo=UTC), date(2026, 12, 1), date(2026, 12, 31), id="new year there"
        ),
        pytest.param(datetime(2028, 3, 1, tzinfo=UTC), date(2028, 2, 1), date(2028, 2, 29), id="a leap year"),
    ],
)
def test_the_month_before(now: datetime, first_day: date, last_day: date) -> None:
    assert month_before(now, SHANGHAI) == (first_day, last_day)


def test_a_period_that_is_none_is_refused() -> None:
    with pytest.raises(InputError):
        period_of(date(2026, 11, 2), date(2026, 11, 1), SHANGHAI, NOW)
    with pytest.raises(InputError):
        period_of(date(2026, 12, 6), date(2026, 12, 7), SHANGHAI, NOW)


@pytest.mark.parametrize(
    ("first_day", "last_day", "says"),
    [
        pytest.param(date(2026, 11, 1), date.max, "--to 9999", id="the last day that there is"),
        pytest.param(date.min, date(2026, 11, 30), "--from 0001", id="the first day that there is"),
    ],
)
def test_the_ends_of_the_calendar_are_refused(first_day: date, last_day: date, says: str) -> None:
    for zone in (SHANGHAI, ZoneInfo("America/Los_Angeles")):
        with pytest.raises(InputError, match=says):
            period_of(first_day, last_day, zone, NOW)


# --------------------------------------------------------------------------------------------------------- spool


def test_a_spool_gives_out_what_was_put_by_rank_and_as_often_as_asked(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    rows: list[Row] = [
        ("甲\n", Text("是", "yes"), 7, 0.25, True, NOW, date(2026, 11, 1), (1, 2), None),
        ("b", None, -1, 0.0, False, datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), None, (), ""),
    ]
    spool.put(rows[1], rank=2)
    spool.put(rows[0], rank=1)
    one, other = spool.rows(), spool.rows()
    assert next(one) == next(other) == rows[0]
    assert [*one] == [*other] == rows[1:]
    assert (spool.row_count, list(tmp_path.iterdir())) == (2, [])
    spool.close()


def test_more_rows_than_are_held_come_back_in_their_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(2_000):
        spool.put((number, NOW + timedelta(microseconds=number), Text("甲", "a")), rank=number % 2)
    one, other = spool.rows(), spool.rows()
    numbers = [(row[0], here[0]) for row, here in zip(one, other, strict=True)]
    expected = [*range(0, 2_000, 2), *range(1, 2_000, 2)]
    assert numbers == [(number, number) for number in expected]
    assert list(tmp_path.iterdir()) == []
    spool.close()


# ----------------------------------------------------------------------------------------------------------- law


def test_every_article_says_how_sure_it_is_and_none_is_there_twice() -> None:
    named = [(each.law.en, each.article) for each in articles()]
    assert len(named) == len(set(named))
    assert {each.article for each in articles() if "Personal" in each.law.en} == {"47", "47(2)", "54", "55", "56"}


# --------------------------------------------------------------------------------------------------------- words


def test_whoever_checks_a_report_knows_the_words_of_whoever_writes_it() -> None:
    words = dict(STATED.values())
    for column, written in (("status", STANDINGS), ("end_state", END_STATES), ("verdict", VERDICTS)):
        assert {text.en: text.zh for text in written.values()} == words[column]


# ------------------------------------------------------------------------------------------------------ standing

DUE = datetime(2026, 11, 10, tzinfo=UTC)
COMPLETE_BY = datetime(2026, 11, 25, tzinfo=UTC)
HOLD = Hold("h", "c", None, "ground", "court", datetime(2026, 11, 12, tzinfo=UTC))


def day(number: int) -> datetime:
    """Noon of a day of November, or after its end."""
    return datetime(2026, 11, 1, 12, tzinfo=UTC) + timedelta(days=number - 1)


def strand(
    state: StrandState = StrandState.BUFFER,
    *,
    verified: int | None = None,
    passed: int | None = None,
    settled: int | None = None,
    keys_gone: int | None = None,
    waiting: int = 0,
    end_state: EndState | None = None,
    complete_by: datetime = COMPLETE_BY,
    due: datetime = DUE,
) -> ReportedStrand:
    """A deletion due on 10 November, to be complete by the 25th; days are of November."""
    period = parse_period("15 days")
    copy = Copy("d", "objects", CopyRole.PRIMARY)
    due_by, complete = Count(due, period, "b", due), Count(due, period, "b", complete_by)
    definition = Strand(
        "k", "d", None, Part("d"), Encryption.CUSTOMER, due_by, due_by, complete, (copy,), shreds_key=True
    )
    record = StrandRecord(
        definition,
        "c",
        state,
        1,
        (CopyStatus(copy, end_state),),
        verified_at=day(verified) if verified else None,
        passed_at=day(passed) if passed else None,
        settled_at=day(settled) if settled else None,
        restricted_at=DUE,
    )
    key = FactKey("/s", "1")
    case = Case("k", "c", "r", "6.10", key, FactType.DATA_DELETED, DUE, "hash", ())
    has_keys = keys_gone or waiting
    keys = KeyTally(1, waiting, day(keys_gone) if keys_gone else None, 1, 1, None) if has_keys else None
    return ReportedStrand(record, case, None, keys, (), 1, 1)


CASES = [
    pytest.param(
        strand(StrandState.CERTIFIED, verified=12, passed=12), (), Standing.ON_TIME, None, True, id="gone in time"
    ),
    pytest.param(
        strand(StrandState.VERIFIED, verified=12, passed=12, keys_gone=26),
        (),
        Standing.LATE,
        Cause.WAITED_FOR_KEYS,
        True,
        id="erased in time, its key recoverable for longer",
    ),
    pytest.param(
        strand(StrandState.VERIFIED, verified=12, passed=12, waiting=1),
        (),
        Standing.OVERDUE,
        Cause.WAITED_FOR_KEYS,
        True,
        id="its key is recoverable still",
    ),
    pytest.param(
        strand(StrandState.VERIFIED, verified=12, passed=12, end_state=EndState.QUARANTINED),
        (),
        Standing.ON_TIME,
        None,
        True,
        id="a backup set that waits does not keep it from being done",
    ),
    pytest.param(
        strand(StrandState.CERTIFIED, verified=33, passed=33),
        (),
        Standing.OVERDUE,
        Cause.NOT_TAKEN_UP,
        True,
        id="done since",
    ),
    pytest.param(
        strand(StrandState.CERTIFIED, verified=33, passed=33, complete_by=day(40)),
        (),
        Standing.OPEN,
        None,
        True,
        id="done since, and in time",
    ),
    pytest.param(
        strand(StrandState.CERTIFIED, verified=33, passed=33),
        (replace(HOLD, released_at=day(32)),),
        Standing.STOPPED,
        Cause.HELD,
        True,
        id="held at the end of the month, released and done since",
    ),
    pytest.param(strand(), (HOLD,), Standing.STOPPED, Cause.HELD, True, id="held"),
    pytest.param(
        strand(),
        (replace(HOLD, released_at=day(20)),),
        Standing.OVERDUE,
        Cause.NOT_TAKEN_UP,
        True,
        id="the hold is over",
    ),
    pytest.param(
        strand(StrandState.VERIFIED, verified=12, passed=12, end_state=EndState.KEPT_BY_LAW),
        (),
        Standing.STOPPED,
        Cause.KEPT_BY_LAW,
        True,
        id="the law keeps some of it",
    ),
    pytest.param(strand(complete_by=day(35)), (), Standing.OPEN, None, True, id="there is time left"),
    pytest.param(
        strand(StrandState.REOPENED, passed=12), (), Standing.OVERDUE, Cause.FOUND_AGAIN, True, id="found again"
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=15),
        (),
        Standing.BROUGHT_BACK,
        None,
        True,
        id="brought back when due",
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=5), (), Standing.BROUGHT_BACK, None, False, id="brought back before"
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=33),
        (),
        Standing.OVERDUE,
        Cause.NOT_TAKEN_UP,
        True,
        id="brought back since, and overdue then",
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=33, complete_by=day(35)),
        (),
        Standing.OPEN,
        None,
        True,
        id="brought back since, with time left then",
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=33),
        (replace(HOLD, released_at=day(32)),),
        Standing.STOPPED,
        Cause.HELD,
        True,
        id="brought back since, and held then",
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK),
        (),
        Standing.OVERDUE,
        Cause.NOT_TAKEN_UP,
        True,
        id="being brought back after the end",
    ),
    pytest.param(
        strand(StrandState.BROUGHT_BACK, settled=33, due=NOVEMBER.until, complete_by=day(45)),
        (),
        Standing.OPEN,
        None,
        False,
        id="due at the first instant of December, and brought back then",
    ),
    pytest.param(
        strand(StrandState.CERTIFIED, verified=-10, passed=-10),
        (),
        Standing.ON_TIME,
        None,
        False,
        id="done the month before",
    ),
]


@pytest.mark.parametrize(("reported", "holds", "standing", "cause", "is_due"), CASES)
def test_how_a_deletion_stood_at_the_end_of_november(
    reported: ReportedStrand, holds: tuple[Hold, ...], standing: Standing, cause: Cause | None, is_due: bool
) -> None:
    stood = standing_of(reported, holds, NOVEMBER)
    assert (stood.standing, stood.cause, stood.is_due) == (standing, cause, is_due)
