"""The dates of a strand: when its buffer ends, when there is no way back, by when it has to be gone.

Source: Civil Code of the PRC, articles 200-204; service agreement 6.10, 6.11 (buffer per ordered service, or as agreed).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from retention.lifecycle.counting import Counted, count, count_on
from retention.lifecycle.holds import holds_of
from retention.model.case import Count, CountedBy
from retention.model.fact import Fact, FactType
from retention.model.period import NO_PERIOD, Period, PeriodUnit
from retention.model.policy import Dataset, KeepFrom, Policy, Rule

StrandDates = tuple[Count, Count, Count, Count | None]


def dates_of(
    fact: Fact, rule: Rule, policy: Policy, dataset: Dataset, services: Iterable[str], facts: Iterable[Fact]
) -> StrandDates:
    """Due, no-return and complete-by of one strand, and its statutory minimum where that runs from the starting fact.

    `facts` are all of the customer's, in any order; agreements and released holds among them count. With several
    services the longest buffer counts: the data is needed until the last of them has ended. The undo window begins
    when buffer and minimum are both over. The time to complete begins there too, or where the last hold was released.
    """
    known = sorted(facts, key=lambda each: each.order)
    buffers = [_buffer(fact, rule, policy, service, known) for service in sorted(services)]
    due = max(buffers or [_counted(policy, fact.at, NO_PERIOD, f"rules.{rule.name}.buffer")], key=lambda each: each.at)
    keep = _keep(fact, policy, dataset)
    over = keep if keep is not None and keep.at > due.at else due
    no_return = _after(policy, over, rule.tombstone, f"rules.{rule.name}.tombstone")
    return due, no_return, _complete_by(policy, rule, dataset, over, known), keep


def _buffer(fact: Fact, rule: Rule, policy: Policy, service: str, facts: Sequence[Fact]) -> Count:
    """The end of the buffer of one service: the rule's own, else the agreed one, else the service's.

    An agreement made before the starting fact replaces the service's buffer. One made later, or at the same instant,
    may lengthen what was promised; it shortens nothing.
    """
    if rule.buffer is not None:
        return _counted(policy, fact.at, rule.buffer, f"rules.{rule.name}.buffer")
    known = policy.services.get(service)
    promised = _counted(
        policy,
        fact.at,
        known.buffer_for(fact.type) if known else NO_PERIOD,
        f"services.{service}.buffer",
        by=CountedBy.SERVICE,
    )
    agreed = [each for each in facts if _is_agreement_for(each, service)]
    before = [each for each in agreed if each.at < fact.at]
    if before:
        promised = _agreed(policy, fact, before[-1])
    later = [_agreed(policy, fact, each) for each in agreed if each.at >= fact.at]
    return max([promised, *later], key=lambda each: each.at)


def _is_agreement_for(fact: Fact, service: str) -> bool:
    return fact.type is FactType.AGREEMENT_MADE and fact.agreement is not None and fact.service in (None, service)


def _agreed(policy: Policy, fact: Fact, agreement: Fact) -> Count:
    assert agreement.agreement is not None
    basis = f"agreement {agreement.agreement.document or agreement.key}"
    return _counted(policy, fact.at, agreement.agreement.buffer, basis, by=CountedBy.AGREEMENT)


def _keep(fact: Fact, policy: Policy, dataset: Dataset) -> Count | None:
    minimum = dataset.keep_at_least
    if minimum is None or minimum.starts is not KeepFrom.START:
        return None
    return _counted(policy, fact.at, minimum.period, minimum.basis, by=CountedBy.LAW)


def _complete_by(policy: Policy, rule: Rule, dataset: Dataset, over: Count, facts: Sequence[Fact]) -> Count:
    """Nobody has to be done while a hold forbids it: after the last release the whole time runs."""
    basis = f"rules.{rule.name}.complete-within"
    holds, _ = holds_of(facts)
    released = [hold.released_at for hold in holds if hold.released_at and hold.dataset in (None, dataset.name)]
    last = max(released, default=over.at)
    if last > over.at:
        return _counted(policy, last, rule.complete_within, basis)
    return _after(policy, over, rule.complete_within, basis)


def _counted(policy: Policy, start: datetime, period: Period, basis: str, by: CountedBy = CountedBy.RULE) -> Count:
    counted = count(start, period, policy.time_zone, policy.calendar, policy.last_day_off_moves)
    return _as_count(start, period, basis, counted, by)


def _after(policy: Policy, before: Count, period: Period, basis: str) -> Count:
    """A period that begins where another one ended: counted from its last day, so that no day is lost or won."""
    if before.last_day is None or period.unit is PeriodUnit.HOURS:
        return _counted(policy, before.at, period, basis)
    counted = count_on(before.last_day, period, policy.time_zone, policy.calendar, policy.last_day_off_moves)
    return _as_count(before.at, period, basis, counted, CountedBy.RULE)


def _as_count(start: datetime, period: Period, basis: str, counted: Counted, by: CountedBy) -> Count:
    return Count(start, period, basis, counted.due_at, counted.last_day, counted.moved_from, by)
