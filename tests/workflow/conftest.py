"""A small provider on the embedded parts, with a clock that moves when told."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from retention.clock import ManualClock
from retention.settings.sections import BackupsSettings, FilesStore
from retention.wiring import Parts, assemble, backup_parts, file_provider, transfer_parts
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import Recorded, record_facts
from retention.workflows.run_cycle import Cycle, run_cycle
from retention.workflows.seal import seal
from retention.workflows.status import CaseStatus, status
from storage_adapters.files import FileStore
from storage_adapters.memory import MemoryStore
from tests.services.catalogues import Catalogues

START = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)

POLICY = """
policy: {title: T, version: "1", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services:
  training: {title: Training, buffer: 15 days}
  inference: {title: Inference, buffer: {default: 15 days, arrears-started: 7 days}}
datasets:
  models:
    title: Models
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: customer
    caches: [{store: cache, keys: "features:{customer}:*"}]
    backups: [nightly]
  logs:
    title: Logs
    services: [training, inference]
    personal-information: true
    in: {store: objects, prefix: "logs/{customer}/"}
    encrypted: no
    keep-at-least: {period: 6 months, from: written, basis: CSL 23(3)}
rules:
  customer-deletion:
    title: D
    clause: "6.10"
    when: [data-deleted, service-released]
    buffer: none
    tombstone: 24 hours
    complete-within: 15 days
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired, service-terminated, arrears-started, account-closed]
    cancelled-by: [service-renewed, arrears-cleared]
    buffer: service
    tombstone: none
    complete-within: 15 days
  ordered-deletion:
    {title: O, clause: "6.2(4)", when: [deletion-ordered], buffer: none, tombstone: none, complete-within: 24 hours}
backups:
  nightly: {title: B, store: backups, sets: "nightly/{date}/", holds: [models], mixed: true, delete-after: 30 days}
limits: {customers-per-run: 50, share-of-customers: 100 %, clock-jump: 1 hour}
approval: {policy-change: 1, over-limit: 1}
schedule: {deletions: "*/10 * * * *", backups: "0 3 * * *", verification: "30 3 * * *", report: "0 6 1 * *"}
"""


@dataclass
class Provider:
    """A provider's platform and its operator: sends facts, seals data, lets the daemon run."""

    deployment: Deployment
    clock: ManualClock
    objects: Path
    cache: MemoryStore
    root: Path
    _ids: int = field(default=0)

    def tell(
        self, kind: str, customer: str, at: datetime | None = None, key: str | None = None, **data: object
    ) -> Recorded:
        """Record one fact; `at` is now unless given."""
        self._ids += 1
        self.clock.advance(timedelta(seconds=1))  # two facts of one instant would be a case of their own
        event = {
            "specversion": "1.0",
            "id": key or f"f{self._ids}",
            "source": "/platform",
            "type": kind,
            "subject": customer,
            "time": (at or self.clock.now()).isoformat(),
            "data": data,
        }
        read = read_facts(json.dumps(event), "test", self.clock.now())
        assert not read.problems, read.problems
        return record_facts(self.deployment, read.facts)

    def put_model(self, customer: str, name: str, content: bytes = b"weights") -> None:
        """Seal an object of the customer's into the store, and put a plain copy of it into the cache."""
        target = io.BytesIO()
        full = f"models/{customer}/{name}"
        seal(self.deployment, customer, "models", full, io.BytesIO(content), target)
        self._write(full, target.getvalue())
        self.cache.put(f"features:{customer}:{name}", content, self.clock.now())

    def put_log(self, customer: str, name: str, written_at: datetime) -> None:
        """Write a plain log file with its own date."""
        path = self._write(f"logs/{customer}/{name}", b"GET /")
        os.utime(path, (written_at.timestamp(), written_at.timestamp()))

    def _write(self, name: str, content: bytes) -> Path:
        path = self.objects / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        stamp = self.clock.now().timestamp()  # the store's clock is the provider's, not this machine's
        os.utime(path, (stamp, stamp))
        return path

    def back_up(self, day: str | None = None, *, series: str = "nightly") -> Path:
        """Copy every object, of all customers, into a set of today, or of the named day; files bear the present time."""
        target = self.root / "backups" / series / (day or f"{self.clock.now():%Y-%m-%d}")
        shutil.copytree(self.objects, target, ignore=shutil.ignore_patterns(".retention*"))
        stamp = self.clock.now().timestamp()
        for path in (target, *target.rglob("*")):
            os.utime(path, (stamp, stamp))
        return target

    def pass_time(self, **amount: float) -> None:
        self.clock.advance(timedelta(**amount))

    def run(self) -> Cycle:
        return run_cycle(self.deployment)

    def case(self, customer: str) -> CaseStatus:
        (found,) = status(self.deployment, customer)
        return found

    def visible(self, prefix: str) -> list[str]:
        """What an ordinary reader sees below the prefix."""
        base = self.objects / prefix
        return sorted(str(p.relative_to(self.objects)) for p in base.rglob("*") if p.is_file()) if base.exists() else []


