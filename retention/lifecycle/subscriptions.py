"""Which subscriptions a customer has, which ended, by which fact, and what made one live again.

Whose data is it still? A copy is due only when the last subscription that needs it has ended, so everything here is told
per subscription. Facts are folded in the order in which they happened; where an ending and what cancels it fall on the same
instant, the cancelling fact comes second: the data is protected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from retention.lifecycle.consents import replicas_of
from retention.model.fact import Fact, FactKey, FactType
from retention.model.fact_roles import ALWAYS_CANCEL, CANCELS, ENDINGS, INSTRUCTIONS, STARTING, WITHDRAWALS
from retention.model.policy import Policy

UNNAMED = ""
"""The subscription id where the provider names none: one per service."""


@dataclass(frozen=True, slots=True, order=True)
class SubscriptionKey:
    """One customer's order of one service."""

    service: str
    id: str = UNNAMED

    def __str__(self) -> str:
        return f"{self.service}/{self.id}" if self.id else self.service


@dataclass(slots=True)
class Ending:
    """One fact that ended one subscription, and the fact that took that back, if one did."""

    fact: Fact
    cancelled_by: Fact | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing took it back."""
        return self.cancelled_by is None


@dataclass(slots=True)
class Subscription:
    """A subscription with all its endings, in the order in which they happened. It lives while none is open.

    begun_at: when we were first told that it lives (aware UTC); None where we only ever heard of an end.
    """

    key: SubscriptionKey
    begun_at: datetime | None = None
    endings: list[Ending] = field(default_factory=list)

    @property
    def open_endings(self) -> tuple[Ending, ...]:
        """The endings that nothing took back."""
        return tuple(ending for ending in self.endings if ending.is_open)

    @property
    def is_live(self) -> bool:
        """Whether no ending is open."""
        return not self.open_endings

    def ending_by(self, fact: Fact) -> Ending | None:
        """Its ending by this fact, or None where the fact did not end it."""
        return next((ending for ending in self.endings if ending.fact.key == fact.key), None)

    def came_back_at(self, started_at: datetime, passed_at: datetime) -> datetime | None:
        """When it came to life after a deletion that started then and could not be stopped any more from `passed_at` on.

        None where it did not, or where that life had ended again before, so that its data went as well.
        """
        instants = [ending.cancelled_by.at for ending in self.endings if ending.cancelled_by is not None]
        instants += [self.begun_at] if self.begun_at is not None else []
        lasting = [
            at
            for at in instants
            if at >= started_at and not any(at < ending.fact.at <= passed_at for ending in self.endings)
        ]
        return min(lasting, default=None)


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a person should look at: the fact was kept, and what it says does not fit."""

    fact: FactKey
    what: str


@dataclass(slots=True)
class Timeline:
    """All of one customer's subscriptions, as the facts tell them; and what was withdrawn, by which fact."""

    subscriptions: dict[SubscriptionKey, Subscription] = field(default_factory=dict)
    withdrawn: dict[FactKey, Fact] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)

    def flag(self, fact: Fact, what: str) -> None:
        """Note what a person should look at about this fact, once."""
        if (flag := Flag(fact.key, what)) not in self.flags:
            self.flags.append(flag)


PassedAt = Mapping[FactKey, datetime]
"""For starting facts whose case has a strand past its point of no return: when the first one passed it."""


class PolicyAt:
    """Which policy version counts for a fact: the one frozen into its case, else the one in force when it happened."""

    def __init__(self, versions: Sequence[Policy], frozen: Mapping[FactKey, str]) -> None:
        """`versions` is not empty, oldest adoption first. Of those effective at the same instant, the later wins.

        Places where a dataset was declared to lie as a replica belong to every version: what lies there has to go under each.
        """
        versions = [_with_every_replica(version, versions) for version in versions]
        self._versions = sorted(versions, key=lambda version: version.effective_at)
        self._by_hash = {version.hash: version for version in versions}
        self._frozen = frozen

    def __call__(self, fact: Fact) -> Policy:
        frozen = self._frozen.get(fact.key)
        if frozen is not None:
            return self._by_hash[frozen]
        # a withdrawal takes what lies abroad when we hear of it, however long ago it was made
        at = max(fact.at, fact.recorded_at) if fact.type in WITHDRAWALS else fact.at
        in_force = [version for version in self._versions if version.effective_at <= at]
        return in_force[-1] if in_force else self._versions[0]


def _with_every_replica(version: Policy, versions: Sequence[Policy]) -> Policy:
    replicas = {name: replicas_of(versions, name) for name in version.datasets}
    if all(replicas[name] == dataset.replicas for name, dataset in version.datasets.items()):
        return version
    datasets = {name: replace(dataset, replicas=replicas[name]) for name, dataset in version.datasets.items()}
    return replace(version, datasets=datasets)


def fold(facts: Iterable[Fact], policy_at: PolicyAt, passed: PassedAt) -> Timeline:
    """The customer's subscriptions after all `facts` (of one customer, each once, in any order)."""
    timeline = Timeline()
    ordered = sorted(facts, key=_order)
    _withdraw(timeline, ordered, passed)
    for fact in ordered:
        if fact.type in ENDINGS:
            _end(timeline, fact, policy_at(fact))
        elif fact.type in INSTRUCTIONS and not policy_at(fact).rules_for(fact.type):
            timeline.flag(fact, f"no rule starts from {fact.type}: nothing is deleted")
        elif fact.type in CANCELS and fact.type is not FactType.DELETION_WITHDRAWN:
            _revive(timeline, fact, policy_at, passed)
    return timeline


