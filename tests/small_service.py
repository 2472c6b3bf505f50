"""A small service in a folder of its own, and its command line as a person uses it. For the tests of the doors."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retention.cli.app import main

ROOT = Path(__file__).parents[1]

POLICY = """\
policy:
  title: 数据留存与删除策略
  version: "1"
  effective: 2026-01-01
  time-zone: Asia/Shanghai
  home: CN
services:
  training: {title: 训练, buffer: 15 days}
datasets:
  models:
    title: 模型
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "models/{customer}/"}
    encrypted: customer
  logs:
    title: 日志
    services: [training]
    personal-information: true
    in: {store: objects, prefix: "logs/{customer}/"}
    encrypted: no
rules:
  customer-deletion:
    title: 客户删除
    clause: "6.10"
    when: [data-deleted]
    buffer: none
    tombstone: none
    complete-within: 15 days
  end-of-service:
    title: 服务到期
    clause: "6.11"
    when: [service-expired, arrears-started]
    cancelled-by: [service-renewed, arrears-cleared]
    buffer: service
    tombstone: none
    complete-within: 15 days
limits: {customers-per-run: 2, share-of-customers: 100 %, clock-jump: 1 hour}
approval: {policy-change: 1, over-limit: 1}
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
[stores.objects]
kind = "files"
root = "objects"
"""


@dataclass(frozen=True)
class Result:
    """What a command did, as its caller sees it."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


@dataclass
class Service:
    """The folder, which is the working directory, and the command line in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> Result:
        """The command, within this process."""
        self.capsys.readouterr()
        code = main(arguments)
        out, err = self.capsys.readouterr()
        return Result(code, out, err)

    def done(self, *arguments: str) -> Result:
        """The command, which has to exit with 0."""
        result = self.run(*arguments)
        assert result.code == 0, result
        return result

    def process(self, *arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
        """The command as a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "retention", *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment(**environment),
            check=False,
            timeout=120,
        )

    @staticmethod
    def environment(**more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPATH": str(ROOT), **more}

    def record(self, *facts: dict[str, object]) -> Result:
        """Facts that have to be right."""
        Path("facts.jsonl").write_text("\n".join(json.dumps(fact) for fact in facts), encoding="utf-8")
        return self.done("record", "facts.jsonl")

    def put(self, *names: str) -> None:
        """Objects with some content."""
        for name in names:
            path = self.folder / "objects" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"this is {name}", encoding="utf-8")

    def objects(self) -> list[str]:
        """The names of all objects that are left; folders may go while it looks."""
        root = self.folder / "objects"
        found = (Path(folder) / name for folder, _, names in os.walk(root) for name in names)
        return sorted(str(path.relative_to(root)) for path in found)


@dataclass
class Facts:
    """Makes facts with ids of their own."""

    count: int = 0

    def __call__(self, kind: str, customer: str, days_ago: float, **data: object) -> dict[str, object]:
        """A fact that happened so many days ago; a part of a day is allowed."""
        self.count += 1
        return {
            "specversion": "1.0",
            "id": str(self.count),
            "source": "/test",
            "type": kind,
            "subject": customer,
            "time": (datetime.now(UTC) - timedelta(days=days_ago)).isoformat(),
            "data": data,
        }


def begin(folder: Path, capsys: pytest.CaptureFixture[str]) -> Service:
    """The two files in the working directory `folder`, and nothing begun yet."""
    (folder / "policies.yaml").write_text(POLICY, encoding="utf-8")
    (folder / "retention.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "objects").mkdir()
    return Service(folder, capsys)


def begun(folder: Path, policy: str = POLICY) -> Path:
    """The folder, with a service in it that has run its first cycle: for `resume`, which copies it."""
    (folder / "policies.yaml").write_text(policy, encoding="utf-8")
    (folder / "retention.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "objects").mkdir()
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert main(("run", "--once")) == 0
    return folder


def resume(begun: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> Service:
    """The service of `begun` in the empty working directory `folder`: its settings name no place but their own folder."""
    shutil.copytree(begun, folder, dirs_exist_ok=True)
    return Service(folder, capsys)
