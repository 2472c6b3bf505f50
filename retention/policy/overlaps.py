"""Places that meet: two datasets of which one would be deleted with the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

from retention.policy.checks import Reading
from retention.policy.problems import Problem, quoted
from retention.policy.source import Place
from retention.policy.templates import keys_may_overlap, may_overlap


@dataclass(frozen=True, slots=True)
class _Claim:
    """One name in one store, who claims it and where that stands."""

    owner: str
    loc: Place
    name: str


Meets = Callable[[str, str], bool]


def places_are_apart(reading: Reading) -> Iterator[Problem]:
    """Two owners (datasets, backups) never claim places of one store that could be the same for some names.

    Within one dataset places may meet, for they go together; but a replica goes by itself when a consent is withdrawn.
    A folder that names the subscription is also meant as a whole, above it, where a deletion is about all of them.
    """
    for kind, meets in (("prefix", _folders_meet), ("keys", keys_may_overlap), ("tables", _same_table)):
        by_store: dict[str, list[_Claim]] = defaultdict(list)
        for store, claim in _claims(reading, kind):
            by_store[store].append(claim)
        for store, claims in by_store.items():
            yield from _meetings(reading, store, claims, meets)


def _meetings(reading: Reading, store: str, claims: list[_Claim], meets: Meets) -> Iterator[Problem]:
    for first, second in combinations(claims, 2):
        if first.owner != second.owner and meets(first.name, second.name):
            message = (
                f"{quoted(second.name)} could be the same place in {store} as {quoted(first.name)} of {first.owner}, "
                "and one would be deleted with the other; give each a place of its own"
            )
            yield reading.source.problem(second.loc, message)


def _claims(reading: Reading, kind: str) -> Iterator[tuple[str, _Claim]]:
    for loc, dataset, location in reading.locations():
        owner = f"replica {int(loc[-1]) + 1} of {dataset}" if "replicas" in loc else dataset
        if kind == "tables":
            for table in location.tables or {}:
                yield location.store, _Claim(owner, (*loc, "tables", table), table)
        elif (name := getattr(location, kind)) is not None:
            yield location.store, _Claim(owner, (*loc, kind), name)
    if kind == "prefix":
        for name, backup in reading.document.backups.items():
            yield backup.store, _Claim(f"the backup {name}", ("backups", name, "sets"), backup.sets)


def _folders_meet(first: str, second: str) -> bool:
    return may_overlap(_above_subscription(first), _above_subscription(second))


def _above_subscription(prefix: str) -> str:
    above, named, _ = prefix.partition("{subscription}")
    return above[: above.rindex("/") + 1] if named and "/" in above else prefix


def _same_table(first: str, second: str) -> bool:
    return first.casefold() == second.casefold()
