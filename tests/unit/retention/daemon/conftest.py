"""A small service for each test, and daemons of it as processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import structlog

from tests.small_service import POLICY, Facts, Service, begin, begun, resume

PATIENCE = 120.0
"""Seconds; only a test that fails waits so long."""


@dataclass
class Daemon:
    """A daemon process: what it logs, and what it answers."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines += iter(self.process.stderr.readline, "")  # extends line by line

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def logged(self, event: str) -> dict[str, Any]:
        """The first entry of this event, as soon as it is there."""
        self.wait_for(lambda: any(entry["event"] == event for entry in self.log), f"log: {event}")
        return next(entry for entry in self.log if entry["event"] == event)

    def wait_for(self, is_so: Callable[[], bool], what: str) -> None:
        """Return when it is so; fail when the process ends before, or with patience."""
        end = time.monotonic() + PATIENCE
        while not is_so():
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{what}: never came\n{''.join(self.lines)}")
            time.sleep(0.05)

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.logged('listening')['port']}{path}", timeout=30
            ) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get("/healthz")[1])
        return document

    def metric(self, name: str) -> float:
        """The sum of all samples of a metric."""
        text = self.get("/metrics")[1]
        samples = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in samples)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """The exit code, when it has ended."""
        code = self.process.wait(PATIENCE)
        self._reader.join()
        return code


class StartDaemon(Protocol):
    def __call__(self, **environment: str) -> Daemon: ...


@pytest.fixture
def bare_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """Policy and settings in the working directory, and nothing begun yet."""
    monkeypatch.chdir(tmp_path)
    return begin(tmp_path, capsys)


@pytest.fixture(scope="session")
def first_cycle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service after its first cycle; its policy lets a run delete as many customers as there are."""
    policy = POLICY.replace("customers-per-run: 2", "customers-per-run: 1000")
    return begun(tmp_path_factory.mktemp("service"), policy)


@pytest.fixture
def service(
    first_cycle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Service:
    """The service after its first cycle."""
    monkeypatch.chdir(tmp_path)
    return resume(first_cycle, tmp_path, capsys)


@pytest.fixture
def fact() -> Facts:
    """Makes facts."""
    return Facts()


@pytest.fixture
def start_daemon() -> Iterator[StartDaemon]:
    """Starts daemons in the working directory, on a free port each; none outlives the test."""
    daemons: list[Daemon] = []

    def start(**environment: str) -> Daemon:
        process = subprocess.Popen(
            [sys.executable, "-m", "retention", "run"],
            stderr=subprocess.PIPE,
            text=True,
            env=Service.environment(RETENTION_DAEMON__LISTEN="127.0.0.1:0", **environment),
        )
        daemons.append(Daemon(process))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.process.kill()
        daemon.ended()
        assert daemon.process.stderr is not None
        daemon.process.stderr.close()


@pytest.fixture
def plain_logs() -> Iterator[None]:
    """The logs are afterwards as they were before."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
