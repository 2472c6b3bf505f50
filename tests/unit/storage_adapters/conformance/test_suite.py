"""The suite finds careless stores: each of them fails the test that is about its carelessness."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.conformance.oddities import CUSTOMERS
from storage_adapters.contract import Batch, Item, ItemKind, ItemOutcome, ItemResult, Keep, Objects, Page, Place, Prefix
from storage_adapters.memory import MemoryStore

KINDS: frozenset[type[Place]] = frozenset({Prefix, Objects})
START = datetime(2026, 1, 1, tzinfo=UTC)


class CarelessStore(MemoryStore):
    """A store that finds what `matches` says below a prefix, instead of what begins with it."""

    def __init__(self, matches: Callable[[str, str], bool]) -> None:
        super().__init__("careless", kinds=KINDS)
        self._matches = matches

    def widened(self, place: Place) -> Place:
        if not isinstance(place, Prefix):
            return place
        return Objects(tuple(key for key in self.read_all() if self._matches(key, place.prefix)))

    def survey(self, place: Place) -> Iterator[Page]:
        return super().survey(self.widened(place))

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        return super().erase(self.widened(place), keep)


class LyingStore(MemoryStore):
    """It reports done and does nothing."""

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        for page in self.survey(place):
            yield tuple(ItemOutcome(item, ItemResult.DONE) for item in page)


class EagerStore(MemoryStore):
    """It removes everything before it reports the first batch."""

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        return iter(list(super().erase(place, keep)))


class FirstPageStore(MemoryStore):
    """It lists one page and thinks that was all."""

    def survey(self, place: Place) -> Iterator[Page]:
        yield next(super().survey(place), ())


class OnePageStore(MemoryStore):
    """It lists everything as one page."""

    def survey(self, place: Place) -> Iterator[Page]:
        yield tuple(item for page in super().survey(place) for item in page)


class ReplacingStore(MemoryStore):
    """It brings back over what is new."""

    def bring_back(self, place: Place) -> Iterator[Batch]:
        newest = {key: content for key, content in self.read_all().items() if key.startswith("data/c-1/")}
        list(super().erase(Objects(tuple(newest)), Keep(START + timedelta(days=1))))
        yield from super().bring_back(place)


class ForgetfulStore(MemoryStore):
    """It hides by removing."""

    def tombstone(self, place: Place) -> Iterator[Batch]:
        return super().erase(place)


class LeavingStore(MemoryStore):
    """It erases what readers see, and leaves what is hidden."""

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        names = tuple(key for key in self.read_all() if isinstance(place, Prefix) and key.startswith(place.prefix))
        return super().erase(Objects(names), keep)


class SoftStore(MemoryStore):
    """It tells no times, and does not look at what is to be kept."""

    def survey(self, place: Place) -> Iterator[Page]:
        for page in super().survey(place):
            yield tuple(Item(ItemKind.OBJECT, item.name, item.size) for item in page)

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        return super().erase(place)  # `keep` is not looked at


class CarelessBench:
    """The memory bench around a careless store."""

    place_kinds = KINDS
    has_bytes = True

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self._seconds = count()

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            self.store.put(f"data/{customer}/{name}", content, START + timedelta(seconds=next(self._seconds)))

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"data/{customer}/"
        return {key.removeprefix(start): value for key, value in self.store.read_all().items() if key.startswith(start)}

    def missing(self) -> None:
        return None


def odd(customer: str) -> Callable[[Bench], None]:
    """The test that one customer's erasure leaves every neighbour as it was."""
    case = next(case for case in CUSTOMERS if case.customer == customer)

    def ask(bench: Bench) -> None:
        StoreConformance().test_erasing_leaves_nothing_and_every_neighbour_as_it_was(bench, case)

    return ask


def shell(pattern: str, key: str) -> bool:
    """Whether the key matches as a shell would match it."""
    return fnmatch.fnmatchcase(key, f"{pattern}*")


SUITE = StoreConformance()
PAGING = SUITE.test_more_items_than_a_page_holds_come_in_full_by_pages
STOPPING = SUITE.test_a_batch_is_gone_when_it_is_reported_and_the_rest_untouched

CARELESS: dict[str, tuple[MemoryStore, Callable[[Bench], None]]] = {
    "c-1 is c-10": (CarelessStore(lambda key, prefix: key.startswith(prefix.rstrip("/"))), odd("c-1")),
    "c-1 is C-1": (CarelessStore(lambda key, prefix: key.lower().startswith(prefix.lower())), odd("c-1")),
    "spaces do not count": (
        CarelessStore(lambda key, prefix: key.replace(" ", "").startswith(prefix.replace(" ", ""))),
        odd(" c 1 "),
    ),
    "stars are globs": (CarelessStore(lambda key, prefix: shell(prefix, key)), odd("c*")),
    "brackets are globs": (CarelessStore(lambda key, prefix: shell(prefix, key)), odd("c[1-3]")),
    "percent signs are LIKE": (CarelessStore(lambda key, prefix: shell(prefix.replace("%", "*"), key)), odd("c%")),
    "it reports done and does nothing": (LyingStore("careless"), odd("c-1")),
    "it runs ahead of its reports": (EagerStore("careless"), STOPPING),
    "it lists one page": (FirstPageStore("careless"), PAGING),
    "its page is too large": (OnePageStore("careless"), PAGING),
    "its page is empty": (
        FirstPageStore("careless"),
        lambda bench: SUITE.test_an_empty_place_gives_nothing(bench, "survey"),
    ),
    "it replaces what is new": (
        ReplacingStore("careless"),
        SUITE.test_something_new_under_a_hidden_name_stands,
    ),
    "it hides by removing": (ForgetfulStore("careless"), SUITE.test_what_is_hidden_comes_back_byte_for_byte),
    "what is hidden stays": (
        LeavingStore("careless"),
        SUITE.test_what_is_hidden_is_erased_and_never_comes_back,
    ),
    "it does not keep": (SoftStore("careless"), SUITE.test_keep_leaves_what_is_younger_or_of_unknown_age),
    "its sheet is untrue": (SoftStore("careless"), SUITE.test_the_capability_sheet_is_true),
    "it takes places that it has not declared": (
        MemoryStore("careless"),
        lambda bench: SUITE.test_a_place_of_another_kind_is_a_mistake_of_the_caller(bench, "survey"),
    ),
}


@pytest.mark.parametrize("carelessness", list(CARELESS))
def test_a_careless_store_fails(carelessness: str) -> None:
    store, ask = CARELESS[carelessness]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        ask(CarelessBench(store))


@pytest.mark.parametrize("carelessness", list(CARELESS))
def test_a_careful_store_passes_the_same_question(carelessness: str) -> None:
    _, ask = CARELESS[carelessness]
    ask(CarelessBench(MemoryStore("careful", kinds=KINDS)))
