"""Backups that are snapshots: restic's, which move and are pruned, and those of RDS, which can only be deleted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from moto.backends import get_backend
from mypy_boto3_rds import RDSClient

from retention.clock import SystemClock
from retention.errors import NotInOrder
from retention.model.copy import EndState
from retention.workflows.restore_backup import restore_backup
from tests.acceptance.backup_world import (
    FILES,
    GONE,
    LATER,
    STAYS,
    WAITS,
    World,
    fill_objects,
    policy_of,
    read_objects,
    series,
    write_settings,
)
from tests.unit.storage_adapters.backups.restic.quick_repository import (
    TestRepository,
    new_repository,
    restic_or_skip,
)

REGION = "eu-west-1"


# ------------------------------------------------------------------------------------------------- restic


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestRepository, TestRepository]:
    restic_or_skip()
    folder = tmp_path_factory.mktemp("restic")
    return new_repository(folder / "ordinary", "ordinary-pw"), new_repository(folder / "quarantine", "quarantine-pw")


def test_a_snapshot_of_everybody_is_kept_apart_restored_through_the_gate_and_pruned_at_its_rotation(
    tmp_path: Path, repositories: tuple[TestRepository, TestRepository]
) -> None:
    ordinary, quarantine = repositories
    fill_objects(tmp_path / "objects")
    write_settings(
        tmp_path,
        {
            "objects": {"kind": "files", "root": tmp_path / "objects"},
            "backups": {
                "kind": "restic",
                "repository": ordinary.folder,
                "password": ordinary.password,
                "quarantine": quarantine.folder,
                "quarantine-password": quarantine.password,
            },
            "objects-back": {"kind": "files", "root": tmp_path / "objects-back"},
        },
    )
    policy = policy_of(FILES % "nightly", series("models", "mixed: true", sets="nightly/{date}"))
    world = World.begin(tmp_path, policy)
    objects = read_objects(tmp_path / "objects")
    night = ordinary.back_up(tmp_path / "objects", "nightly", at=f"{world.clock.now():%Y-%m-%d %H:%M:%S}")
    whole = ordinary.data_size()
    world.tell("service-expired", WAITS)
    world.delete(GONE, "models")
    end = world.end(GONE)
    assert (end.end_state, end.until is not None) == (EndState.QUARANTINED, True)
    assert "moved to quarantine" in (end.reason or "")
    assert end.refusal
    assert ordinary.snapshots() == []
    assert ordinary.data_size() < whole / 2, "pruned, and not only forgotten"
    assert len(quarantine.snapshots()) == 1
    restored = restore_backup(world.deployment, night, ["objects-back"])
    assert (restored.replayed, restored.removed) == (2, 4)
    assert read_objects(tmp_path / "objects-back") == {owner: objects[owner] for owner in (STAYS, LATER)}
    world.run(days=32)
    assert world.end(GONE).end_state is EndState.ERASED_VERIFIED
    assert quarantine.snapshots() == []
    world.run(days=1)
    assert [issued.final for issued in world.certificates(GONE)] == [True]
    world.deployment.close()


# ------------------------------------------------------------------------------------------------- RDS


@pytest.fixture
def rds(s3_endpoint: str) -> Iterator[RDSClient]:
    """An RDS with one instance."""
    for account in get_backend("rds").values():
        for backend in account.values():
            backend.reset()
    client = boto3.client(
        "rds", region_name=REGION, endpoint_url=s3_endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_db_instance(
        DBInstanceIdentifier="db-1",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="password-1",
    )
    yield client
    client.close()


def test_a_snapshot_that_nobody_can_be_kept_from_is_said_loudly_until_its_rotation_deletes_it(
    tmp_path: Path, rds: RDSClient, s3_endpoint: str
) -> None:
    fill_objects(tmp_path / "objects")
    keys = {"access-key": "test", "secret-key": "test"}
    write_settings(
        tmp_path,
        {
            "objects": {"kind": "files", "root": tmp_path / "objects"},
            "backups": {
                "kind": "rds-snapshots",
                "instance": "db-1",
                "region": REGION,
                "endpoint": s3_endpoint,
                **keys,
            },
        },
    )
    policy = policy_of(FILES % "nightly", series("models", "mixed: true", sets="night-{date}"))
    world = World.begin(tmp_path, policy, SystemClock().now() + timedelta(hours=1))
    rds.create_db_snapshot(DBInstanceIdentifier="db-1", DBSnapshotIdentifier=f"night-{world.clock.now():%Y-%m-%d}")
    world.delete(GONE, "models")
    ends = {end.set: end for end in world.ends(GONE)}
    assert {end.end_state for end in ends.values()} == {EndState.UNSUPPORTED}
    assert all("cannot be quarantined" in (end.reason or "") for end in ends.values())
    assert [issued.final for issued in world.certificates(GONE)] == [False]

    command = [sys.executable, "-m", "retention", "status", "--config", str(tmp_path / "retention.toml")]
    said = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})
    assert said.returncode == NotInOrder.exit_code, said.stderr
    assert "unsupported" in said.stdout

    world.run(days=32)
    world.run(days=1)
    manual = rds.describe_db_snapshots(DBInstanceIdentifier="db-1", SnapshotType="manual")["DBSnapshots"]
    assert [snapshot for snapshot in manual if not snapshot["DBSnapshotIdentifier"].startswith("rds:")] == []
    assert EndState.ERASED_VERIFIED in {end.end_state for end in world.ends(GONE)}
    world.deployment.close()
