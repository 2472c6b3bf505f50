"""The provider's platform in the demo: real sealed objects and rows, a cache, plain logs and nightly backups.

It does what a platform has to do: seal customer data through the service, and tell it facts.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from retention.clock import ManualClock
from retention.errors import InputError
from retention.keys.sealed import Binding, CellSubject
from retention.keys.sealer import Sealer
from retention.model.transfer import Decision, TransferRequest, Verdict
from retention.settings.sections import BackupsSettings, FilesStore, SqlStore
from retention.wiring import (
    Parts,
    assemble,
    backup_parts,
    file_provider,
    memory_cache,
    open_store,
    transfer_parts,
)
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.backup_sets import listed_sets
from retention.workflows.copy_to_replica import copy_to_replica
from retention.workflows.decide_transfer import check_transfer
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.restore_backup import Restored, restore_backup
from retention.workflows.seal import seal
from storage_adapters.backups.contract import Whereabouts

POLICY = Path(__file__).parent / "policies.yaml"
_SCHEMA = """
CREATE TABLE session (id INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, started TEXT NOT NULL);
CREATE TABLE message (id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES session (id), body BLOB NOT NULL);
CREATE INDEX session_tenant ON session (tenant_id);
CREATE INDEX message_session ON message (session_id);
"""
_MARK = "demo.json"
_SUNDAY = 6


@dataclass(slots=True)
class Platform:
    """The running demo provider. Everything lies below `root`.

    restored, restored_customers: what came back through the restore gate, and whose data, once something has. decisions:
    what was decided on transfers. copied_count: how many objects had gone abroad when the copy was done.
    """

    root: Path
    clock: ManualClock
    deployment: Deployment
    cache_put: Callable[[str, bytes, datetime], None]
    restored: Restored | None = None
    restored_customers: tuple[str, ...] = ()
    decisions: list[Decision] = field(default_factory=list)
    copied_count: int = 0
    _fact_count: int = field(default=0)

    def tell(self, kind: str, customer: str, data: Mapping[str, object]) -> None:
        """Send the service one fact, as of now. Raises InputError where the service refuses it."""
        self._fact_count += 1
        event = {
            "specversion": "1.0",
            "id": f"fact-{self._fact_count}",
            "source": "/demo/platform",
            "type": f"cn.example.{kind}",
            "subject": customer,
            "time": self.clock.now().isoformat(),
            "data": dict(data),
        }
        read = read_facts(json.dumps(event), "demo", self.clock.now())
        if read.problems:
            raise InputError([f"{place}: {problem}" for place, problem in read.problems])
        record_facts(self.deployment, read.facts)

    def store_training_data(self, customer: str, count: int) -> None:
        """Seal `count` objects of the customer's into the object store, and warm the cache with plain features."""
        for number in range(count):
            name = f"training/{customer}/run-{number % 3}/checkpoint-{number}.bin"
            content = hashlib.shake_128(name.encode()).digest(20_000 + 7_000 * (number % 4))
            sealed = io.BytesIO()
            seal(self.deployment, customer, "training-data", name, io.BytesIO(content), sealed)
            self._write(self.root / "objects" / name, sealed.getvalue())
            self.cache_put(f"features:{customer}:{number}", content[:64], self.clock.now())

    def store_messages(self, customer: str, count: int) -> None:
        """Insert one session and `count` messages of the customer's, their bodies sealed cell by cell."""
        sealer = Sealer(self.deployment.keyring)
        with closing(sqlite3.connect(self.root / "app.db")) as database, database:
            database.execute("PRAGMA foreign_keys=ON")
            started = self.clock.now().isoformat()
            cursor = database.execute("INSERT INTO session (tenant_id, started) VALUES (?, ?)", (customer, started))
            (last,) = database.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
            for number in range(last + 1, last + 1 + count):
                cell = CellSubject("message", "body", (("id", number),))
                body = sealer.seal_value(Binding(customer, "inference-logs", cell), f"提问 {number}".encode())
                database.execute("INSERT INTO message VALUES (?, ?, ?)", (number, cursor.lastrowid, body))

    def write_access_log(self, customer: str, written_at: datetime) -> None:
        """Write one day's plain access log, dated as it would be."""
        path = self.root / "objects" / "access-logs" / customer / f"{written_at:%Y-%m-%d}.log"
        self._write(path, f"{written_at.isoformat()} GET /v1/models 200\n".encode())
        os.utime(path, (written_at.timestamp(), written_at.timestamp()))

    def back_up(self) -> None:
        """Copy the sealed training data, of all customers, into tonight's backup set; once a week the plain logs too."""
        self._back_up("nightly", "training", rotation=timedelta(days=30))
        if self.clock.now().weekday() == _SUNDAY:
            self._back_up("weekly", "access-logs", rotation=timedelta(days=50))

    def _back_up(self, series: str, kind: str, rotation: timedelta) -> None:
        """One set of the series with all objects of the kind, as they are named; expired sets are removed."""
        sets = self.root / "backups" / series
        tonight = sets / f"{self.clock.now():%Y-%m-%d}"
        source = self.root / "objects" / kind
        if source.exists() and not tonight.exists():
            shutil.copytree(source, tonight / kind)
            stamp = self.clock.now().timestamp()
            for path in tonight.rglob("*"):
                os.utime(path, (stamp, stamp))
        oldest = f"{self.clock.now() - rotation:%Y-%m-%d}"
        for expired in sorted(sets.iterdir()) if sets.exists() else []:
            if expired.name < oldest:
                shutil.rmtree(expired)

    def restore_through_the_gate(self) -> None:
        """Restore the newest weekly set that is in quarantine, as after a disaster, into an empty folder."""
        sets = [known.known for known in listed_sets(self.deployment) if "weekly" in known.known.plans]
        moved = [known.set for known in sets if known.set.whereabouts is not Whereabouts.IN_PLACE]
        newest = max(moved, key=lambda found: found.name)
        self.restored = restore_backup(self.deployment, newest.name, ["restored"])
        self.restored_customers = tuple(
            sorted(path.name for path in (self.root / "restored" / "access-logs").iterdir())
        )

    def consent_to_support(self, customer: str) -> None:
        """The customer consents, separately and for this alone, to support from Singapore."""
        given = (self.clock.now() - timedelta(hours=1)).isoformat()
        data = {
            "consent": f"K-{customer}",
            "dataset": "training-data",
            "purpose": "technical support",
            "service": "model-training",
            "recipient": "Lion Support Pte",
            "contact": "privacy@lion.example",
            "destination": "SG",
            "method": "object storage",
            "categories": ["checkpoints"],
            "rights": "privacy@lion.example, within 15 days",
            "given-at": given,
            "how-given": "a form of its own in the console",
            "separate": True,
            "document": hashlib.sha256(f"consent of {customer}".encode()).hexdigest(),
            "valid-from": given,
        }
        self.tell("consent-granted", customer, data)

    def bring_abroad(self, customer: str) -> None:
        """Ask whether the customer's training data may go to Singapore, and copy it there where it may."""
        request = TransferRequest(
            customer, "training-data", "CN", "SG", "Lion Support Pte", "technical support", "model-training", 3, 0
        )
        decided = check_transfer(self.deployment, request)
        self.decisions.append(decided.decision)
        if decided.decision.verdict is Verdict.ALLOW:
            copy_to_replica(self.deployment, decided.id, "singapore")

    def lies_abroad(self, customer: str) -> int:
        """How many of the customer's objects lie in Singapore."""
        base = self.root / "singapore" / "training" / customer
        return sum(path.is_file() for path in base.rglob("*")) if base.exists() else 0

    def fingerprint(self, customer: str) -> str:
        """A hash over every object and row of the customer's, to show that nothing of it changed."""
        digest = hashlib.sha256()
        for kind in ("training", "access-logs"):
            base = self.root / "objects" / kind / customer
            for path in sorted(base.rglob("*")) if base.exists() else []:
                digest.update(str(path.relative_to(base)).encode() + (path.read_bytes() if path.is_file() else b""))
        with closing(sqlite3.connect(self.root / "app.db")) as database:
            rows = database.execute(
                "SELECT m.* FROM message m JOIN session s ON s.id = m.session_id WHERE tenant_id = ? ORDER BY m.id",
                (customer,),
            ).fetchall()
        digest.update(repr(rows).encode())
        return digest.hexdigest()

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def open_platform(root: Path, started_at: datetime) -> Platform:
    """A new provider below `root`, with the demo's policy in force and no customer yet.

    A provider of an earlier demo is removed; any other content is left alone, and InputError raised.
    """
    _clear(root)
    clock = ManualClock(started_at)
    for folder in ("objects", "backups", "singapore"):
        (root / folder).mkdir(parents=True)
    with closing(sqlite3.connect(root / "app.db")) as database:
        database.executescript(_SCHEMA)
    (root / _MARK).write_text("{}\n", encoding="utf-8")
    keys = file_provider(root / "keys", clock)
    cache = memory_cache("cache")
    places = {
        "backups": FilesStore(kind="files", root=root / "backups", quarantine=root / "quarantine"),
        "restored": FilesStore(kind="files", root=root / "restored"),
    }
    sites = {
        "objects": FilesStore(kind="files", root=root / "objects", region="cn-north-1"),
        "singapore": FilesStore(kind="files", root=root / "singapore", region="ap-southeast-1"),
    }
    stores = {
        "objects": open_store("objects", sites["objects"]),
        "backups": open_store("backups", places["backups"]),
        "singapore": open_store("singapore", sites["singapore"]),
        "app-database": open_store(
            "app-database", SqlStore.model_validate({"kind": "sql", "url": f"sqlite:///{root}/app.db"})
        ),
        "cache": cache,
    }
    kinds = dict.fromkeys(("objects", "backups", "singapore"), "files") | {"app-database": "sql", "cache": "redis"}
    regions = dict.fromkeys(kinds, "cn-north-1") | {"singapore": "ap-southeast-1"}
    parts = Parts(
        f"sqlite:///{root}/catalog.db",
        root / "ledger",
        "demo.example/ledger",
        keys,
        keys,
        stores,
        kinds,
        store_regions=regions,
        roll_every=timedelta(days=7),
        backups=backup_parts(places, BackupsSettings(scratch=root / "scratch")),
        transfers=transfer_parts(sites),
    )
    deployment = assemble(parts, clock)
    adopt_policy(deployment, POLICY)
    return Platform(root, clock, deployment, cache.put)


def _clear(root: Path) -> None:
    if not root.exists():
        return
    if not (root / _MARK).exists() and any(root.iterdir()):
        raise InputError(f"{root} holds something that is not an earlier demo; choose another place with --into")
    shutil.rmtree(root)
