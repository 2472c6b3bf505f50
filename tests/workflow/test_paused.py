"""A daemon whose machine slept while another took over: woken, it changes nothing any more."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from retention.workflows.run_cycle import run_cycle
from retention.workflows.status import status
from tests.workflow.killed_runs import DAY, MINUTE, START, STORES, expire, open_service, prepare, renew

_ROOT = Path(__file__).parents[2]
_LATER = START + MINUTE + 16 * DAY


def everything(root: Path) -> dict[str, str]:
    """Every row of the catalogue, every file of ledger, keys and stores."""
    with sqlite3.connect(root / "catalog.db") as connection:
        found = {"rows": "\n".join(connection.iterdump())}
    connection.close()
    for folder in (*STORES, "ledger", "keys"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A service with a deletion that is due."""
    for store in STORES:
        (tmp_path / store).mkdir()
    deployment = open_service(tmp_path, START)
    prepare(tmp_path, deployment)
    deployment.clock.sleep(MINUTE)
    expire(deployment)
    deployment.close()
    return tmp_path


def asleep(root: Path, where: str) -> subprocess.Popen[bytes]:
    """A daemon that was stopped there, its lease long expired."""
    command = [sys.executable, str(Path(__file__).with_name("paused_run.py")), where, _LATER.isoformat()]
    daemon = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(_ROOT)})
    _, how = os.waitpid(daemon.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(how), f"it ended with {how} and did not come to: {where}"
    return daemon


def woken(daemon: subprocess.Popen[bytes]) -> int:
    daemon.send_signal(signal.SIGCONT)
    return daemon.wait(60)


@pytest.mark.parametrize(
    "where",
    [
        "models: clear-caches batch",
        "models: tombstone batch",
        "models: shred intent",
        "notes: erase batch",
        "notes: verify acted",
    ],
)
def test_woken_after_another_has_finished_it_changes_nothing(root: Path, where: str) -> None:
    daemon = asleep(root, where)
    other = open_service(root, _LATER + MINUTE)
    for _ in range(2):  # what the first one had shredded is closed in the cycle after the roll
        run_cycle(other)
    (case,) = status(other, "c-1")
    assert case.state == "certified"
    other.close()
    before = everything(root)
    assert woken(daemon) == 3
    assert everything(root) == before


def test_woken_after_the_customer_was_brought_back_it_hides_nothing(root: Path) -> None:
    daemon = asleep(root, "models: tombstone batch")
    other = open_service(root, _LATER + MINUTE)
    renew(other)
    run_cycle(other)
    other.close()
    before = everything(root)
    assert {f"objects/models/c-1/{name}.bin" for name in "abc"} <= before.keys()
    assert woken(daemon) == 3
    assert everything(root) == before
