"""A daemon that finds an old catalogue brings it up to date before its first cycle."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.small_service import Facts, Service

if TYPE_CHECKING:
    from tests.unit.retention.daemon.conftest import StartDaemon


def test_a_daemon_replays_before_its_first_cycle(service: Service, fact: Facts, start_daemon: StartDaemon) -> None:
    service.put("models/acme/a", "logs/acme/a")
    copy = shutil.copy("state/catalog.db", "copy.db")
    service.record(fact("service-activated", "acme", 9, service="training"), fact("data-deleted", "acme", 1))
    service.done("run", "--once")
    for left in Path("state").glob("catalog.db*"):
        left.unlink()
    shutil.copy(copy, "state/catalog.db")
    daemon = start_daemon()
    daemon.logged("run ended")
    assert daemon.stop() == 0
    events = [line["event"] for line in daemon.log]
    assert events.index("catalogue replayed") < events.index("started")
    replayed = daemon.logged("catalogue replayed")
    assert (replayed["facts"], replayed["cases"]) == (2, 1)
    assert not [line for line in daemon.lines if "acme" in line]
    (case,) = service.done("status", "--json").json["cases"]
    assert case["state"] == "certified"
    service.done("verify", "state/ledger")
