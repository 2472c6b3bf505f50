"""A provider with backups for random stories, and what can be told of its disk without asking the service.

Everything that is written bears bytes that nothing else bears; what lies where is found by looking for them in every file
of the live folder and of the quarantine.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlmodel import SQLModel

from retention.catalog import cases as case_rows
from retention.catalog.database import Catalog
from retention.catalog.keys import CatalogKeyStore
from retention.clock import ManualClock, SystemClock
from retention.errors import RefusedByRule
from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.particulars import particulars_key
from retention.evidence.particulars_files import ParticularsFiles
from retention.keys.errors import KeyGone, KeyRefused
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.keys.sealed import HEADER_LENGTH, read_header
from retention.model.case import StrandState
from retention.model.record import StrandRecord
from retention.settings.sections import BackupsSettings, FilesStore
from retention.wiring import LedgerSigner, backup_parts
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.check_policy import check_policy
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.seal import seal
from storage_adapters.backups.contract import BackupSet, Deletion, SetFile, SetLayout, Whereabouts
from storage_adapters.backups.folders import FolderBackups
from storage_adapters.errors import Unavailable
from storage_adapters.files import FileStore

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
CUSTOMERS = ("c-1", "c-10", "客户二")
DATASETS = ("models", "notes")
KINDS = {"objects": "files", "backups": "files"}
POLICY = """
policy: {{title: T, version: "{version}", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}}
services: {{training: {{title: Training, buffer: 3 days}}}}
datasets:
  models:
    title: Models
    services: [training]
    personal-information: true
    in: {{store: objects, prefix: "models/{{customer}}/"}}
    encrypted: customer
    backups: [{series}]
  notes:
    title: Notes
    services: [training]
    personal-information: true
    in: {{store: objects, prefix: "notes/{{customer}}/"}}
    encrypted: no
    backups: [{series}]
rules:
  customer-deletion:
    {{title: D, clause: "6.10", when: [data-deleted], buffer: none, tombstone: 24 hours, complete-within: 15 days}}
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired, account-closed]
    cancelled-by: [service-renewed]
    buffer: service
    tombstone: none
    complete-within: 15 days
backups:
  nightly: {{title: N, store: backups, sets: "nightly/{{date}}/", {rest}, delete-after: {days} days}}
  weekly: {{title: W, store: backups, sets: "weekly/{{date}}/", {rest}, delete-after: 20 days, anonymise: true}}
  own:
    {{title: O, store: backups, sets: "own/{{customer}}/{{date}}/", {own}, delete-after: 20 days}}
{more}
limits: {{customers-per-run: 50, share-of-customers: 100 %, clock-jump: 1 hour}}
approval: {{policy-change: 1, over-limit: 1}}
"""
_REST = "holds: [models, notes], mixed: true"
_MANUAL = f'  manual: {{title: M, store: backups, sets: "manual/{{date}}/", {_REST}, delete-after: 9 days}}'
SHORTEST = timedelta(days=6)
"""The shortest rotation that any version of the policy gives any series, less what a time zone may make of it."""


def policy_text(version: int) -> str:
    """The policy's version: the second one declares a series more, the third one keeps nightly sets for less long."""
    return POLICY.format(
        version=version,
        series="nightly, weekly, own" + (", manual" if version > 1 else ""),
        rest=_REST,
        own=_REST.replace("true", "false"),
        days=7 if version > 2 else 10,
        more=_MANUAL if version > 1 else "",
    )


class Killed(BaseException):
    """The process dies here."""


class UnreliableBackups(FolderBackups):
    """A folder of backups that does not answer some calls, and with which the process may die after a change."""

    failing: frozenset[str] = frozenset()
    dies_after: str = ""

    def _asked(self, call: str) -> None:
        if call in self.failing:
            raise Unavailable(self.name, "it does not answer")

    def _done(self, call: str) -> None:
        if call == self.dies_after:
            self.dies_after = ""
            raise Killed

    def sets(self, layouts: Sequence[SetLayout], claimed: Sequence[str] = ()) -> Iterator[BackupSet]:
        """As a folder does, or Unavailable."""
        self._asked("sets")
        return super().sets(layouts, claimed)

    def heads(self, name: str, length: int) -> Iterator[tuple[SetFile, bytes]]:
        """As a folder does, or Unavailable."""
        self._asked("heads")
        return super().heads(name, length)

    def delete(self, name: str) -> Deletion:
        """As a folder does, or Unavailable; the process may die afterwards."""
        self._asked("delete")
        deletion = super().delete(name)
        self._done("delete")
        return deletion

    def quarantine(self, name: str) -> Whereabouts:
        """As a folder does, or Unavailable; the process may die afterwards."""
        self._asked("quarantine")
        where = super().quarantine(name)
        self._done("quarantine")
        return where


@dataclass(frozen=True, slots=True)
class Written:
    """What a customer wrote once. `stored`: its bytes as they lie in stores, which nothing else contains."""

    customer: str
    dataset: str
    name: str
    stored: bytes
    at: datetime


