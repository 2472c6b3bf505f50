"""The capability sheet of a bucket."""

from __future__ import annotations

import pytest

from storage_adapters.errors import NotFound
from tests.services.exact_s3 import error
from tests.unit.storage_adapters.s3.conftest import Bucket, Exact, MakeBucket


def test_a_versioned_bucket_hides_and_brings_back(bucket: Bucket) -> None:
    sheet = bucket.store.capabilities()
    assert (sheet.tombstone, sheet.hides_superseded, sheet.tells_written_at, sheet.verifies_independently) == (
        True,
    ) * 4
    assert sheet.notes == ()


def test_a_bucket_without_versions_says_that_it_can_only_erase(make_bucket: MakeBucket) -> None:
    sheet = make_bucket(None).store.capabilities()
    assert (sheet.tombstone, sheet.hides_superseded) == (False, False)
    assert "only erased" in sheet.notes[0]


def test_suspended_versioning_hides_old_versions_and_no_objects(make_bucket: MakeBucket) -> None:
    sheet = make_bucket("Suspended").store.capabilities()
    assert (sheet.tombstone, sheet.hides_superseded) == (False, True)
    assert "suspended" in sheet.notes[0]


def test_object_lock_is_named_with_its_default(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    assert bucket.store.capabilities().notes == ("Object Lock is on: locked versions go only when their lock ends.",)
    bucket.client.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    assert "COMPLIANCE for 30 days on every new version" in bucket.store.capabilities().notes[0]


def test_replication_names_its_targets(make_bucket: MakeBucket) -> None:
    bucket, target = make_bucket(), make_bucket()
    bucket.client.put_bucket_replication(
        Bucket=bucket.name,
        ReplicationConfiguration={
            "Role": "arn:aws:iam::1:role/r",
            "Rules": [
                {
                    "ID": "r",
                    "Status": "Enabled",
                    "Prefix": "",
                    "Destination": {"Bucket": f"arn:aws:s3:::{target.name}"},
                }
            ],
        },
    )
    assert f"replicated to arn:aws:s3:::{target.name}" in bucket.store.capabilities().notes[0]


def test_lifecycle_rules_that_matter_are_named(bucket: Bucket) -> None:
    bucket.client.put_bucket_lifecycle_configuration(
        Bucket=bucket.name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "l",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
                    "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
                }
            ]
        },
    )
    expires, moves = bucket.store.capabilities().notes
    assert "expires noncurrent versions" in expires
    assert "GLACIER" in moves


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(403, "AccessDenied", "may not be read", id="a missing permission is a note"),
        pytest.param(405, "MethodNotAllowed", "is not offered", id="a method not allowed is a note"),
        pytest.param(501, "NotImplemented", "is not offered", id="a call not implemented is a note"),
    ],
)
def test_what_cannot_be_read_is_a_note(exact: Exact, status: int, code: str, said: str) -> None:
    exact.s3.times(99, lambda call, act: error(status, code), lambda call: "versioning" not in call.query)
    sheet = exact.store.capabilities()
    assert sheet.tombstone
    assert len(sheet.notes) == 3
    assert all(said in note for note in sheet.notes)


def test_versioning_that_may_not_be_read_hides_nothing_and_looks_for_versions(exact: Exact) -> None:
    exact.s3.times(99, lambda call, act: error(403, "AccessDenied"), lambda call: "versioning" in call.query)
    sheet = exact.store.capabilities()
    assert (sheet.tombstone, sheet.hides_superseded) == (False, True)


def test_a_missing_bucket_is_no_note(exact: Exact) -> None:
    exact.s3.times(99, lambda call, act: error(404, "NoSuchBucket"), lambda call: True)
    with pytest.raises(NotFound):
        exact.store.capabilities()
