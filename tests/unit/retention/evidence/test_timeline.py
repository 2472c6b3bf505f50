"""Finding a period in a ledger whose entries are nearly, and not always, in the order of their times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retention.evidence.entries import Entry, EntryType
from retention.evidence.ledger import Ledger
from retention.evidence.note import SeedSigner
from retention.evidence.timeline import Span, find_entries, walk

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


def ledger_of(folder: Path, signer: SeedSigner, times: Iterable[datetime]) -> Ledger:
    """A ledger with an entry at each of the times, numbered in its body."""
    entries = [Entry(EntryType.LIMIT_HIT, at, {"number": n}).encode() for n, at in enumerate(times)]
    ledger = Ledger.create(folder / "ledger", signer)
    ledger.publish(0, entries, signer)
    return ledger


def seen(ledger: Ledger) -> tuple[Span, list[int]]:
    found: list[int] = []
    span = walk(ledger, NOVEMBER, DECEMBER, {EntryType.LIMIT_HIT}, lambda index, _: found.append(index))
    return span, found


def days(*offsets: float) -> list[datetime]:
    """Instants so many days from 1 November."""
    return [NOVEMBER + timedelta(days=offset) for offset in offsets]


@pytest.mark.parametrize(
    ("times", "span", "entries"),
    [
        pytest.param(days(), Span(0, 0), [], id="an empty ledger"),
        pytest.param(days(-2, -1), Span(2, 2), [], id="all before the period"),
        pytest.param(days(40, 41), Span(0, 0), [], id="all after the period"),
        pytest.param(days(-1, 31), Span(1, 1), [], id="nothing in the period"),
        pytest.param(
            days(-1, 0, 10, 29.999, 30), Span(1, 4), [1, 2, 3], id="the first instant belongs to it, the last not"
        ),
        pytest.param(
            days(-1, 0.1, -0.1, 1, 31), Span(1, 4), [1, 3], id="two wrote at the same moment at the beginning"
        ),
        pytest.param(days(-1, 1, 29.9, 30.1, 29.95, 31), Span(1, 5), [1, 2, 4], id="and at the end"),
        pytest.param(
            days(-1, 1, *[60] * 50, 2, 3, 40), Span(1, 54), [1, 52, 53], id="the clock was two months ahead for a while"
        ),
        pytest.param(
            days(-1, 1, *[-400] * 50, 2, 40), Span(1, 53), [1, 52], id="the clock was a year behind for a while"
        ),
    ],
)
def test_the_entries_of_a_period_are_those_that_bear_its_times(
    tmp_path: Path, signer: SeedSigner, times: list[datetime], span: Span, entries: list[int]
) -> None:
    assert seen(ledger_of(tmp_path, signer, times)) == (span, entries)


def test_a_long_ledger_is_walked_from_where_the_period_begins(tmp_path: Path, signer: SeedSigner) -> None:
    times = [NOVEMBER + timedelta(hours=hour) for hour in range(-2_000, 2_000)]
    span, found = seen(ledger_of(tmp_path, signer, times))
    assert (span, len(found), found[0]) == (Span(2_000, 2_720), 720, 2_000)


def test_older_entries_are_found_by_what_they_are_about(tmp_path: Path, signer: SeedSigner) -> None:
    times = [NOVEMBER + timedelta(hours=hour) for hour in range(-500, 0)]
    ledger = ledger_of(tmp_path, signer, times)
    wanted = {"7", "499", "900"}
    found = find_entries(ledger, times[7], 500, {EntryType.LIMIT_HIT}, lambda entry: str(entry.body["number"]), wanted)
    assert found == {"7": 7, "499": 499}
