"""The consent register: complete, separate, specific, and never edited."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retention.errors import InputError
from retention.evidence.entries import EntryType, decode_entry
from retention.model.transfer import TransferRequest, Verdict
from retention.workflows.consents import ConsentState, grant_consent, list_consents, withdraw_consent
from retention.workflows.decide_transfer import check_transfer
from tests.transfer_policy import CONSENT
from tests.workflow.conftest import Provider


@pytest.mark.parametrize("member", sorted(CONSENT))
def test_a_consent_that_leaves_something_out_is_refused_with_what_is_missing(provider: Provider, member: str) -> None:
    data = {name: value for name, value in CONSENT.items() if name != member}
    with pytest.raises(InputError, match=f"data.{member}: is missing"):
        grant_consent(provider.deployment, "c-1", data)
    assert list_consents(provider.deployment) == ()


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "given together with another": ({"separate": False}, "none for a transfer"),
    "for whatever purpose": ({"purpose": "any"}, "says nothing in particular"),
    "for everything, in Chinese": ({"categories": ["全部"]}, "says nothing in particular"),
    "to whomever": ({"recipient": "*"}, "says nothing in particular"),
    "for no territory": ({"destination": "abroad"}, "destination"),
    "for home": ({"destination": "CN"}, "is home"),
    "without the signed document's hash": ({"document": "contract.pdf"}, "SHA-256"),
    "over before it begins": ({"valid-until": "2026-10-01T00:00:00+08:00"}, "not after valid-from"),
    "for a dataset that the policy does not know": ({"dataset": "secrets"}, "is not in the policy"),
    "for a service that the policy does not know": ({"service": "rendering"}, "is not in the policy"),
}


@pytest.mark.parametrize(("change", "says"), WRONG.values(), ids=WRONG.keys())
def test_a_consent_that_is_bundled_blanket_or_wrong_is_refused(
    provider: Provider, change: dict[str, object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        grant_consent(provider.deployment, "c-1", {**CONSENT, **change})
    assert list_consents(provider.deployment) == ()


def test_a_consent_stands_from_its_begin_to_its_end(provider: Provider) -> None:
    begins, ends = provider.clock.now() + timedelta(days=1), provider.clock.now() + timedelta(days=2)
    grant_consent(
        provider.deployment, "c-1", {**CONSENT, "valid-from": begins.isoformat(), "valid-until": ends.isoformat()}
    )
    states = []
    for _ in range(3):
        states.append(list_consents(provider.deployment, "c-1")[0].state)
        provider.pass_time(days=1)
    assert states == [ConsentState.NOT_YET, ConsentState.STANDS, ConsentState.EXPIRED]


def test_a_withdrawal_ends_it_and_edits_nothing(provider: Provider) -> None:
    grant_consent(provider.deployment, "c-1", CONSENT)
    before = list_consents(provider.deployment, "c-1")[0].consent
    withdraw_consent(provider.deployment, "c-1", "K-1", "客户撤回")
    (listed,) = list_consents(provider.deployment, "c-1")
    assert listed.state is ConsentState.WITHDRAWN
    assert (listed.consent.purpose, listed.consent.given_at) == (before.purpose, before.given_at)
    with pytest.raises(InputError, match="cannot be withdrawn"):
        withdraw_consent(provider.deployment, "c-1", "K-1")
    with pytest.raises(InputError, match="in the register already"):
        grant_consent(provider.deployment, "c-1", CONSENT)
    assert list_consents(provider.deployment, "c-2") == ()


def test_a_consent_opens_no_case_and_names_nobody_in_the_ledger(provider: Provider) -> None:
    grant_consent(provider.deployment, "c-1", CONSENT)
    withdraw_consent(provider.deployment, "c-1", "K-1")
    provider.deployment.journal.publish()
    ledger = provider.deployment.journal.ledger
    raw = list(ledger.entries())
    kinds = [decode_entry(data).type for data in raw]
    assert EntryType.CONSENT_GRANTED in kinds
    assert EntryType.CONSENT_WITHDRAWN in kinds
    assert EntryType.CASE_OPENED not in kinds
    assert not any(b"c-1" in data or b"K-1" in data or b"privacy@" in data for data in raw)


def test_every_decision_is_an_entry_and_the_withdrawal_counts_at_once(provider: Provider) -> None:
    request = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 1, 0)
    provider.tell("service-activated", "c-1", service="training")
    assert "no-consent" in codes(provider, request)
    grant_consent(provider.deployment, "c-1", CONSENT)
    assert not any(code.startswith("consent-") for code in codes(provider, request) if code != "consent-stands")
    withdraw_consent(provider.deployment, "c-1", "K-1")
    assert "consent-withdrawn" in codes(provider, request)
    ledger = provider.deployment.journal.ledger
    decided = [e for e in map(decode_entry, ledger.entries()) if e.type is EntryType.TRANSFER_DECIDED]
    assert [entry.body["verdict"] for entry in decided] == ["deny", "needs-information", "deny"]


def codes(provider: Provider, request: TransferRequest) -> list[str]:
    decision = check_transfer(provider.deployment, request).decision
    assert decision.verdict is not Verdict.ALLOW, (
        "the policy says neither what the dataset is nor whether we are a CIIO"
    )
    return [ground.code for ground in decision.grounds]
