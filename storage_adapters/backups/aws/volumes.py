"""Snapshots of volumes in Amazon EBS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import TYPE_CHECKING

from storage_adapters.aws.calls import asking
from storage_adapters.aws.settings import AwsSettings
from storage_adapters.backups.aws.opaque import OpaqueSnapshots
from storage_adapters.backups.contract import BackupSet, Form, Lock
from storage_adapters.errors import NotFound, Refused

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import FilterTypeDef, LockedSnapshotsInfoTypeDef, SnapshotTypeDef

_GIB = 1024**3
_SNAPSHOT_ID = re.compile(r"snap-[0-9a-f]{8,17}")
_IMAGE = (Lock("image"),)
_NOTES = (
    "EBS snapshots cannot be quarantined: take ec2:CreateVolume on them, ec2:CopySnapshot, ebs:GetSnapshotBlock and "
    "ec2:ModifySnapshotAttribute from ordinary roles in IAM; sharing with other accounts is not changed by this product.",
    "A snapshot of an image (AMI) is locked by it until the image is deregistered.",
    "A recycle bin keeps deleted snapshots for as long as its retention rules say.",
)


class VolumeSnapshots(OpaqueSnapshots):
    """The account's own snapshots of volumes in one region. Thread-safe.

    A set's name is the snapshot's id, its label the tag `Name`, or else the id. Size is that of the full snapshot, or of
    the volume.
    """

    def __init__(self, name: str, settings: AwsSettings, tags: Mapping[str, str] | None = None) -> None:
        """A store that connects when it is first asked. tags: only snapshots that have each of these tags."""
        super().__init__(name, settings)
        with asking(name, "EC2"):
            self._client = settings.session().client("ec2", endpoint_url=settings.endpoint, config=settings.config())
        self._filters: list[FilterTypeDef] = [
            {"Name": f"tag:{key}", "Values": [value]} for key, value in sorted((tags or {}).items())
        ]

    def find(self, name: str) -> BackupSet | None:
        """This snapshot as it is now."""
        if not _SNAPSHOT_ID.fullmatch(name):
            return None
        try:
            return next(self._sets(name), None)
        except NotFound:
            return None

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._client.close()

    def _listed(self) -> Iterator[BackupSet]:
        return self._sets()

    def _sets(self, name: str | None = None) -> Iterator[BackupSet]:
        images, locks = self._imaged(), self._locks()
        wanted = [name] if name else []
        with asking(self._name, "DescribeSnapshots"):
            pages = self._client.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=self._filters, SnapshotIds=wanted
            )
            for page in pages:
                for entry in page["Snapshots"]:
                    snapshot = entry["SnapshotId"]
                    yield _set(entry, locks.get(snapshot, ()) + (_IMAGE if snapshot in images else ()))

    def _imaged(self) -> frozenset[str]:
        """The snapshots that the account's own images are made of, disabled ones included."""
        with asking(self._name, "DescribeImages"):
            pages = self._client.get_paginator("describe_images").paginate(Owners=["self"], IncludeDisabled=True)
            return frozenset(
                snapshot
                for page in pages
                for image in page["Images"]
                for mapping in image.get("BlockDeviceMappings", [])
                if (snapshot := mapping.get("Ebs", {}).get("SnapshotId"))
            )

    def _locks(self) -> dict[str, tuple[Lock, ...]]:
        """The locks of snapshots, by snapshot; none where they may not be read: a deletion is declined all the same."""
        try:
            return dict(self._told_locks())
        except Refused:
            return {}

    def _told_locks(self) -> Iterator[tuple[str, tuple[Lock, ...]]]:
        token = ""
        while True:
            with asking(self._name, "DescribeLockedSnapshots"):
                if token:
                    answer = self._client.describe_locked_snapshots(NextToken=token)
                else:
                    answer = self._client.describe_locked_snapshots()
            yield from ((entry["SnapshotId"], _locks(entry)) for entry in answer["Snapshots"])
            if not (token := answer.get("NextToken", "")):
                return

    def _delete(self, found: BackupSet) -> None:
        with asking(self._name, "DeleteSnapshot", changes=True):
            self._client.delete_snapshot(SnapshotId=found.name)

    def _locks_meant(self, code: str) -> tuple[Lock, ...]:
        return {"InvalidSnapshot.InUse": _IMAGE, "SnapshotLocked": (Lock("snapshot-lock"),)}.get(code, ())

    def _notes(self) -> Iterator[str]:
        yield from _NOTES
        try:
            dict(self._told_locks())
        except Refused as error:
            yield f"Locks of snapshots could not be read ({error.message}); a deletion shows them."


def _set(entry: SnapshotTypeDef, locks: tuple[Lock, ...]) -> BackupSet:
    snapshot = entry["SnapshotId"]
    tags = {tag["Key"]: tag["Value"] for tag in entry.get("Tags", [])}
    begun_at = entry["StartTime"].astimezone(UTC)
    taken_at = entry["CompletionTime"].astimezone(UTC) if "CompletionTime" in entry else begun_at
    size = entry.get("FullSnapshotSizeInBytes") or entry.get("VolumeSize", 0) * _GIB
    label = tags.get("Name") or snapshot
    return BackupSet(snapshot, label, begun_at, taken_at, 1, size, frozenset({Form.SNAPSHOT}), locks)


def _locks(entry: LockedSnapshotsInfoTypeDef) -> tuple[Lock, ...]:
    state = entry.get("LockState", "locked")
    if state == "expired":
        return ()
    until = entry.get("LockExpiresOn")
    return (Lock(state, until and until.astimezone(UTC)),)