@dataclass(slots=True)
class World:
    """One provider and its disk. `placed`: what was in each set when somebody had last put a hand to it, by its name.

    touched: sets that somebody copied, moved or made by hand since the service last looked at everything.
    """

    catalog: Catalog
    root: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    written: list[Written] = field(default_factory=list)
    ended: dict[str, datetime] = field(default_factory=dict)
    orders: dict[tuple[str, str], datetime] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    placed: dict[str, frozenset[Written]] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    failing: frozenset[str] = frozenset()
    dies_after: str = ""
    version: int = 1
    told: int = 0

    @classmethod
    def fresh(cls, catalog: Catalog, root: Path) -> World:
        """A provider without a past, whose three customers have a service and data."""
        with catalog.transaction() as session:
            for table in reversed(SQLModel.metadata.sorted_tables):
                session.execute(delete(table))
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("objects", "backups", "elsewhere"):
            (root / folder).mkdir(parents=True)
        keys = FileKeyProvider.create(root / "keys", lambda: START)
        keys.create_ledger_keys()
        Ledger.create(root / "ledger", LedgerSigner("test.example/ledger", keys))
        world = cls(catalog, root)
        world.adopt(1)
        for customer in CUSTOMERS:
            world.tell("service-activated", customer, service="training")
            for dataset in DATASETS:
                world.write(customer, dataset)
        return world

    def started(self) -> Deployment:
        """The service as a process that has just started."""
        keys = FileKeyProvider(self.root / "keys", self.clock.now)
        signer = LedgerSigner("test.example/ledger", keys)
        ledger = Ledger(self.root / "ledger", signer.verifier_key)
        secret = keys.commitment_key()
        particulars = ParticularsFiles(self.root / "particulars", particulars_key(secret, ledger.key.name))
        store = CatalogKeyStore(self.catalog)
        restored = FilesStore(kind="files", root=self.root / "restored")
        parts = backup_parts({"restored": restored}, BackupsSettings(scratch=self.root / "scratch"))
        backups = UnreliableBackups("backups", self.root / "backups", self.root / "quarantine")
        backups.failing, backups.dies_after, self.dies_after = self.failing, self.dies_after, ""
        return Deployment(
            catalog=self.catalog,
            journal=Journal(self.catalog, ledger, particulars, signer, Commitments(secret)),
            stores={"objects": FileStore("objects", self.root / "objects")},
            provider=keys,
            key_store=store,
            keyring=Keyring(store, keys, self.clock.now, lambda: self.clock.ticks),
            clock=self.clock,
            wall=SystemClock(),
            store_kinds=KINDS,
            backups=replace(parts, stores={"backups": backups}),
        )

    # ---------------------------------------------------------------------------------------------- what happens

    def adopt(self, version: int) -> None:
        """This version of the policy is in force."""
        path = self.root / "policies.yaml"
        path.write_text(policy_text(version), encoding="utf-8")
        deployment = self.started()
        if version > 1:
            approve(deployment, check_policy(path, KINDS).hash, "chief officer")
        adopt_policy(deployment, path)
        self.version = version

    def tell(self, kind: str, customer: str, **data: object) -> None:
        """Record a fact that happens now."""
        self.told += 1
        self.clock.advance(timedelta(seconds=1))
        now = self.clock.now()
        envelope = {"specversion": "1.0", "source": "/p", "id": f"f{self.told}", "type": kind, "subject": customer}
        read = read_facts(json.dumps({**envelope, "time": now.isoformat(), "data": data}), "t", now)
        assert not read.problems, read.problems
        record_facts(self.started(), read.facts)
        if kind in ("service-expired", "account-closed"):
            self.ended.setdefault(customer, now)
        elif kind in ("service-renewed", "service-activated"):
            self.ended.pop(customer, None)
        elif kind == "data-deleted":
            for dataset in DATASETS if "dataset" not in data else [str(data["dataset"])]:
                self.orders[customer, dataset] = now
        elif kind == "hold-placed":
            self.holds[str(data["hold"])] = customer
        elif kind == "hold-released":
            self.holds.pop(str(data["hold"]), None)

    def write(self, customer: str, dataset: str) -> None:
        """The customer's application writes one more object, unless it is refused."""
        self.clock.advance(timedelta(seconds=1))
        name = f"{dataset}/{customer}/item-{len(self.written)}"
        content = f"<<{name} of {customer}>>".encode()
        target = io.BytesIO()
        try:
            if dataset == "models":
                seal(self.started(), customer, dataset, name, io.BytesIO(content), target)
            else:
                with self.catalog.reading() as session:
                    case_rows.refuse_writing(session, customer, dataset)
                target.write(content)
        except RefusedByRule:
            return
        path = self.root / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(target.getvalue())
        self._dated(path)
        self.written.append(Written(customer, dataset, name, target.getvalue(), self.clock.now()))

    def _dated(self, path: Path) -> None:
        os.utime(path, (self.clock.now().timestamp(),) * 2)

    def set_name(self, series: str) -> str:
        """The name of a set of now, as local time has it."""
        return f"{series}/{self.clock.now().astimezone(SHANGHAI):%Y-%m-%dT%H-%M}/"

    def back_up(self, series: str, customer: str, *, stray: bool) -> None:
        """A set of this series, of now; `stray`: an export of everything lies in it, which is no dataset."""
        self.clock.advance(timedelta(minutes=1))
        name = self.set_name(series if series != "own" else f"own/{customer}")
        target, objects = self.root / "backups" / name, self.root / "objects"
        found = [path for path in sorted(objects.rglob("*")) if path.is_file() and ".retention" not in str(path)]
        if series == "own":
            found = [path for path in found if path.parent.name == customer]
        if not found:
            return
        target.mkdir(parents=True, exist_ok=True)
        if series == "weekly":
            with tarfile.open(target / "all.tar", "w") as archive:
                for path in found:
                    archive.add(path, str(path.relative_to(objects)))
        else:
            for path in found:
                (target / path.relative_to(objects)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target / path.relative_to(objects))
        if stray:
            plain = [path.read_bytes() for path in found if path.parent.parent.name == "notes"]
            (target / "export.csv").write_bytes(b"name,amount\n" + b"\n".join(plain))
        for path in (target, *target.rglob("*")):
            self._dated(path)
        self._put_by_hand(name, is_touched=False)

    def live_sets(self) -> list[str]:
        """The names of the sets in the live folder."""
        return sorted(name for name in self.placed if (self.root / "backups" / name).is_dir())

    def _put_by_hand(self, name: str, *, is_touched: bool = True) -> None:
        self.placed[name] = frozenset(self.inside(name))
        if is_touched:
            self.touched.add(name)

    def keep_a_copy(self, name: str) -> None:
        """Somebody copies the set to a place of which the service knows nothing."""
        target = self.root / "elsewhere" / name
        if not target.exists():
            shutil.copytree(self.root / "backups" / name, target)

    def copies(self) -> list[str]:
        """The sets of which somebody has a copy elsewhere."""
        return [name for name in sorted(self.placed) if (self.root / "elsewhere" / name).is_dir()]

    def copy_back(self, name: str, *, new_times: bool) -> None:
        """The copy lies where the set lay."""
        target = self.root / "backups" / name
        shutil.copytree(self.root / "elsewhere" / name, target, dirs_exist_ok=True)
        if new_times:
            for path in (target, *target.rglob("*")):
                self._dated(path)
        self._put_by_hand(name)

    def rename(self, name: str, target: str) -> None:
        """Somebody gives the set another name."""
        if (self.root / "backups" / target).exists() or target in self.placed:
            return
        (self.root / "backups" / target).parent.mkdir(parents=True, exist_ok=True)
        (self.root / "backups" / name).rename(self.root / "backups" / target)
        self._put_by_hand(target)
        self._put_by_hand(name)

    def remove(self, name: str) -> None:
        """Somebody removes the set."""
        shutil.rmtree(self.root / "backups" / name)
        self._put_by_hand(name)

    # ------------------------------------------------------------------------------------------ what can be seen

    def bytes_of(self, name: str) -> Iterator[bytes]:
        """The content of every file of the set, in the live folder and in quarantine."""
        places = [self.root / "backups" / name, *(self.root / "quarantine").glob(f"backups/*/{name}")]
        for place in places:
            for path in sorted(place.rglob("*")) if place.is_dir() else []:
                if path.is_file() and not path.is_symlink():
                    yield path.read_bytes()

    def inside(self, name: str) -> set[Written]:
        """What lies in the set, readable or not."""
        contents = list(self.bytes_of(name))
        return {one for one in self.written if any(one.stored in content for content in contents)}

    def everything(self) -> dict[Path, bytes]:
        """Every file of the live folder and of the quarantine."""
        found: dict[Path, bytes] = {}
        for folder in ("backups", "quarantine"):
            for path in (self.root / folder).rglob("*"):
                if path.is_file() and not path.is_symlink():
                    found[path] = path.read_bytes()
        return found

    def opens(self, one: Written) -> bool:
        """Whether somebody who has it, and every key that there is, can read it."""
        header = read_header(one.stored[:HEADER_LENGTH])
        if header is None:
            return True
        deployment = self.started()
        key = deployment.key_store.get(header.key_id)
        if key is None:
            return False
        try:
            deployment.keyring.key_for_opening(header.key_id, key.scope)
        except KeyGone:
            return False
        except KeyRefused:  # it is kept from readers, and it exists
            return True
        return True

    def strands(self) -> tuple[StrandRecord, ...]:
        """Every strand as the catalogue has it."""
        with self.catalog.reading() as session:
            return case_rows.strands(session)

    def condemned(self, record: StrandRecord) -> set[Written]:
        """What the strand is about: written before its point of no return."""
        if record.passed_at is None or record.state is StrandState.BROUGHT_BACK:
            return set()
        until = min(record.passed_at, record.strand.not_from or record.passed_at)
        about = (record.customer, record.strand.dataset)
        return {one for one in self.written if (one.customer, one.dataset) == about and one.at <= until}
