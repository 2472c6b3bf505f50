"""Snapshots of Amazon RDS and Aurora: of instances and of clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from storage_adapters.aws.calls import asking
from storage_adapters.aws.settings import AwsSettings
from storage_adapters.backups.aws.opaque import OpaqueSnapshots
from storage_adapters.backups.contract import BackupSet, Deletion, Form
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused

if TYPE_CHECKING:
    from mypy_boto3_rds.type_defs import DBClusterSnapshotTypeDef, DBSnapshotTypeDef

_GIB = 1024**3
_NAMED_AT_MOST = 20
_AUTOMATED = "automated"
_NOTES = (
    "RDS snapshots cannot be quarantined: take rds:RestoreDBInstanceFromDBSnapshot, rds:RestoreDBClusterFromSnapshot, "
    "rds:CopyDBSnapshot and rds:CopyDBClusterSnapshot from ordinary roles in IAM.",
    "Automated snapshots cannot be deleted singly: they go with their retention period or with the instance's automated "
    "backups, from which any moment of that period can be restored.",
    "Snapshots that AWS Backup manages are not listed here: name their vault as a store of its own.",
)


class RdsSnapshots(OpaqueSnapshots):
    """Manual and automated snapshots of database instances and clusters of one region. Thread-safe.

    A set's name is the snapshot's ARN, its label the identifier. Size is that of the full snapshot, or of the storage.
    """

    def __init__(
        self, name: str, settings: AwsSettings, instance: str | None = None, cluster: str | None = None
    ) -> None:
        """A store that connects when it is first asked.

        instance, cluster: only snapshots of this instance, of this cluster, or of both; of all where neither is given.
        """
        super().__init__(name, settings)
        with asking(name, "RDS"):
            self._client = settings.session().client("rds", endpoint_url=settings.endpoint, config=settings.config())
        self._instance = instance
        self._cluster = cluster
        self._has_instances = instance is not None or cluster is None
        self._has_clusters = cluster is not None or instance is None

    def find(self, name: str) -> BackupSet | None:
        """This snapshot as it is now."""
        parts = name.split(":", 6)
        if len(parts) != 7 or parts[5] not in {"snapshot", "cluster-snapshot"}:
            return None
        listed = self._of_instances(parts[6]) if parts[5] == "snapshot" else self._of_clusters(parts[6])
        try:
            return next((found for found, _ in listed if found.name == name), None)
        except NotFound:
            return None

    def delete(self, name: str) -> Deletion:
        """Delete a manual snapshot. An automated one is REFUSED (`automated`): only its retention period removes it."""
        identifier = name.rpartition("snapshot:")[2]
        if identifier.startswith("rds:") and self.find(name) is not None:
            return Deletion(ItemResult.REFUSED, reason=_AUTOMATED)
        return super().delete(name)

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._client.close()

    def _listed(self) -> Iterator[BackupSet]:
        yield from (found for found, _ in self._all())

    def _all(self) -> Iterator[tuple[BackupSet, bool]]:
        """Every snapshot, and whether it is a manual one."""
        yield from self._of_instances()
        yield from self._of_clusters()

    def _of_instances(self, identifier: str | None = None) -> Iterator[tuple[BackupSet, bool]]:
        if not self._has_instances:
            return
        paginator = self._client.get_paginator("describe_db_snapshots")
        with asking(self._name, "DescribeDBSnapshots"):
            for page in paginator.paginate(DBSnapshotIdentifier=identifier) if identifier else paginator.paginate():
                for entry in page["DBSnapshots"]:
                    if self._instance in {None, entry.get("DBInstanceIdentifier")}:
                        yield _instance_set(entry), entry.get("SnapshotType") == "manual"

    def _of_clusters(self, identifier: str | None = None) -> Iterator[tuple[BackupSet, bool]]:
        if not self._has_clusters:
            return
        paginator = self._client.get_paginator("describe_db_cluster_snapshots")
        pages = paginator.paginate(DBClusterSnapshotIdentifier=identifier) if identifier else paginator.paginate()
        with asking(self._name, "DescribeDBClusterSnapshots"):
            for page in pages:
                for entry in page["DBClusterSnapshots"]:
                    if self._cluster in {None, entry.get("DBClusterIdentifier")}:
                        yield _cluster_set(entry), entry.get("SnapshotType") == "manual"

    def _delete(self, found: BackupSet) -> None:
        if ":cluster-snapshot:" in found.name:
            with asking(self._name, "DeleteDBClusterSnapshot", changes=True):
                self._client.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=found.label)
        else:
            with asking(self._name, "DeleteDBSnapshot", changes=True):
                self._client.delete_db_snapshot(DBSnapshotIdentifier=found.label)

    def _notes(self) -> Iterator[str]:
        yield from _NOTES
        try:
            shared = [found.label for found, is_manual in self._all() if is_manual and self._is_shared(found)]
        except Refused as error:
            yield f"Whether snapshots are shared with other accounts could not be read ({error.message})."
            return
        if shared:
            more = f" and {len(shared) - _NAMED_AT_MOST} more" if len(shared) > _NAMED_AT_MOST else ""
            yield f"Shared with other accounts, which may hold copies: {', '.join(shared[:_NAMED_AT_MOST])}{more}."

    def _is_shared(self, found: BackupSet) -> bool:
        try:
            with asking(self._name, "DescribeDBSnapshotAttributes"):
                if ":cluster-snapshot:" in found.name:
                    told = self._client.describe_db_cluster_snapshot_attributes(DBClusterSnapshotIdentifier=found.label)
                    values = told["DBClusterSnapshotAttributesResult"].get("DBClusterSnapshotAttributes", [])
                    return any(one.get("AttributeName") == "restore" and one.get("AttributeValues") for one in values)
                answer = self._client.describe_db_snapshot_attributes(DBSnapshotIdentifier=found.label)
                listed = answer["DBSnapshotAttributesResult"].get("DBSnapshotAttributes", [])
                return any(one.get("AttributeName") == "restore" and one.get("AttributeValues") for one in listed)
        except NotFound:  # deleted meanwhile
            return False


def _instance_set(entry: DBSnapshotTypeDef) -> BackupSet:
    size = entry.get("FullSnapshotSizeInBytes") or entry.get("AllocatedStorage", 0) * _GIB
    taken_at = _utc(entry.get("SnapshotCreateTime"))
    found = BackupSet(entry["DBSnapshotArn"], entry["DBSnapshotIdentifier"], None, taken_at, 1, size, _FORMS)
    return replace(found, begun_at=_utc(entry.get("OriginalSnapshotCreateTime")) or taken_at)


def _cluster_set(entry: DBClusterSnapshotTypeDef) -> BackupSet:
    size = entry.get("AllocatedStorage", 0) * _GIB
    at = _utc(entry.get("SnapshotCreateTime"))
    return BackupSet(entry["DBClusterSnapshotArn"], entry["DBClusterSnapshotIdentifier"], at, at, 1, size, _FORMS)


_FORMS = frozenset({Form.SNAPSHOT})


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)
