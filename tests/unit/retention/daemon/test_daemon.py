"""The daemon as its operator meets it: a process, two pages, a log, and signals."""

from __future__ import annotations

import signal
import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.ledger import Ledger
from retention.evidence.note import VerifierKey
from tests.small_service import POLICY, Facts, Service

if TYPE_CHECKING:
    from tests.unit.retention.daemon.conftest import Daemon, StartDaemon

NAME = "张三-GmbH"


def delete_customers(service: Service, fact: Facts, count: int) -> None:
    """So many customers' data is due now."""
    names = [f"{NAME}-{number}" for number in range(count)]
    service.put(*(f"{dataset}/{name}/{part}" for dataset in ("models", "logs") for name in names for part in "ab"))
    service.record(*(fact("data-deleted", name, 1) for name in names))


def entries(service: Service) -> list[Entry]:
    """The whole ledger, read with its public key."""
    key = VerifierKey.parse(service.done("key", "list", "--json").json["verifier_key"])
    return [decode_entry(data) for data in Ledger(Path("state/ledger"), key).entries()]


def everything_is_in_order(service: Service) -> None:
    """All is deleted, and the ledger is whole."""
    assert service.objects() == []
    service.done("status")
    service.done("verify", "state/ledger")


def steps_begun_twice(told: list[Entry]) -> list[object]:
    """Steps that were begun more than once, which is what an interruption leaves, or two at work."""
    begun = Counter(
        (entry.case, entry.body["dataset"], entry.body["step"]) for entry in told if entry.type is EntryType.STEP_INTENT
    )
    return [step for step, count in begun.items() if count > 1]


# ----------------------------------------------------------------------------------------------------- its work


def test_the_first_cycle_begins_at_once_and_nothing_told_names_a_customer(
    service: Service, fact: Facts, start_daemon: StartDaemon
) -> None:
    delete_customers(service, fact, 2)
    daemon = start_daemon()
    daemon.logged("run ended")
    assert service.objects() == []
    daemon.wait_for(lambda: daemon.metric("retention_cases") == 2, "the numbers after the cycle")
    status, page = daemon.get("/healthz")
    assert (status, daemon.health()["status"], daemon.health()["last"]["deletions"]["result"]) == (
        200,
        "waiting",
        "done",
    )
    assert daemon.health()["policy"]["version"] == "1"
    assert set(daemon.health()["next"]) == {"deletions", "verification", "backups", "report"}
    numbers = daemon.get("/metrics")[1]
    assert daemon.metric("retention_steps_total") > 0
    assert daemon.metric("retention_overdue_cases") == 0
    assert daemon.get("/docs")[0] == 404
    assert daemon.stop() == 0
    assert [line for line in (page, numbers, *daemon.lines) if "张三" in line or "GmbH" in line] == []


def test_sigterm_finishes_the_step_and_the_next_run_goes_on(
    service: Service, fact: Facts, start_daemon: StartDaemon
) -> None:
    delete_customers(service, fact, 30)
    daemon = start_daemon()
    daemon.wait_for(lambda: daemon.metric("retention_steps_total") > 10, "some steps")
    assert daemon.stop(signal.SIGTERM) == 0
    assert [entry["event"] for entry in daemon.log][-2:] == ["stopping", "stopped"]
    left = len(service.objects())
    assert 0 < left <= 120
    service.done("run", "--once")
    everything_is_in_order(service)
    assert len(steps_begun_twice(entries(service))) <= 1  # at most the one that was under way


def test_a_run_over_the_limit_is_told_and_deletes_nothing(
    bare_service: Service, fact: Facts, start_daemon: StartDaemon
) -> None:
    bare_service.done("run", "--once")
    delete_customers(bare_service, fact, 3)
    daemon = start_daemon()
    assert "limits.customers-per-run is 2" in daemon.logged("run refused before its first change")["reason"]
    daemon.wait_for(lambda: daemon.health()["status"] == "refused", "the refusal")
    assert daemon.get("/healthz")[0] == 200
    assert len(bare_service.objects()) == 12


# --------------------------------------------------------------------------------------------------- the policy


