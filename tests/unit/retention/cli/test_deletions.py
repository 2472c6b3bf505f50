"""`plan`, `run` and `status`: what would be done, doing it, and where it stands."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.small_service import POLICY, Facts, Service


@pytest.fixture
def due(service: Service, fact: Facts) -> Service:
    """c-1's buffer is long over, c-2 lives; both have objects."""
    service.put("models/c-1/a.bin", "models/c-1/b.bin", "logs/c-1/x.log", "models/c-2/a.bin", "logs/c-2/x.log")
    service.record(
        fact("service-activated", "c-1", 100, service="training"),
        fact("service-activated", "c-2", 100, service="training"),
        fact("service-expired", "c-1", 20, service="training"),
    )
    return service


def test_a_plan_names_every_copy_with_what_why_and_when(due: Service) -> None:
    said = due.done("plan").out.splitlines()
    assert said[0].split() == ["DUE", "CUSTOMER", "CASE", "DATASET", "COPY", "WHAT", "ITEMS", "SIZE", "RULE", "WHY"]
    (models,) = (line for line in said if " models " in line)
    assert "restrict → tombstone → shred → erase → verify" in models
    assert "+08:00" in models
    assert "end-of-service (6.11)" in models
    assert "2 copies of 1 customers to act on, 0 waiting" in said[-2]


def test_a_plan_touches_nothing(due: Service) -> None:
    before = due.objects(), due.done("status", "--json").out, Path("state/ledger/checkpoint").read_bytes()
    due.done("plan")
    due.done("plan", "--as-of", "2036-01-01", "--out", "plan.json")
    assert (due.objects(), due.done("status", "--json").out, Path("state/ledger/checkpoint").read_bytes()) == before


def test_a_moment_is_previewed_in_the_policy_s_zone(due: Service) -> None:
    assert due.done("plan", "--as-of", "2030-12-31", "--json").json["as_of"] == "2030-12-30T16:00:00Z"
    assert due.done("plan", "--as-of", "2030-12-31T08:00:00Z", "--json").json["as_of"] == "2030-12-31T08:00:00Z"


def test_before_the_buffer_is_over_the_data_is_only_restricted(due: Service, fact: Facts) -> None:
    due.record(fact("arrears-started", "c-2", 1))
    (waiting,) = (line for line in due.done("plan").out.splitlines() if " c-2 " in line and " models " in line)
    assert " restrict " in waiting


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused_with_what_to_write(due: Service, text: str) -> None:
    result = due.run("plan", "--as-of", text) if text else due.run("plan", "--as-of", " ")
    assert result.code == 1
    assert result.err.startswith("--as-of: ")


def test_one_cycle_deletes_what_is_due_and_nothing_else(due: Service) -> None:
    assert due.done("run", "--once").out.splitlines()[0].endswith("steps taken for 2 deletions")
    assert due.objects() == ["logs/c-2/x.log", "models/c-2/a.bin"]


def test_a_second_cycle_has_nothing_to_do(due: Service) -> None:
    due.done("run", "--once")
    assert due.done("run", "--once").out == "0 steps taken for 0 deletions\n"


def test_status_shows_the_end_of_every_copy(due: Service) -> None:
    due.done("run", "--once")
    said = due.done("status", "c-1").out
    assert "clause 6.11" in said
    copies = [line.split() for line in said.splitlines() if line.startswith(("models", "logs"))]
    assert sorted((words[0], words[4]) for words in copies) == [
        ("logs", "erased-verified"),
        ("models", "erased-verified"),
    ]


def test_status_exits_with_4_while_something_is_overdue(service: Service, fact: Facts) -> None:
    service.put("models/c-1/a.bin")
    service.record(fact("data-deleted", "c-1", 40))
    late = service.run("status")
    assert late.code == 4
    assert "OVERDUE" in late.out
    assert late.out.endswith("1 cases, 1 overdue, 0 with a failed copy\n")
    service.done("run", "--once")


def test_a_cycle_exits_with_4_where_something_stays_overdue(service: Service, fact: Facts) -> None:
    service.put("models/c-1/a.bin")
    service.record(fact("data-deleted", "c-1", 40))
    (service.folder / "objects").rename(service.folder / "elsewhere")
    result = service.run("run", "--once")
    assert result.code == 4
    assert "/models: tombstone: objects: " in result.err
    (service.folder / "elsewhere").rename(service.folder / "objects")
    service.done("run", "--once")
    assert service.objects() == []