@dataclass(frozen=True)
class Told:
    """A story up to one moment, told once: every provider that goes on from there has a disk and a cache of its own."""

    disk: Path
    clock: ManualClock
    cache: Mapping[str, bytes]
    ids: int

    @classmethod
    def by(cls, provider: Provider, disk: Path) -> Told:
        """What the provider has come to; it is closed. Its disk is copied to `disk`."""
        provider.deployment.close()
        shutil.copytree(provider.root, disk)
        return cls(disk, copy.copy(provider.clock), provider.cache.read_all(), provider._ids)

    def go_on(self, root: Path) -> Provider:
        """A provider at that moment, on the empty disk `root`."""
        shutil.copytree(self.disk, root, dirs_exist_ok=True)
        provider = open_provider(root, copy.copy(self.clock))
        for key, content in self.cache.items():
            provider.cache.put(key, content, provider.clock.now())
        provider._ids = self.ids
        return provider


def open_provider(
    root: Path, clock: ManualClock, catalog_url: str | None = None, lease_term: timedelta = timedelta(seconds=15)
) -> Provider:
    """A process of the provider's; its catalogue is a file of the embedded kind where no URL is given."""
    objects, backups, abroad = root / "objects", root / "backups", root / "sg"
    for folder in (objects, backups, abroad):
        folder.mkdir(exist_ok=True, parents=True)
    keys = file_provider(root / "keys", clock)
    cache = MemoryStore("cache")
    parts = Parts(
        catalog_url=catalog_url or f"sqlite:///{root / 'catalog.db'}",
        ledger_directory=root / "ledger",
        origin="test.example/ledger",
        provider=keys,
        ledger_keys=keys,
        stores={
            "objects": FileStore("objects", objects),
            "cache": cache,
            "backups": FileStore("backups", backups),
            "sg": FileStore("sg", abroad),
        },
        store_kinds={"objects": "files", "cache": "redis", "backups": "files", "sg": "files"},
        store_regions={"objects": "cn-north-1", "cache": "cn-north-1", "backups": "cn-north-1", "sg": "ap-southeast-1"},
        lease_term=lease_term,
        backups=backup_parts(
            {
                "backups": FilesStore(kind="files", root=backups, quarantine=root / "quarantine"),
                "restored": FilesStore(kind="files", root=root / "restored"),
            },
            BackupsSettings(scratch=root / "scratch"),
        ),
        transfers=transfer_parts(
            {
                "objects": FilesStore(kind="files", root=objects, region="cn-north-1"),
                "sg": FilesStore(kind="files", root=abroad, region="ap-southeast-1"),
            }
        ),
    )
    return Provider(assemble(parts, clock), clock, objects, cache, root)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path, server_catalogues: Catalogues) -> str:
    """The URL of an empty catalogue of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    return server_catalogues.empty(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def processes(tmp_path: Path, catalog_url: str) -> Iterator[Callable[[], Provider]]:
    """Each call is another process of one and the same provider, on every kind of catalogue; they share one clock."""
    clock = ManualClock(START)
    opened: list[Provider] = []

    def another() -> Provider:
        opened.append(open_provider(tmp_path / "disk", clock, catalog_url))
        return opened[-1]

    policy = tmp_path / "policies.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    adopt_policy(another().deployment, policy)
    yield another
    for process in opened:
        process.deployment.close()


@pytest.fixture(scope="session")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A provider that has adopted its policy, and nothing else has happened."""
    root = tmp_path_factory.mktemp("adopted")
    opened = open_provider(root / "first", ManualClock(START))
    policy = opened.root / "policies.yaml"
    policy.write_text(POLICY, encoding="utf-8")
    adopt_policy(opened.deployment, policy)
    return Told.by(opened, root / "disk")


@pytest.fixture
def provider(tmp_path: Path, adopted: Told) -> Iterator[Provider]:
    opened = adopted.go_on(tmp_path)
    yield opened
    opened.deployment.close()
