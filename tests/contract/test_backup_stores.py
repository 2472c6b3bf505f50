"""Every backup store passes the suite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from botocore.exceptions import ClientError

from storage_adapters.backups.buckets import BucketBackups
from storage_adapters.backups.conformance import BackupBench, BackupConformance
from storage_adapters.backups.contract import Whereabouts
from storage_adapters.backups.folders import FolderBackups
from tests.services.buckets import fresh_bucket
from tests.services.cloud import Cloud, enforced_cloud
from tests.services.passage import let_others_pass


class FolderBench:
    """A directory that anyone may read, with a quarantine folder or without."""

    opens_quarantined = True

    def __init__(self, folder: Path, *, moves: bool) -> None:
        self._root = folder / "backups"
        self._quarantine = folder / "quarantine"
        self._root.mkdir()
        self._root.chmod(0o755)
        self.restricts = Whereabouts.MOVED if moves else Whereabouts.FENCED
        self.store = FolderBackups("nas", self._root, self._quarantine if moves else None)

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read(self, path: str) -> bytes | None:
        if os.geteuid() != 0:
            try:
                return (self._root / path).read_bytes()
            except OSError:
                return None
        done = subprocess.run(["cat", str(self._root / path)], capture_output=True, user=65534, extra_groups=[])
        return None if done.returncode else done.stdout

    def everything(self) -> set[str]:
        return {
            str(Path(folder, leaf))
            for top in (self._root, self._quarantine)
            for folder, _, leaves in os.walk(top)
            for leaf in leaves
        }

    def lock(self, path: str) -> Callable[[], None] | None:
        done = subprocess.run(["chattr", "+i", str(self._root / path)], capture_output=True)
        if done.returncode:
            return None

        def unlock() -> None:
            subprocess.run(["chattr", "-i", str(self._root / path)], check=True)

        return unlock

    def unlock_all(self) -> None:
        subprocess.run(["chattr", "-R", "-i", str(self._root)], capture_output=True)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder below which another user can enter what is open to it: the test's own is closed above."""
    let_others_pass(tmp_path)
    return tmp_path


class TestFolderWithQuarantine(BackupConformance):
    @pytest.fixture
    def bench(self, open_folder: Path) -> Iterator[BackupBench]:
        bench = FolderBench(open_folder, moves=True)
        yield bench
        bench.unlock_all()


class TestFolderWithFences(BackupConformance):
    @pytest.fixture
    def bench(self, open_folder: Path) -> Iterator[BackupBench]:
        bench = FolderBench(open_folder, moves=False)
        yield bench
        bench.unlock_all()


class BucketBench:
    """A bucket of moto, with a quarantine bucket or without. moto lets nobody through a fence, whoever it names.

    With a quarantine bucket moto enforces IAM, so that the normal credentials are really refused there.
    """

    def __init__(self, cloud: Cloud, *, moves: bool, is_locking: bool, versioned: bool = True) -> None:
        self._client = cloud.client
        self._bucket = fresh_bucket(cloud.client, object_lock=is_locking, versioned=versioned)
        self._quarantine = fresh_bucket(cloud.client) if moves else None
        self._is_locking = is_locking
        self.restricts = Whereabouts.MOVED if moves else Whereabouts.FENCED
        self.opens_quarantined = moves
        settings = cloud.settings(self._bucket, cloud.user("normal", self._bucket))
        there = None
        if self._quarantine is not None:
            there = cloud.settings(self._quarantine, cloud.user("keeper", self._quarantine))
        self.store = BucketBackups("nas", settings, there)

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content)

    def read(self, path: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=path)["Body"].read()
        except ClientError:
            return None

    def everything(self) -> set[str]:
        names = set()
        for bucket in (self._bucket, self._quarantine):
            if bucket is not None:
                said = self._client.list_object_versions(Bucket=bucket)
                entries = [*said.get("Versions", []), *said.get("DeleteMarkers", [])]
                names |= {f"{bucket}/{entry['Key']}?{entry['VersionId']}" for entry in entries}
                uploads = self._client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
                names |= {f"{bucket}/{one['Key']}?{one['UploadId']}" for one in uploads}
        return names

    def lock(self, path: str) -> Callable[[], None] | None:
        if not self._is_locking:
            return None

        def hold(status: Literal["ON", "OFF"]) -> None:
            self._client.put_object_legal_hold(Bucket=self._bucket, Key=path, LegalHold={"Status": status})

        hold("ON")
        return lambda: hold("OFF")


class TestBucketWithQuarantine(BackupConformance):
    @pytest.fixture
    def bench(self, cloud: Cloud) -> Iterator[BackupBench]:
        bench = BucketBench(cloud, moves=True, is_locking=True)
        yield bench
        bench.store.close()


class TestBucketWithoutVersions(BackupConformance):
    @pytest.fixture
    def bench(self, cloud: Cloud) -> Iterator[BackupBench]:
        bench = BucketBench(cloud, moves=True, is_locking=False, versioned=False)
        yield bench
        bench.store.close()


class TestBucketWithFences(BackupConformance):
    @pytest.fixture
    def bench(self, cloud: Cloud) -> Iterator[BackupBench]:
        bench = BucketBench(cloud, moves=False, is_locking=True)
        yield bench
        bench.store.close()


@pytest.fixture
def cloud(s3_endpoint: str) -> Iterator[Cloud]:
    with enforced_cloud(s3_endpoint) as cloud:
        yield cloud
