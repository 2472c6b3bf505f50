"""One owner at a time, whoever asks first and however long they slept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from retention.catalog import leases
from retention.catalog.database import Catalog
from retention.catalog.leases import Lease

NOW = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
TERM = timedelta(seconds=15)


def take(catalog: Catalog, holder: str, at: datetime = NOW) -> Lease | None:
    with catalog.transaction() as session:
        return leases.take(session, "work", holder, at, TERM)


def renew(catalog: Catalog, lease: Lease, at: datetime = NOW) -> bool:
    with catalog.transaction() as session:
        return leases.renew(session, lease, at, TERM)


def test_the_second_one_gets_nothing_until_the_term_is_over(catalog: Catalog) -> None:
    first = take(catalog, "a")
    assert first is not None
    assert take(catalog, "b", NOW + TERM - timedelta(microseconds=1)) is None
    second = take(catalog, "b", NOW + TERM)
    assert second is not None
    assert second.epoch > first.epoch


def test_renewing_moves_the_end_of_the_term(catalog: Catalog) -> None:
    lease = take(catalog, "a")
    assert lease is not None
    assert renew(catalog, lease, NOW + timedelta(seconds=10))
    assert take(catalog, "b", NOW + timedelta(seconds=20)) is None


def test_who_was_asleep_is_refused_by_the_number_and_not_by_a_clock(catalog: Catalog) -> None:
    asleep = take(catalog, "a")
    awake = take(catalog, "b", NOW + TERM)
    assert asleep is not None
    assert awake is not None
    assert not renew(catalog, asleep, NOW)
    assert renew(catalog, awake, NOW + TERM)


def test_the_same_holder_that_took_it_again_has_outdated_its_own_first_lease(catalog: Catalog) -> None:
    first, second = take(catalog, "a"), take(catalog, "a")
    assert first is not None
    assert second is not None
    assert not renew(catalog, first)
    assert renew(catalog, second)


def test_given_up_it_is_free_at_once_and_the_loser_cannot_give_up_the_winners(catalog: Catalog) -> None:
    first = take(catalog, "a")
    assert first is not None
    with catalog.transaction() as session:
        leases.give_up(session, first, NOW)
    second = take(catalog, "b", NOW)
    assert second is not None
    with catalog.transaction() as session:
        leases.give_up(session, first, NOW)
    assert take(catalog, "c", NOW) is None


def test_of_many_who_ask_for_a_new_lease_at_once_one_gets_it_and_nobody_fails(catalog: Catalog) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: take(catalog, f"holder-{number}"), range(8)))
    assert sum(lease is not None for lease in taken) == 1


def test_of_many_who_ask_for_an_expired_lease_at_once_one_gets_it(catalog: Catalog) -> None:
    take(catalog, "gone")
    later = NOW + TERM
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: take(catalog, f"holder-{number}", later), range(8)))
    assert sum(lease is not None for lease in taken) == 1
