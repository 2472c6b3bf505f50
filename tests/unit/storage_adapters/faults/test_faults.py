"""Each fault does what it says and no more, and when the schedule has ended nothing fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.contract import Batch, ItemOutcome, ItemResult, Prefix
from storage_adapters.errors import OutcomeUnknown, StoreError, Unavailable
from storage_adapters.faults import Crash, Fault, FaultKind, FaultyStore, Operation, Schedule
from storage_adapters.memory import MemoryStore

PLACE = Prefix("data/c-1/")
NEIGHBOUR = "data/c-10/a"
WRITTEN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def bucket(count: int = 5) -> MemoryStore:
    """A store with `count` objects of c-1 and one of c-10."""
    store = MemoryStore("memory")
    for number in range(count):
        store.put(f"data/c-1/{number:05d}", b"1", WRITTEN_AT)
    store.put(NEIGHBOUR, b"1", WRITTEN_AT)
    return store


def left(store: MemoryStore) -> int:
    """How many of c-1's objects an ordinary reader sees, c-10's being there."""
    seen = store.read_all()
    assert NEIGHBOUR in seen
    return len(seen) - 1


def results(batches: Iterator[Batch]) -> Counter[ItemResult]:
    """How often each result was reported."""
    return Counter(outcome.result for batch in batches for outcome in batch)


CHANGES: dict[str, Callable[[FaultyStore], Iterator[Batch]]] = {
    "erase": lambda store: store.erase(PLACE),
    "tombstone": lambda store: store.tombstone(PLACE),
}


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize(
    ("kind", "error", "remaining"),
    [
        (FaultKind.UNAVAILABLE, Unavailable, 5),
        (FaultKind.THROTTLED, Unavailable, 5),
        (FaultKind.UNKNOWN_NOT_DONE, OutcomeUnknown, 5),
        (FaultKind.UNKNOWN_DONE, OutcomeUnknown, 0),
        (FaultKind.CRASH_BEFORE, Crash, 5),
        (FaultKind.CRASH_AFTER, Crash, 0),
    ],
)
def test_a_raised_fault_acts_or_does_not_and_the_next_call_finishes(
    change: str, kind: FaultKind, error: type[BaseException], remaining: int
) -> None:
    inner = bucket()
    store = FaultyStore(inner, Schedule([Fault(kind)]))
    with pytest.raises(error):
        list(CHANGES[change](store))
    assert left(inner) == remaining
    list(CHANGES[change](store))
    assert left(inner) == 0


@pytest.mark.parametrize("change", list(CHANGES))
@pytest.mark.parametrize(
    ("kind", "reported", "remaining"),
    [
        (FaultKind.ITEM_REFUSED, {ItemResult.DONE: 4, ItemResult.REFUSED: 1}, 1),
        (FaultKind.ITEM_UNKNOWN_NOT_DONE, {ItemResult.DONE: 4, ItemResult.UNKNOWN: 1}, 1),
        (FaultKind.ITEM_UNKNOWN_DONE, {ItemResult.DONE: 4, ItemResult.UNKNOWN: 1}, 0),
        (FaultKind.ITEM_LIE, {ItemResult.DONE: 5}, 1),
        (FaultKind.BATCH_LIE, {ItemResult.DONE: 5}, 5),
    ],
)
def test_a_reported_fault_spoils_one_item_or_everything_that_is_left(
    change: str, kind: FaultKind, reported: dict[ItemResult, int], remaining: int
) -> None:
    inner = bucket()
    store = FaultyStore(inner, Schedule([Fault(kind, at=8)]), inner.only)
    assert results(CHANGES[change](store)) == reported
    assert left(inner) == remaining
    list(CHANGES[change](store))
    assert left(inner) == 0


def test_without_a_way_to_narrow_a_refused_item_refuses_all_that_is_left() -> None:
    inner = bucket(1_500)
    store = FaultyStore(inner, Schedule([None, Fault(FaultKind.ITEM_REFUSED)]))
    assert results(store.erase(PLACE)) == {ItemResult.DONE: 1_000, ItemResult.REFUSED: 500}
    assert left(inner) == 500


def test_a_fault_in_the_second_batch_leaves_one_item_of_it_and_no_batch_is_too_large() -> None:
    inner = bucket(2_500)
    store = FaultyStore(inner, Schedule([None, Fault(FaultKind.ITEM_LIE), Fault(FaultKind.ITEM_REFUSED)]), inner.only)
    sizes: list[int] = []
    outcomes: list[ItemOutcome] = []
    for batch in store.erase(PLACE):
        sizes.append(len(batch))
        outcomes.extend(batch)
    assert max(sizes) <= 1_000
    assert len({outcome.item.name for outcome in outcomes}) == len(outcomes) == 2_500
    assert left(inner) == 2


def test_bringing_back_can_be_refused_for_one_item() -> None:
    inner = bucket()
    store = FaultyStore(inner, Schedule([Fault(FaultKind.ITEM_REFUSED, Operation.BRING_BACK)]), inner.only)
    list(store.tombstone(PLACE))
    assert results(store.bring_back(PLACE)) == {ItemResult.DONE: 4, ItemResult.REFUSED: 1}
    assert left(inner) == 4


def test_a_survey_omits_an_item_or_a_page_while_remains_tells_the_truth() -> None:
    inner = bucket(1_200)
    faults = [Fault(FaultKind.OMITS_ITEM, at=3), Fault(FaultKind.OMITS_PAGE)]
    store = FaultyStore(inner, Schedule(faults))
    assert [len(page) for page in store.remains(PLACE)] == [1_000, 200]
    assert [len(page) for page in store.survey(PLACE)] == [999]
    assert [len(page) for page in store.survey(PLACE)] == [1_000, 200]


def test_an_omission_of_the_only_item_gives_no_page() -> None:
    store = FaultyStore(bucket(1), Schedule([Fault(FaultKind.OMITS_ITEM, at=7)]))
    assert list(store.survey(PLACE)) == []


def test_remains_omits_only_where_it_is_asked_to() -> None:
    store = FaultyStore(bucket(), Schedule([Fault(FaultKind.OMITS_PAGE, Operation.REMAINS)]))
    assert [len(page) for page in store.survey(PLACE)] == [5]
    assert list(store.remains(PLACE)) == []
    assert [len(page) for page in store.remains(PLACE)] == [5]


def test_heads_fail_before_or_after_they_are_read() -> None:
    inner = bucket(1)
    store = FaultyStore(inner, Schedule([Fault(FaultKind.UNAVAILABLE), Fault(FaultKind.CRASH_AFTER)]))
    [[item]] = inner.survey(PLACE)
    with pytest.raises(Unavailable):
        list(store.heads([item.name], 1))
    heads = store.heads([item.name], 1)
    assert next(heads) == (item.name, b"1")
    with pytest.raises(Crash):
        next(heads)


def test_a_crash_is_not_caught_as_an_exception() -> None:
    assert not issubclass(Crash, Exception)


def test_a_schedule_says_what_has_struck_and_when_it_has_ended() -> None:
    fault = Fault(FaultKind.UNAVAILABLE, Operation.REMAINS)
    schedule = Schedule([None, fault])
    store = FaultyStore(bucket(), schedule)
    list(store.survey(PLACE))
    assert not schedule.has_ended()
    with pytest.raises(Unavailable):
        list(store.remains(PLACE))
    assert schedule.has_ended()
    assert schedule.struck == [(Operation.REMAINS, fault)]


def test_the_same_seed_gives_the_same_faults_and_another_seed_others() -> None:
    def struck(seed: int) -> list[tuple[Operation, Fault]]:
        schedule = Schedule.seeded(seed, 40)
        drive(FaultyStore(inner := bucket(50), schedule, inner.only), schedule)
        return schedule.struck

    assert struck(1) == struck(1) != struck(2)


def drive(store: FaultyStore, schedule: Schedule) -> int:
    """Erase until `remains` finds nothing and nothing is left to fail; how many rounds it took."""
    for rounds in range(1, 1_000):
        try:
            list(store.survey(PLACE))
            list(store.erase(PLACE))
            if list(store.remains(PLACE)) == [] and schedule.has_ended():
                return rounds
        except (StoreError, Crash):
            continue  # the next round tries again
    raise AssertionError("it never ends")


faults = st.builds(Fault, st.sampled_from(FaultKind), at=st.integers(0, 2_000))


@given(st.lists(st.none() | faults, max_size=30), st.integers(0, 20))
def test_whatever_fails_an_erasure_that_is_repeated_until_nothing_remains_is_complete(
    steps: list[Fault | None], count: int
) -> None:
    inner, schedule = bucket(count), Schedule(steps)
    drive(FaultyStore(inner, schedule, inner.only), schedule)
    assert left(inner) == 0
