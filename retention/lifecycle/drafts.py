"""Drafts: one starting fact under one rule, and every strand it could have, before asking who else needs the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from retention.lifecycle.consents import covers, only_abroad, others_standing
from retention.lifecycle.dates import dates_of
from retention.lifecycle.places import locate
from retention.lifecycle.subscriptions import Ending, SubscriptionKey, Timeline
from retention.model.case import Case, Strand, case_id, strand_id
from retention.model.fact import Fact, Part
from retention.model.fact_roles import INSTRUCTIONS, WITHDRAWALS
from retention.model.policy import Dataset, Encryption, KeepFrom, Policy, Rule
from retention.model.transfer import Consent


@dataclass(frozen=True, slots=True)
class Scope:
    """What one strand would be about: a dataset, or one subscription's part of it where places name subscriptions.

    keys: the subscriptions that the fact ended and that needed it; empty for instructions. Of a withdrawn consent the dataset
    is only what lies abroad under it, and `left_to` the consent under which all of that may go on lying there.
    """

    dataset: Dataset
    subscription: str | None
    keys: tuple[SubscriptionKey, ...] = ()
    left_to: str | None = None

    def lies_apart_from(self, other: SubscriptionKey) -> bool:
        """Whether it has places of its own, into which the other subscription writes nothing."""
        return self.subscription is not None and self.subscription != other.id


@dataclass(frozen=True, slots=True)
class Draft:
    """One starting fact under one rule, on its way to a case.

    id: of the case. policy: the version that is frozen into it, with every replica that any version declares. ended: the
    subscriptions it ended. dating: the customer's facts that move dates. consents: all of the customer's; told: when we heard
    that they were withdrawn. passed: ids of its strands that have passed their point of no return.
    """

    id: str
    fact: Fact
    rule: Rule
    policy: Policy
    ended: Mapping[SubscriptionKey, Ending]
    withdrawn_by: Fact | None
    dating: tuple[Fact, ...]
    consents: tuple[Consent, ...]
    told: Mapping[str, datetime]
    passed: tuple[str, ...]

    @property
    def is_instruction(self) -> bool:
        """Whether the fact itself says what has to go."""
        return self.fact.type in INSTRUCTIONS

    @property
    def is_withdrawal(self) -> bool:
        """Whether it is only about what lies abroad under a consent."""
        return self.fact.type in WITHDRAWALS

    def scopes(self) -> tuple[Scope, ...]:
        """What its strands are about. Those that passed their point of no return are always among them."""
        scopes = {
            strand_id(self.id, scope.dataset.name, scope.subscription): scope
            for dataset in self.policy.datasets.values()
            if not (self.rule.datasets and dataset.name not in self.rule.datasets)
            for scope in self._of(dataset)
        }
        for lost in self.passed:
            dataset_name, _, subscription = lost.removeprefix(f"{self.id}/").partition("/")
            if dataset_name in self.policy.datasets:
                scopes.setdefault(lost, Scope(self.policy.datasets[dataset_name], subscription or None))
        return tuple(scopes.values())

    def _of(self, dataset: Dataset) -> list[Scope]:
        if self.is_withdrawal:
            return self._abroad(dataset)
        return self._instructed(dataset) if self.is_instruction else self._ended(dataset)

    def _abroad(self, dataset: Dataset) -> list[Scope]:
        """What lies abroad under the withdrawn consent, where no other one allows it to lie there."""
        told = (self.fact.withdrawn_consent, dataset.name)
        withdrawn = next((each for each in self.consents if (each.id, each.dataset) == told), None)
        if withdrawn is None:
            return []
        under = {
            each: others_standing(withdrawn, each, self.consents, self.fact, self.told) for each in dataset.replicas
        }
        under = {replica: others for replica, others in under.items() if covers(withdrawn, dataset.name, replica)}
        going = [replica for replica, others in under.items() if not others]
        staying = [other.id for others in under.values() for other in others]
        left_to = None if going else next(iter(staying), None)
        return [Scope(only_abroad(dataset, going), None, left_to=left_to)] if under else []

    def _instructed(self, dataset: Dataset) -> list[Scope]:
        named = self.fact.part.dataset if self.fact.part else None
        if named not in (None, dataset.name) or self.fact.service not in (None, *dataset.services):
            return []
        return [Scope(dataset, self.fact.subscription if _tells_subscriptions(dataset) else None)]

    def _ended(self, dataset: Dataset) -> list[Scope]:
        keys = sorted(key for key in self.ended if key.service in dataset.services)
        if not keys:
            return []
        if not _tells_subscriptions(dataset):
            return [Scope(dataset, None, tuple(keys))]
        ids = sorted({key.id for key in keys})
        return [Scope(dataset, id_ or None, tuple(key for key in keys if key.id == id_)) for id_ in ids]

    def open_keys(self, scope: Scope) -> tuple[SubscriptionKey, ...]:
        """The subscriptions of the scope that stay ended."""
        return tuple(key for key in scope.keys if self.ended[key].is_open)

    def takes_from(self, key: SubscriptionKey, scope: Scope) -> bool:
        """Whether it takes this subscription's data too, so that its need does not count."""
        return self._names(key) if self.is_instruction else key in self.open_keys(scope)

    def _names(self, key: SubscriptionKey) -> bool:
        """Whether the instruction means this subscription's data, whoever else needs it.

        One that names a dataset means all of it; one that names only a service, or a subscription, no more than that.
        """
        if self.fact.service is None or (self.fact.subscription is None and self.fact.part and self.fact.part.dataset):
            return True
        return key.service == self.fact.service and self.fact.subscription in (None, key.id)

    def undone_by(self, scope: Scope) -> Fact | None:
        """The fact that took all of it back before its point of no return, or None where some of it goes on."""
        if self.withdrawn_by is not None:
            return self.withdrawn_by
        if not scope.keys or self.open_keys(scope):
            return None
        undoing = [fact for key in scope.keys if (fact := self.ended[key].cancelled_by) is not None]
        return min(undoing, key=lambda fact: fact.order)

    def strand(self, scope: Scope, *, others_remain: bool = False) -> Strand:
        """The strand as it is where nobody else needs the data; with `others_remain`, where others share some of it.

        What is shared with others keeps its key and its primaries; see `locate`.
        """
        dataset = scope.dataset
        part = replace(self.fact.part, dataset=dataset.name) if self.fact.part else Part(dataset.name)
        due, no_return, complete_by, keep = dates_of(
            self.fact, self.rule, self.policy, dataset, self._services(scope), self.dating
        )
        minimum = dataset.keep_at_least
        written = minimum is not None and minimum.starts is KeepFrom.WRITTEN
        return Strand(
            case=self.id,
            dataset=dataset.name,
            subscription=scope.subscription,
            part=part,
            encrypted=dataset.encrypted,
            due=due,
            no_return=no_return,
            complete_by=complete_by,
            copies=locate(self.policy, dataset, self.fact.customer, scope.subscription, part, others_remain),
            shreds_key=_shreds_key(dataset, part, others_remain=others_remain),
            keep=keep,
            keep_written=minimum.period if minimum is not None and written else None,
            keep_basis=minimum.basis if minimum is not None else None,
        )

    def case(
        self, strands: Sequence[Strand], left: Sequence[tuple[str, str]], undone: Sequence[tuple[str, Fact]]
    ) -> Case:
        """The case with what goes on, what is left to others, and what was taken back and by which fact."""
        cancelled_by = min((fact for _, fact in undone), key=lambda fact: fact.order, default=None)
        return Case(
            id=self.id,
            customer=self.fact.customer,
            rule=self.rule.name,
            clause=self.rule.clause,
            starting_fact=self.fact.key,
            fact_type=self.fact.type,
            started_at=self.fact.at,
            policy_hash=self.policy.hash,
            strands=tuple(strands),
            left=tuple(left),
            cancelled_by=cancelled_by.key if cancelled_by is not None else None,
            ground=self.fact.ground,
            undone=tuple((dataset, fact.key) for dataset, fact in undone),
        )

    def _services(self, scope: Scope) -> Iterable[str]:
        """The services whose buffers count: of the subscriptions that stay ended, else of all that are concerned."""
        keys = self.open_keys(scope) or scope.keys
        if keys:
            return {key.service for key in keys}
        return (self.fact.service,) if self.fact.service is not None else scope.dataset.services


