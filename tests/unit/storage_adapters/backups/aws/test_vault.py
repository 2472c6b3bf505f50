"""Recovery points of AWS Backup: listed over pages, locked by vault and legal hold, deleted and read back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from storage_adapters.backups.aws import AwsSettings, RecoveryPoints
from storage_adapters.backups.contract import Form, Lock
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused, Unavailable
from tests.unit.storage_adapters.backups.aws.vault_server import Vault, vault_server

AT = datetime(2026, 11, 10, 22, 0, tzinfo=UTC)
REMOVED_AT = datetime(2027, 11, 10, 22, 0, tzinfo=UTC)
ARN = "arn:aws:backup:eu-west-1:123456789012:recovery-point:"


def point(number: int, **more: Any) -> dict[str, Any]:
    return {
        "RecoveryPointArn": f"{ARN}{number}",
        "ResourceType": "EFS",
        "CreationDate": AT.timestamp(),
        "BackupSizeInBytes": 100 + number,
        **more,
    }


@pytest.fixture
def vault() -> Iterator[Vault]:
    made = Vault("night", points={f"{ARN}{number}": point(number) for number in (2, 1, 3)})
    with vault_server(made):
        yield made


@pytest.fixture
def store(vault: Vault) -> Iterator[RecoveryPoints]:
    settings = AwsSettings("eu-west-1", vault.endpoint, "key", "secret", tries=1, gone_checks=2, gone_pause=0.01)
    made = RecoveryPoints("points", settings, "night")
    yield made
    made.close()


def test_every_recovery_point_of_every_page_is_a_set(store: RecoveryPoints, vault: Vault) -> None:
    vault.points[f"{ARN}3"]["ResourceType"] = "EBS"
    found = list(store.sets([]))
    assert [(one.name, one.label) for one in found] == [
        (f"{ARN}1", "EFS/2026-11-10"),
        (f"{ARN}2", "EFS/2026-11-10"),
        (f"{ARN}3", "EBS/2026-11-10"),
    ]
    assert (found[0].size, found[0].taken_at, found[0].locks) == (101, AT, ())
    assert found[0].forms == {Form.SNAPSHOT}
    assert store.find(f"{ARN}1") == found[0]
    assert [one.name for one in store.sets([], ["EFS/"])] == [f"{ARN}3"]


@pytest.mark.parametrize(
    ("settings", "lock"),
    [
        ({"Locked": True, "LockDate": AT.timestamp(), "MinRetentionDays": 7}, Lock("vault-lock", REMOVED_AT)),
        ({"Locked": True}, Lock("vault-lock-governance", REMOVED_AT)),
    ],
    ids=["a vault in compliance mode", "a vault in governance mode"],
)
def test_a_locked_vault_locks_until_the_recovery_point_s_own_end(
    store: RecoveryPoints, vault: Vault, settings: dict[str, Any], lock: Lock
) -> None:
    vault.settings = settings
    vault.points[f"{ARN}1"]["CalculatedLifecycle"] = {"DeleteAt": REMOVED_AT.timestamp()}
    locks = {one.name: one.locks for one in store.sets([])}
    assert locks == {f"{ARN}1": (lock,), f"{ARN}2": (Lock(lock.kind),), f"{ARN}3": (Lock(lock.kind),)}
    assert any("The vault is locked" in note for note in store.capabilities().notes)
    vault.refusals["DELETE backup-vaults"] = (400, "InvalidRequestException")
    deletion = store.delete(f"{ARN}1")
    assert (deletion.result, deletion.locks) == (ItemResult.LOCKED, (lock,))


def test_recovery_points_under_an_active_legal_hold_are_locked(store: RecoveryPoints, vault: Vault) -> None:
    vault.holds = {
        "h-1": {"LegalHoldId": "h-1", "Status": "CANCELED", "_points": [f"{ARN}1"]},
        "h-2": {"LegalHoldId": "h-2", "Status": "ACTIVE", "_points": [f"{ARN}9", f"{ARN}2"]},
    }
    locks = {one.name: one.locks for one in store.sets([])}
    assert locks == {f"{ARN}1": (), f"{ARN}2": (Lock("legal-hold"),), f"{ARN}3": ()}


def test_holds_that_may_not_be_read_are_a_note(store: RecoveryPoints, vault: Vault) -> None:
    vault.refusals["GET legal-holds"] = (403, "AccessDeniedException")
    assert len(list(store.sets([]))) == 3
    assert any("Legal holds could not be read" in note for note in store.capabilities().notes)


def test_a_deleted_recovery_point_is_gone_and_others_stay(store: RecoveryPoints, vault: Vault) -> None:
    assert store.delete(f"{ARN}1").result is ItemResult.DONE
    assert store.delete(f"{ARN}1").result is ItemResult.ABSENT
    assert len(vault.points) == 2


@pytest.mark.parametrize(
    ("status", "code", "result"),
    [
        (400, "InvalidRequestException", ItemResult.REFUSED),
        (403, "AccessDeniedException", ItemResult.REFUSED),
        (500, "InternalFailure", ItemResult.UNKNOWN),
    ],
    ids=["the service declines", "the role may not", "the fate is not known"],
)
def test_a_deletion_that_does_not_happen_says_why(
    store: RecoveryPoints, vault: Vault, status: int, code: str, result: ItemResult
) -> None:
    vault.refusals["DELETE backup-vaults"] = (status, code)
    assert store.delete(f"{ARN}1").result is result


def test_a_recovery_point_that_stays_is_unknown(store: RecoveryPoints, vault: Vault) -> None:
    vault.stays = True
    deletion = store.delete(f"{ARN}1")
    assert (deletion.result, deletion.reason) == (ItemResult.UNKNOWN, "deleting")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDeniedException", Refused),
        (400, "ThrottlingException", Unavailable),
        (503, "ServiceUnavailableException", Unavailable),
        (400, "ResourceNotFoundException", NotFound),
    ],
    ids=["denied", "throttled", "down", "no such vault"],
)
def test_a_listing_that_fails_is_said_in_the_contract_s_words(
    store: RecoveryPoints, vault: Vault, status: int, code: str, expected: type[Exception]
) -> None:
    vault.refusals["GET backup-vaults"] = (status, code)
    with pytest.raises(expected):
        list(store.sets([]))


def test_a_recovery_point_is_neither_read_nor_quarantined(store: RecoveryPoints) -> None:
    sheet = store.capabilities()
    assert (sheet.restricts, sheet.reads, sheet.rewrites) == ((), False, False)
    for act in (store.files, store.quarantine, store.try_reading, store.rewrite, lambda name: store.heads(name, 1)):
        with pytest.raises(Refused):
            act(f"{ARN}1")
    with pytest.raises(Refused):
        store.open(f"{ARN}1", "x")
    with pytest.raises(NotFound):
        store.quarantine(f"{ARN}9")


def test_a_service_that_is_not_there_is_unavailable() -> None:
    store = RecoveryPoints("points", AwsSettings("eu-west-1", "http://127.0.0.1:9", "key", "secret", tries=1), "night")
    with pytest.raises(Unavailable):
        list(store.sets([]))
    store.close()


def test_settings_that_mean_nothing_are_refused() -> None:
    assert "secret-1" not in repr(AwsSettings("eu-west-1", access_key="key", secret_key="secret-1"))
    for wrong in (("",), ("eu-west-1", None, "key")):
        with pytest.raises(ValueError):
            AwsSettings(*wrong)
    with pytest.raises(ValueError):
        AwsSettings("eu-west-1", tries=0)
