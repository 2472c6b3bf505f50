"""What counts as a jump of the clock, and what is only time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retention.clock import Reading
from retention.workflows.clock_guard import find_jump

AT = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("walked", "ticked", "boot", "jump"),
    [
        pytest.param(HOUR, 3600.0, "a", None, id="an hour in an hour"),
        pytest.param(2 * HOUR, 3600.0, "a", None, id="ahead by just what is allowed"),
        pytest.param(2 * HOUR + timedelta(seconds=1), 3600.0, "a", HOUR + timedelta(seconds=1), id="ahead by more"),
        pytest.param(-HOUR, 3600.0, "a", -2 * HOUR, id="set back"),
        pytest.param(timedelta(0), 30 * 86_400.0, "a", timedelta(days=-30), id="standing still for a month"),
        pytest.param(400 * 24 * HOUR, 5.0, "b", None, id="started anew: how long it was off cannot be told"),
        pytest.param(-2 * HOUR, 5.0, "b", -2 * HOUR, id="started anew in the past"),
    ],
)
def test_a_jump_is_what_the_wall_clock_moved_beyond_what_passed(
    walked: timedelta, ticked: float, boot: str, jump: timedelta | None
) -> None:
    assert find_jump(Reading(AT, 0.0, "a"), Reading(AT + walked, ticked, boot), HOUR) == jump
