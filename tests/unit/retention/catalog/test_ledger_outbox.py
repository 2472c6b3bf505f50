"""Entries get positions without gaps or twins, whoever writes at once, and none is lost on its way to the files."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from retention.catalog import ledger_outbox
from retention.catalog.database import Catalog

WRITERS, EACH = 6, 10


def append(catalog: Catalog, *entries: bytes) -> range:
    with catalog.transaction() as session:
        return ledger_outbox.append(session, entries)


def test_many_writers_at_once_get_positions_without_gaps_and_keep_their_entries_together(catalog: Catalog) -> None:
    def write(writer: int) -> list[tuple[int, bytes]]:
        written = []
        for number in range(EACH):
            entries = [b"%d %d %d" % (writer, number, part) for part in range(2)]
            written += list(zip(append(catalog, *entries), entries, strict=True))
        return written

    with ThreadPoolExecutor(WRITERS) as threads:
        given = dict(pair for written in threads.map(write, range(WRITERS)) for pair in written)
    assert sorted(given) == list(range(WRITERS * EACH * 2))
    with catalog.reading() as session:
        start, stored = ledger_outbox.unpublished(session, 1_000)
    assert start == 0
    assert [given[position] for position in sorted(given)] == list(stored)


def test_a_writer_that_fails_leaves_no_gap(catalog: Catalog) -> None:
    def fail() -> None:
        with catalog.transaction() as session:
            ledger_outbox.append(session, [b"lost"])
            raise ZeroDivisionError

    append(catalog, b"first")
    with pytest.raises(ZeroDivisionError):
        fail()
    assert append(catalog, b"second") == range(1, 2)


def test_later_positions_never_commit_before_earlier_ones(catalog: Catalog) -> None:
    """A publisher that sees position n has seen all below it."""

    def slow(number: int) -> None:
        with catalog.transaction() as session:
            ledger_outbox.append(session, [b"%d" % number])
            time.sleep(0.01)

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(slow, number) for number in range(12)]
        while not all(one.done() for one in running):
            with catalog.reading() as session:
                start, entries = ledger_outbox.unpublished(session, 100)
                assert (start, len(entries)) == (0, ledger_outbox.size(session))
        for one in running:
            one.result()


def test_what_is_marked_as_published_is_offered_no_more_and_cannot_be_unmarked(catalog: Catalog) -> None:
    append(catalog, b"0", b"1", b"2")
    for size_now in (2, 1):
        with catalog.transaction() as session:
            ledger_outbox.mark_published(session, size_now)
    with catalog.reading() as session:
        assert ledger_outbox.unpublished(session, 10) == (2, (b"2",))
        assert ledger_outbox.size(session) == 3


def test_pages_follow_one_another(catalog: Catalog) -> None:
    append(catalog, *(b"%d" % number for number in range(5)))
    with catalog.reading() as session:
        assert ledger_outbox.unpublished(session, 2) == (0, (b"0", b"1"))
