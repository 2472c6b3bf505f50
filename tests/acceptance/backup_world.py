"""A platform with backups, set up from a `retention.toml` as an operator writes it; and a process of it that is killed.

    python backup_world.py FOLDER NOW run STEP KIND
    python backup_world.py FOLDER NOW restore CLASS METHOD PLACE...

opens the service in FOLDER at NOW. It runs a cycle, and kills itself with SIGKILL after the STEP-th file or folder that it
made, renamed, linked or removed in a folder whose name contains KIND; or restores, and kills itself in CLASS.METHOD.
"""

from __future__ import annotations

import fcntl
import gzip
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from retention.clock import ManualClock
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.verify import verify_files
from retention.model.copy import SetEnd
from retention.settings import load_settings
from retention.wiring import open_deployment
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.certify import Issued, certify
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.restore_backup import restore_backup
from retention.workflows.run_cycle import run_cycle
from retention.workflows.status import CaseStatus, status

START = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
NIGHT = "nightly/2026-11-10/"
GONE, WAITS, STAYS, LATER = "k-gone-去", "k-waits", "k-stays-留", "k-later"
"""One is deleted, one is in the buffer, one stays, and one is deleted later. No other text of the tests holds these."""
EVERYBODY = (GONE, WAITS, STAYS, LATER)

POLICY = """
policy: {title: T, version: "1", effective: 2020-01-01, time-zone: Asia/Shanghai, home: CN}
services: {platform: {title: Platform, buffer: 15 days}}
datasets:
%(datasets)s
rules:
  customer-deletion:
    {title: D, clause: "6.10", when: [data-deleted], buffer: none, tombstone: none, complete-within: 15 days}
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired]
    cancelled-by: [service-renewed]
    buffer: service
    tombstone: none
    complete-within: 15 days
backups:
%(backups)s
limits: {customers-per-run: 50, share-of-customers: 100 %%, clock-jump: 1 hour}
"""
ROWS = """
  application:
    title: Application
    services: [platform]
    personal-information: true
    in:
      store: app-database
      tables: {tenant: {customer: id}, project: {customer: tenant_id}, run: {through: project},
               cell: {through: run, sealed: [body]}}
    encrypted: no
    backups: [nightly]
"""
INVOICES = """
  billing:
    title: Billing
    services: [platform]
    personal-information: true
    in: {store: app-database, tables: {invoice: {customer: customer_no}, invoice_line: {through: invoice}}}
    encrypted: no
    backups: [nightly]
"""
FILES = """
  models:
    title: Models
    services: [platform]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: no
    backups: [%s]
"""


def series(holds: str, more: str = "", *, sets: str = "nightly/{date}/", name: str = "nightly") -> str:
    """A series of mixed sets that is kept for 30 days."""
    return f'  {name}: {{title: B, store: backups, sets: "{sets}", holds: [{holds}], delete-after: 30 days, {more}}}'


def policy_of(datasets: str, *backups: str) -> str:
    """A policy with these datasets and series of backups."""
    return POLICY % {"datasets": datasets, "backups": "\n".join(backups)}


def write_settings(root: Path, stores: Mapping[str, Mapping[str, object]], **backups: str) -> None:
    """`retention.toml` of a service whose own parts all lie below `root`."""
    sections: dict[str, Mapping[str, object]] = {
        "catalog": {"url": f"sqlite:///{root / 'catalog.db'}"},
        "evidence": {"directory": root / "ledger", "origin": "acceptance.example/ledger"},
        "keys": {"path": root / "keys"},
        "daemon": {"lease": "1 second"},
        "backups": {"scratch": root / "scratch", **{key.replace("_", "-"): url for key, url in backups.items()}},
        **{f"stores.{name}": store for name, store in stores.items()},
    }
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(_setting(root, section, key, value) for key, value in values.items()), ""]
    file = root / "retention.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    file.chmod(0o600)


def _setting(root: Path, section: str, key: str, value: object) -> str:
    """A line of the file; a secret lies in a file of its own."""
    if not key.endswith(("secret-key", "password")) and "://" not in str(value):
        return f"{key} = {json.dumps(value if isinstance(value, bool) else str(value))}"
    if key == "endpoint" or section == "catalog":
        return f"{key} = {json.dumps(value)}"
    file = root / "secrets" / f"{section}.{key}"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(value), encoding="utf-8")
    file.chmod(0o600)
    return f"{key}-file = {json.dumps(str(file))}"


