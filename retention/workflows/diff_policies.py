"""Whose dates a policy change moves, and how.

Cases that are open keep the version they were frozen with: nothing moves for them. For everybody else the change is shown
by the question "what if it happened now": each fact that can start a deletion, for each service the customer has, under
the old version and under the new one, with the same code that dates a real case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.lifecycle.cases import History, derive
from retention.lifecycle.consents import consents_of
from retention.lifecycle.states import OPEN
from retention.model.case import Case, Strand
from retention.model.fact import Fact, FactKey, FactType, Part
from retention.model.fact_roles import ENDINGS, INSTRUCTIONS, STARTING, WITHDRAWALS
from retention.model.policy import Policy
from retention.model.record import CaseRecord
from retention.policy.diff import Change, compare
from retention.workflows.case_history import history_of
from retention.workflows.check_policy import check_policy
from retention.workflows.deployment import Deployment

_ALWAYS = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_WHAT_IF = "/retention/what-if"


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of one deletion; instants aware UTC. keep_until: the end of a statutory minimum that runs from the start."""

    due_at: datetime
    erasable_at: datetime
    complete_by: datetime
    keep_until: datetime | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What becomes different for one customer's dataset if `fact_type` happened now.

    service: the one the fact would be about, None for all of the customer's. rule: under the new version, else the old one.
    None on one side: under that version nothing would be deleted then.
    """

    customer: str
    service: str | None
    fact_type: FactType
    dataset: str
    subscription: str | None
    rule: str
    before: Dates | None
    after: Dates | None


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """The change, value by value, and whose dates it moves; `as_of` is None where there is no catalogue to ask.

    kept_case_count: cases that are open and keep their version. customer_count: customers who were looked at.
    """

    changes: tuple[Change, ...]
    moved: tuple[Moved, ...] = ()
    kept_case_count: int = 0
    customer_count: int = 0
    as_of: datetime | None = None


def diff_policies(
    deployment: Deployment | None, old_file: Path, new_file: Path, store_kinds: Mapping[str, str]
) -> PolicyDiff:
    """What changes from the old file to the new one. Reads only. Raises InputError for everything wrong in either file.

    Without a deployment only the values are compared.
    """
    old, new = check_policy(old_file, store_kinds), check_policy(new_file, store_kinds)
    changes = compare(old, new)
    if deployment is None:
        return PolicyDiff(changes)
    now = deployment.clock.now()
    with deployment.catalog.reading() as session:
        adopted = deployment.shelf.versions(session)
        names = fact_rows.customers(session)
    moved: list[Moved] = []
    kept_count = 0
    for name in names:
        with deployment.catalog.reading() as session:
            facts = fact_rows.facts_of(session, name)
            existing = case_rows.cases(session, customer=name)
        kept_count += sum(not _is_over(record) for record in existing)
        if any(change.moves_dates for change in changes):
            customer = _Customer(name, facts, history_of(existing), adopted, now)
            moved += customer.moved(old, new)
    return PolicyDiff(changes, tuple(moved), kept_count, len(names), now)


def _is_over(record: CaseRecord) -> bool:
    return all(strand.state not in OPEN for strand in record.strands)


@dataclass(frozen=True, slots=True)
class _Customer:
    name: str
    facts: tuple[Fact, ...]
    history: History
    adopted: tuple[Policy, ...]
    now: datetime

    def moved(self, old: Policy, new: Policy) -> Iterator[Moved]:
        for question in self._questions(old, new):
            before, after = self._strands(question, old), self._strands(question, new)
            for key in sorted(before.keys() | after.keys(), key=str):
                was, becomes = before.get(key), after.get(key)
                if (was and was[1]) != (becomes and becomes[1]):
                    rule, _ = becomes or was or ("", None)
                    yield Moved(
                        customer=self.name,
                        service=question.service,
                        fact_type=question.type,
                        dataset=key[0],
                        subscription=key[1],
                        rule=rule,
                        before=was[1] if was else None,
                        after=becomes[1] if becomes else None,
                    )

    def _questions(self, old: Policy, new: Policy) -> Iterator[Fact]:
        """One fact of each kind that either version starts a deletion from, about each service the customer has now."""
        live = derive(self.facts, self._versions(old), self.history).live
        services = sorted({key.service for key in live})
        for kind in sorted(STARTING):
            if not (old.rules_for(kind) or new.rules_for(kind)) or not services:
                continue
            if kind in WITHDRAWALS:
                yield from (self._fact(kind, consent=consent.id) for consent in consents_of(self.facts))
                continue
            is_about_services = kind in ENDINGS and kind is not FactType.ACCOUNT_CLOSED
            for service in services if is_about_services else [None]:
                yield self._fact(kind, service)

    def _fact(self, kind: FactType, service: str | None = None, consent: str | None = None) -> Fact:
        key = FactKey(_WHAT_IF, f"{kind}/{service or consent or ''}")
        part = Part() if kind in INSTRUCTIONS else None
        return Fact(key, kind, self.name, self.now, self.now, service=service, part=part, withdrawn_consent=consent)

    def _strands(self, question: Fact, policy: Policy) -> dict[tuple[str, str | None], tuple[str, Dates]]:
        """What would be deleted when, by dataset and subscription; of several rules, the one that deletes first counts."""
        derived = derive((*self.facts, question), self._versions(policy), self.history)
        found: dict[tuple[str, str | None], tuple[str, Dates]] = {}
        for case, strand in _started_by(question, derived.cases):
            key, dates = (strand.dataset, strand.subscription), _dates(strand)
            if key not in found or dates.erasable_at < found[key][1].erasable_at:
                found[key] = (case.rule, dates)
        return found

    def _versions(self, policy: Policy) -> tuple[Policy, ...]:
        """The version as the only one in force; the adopted ones stay there for the cases that are frozen with them."""
        frozen = [replace(version, effective_at=_NEVER) for version in self.adopted if version.hash != policy.hash]
        return (*frozen, replace(policy, effective_at=_ALWAYS))


def _started_by(question: Fact, cases: Sequence[Case]) -> Iterator[tuple[Case, Strand]]:
    for case in cases:
        if case.starting_fact == question.key:
            yield from ((case, strand) for strand in case.strands)


def _dates(strand: Strand) -> Dates:
    return Dates(strand.due.at, strand.erasable_at, strand.complete_by.at, strand.keep.at if strand.keep else None)