def drafts_of(
    fact: Fact,
    policy: Policy,
    timeline: Timeline,
    dating: tuple[Fact, ...],
    consents: tuple[Consent, ...],
    told: Mapping[str, datetime],
    passed: Mapping[str, tuple[str, ...]],
) -> tuple[Draft, ...]:
    """One draft per rule that the starting fact calls for; none where no rule does. `passed` is by case."""
    ended = {
        key: ending
        for key, subscription in timeline.subscriptions.items()
        if (ending := subscription.ending_by(fact)) is not None
    }
    withdrawn_by = timeline.withdrawn.get(fact.key)
    return tuple(
        Draft(name, fact, rule, policy, ended, withdrawn_by, dating, consents, told, passed.get(name, ()))
        for rule in policy.rules_for(fact.type)
        for name in (case_id(rule.name, fact.key),)
    )


def _tells_subscriptions(dataset: Dataset) -> bool:
    return any(place.names_subscription for place in dataset.primary)


def _shreds_key(dataset: Dataset, part: Part, *, others_remain: bool) -> bool:
    """Whether everything under the keys goes.

    A key has to stay while anything under it is still needed; a key for the whole dataset also where only a part of it goes,
    or only what lies abroad.
    """
    if others_remain or not dataset.primary:
        return False
    return dataset.encrypted is Encryption.OBJECT or (
        dataset.encrypted is Encryption.CUSTOMER and part.is_whole_dataset
    )
