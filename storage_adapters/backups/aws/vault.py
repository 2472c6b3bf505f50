"""Recovery points in a vault of AWS Backup."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from storage_adapters.aws.calls import asking
from storage_adapters.aws.settings import AwsSettings
from storage_adapters.backups.aws.opaque import OpaqueSnapshots
from storage_adapters.backups.contract import BackupSet, Form, Lock
from storage_adapters.errors import NotFound, Refused

if TYPE_CHECKING:
    from mypy_boto3_backup.type_defs import (
        CalculatedLifecycleTypeDef,
        DescribeRecoveryPointOutputTypeDef,
        RecoveryPointByBackupVaultTypeDef,
    )

_HOLDING = frozenset({"CREATING", "ACTIVE", "CANCELING"})
_NOTES = (
    "Recovery points cannot be quarantined: the vault's access policy can deny backup:StartRestoreJob and "
    "backup:StartCopyJob, for all recovery points of the vault at once, and AWS has no dry run to try that.",
    "A recovery point of several resources goes only after those that it is made of.",
)


class RecoveryPoints(OpaqueSnapshots):
    """The recovery points of one vault. Thread-safe.

    A set's name is the recovery point's ARN; its label `<resource type>/<YYYY-MM-DD>`, the day (UTC) of its creation.
    Locks: `vault-lock` (nobody can lift it once its grace time is over), `vault-lock-governance`, `legal-hold`.
    """

    def __init__(self, name: str, settings: AwsSettings, vault: str) -> None:
        """A store that connects when it is first asked."""
        super().__init__(name, settings)
        with asking(name, "AWS Backup"):
            self._client = settings.session().client("backup", endpoint_url=settings.endpoint, config=settings.config())
        self._vault = vault

    def find(self, name: str) -> BackupSet | None:
        """This recovery point as it is now."""
        if not name.startswith("arn:"):
            return None
        try:
            with asking(self._name, "DescribeRecoveryPoint"):
                entry = self._client.describe_recovery_point(BackupVaultName=self._vault, RecoveryPointArn=name)
        except NotFound:
            return None
        return _set(entry, self._vault_lock(), self._held())

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._client.close()

    def _listed(self) -> Iterator[BackupSet]:
        kind, held = self._vault_lock(), self._held()
        with asking(self._name, "ListRecoveryPointsByBackupVault"):
            paginator = self._client.get_paginator("list_recovery_points_by_backup_vault")
            for page in paginator.paginate(BackupVaultName=self._vault):
                for entry in page["RecoveryPoints"]:
                    yield _set(entry, kind, held)

    def _vault_lock(self) -> str | None:
        """The kind of the vault's lock; None where it has none.

        Source: AWS Backup developer guide, "AWS Backup Vault Lock": only a lock in compliance mode has a lock date.
        """
        with asking(self._name, "DescribeBackupVault"):
            vault = self._client.describe_backup_vault(BackupVaultName=self._vault)
        if not vault.get("Locked"):
            return None
        lock_date: datetime | None = vault.get("LockDate")
        return "vault-lock-governance" if lock_date is None else "vault-lock"

    def _held(self) -> frozenset[str]:
        """The recovery points under a legal hold; none where holds may not be read: a deletion is declined all the same."""
        try:
            return frozenset(self._told_holds())
        except Refused:
            return frozenset()

    def _told_holds(self) -> Iterator[str]:
        with asking(self._name, "ListLegalHolds"):
            for page in self._client.get_paginator("list_legal_holds").paginate():
                for hold in page["LegalHolds"]:
                    if hold.get("Status") in _HOLDING:
                        yield from self._under(hold["LegalHoldId"])

    def _under(self, hold: str) -> Iterator[str]:
        paginator = self._client.get_paginator("list_recovery_points_by_legal_hold")
        with asking(self._name, "ListRecoveryPointsByLegalHold"):
            for page in paginator.paginate(LegalHoldId=hold):
                for member in page["RecoveryPoints"]:
                    yield member["RecoveryPointArn"]

    def _delete(self, found: BackupSet) -> None:
        with asking(self._name, "DeleteRecoveryPoint", changes=True):
            self._client.delete_recovery_point(BackupVaultName=self._vault, RecoveryPointArn=found.name)

    def _notes(self) -> Iterator[str]:
        yield from _NOTES
        kind = self._vault_lock()
        if kind is not None:
            yield f"The vault is locked ({kind}): nothing in it goes before the end of its own retention period."
        try:
            list(self._told_holds())
        except Refused as error:
            yield f"Legal holds could not be read ({error.message}); a deletion shows them."


def _set(
    entry: RecoveryPointByBackupVaultTypeDef | DescribeRecoveryPointOutputTypeDef,
    vault_lock: str | None,
    held: frozenset[str],
) -> BackupSet:
    name = entry["RecoveryPointArn"]
    begun_at = entry["CreationDate"].astimezone(UTC)
    completed_at = entry.get("CompletionDate")
    locks = []
    if vault_lock is not None:
        locks.append(Lock(vault_lock, _removed_at(entry.get("CalculatedLifecycle"))))
    if name in held:
        locks.append(Lock("legal-hold"))
    return BackupSet(
        name=name,
        label=f"{entry.get('ResourceType', 'unknown')}/{begun_at:%Y-%m-%d}",
        begun_at=begun_at,
        taken_at=completed_at.astimezone(UTC) if completed_at else begun_at,
        item_count=1,
        size=entry.get("BackupSizeInBytes") or 0,
        forms=frozenset({Form.SNAPSHOT}),
        locks=tuple(locks),
    )


def _removed_at(lifecycle: CalculatedLifecycleTypeDef | None) -> datetime | None:
    """When AWS Backup removes the recovery point itself; None: never."""
    at = (lifecycle or {}).get("DeleteAt")
    return at.astimezone(UTC) if at else None
