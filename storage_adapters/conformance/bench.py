"""What the suite needs from the test of one adapter: a store, a writer and an ordinary reader beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from storage_adapters.contract import PAGE_SIZE, Batch, Item, ItemOutcome, Page, Place, Store

MANY = 2 * PAGE_SIZE + 50
"""More than two full pages, so that a second and a last, shorter page are seen."""


class Bench(Protocol):
    """A fresh, empty store under test, with the ways in that an application would use.

    `put` and `read` never go through the adapter: they are the application's own client (boto3, SQL, `open`).
    """

    @property
    def store(self) -> Store:
        """The adapter under test, the same one each time."""
        ...

    @property
    def place_kinds(self) -> frozenset[type[Place]]:
        """The kinds of `Place` that the store has; it refuses the others with ValueError."""
        ...

    @property
    def has_bytes(self) -> bool:
        """Whether items have bytes that `heads` reads; False for rows and cache keys."""
        ...

    def place(self, customer: str) -> Place:
        """Where all of the customer's data lies, as a policy would declare it. Any customer name is possible."""
        ...

    def part(self, customer: str, name: str) -> Place:
        """Just the one thing that was put under `name`, as an order to delete a single object or row gives it."""
        ...

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        """Write the things as the application does: names to contents. A name that is there is overwritten.

        Thousands at once must not take long. A row may hang further rows below it.
        """
        ...

    def read(self, customer: str) -> dict[str, bytes]:
        """What an ordinary reader sees of this customer: names to contents, byte for byte. Empty where nothing is."""
        ...

    def missing(self) -> tuple[Store, Place] | None:
        """A store whose bucket, root or table is not there, and a place in it; None where there is no such thing."""
        ...


def items_of(pages: Iterable[Page]) -> list[Item]:
    """All items of the pages in their order, having checked that no page is empty or too large, and no item twice."""
    items: list[Item] = []
    for page in pages:
        assert 1 <= len(page) <= PAGE_SIZE, f"a page of {len(page)} items"
        items.extend(page)
    assert len({item.name for item in items}) == len(items), "an item was listed twice"
    return items


def outcomes_of(batches: Iterable[Batch]) -> list[ItemOutcome]:
    """All outcomes of the batches in their order, having checked that no batch is empty or too large."""
    outcomes: list[ItemOutcome] = []
    for batch in batches:
        assert 1 <= len(batch) <= PAGE_SIZE, f"a batch of {len(batch)} items"
        outcomes.extend(batch)
    return outcomes


def names_of(items: Iterable[Item]) -> set[str]:
    """The names of the items."""
    return {item.name for item in items}
