"""What a new policy version changes, value by value. Whose dates that moves is told by planning with both versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from retention.model.period import Period, parse_period
from retention.model.policy import Policy
from retention.policy.canonical import Json, canonical_document, canonical_fields
from retention.policy.lengths import longest_hours, shortest_hours

_NAMED = ("services", "datasets", "rules", "backups")
_MOVES_DATES = frozenset(
    {
        "buffer",
        "cancelled-by",
        "complete-within",
        "datasets",
        "delete-after",
        "effective",
        "holidays",
        "keep-at-least",
        "last-day-off",
        "services",
        "time-zone",
        "tombstone",
        "when",
    }
)


class Effect(StrEnum):
    """What a change does to a period (lengthens, shortens) or to a list or section (adds, removes)."""

    LENGTHENS = "lengthens"
    SHORTENS = "shortens"
    ADDS = "adds"
    REMOVES = "removes"
    CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `where` names the section or entry ("services.model-inference"), `what` the key below it.

    `what` is empty where the entry itself is added or removed; `before` and `after` then hold its title. A value that is
    not there is None. moves_dates: whether it can move a date of some case, or bring a case about, or prevent one.
    """

    where: str
    what: str
    before: str | None
    after: str | None
    effect: Effect
    moves_dates: bool

    def __str__(self) -> str:
        """One line for a person: `services.model-inference buffer.default: 15 days → 7 days (shortens)`."""
        name = f"{self.where} {self.what}".rstrip()
        if self.before is None or self.after is None:
            return f"{name}: {self.effect} {self.before if self.after is None else self.after}"
        return f"{name}: {self.before} → {self.after} ({self.effect})"


def compare(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every difference between two policies, by section and name; empty where they mean the same.

    Periods of different units that may last longer or shorter ("30 days", "1 month") are reported as `changes`.
    """
    before, after = _spelled_out(old, new), _spelled_out(new, old)
    return tuple(
        change for section in sorted(before.keys() | after.keys()) for change in _in_section(section, before, after)
    )


def _in_section(section: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Change]:
    old, new = _mapping(before.get(section)), _mapping(after.get(section))
    if section not in _NAMED:
        old_value, new_value = before.get(section), after.get(section)
        if isinstance(old_value, list) or isinstance(new_value, list):
            yield from _in_value(section, "", old_value, new_value)
        else:
            yield from _in_entry(section, old, new)
        return
    for name in sorted(old.keys() | new.keys()):
        where = f"{section}.{name}"
        if name not in new:
            yield Change(where, "", _title(old[name]), None, Effect.REMOVES, moves_dates=True)
        elif name not in old:
            yield Change(where, "", None, _title(new[name]), Effect.ADDS, moves_dates=True)
        else:
            yield from _in_entry(where, _mapping(old[name]), _mapping(new[name]))


def _in_entry(where: str, old: Mapping[str, Json], new: Mapping[str, Json], above: str = "") -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        what = f"{above}.{key}" if above else key
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) or isinstance(after, dict):
            yield from _in_entry(where, _mapping(before), _mapping(after), what)
        else:
            yield from _in_value(where, what, before, after)


def _in_value(where: str, what: str, before: Json, after: Json) -> Iterator[Change]:
    moves = what.partition(".")[0] in _MOVES_DATES
    if isinstance(before, list) or isinstance(after, list):
        old, new = _words(before), _words(after)
        for word in sorted(old - new):
            yield Change(where, what, word, None, Effect.REMOVES, moves)
        for word in sorted(new - old):
            yield Change(where, what, None, word, Effect.ADDS, moves)
    elif before != after:
        yield Change(where, what, _text(before), _text(after), _effect(before, after), moves)


def _effect(before: Json, after: Json) -> Effect:
    if before is None or after is None:
        return Effect.ADDS if before is None else Effect.REMOVES
    old, new = _period(before), _period(after)
    if old is None or new is None:
        return Effect.CHANGES
    if old.unit is new.unit or old.is_none or new.is_none:
        return Effect.LENGTHENS if shortest_hours(new) > shortest_hours(old) else Effect.SHORTENS
    if shortest_hours(new) > longest_hours(old):
        return Effect.LENGTHENS
    return Effect.SHORTENS if longest_hours(new) < shortest_hours(old) else Effect.CHANGES


def _period(value: Json) -> Period | None:
    try:
        return parse_period(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _spelled_out(policy: Policy, other: Policy) -> dict[str, Json]:
    """The canonical fields, with what silence means written out, so that both sides can be compared key by key.

    A service has a buffer for every fact that either version names; a rule without `datasets` has all of them.
    """
    fields = canonical_fields(canonical_document(policy))
    for name, service in policy.services.items():
        named = {*service.buffers, *(other.services[name].buffers if name in other.services else ())}
        buffers: dict[str, Json] = {str(fact): str(service.buffer_for(fact)) for fact in named}
        _mapping(_mapping(fields["services"])[name])["buffer"] = {"default": str(service.buffer), **buffers}
    for name, rule in policy.rules.items():
        reached: list[Json] = [str(dataset) for dataset in rule.datasets or policy.datasets]
        _mapping(_mapping(fields["rules"])[name])["datasets"] = reached
    return fields


def _mapping(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _title(entry: Json) -> str:
    return str(_mapping(entry)["title"])


def _text(value: Json) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _words(value: Json) -> set[str]:
    items = value if isinstance(value, list) else []
    return {item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in items}
