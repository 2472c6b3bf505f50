"""What each operation of S3 does, and what its parameters say of where data goes."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from retention.guards.s3_operations import Effect, copy_source, effect_of, replications, restored_into

EFFECTS = {
    "PutObject": Effect.WRITE,
    "CopyObject": Effect.WRITE,
    "UploadPart": Effect.WRITE,
    "UploadPartCopy": Effect.WRITE,
    "CreateMultipartUpload": Effect.WRITE,
    "CompleteMultipartUpload": Effect.WRITE,
    "PutObjectTagging": Effect.WRITE,
    "WriteGetObjectResponse": Effect.WRITE,
    "SomethingNew": Effect.WRITE,
    "GetObject": Effect.READ,
    "SelectObjectContent": Effect.READ,
    "PutBucketReplication": Effect.REPLICATE,
    "RestoreObject": Effect.RESTORE,
    "AbortMultipartUpload": Effect.CARRIES_NOTHING,
    "DeleteObjects": Effect.CARRIES_NOTHING,
    "ListObjectsV2": Effect.CARRIES_NOTHING,
}


@pytest.mark.parametrize("operation", EFFECTS)
def test_an_operation_counts_by_what_it_does(operation: str) -> None:
    assert effect_of(operation) is EFFECTS[operation]


def test_every_operation_that_takes_a_body_of_an_object_is_a_write() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    streaming = [name for name in model.operation_names if model.operation_model(name).has_streaming_input]
    assert {"PutObject", "UploadPart", "WriteGetObjectResponse"} <= set(streaming)
    assert {effect_of(name) for name in streaming} == {Effect.WRITE}


SOURCES: dict[str, tuple[Any, tuple[str, str] | None]] = {
    "no copy": (None, None),
    "a mapping": ({"Bucket": "b", "Key": "a/k", "VersionId": "1"}, ("b", "a/k")),
    "a path": ("b/a/k", ("b", "a/k")),
    "a quoted path with a version": ("/b/a%20k?versionId=1", ("b", "a k")),
    "an access point": (
        "arn:aws:s3:eu-west-1:1:accesspoint/p/object/a/k",
        ("arn:aws:s3:eu-west-1:1:accesspoint/p", "a/k"),
    ),
}


@pytest.mark.parametrize("case", SOURCES)
def test_a_copy_names_its_source(case: str) -> None:
    given, expected = SOURCES[case]
    assert copy_source({"CopySource": given} if given else {}) == expected


def test_replication_rules_name_their_destinations() -> None:
    to = {"Destination": {"Bucket": "arn:aws:s3:::far"}}
    rules = [
        {"Status": "Enabled", **to},
        {"Status": "Enabled", "Prefix": "old/", **to},
        {"Status": "Enabled", "Filter": {"Prefix": "one/"}, **to},
        {"Status": "Enabled", "Filter": {"And": {"Prefix": "both/", "Tags": []}}, **to},
        {"Status": "Disabled", **to},
    ]
    prefixes = [prefix for _, prefix in replications({"ReplicationConfiguration": {"Rules": rules}})]
    assert prefixes == ["", "old/", "one/", "both/"]


def test_a_restore_names_the_other_bucket_that_it_writes_to() -> None:
    assert restored_into({"RestoreRequest": {"Days": 1}}) is None
    assert restored_into({"RestoreRequest": {"OutputLocation": {"S3": {"BucketName": "far"}}}}) == "far"
