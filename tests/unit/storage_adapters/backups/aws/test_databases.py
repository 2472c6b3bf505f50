"""Snapshots of RDS on moto: manual ones are listed and deleted, automated ones are said to go otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import boto3
import pytest
from mypy_boto3_rds import RDSClient

from storage_adapters.backups.aws import AwsSettings, RdsSnapshots
from storage_adapters.backups.contract import Form
from storage_adapters.contract import ItemResult
from storage_adapters.errors import Refused


@pytest.fixture
def rds(settings: AwsSettings) -> Iterator[RDSClient]:
    """A plain client, with the instances `db-1` and `db-2` and the cluster `cl-1`, and a snapshot of each."""
    client = boto3.client(
        "rds",
        region_name=settings.region,
        endpoint_url=settings.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for number in (1, 2):
        client.create_db_instance(
            DBInstanceIdentifier=f"db-{number}",
            DBInstanceClass="db.t3.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="root",
            MasterUserPassword="password-1",
        )
        client.create_db_snapshot(DBInstanceIdentifier=f"db-{number}", DBSnapshotIdentifier=f"night-{number}")
    client.create_db_cluster(
        DBClusterIdentifier="cl-1", Engine="aurora-postgresql", MasterUsername="root", MasterUserPassword="password-1"
    )
    client.create_db_cluster_snapshot(DBClusterIdentifier="cl-1", DBClusterSnapshotIdentifier="night-c")
    yield client
    client.close()


@pytest.fixture
def store(settings: AwsSettings) -> Iterator[RdsSnapshots]:
    made = RdsSnapshots("databases", settings)
    yield made
    made.close()


def name_of(store: RdsSnapshots, label: str) -> str:
    return next(found.name for found in store.sets([]) if found.label == label)


def test_snapshots_of_instances_and_clusters_are_sets(store: RdsSnapshots, rds: RDSClient) -> None:
    manual = {found.label: found for found in store.sets([]) if not found.label.startswith("rds:")}
    assert set(manual) == {"night-1", "night-2", "night-c"}
    found = manual["night-1"]
    assert found.name.endswith(":snapshot:night-1")
    assert (found.size, found.item_count) == (20 * 1024**3, 1)
    assert found.forms == {Form.SNAPSHOT}
    assert found.taken_at is not None
    assert found.taken_at.tzinfo is UTC
    assert store.find(found.name) == found
    assert store.find(manual["night-c"].name) == manual["night-c"]
    assert "night-1" not in {one.label for one in store.sets([], ["night-1"])}


@pytest.mark.parametrize(
    ("only", "labels"),
    [
        ({"instance": "db-2"}, {"night-2"}),
        ({"cluster": "cl-1"}, {"night-c"}),
        ({"instance": "db-1", "cluster": "cl-1"}, {"night-1", "night-c"}),
    ],
    ids=["of one instance", "of one cluster", "of both"],
)
def test_only_the_snapshots_that_were_asked_for_are_there(
    settings: AwsSettings, store: RdsSnapshots, rds: RDSClient, only: dict[str, str], labels: set[str]
) -> None:
    some = RdsSnapshots("databases", settings, **only)
    assert {found.label for found in some.sets([]) if not found.label.startswith("rds:")} == labels
    others = {"night-1", "night-2", "night-c"} - labels
    assert [some.find(name_of(store, label)) for label in others] == [None] * len(others)
    some.close()


@pytest.mark.parametrize("label", ["night-1", "night-c"], ids=["of an instance", "of a cluster"])
def test_a_deleted_snapshot_is_gone(store: RdsSnapshots, rds: RDSClient, label: str) -> None:
    name = name_of(store, label)
    assert store.delete(name).result is ItemResult.DONE
    assert store.delete(name).result is ItemResult.ABSENT
    assert label not in {found.label for found in store.sets([])}


def test_an_automated_snapshot_is_not_deleted_singly(store: RdsSnapshots, rds: RDSClient) -> None:
    automated = [found for found in store.sets([]) if found.label.startswith("rds:")]
    assert automated
    for found in automated:
        deletion = store.delete(found.name)
        assert (deletion.result, deletion.reason) == (ItemResult.REFUSED, "automated")
    assert len([found for found in store.sets([]) if found.label.startswith("rds:")]) == len(automated)


def test_snapshots_shared_with_other_accounts_are_named(store: RdsSnapshots, rds: RDSClient) -> None:
    assert not any("Shared" in note for note in store.capabilities().notes)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier="night-2", AttributeName="restore", ValuesToAdd=["210987654321"]
    )
    rds.modify_db_cluster_snapshot_attribute(
        DBClusterSnapshotIdentifier="night-c", AttributeName="restore", ValuesToAdd=["210987654321"]
    )
    assert store.capabilities().notes[-1].endswith("may hold copies: night-2, night-c.")


@pytest.mark.parametrize("name", ["night-1", "arn:aws:rds:eu-west-1:123456789012:snapshot:none", "arn:aws:rds:::db:x"])
def test_what_is_not_there_is_absent(store: RdsSnapshots, rds: RDSClient, name: str) -> None:
    assert store.find(name) is None
    assert store.delete(name).result is ItemResult.ABSENT


def test_a_snapshot_is_neither_read_nor_quarantined(store: RdsSnapshots, rds: RDSClient) -> None:
    assert store.capabilities().restricts == ()
    for act in (store.files, store.quarantine, store.try_reading, store.rewrite):
        with pytest.raises(Refused):
            act(name_of(store, "night-1"))
