"""One customer's data, from the fact to the certificate, on the embedded parts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retention.errors import RefusedByRule
from retention.evidence.certificate import verify_certificate
from retention.evidence.verify import verify_files
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.certify import certify
from retention.workflows.read_facts import read_facts
from retention.workflows.roll_keys import roll_keys

if TYPE_CHECKING:
    from tests.workflow.conftest import Provider


def test_an_expired_service_ends_in_a_final_certificate(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.tell("service-activated", "c-10", service="training")
    provider.put_model("c-1", "a.bin")
    provider.put_model("c-10", "a.bin")
    provider.tell("service-expired", "c-1", service="training")
    provider.run()
    assert provider.case("c-1").state == "buffer"
    assert provider.visible("models/c-1") == ["models/c-1/a.bin"]
    assert "features:c-1:a.bin" not in provider.cache.read_all()
    provider.pass_time(days=15)
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a.bin"], "the buffer ends at 24:00 of its last day"
    provider.pass_time(days=1)
    cycle = provider.run()
    assert cycle.report.troubles == []
    case = provider.case("c-1")
    assert provider.visible("models/c-1") == []
    assert provider.visible("models/c-10") == ["models/c-10/a.bin"]
    assert {(c.dataset, c.role, c.end_state) for c in case.copies} == {
        ("models", "primary", "erased-verified"),
        ("models", "cache", "erased-verified"),
        ("models", "backup", "not-found"),
        ("logs", "primary", "not-found"),
    }
    roll_keys(provider.deployment)
    provider.run()
    case = provider.case("c-1")
    assert case.state == "certified"
    issued = certify(provider.deployment, case.case)
    assert issued.final
    verify_certificate(issued.certificate.encode(), provider.deployment.journal.ledger.key)
    found = verify_files([provider.root / "ledger"], provider.deployment.journal.ledger.key)
    assert found.findings == ()


def test_payment_inside_the_buffer_brings_everything_back(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.tell("arrears-started", "c-1")
    provider.run()
    with pytest.raises(RefusedByRule):
        provider.put_model("c-1", "b.bin")
    provider.pass_time(days=3)
    provider.tell("arrears-cleared", "c-1")
    provider.run()
    provider.put_model("c-1", "b.bin")
    provider.pass_time(days=60)
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a.bin", "models/c-1/b.bin"]
    assert provider.case("c-1").state == "brought-back"


def test_a_hold_stops_the_deletion_and_its_release_resumes_it(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.tell("service-terminated", "c-1", service="training")
    provider.tell("hold-placed", "c-1", hold="h1", ground="case 7", authority="court")
    provider.pass_time(days=40)
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a.bin"]
    assert {c.end_state for c in provider.case("c-1").copies} == {"held"}
    provider.tell("hold-released", "c-1", hold="h1")
    provider.run()
    assert provider.visible("models/c-1") == []


def test_logs_go_one_by_one_as_each_has_served_its_six_months(provider: Provider) -> None:
    now = provider.clock.now()
    provider.tell("service-activated", "c-1", service="inference")
    provider.put_log("c-1", "old.log", now - timedelta(days=300))
    provider.put_log("c-1", "young.log", now - timedelta(days=10))
    provider.tell("service-expired", "c-1", service="inference")
    provider.run()
    provider.pass_time(days=16)
    provider.run()
    assert provider.visible("logs/c-1") == ["logs/c-1/young.log"]
    (copy,) = provider.case("c-1").copies
    assert copy.end_state == "kept-by-law"
    assert copy.until is not None
    assert copy.until.isoformat() == "2027-04-30T16:00:00+00:00"
    assert certify(provider.deployment, provider.case("c-1").case).final is False
    provider.clock.advance(copy.until - provider.clock.now())
    provider.run()
    assert provider.visible("logs/c-1") == []


def test_an_undo_window_lets_a_mistaken_instruction_be_withdrawn(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    provider.put_model("c-1", "a.bin")
    provider.tell("data-deleted", "c-1", key="mistake", dataset="models")
    provider.run()
    assert provider.visible("models/c-1") == []
    provider.pass_time(hours=23)
    provider.run()
    provider.tell("deletion-withdrawn", "c-1", withdraws={"source": "/platform", "id": "mistake"})
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a.bin"]
    provider.pass_time(days=5)
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a.bin"]


def test_a_single_object_of_a_dataset_goes_alone_and_is_erased_not_shredded(provider: Provider) -> None:
    provider.tell("service-activated", "c-1", service="training")
    for name in ("a.bin", "ab.bin", "a/b.bin"):
        provider.put_model("c-1", name)
    provider.tell("data-deleted", "c-1", dataset="models", objects=["a.bin"])
    provider.run()
    provider.pass_time(hours=25)
    provider.run()
    assert provider.visible("models/c-1") == ["models/c-1/a/b.bin", "models/c-1/ab.bin"]
    assert provider.case("c-1").shredded_at is None


def test_a_policy_edited_without_a_new_date_comes_into_force(provider: Provider) -> None:
    path = provider.root / "policies.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("customers-per-run: 50", "customers-per-run: 3"), encoding="utf-8"
    )
    adoption = adopt_policy(provider.deployment, path)
    assert adoption.result == "waits"
    approve(provider.deployment, adoption.policy.hash, "second officer")
    assert adopt_policy(provider.deployment, path).result == "adopted"
    with provider.deployment.catalog.reading() as session:
        in_force = provider.deployment.shelf.in_force(session, provider.clock.now())
    assert in_force.limits.customers_per_run == 3


def test_a_fact_may_carry_extension_attributes_of_the_event_bus() -> None:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/bus",
        "type": "cn.example.service-expired",
        "subject": "c-1",
        "time": "2026-11-10T00:00:00Z",
        "data": {"service": "training"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    assert read_facts(json.dumps(event), "bus", datetime(2026, 11, 11, tzinfo=UTC)).problems == ()
    misspelt = read_facts(json.dumps({**event, "Subjct": "c-1"}), "bus", datetime(2026, 11, 11, tzinfo=UTC))
    assert misspelt.problems[0][1].startswith("Subjct:")
