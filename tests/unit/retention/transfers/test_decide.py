"""The table of decisions, row by row, and what holds for every decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from retention.model.transfer import (
    Consent,
    DatasetNature,
    Decision,
    Measure,
    MeasureKind,
    PersonCount,
    Terms,
    TransferRequest,
    Verdict,
)
from retention.transfers.decide import Circumstances, decide
from retention.transfers.law import thresholds_at
from retention.transfers.reasons import SENTENCES, Code, said
from retention.transfers.warnings import CODES

ROWS: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
    Path(__file__).with_name("decisions.yaml").read_text(encoding="utf-8")
)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LAW = thresholds_at(NOW)
JANUARY = datetime(2026, 1, 5, tzinfo=UTC)

REQUEST = TransferRequest("c-1", "prompts", "CN", "SG", "Lion Pte", "support", "inference", 100, 0)
CONSENT = Consent(
    id="K-1",
    customer="c-1",
    dataset="prompts",
    purpose="support",
    service="inference",
    recipient="Lion Pte",
    contact="privacy@lion.example",
    destination="SG",
    method="API",
    categories=("prompts",),
    rights="privacy@lion.example",
    given_at=JANUARY,
    how_given="signed on paper",
    is_separate=True,
    document="ab" * 32,
    valid_from=JANUARY,
)
CONTRACT = Measure(
    name="SCC-1",
    kind=MeasureKind.STANDARD_CONTRACT,
    number="沪备202600001",
    datasets=frozenset({"prompts"}),
    destinations=frozenset({"SG"}),
    recipients=frozenset({"Lion Pte"}),
    assessment="PIA-7",
    valid_from=JANUARY,
    valid_until=JANUARY + timedelta(days=730),
)
NATURE = DatasetNature(personal=True, sensitive=False, important=False, services=frozenset({"inference"}))
TERMS = Terms(
    "CN",
    frozenset({"necessity", "separate-consent", "legal-measure"}),
    frozenset(MeasureKind),
    (),
    {"prompts": NATURE},
    is_ciio=False,
)


def value_of(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return frozenset(value) if isinstance(value, list) else value


def changes(row: Mapping[str, Any], group: str) -> dict[str, Any]:
    named = ((key.partition("."), value) for key, value in row.items())
    return {name: value_of(value) for (head, _, name), value in named if head == group and name}


def decided(row: Mapping[str, Any]) -> Decision:
    consents = [] if row.get("consent") == "none" else [replace(CONSENT, **changes(row, "consent"))]
    if "another_consent" in row:
        consents.append(replace(CONSENT, id="K-2"))
    measures = []
    if "contract" in row:
        said_of = {name: value_of(value) for name, value in row["contract"].items()}
        if "kind" in said_of:
            said_of["kind"] = MeasureKind(said_of["kind"])
        measures.append(replace(CONTRACT, **said_of))
    nature = replace(NATURE, **changes(row, "dataset"))
    terms = replace(TERMS, measures=tuple(measures), datasets={"prompts": nature}, **changes(row, "terms"))
    ordered = frozenset(row.get("ordered", ["inference"]))
    counted = PersonCount(**changes(row, "counted"))
    known = Circumstances(NOW, LAW, consents, counted, ordered)
    return decide(replace(REQUEST, **changes(row, "request")), terms, known)


def test_the_table_has_at_least_sixty_sentences_and_none_twice() -> None:
    sentences = [row["sentence"] for row in ROWS]
    assert len(sentences) >= 60
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("row", ROWS, ids=[row["sentence"] for row in ROWS])
def test_it_is_decided_so(row: dict[str, Any]) -> None:
    decision = decided(row["given"])
    assert (str(decision.verdict), [reason.code for reason in decision.grounds]) == (row["verdict"], row["because"])


def test_every_reason_stands_in_the_table() -> None:
    in_table = {code for row in ROWS for code in row["because"]}
    of_the_gate = {"customer-unknown", "dataset-missing", "no-decision"}
    assert {str(code) for code in Code} == in_table | set(CODES) | of_the_gate


@pytest.mark.parametrize("row", ROWS, ids=[row["sentence"] for row in ROWS])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_reason_is_said_in_both_languages(row: dict[str, Any], lang: str) -> None:
    for reason in decided(row["given"]).grounds:
        text = said(reason, lang)
        assert text
        assert "{" not in text


def test_every_code_has_its_sentences() -> None:
    assert set(SENTENCES) == set(Code)


WARNINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "far from everything": ({}, []),
    "at nine tenths of the first threshold": ({"counted.persons": 89_900}, ["near-threshold"]),
    "at nine tenths of the second": ({"counted.persons": 899_900, "contract": {}}, ["near-threshold"]),
    "at nine tenths of the sensitive one": (
        {"counted.sensitive_persons": 9_000, "contract": {}},
        ["near-sensitive-threshold"],
    ),
    "a contract in its last weeks": (
        {"counted.persons": 99_900, "contract": {"valid_until": NOW + timedelta(days=90)}},
        ["measure-ends-soon"],
    ),
    "a consent in its last weeks": ({"consent.valid_until": NOW + timedelta(days=5)}, ["consent-ends-soon"]),
}


@pytest.mark.parametrize(("row", "codes"), WARNINGS.values(), ids=WARNINGS.keys())
def test_it_warns_in_time(row: dict[str, Any], codes: list[str]) -> None:
    decision = decided(row)
    assert decision.verdict is Verdict.ALLOW
    assert [warning.code for warning in decision.warnings] == codes


def test_an_allowed_transfer_says_what_it_rests_on_and_until_when() -> None:
    until = NOW + timedelta(days=30)
    decision = decided({"counted.persons": 99_900, "contract": {"valid_until": until}})
    assert (decision.consent, decision.measure, decision.valid_until) == ("K-1", "SCC-1", until)
    assert decided({"consent": "none"}).valid_until is None


def test_the_year_begins_in_shanghai() -> None:
    eve = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    assert LAW.year_began_at(eve) == datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
    assert LAW.year_began_at(eve + timedelta(minutes=1)) == datetime(2026, 12, 31, 16, 0, tzinfo=UTC)


words = st.sampled_from([None, "", "CN", "SG", "support", "inference", "Lion Pte", "prompts", "x"])


@given(
    request=st.builds(
        TransferRequest,
        customer=st.just("c-1"),
        dataset=st.sampled_from(["prompts", "x", ""]),
        source=words,
        destination=words,
        recipient=words,
        purpose=words,
        service=words,
        persons=st.none() | st.integers(0, 2_000_000),
        sensitive_persons=st.none() | st.integers(0, 20_000),
        foreign_authority=st.booleans(),
        approval=words,
    ),
    has_consent=st.booleans(),
    has_contract=st.booleans(),
)
def test_nothing_leaves_without_everything(request: TransferRequest, has_consent: bool, has_contract: bool) -> None:
    terms = replace(TERMS, measures=(CONTRACT,) if has_contract else ())
    known = Circumstances(NOW, LAW, [CONSENT] if has_consent else [], PersonCount(), frozenset({"inference"}))
    decision = decide(request, terms, known)
    assert decide(request, terms, known) == decision
    assert decision.grounds
    if decision.verdict is Verdict.ALLOW and request.destination != "CN":
        assert has_consent
        assert decision.consent == "K-1"
        assert (request.recipient, request.purpose, request.service, request.destination) == (
            "Lion Pte",
            "support",
            "inference",
            "SG",
        )
        assert request.persons is not None
        assert request.persons < 1_000_000
        assert not request.foreign_authority or request.approval
