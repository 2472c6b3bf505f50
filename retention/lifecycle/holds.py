"""The holds of one customer, as the facts tell them. Where facts contradict each other, the hold stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from retention.lifecycle.subscriptions import Flag
from retention.model.fact import Fact, FactType, HoldTerms
from retention.model.hold import Hold


def holds_of(facts: Iterable[Fact]) -> tuple[tuple[Hold, ...], tuple[Flag, ...]]:
    """Every hold of one customer, standing or released, by id, and what does not fit about them.

    Facts may come in any order. Released at the same instant as placed means it stands. Placed again after its release
    it stands again; placed again while it stands it only grows: other terms never lift what the first ones cover.
    """
    holds: dict[str, Hold] = {}
    flags: list[Flag] = []
    for fact in sorted(facts, key=_order):
        if fact.hold is None:
            continue
        known = holds.get(fact.hold.hold)
        if fact.type is FactType.HOLD_PLACED:
            holds[fact.hold.hold] = _placed(fact, fact.hold, known)
            if known is not None and known.stands:
                flags.append(Flag(fact.key, f"hold {known.id!r} stood already; it covers what both orders name"))
        elif known is None:
            flags.append(Flag(fact.key, f"hold {fact.hold.hold!r} is released and was not placed before; nothing ends"))
        else:
            holds[known.id] = replace(known, released_at=known.released_at or fact.at)
    return tuple(holds.values()), tuple(flags)


def _order(fact: Fact) -> tuple[datetime, bool, str, str]:
    return (fact.at, fact.type is FactType.HOLD_PLACED, fact.key.source, fact.key.id)


def _placed(fact: Fact, terms: HoldTerms, known: Hold | None) -> Hold:
    placed = Hold(terms.hold, fact.customer, terms.dataset, terms.ground, terms.authority, fact.at, terms.review_at)
    if known is None or not known.stands:
        return placed
    dataset = known.dataset if known.dataset == placed.dataset else None
    return replace(known, dataset=dataset, review_at=known.review_at or placed.review_at)
