"""Warnings of transfers, as of now: from what was counted, decided and consented to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from retention.clock import ManualClock
from retention.daemon.transfer_log import log_transfer_warnings
from retention.model.transfer import TransferRequest, Verdict
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.decide_transfer import check_transfer, use_decision
from retention.workflows.measure import measure
from retention.workflows.transfer_warnings import transfer_warnings
from tests.transfer_policy import CONSENT, with_transfers
from tests.workflow.conftest import POLICY, START, Provider, open_provider

REQUEST = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training")
MEASURES = """\
  measures:
    contract:
      {kind: standard-contract, number: "1", datasets: [models], destinations: [SG], recipients: [Lion Pte],
       impact-assessment: PIA-1, from: 2026-01-01, until: 2027-06-30}
"""


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    opened = open_provider(tmp_path, ManualClock(START))
    assert transfer_warnings(opened.deployment) == (), "before the first policy there is nothing to warn of"
    (tmp_path / "policies.yaml").write_text(with_transfers(POLICY) + MEASURES, encoding="utf-8")
    adopt_policy(opened.deployment, tmp_path / "policies.yaml")
    for customer in ("c-1", "c-2"):
        opened.tell("service-activated", customer, service="training")
    yield opened
    opened.deployment.close()


def consent(provider: Provider, customer: str, name: str, until: datetime | None = None) -> None:
    ends = {"valid-until": until.isoformat()} if until else {}
    grant_consent(provider.deployment, customer, {**CONSENT, "consent": name, **ends})


def told(provider: Provider, customer: str | None = None) -> list[str]:
    return [
        " ".join([each.code, *(each.about[key] for key in ("threshold", "customer", "name") if key in each.about)])
        for each in transfer_warnings(provider.deployment, customer)
    ]


def go_to(provider: Provider, at: str) -> None:
    provider.clock.advance(datetime.fromisoformat(at) - provider.clock.now())


def transfer(provider: Provider, persons: int, sensitive: int) -> None:
    decided = check_transfer(provider.deployment, replace(REQUEST, persons=persons, sensitive_persons=sensitive))
    assert decided.decision.verdict is Verdict.ALLOW, decided.decision
    use_decision(provider.deployment, decided.id)


def test_thresholds_are_told_when_the_count_is_near_them_or_has_reached_them(provider: Provider) -> None:
    consent(provider, "c-1", "K-1")
    assert told(provider) == []
    transfer(provider, 90_000, 0)
    assert told(provider) == ["near-threshold 100000"]
    transfer(provider, 10_000, 9_000)
    expected = ["near-sensitive-threshold 10000", "threshold-reached 100000", "sensitive-threshold-reached 1"]
    assert told(provider) == expected
    assert told(provider, "c-1") == [], "that is about nobody in particular"


def test_a_measure_is_told_in_its_last_weeks_and_after_its_end_where_decisions_rest_on_it(provider: Provider) -> None:
    consent(provider, "c-1", "K-1")
    go_to(provider, "2027-04-01T23:59:00+08:00")
    assert told(provider) == []
    go_to(provider, "2027-04-02T00:00:00+08:00")
    assert told(provider) == ["measure-ends-soon contract"]
    go_to(provider, "2027-06-30T23:00:00+08:00")
    transfer(provider, 1, 1)
    go_to(provider, "2027-07-01T00:00:00+08:00")
    assert "measure-ended contract" in told(provider)
    go_to(provider, "2028-01-01T00:00:00+08:00")
    assert told(provider) == []


def test_consents_that_stand_are_told_before_they_end_each_customers_for_themselves(provider: Provider) -> None:
    soon = provider.clock.now() + timedelta(days=30)
    consent(provider, "c-1", "K-1", soon)
    consent(provider, "c-2", "K-1", soon)
    consent(provider, "c-2", "K-2", soon + timedelta(days=61))
    consent(provider, "c-2", "K-3")
    assert told(provider) == ["consent-ends-soon c-1 K-1", "consent-ends-soon c-2 K-1"]
    withdraw_consent(provider.deployment, "c-1", "K-1")
    assert told(provider) == ["consent-ends-soon c-2 K-1"]
    assert told(provider, "c-1") == []
    assert told(provider, "c-2") == ["consent-ends-soon c-2 K-1"]


def test_the_log_has_them_without_a_customer(provider: Provider) -> None:
    consent(provider, "c-1", "K-1", provider.clock.now() + timedelta(days=30))
    transfer(provider, 90_000, 0)
    with capture_logs() as logged:
        log_transfer_warnings(provider.deployment)
    assert [(line["log_level"], line.get("code"), line["count"]) for line in logged] == [
        ("warning", "near-threshold", "90000"),
        ("warning", None, 1),
    ]
    assert not [line for line in logged if "c-1" in str(line) or "K-1" in str(line)]


def test_the_numbers_for_a_monitor_have_every_kind_of_warning(provider: Provider) -> None:
    consent(provider, "c-1", "K-1", provider.clock.now() + timedelta(days=30))
    transfer(provider, 2, 1)
    assert measure(provider.deployment).transfer_warnings == {
        "near-threshold": 0,
        "near-sensitive-threshold": 0,
        "threshold-reached": 0,
        "sensitive-threshold-reached": 1,
        "measure-ends-soon": 0,
        "measure-ended": 0,
        "consent-ends-soon": 1,
    }