@dataclass
class World:
    """One process of the service, with a clock that moves when it is told."""

    root: Path
    clock: ManualClock
    deployment: Deployment
    _ids: int = field(default=0)

    @classmethod
    def open(cls, root: Path, now: datetime) -> World:
        """A process that has just started, on the folder's `retention.toml`."""
        clock = ManualClock(now)
        return cls(root, clock, open_deployment(load_settings(root / "retention.toml", {}), clock))

    @classmethod
    def begin(cls, root: Path, policy: str, now: datetime = START) -> World:
        """A new service with this policy, and everybody in it."""
        world = cls.open(root, now)
        (root / "policies.yaml").write_text(policy, encoding="utf-8")
        adopt_policy(world.deployment, root / "policies.yaml")
        for customer in EVERYBODY:
            world.tell("service-activated", customer)
        return world

    def again(self) -> World:
        """Another process on the same folder; this one is closed."""
        self.deployment.close()
        return World.open(self.root, self.clock.now())

    def tell(self, kind: str, customer: str, **data: object) -> None:
        """Record one fact of now."""
        self._ids += 1
        self.clock.advance(timedelta(seconds=1))
        event = {
            "specversion": "1.0",
            "id": f"{self.clock.now():%s}-{self._ids}",
            "source": "/platform",
            "type": kind,
            "subject": customer,
            "time": self.clock.now().isoformat(),
            "data": {"service": "platform", **data} if kind.startswith("service") else data,
        }
        read = read_facts(json.dumps(event), "test", self.clock.now())
        assert not read.problems, read.problems
        record_facts(self.deployment, read.facts)

    def delete(self, customer: str, *datasets: str) -> None:
        """The customer deletes everything, and all is done that can be done at once."""
        for dataset in datasets:
            self.tell("data-deleted", customer, dataset=dataset)
        self.run()

    def run(self, **passed: float) -> None:
        """Time passes, and then the daemon's cycle runs without trouble."""
        self.clock.advance(timedelta(**passed))
        assert run_cycle(self.deployment).report.troubles == []

    def cases(self, customer: str) -> list[CaseStatus]:
        """Every case of the customer."""
        return [case for case in status(self.deployment) if case.customer == customer]

    def ends(self, customer: str) -> list[SetEnd]:
        """The end of every backup set of every case of the customer."""
        return [end for case in self.cases(customer) for copy in case.copies if copy.backup for end in copy.sets]

    def end(self, customer: str) -> SetEnd:
        """The end of the one set, on which all the customer's cases agree, as far as they say the same."""
        found = {(end.set, end.end_state, end.reason, end.until): end for end in self.ends(customer)}
        assert len(found) == 1, found
        return next(iter(found.values()))

    def certificates(self, customer: str) -> list[Issued]:
        """Certificates of the customer's cases as of now; each of them verifies."""
        issued = [certify(self.deployment, case.case) for case in self.cases(customer)]
        for number, one in enumerate(issued):
            file = self.root / f"certificate-{number}.json"
            file.write_bytes(one.certificate.encode())
            checked = verify_files([file, self.root / "ledger"], self.deployment.journal.ledger.key)
            assert checked.findings == ()
        return issued

    def entries(self, kind: EntryType) -> list[Entry]:
        """What the ledger says of this kind."""
        self.deployment.journal.publish()
        ledger = self.deployment.journal.ledger
        found = [decode_entry(ledger.entry(index)) for index in range(ledger.checkpoint().size)]
        return [entry for entry in found if entry.type is kind]

    def everywhere(self, text: str, *folders: Path) -> list[Path]:
        """Files below the folders that bear this text in their names or their (unpacked) content."""
        found = []
        for folder in folders:
            for path in folder.rglob("*"):
                content = path.read_bytes() if path.is_file() else b""
                if content.startswith(b"\x1f\x8b"):
                    content = gzip.decompress(content)
                if text in str(path.relative_to(folder)) or text.encode() in content:
                    found.append(path)
        return found


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Nobody else on this machine is in a block of the same name: a server has one database for rehearsals."""
    with (Path(tempfile.gettempdir()) / f"retention-test-{what}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# ------------------------------------------------------------------------------------------------- what is backed up

POSTGRES = """
CREATE TABLE tenant (id text PRIMARY KEY, name text);
CREATE TABLE project (id int PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, title text);
CREATE TABLE run (id int PRIMARY KEY, project_id int NOT NULL REFERENCES project, parent int REFERENCES run);
CREATE TABLE cell (id int PRIMARY KEY, run_id int NOT NULL REFERENCES run, body bytea, note text);
CREATE TABLE region (code text PRIMARY KEY, name text);
INSERT INTO region VALUES ('cn-north', '华北'), ('cn-east', '华东');
"""
TABLES = ("tenant", "project", "run", "cell", "region")


def libpq(url: str) -> str:
    """The URL as PostgreSQL's own programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def fill_postgres(url: str) -> None:
    """Rows of everybody in a chain of tables: Chinese text, bytes that no text has, tabs and backslashes."""
    with psycopg.connect(libpq(url)) as connection, connection.cursor() as cursor:
        cursor.execute(POSTGRES)
        for number, customer in enumerate(EVERYBODY, 1):
            base = number * 1000
            cursor.execute("INSERT INTO tenant VALUES (%s, %s)", (customer, f"公司 {customer} \\. \t'"))
            for i in range(3):
                cursor.execute("INSERT INTO project VALUES (%s, %s, %s)", (base + i, customer, f"{customer} 项目\n{i}"))
                cursor.execute("INSERT INTO run VALUES (%s, %s, NULL)", (base + i, base + i))
                cursor.execute("INSERT INTO run VALUES (%s, %s, %s)", (base + i + 10, base + i, base + i))
            for i in range(40):
                sealed = b"C2SP\x00\xff\\" + bytes(range(i, i + 60))
                values = (base + i, base + i % 3, sealed, f"{customer} 说明 {i}")
                cursor.execute("INSERT INTO cell VALUES (%s, %s, %s, %s)", values)


