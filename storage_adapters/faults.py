"""A store that fails in every known way, by a schedule, and then stops failing.

`FaultyStore` wraps any store and keeps its contract, as real stores do when they fail: it raises the errors of
`storage_adapters.errors`, reports refusals item by item, and lies. Which fault strikes when is data, so that a
failure found by a random search is repeated exactly.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from storage_adapters.contract import (
    PAGE_SIZE,
    Batch,
    Capabilities,
    Item,
    ItemKind,
    ItemOutcome,
    ItemResult,
    Keep,
    Page,
    Place,
    Store,
)
from storage_adapters.errors import OutcomeUnknown, Unavailable


class Crash(BaseException):  # not an Exception: nothing may catch and outlive it, as nothing outlives kill -9
    """The process dies here. Only a test catches it, and then starts anew."""


class Operation(StrEnum):
    """What of a store a fault can strike."""

    SURVEY = "survey"
    REMAINS = "remains"
    TOMBSTONE = "tombstone"
    BRING_BACK = "bring_back"
    ERASE = "erase"
    HEADS = "heads"


READS = frozenset({Operation.SURVEY, Operation.REMAINS, Operation.HEADS})
CHANGES = frozenset({Operation.TOMBSTONE, Operation.BRING_BACK, Operation.ERASE})


class FaultKind(StrEnum):
    """The known ways to fail. Each strikes one step: one page, one batch, or one answer."""

    UNAVAILABLE = "unavailable"  # not reached; nothing happened
    THROTTLED = "throttled"  # reached, and too busy; nothing happened
    UNKNOWN_NOT_DONE = "unknown-not-done"  # a timeout, and nothing happened
    UNKNOWN_DONE = "unknown-done"  # a timeout, and it happened
    ITEM_REFUSED = "item-refused"  # one item of a good batch was refused
    ITEM_UNKNOWN_NOT_DONE = "item-unknown-not-done"
    ITEM_UNKNOWN_DONE = "item-unknown-done"
    ITEM_LIE = "item-lie"  # one item is reported done and is not
    BATCH_LIE = "batch-lie"  # everything that is left is reported done and is not
    OMITS_ITEM = "omits-item"  # a listing leaves one item out
    OMITS_PAGE = "omits-page"  # a listing leaves a page out
    CRASH_BEFORE = "crash-before"
    CRASH_AFTER = "crash-after"


_STRIKES: dict[FaultKind, frozenset[Operation]] = {
    FaultKind.UNAVAILABLE: READS | CHANGES,
    FaultKind.THROTTLED: READS | CHANGES,
    FaultKind.CRASH_BEFORE: READS | CHANGES,
    FaultKind.CRASH_AFTER: READS | CHANGES,
    FaultKind.OMITS_ITEM: frozenset({Operation.SURVEY}),
    FaultKind.OMITS_PAGE: frozenset({Operation.SURVEY}),
}
"""What each kind strikes by itself; kinds that are not listed strike changes."""

_UNTOUCHED: dict[FaultKind, ItemResult] = {
    FaultKind.ITEM_REFUSED: ItemResult.REFUSED,
    FaultKind.ITEM_UNKNOWN_NOT_DONE: ItemResult.UNKNOWN,
    FaultKind.ITEM_LIE: ItemResult.DONE,
    FaultKind.BATCH_LIE: ItemResult.DONE,
}
"""What is reported of an item that was left alone."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure. `on` is the one operation it waits for; None means the next one that its kind strikes.

    `at` chooses the item, counted round the page. That `remains` omits something has to be asked for by `on`: two
    looks that lie alike cannot be told from the truth.
    """

    kind: FaultKind
    on: Operation | None = None
    at: int = 0

    def strikes(self, operation: Operation) -> bool:
        """Whether the fault can strike this operation."""
        return operation is self.on if self.on is not None else operation in _STRIKES.get(self.kind, CHANGES)


class Schedule:
    """Faults in order, `None` where a step goes well. When it has ended nothing fails any more. Thread-safe.

    The first fault waits for an operation that it strikes, and the rest wait behind it. `struck` says what happened.
    """

    def __init__(self, faults: Iterable[Fault | None] = ()) -> None:
        self._waiting = deque(faults)
        self._guard = threading.Lock()
        self.struck: list[tuple[Operation, Fault]] = []

    @classmethod
    def seeded(cls, seed: int, length: int, share: float = 0.5) -> Schedule:
        """A schedule of `length` steps, the same for the same seed, of which about `share` (0 to 1) fail."""
        random = Random(seed)  # noqa: S311 - repeatable on purpose, and no secret
        kinds = list(FaultKind)
        steps = [(random.random() < share, random.choice(kinds), random.randrange(PAGE_SIZE)) for _ in range(length)]
        return cls(Fault(kind, at=at) if fails else None for fails, kind, at in steps)

    def has_ended(self) -> bool:
        """Whether nothing will fail any more."""
        with self._guard:
            return not self._waiting

    def take(self, operation: Operation) -> Fault | None:
        """The fault that strikes this step of the operation; None where the step goes well."""
        with self._guard:
            if not self._waiting:
                return None
            fault = self._waiting[0]
            if fault is not None and not fault.strikes(operation):
                return None
            self._waiting.popleft()
            if fault is not None:
                self.struck.append((operation, fault))
            return fault


class FaultyStore:
    """A store that does what `inner` does, except where the schedule says otherwise.

    `only` gives the place of exactly some items of `inner`, so that a fault can leave one item alone and let the rest
    happen; without it such a fault leaves alone everything that is left.
    """

    def __init__(self, inner: Store, schedule: Schedule, only: Callable[[Sequence[Item]], Place] | None = None) -> None:
        self._inner = inner
        self._schedule = schedule
        self._only = only

    @property
    def name(self) -> str:
        """The inner store's name."""
        return self._inner.name

    def capabilities(self) -> Capabilities:
        """The inner store's sheet. No fault strikes it."""
        return self._inner.capabilities()

    def survey(self, place: Place) -> Iterator[Page]:
        """What `inner` finds, less what a fault omits."""
        return self._look(Operation.SURVEY, self._inner.survey(place))

    def remains(self, place: Place) -> Iterator[Page]:
        """What `inner` finds, less what a fault that waits for `remains` omits."""
        return self._look(Operation.REMAINS, self._inner.remains(place))

    def tombstone(self, place: Place) -> Iterator[Batch]:
        """Hidden, except where a fault strikes."""
        return self._change(Operation.TOMBSTONE, place, self._inner.tombstone)

    def bring_back(self, place: Place) -> Iterator[Batch]:
        """Brought back, except where a fault strikes."""
        return self._change(Operation.BRING_BACK, place, self._inner.bring_back)

    def erase(self, place: Place, keep: Keep | None = None) -> Iterator[Batch]:
        """Erased, except where a fault strikes."""
        return self._change(Operation.ERASE, place, lambda part: self._inner.erase(part, keep))

    def heads(self, names: Sequence[str], length: int) -> Iterator[tuple[str, bytes | None]]:
        """What `inner` reads; a fault strikes once, before or after all of it."""
        fault = self._schedule.take(Operation.HEADS)
        self._fail_before(fault)
        yield from self._inner.heads(names, length)
        self._fail_after(fault)

    def unclaimed(self, places: Sequence[Place]) -> tuple[str, ...]:
        """What `inner` names. No fault strikes it."""
        return self._inner.unclaimed(places)

    def close(self) -> None:
        """The inner store is closed."""
        self._inner.close()

    # ------------------------------------------------------------------------------ steps

    def _look(self, operation: Operation, pages: Iterator[Page]) -> Iterator[Page]:
        while True:
            fault = self._schedule.take(operation)
            self._fail_before(fault)
            page = next(pages, None)
            self._fail_after(fault)
            if page is None:
                return
            if fault is not None and fault.kind is FaultKind.OMITS_PAGE:
                continue
            if fault is not None and fault.kind is FaultKind.OMITS_ITEM:
                at = fault.at % len(page)
                page = page[:at] + page[at + 1 :]
            if page:
                yield page

    def _change(self, operation: Operation, place: Place, act: Callable[[Place], Iterator[Batch]]) -> Iterator[Batch]:
        batches = act(place)
        told: set[str] = set()
        while True:
            fault = self._schedule.take(operation)
            self._fail_before(fault)
            reported: Batch = ()
            if fault is not None and fault.kind in _UNTOUCHED:
                rest = [item for item in self._concerned(operation, place) if item.name not in told]
                untouched = self._untouched(fault, rest)
                acted_on = [item for item in rest if item not in untouched]
                batches = act(self._only(acted_on)) if self._only and acted_on else iter(())
                reported = tuple(ItemOutcome(item, _UNTOUCHED[fault.kind], "fault") for item in untouched)
            batch = next(batches, None)
            self._fail_after(fault)
            if batch is None and not reported:
                return
            outcomes = reported + self._spoiled(fault, batch or ())
            told.update(outcome.item.name for outcome in outcomes)
            for start in range(0, len(outcomes), PAGE_SIZE):
                yield outcomes[start : start + PAGE_SIZE]

    def _concerned(self, operation: Operation, place: Place) -> list[Item]:
        """The items that the operation would act on."""
        items = [item for page in self._inner.survey(place) for item in page]
        if operation is Operation.TOMBSTONE:
            return [item for item in items if item.kind in (ItemKind.OBJECT, ItemKind.ROW)]
        if operation is Operation.BRING_BACK:
            return [item for item in items if item.kind is ItemKind.TOMBSTONE]
        return items

    def _untouched(self, fault: Fault, items: list[Item]) -> list[Item]:
        """The items that the fault leaves alone: one and all that share its place, or everything."""
        if not items or self._only is None or fault.kind is FaultKind.BATCH_LIE:
            return items
        spared = self._only((items[fault.at % len(items)],))
        return [item for item in items if self._only((item,)) == spared]

    def _spoiled(self, fault: Fault | None, batch: Batch) -> Batch:
        """The batch as reported: one outcome is unknown where the fault says so."""
        if fault is None or fault.kind is not FaultKind.ITEM_UNKNOWN_DONE or not batch:
            return batch
        at = fault.at % len(batch)
        unknown = ItemOutcome(batch[at].item, ItemResult.UNKNOWN, "fault")
        return (*batch[:at], unknown, *batch[at + 1 :])

    def _fail_before(self, fault: Fault | None) -> None:
        match fault.kind if fault is not None else None:
            case FaultKind.UNAVAILABLE:
                raise Unavailable(self.name, "could not be reached")
            case FaultKind.THROTTLED:
                raise Unavailable(self.name, "throttled beyond the retries")
            case FaultKind.UNKNOWN_NOT_DONE:
                raise OutcomeUnknown(self.name, "no answer in time")
            case FaultKind.CRASH_BEFORE:
                raise Crash("before the step")

    def _fail_after(self, fault: Fault | None) -> None:
        match fault.kind if fault is not None else None:
            case FaultKind.UNKNOWN_DONE:
                raise OutcomeUnknown(self.name, "no answer in time")
            case FaultKind.CRASH_AFTER:
                raise Crash("after the step")