def test_a_kept_plan_is_done_as_it_was_shown_and_nothing_else(due: Service, fact: Facts) -> None:
    due.done("plan", "--out", "plan.json")
    due.put("models/c-3/a.bin")
    due.record(fact("data-deleted", "c-3", 1))
    due.done("run", "--plan", "plan.json")
    assert due.objects() == ["logs/c-2/x.log", "models/c-2/a.bin", "models/c-3/a.bin"]


def test_what_is_not_due_as_the_plan_showed_it_is_left_alone(due: Service, fact: Facts) -> None:
    due.done("plan", "--out", "plan.json")
    due.record(fact("service-renewed", "c-1", 10, service="training"))
    result = due.done("run", "--plan", "plan.json")
    assert (
        len([line for line in result.err.splitlines() if line.endswith("not due as the plan showed it; left alone")])
        == 2
    )
    assert len(due.objects()) == 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('"models/c-1/"', '"models/c-2/"', id="another place"),
        pytest.param('"erase"', '"certify"', id="another step"),
        pytest.param('"strand_version": ', '"strand_version": 1', id="another version"),
    ],
)
def test_a_plan_that_was_changed_is_refused(due: Service, before: str, after: str) -> None:
    due.done("plan", "--out", "plan.json")
    text = Path("plan.json").read_text(encoding="utf-8")
    assert before in text
    Path("plan.json").write_text(text.replace(before, after), encoding="utf-8")
    result = due.run("run", "--plan", "plan.json")
    assert result.code == 1
    assert "changed since it was made" in result.err
    assert len(due.objects()) == 5


def test_what_is_no_plan_is_refused(due: Service) -> None:
    Path("plan.json").write_text('{"items": 3}', encoding="utf-8")
    result = due.run("run", "--plan", "plan.json")
    assert (result.code, len(result.err.splitlines())) == (1, 1)


def test_a_run_over_the_limit_is_refused_until_an_officer_approves_the_plan(service: Service, fact: Facts) -> None:
    for customer in ("c-1", "c-2", "c-3"):
        service.put(f"models/{customer}/a.bin")
        service.record(fact("data-deleted", customer, 1))
    refused = service.run("run", "--once")
    assert refused.code == 3
    assert "3 customers would be deleted in one run; limits.customers-per-run is 2" in refused.err
    assert len(service.objects()) == 3
    service.done("plan", "--out", "plan.json")
    service.done("approve", "plan.json", "--by", "李四")
    service.done("run", "--plan", "plan.json")
    assert service.objects() == []


def test_a_wrong_policy_file_leaves_the_version_in_force_and_exits_with_1(due: Service) -> None:
    Path("policies.yaml").write_text(POLICY.replace("buffer: 15 days", "buffer: x"), encoding="utf-8")
    result = due.run("run", "--once")
    assert result.code == 1
    assert result.err.startswith("policies.yaml:8:")
    assert due.objects() == ["logs/c-2/x.log", "models/c-2/a.bin"]


def test_without_any_version_in_force_a_wrong_policy_file_begins_nothing(bare_service: Service) -> None:
    Path("policies.yaml").write_text("nonsense", encoding="utf-8")
    result = bare_service.run("run", "--once")
    assert result.code == 1
    assert result.err.startswith("policies.yaml:1:1: ")


def test_json_has_the_times_in_utc(due: Service) -> None:
    due.done("run", "--once")
    cases = due.done("status", "--json").json["cases"]
    assert isinstance(cases, list)
    (case,) = cases
    assert all(str(case[name]).endswith("Z") for name in ("started_at", "due_at", "complete_by"))
    assert case["due_at"].endswith("16:00:00Z")  # 24:00 in Shanghai


def test_on_a_terminal_there_is_a_ruled_table_with_names_as_they_are(service: Service, fact: Facts) -> None:
    service.record(fact("data-deleted", "[red]c-1", 1))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "retention", "status"],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=service.environment(COLUMNS="300", TERM="xterm"),
    ) as process:
        process.wait(60)
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "─────" in said
    assert "[red]c-1" in said


def test_piped_there_is_one_line_for_each_row(due: Service) -> None:
    told = due.process("status", COLUMNS="20").stdout.decode().splitlines()
    assert len([line for line in told if line.startswith("c-1")]) == 1


def test_plan_and_its_file_are_the_same(due: Service) -> None:
    shown = due.done("plan", "--as-of", "2030-01-01", "--out", "plan.json", "--json").json
    assert shown.pop("drift") == []
    assert json.loads(Path("plan.json").read_text(encoding="utf-8")) == shown