def _order(fact: Fact) -> tuple[datetime, bool, str, str]:
    return (fact.at, fact.type in CANCELS, fact.key.source, fact.key.id)


def _withdraw(timeline: Timeline, facts: Sequence[Fact], passed: PassedAt) -> None:
    """Note what was withdrawn, by the first fact that did it. Whatever their times, what is withdrawn never counted."""
    starting = {fact.key for fact in facts if fact.type in STARTING}
    consents = {fact.key for fact in facts if fact.type in WITHDRAWALS}
    for fact in facts:
        if fact.type is FactType.DELETION_WITHDRAWN and fact.withdraws in consents:
            timeline.flag(
                fact, f"cannot take back {fact.withdraws}, the withdrawal of a consent: only a new consent does"
            )
        elif fact.type is FactType.DELETION_WITHDRAWN and fact.withdraws is not None:
            timeline.withdrawn.setdefault(fact.withdraws, fact)
            if fact.withdraws not in starting:
                timeline.flag(fact, f"withdraws {fact.withdraws}, which started no deletion that we were told of")
            elif fact.withdraws in passed:
                timeline.flag(fact, f"withdraws {fact.withdraws} too late: the point of no return was passed")


# --------------------------------------------------------------------------------------------------------- endings


def _end(timeline: Timeline, fact: Fact, policy: Policy) -> None:
    if not policy.rules_for(fact.type):
        timeline.flag(fact, f"no rule starts from {fact.type}: nothing is deleted")
        return
    for key in _ended_keys(timeline, fact, policy):
        subscription = timeline.subscriptions.setdefault(key, Subscription(key))
        if any(ending.fact.type is fact.type for ending in subscription.open_endings):
            timeline.flag(fact, f"{key} had already ended by {fact.type}; the earlier date stands")
        else:
            subscription.endings.append(Ending(fact, timeline.withdrawn.get(fact.key)))


def _ended_keys(timeline: Timeline, fact: Fact, policy: Policy) -> list[SubscriptionKey]:
    """The subscriptions that the fact ends. Without a service it means all; a closed account also unknown ones."""
    if fact.service is not None and fact.subscription is not None:
        named = SubscriptionKey(fact.service, fact.subscription)
        if named not in timeline.subscriptions and SubscriptionKey(fact.service) in timeline.subscriptions:
            timeline.flag(fact, f"ends {named}, of which we were never told; {fact.service} without a name lives on")
        return [named]
    known = [key for key in timeline.subscriptions if fact.service in (None, key.service)]
    if fact.service is not None:
        return known or [SubscriptionKey(fact.service)]
    if fact.type is FactType.ACCOUNT_CLOSED or not known:
        services = {key.service for key in known}
        known += [SubscriptionKey(name) for name in policy.services if name not in services]
    return known


# --------------------------------------------------------------------------------------------------------- coming back


def _revive(timeline: Timeline, fact: Fact, policy_at: PolicyAt, passed: PassedAt) -> None:
    matching = [
        subscription
        for key, subscription in timeline.subscriptions.items()
        if fact.service in (None, key.service) and fact.subscription in (None, key.id)
    ]
    if not matching and fact.service is not None:  # whatever is activated, renewed or paid for is there
        key = SubscriptionKey(fact.service, fact.subscription or UNNAMED)
        timeline.subscriptions[key] = Subscription(key, begun_at=fact.at)
        return
    undone = [ending for subscription in matching for ending in _cancel(subscription, fact, policy_at)]
    for ending in undone:
        _flag(timeline, fact, ending.fact, passed.get(ending.fact.key))
    for subscription in matching:
        if not undone and not subscription.is_live:
            by = subscription.open_endings[0].fact.type
            timeline.flag(fact, f"{fact.type} cannot take back {by}: {subscription.key} stays ended")


def _cancel(subscription: Subscription, fact: Fact, policy_at: PolicyAt) -> list[Ending]:
    """The endings that the fact takes back, now taken back."""
    undone = [e for e in subscription.open_endings if _cancels(fact, e.fact, policy_at(e.fact))]
    for ending in undone:
        ending.cancelled_by = fact
    return undone


def _cancels(fact: Fact, ending: Fact, policy: Policy) -> bool:
    if ending.type not in CANCELS[fact.type]:
        return False
    return fact.type in ALWAYS_CANCEL or any(fact.type in rule.cancelled_by for rule in policy.rules_for(ending.type))


def _flag(timeline: Timeline, fact: Fact, ending: Fact, passed_at: datetime | None) -> None:
    """Say what a person should look at. Who orders again after the deletion starts clean, and nobody has to look."""
    if passed_at is None:
        if ending.type is FactType.SERVICE_RELEASED:
            timeline.flag(fact, f"{fact.type} contradicts {ending.type} before its point of no return: the data stays")
    elif fact.at <= passed_at:
        timeline.flag(fact, f"{fact.type} happened in time and was told too late: the point of no return was passed")
    elif fact.type is not FactType.SERVICE_ACTIVATED:
        timeline.flag(fact, f"{fact.type} came after the point of no return: the data does not come back")
