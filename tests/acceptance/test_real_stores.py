"""The main job on real input: ten of fifty customers go, and nothing else changes by a byte.

S3 (moto's server, versioned) with more than 20,000 versions, delete markers and open uploads; PostgreSQL with twelve
related tables and 100,000 rows; MariaDB; Redis; a directory. Everything is compared by hash before and after.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pymysql
import pytest
import redis
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeDeleteMarker, s3_backends
from pymysql.cursors import Cursor
from sqlalchemy import make_url

from retention.clock import ManualClock
from retention.evidence.verify import verify_files
from retention.settings.sections import BackupsSettings, FilesStore, RedisStore, S3Store, SqlStore, StoreSettings
from retention.wiring import Parts, assemble, backup_parts, file_provider, open_store
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.certify import certify
from retention.workflows.deployment import Deployment
from retention.workflows.read_facts import read_facts
from retention.workflows.record_facts import record_facts
from retention.workflows.roll_keys import roll_keys
from retention.workflows.run_cycle import run_cycle
from retention.workflows.seal import seal
from retention.workflows.status import status

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CUSTOMERS = tuple(f"c-{number}" for number in range(1, 51))
GOING = frozenset({"c-1", "c-5", "c-10", "c-15", "c-20", "c-25", "c-30", "c-35", "c-40", "c-50"})
STARTED_AT = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)

POLICY = """
policy: {title: T, version: "1", effective: 2026-11-01, time-zone: Asia/Shanghai, holidays: CN, home: CN}
services: {platform: {title: Platform, buffer: 15 days}}
datasets:
  checkpoints:
    title: Checkpoints
    services: [platform]
    personal-information: true
    in: {store: objects, prefix: "checkpoints/{customer}/"}
    encrypted: customer
    caches: [{store: cache, keys: "features:{customer}:*"}]
  application:
    title: Application
    services: [platform]
    personal-information: true
    in:
      store: app-database
      tables:
        tenant: {customer: id}
        project: {customer: tenant_id}
        user: {customer: tenant_id}
        membership: {through: project}
        dataset: {through: project}
        Order: {customer: tenant_id}
        order_item: {through: Order}
        run: {through: project}
        metric: {through: run}
        comment: {through: run}
        api_key: {through: user}
        audit_event: {customer: tenant_id}
    encrypted: no
  billing:
    title: Billing
    services: [platform]
    personal-information: true
    in:
      store: billing-database
      tables: {invoice: {customer: customer_no}, invoice_line: {through: invoice}}
    encrypted: no
  exports:
    title: Exports
    services: [platform]
    personal-information: false
    in: {store: exports, prefix: "exports/{customer}/"}
    encrypted: no
rules:
  end-of-service:
    title: E
    clause: "6.11"
    when: [service-expired]
    cancelled-by: [service-renewed]
    buffer: service
    tombstone: none
    complete-within: 15 days
