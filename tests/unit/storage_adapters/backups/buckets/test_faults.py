"""A bucket of backups under faults: killed at every request, versions, locks, uploads, and policies of others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from mypy_boto3_s3 import S3Client

from storage_adapters.backups.buckets import BucketBackups
from storage_adapters.backups.contract import Lock, SetLayout, Whereabouts
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused
from storage_adapters.s3 import S3Settings
from tests.conftest import NewBucket
from tests.services.cloud import enforced_cloud

NAME = "nightly/2026-11-10/"
FILES = {"db.sql": b"-- old", "photo.jpg": b"jpg"}
NIGHTLY = (SetLayout("nightly/"),)
FAR = datetime(2099, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The process is no more."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """From the step-th changing request on nothing is sent any more."""
    left = [step]
    real = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        left[0] -= request.method not in ("GET", "HEAD")
        if left[0] > 0:
            return real(session, request)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(URLLib3Session, "send", send)
        yield


@pytest.fixture
def make(s3_endpoint: str, s3_client: S3Client, new_s3_bucket: NewBucket) -> Iterator[Make]:
    made = Make(s3_endpoint, s3_client, new_s3_bucket)
    yield made
    for store in made.stores:
        store.close()


class Make:
    """Fresh buckets with a set of two versions of one file, and stores over them."""

    def __init__(self, endpoint: str, client: S3Client, new_bucket: NewBucket) -> None:
        self.endpoint, self.client, self.new_bucket = endpoint, client, new_bucket
        self.stores: list[BucketBackups] = []

    def settings(self, bucket: str, bypass: bool = False) -> S3Settings:
        return S3Settings(
            bucket, "us-east-1", self.endpoint, "test", "test", tries=1, workers=2, bypass_governance=bypass
        )

    def __call__(self, *, lock: bool = False, moves: bool = True, bypass: bool = False) -> tuple[str, BucketBackups]:
        bucket = self.new_bucket(object_lock=lock)
        there = self.settings(self.new_bucket()) if moves else None
        self.client.put_object(Bucket=bucket, Key=f"{NAME}db.sql", Body=b"-- older")
        for path, content in FILES.items():
            self.client.put_object(Bucket=bucket, Key=NAME + path, Body=content)
        store = BucketBackups("nas", self.settings(bucket, bypass), there)
        self.stores.append(store)
        return bucket, store

    def versions(self, bucket: str) -> list[str]:
        said = self.client.list_object_versions(Bucket=bucket)
        return [entry["Key"] for entry in [*said.get("Versions", []), *said.get("DeleteMarkers", [])]]


def content_of(store: BucketBackups) -> dict[str, bytes]:
    content = {}
    for file in store.files(NAME):
        with store.open(NAME, file.path) as stream:
            content[file.path] = stream.read()
    return content


def every_death(
    make: Make, act: Callable[[BucketBackups], object], prepare: Callable[[BucketBackups], object] | None = None
) -> Iterator[tuple[str, BucketBackups]]:
    """A bucket and its store, killed in `act` before each of its changing requests; ends when `act` outlives it."""
    for step in count(1):
        bucket, store = make()
        if prepare is not None:
            prepare(store)
        try:
            with killed_at(step):
                act(store)
        except Killed:
            yield bucket, store
        else:
            assert step > 2, "nothing was killed"
            return


def test_a_set_killed_on_its_way_into_quarantine_is_whole_and_gets_there(make: Make) -> None:
    for number, (bucket, store) in enumerate(every_death(make, lambda store: store.quarantine(NAME))):
        if number % 2:
            assert content_of(store) == FILES
            assert [one.name for one in store.sets(NIGHTLY)] == [NAME]
        assert store.quarantine(NAME) is Whereabouts.MOVED
        assert content_of(store) == FILES
        found = store.find(NAME)
        assert found is not None
        assert (found.item_count, found.whereabouts) == (3, Whereabouts.MOVED)
        assert make.versions(bucket) == []


def test_a_rewriting_killed_half_way_leaves_either_set_whole(make: Make) -> None:
    new = {"db.sql": b"-- new", "photo.jpg": b"jpg"}

    def rewrite(store: BucketBackups) -> None:
        with store.rewrite(NAME) as rewriting:
            rewriting.keep("photo.jpg")
            with rewriting.write("db.sql") as stream:
                stream.write(b"-- new")
            rewriting.commit()

    ends = set()
    for number, (bucket, store) in enumerate(every_death(make, rewrite)):
        if number % 2:
            assert [one.name for one in store.sets(NIGHTLY)] == [NAME]
        content = content_of(store)
        assert content in (FILES, new)
        ends.add(content["db.sql"])
        rewrite(store)
        assert content_of(store) == new
        assert sorted(make.versions(bucket)) == [f"{NAME}db.sql", f"{NAME}photo.jpg"]
    assert ends == {b"-- old", b"-- new"}


def test_a_deletion_killed_half_way_is_finished(make: Make) -> None:
    for bucket, store in every_death(make, lambda store: store.delete(NAME), lambda store: store.quarantine(NAME)):
        assert store.delete(NAME).result in (ItemResult.DONE, ItemResult.ABSENT)
        assert make.versions(bucket) == []
        assert list(store.sets(NIGHTLY)) == []


def test_a_set_behind_delete_markers_is_still_a_set_and_goes_with_them(make: Make) -> None:
    bucket, store = make()
    for path in FILES:
        make.client.delete_object(Bucket=bucket, Key=NAME + path)
    make.client.create_multipart_upload(Bucket=bucket, Key=f"{NAME}big")
    found = store.find(NAME)
    assert found is not None
    assert found.item_count == 4
    assert content_of(store) == FILES
    assert store.delete(NAME).result is ItemResult.DONE
    assert make.versions(bucket) == []
    assert not make.client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_lock_that_grows_is_read_anew_and_the_latest_counts(make: Make) -> None:
    bucket, store = make(lock=True)

    def lock(path: str, until: datetime) -> None:
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        make.client.put_object_retention(Bucket=bucket, Key=NAME + path, Retention=retention)  # type: ignore[arg-type]

    lock("photo.jpg", FAR)
    assert store.delete(NAME).locks == (Lock("compliance", FAR),)
    lock("photo.jpg", FAR.replace(year=2100))
    lock("db.sql", FAR)
    deletion = store.delete(NAME)
    assert deletion.result is ItemResult.LOCKED
    assert deletion.locks == (Lock("compliance", FAR), Lock("compliance", FAR.replace(year=2100)))
    assert len(make.versions(bucket)) == 3
    with pytest.raises(Refused), store.rewrite(NAME):
        pass


@pytest.mark.parametrize("bypass", [False, True], ids=["without the bypass it stays", "with the bypass it goes"])
def test_a_governance_lock(make: Make, bypass: bool) -> None:
    bucket, store = make(lock=True, bypass=bypass)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": FAR}
    make.client.put_object_retention(Bucket=bucket, Key=f"{NAME}photo.jpg", Retention=retention)  # type: ignore[arg-type]
    assert store.delete(NAME).result is (ItemResult.DONE if bypass else ItemResult.LOCKED)


def test_a_fence_leaves_statements_of_others_alone(make: Make) -> None:
    bucket, store = make(moves=False)
    theirs = {
        "Sid": "Theirs",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }
    before = {"Version": "2012-10-17", "Id": "policy", "Statement": [theirs]}
    make.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(before))
    make.client.put_object(Bucket=bucket, Key="nightly/b.sql", Body=b"x")
    assert store.quarantine(NAME) is Whereabouts.FENCED
    assert store.quarantine("nightly/b.sql") is Whereabouts.FENCED
    policy = json.loads(make.client.get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0] == theirs
    assert len(policy["Statement"]) == 2
    assert policy["Statement"][1]["Resource"] == [
        f"arn:aws:s3:::{bucket}/nightly/2026-11-10/*",
        f"arn:aws:s3:::{bucket}/nightly/b.sql",
    ]
    make.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(before))  # moto's fence lets nobody ask for tags
    tags = make.client.get_object_tagging(Bucket=bucket, Key="nightly/b.sql")["TagSet"]
    assert tags == [{"Key": "retention-quarantine", "Value": "yes"}]
    for name in (NAME, "nightly/b.sql"):
        assert store.quarantine(name) is Whereabouts.FENCED
        assert store.delete(name).result is ItemResult.DONE
    assert json.loads(make.client.get_bucket_policy(Bucket=bucket)["Policy"]) == before


def test_a_full_policy_is_refused_with_the_reason(make: Make) -> None:
    bucket, store = make(moves=False)
    resource = [f"arn:aws:s3:::{bucket}/{number:0200}" for number in range(83)]
    theirs = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [theirs]}
    make.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    with pytest.raises(Refused, match="bucket policy is full"):
        store.quarantine(NAME)


@pytest.mark.parametrize("name", ["nightly/*/", "nightly/a?.sql", "nightly/${aws:username}"])
def test_a_name_that_is_a_pattern_is_not_fenced(make: Make, name: str) -> None:
    bucket, store = make(moves=False)
    make.client.put_object(Bucket=bucket, Key=name + ("x" if name.endswith("/") else ""), Body=b"x")
    with pytest.raises(Refused, match="cannot be fenced"):
        store.quarantine(name)


def test_normal_credentials_that_reach_the_quarantine_bucket_are_reported(make: Make) -> None:
    bucket, store = make()
    assert store.quarantine(NAME) is Whereabouts.MOVED
    attempt = store.try_reading(NAME)
    assert not attempt.is_refused, "without IAM everyone reads the quarantine bucket"
    with enforced_cloud(make.endpoint) as cloud:
        live, there = (cloud.client.create_bucket(Bucket=f"{bucket}-{which}")["Location"].strip("/") for which in "ab")
        normal, keeper = cloud.user("normal", live), cloud.user("keeper", there)
        closed = BucketBackups("nas", cloud.settings(live, normal), cloud.settings(there, keeper))
        cloud.client.put_object(Bucket=live, Key=f"{NAME}db.sql", Body=b"x")
        assert closed.quarantine(NAME) is Whereabouts.MOVED
        attempt = closed.try_reading(NAME)
        closed.close()
    assert attempt.is_refused
    assert attempt.how == "old place: GetObject: NoSuchKey; quarantine bucket: GetObject: AccessDenied"


def test_a_large_object_is_moved_in_parts_and_read_back(make: Make) -> None:
    bucket, store = make()
    body = bytes(range(256)) * 65536 + b"the end"
    make.client.put_object(Bucket=bucket, Key="nightly/big", Body=body)
    assert store.quarantine("nightly/big") is Whereabouts.MOVED
    with store.open("nightly/big", "big") as stream:
        assert stream.read() == body


def test_the_old_times_are_carried_through_quarantine_and_rewriting(make: Make) -> None:
    _, store = make()
    before = store.find(NAME)
    store.quarantine(NAME)
    with store.rewrite(NAME) as rewriting:
        rewriting.keep("db.sql")
        rewriting.keep("photo.jpg")
        rewriting.commit()
    after = store.find(NAME)
    assert before is not None
    assert after is not None
    assert after.taken_at == before.taken_at
    assert after.item_count == 2


def test_a_set_that_vanishes_between_listing_and_acting_is_absent(make: Make) -> None:
    bucket, store = make()
    assert [one.name for one in store.sets(NIGHTLY)] == [NAME]
    for one in make.client.list_object_versions(Bucket=bucket)["Versions"]:
        make.client.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    assert store.delete(NAME).result is ItemResult.ABSENT
    with pytest.raises(NotFound):
        store.quarantine(NAME)


def test_a_bucket_that_is_missing_is_not_found(make: Make) -> None:
    store = BucketBackups("nas", make.settings("no-such-bucket"))
    make.stores.append(store)
    with pytest.raises(NotFound):
        list(store.sets(NIGHTLY))
