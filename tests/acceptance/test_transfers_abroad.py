"""One provider with a bucket, a database and a folder abroad: copied under decisions, audited, closed, withdrawn, deleted.

Everything is done through the command line, on moto's S3 server and PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.services.buckets import fresh_bucket
from tests.small_service import Facts, Service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POLICY = """\
policy: {title: 出境, version: "1", effective: 2026-01-01, time-zone: Asia/Shanghai, home: CN}
services:
  training: {title: 训练, buffer: 15 days}
datasets:
  models:
    title: 模型
    services: [training]
    personal-information: true
    sensitive-information: false
    important-data: false
    in: {store: home, prefix: "models/{customer}/"}
    replicas: [{store: sg, prefix: "models/{customer}/", territory: SG, recipient: Lion Pte}]
    encrypted: no
  prompts:
    title: 提示词
    services: [training]
    personal-information: true
    sensitive-information: false
    important-data: false
    in: {store: database, tables: {prompt: {customer: tenant}, answer: {through: prompt}}}
    replicas: [{store: desk, prefix: "prompts/{customer}/", territory: SG}]
    encrypted: no
rules:
  end-of-service:
    {title: 终止, clause: "6.11", when: [service-expired], buffer: service, tombstone: none, complete-within: 15 days}
  withdrawn-consent:
    {title: 撤回, clause: "6.12", when: [consent-withdrawn], buffer: none, tombstone: none, complete-within: 15 days}
transfers:
  clause: "6.12"
  regions: {cn-north-1: CN, ap-southeast-1: SG}
  require: [necessity, separate-consent, legal-measure]
  legal-measures: [security-assessment, standard-contract, certification, exemption]
  ciio: false
