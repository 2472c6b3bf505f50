"""Why a customer's data goes when it goes, or stays: asked of the catalogue as it is now. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from retention.catalog import cases as case_rows
from retention.catalog import facts as fact_rows
from retention.errors import InputError
from retention.lifecycle.cases import derive
from retention.lifecycle.explain import Passage, Sentence
from retention.lifecycle.explain import explain as explain_derived
from retention.lifecycle.sentences import Language
from retention.workflows.case_history import history_of
from retention.workflows.deployment import Deployment
from retention.workflows.plan_deletions import progress_of

Said = str | tuple[str, ...]
"""A value in a sentence, for programs: instants as RFC 3339 in UTC, days as ISO dates, anything else in words."""


@dataclass(frozen=True, slots=True)
class ToldSentence:
    """A statement by its stable code, with its values by name."""

    reason: str
    values: Mapping[str, Said]


@dataclass(frozen=True, slots=True)
class ToldPassage:
    """What is said about one dataset of one case; case is None where nothing has started."""

    case: str | None
    dataset: str | None
    subscription: str | None
    sentences: tuple[ToldSentence, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation for programs (`passages`) and for people (`text`, line by line, in the language asked for)."""

    customer: str
    passages: tuple[ToldPassage, ...]
    text: tuple[str, ...]


def explain(deployment: Deployment, customer: str, dataset: str | None, language: str) -> Explained:
    """Fact, rule, clause, how dates were counted, what stops it, what is next; for one dataset, or all with None.

    Raises InputError for a customer of whom nothing was ever told, a dataset that no version of the policy has, and a
    language that is not spoken.
    """
    if language not in set(Language):
        raise InputError(f"--lang: {language!r} is not spoken here; write {' or '.join(Language)}")
    with deployment.catalog.reading() as session:
        versions = deployment.shelf.versions(session)
        facts = fact_rows.facts_of(session, customer)
        existing = case_rows.cases(session, customer=customer)
    if not facts:
        raise InputError(f"nothing was ever told about the customer {customer!r}")
    known = sorted({name for version in versions for name in version.datasets})
    if dataset is not None and dataset not in known:
        raise InputError(f"dataset {dataset!r} is not in the policy; it has {', '.join(known)}")
    derived = derive(facts, versions, history_of(existing))
    progress = {record.strand.id: progress_of(record) for case in existing for record in case.strands}
    explanation = explain_derived(derived, facts, versions, progress, deployment.clock.now(), dataset)
    passages = tuple(_told(passage) for passage in explanation.passages)
    return Explained(customer, passages, explanation.lines(Language(language)))


def _told(passage: Passage) -> ToldPassage:
    sentences = tuple(_sentence(sentence) for sentence in passage.sentences)
    return ToldPassage(passage.case, passage.dataset, passage.subscription, sentences)


def _sentence(sentence: Sentence) -> ToldSentence:
    return ToldSentence(str(sentence.reason), {name: _said(value) for name, value in sentence.values})


def _said(value: object) -> Said:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return tuple(str(each) for each in value) if isinstance(value, tuple) else str(value)
