"""Backup sets in buckets: every version, Object Lock that grows and ends, and a quarantine bucket of its own credentials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from retention.clock import SystemClock
from retention.model.copy import EndState
from retention.workflows.restore_backup import restore_backup
from tests.acceptance.backup_world import (
    EVERYBODY,
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
from tests.services.buckets import REGION, fresh_bucket
from tests.services.cloud import Cloud, Key, enforced_cloud

OWN = series("models", "mixed: false", sets="own/{customer}/{date}/", name="own")
NIGHTLY = series("models", 'mixed: true, objects: "objects/"')


@pytest.fixture
def cloud(s3_endpoint: str) -> Iterator[Cloud]:
    with enforced_cloud(s3_endpoint) as cloud:
        yield cloud


class Bucketed:
    """A service whose backups lie in a bucket, seen by somebody who may do everything there.

    The store writes its own times, so the service's clock begins an hour after the machine's.
    """

    def __init__(self, root: Path, cloud: Cloud, policy: str, *, quarantine: bool) -> None:
        self.cloud = cloud
        self.bucket = fresh_bucket(cloud.client, object_lock=True)
        self.kept = fresh_bucket(cloud.client) if quarantine else None
        self.normal = cloud.user("normal", self.bucket)
        fill_objects(root / "objects")
        write_settings(
            root,
            {
                "objects": {"kind": "files", "root": root / "objects"},
                "backups": {**self._section(self.normal), **self._quarantine()},
                "objects-back": {"kind": "files", "root": root / "objects-back"},
            },
        )
        self.world = World.begin(root, policy, SystemClock().now() + timedelta(hours=1))
        self.day = f"{self.world.clock.now():%Y-%m-%d}"

    def _section(self, key: Key) -> dict[str, object]:
        endpoint = self.cloud.endpoint
        place = {"kind": "s3", "bucket": self.bucket, "region": REGION, "endpoint": endpoint}
        return {**place, "access-key": key.access, "secret-key": key.secret}

    def _quarantine(self) -> dict[str, object]:
        if self.kept is None:
            return {}
        keeper = self.cloud.user("keeper", self.kept)
        keys = {"quarantine-access-key": keeper.access, "quarantine-secret-key": keeper.secret}
        return {"quarantine": self.kept, **keys}

    def back_up_own(self, customer: str) -> str:
        """A set of the customer's own, each file in two versions; its name."""
        name = f"own/{customer}/{self.day}/"
        for version in (b"old", b"new"):
            for file in ("a.bin", "深/b.bin"):
                key = f"{name}models/{customer}/{file}"
                self.cloud.client.put_object(Bucket=self.bucket, Key=key, Body=version)
        return name

    def back_up_all(self) -> str:
        """A nightly set of everybody; its name."""
        name = f"nightly/{self.day}/"
        objects = self.world.root / "objects"
        for path in sorted(objects.rglob("*.bin")):
            key = f"{name}objects/{path.relative_to(objects)}"
            self.cloud.client.put_object(Bucket=self.bucket, Key=key, Body=path.read_bytes())
        return name

    def versions(self, bucket: str, prefix: str = "") -> list[tuple[str, str]]:
        said = self.cloud.client.list_object_versions(Bucket=bucket, Prefix=prefix)
        entries = [*said.get("Versions", []), *said.get("DeleteMarkers", [])]
        return sorted((entry["Key"], entry["VersionId"]) for entry in entries)

    def reads(self, key: str) -> bool:
        """Whether the ordinary user still reads the object."""
        import boto3

        session = boto3.session.Session(self.normal.access, self.normal.secret, region_name=REGION)
        client = session.client("s3", endpoint_url=self.cloud.endpoint)
        try:
            client.get_object(Bucket=self.bucket, Key=key)["Body"].close()
        except ClientError:
            return False
        finally:
            client.close()
        return True