limits: {customers-per-run: 50, share-of-customers: 50 %, clock-jump: 1 hour}
"""

POSTGRES = """
CREATE TABLE tenant (id text PRIMARY KEY, name text);
CREATE TABLE project (id int PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, title text);
CREATE TABLE "user" (id int PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, mail text);
CREATE TABLE membership (project_id int REFERENCES project, user_id int REFERENCES "user", PRIMARY KEY (project_id, user_id));
CREATE TABLE dataset (id int PRIMARY KEY, project_id int NOT NULL REFERENCES project, body bytea);
CREATE TABLE "Order" (id int PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, total numeric(12, 2));
CREATE TABLE order_item (order_id int REFERENCES "Order", line_no int, amount numeric(9), PRIMARY KEY (order_id, line_no));
CREATE TABLE run (id int PRIMARY KEY, project_id int NOT NULL REFERENCES project, parent_run_id int REFERENCES run);
CREATE TABLE metric (id int PRIMARY KEY, run_id int NOT NULL REFERENCES run, at timestamptz, value double precision);
CREATE TABLE comment (id int PRIMARY KEY, run_id int NOT NULL REFERENCES run, reply_to int REFERENCES comment, body text);
CREATE TABLE api_key (id int PRIMARY KEY, user_id int NOT NULL REFERENCES "user", hash text);
CREATE TABLE audit_event (id int PRIMARY KEY, tenant_id text NOT NULL REFERENCES tenant, what jsonb);
CREATE INDEX ON project (tenant_id); CREATE INDEX ON "user" (tenant_id); CREATE INDEX ON membership (user_id);
CREATE INDEX ON dataset (project_id); CREATE INDEX ON "Order" (tenant_id); CREATE INDEX ON run (project_id);
CREATE INDEX ON run (parent_run_id); CREATE INDEX ON metric (run_id); CREATE INDEX ON comment (run_id);
CREATE INDEX ON comment (reply_to); CREATE INDEX ON api_key (user_id); CREATE INDEX ON audit_event (tenant_id);
"""
TABLES = (
    *("tenant", "project", "user", "membership", "dataset", "Order", "order_item", "run", "metric", "comment"),
    *("api_key", "audit_event"),
)


def _rows(number: int) -> Mapping[str, list[tuple[object, ...]]]:
    """About 2,000 rows of one customer in twelve tables; ids begin with the customer's number."""
    name, base = f"c-{number}", number * 100_000
    projects = [base + i for i in range(5)]
    users = [base + i for i in range(10)]
    runs = [base + i for i in range(100)]
    return {
        "tenant": [(name, f"Tenant {number}")],
        "project": [(p, name, f"P{p}") for p in projects],
        "user": [(u, name, f"u{u}@example.cn") for u in users],
        "membership": [(p, u) for p in projects for u in users[:4]],
        "dataset": [(base + i, projects[i % 5], bytes([i % 256]) * 20) for i in range(40)],
        "Order": [(base + i, name, 100 + i) for i in range(30)],
        "order_item": [(base + i, line, line * 10) for i in range(30) for line in range(3)],
        "run": [(r, projects[i % 5], runs[i - 5] if i >= 5 else None) for i, r in enumerate(runs)],
        "metric": [(base + i, runs[i % 100], STARTED_AT, i / 7) for i in range(1_330)],
        "comment": [(base + i, runs[i % 100], base + i - 1 if i % 3 else None, f"说明 {i}") for i in range(200)],
        "api_key": [(base + i, users[i % 10], f"h{i}") for i in range(20)],
        "audit_event": [(base + i, name, json.dumps({"n": i})) for i in range(170)],
    }


def fill_postgres(url: str) -> None:
    with psycopg.connect(_libpq(url)) as connection, connection.cursor() as cursor:
        cursor.execute(POSTGRES)
        for number in range(1, 51):
            for table, rows in _rows(number).items():
                with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                    for row in rows:
                        copy.write_row(row)