limits: {customers-per-run: 10, share-of-customers: 100 %, clock-jump: 1 hour}
"""

SETTINGS = """\
[catalog]
url = "sqlite:///state/catalog.db"
[evidence]
directory = "state/ledger"
origin = "test.example/ledger"
[keys]
provider = "file"
path = "state/keys"
[stores.home]
kind = "s3"
bucket = "{home}"
region = "cn-north-1"
endpoint = "{endpoint}"
access-key = "test"
[stores.sg]
kind = "s3"
bucket = "{sg}"
region = "ap-southeast-1"
endpoint = "{endpoint}"
access-key = "test"
[stores.database]
kind = "sql"
url = "{database}"
region = "cn-north-1"
[stores.desk]
kind = "files"
root = "desk"
region = "ap-southeast-1"
"""


@dataclass
class World:
    """The service, the two buckets, and the folder abroad."""

    service: Service
    client: S3Client
    home: str
    sg: str
    desk: Path

    def names(self, bucket: str) -> list[str]:
        """What an ordinary reader sees in the bucket."""
        return [each["Key"] for each in self.client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def files(self) -> list[str]:
        """The files abroad."""
        return sorted(str(path.relative_to(self.desk)) for path in self.desk.rglob("*") if path.is_file())

    def consent(self, name: str, dataset: str, recipient: str = "Lion Pte") -> None:
        """Customer c-1 consents, with everything that a consent has to have."""
        Path("signed.pdf").write_bytes(b"signed")
        words = {
            "consent": name,
            "dataset": dataset,
            "purpose": "support",
            "service": "training",
            "recipient": recipient,
            "contact": "privacy@lion.example",
            "destination": "SG",
            "method": "object storage",
            "category": "weights",
            "rights": "privacy@lion.example",
            "given-at": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
            "how-given": "signed",
            "document": "signed.pdf",
        }
        options = [part for word, value in words.items() for part in (f"--{word}", value)]
        self.service.done("consent", "record", "c-1", "--separate", *options)

    def decision(self, dataset: str, to: str) -> str:
        """The id of a decision that allows it for c-1."""
        about = ["--recipient", "Lion Pte", "--purpose", "support", "--service", "training"]
        counts = ["--persons", "2", "--sensitive", "0"]
        told = self.service.done("transfer", "check", "c-1", dataset, "--to", to, *about, *counts, "--json")
        return str(told.json["id"])

    def found(self, *arguments: str, code: int = 4) -> list[dict[str, Any]]:
        """What the audit finds."""
        result = self.service.run("transfer", "audit", *arguments, "--json")
        assert result.code == code, result
        findings: list[dict[str, Any]] = result.json["findings"]
        return findings


@pytest.fixture
def world(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    s3_endpoint: str,
    s3_client: S3Client,
    postgres_database: str,
) -> World:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETENTION_STORES__HOME__SECRET_KEY", "test")
    monkeypatch.setenv("RETENTION_STORES__SG__SECRET_KEY", "test")
    home, sg = fresh_bucket(s3_client), fresh_bucket(s3_client)
    words = {"home": home, "sg": sg, "endpoint": s3_endpoint, "database": postgres_database}
    Path("policies.yaml").write_text(POLICY, encoding="utf-8")
    Path("retention.toml").write_text(SETTINGS.format(**words), encoding="utf-8")
    Path("desk").mkdir()
    with connected(postgres_database) as connection:
        connection.execute("CREATE TABLE prompt (id int PRIMARY KEY, tenant text NOT NULL, said text)")
        connection.execute("CREATE TABLE answer (id int PRIMARY KEY, prompt int NOT NULL REFERENCES prompt, said text)")
        connection.execute("INSERT INTO prompt VALUES (1, 'c-1', '你好'), (2, 'c-2', 'hi'), (3, 'c-1', NULL)")
        connection.execute("INSERT INTO answer VALUES (7, 1, 'a'), (8, 2, 'b')")
    service = Service(tmp_path, capsys)
    service.done("run", "--once")
    fact = Facts()
    service.record(*(fact("service-activated", who, 1, service="training") for who in ("c-1", "c-2")))
    for who in ("c-1", "c-2"):
        for number in range(3):
            s3_client.put_object(Bucket=home, Key=f"models/{who}/{number}.bin", Body=f"{who} {number}".encode())
    return World(service, s3_client, home, sg, tmp_path / "desk")


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def replicate(world: World, *destinations: str) -> None:
    """The home bucket replicates everything to these buckets."""
    rules: list[Any] = [
        {
            "ID": f"to-{number}",
            "Priority": number,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"},
        }
        for number, bucket in enumerate(destinations, 1)
    ]
    role = "arn:aws:iam::123456789012:role/replication"
    world.client.put_bucket_replication(Bucket=world.home, ReplicationConfiguration={"Role": role, "Rules": rules})


def rules_of(world: World) -> list[str]:
    told = world.client.get_bucket_replication(Bucket=world.home)
    return [rule["ID"] for rule in told["ReplicationConfiguration"]["Rules"]]


def test_objects_and_rows_go_abroad_under_decisions_and_go_again_when_consents_are_withdrawn(world: World) -> None:
    world.consent("K-1", "models")
    world.consent("K-2", "prompts")
    done = world.service.done("transfer", "copy", world.decision("models", "sg"), "--to", "sg")
    assert "3 items of models" in done.out
    assert world.names(world.sg) == [f"models/c-1/{number}.bin" for number in range(3)]
    world.service.done("transfer", "copy", world.decision("prompts", "desk"), "--to", "desk")
    assert len(world.files()) == 2
    rows = [json.loads(line) for name in world.files() for line in (world.desk / name).read_bytes().splitlines()]
    assert {json.dumps(row, ensure_ascii=False) for row in rows} == {
        '{"id": 1, "tenant": "c-1", "said": "你好"}',
        '{"id": 3, "tenant": "c-1", "said": null}',
        '{"id": 7, "prompt": 1, "said": "a"}',
    }
    assert world.found(code=0) == []

    (left,) = world.service.done("consent", "withdraw", "c-1", "K-1", "--json").json["abroad"]
    assert (left["store"], left["territory"], left["item_count"]) == ("sg", "SG", 3)
    assert all(f"models/c-1/{number}.bin" in left["names"][number] for number in range(3))
    assert [each["kind"] for each in world.found()] == ["lies-abroad"]
    world.service.done("run", "--once")
    assert world.names(world.sg) == []
    assert world.client.list_object_versions(Bucket=world.sg).get("Versions", []) == []
    assert len(world.files()) == 2
    assert len(world.names(world.home)) == 6
    assert world.found(code=0) == []

    world.service.done("consent", "withdraw", "c-1", "K-2")
    world.service.done("run", "--once")
    assert world.files() == []
    cases = world.service.done("status", "c-1", "--json").json["cases"]
    ends = [(case["rule"], case["copies"][0]["role"], case["copies"][0]["end_state"]) for case in cases]
    assert ends == [("withdrawn-consent", "replica", "erased-verified")] * 2
    world.service.done("certify", cases[0]["case"], "--out", "c.json")
    world.service.done("verify", "c.json", "state/ledger")


def test_the_audit_removes_a_replication_rule_and_puts_it_back(world: World) -> None:
    other = fresh_bucket(world.client)
    replicate(world, world.sg, other)
    found = {each["what"]: each for each in world.found()}
    assert {(each["territory"], each["customer_count"]) for each in found.values()} == {("SG", 2), (None, 2)}
    assert rules_of(world) == ["to-1", "to-2"]
    abroad = found["replication to-1"]
    assert "to-1" in abroad["changes"][0]["change"]["before"]
    assert "to-1" not in abroad["changes"][0]["change"]["after"]

    shown = world.service.run("transfer", "audit", "--enforce", "--only", abroad["id"])
    assert (shown.code, rules_of(world)) == (4, ["to-2"]), shown  # the unknown bucket still stands
    closed = shown.out.partition("--undo ")[2].split()[0]
    world.service.run("transfer", "audit", "--enforce")
    assert [each["what"] for each in world.found(code=0)] == []
    undone = world.service.run("transfer", "audit", "--undo", closed)
    assert undone.code == 4, "the second enforcement has changed the setting since, and would be undone with it"
    assert "left alone" in undone.err


def test_one_enforcement_is_undone_with_one_command(world: World) -> None:
    replicate(world, world.sg)
    (done,) = world.found("--enforce", code=0)
    assert len(done["closed"]) == 1
    assert world.found(code=0) == []
    for _ in range(2):
        world.service.done("transfer", "audit", "--undo", done["closed"][0]["id"])
        assert rules_of(world) == ["to-1"]
    assert [each["kind"] for each in world.found()] == ["way-out"]


def test_what_lies_abroad_without_a_decision_is_fenced_and_can_still_be_deleted(world: World) -> None:
    world.consent("K-1", "models")
    world.service.done("transfer", "copy", world.decision("models", "sg"), "--to", "sg")
    world.client.put_object(Bucket=world.sg, Key="models/c-2/stray.bin", Body=b"nobody decided this")
    (found,) = world.found()
    assert (found["kind"], found["customers"], found["subjects"]) == ("lies-abroad", ["c-2"], ["models/c-2/"])
    (done,) = world.found("--enforce")
    policy = json.loads(world.client.get_bucket_policy(Bucket=world.sg)["Policy"])
    (statement,) = policy["Statement"]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == [f"arn:aws:s3:::{world.sg}/models/c-2/*"]
    assert "s3:PutObject" in statement["Action"]
    assert not any("Delete" in action for action in statement["Action"])
    assert [each["changes"] for each in world.found()] == [[]], "it is fenced, and lies there still"
    world.service.done("transfer", "audit", "--undo", done["closed"][0]["id"])
    with pytest.raises(world.client.exceptions.ClientError, match="NoSuchBucketPolicy"):
        world.client.get_bucket_policy(Bucket=world.sg)


def test_a_store_that_lies_nowhere_known_is_found(world: World) -> None:
    settings = Path("retention.toml").read_text(encoding="utf-8")
    Path("retention.toml").write_text(settings.replace('root = "desk"\nregion = "ap-southeast-1"', 'root = "desk"'))
    kinds = {(each["kind"], each["store"]) for each in world.found()}
    assert kinds == {("unknown-place", "desk"), ("wrong-territory", "desk")} or kinds == {("unknown-place", "desk")}
    shown = world.service.run("transfer", "audit", "--lang", "zh")
    assert "不知道 desk" in shown.out


@pytest.mark.parametrize("words", [["--only", "f00"], ["--lang", "fr"], ["--undo", "f00"]], ids=lambda words: words[0])
def test_wrong_words_are_said(world: World, words: list[str]) -> None:
    result = world.service.run("transfer", "audit", *words)
    assert (result.code, bool(result.err)) == (1, True)
