"""Snapshots of volumes on moto: listed by name, held by images, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from mypy_boto3_ec2 import EC2Client

from storage_adapters.backups.aws import AwsSettings, VolumeSnapshots
from storage_adapters.backups.contract import Form, Lock
from storage_adapters.contract import ItemResult
from storage_adapters.errors import Refused, Unavailable

AT = datetime(2027, 11, 10, tzinfo=UTC)


@pytest.fixture
def ec2(settings: AwsSettings) -> Iterator[EC2Client]:
    client = boto3.client(
        "ec2",
        region_name=settings.region,
        endpoint_url=settings.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()


@pytest.fixture
def store(settings: AwsSettings) -> Iterator[VolumeSnapshots]:
    made = without_locks(VolumeSnapshots("volumes", settings))
    yield made
    made.close()


def without_locks(store: VolumeSnapshots) -> VolumeSnapshots:
    """moto does not know DescribeLockedSnapshots: nothing is locked on it."""
    answer: tuple[AWSResponse, dict[str, list[str]]] = (AWSResponse("", 200, HTTPHeaders(), None), {"Snapshots": []})
    given: Any = lambda **_: answer  # noqa: E731 # the stubs know of handlers that answer nothing
    store._client.meta.events.register("before-call.ec2.DescribeLockedSnapshots", given)
    return store


def snapshot(ec2: EC2Client, **tags: str) -> str:
    volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=8)["VolumeId"]
    made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    if tags:
        ec2.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return made


def test_a_snapshot_is_a_set_labelled_by_its_name_or_id(store: VolumeSnapshots, ec2: EC2Client) -> None:
    named, plain = snapshot(ec2, Name="nightly/2026-11-10"), snapshot(ec2)
    found = {one.name: one for one in store.sets([])}
    assert found[named].label == "nightly/2026-11-10"
    assert found[plain].label == plain
    assert (found[named].size, found[named].locks) == (8 * 1024**3, ())
    assert found[named].forms == {Form.SNAPSHOT}
    taken_at = found[named].taken_at
    assert taken_at is not None
    assert taken_at.tzinfo is UTC
    assert store.find(named) == found[named]
    assert named not in {one.name for one in store.sets([], ["nightly/"])}


def test_only_snapshots_with_the_tags_are_there(settings: AwsSettings, ec2: EC2Client) -> None:
    wanted, other = snapshot(ec2, backup="yes"), snapshot(ec2, backup="no")
    some = without_locks(VolumeSnapshots("volumes", settings, {"backup": "yes"}))
    assert [one.name for one in some.sets([])] == [wanted]
    assert some.find(other) is None
    assert some.delete(other).result is ItemResult.ABSENT
    some.close()


def test_a_deleted_snapshot_is_gone(store: VolumeSnapshots, ec2: EC2Client) -> None:
    name, other = snapshot(ec2), snapshot(ec2)
    assert store.delete(name).result is ItemResult.DONE
    assert store.delete(name).result is ItemResult.ABSENT
    assert store.find(other) is not None


def test_a_snapshot_of_an_image_is_locked_until_the_image_goes(store: VolumeSnapshots, ec2: EC2Client) -> None:
    base = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=base, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    mapping = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"][0]
    name = mapping["Ebs"]["SnapshotId"]
    found = store.find(name)
    assert found is not None
    assert found.locks == (Lock("image"),)
    deletion = store.delete(name)
    assert (deletion.result, deletion.locks) == (ItemResult.LOCKED, (Lock("image"),))
    ec2.deregister_image(ImageId=image)
    assert store.delete(name).result is ItemResult.DONE


def test_locks_are_read_over_pages_and_expired_ones_are_none(settings: AwsSettings) -> None:
    store = VolumeSnapshots("volumes", settings)
    client = store._client
    started = {"VolumeId": "vol-1", "StartTime": AT, "VolumeSize": 1}
    with Stubber(client) as answers:
        answers.add_response("describe_images", {"Images": []})
        answers.add_response(
            "describe_locked_snapshots",
            {
                "Snapshots": [{"SnapshotId": "snap-00000001", "LockState": "compliance", "LockExpiresOn": AT}],
                "NextToken": "more",
            },
        )
        answers.add_response(
            "describe_locked_snapshots",
            {"Snapshots": [{"SnapshotId": "snap-00000002", "LockState": "expired", "LockExpiresOn": AT}]},
            {"NextToken": "more"},
        )
        answers.add_response(
            "describe_snapshots",
            {"Snapshots": [{"SnapshotId": f"snap-0000000{number}", **started} for number in (1, 2)]},
        )
        assert [one.locks for one in store.sets([])] == [(Lock("compliance", AT),), ()]
    store.close()


def test_locks_that_may_not_be_read_are_a_note(settings: AwsSettings) -> None:
    store = VolumeSnapshots("volumes", settings)
    with Stubber(store._client) as answers:
        answers.add_client_error("describe_locked_snapshots", "UnauthorizedOperation", http_status_code=403)
        assert "UnauthorizedOperation" in store.capabilities().notes[-1]
    store.close()


def test_an_answer_that_is_not_aws_s_own_is_unavailable(settings: AwsSettings) -> None:
    store = VolumeSnapshots("volumes", settings)
    with pytest.raises(Unavailable):  # moto's page for what it does not know
        list(store.sets([]))
    store.close()


def test_a_snapshot_is_neither_read_nor_quarantined(store: VolumeSnapshots, ec2: EC2Client) -> None:
    name = snapshot(ec2)
    for act in (store.files, store.quarantine, store.try_reading, store.rewrite):
        with pytest.raises(Refused):
            act(name)
    assert store.find("../x") is None
