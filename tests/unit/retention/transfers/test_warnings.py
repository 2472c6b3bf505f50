"""What is warned of, before it stands in the way and after."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retention.model.transfer import Consent, Measure, MeasureKind, PersonCount
from retention.transfers.law import thresholds_at
from retention.transfers.reasons import SENTENCES, said
from retention.transfers.warnings import CODES, consent_warnings, measure_warnings, threshold_warnings

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LAW = thresholds_at(NOW)
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
MEASURE = Measure(
    "scc-1",
    MeasureKind.STANDARD_CONTRACT,
    "1",
    frozenset({"models"}),
    frozenset({"SG"}),
    frozenset({"Lion Pte"}),
    "PIA-1",
    BEGAN,
    NOW + timedelta(days=400),
)
CONSENT = Consent(
    id="K-1",
    customer="c-1",
    dataset="models",
    purpose="support",
    service="training",
    recipient="Lion Pte",
    contact="privacy@lion.example",
    destination="SG",
    method="API",
    categories=("weights",),
    rights="privacy@lion.example",
    given_at=BEGAN,
    how_given="signed on paper",
    is_separate=True,
    document="ab" * 32,
    valid_from=BEGAN,
    valid_until=NOW + timedelta(days=30),
)

COUNTS: dict[str, tuple[int, int, list[str]]] = {
    "nobody": (0, 0, []),
    "one short of nine tenths": (89_999, 0, []),
    "nine tenths of the first threshold": (90_000, 0, ["near-threshold 100000"]),
    "one short of the first": (99_999, 0, ["near-threshold 100000"]),
    "the first": (100_000, 0, ["threshold-reached 100000"]),
    "nine tenths of the second": (900_000, 0, ["near-threshold 1000000", "threshold-reached 100000"]),
    "the second": (1_000_000, 0, ["threshold-reached 100000", "threshold-reached 1000000"]),
    "one sensitive person": (1, 1, ["sensitive-threshold-reached 1"]),
    "nine tenths of the sensitive one": (
        9_000,
        9_000,
        ["near-sensitive-threshold 10000", "sensitive-threshold-reached 1"],
    ),
    "all of it": (10_000, 10_000, ["sensitive-threshold-reached 1", "sensitive-threshold-reached 10000"]),
}


@pytest.mark.parametrize(("persons", "sensitive", "expected"), COUNTS.values(), ids=COUNTS.keys())
def test_a_threshold_is_told_when_it_is_near_and_when_it_is_reached(
    persons: int, sensitive: int, expected: list[str]
) -> None:
    found = threshold_warnings(LAW, PersonCount(persons, sensitive))
    assert [f"{each.code} {each.about['threshold']}" for each in found] == expected
    assert all(each.basis.startswith("CAC Order 16") for each in found if each.code.endswith("reached"))


@pytest.mark.parametrize(
    ("ends", "resting", "codes"),
    [
        (timedelta(days=91), 5, []),
        (timedelta(days=90), 0, ["measure-ends-soon"]),
        (timedelta(seconds=1), 0, ["measure-ends-soon"]),
        (timedelta(0), 2, ["measure-ended"]),
        (timedelta(days=-300), 2, ["measure-ended"]),
        (timedelta(days=-1), 0, []),
    ],
    ids=[
        "in time",
        "in its last weeks",
        "in its last second",
        "just ended, and used",
        "ended long ago, and used this year",
        "ended, and nothing rests on it",
    ],
)
def test_a_measure_is_told_before_it_ends_and_after_as_long_as_decisions_rest_on_it(
    ends: timedelta, resting: int, codes: list[str]
) -> None:
    measures = [replace(MEASURE, valid_until=NOW + ends)]
    assert [each.code for each in measure_warnings(LAW, NOW, measures, {"scc-1": resting, "other": 9})] == codes


@pytest.mark.parametrize(
    ("changes", "is_told"),
    [
        ({}, True),
        ({"valid_until": None}, False),
        ({"valid_until": NOW + timedelta(days=91)}, False),
        ({"valid_until": NOW}, False),
        ({"withdrawn_at": NOW}, False),
        ({"withdrawn_at": NOW + timedelta(days=1)}, True),
        ({"valid_from": NOW + timedelta(days=1)}, False),
    ],
    ids=[
        "it ends soon",
        "it has no end",
        "it ends later",
        "it has ended",
        "it was withdrawn",
        "it is still in force until it is withdrawn",
        "it has not begun",
    ],
)
def test_a_consent_that_stands_is_told_before_it_ends(changes: dict[str, datetime | None], is_told: bool) -> None:
    found = consent_warnings(LAW, NOW, [replace(CONSENT, **changes)])  # type: ignore[arg-type]
    assert [each.about["customer"] for each in found] == (["c-1"] if is_told else [])


def test_every_warning_is_a_sentence_in_both_languages() -> None:
    found = [
        *threshold_warnings(LAW, PersonCount(90_000, 9_000)),
        *threshold_warnings(LAW, PersonCount(1_000_000, 10_000)),
        *measure_warnings(LAW, NOW, [MEASURE, replace(MEASURE, valid_until=NOW)], {"scc-1": 3}),
        *measure_warnings(LAW, NOW, [replace(MEASURE, valid_until=NOW + timedelta(days=1))], {}),
        *consent_warnings(LAW, NOW, [CONSENT]),
    ]
    assert {each.code for each in found} == set(CODES)
    assert set(CODES) <= set(SENTENCES)
    for each in found:
        for lang in ("zh", "en"):
            assert "{" not in said(each, lang)
    texts = {said(each, "en") for each in found}
    assert "the legal measure scc-1 ended on 2026-11-23, and 3 decisions of this year rest on it (PIPL 38)" in texts
    assert "the consent K-1 of c-1 ends on 2026-12-23" in texts
