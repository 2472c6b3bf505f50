"""A provider in memory for random stories: what was written and told, and rules of thumb for what may have happened to it."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlmodel import SQLModel

from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.catalog import policies
from retention.catalog.database import Catalog
from retention.catalog.keys import CatalogKeyStore
from retention.clock import ManualClock, SystemClock
from retention.errors import RefusedByRule
from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.particulars import particulars_key
from retention.evidence.particulars_files import ParticularsFiles
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.model.key import WrappedKey
from retention.policy.canonical import canonical_document
from retention.policy.load import parse_policy
from retention.wiring import LedgerSigner
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import Recorded, record_facts
from retention.workflows.seal import open_sealed, seal
from storage_adapters.contract import Prefix, Store
from storage_adapters.faults import FaultyStore, Operation, Schedule
from storage_adapters.files import FileStore
from storage_adapters.memory import MemoryStore

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
CUSTOMERS = ("c-1", "c-10")
DATASETS = ("models", "notes")
POLICY = """
policy: {title: T, version: "1", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services: {training: {title: Training, buffer: 3 days}}
datasets:
  models:
    title: Models
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: customer
    caches: [{store: cache, keys: "models:{customer}:*"}]
  notes:
    title: Notes
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "notes/{customer}/"}
    encrypted: no
rules:
  customer-deletion:
    {title: D, clause: "6.10", when: [data-deleted], buffer: none, tombstone: 24 hours, complete-within: 15 days}
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired, arrears-started]
    cancelled-by: [service-renewed, arrears-cleared]
    buffer: service
    tombstone: none
    complete-within: 15 days
limits: {customers-per-run: 50, share-of-customers: 100 %, clock-jump: 1 hour}
"""
PARSED = parse_policy(POLICY, "policies.yaml")


@dataclass(frozen=True, slots=True)
class Written:
    """One object of a customer's, as it was written."""

    customer: str
    dataset: str
    name: str
    content: bytes
    at: datetime


@dataclass(slots=True)
class Truth:
    """What the told facts allow for one customer, by rules of thumb: one service, facts told as they happen."""

    endings: dict[str, datetime] = field(default_factory=dict)
    orders: dict[str, datetime] = field(default_factory=dict)
    holds: set[str] = field(default_factory=set)

    def hear(self, kind: str, key: str, at: datetime, about: str) -> None:
        """`about` is the hold, or the fact that is withdrawn."""
        match kind:
            case "service-expired" | "arrears-started":
                self.endings.setdefault(kind, at)
            case "service-activated" | "service-renewed":
                self.endings.clear()
            case "arrears-cleared":
                self.endings.pop("arrears-started", None)
            case "data-deleted":
                self.orders[key] = at
            case "deletion-withdrawn":
                self.orders.pop(about, None)
            case "hold-placed":
                self.holds.add(about)
            case "hold-released":
                self.holds.discard(about)

    def may_go(self, now: datetime) -> bool:
        """Whether something may be destroyed at this instant."""
        ended = [at for at in self.endings.values() if now >= _midnight_after(at, days=3)]
        ordered = [at for at in self.orders.values() if now >= at + timedelta(hours=24)]
        return bool(ended or ordered) and not self.holds

    @property
    def is_wanted(self) -> bool:
        """Whether nobody has asked for anything to go."""
        return not self.endings and not self.orders


def _midnight_after(at: datetime, days: int) -> datetime:
    last = at.astimezone(SHANGHAI).date() + timedelta(days=days + 1)
    return datetime.combine(last, time(), SHANGHAI).astimezone(UTC)