def test_a_policy_is_adopted_when_its_file_changes_and_a_wrong_one_is_not(
    service: Service, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon()
    daemon.logged("run ended")
    Path("policies.yaml").write_text(POLICY.replace("15 days", "15 fortnights"), encoding="utf-8")
    rejected = daemon.logged("policy rejected; the version in force stays")
    assert len(rejected["problems"]) == 3
    daemon.wait_for(lambda: daemon.metric("retention_policy_rejected") == 1, "the flag")
    assert (daemon.get("/healthz")[0], daemon.health()["policy"]["version"]) == (200, "1")
    changed = POLICY.replace('version: "1"', 'version: "2"').replace("effective: 2026-01-01", "effective: 2026-02-01")
    Path("policies.yaml").write_text(changed, encoding="utf-8")
    assert daemon.logged("policy waits for approval")["needed"] == 1
    assert daemon.metric("retention_policy_rejected") == 0
    service.done("approve", "policies.yaml", "--by", "李四")
    Path("policies.yaml").touch()
    daemon.wait_for(lambda: daemon.health()["policy"]["version"] == "2", "version 2")


def test_without_a_version_in_force_a_wrong_policy_file_ends_it_with_1(
    bare_service: Service, start_daemon: StartDaemon
) -> None:
    Path("policies.yaml").write_text(POLICY.replace("15 days", "15 fortnights"), encoding="utf-8")
    daemon = start_daemon()
    assert daemon.ended() == 1
    assert len([line for line in daemon.lines if line.startswith("policies.yaml:")]) == 3


# ----------------------------------------------------------------------------------------------- its surroundings


def test_an_address_that_is_taken_ends_it_with_1(bare_service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        told = bare_service.process("run", RETENTION_DAEMON__LISTEN=address)
    assert told.returncode == 1
    assert told.stderr.decode().startswith(f"daemon.listen: {address}: Address already in use")


@pytest.mark.usefixtures("bare_service")
def test_it_waits_for_a_catalogue_that_cannot_be_reached_and_says_so(start_daemon: StartDaemon) -> None:
    daemon = start_daemon(RETENTION_CATALOG__URL="postgresql+psycopg://nobody@127.0.0.1:1/x?connect_timeout=2")
    daemon.logged("cannot be opened yet")
    status, page = daemon.get("/healthz")
    assert status == 503
    assert "the catalogue cannot be reached" in page
    assert daemon.stop() == 0


# ------------------------------------------------------------------------------------------------------ two of them


def never_both(service: Service, fact: Facts, start_daemon: StartDaemon, **environment: str) -> None:
    delete_customers(service, fact, 12)
    daemons = [start_daemon(**environment) for _ in range(2)]
    for daemon in daemons:
        daemon.wait_for(lambda: service.objects() == [], "the deletion")
        daemon.wait_for(lambda d=daemon: d.health()["running"] is None, "its end")  # type: ignore[misc] # a default binds it
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    assert sum(_is_acting(daemon) for daemon in daemons) >= 1


def _is_acting(daemon: Daemon) -> bool:
    return any(entry["event"] == "run ended" for entry in daemon.log)


def runs_overlap(told: list[Entry]) -> bool:
    """Whether a run began while another one was going on."""
    is_running = False
    for entry in told:
        if entry.type is EntryType.RUN_STARTED:
            if is_running:
                return True
            is_running = True
        elif entry.type is EntryType.RUN_FINISHED:
            is_running = False
    return False


def test_two_daemons_on_one_sqlite_catalogue_never_both_act(
    service: Service, fact: Facts, start_daemon: StartDaemon
) -> None:
    never_both(service, fact, start_daemon, RETENTION_DAEMON__LEASE="2 seconds")
    everything_is_in_order(service)
    assert not runs_overlap(entries(service))
    assert steps_begun_twice(entries(service)) == []


def test_two_daemons_on_one_postgresql_catalogue_never_both_act(
    bare_service: Service,
    fact: Facts,
    start_daemon: StartDaemon,
    postgres_database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETENTION_CATALOG__URL", postgres_database)
    Path("policies.yaml").write_text(POLICY.replace("per-run: 2", "per-run: 1000"), encoding="utf-8")
    bare_service.done("run", "--once")
    never_both(bare_service, fact, start_daemon, RETENTION_DAEMON__LEASE="2 seconds")
    everything_is_in_order(bare_service)
    assert not runs_overlap(entries(bare_service))
    assert steps_begun_twice(entries(bare_service)) == []


def test_the_one_that_stands_by_takes_over_when_the_other_is_killed(
    service: Service, fact: Facts, start_daemon: StartDaemon
) -> None:
    delete_customers(service, fact, 20)
    first = start_daemon(RETENTION_DAEMON__LEASE="3 seconds")
    first.wait_for(lambda: first.metric("retention_steps_total") > 5, "some steps")
    second = start_daemon(RETENTION_DAEMON__LEASE="3 seconds")
    second.logged("standing by: another process has the lease")
    assert (second.get("/healthz")[0], second.health()["lease"]) == (200, "another")
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert len(service.objects()) > 0
    second.wait_for(lambda: service.objects() == [], "the other one's work")
    second.logged("run ended")
    assert second.stop() == 0
    service.done("status")
