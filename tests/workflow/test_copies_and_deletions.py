"""What is copied abroad and what is deleted meet: in one moment, under another policy, in parts, and after a stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.errors import InputError
from retention.evidence.entries import EntryType, decode_entry
from retention.model.transfer_copy import CopyState, TransferCopy
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.audit_transfers import audit_transfers
from retention.workflows.check_policy import check_policy
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.copy_to_replica import CopyStopped, copy_to_replica
from retention.workflows.decide_transfer import check_transfer
from retention.workflows.run_cycle import run_cycle
from storage_adapters.contract import Batch, Place
from storage_adapters.copies import FolderTarget
from storage_adapters.copies.contract import Arrived
from storage_adapters.errors import Refused
from tests.transfer_policy import CONSENT, REPLICA, with_replica, with_transfers
from tests.workflow.conftest import POLICY, START, Provider, open_provider
from tests.workflow.test_transfer_copy import REQUEST, allowed, at_replica


def provided(root: Path, policy: str = with_replica(POLICY)) -> Provider:
    """A provider whose customer c-1 ordered training, consented to SG, and has three models."""
    opened = open_provider(root, ManualClock(START))
    (root / "policies.yaml").write_text(policy, encoding="utf-8")
    adopt_policy(opened.deployment, root / "policies.yaml")
    opened.tell("service-activated", "c-1", service="training")
    for number in range(3):
        opened.put_model("c-1", f"deep/{number}.bin")
    grant_consent(opened.deployment, "c-1", CONSENT)
    return opened


def adopt(provider: Provider, text: str) -> None:
    """Another version of the policy is in force from now on."""
    path = provider.root / "policies.yaml"
    effective = f"{provider.clock.now():%Y-%m-%d}"
    text = text.replace('version: "1", effective: 2026-11-01', f'version: "2", effective: {effective}')
    path.write_text(text, encoding="utf-8")
    approve(provider.deployment, check_policy(path, provider.deployment.store_kinds).hash, "chief officer")
    adopt_policy(provider.deployment, path)


def consent_again(provider: Provider, name: str, **changes: object) -> None:
    given = provider.clock.now().isoformat()
    grant_consent(
        provider.deployment, "c-1", {**CONSENT, "consent": name, "given-at": given, "valid-from": given, **changes}
    )


@pytest.fixture
def abroad(tmp_path: Path) -> Iterator[Provider]:
    opened = provided(tmp_path)
    yield opened
    opened.deployment.close()


def test_a_deletion_that_passes_a_put_under_way_leaves_nothing_behind(
    abroad: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, seen = FolderTarget.put, []

    def put(
        self: FolderTarget, place: Place, name: str, content: Iterator[bytes], before: Callable[[], None]
    ) -> Arrived:
        seen.append(name)
        if len(seen) == 2:
            content = iter(list(content))  # it was read, and is on its way
            before()
            abroad.tell("deletion-ordered", "c-1", dataset="models", ground="order")
            abroad.run()
            assert abroad.case("c-1").state == "verified"
        return plain(self, place, name, content, before)  # type: ignore[arg-type]  # a place is passed on as it came

    monkeypatch.setattr(FolderTarget, "put", put)
    with pytest.raises(CopyStopped, match="deleted meanwhile"):
        copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    assert at_replica(abroad) == []


def test_a_stopped_copy_begins_anew_and_leaves_nothing_out(abroad: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retention.workflows.copy_to_replica.BATCH_PIECES", 2)

    def withdraw(copy: TransferCopy) -> None:
        withdraw_consent(abroad.deployment, "c-1", "K-1")

    decision = allowed(abroad)
    with pytest.raises(CopyStopped):
        copy_to_replica(abroad.deployment, decision, "sg", withdraw)
    abroad.run()
    abroad.pass_time(days=1)
    consent_again(abroad, "K-2")
    done = copy_to_replica(abroad.deployment, decision, "sg")
    assert (done.state, done.item_count, len(at_replica(abroad))) == (CopyState.DONE, 3, 3)


def test_an_interrupted_copy_whose_replica_was_erased_begins_anew(
    abroad: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retention.workflows.copy_to_replica.BATCH_PIECES", 2)

    class PulledPlug(BaseException):
        pass

    def pull(copy: TransferCopy) -> None:
        raise PulledPlug

    decision = allowed(abroad)
    with pytest.raises(PulledPlug):
        copy_to_replica(abroad.deployment, decision, "sg", pull)
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    abroad.run()
    abroad.pass_time(days=1)
    consent_again(abroad, "K-2")
    assert copy_to_replica(abroad.deployment, decision, "sg").item_count == 3
    assert len(at_replica(abroad)) == 3


def test_what_was_brought_to_a_place_that_a_later_policy_moves_goes_all_the_same(abroad: Provider) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")
    abroad.pass_time(days=1)
    adopt(abroad, with_replica(POLICY).replace(REPLICA, REPLICA.replace("models/", "elsewhere/")))
    abroad.pass_time(days=1)
    assert audit_transfers(abroad.deployment) == (), "it is decided, and the older place is still looked at"
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    assert [each.kind for each in audit_transfers(abroad.deployment)] == ["lies-abroad"]
    abroad.run()
    assert at_replica(abroad) == []


def test_a_withdrawal_that_is_told_late_takes_what_was_brought_abroad_since(tmp_path: Path) -> None:
    provider = provided(tmp_path, with_transfers(POLICY))
    signed_at = provider.clock.now() + timedelta(hours=1)
    provider.pass_time(days=1)
    adopt(provider, with_replica(POLICY))
    provider.pass_time(days=3)
    copy_to_replica(provider.deployment, allowed(provider), "sg")
    provider.tell("consent-withdrawn", "c-1", at=signed_at, consent="K-1")
    provider.run()
    assert at_replica(provider) == []
    provider.deployment.close()


def test_a_policy_that_drops_the_replica_stops_a_copy_under_way(
    abroad: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retention.workflows.copy_to_replica.BATCH_PIECES", 1)

    def drop(copy: TransferCopy) -> None:
        abroad.pass_time(days=1)
        adopt(abroad, with_transfers(POLICY))

    with pytest.raises(CopyStopped, match="declares no replica"):
        copy_to_replica(abroad.deployment, allowed(abroad), "sg", drop)
    assert len(at_replica(abroad)) == 1


def test_a_part_of_a_dataset_of_two_places_takes_the_replica_whole(tmp_path: Path) -> None:
    one = 'in: {store: objects, prefix: "models/{customer}/"}'
    two = 'in: [{store: objects, prefix: "models/{customer}/"}, {store: objects, prefix: "models2/{customer}/"}]'
    provider = provided(tmp_path, with_replica(POLICY).replace(one, two))
    copy_to_replica(provider.deployment, allowed(provider), "sg")
    assert len(at_replica(provider)) == 3
    provider.tell("data-deleted", "c-1", dataset="models", objects=["deep/0.bin"])
    provider.pass_time(days=2)
    provider.run()
    assert at_replica(provider) == []
    assert len(provider.visible("models/c-1")) == 2
    provider.deployment.close()


def test_the_law_keeps_the_data_and_not_its_copy_abroad(tmp_path: Path) -> None:
    logs = 'in: {store: objects, prefix: "logs/{customer}/"}'
    replicas = '\n    replicas: [{store: sg, prefix: "logs/{customer}/", territory: SG}]'
    provider = provided(tmp_path, with_replica(POLICY).replace(logs, logs + replicas))
    provider.put_log("c-1", "young.log", provider.clock.now())
    consent_again(provider, "K-2", dataset="logs")
    decision = allowed(provider, replace(REQUEST, dataset="logs"))
    copy_to_replica(provider.deployment, decision, "sg")
    stamp = provider.clock.now().timestamp()
    os.utime(provider.root / "sg/logs/c-1/young.log", (stamp, stamp))
    provider.tell("service-expired", "c-1", service="training")
    provider.pass_time(days=20)
    provider.run()
    assert at_replica(provider) == []
    assert provider.visible("logs/c-1") == ["logs/c-1/young.log"]
    with pytest.raises(CopyStopped):
        copy_to_replica(provider.deployment, decision, "sg")
    assert at_replica(provider) == []
    provider.deployment.close()


def test_a_store_abroad_that_lets_nobody_write_is_emptied_all_the_same(
    abroad: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_to_replica(abroad.deployment, allowed(abroad), "sg")

    def refuse(place: Place) -> Iterator[Batch]:
        raise Refused("sg", "AccessDenied")

    monkeypatch.setattr(abroad.deployment.stores["sg"], "tombstone", refuse)
    withdraw_consent(abroad.deployment, "c-1", "K-1")
    run_cycle(abroad.deployment)
    assert at_replica(abroad) == []
    assert abroad.case("c-1").state == "certified"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customer": "c" * 300}, "300 characters"),
        ({"destination": "singapore"}, "no territory"),
        ({"dataset": "a\x00"}, "control"),
    ],
    ids=["a customer's name that is too long", "a territory that is none", "a dataset with a NUL"],
)
def test_a_request_that_no_catalogue_can_hold_is_refused(abroad: Provider, change: dict[str, str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_transfer(abroad.deployment, replace(REQUEST, **change))  # type: ignore[arg-type]  # names of its members


def test_a_hold_on_a_backup_set_does_not_tell_its_ground_to_the_ledger(abroad: Provider) -> None:
    plain = abroad.objects / "models" / "c-1" / "plain.bin"
    plain.write_bytes(b"not sealed")
    abroad.back_up()
    abroad.tell("deletion-ordered", "c-1", dataset="models", ground="order")
    abroad.run()
    abroad.tell("hold-placed", "c-1", hold="H-1", ground="about Zhang San", authority="court")
    abroad.pass_time(days=45)
    abroad.run()
    ledger = list(abroad.deployment.journal.ledger.entries())
    assert any(decode_entry(data).type is EntryType.BACKUP_SET and b"hold H-1" in data for data in ledger)
    assert not any(b"Zhang San" in data for data in ledger)