def test_a_locked_set_waits_out_of_reach_for_as_long_as_its_lock_grows_and_goes_when_it_ends(
    tmp_path: Path, cloud: Cloud
) -> None:
    here = Bucketed(tmp_path, cloud, policy_of(FILES % "own", OWN), quarantine=False)
    world = here.world
    gone, stays = here.back_up_own(GONE), here.back_up_own(STAYS)
    others = here.versions(here.bucket, stays)
    key = f"{gone}models/{GONE}/a.bin"
    first = world.clock.now().replace(microsecond=0) + timedelta(days=2)

    def lock_until(at: object) -> None:
        cloud.client.put_object_retention(
            Bucket=here.bucket, Key=key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": str(at)}
        )

    lock_until(first)
    world.delete(GONE, "models")
    end = world.end(GONE)
    assert (end.end_state, end.until) == (EndState.QUARANTINED, first)
    assert "the store locks it: compliance" in (end.reason or "")
    assert "GetObject: AccessDenied" in (end.refusal or "")
    assert len(here.versions(here.bucket, gone)) == 4, "nothing of it went: all or nothing"
    assert not here.reads(key)
    assert here.reads(f"{stays}models/{STAYS}/a.bin")
    (issued,) = world.certificates(GONE)
    assert not issued.final
    assert [each.until for each in issued.certificate.statement.exceptions] == [first]

    later = first + timedelta(days=3)
    lock_until(later)
    world.run(days=2, minutes=10)
    assert (world.end(GONE).end_state, world.end(GONE).until) == (EndState.QUARANTINED, later)
    (issued,) = world.certificates(GONE)
    assert [each.until for each in issued.certificate.statement.exceptions] == [later]

    # the days go by for the server too: what no request can do to a COMPLIANCE lock
    for version in s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[here.bucket].keys.getlist(key):
        if version.lock_until:
            version.lock_until = "2020-01-01T00:00:00Z"
    world.run(days=3)
    assert world.end(GONE).end_state is EndState.ERASED_VERIFIED
    assert here.versions(here.bucket, gone) == []
    assert here.versions(here.bucket, stays) == others
    world.run(days=1)
    assert [(case.state, issued.final) for case in world.cases(GONE) for issued in world.certificates(GONE)] == [
        ("certified", True)
    ]
    world.deployment.close()


def test_a_legal_hold_has_no_date_and_the_first_cycle_after_it_is_lifted_deletes(tmp_path: Path, cloud: Cloud) -> None:
    here = Bucketed(tmp_path, cloud, policy_of(FILES % "own", OWN), quarantine=True)
    world = here.world
    gone = here.back_up_own(GONE)
    key = f"{gone}models/{GONE}/a.bin"
    cloud.client.put_object_legal_hold(Bucket=here.bucket, Key=key, LegalHold={"Status": "ON"})
    world.delete(GONE, "models")
    end = world.end(GONE)
    assert (end.end_state, end.until) == (EndState.QUARANTINED, None)
    assert "legal-hold" in (end.reason or "")
    assert "fenced where it lies" in (end.reason or ""), "a locked set is never moved"
    assert not here.reads(key)
    world.run(days=1)
    assert world.end(GONE).end_state is EndState.QUARANTINED
    cloud.client.put_object_legal_hold(Bucket=here.bucket, Key=key, LegalHold={"Status": "OFF"})
    world.run(minutes=10)
    assert world.end(GONE).end_state is EndState.ERASED_VERIFIED
    assert here.versions(here.bucket) == []
    world.deployment.close()


def test_a_mixed_set_moves_to_a_bucket_that_ordinary_credentials_do_not_open(tmp_path: Path, cloud: Cloud) -> None:
    here = Bucketed(tmp_path, cloud, policy_of(FILES % "nightly", NIGHTLY), quarantine=True)
    world = here.world
    objects = read_objects(tmp_path / "objects")
    night = here.back_up_all()
    assert here.kept is not None
    world.tell("service-expired", WAITS)
    world.delete(GONE, "models")
    end = world.end(GONE)
    assert end.end_state is EndState.QUARANTINED
    assert "moved to quarantine" in (end.reason or "")
    assert "GetObject: AccessDenied" in (end.refusal or "")
    assert here.versions(here.bucket, night) == []
    assert len(here.versions(here.kept)) == 2 * len(EVERYBODY)
    restored = restore_backup(world.deployment, night, ["objects-back"])
    assert (restored.replayed, restored.removed) == (2, 4)
    back = read_objects(tmp_path / "objects-back" / "objects")
    assert back == {owner: objects[owner] for owner in (STAYS, LATER)}
    world.run(days=32)
    assert world.end(GONE).end_state is EndState.ERASED_VERIFIED
    assert here.versions(here.kept) == []
    world.deployment.close()