def _libpq(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def read_postgres(url: str) -> dict[str, list[str]]:
    """Every row of every table as text, by customer; what belongs to nobody stands under ''."""
    owners = {row[0]: name for n in range(1, 51) for name in (f"c-{n}",) for row in ((n,),)}
    found: dict[str, list[str]] = defaultdict(list)
    with psycopg.connect(_libpq(url)) as connection:
        for table in TABLES:
            for row in connection.execute(f'SELECT t.*, t::text FROM "{table}" t'):
                owner = row[0] if table == "tenant" else owners.get(int(row[0]) // 100_000, "")
                found[owner].append(f"{table} {row[-1]}")
    return found


def fill_mariadb(url: str) -> None:
    connection = _mariadb(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE invoice (id INT PRIMARY KEY, customer_no VARCHAR(40) NOT NULL, INDEX (customer_no))"
        )
        cursor.execute(
            "CREATE TABLE invoice_line (invoice_id INT, line INT, amount DECIMAL(12,2), PRIMARY KEY (invoice_id, line),"
            " FOREIGN KEY (invoice_id) REFERENCES invoice (id))"
        )
        for number in range(1, 51):
            ids = [number * 1_000 + i for i in range(60)]
            # 'C-1' and 'c-1 ' would be the same customer to a careless comparison
            owner = f"c-{number}"
            cursor.executemany("INSERT INTO invoice VALUES (%s, %s)", [(i, owner) for i in ids])
            cursor.executemany(
                "INSERT INTO invoice_line VALUES (%s, %s, %s)", [(i, n, n) for i in ids for n in range(4)]
            )
        cursor.execute("INSERT INTO invoice VALUES (900001, 'C-1'), (900002, 'c-1 ')")
        connection.commit()


def _mariadb(url: str) -> pymysql.Connection[Cursor]:
    parsed = make_url(url)
    return pymysql.connect(
        host=parsed.host or "127.0.0.1",
        port=parsed.port or 3306,
        user=parsed.username or "root",
        password=parsed.password or "",
        database=parsed.database,
    )


def read_mariadb(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    connection = _mariadb(url)
    with connection, connection.cursor() as cursor:
        for table in ("invoice", "invoice_line"):
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                number = int(row[0]) // 1_000
                found[f"c-{number}" if number <= 50 else "others"].append(f"{table} {row!r}")
    return found


def fill_s3(client: S3Client, bucket: str, deployment: Deployment) -> int:
    """More than 20,000 versions and markers: sealed objects, overwritten, deleted, and uploads left open."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    count = 0
    for customer in CUSTOMERS:
        sealed = io.BytesIO()
        seal(deployment, customer, "checkpoints", f"checkpoints/{customer}/x", io.BytesIO(b"w" * 40), sealed)
        body = sealed.getvalue()
        for number in range(190):
            name = f"checkpoints/{customer}/run-{number % 7}/第{number}步 +%&<>.bin"
            for version in range(2):
                backend.put_object(bucket, name, body + bytes([version]))
                count += 1
            if number % 8 == 0:
                backend.delete_object(bucket, name)
                count += 1
        client.create_multipart_upload(Bucket=bucket, Key=f"checkpoints/{customer}/open.bin")
    return count


def read_s3(bucket: str) -> dict[str, list[str]]:
    """Everything in the bucket, read from inside the server: its listing of 20,000 versions takes minutes."""
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket]
    found: dict[str, list[str]] = defaultdict(list)
    for name, versions in backend.keys.lists():
        for version in versions:
            body = b"marker" if isinstance(version, FakeDeleteMarker) else version.value
            found[name.split("/")[1]].append(f"{name} {version.version_id} {hashlib.sha256(body).hexdigest()}")
    for upload in backend.multiparts.values():
        found[upload.key_name.split("/")[1]].append(f"{upload.key_name} {upload.id} upload")
    return found


def read_redis(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=5_000):
            found[key.split(b":")[1].decode()].append(f"{key!r} {client.get(key)!r}")
    return found


def read_files(root: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in root.rglob("*"):
        if path.is_file():
            found[path.relative_to(root).parts[1]].append(f"{path.relative_to(root)} {path.read_bytes()!r}")
    return found


@dataclass(frozen=True)
class World:
    """Everything there is, and how to read all of it without the product."""

    deployment: Deployment
    clock: ManualClock
    root: Path
    bucket: str
    client: S3Client
    urls: Mapping[str, str]

    def everything(self) -> dict[str, dict[str, str]]:
        """A hash by store and customer over everything that is stored."""
        stores = {
            "s3": read_s3(self.bucket),
            "postgres": read_postgres(self.urls["postgres"]),
            "mariadb": read_mariadb(self.urls["mariadb"]),
            "redis": read_redis(self.urls["redis"]),
            "files": read_files(self.root / "exports"),
        }
        return {
            store: {
                owner: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest() for owner, lines in owned.items()
            }
            for store, owned in stores.items()
        }

    def tell(self, kind: str, customers: frozenset[str] | tuple[str, ...]) -> None:
        events = [
            {
                "specversion": "1.0",
                "id": f"{kind}-{customer}",
                "source": "/platform",
                "type": kind,
                "subject": customer,
                "time": self.clock.now().isoformat(),
                "data": {"service": "platform"},
            }
            for customer in sorted(customers)
        ]
        record_facts(self.deployment, read_facts(json.dumps(events), "facts", self.clock.now()).facts)
        self.clock.advance(timedelta(seconds=1))


@pytest.fixture
def world(
    tmp_path: Path,
    postgres_database: str,
    mariadb_database: str,
    redis_database: str,
    s3_bucket: str,
    s3_endpoint: str,
    s3_client: S3Client,
) -> Iterator[World]:
    clock = ManualClock(STARTED_AT)
    (tmp_path / "exports").mkdir()
    settings: dict[str, StoreSettings] = {
        "objects": S3Store.model_validate(
            {
                "kind": "s3",
                "bucket": s3_bucket,
                "region": "us-east-1",
                "endpoint": s3_endpoint,
                "access-key": "test",
                "secret-key": "test",
            }
        ),
        "app-database": SqlStore.model_validate({"kind": "sql", "url": postgres_database}),
        "billing-database": SqlStore.model_validate({"kind": "sql", "url": mariadb_database}),
        "cache": RedisStore.model_validate({"kind": "redis", "url": redis_database}),
        "exports": FilesStore(kind="files", root=tmp_path / "exports"),
    }
    keys = file_provider(tmp_path / "keys", clock)
    parts = Parts(
        catalog_url=f"sqlite:///{tmp_path}/catalog.db",
        ledger_directory=tmp_path / "ledger",
        origin="acceptance.example/ledger",
        provider=keys,
        ledger_keys=keys,
        stores={name: open_store(name, section) for name, section in settings.items()},
        store_kinds={name: section.kind for name, section in settings.items()},
        backups=backup_parts(settings, BackupsSettings(scratch=tmp_path / "scratch")),
    )
    deployment = assemble(parts, clock)
    (tmp_path / "policies.yaml").write_text(POLICY, encoding="utf-8")
    adopt_policy(deployment, tmp_path / "policies.yaml")
    urls = {"postgres": postgres_database, "mariadb": mariadb_database, "redis": redis_database}
    yield World(deployment, clock, tmp_path, s3_bucket, s3_client, urls)
    deployment.close()


def fill(world: World) -> None:
    world.tell("service-activated", CUSTOMERS)
    fill_postgres(world.urls["postgres"])
    fill_mariadb(world.urls["mariadb"])
    assert fill_s3(world.client, world.bucket, world.deployment) > 20_000
    with redis.Redis.from_url(world.urls["redis"]) as client:
        for customer in CUSTOMERS:
            client.mset({f"features:{customer}:{n}": f"{n}" for n in range(40)})
    for customer in CUSTOMERS:
        for n in range(5):
            path = world.root / "exports" / "exports" / customer / f"{n}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{customer},{n}\n", encoding="utf-8")


def test_ten_of_fifty_customers_leave_nothing_behind_and_nothing_of_the_others_changes(world: World) -> None:
    fill(world)
    before = world.everything()
    assert sum(len(rows) for rows in read_postgres(world.urls["postgres"]).values()) > 100_000
    world.tell("service-expired", GOING)
    assert run_cycle(world.deployment).report.troubles == []
    world.clock.advance(timedelta(days=16))
    assert run_cycle(world.deployment).report.troubles == []
    roll_keys(world.deployment)
    run_cycle(world.deployment)
    after = world.everything()
    for store, owned in before.items():
        assert owned.keys() >= GOING, f"{store} held something of every customer"
        assert GOING.isdisjoint(after[store]), f"{store} still holds something of a deleted customer"
        stay = {owner: hashed for owner, hashed in owned.items() if owner not in GOING}
        assert after[store] == stay, f"{store} changed for a customer who stays"
    cases = status(world.deployment)
    assert {case.customer for case in cases} == GOING
    for case in cases:
        assert case.state == "certified"
        assert {copy.end_state for copy in case.copies} == {"erased-verified"}
        assert certify(world.deployment, case.case).final
    checked = verify_files([world.root / "ledger"], world.deployment.journal.ledger.key)
    assert checked.findings == ()
