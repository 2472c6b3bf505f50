"""Facts into cases. The same facts give the same cases, in whatever order they arrived.

Every starting fact opens one case per rule that names it. What the case has to delete is told by strands, one per dataset:

- An *ending* (a service expired, arrears) takes what its subscriptions alone still needed. A dataset that another
  subscription needs is left to that one: while it lives, or where its own case deletes later.
- An *instruction* (the customer deleted data, an authority ordered it) takes what it names, whoever else would need it.
- A *withdrawn consent* takes what lies abroad under it, unless another consent allows it to lie there.
- What has passed its point of no return stays, whatever is told afterwards; it just never touches what came later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from retention.lifecycle.consents import consents_of, withdrawals_told
from retention.lifecycle.drafts import Draft, Scope, drafts_of
from retention.lifecycle.holds import holds_of
from retention.lifecycle.subscriptions import Flag, PolicyAt, SubscriptionKey, Timeline, fold
from retention.model.case import Case, Strand
from retention.model.copy import CopyRole
from retention.model.fact import Fact, FactKey
from retention.model.fact_roles import MOVES_DATES, STARTING
from retention.model.hold import Hold
from retention.model.policy import Policy


@dataclass(frozen=True, slots=True)
class History:
    """What already happened to a customer's cases and cannot be derived from facts.

    frozen: the policy version (hash) of each case that exists, by its starting fact. passed: strands past the point of
    no return, by id, with the instant (aware UTC). passed_facts: the first of those instants, by starting fact.
    strands: those strands as they were then; they stay as they are, whatever is told later.
    """

    frozen: Mapping[FactKey, str]
    passed: Mapping[str, datetime]
    passed_facts: Mapping[FactKey, datetime]
    strands: Mapping[str, Strand] = field(default_factory=dict)


NO_HISTORY = History({}, {}, {})


@dataclass(frozen=True, slots=True)
class Derived:
    """Everything the facts of one customer amount to. `live` are the subscriptions that are not ended."""

    cases: tuple[Case, ...]
    holds: tuple[Hold, ...]
    live: tuple[SubscriptionKey, ...]
    flags: tuple[Flag, ...]


def derive(facts: Iterable[Fact], versions: Sequence[Policy], history: History = NO_HISTORY) -> Derived:
    """The cases, holds and live subscriptions of one customer, from all of their facts in any order, repeats included.

    `versions` are the adopted policy versions, at least one. Strands past the point of no return are always there, even
    where a later fact would have prevented them; such a fact is flagged. Raises CalendarUnknown as `counting.count` does.
    """
    known = _each_once(facts)
    policy_at = PolicyAt(versions, history.frozen)
    timeline = fold(known, policy_at, history.passed_facts)
    dating = tuple(fact for fact in known if fact.type in MOVES_DATES)
    consents, told = consents_of(known), withdrawals_told(known)
    passed = _by_case(history.passed)
    drafts = [
        draft
        for fact in known
        if fact.type in STARTING
        for draft in drafts_of(fact, policy_at(fact), timeline, dating, consents, told, passed)
    ]
    granted = tuple(fact for fact in known if fact.consent is not None)
    everything = _Known(timeline, history, _needs(drafts, timeline, policy_at, history), granted)
    settled = [(draft, case) for draft in drafts if (case := everything.case(draft)) is not None]
    live = tuple(sorted(key for key, subscription in timeline.subscriptions.items() if subscription.is_live))
    holds, flags = holds_of(dating)
    flags += tuple(flag for draft, case in settled if draft.is_instruction for flag in _instruction_flags(draft, case))
    flags += tuple(_unknown_consents(known, {consent.id for consent in consents}))
    return Derived(tuple(case for _, case in settled), holds, live, (*timeline.flags, *flags))


def _by_case(passed: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    by_case: dict[str, tuple[str, ...]] = {}
    for strand in sorted(passed):
        case = strand.partition("/")[0]
        by_case[case] = (*by_case.get(case, ()), strand)
    return by_case


def _each_once(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The facts in the order in which they happened. Of one that was told again, what was told first counts."""
    by_key: dict[FactKey, Fact] = {}
    for fact in sorted(facts, key=lambda each: (each.recorded_at, repr(each))):
        by_key.setdefault(fact.key, fact)
    return tuple(sorted(by_key.values(), key=lambda fact: fact.order))


# ------------------------------------------------------------------------------------------- until when data is needed

Until = tuple[datetime, str]
"""When a need ends, and the case that ends it: of two at the same instant, the case with the greater id deletes."""

_NO_LONGER: Until = (datetime.min.replace(tzinfo=UTC), "")
_NOT_KNOWN: Until = (datetime.max.replace(tzinfo=UTC), "")

Needs = Mapping[tuple[SubscriptionKey, str], Until]
"""Until when each ended subscription still needs each dataset: until the first of its own cases deletes it."""