@dataclass(slots=True)
class Provider:
    """One service over stores that fail as their schedules say; `inner` and `cache` are the stores themselves."""

    catalog: Catalog
    folder: Path
    inner: Store
    cache: MemoryStore
    faults: Schedule
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    written: list[Written] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=lambda: {name: Truth() for name in CUSTOMERS})
    told: int = 0

    @classmethod
    def fresh(cls, catalog: Catalog, folder: Path, kind: str, faults: Schedule) -> Provider:
        """A provider without a past. `kind` is that of its store of objects: memory or files."""
        with catalog.transaction() as session:
            for table in reversed(SQLModel.metadata.sorted_tables):
                session.execute(delete(table))
            policies.add_version(session, PARSED.hash, PARSED.version, canonical_document(PARSED), START)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "objects").mkdir(parents=True)
        inner = MemoryStore("objects") if kind == "memory" else FileStore("objects", folder / "objects")
        keys = FileKeyProvider.create(folder / "keys", lambda: START)
        keys.create_ledger_keys()
        Ledger.create(folder / "ledger", LedgerSigner("test.example/ledger", keys))
        return cls(catalog, folder, inner, MemoryStore("cache", tombstones=False), faults)

    def started(self) -> Deployment:
        """The service as a process that has just started."""
        keys = FileKeyProvider(self.folder / "keys", self.clock.now)
        signer = LedgerSigner("test.example/ledger", keys)
        ledger = Ledger(self.folder / "ledger", signer.verifier_key)
        secret = keys.commitment_key()
        particulars = ParticularsFiles(self.folder / "particulars", particulars_key(secret, ledger.key.name))
        store, wall = CatalogKeyStore(self.catalog), SystemClock()
        only = self.inner.only if isinstance(self.inner, MemoryStore) else None
        return Deployment(
            catalog=self.catalog,
            journal=Journal(self.catalog, ledger, particulars, signer, Commitments(secret)),
            stores={
                "objects": FaultyStore(self.inner, self.faults, only),
                "cache": FaultyStore(self.cache, self.faults, self.cache.only),
            },
            provider=keys,
            key_store=store,
            keyring=Keyring(store, keys, self.clock.now, lambda: self.clock.ticks),
            clock=self.clock,
            wall=wall,
        )

    def heal(self) -> None:
        """No store fails any more."""
        while not self.faults.has_ended():
            for operation in Operation:
                self.faults.take(operation)

    def keys_of(self, customer: str) -> tuple[WrappedKey, ...]:
        """The customer's keys as the catalogue has them."""
        with self.catalog.reading() as session:
            return key_rows.all_keys(session, customer)

    def tell(self, kind: str, customer: str, about: str = "") -> Recorded:
        """Record a fact that happens now."""
        self.told += 1
        self.clock.advance(timedelta(seconds=1))
        key = f"f{self.told}"
        self.truths[customer].hear(kind, key, self.clock.now(), about)
        return record_facts(
            self.started(), read_facts(event(kind, customer, key, self.clock.now(), about), "t", self.clock.now()).facts
        )

    def write(self, customer: str, dataset: str) -> bool:
        """Write one more object, sealed where it has to be, with a plain copy in the cache; False where refused."""
        deployment = self.started()
        name = f"{dataset}/{customer}/item-{len(self.written)}"
        content = f"{name} of {customer}".encode()
        target = io.BytesIO()
        try:
            if dataset == "models":
                seal(deployment, customer, dataset, name, io.BytesIO(content), target)
            else:
                target.write(content)
                with self.catalog.reading() as session:
                    case_rows.refuse_writing(session, customer, dataset)
        except RefusedByRule:
            return False
        self.clock.advance(timedelta(seconds=1))
        self._put(name, target.getvalue())
        if dataset == "models":
            self.cache.put(f"models:{customer}:{name}", content, self.clock.now())
        self.written.append(Written(customer, dataset, name, content, self.clock.now()))
        return True

    def _put(self, name: str, content: bytes) -> None:
        if isinstance(self.inner, MemoryStore):
            self.inner.put(name, content, self.clock.now())
            return
        path = self.folder / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (self.clock.now().timestamp(),) * 2)

    def there(self, customer: str, dataset: str) -> set[str]:
        """The names of the objects whose bytes are still there, hidden or not, by the store itself."""
        items = [item.name for page in self.inner.survey(Prefix(f"{dataset}/{customer}/")) for item in page]
        return {
            one.name for one in self.written if any(_last(one.name) == _last(item.partition("#")[0]) for item in items)
        }

    def readable(self, one: Written) -> bool:
        """Whether an ordinary reader gets the content that was written."""
        if isinstance(self.inner, MemoryStore):
            stored = self.inner.get(one.name)
        else:
            path = self.folder / "objects" / one.name
            stored = path.read_bytes() if path.is_file() else None
        if stored is None:
            return False
        if one.dataset == "notes":
            return stored == one.content
        target = io.BytesIO()
        try:
            open_sealed(self.started(), one.customer, one.dataset, one.name, io.BytesIO(stored), target)
        except RefusedByRule:
            return False
        return target.getvalue() == one.content


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def event(kind: str, customer: str, key: str, at: datetime, about: str = "") -> str:
    """A CloudEvents line."""
    data: dict[str, object] = {}
    if kind.startswith("service-"):
        data = {"service": "training"}
    elif kind.startswith("hold-"):
        data = {"hold": about, "ground": "g", "authority": "a"}
    elif kind == "deletion-withdrawn":
        data = {"withdraws": {"source": "/p", "id": about}}
    envelope = {"specversion": "1.0", "source": "/p", "id": key, "type": kind, "subject": customer}
    return json.dumps({**envelope, "time": at.isoformat(), "data": data})


def names_of(written: Iterable[Written], customer: str, dataset: str) -> set[str]:
    """The names of what was written for a customer's dataset."""
    return {one.name for one in written if (one.customer, one.dataset) == (customer, dataset)}
