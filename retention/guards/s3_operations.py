"""What each operation of S3 does with customer data. An operation that is new to us counts as a write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

Parameters = Mapping[str, Any]
"""The parameters of one S3 call, as botocore has them."""


class Effect(StrEnum):
    """What an operation does. `carries-nothing`: deletes, lists, configures; no customer data goes to the endpoint."""

    WRITE = "write"
    READ = "read"
    REPLICATE = "replicate"
    RESTORE = "restore"
    CARRIES_NOTHING = "carries-nothing"


_READS = {"GetObject", "GetObjectTorrent", "GetObjectAnnotation", "SelectObjectContent"}
_CARRY_NOTHING = {
    "CreateBucket",
    "CreateBucketMetadataConfiguration",
    "CreateBucketMetadataTableConfiguration",
    "CreateSession",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectLockConfiguration",
    "PutObjectRetention",
    "PutPublicAccessBlock",
    "RenameObject",
    "UpdateObjectEncryption",
}
_CARRY_NOTHING_FROM = ("Abort", "Delete", "Get", "Head", "List", "PutBucket", "UpdateBucket")


def effect_of(operation: str) -> Effect:
    """What the operation of this name (`PutObject`) does."""
    if operation == "PutBucketReplication":
        return Effect.REPLICATE
    if operation == "RestoreObject":
        return Effect.RESTORE
    if operation in _READS:
        return Effect.READ
    if operation in _CARRY_NOTHING or operation.startswith(_CARRY_NOTHING_FROM):
        return Effect.CARRIES_NOTHING
    return Effect.WRITE


def copy_source(parameters: Parameters) -> tuple[str, str] | None:
    """Bucket and key that a copy reads; None where the call is no copy."""
    source = parameters.get("CopySource")
    if source is None:
        return None
    if isinstance(source, Mapping):
        return str(source["Bucket"]), str(source["Key"])
    path = unquote(str(source).partition("?versionId=")[0]).lstrip("/")
    if path.startswith("arn:") and "/object/" in path:
        bucket, _, key = path.partition("/object/")
    else:
        bucket, _, key = path.partition("/")
    return bucket, key


def replications(parameters: Parameters) -> Iterator[tuple[str, str]]:
    """Destination bucket and key prefix of every replication rule that is switched on; a rule that is off moves nothing."""
    for rule in parameters.get("ReplicationConfiguration", {}).get("Rules", ()):
        if rule.get("Status") == "Disabled":
            continue
        chosen = rule.get("Filter", {})
        prefix = rule.get("Prefix") or chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or ""
        yield str(rule["Destination"]["Bucket"]), str(prefix)


def restored_into(parameters: Parameters) -> str | None:
    """The other bucket that RestoreObject writes its result to; None where it restores in place."""
    location = parameters.get("RestoreRequest", {}).get("OutputLocation", {}).get("S3", {})
    bucket = location.get("BucketName")
    return str(bucket) if bucket else None