def _needs(drafts: Sequence[Draft], timeline: Timeline, policy_at: PolicyAt, history: History) -> Needs:
    """Where no rule says what becomes of a dataset after an ending, the subscription needs it until a rule does."""
    needs: dict[tuple[SubscriptionKey, str], Until] = {}
    for key, subscription in timeline.subscriptions.items():
        for ending in subscription.open_endings:
            for dataset in policy_at(ending.fact).datasets.values():
                if key.service in dataset.services:
                    needs[key, dataset.name] = _NOT_KNOWN
    for draft in drafts:
        for scope in () if draft.is_instruction else draft.scopes():
            strand = draft.strand(scope)
            until = _NO_LONGER if strand.id in history.passed else (strand.erasable_at, draft.id)
            for key in draft.open_keys(scope):
                needs[key, scope.dataset.name] = min(needs[key, scope.dataset.name], until)
    return needs


# --------------------------------------------------------------------------------------------- what goes, what stays


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything known about one customer, to settle what becomes of each draft's strands."""

    timeline: Timeline
    history: History
    needs: Needs
    granted: tuple[Fact, ...]

    def case(self, draft: Draft) -> Case | None:
        """The case of the draft; None for a repeated ending, whose subscriptions had all ended before."""
        scopes = draft.scopes()
        if not (draft.is_instruction or scopes or draft.ended):
            return None
        strands: list[Strand] = []
        left: list[tuple[str, str]] = []
        undone: list[tuple[str, Fact]] = []
        for scope in scopes:
            dataset, strand = scope.dataset.name, draft.strand(scope)
            if strand.id in self.history.passed:
                strands.append(self._passed(draft, scope, strand))
            elif (undone_by := draft.undone_by(scope)) is not None:
                undone.append((dataset, undone_by))
            elif draft.is_withdrawal:
                if scope.left_to is None:
                    strands.append(strand)
                else:
                    left.append((dataset, f"consent {scope.left_to}"))
            elif (needed_by := self._needed_by(draft, scope, strand)) is None:
                strands.append(strand)
            elif scope.lies_apart_from(needed_by):
                strands.append(draft.strand(scope, others_remain=True))
            else:
                left.append((dataset, str(needed_by)))
        return draft.case(strands, left, undone)

    def _needed_by(self, draft: Draft, scope: Scope, strand: Strand) -> SubscriptionKey | None:
        """Another subscription that needs the data: a live one, or one whose own case deletes later than this.

        Of several, one whose data lies in the very same place comes first.
        """
        mine: Until = (strand.erasable_at, draft.id)
        needing = [
            key
            for key, other in self.timeline.subscriptions.items()
            if key.service in scope.dataset.services
            and not draft.takes_from(key, scope)
            and (other.is_live or self.needs.get((key, strand.dataset), _NO_LONGER) > mine)
        ]
        return min(needing, key=lambda key: (scope.lies_apart_from(key), key), default=None)

    def _passed(self, draft: Draft, scope: Scope, strand: Strand) -> Strand:
        """The strand as it passed; what was written after the customer came back is not its business."""
        passed_at = self.history.passed[strand.id]
        strand = self.history.strands.get(strand.id, strand)
        if draft.is_withdrawal:
            return replace(strand, not_from=self._consented_again_at(draft, strand, passed_at))
        shares = any(copy.role is CopyRole.PRIMARY and copy.subscription is None for copy in strand.copies)
        instants = [
            at
            for key, subscription in self.timeline.subscriptions.items()
            if key.service in scope.dataset.services
            and (shares or not scope.lies_apart_from(key))
            and (at := subscription.came_back_at(draft.fact.at, passed_at)) is not None
        ]
        return replace(strand, not_from=min(instants, default=None))

    def _consented_again_at(self, draft: Draft, strand: Strand, passed_at: datetime) -> datetime | None:
        """When we were told, after the point of no return, of a new consent to one of the strand's replicas; else None."""
        instants = [
            fact.recorded_at
            for fact in self.granted
            if fact.recorded_at > passed_at
            and (consent := fact.consent) is not None
            and consent.is_separate
            and consent.id != draft.fact.withdrawn_consent
            and consent.dataset == strand.dataset
            and any(
                copy.territory == consent.destination and copy.recipient in (None, consent.recipient)
                for copy in strand.copies
            )
        ]
        return min(instants, default=None)


def _unknown_consents(facts: Iterable[Fact], known: Collection[str]) -> Iterator[Flag]:
    for fact in facts:
        if fact.withdrawn_consent is not None and fact.withdrawn_consent not in known:
            yield Flag(fact.key, f"withdraws the consent {fact.withdrawn_consent}, of which we were never told")


def _instruction_flags(draft: Draft, case: Case) -> Iterator[Flag]:
    """An instruction that does less than it says, so that somebody looks."""
    if not (case.strands or case.left or case.undone):
        yield Flag(draft.fact.key, f"{draft.fact.type} reaches no dataset under the rule {draft.rule.name}")
    for dataset, needed_by in case.left:
        yield Flag(
            draft.fact.key,
            f"{dataset} stays: {needed_by} needs it too and the two cannot be told apart; "
            "name the dataset and no service to delete all of it",
        )