def read_postgres(url: str) -> dict[str, list[str]]:
    """Every row as text, by customer; what belongs to nobody stands under ''. The database has to be there."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(libpq(url)) as connection:
        for table in TABLES:
            for row in connection.execute(f"SELECT t.*, t::text FROM {table} t ORDER BY 1"):
                owner = row[0] if table == "tenant" else ""
                if table not in ("tenant", "region"):
                    owner = EVERYBODY[int(row[0]) // 1000 - 1]
                found.setdefault(owner, []).append(f"{table} {row[-1]}")
    return found


def databases(server: str) -> set[str]:
    """The names of all databases of the server."""
    with psycopg.connect(libpq(server)) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def dump_postgres(url: str, target: Path, *options: str) -> None:
    """What `pg_dump` writes of the database."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["pg_dump", *options, "-f", str(target), libpq(url)], check=True, stdin=subprocess.DEVNULL)


def fill_objects(root: Path) -> None:
    """Two plain files of everybody."""
    for customer in EVERYBODY:
        for name in ("a.bin", "深/层 b.bin"):
            path = root / "models" / customer / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{customer} {name}".encode() * 50)


def read_objects(root: Path) -> dict[str, list[str]]:
    """Every file with its content, by customer."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(root))
            found.setdefault(name.split("/")[1], []).append(f"{name} {path.read_bytes()!r}")
    return found


def stamped(folder: Path, at: datetime) -> Path:
    """The folder and all in it bear this time."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (at.timestamp(), at.timestamp()), follow_symlinks=False)
    return folder


def back_up_night(world: World, database: str | None = None, *options: str, dump: str = "app.dump") -> Path:
    """Tonight's set: a dump beside the object tree."""
    folder = world.root / "backups" / f"nightly/{world.clock.now():%Y-%m-%d}"
    if database is not None:
        dump_postgres(database, folder / dump, *options)
    if (world.root / "objects").is_dir():
        shutil.copytree(world.root / "objects", folder / "objects", ignore=shutil.ignore_patterns(".retention*"))
    return stamped(folder, world.clock.now())


# ------------------------------------------------------------------------------------------------- a process that dies


def run_and_die(world: World, step: int, kind: str) -> bool:
    """A cycle in a process of its own, killed at its step-th change below `kind`; whether it was. It waits for the lease."""
    return _was_killed(world, "run", str(step), kind)


def restore_and_die(world: World, place: str, method: str, *into: str) -> bool:
    """A restore of the first night in a process of its own, killed where the method of this kind of store is called."""
    return _was_killed(world, "restore", place, method, *into)


def _was_killed(world: World, *arguments: str) -> bool:
    command = [sys.executable, __file__, str(world.root), world.clock.now().isoformat(), *arguments]
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    time.sleep(1.1)  # who was killed cannot give its lease back
    return done.returncode == -signal.SIGKILL


def _die(*_arguments: object, **_more: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(step: int, kind: str) -> None:
    """The step-th change of a name below a folder of this kind is done, and nothing after it."""
    left = [step]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            below = [
                Path(f"/proc/self/fd/{more[name]}").readlink() for name in ("dir_fd", "dst_dir_fd") if name in more
            ]
            answer = real(*args, **more)
            if any(kind in str(each) for each in (*below, args[0])):
                left[0] -= 1
                if left[0] == 0:
                    _die()
            return answer

        return call

    for name in ("rename", "unlink", "rmdir", "mkdir", "link"):
        setattr(os, name, dying(getattr(os, name)))


def _main(root: str, now: str, what: str, first: str, second: str, *into: str) -> None:
    child = World.open(Path(root), datetime.fromisoformat(now))
    if what == "run":
        _die_at(int(first), second)
        run_cycle(child.deployment)
    else:
        module, _, name = first.rpartition(".")
        setattr(getattr(importlib.import_module(module), name), second, _die)
        restore_backup(child.deployment, NIGHT, into)


if __name__ == "__main__":
    _main(*sys.argv[1:])
