"""Reports: the figures are those that one counts by hand, nobody stands in them by name, and every changed byte is named."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest

from retention.clock import ManualClock
from retention.errors import InputError, NotInOrder
from retention.evidence.bodies import ReportIssued
from retention.evidence.bundle import Manifest, hash_file, write_vouchers
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.verify import Verification
from retention.model.transfer import TransferRequest
from retention.reports.document import Lang
from retention.reports.json_form import write_json
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.compile_report import (
    IssuedReport,
    ReportOrder,
    compile_report,
    is_report_missing,
    report_from,
    report_of_last_month,
    sources_of,
)
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.decide_transfer import check_transfer, use_decision
from retention.workflows.deployment import Deployment
from retention.workflows.holds import HoldOrder, place_hold, release_hold
from retention.workflows.report_draft import draft_of
from retention.workflows.report_sections.deletions import gather
from retention.workflows.report_sections.period import period_of
from retention.workflows.report_sections.standing import Standing
from retention.workflows.verify_evidence import verify_evidence
from tests.many_cases import FIRST, put_cases
from tests.small_service import Facts, Service, begin
from tests.transfer_policy import CONSENT, with_transfers
from tests.unit.retention.reports.printed_page import collisions
from tests.workflow.conftest import POLICY, START, Provider, open_provider

NAMES = ("acme-gmbh", "beta-gmbh", "gamma-gmbh", "delta-gmbh", "epsilon-gmbh", "zeta-gmbh")
GROUND = "ordered by the court about Zhang San"
NOVEMBER = ReportOrder(date(2026, 11, 1), date(2026, 11, 30), Lang.EN)
DECEMBER = ReportOrder(date(2026, 12, 1), date(2026, 12, 31), Lang.EN)


def go_to(provider: Provider, at: datetime) -> None:
    """Time passes until then."""
    provider.clock.advance(at - provider.clock.at)


def live_through_november(provider: Provider) -> None:
    """Six customers whose deletions end in six ways by 1 December, 10:00 in Shanghai.

    acme: done on time. beta: held. gamma: due on 26 November, time until 11 December. delta: told late, so done late.
    epsilon: told late, and not done. zeta: due at the first instant of December.
    """
    for name in NAMES:
        provider.tell("service-activated", name, service="training", subscription=f"{name}-1")
        provider.put_model(name, "weights.bin")
        provider.put_log(name, "old.log", START - timedelta(days=300))
    provider.back_up()
    provider.tell("data-deleted", "acme-gmbh")
    provider.tell("data-deleted", "beta-gmbh")
    review = START + timedelta(days=30)
    place_hold(provider.deployment, HoldOrder("beta-gmbh", "H-7", GROUND, "Pudong District Court", None, review))
    provider.tell("service-expired", "gamma-gmbh", service="training", subscription="gamma-gmbh-1")
    provider.tell("data-deleted", "delta-gmbh", at=datetime(2026, 10, 20, 4, tzinfo=UTC))
    for _ in range(3):
        provider.run()
        provider.pass_time(days=2)
    provider.run()
    fifteenth = datetime(2026, 11, 15, 3, tzinfo=UTC)
    provider.tell("service-expired", "zeta-gmbh", at=fifteenth, service="training", subscription="zeta-gmbh-1")
    go_to(provider, datetime(2026, 11, 29, 2, tzinfo=UTC))
    provider.tell("data-deleted", "epsilon-gmbh", at=datetime(2026, 11, 1, 2, tzinfo=UTC))
    go_to(provider, datetime(2026, 12, 1, 2, tzinfo=UTC))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Provider, IssuedReport]]:
    """November and its report, for tests that change neither."""
    root = tmp_path_factory.mktemp("story")
    provider = open_provider(root / "service", ManualClock(START))
    (root / "policies.yaml").write_text(POLICY, encoding="utf-8")
    adopt_policy(provider.deployment, root / "policies.yaml")
    live_through_november(provider)
    shutil.copytree(provider.root, root / "as-of-december")
    yield provider, compile_report(provider.deployment, NOVEMBER, root / "november")
    provider.deployment.close()


@pytest.fixture
def november(story: tuple[Provider, IssuedReport], tmp_path: Path) -> Iterator[Provider]:
    """November once more, before any report, for tests that go on from there."""
    before, _ = story
    shutil.copytree(before.root.parent / "as-of-december", tmp_path / "service")
    provider = open_provider(tmp_path / "service", replace(before.clock))
    yield provider
    provider.deployment.close()


@pytest.fixture
def bundle(story: tuple[Provider, IssuedReport], tmp_path: Path) -> Path:
    """A copy of November's bundle to be tampered with."""
    return Path(shutil.copytree(story[1].folder, tmp_path / "copy"))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table as a spreadsheet has them, by the columns' names."""
    with (folder / "csv" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        headings, *rows = csv.reader(file)
    names = [heading.rpartition("[")[2].removesuffix("]") for heading in headings]
    return [dict(zip(names, row, strict=True)) for row in rows]


def counts(folder: Path, name: str, key: str) -> dict[str, tuple[int, ...]]:
    """Due, on time, late, overdue, stopped, open and brought back, by the first column."""
    measures = ("due", "on_time", "late", "overdue", "stopped", "open", "brought_back")
    return {row[key]: tuple(int(row[measure]) for measure in measures) for row in table(folder, name)}


def check(deployment: Deployment, *paths: Path) -> Verification:
    return verify_evidence(paths, str(deployment.journal.ledger.key))


def kinds(found: Verification) -> set[str]:
    return {each.finding.kind.value for each in found.findings}


# ------------------------------------------------------------------------------------------------------- figures


def test_a_month_is_counted_as_one_counts_it_by_hand(story: tuple[Provider, IssuedReport]) -> None:
    _, issued = story
    assert (issued.due_count, issued.overdue_count) == (10, 2)
    assert counts(issued.folder, "statement", "clause") == {
        "6.10": (8, 2, 2, 2, 2, 0, 0),
        "6.11": (2, 0, 0, 0, 0, 2, 0),
        "6.12": (0, 0, 0, 0, 0, 0, 0),
    }
    assert counts(issued.folder, "by-month", "month") == {
        "2026-10": (2, 0, 2, 0, 0, 0, 0),
        "2026-11": (8, 2, 0, 2, 2, 2, 0),
    }
    assert counts(issued.folder, "by-dataset", "dataset") == {
        "logs": (5, 1, 1, 1, 1, 1, 0),
        "models": (5, 1, 1, 1, 1, 1, 0),
    }
    assert counts(issued.folder, "by-service", "service") == {
        "*": (8, 2, 2, 2, 2, 0, 0),
        "training": (2, 0, 0, 0, 0, 2, 0),
    }


def test_what_needs_somebody_stands_first_and_says_why(story: tuple[Provider, IssuedReport]) -> None:
    provider, issued = story
    rows = table(issued.folder, "cases")
    assert [row["status"] for row in rows] == [
        *["overdue"] * 2,
        *["stopped"] * 2,
        *["open"] * 4,
        *["late"] * 2,
        *["on-time"] * 2,
    ]
    whose = {provider.deployment.journal.customer(name)[:12]: name for name in NAMES}
    why = {(whose[row["customer"]], row["status"]): row["why"] for row in rows}
    assert why["beta-gmbh", "stopped"] == "a hold: H-7 (Pudong District Court)"
    assert why["delta-gmbh", "late"] == "it was not carried out in time; no reason is recorded"
    assert {row["is_due"] for row in rows if whose[row["customer"]] == "zeta-gmbh"} == {"false"}


def test_the_next_month_begins_with_what_was_left(november: Provider, tmp_path: Path) -> None:
    november.run()
    november.pass_time(days=1)
    november.run()
    go_to(november, datetime(2026, 12, 5, 2, tzinfo=UTC))
    november.run()
    go_to(november, datetime(2027, 1, 1, 2, tzinfo=UTC))
    issued = compile_report(november.deployment, DECEMBER, tmp_path / "december")
    # epsilon late, beta still held; gamma and zeta in time
    assert counts(issued.folder, "statement", "clause") == {
        "6.10": (4, 0, 2, 0, 2, 0, 0),
        "6.11": (4, 4, 0, 0, 0, 0, 0),
        "6.12": (0, 0, 0, 0, 0, 0, 0),
    }
    assert check(november.deployment, issued.folder).findings == ()


def test_a_look_back_tells_how_it_stood_then(november: Provider, tmp_path: Path) -> None:
    release_hold(november.deployment, HoldOrder("beta-gmbh", "H-7", "over", "Pudong District Court"))
    november.run()
    november.pass_time(days=2)
    november.run()
    issued = compile_report(november.deployment, NOVEMBER, tmp_path / "later")
    assert counts(issued.folder, "statement", "clause")["6.10"] == (8, 2, 2, 2, 2, 0, 0)
    assert check(november.deployment, issued.folder).findings == ()


def test_every_kind_of_catalogue_tells_the_same(processes: Callable[[], Provider], tmp_path: Path) -> None:
    provider = processes()
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    provider.put_model("acme-gmbh", "weights.bin")
    provider.tell("data-deleted", "acme-gmbh")
    provider.tell("data-deleted", "beta-gmbh", at=datetime(2026, 10, 20, 4, tzinfo=UTC))
    place_hold(provider.deployment, HoldOrder("beta-gmbh", "H-7", GROUND, "Court"))
    for _ in range(3):
        provider.run()
        provider.pass_time(days=2)
    go_to(provider, datetime(2026, 12, 1, 2, tzinfo=UTC))
    issued = compile_report(provider.deployment, NOVEMBER, tmp_path / "out")
    assert counts(issued.folder, "statement", "clause")["6.10"] == (4, 2, 0, 0, 2, 0, 0)
    assert len(table(issued.folder, "epochs-destroyed")) > 0
    assert check(provider.deployment, issued.folder).findings == ()


@pytest.mark.parametrize(
    ("last_day", "due"),
    [
        pytest.param(date(2026, 11, 25), 6, id="the day before gamma's buffer is over, and before epsilon is told"),
        pytest.param(date(2026, 11, 26), 8, id="gamma is due at 00:00 of the 26th in Shanghai"),
        pytest.param(date(2026, 11, 30), 10, id="zeta is due at 24:00 of the 30th, which is December"),
        pytest.param(date(2026, 12, 1), 12, id="zeta is due on 1 December, which is 30 November in UTC"),
    ],
)
def test_days_are_those_of_shanghai(november: Provider, tmp_path: Path, last_day: date, due: int) -> None:
    order = replace(NOVEMBER, last_day=last_day)
    assert compile_report(november.deployment, order, tmp_path / "out").due_count == due


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        pytest.param(date(2026, 12, 2), date(2026, 12, 31), "has not come yet", id="a period that has not begun"),
        pytest.param(date(2026, 11, 2), date(2026, 11, 1), "lies before", id="a period that ends before it begins"),
    ],
)
def test_a_period_that_is_none_is_refused(
    november: Provider, tmp_path: Path, first: date, last: date, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        compile_report(november.deployment, ReportOrder(first, last), tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []


def test_holds_approvals_and_limits_stand_with_their_entries(november: Provider, tmp_path: Path) -> None:
    approve(november.deployment, "ab" * 32, "Ms Li")
    november.pass_time(minutes=1)
    issued = compile_report(november.deployment, replace(NOVEMBER, last_day=date(2026, 12, 1)), tmp_path / "out")
    (hold,) = table(issued.folder, "holds")
    assert (hold["hold"], hold["authority"], hold["stands"]) == ("H-7", "Pudong District Court", "true")
    entry = decode_entry(november.deployment.journal.ledger.entry(int(hold["entries"])))
    assert (entry.type, str(entry.body["customer"])[:12]) == (EntryType.HOLD_PLACED, hold["customer"])
    (approval,) = table(issued.folder, "approvals")
    assert approval["subject"] == "ab" * 32
    assert "Ms Li" not in (issued.folder / "report.json").read_text(encoding="utf-8")
    (version,) = table(issued.folder, "policy-versions")
    assert (issued.folder / version["file"]).is_file()


def test_a_hold_and_a_policy_of_before_the_period_have_their_entries_too(november: Provider, tmp_path: Path) -> None:
    go_to(november, datetime(2027, 1, 3, 2, tzinfo=UTC))
    issued = compile_report(november.deployment, DECEMBER, tmp_path / "out")
    assert [bool(row["entries"]) for row in table(issued.folder, "holds")] == [True]
    assert [bool(row["entries"]) for row in table(issued.folder, "policy-versions")] == [True]


def test_what_was_told_of_a_hold_after_the_period_has_its_entry_too(november: Provider, tmp_path: Path) -> None:
    go_to(november, datetime(2026, 12, 2, 2, tzinfo=UTC))
    release_hold(november.deployment, HoldOrder("beta-gmbh", "H-7", "over", "Pudong District Court"))
    november.pass_time(hours=1)
    issued = compile_report(november.deployment, NOVEMBER, tmp_path / "out")
    (hold,) = table(issued.folder, "holds")
    ledger = november.deployment.journal.ledger
    told = [decode_entry(ledger.entry(int(each))).type for each in hold["entries"].split()]
    assert (hold["stands"], told) == ("true", [EntryType.HOLD_PLACED, EntryType.HOLD_RELEASED])
    assert check(november.deployment, issued.folder).findings == ()


def test_a_consent_that_was_withdrawn_after_the_period_has_both_entries(provider: Provider, tmp_path: Path) -> None:
    adopt_transfers(provider, tmp_path / "transfers.yaml")
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    grant_consent(provider.deployment, "acme-gmbh", CONSENT)
    go_to(provider, datetime(2026, 12, 2, 2, tzinfo=UTC))
    withdraw_consent(provider.deployment, "acme-gmbh", "K-1")
    provider.pass_time(hours=1)
    issued = compile_report(provider.deployment, NOVEMBER, tmp_path / "out")
    (consent,) = table(issued.folder, "consents")
    assert (bool(consent["withdrawn_at"]), len(consent["entries"].split())) == (True, 2)
    assert check(provider.deployment, issued.folder).findings == ()


def test_backups_that_wait_say_what_a_read_came_to(provider: Provider, tmp_path: Path) -> None:
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    provider.put_log("acme-gmbh", "old.log", START - timedelta(days=300))
    (provider.objects / "models" / "acme-gmbh").mkdir(parents=True)
    (provider.objects / "models" / "acme-gmbh" / "plain.bin").write_bytes(b"not sealed")
    provider.back_up()
    provider.tell("data-deleted", "acme-gmbh")
    for _ in range(3):
        provider.run()
        provider.pass_time(days=2)
    go_to(provider, datetime(2026, 12, 1, 2, tzinfo=UTC))
    issued = compile_report(provider.deployment, NOVEMBER, tmp_path / "out")
    (waiting,) = table(issued.folder, "backup-sets")
    assert (waiting["end_state"], waiting["set"]) == ("quarantined", "nightly/2026-11-10/")
    assert waiting["refusal"]
    assert waiting["until"] == "2026-12-11T00:00:00+08:00"
    assert check(provider.deployment, issued.folder).findings == ()


def test_transfers_stand_with_consent_measure_and_counted_persons(provider: Provider, tmp_path: Path) -> None:
    adopt_transfers(provider, tmp_path / "transfers.yaml")
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    grant_consent(provider.deployment, "acme-gmbh", CONSENT)
    request = TransferRequest("acme-gmbh", "models", "CN", "SG", "Lion Pte", "support", "training", 5, 0)
    allowed = check_transfer(provider.deployment, request)
    denied = check_transfer(provider.deployment, replace(request, destination="US"))
    go_to(provider, datetime(2026, 12, 1, 2, tzinfo=UTC))
    issued = compile_report(provider.deployment, NOVEMBER, tmp_path / "out")
    rows = {row["decision"]: row for row in table(issued.folder, "decisions")}
    assert {each: rows[each]["verdict"] for each in rows} == {
        each.id: str(each.decision.verdict) for each in (allowed, denied)
    }
    assert [row["consent"] != "K-1" and bool(row["entries"]) for row in table(issued.folder, "consents")] == [True]
    assert [row["limit"] for row in table(issued.folder, "thresholds")] == ["100000", "1", "1000000", "10000"]
    assert check(provider.deployment, issued.folder).findings == ()


def adopt_transfers(provider: Provider, path: Path) -> None:
    """A policy version with rules on transfers is in force."""
    path.write_text(with_transfers(POLICY).replace('version: "1"', 'version: "2"'), encoding="utf-8")
    provider.pass_time(hours=1)
    adopted = adopt_policy(provider.deployment, path)
    approve(provider.deployment, adopted.policy.hash, "Ms Li")
    adopt_policy(provider.deployment, path)


@pytest.mark.parametrize(
    ("order", "counted"),
    [
        pytest.param(DECEMBER, {"5", "0"}, id="December"),
        pytest.param(ReportOrder(date(2026, 1, 1), date(2026, 12, 31), Lang.EN), {"5", "0"}, id="the year"),
        pytest.param(ReportOrder(date(2026, 12, 1), date(2027, 1, 1), Lang.EN), {"0"}, id="the year after has begun"),
    ],
)
def test_persons_are_those_of_the_year_in_which_the_period_ends(
    provider: Provider, tmp_path: Path, order: ReportOrder, counted: set[str]
) -> None:
    adopt_transfers(provider, tmp_path / "transfers.yaml")
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    grant_consent(provider.deployment, "acme-gmbh", CONSENT)
    request = TransferRequest("acme-gmbh", "models", "CN", "SG", "Lion Pte", "support", "training", 5, 0)
    use_decision(provider.deployment, check_transfer(provider.deployment, request).id)
    go_to(provider, datetime(2027, 1, 1, 2, tzinfo=UTC))
    issued = compile_report(provider.deployment, order, tmp_path / "out")
    assert {row["counted"] for row in table(issued.folder, "thresholds")} == counted


def test_a_policy_that_takes_effect_at_midnight_is_not_that_of_the_day_before(
    provider: Provider, tmp_path: Path
) -> None:
    path = tmp_path / "next.yaml"
    text = POLICY.replace('version: "1"', 'version: "2"').replace("effective: 2026-11-01", "effective: 2026-12-01")
    path.write_text(text, encoding="utf-8")
    provider.pass_time(hours=1)
    adopted = adopt_policy(provider.deployment, path)
    approve(provider.deployment, adopted.policy.hash, "Ms Li")
    adopt_policy(provider.deployment, path)
    go_to(provider, datetime(2026, 12, 1, 2, tzinfo=UTC))
    issued = compile_report(provider.deployment, NOVEMBER, tmp_path / "out")
    assert json.loads((issued.folder / "report.json").read_text(encoding="utf-8"))["policy"]["version"] == "1"


def test_what_was_brought_back_after_the_month_is_not_back_in_its_report(provider: Provider, tmp_path: Path) -> None:
    provider.tell("service-activated", "acme-gmbh", service="training", subscription="a-1")
    provider.put_model("acme-gmbh", "weights.bin")
    provider.tell("service-expired", "acme-gmbh", service="training", subscription="a-1")
    place_hold(provider.deployment, HoldOrder("acme-gmbh", "H-1", GROUND, "Court"))
    provider.run()
    go_to(provider, datetime(2026, 12, 3, 2, tzinfo=UTC))
    provider.tell("service-renewed", "acme-gmbh", service="training", subscription="a-1")
    provider.run()
    provider.pass_time(days=1)
    november = compile_report(provider.deployment, NOVEMBER, tmp_path / "november")
    december = compile_report(provider.deployment, DECEMBER, tmp_path / "december")
    due, *standings = counts(november.folder, "statement", "clause")["6.11"]
    assert (due > 0, standings) == (True, [0, 0, 0, due, 0, 0])
    assert counts(december.folder, "statement", "clause")["6.11"] == (due, 0, 0, 0, 0, 0, due)
    for each in (november, december):
        assert check(provider.deployment, each.folder).findings == ()


# --------------------------------------------------------------------------------------------------------- names


def texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Everything in the bundle that can be read without a typesetter."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                yield from ((f"{path.name}/{name}", book.read(name)) for name in book.namelist())
        elif path.is_file() and path.suffix != ".pdf":
            yield path.name, path.read_bytes()


def test_nobody_and_no_object_stands_in_a_report_by_name(bundle: Path) -> None:
    secrets = [*(name.encode() for name in NAMES), b"weights.bin", b"old.log", b"Zhang"]
    found = [(name, secret) for name, text in texts(bundle) for secret in secrets if secret in text]
    assert found == []


def test_names_are_given_out_on_a_recorded_ground(november: Provider, tmp_path: Path) -> None:
    ground = "inspection of the CAC, Zhang San"
    issued = compile_report(november.deployment, replace(NOVEMBER, ground=ground), tmp_path / "out")
    assert {row["customer_name"] for row in table(issued.folder, "cases")} == set(NAMES)
    ledger = november.deployment.journal.ledger
    body = ReportIssued.from_json(decode_entry(ledger.entry(issued.entry)).body)
    assert body.identified
    assert body.ground == november.deployment.journal.commitments.of("ground", ground)
    assert not any(b"Zhang" in entry for entry in ledger.entries())
    assert check(november.deployment, issued.folder).findings == ()


# --------------------------------------------------------------------------------------------------- verification


def test_the_printed_report_is_short_and_nothing_in_it_runs_into_anything_else(
    story: tuple[Provider, IssuedReport],
) -> None:
    printed = (story[1].folder / "report.pdf").read_bytes()
    assert collisions(printed) == []
    with pypdfium2.PdfDocument(printed) as opened:
        assert len(opened) <= 10
        assert all(page.get_width() < page.get_height() for page in opened), "no table has to be turned"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x01
    path.write_bytes(data)


def test_a_whole_bundle_is_checked_with_all_of_its_ledger(story: tuple[Provider, IssuedReport], bundle: Path) -> None:
    provider, issued = story
    assert check(provider.deployment, bundle) == Verification((), 0, issued.entry + 1, 0, 0, 1, 0)


def test_a_changed_byte_in_any_file_is_named(story: tuple[Provider, IssuedReport], bundle: Path) -> None:
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        name = path.relative_to(bundle).as_posix()
        size = path.stat().st_size
        places = range(0, size, max(1, size // 12)) if size < 5_000 and "csv" not in name else [size // 2]
        for at in places:
            flip(path, at)
            found = check(story[0].deployment, bundle)
            assert any(name in str(each) for each in found.findings), (name, at, found.findings)
            flip(path, at)
    assert check(story[0].deployment, bundle).findings == ()


def put_pipe(path: Path) -> None:
    """A pipe lies there that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param(lambda folder: (folder / "report.pdf").unlink(), "file-missing", id="a file is missing"),
        pytest.param(lambda folder: (folder / "manifest.json").unlink(), "file-missing", id="the manifest is missing"),
        pytest.param(lambda folder: (folder / "more.txt").write_text("x"), "file-unlisted", id="a file is not listed"),
        pytest.param(lambda folder: shutil.rmtree(folder / "ledger"), "file-missing", id="the ledger is missing"),
        pytest.param(
            lambda folder: (folder / "ledger" / "tile" / "0" / "000.p" / "3").write_bytes(b"x"),
            "file-unlisted",
            id="a stale tile lies in the ledger",
        ),
        pytest.param(
            lambda folder: put_pipe(folder / "report.json"),
            "file-changed",
            id="a pipe lies in the report's place",
        ),
        pytest.param(
            lambda folder: os.truncate(folder / "report.pdf", 1 << 40), "file-changed", id="a file of a terabyte"
        ),
        pytest.param(
            lambda folder: (folder / "ledger" / "checkpoint").write_text(
                (folder / "ledger" / "checkpoint").read_text("utf-8") + "— evil.example AAAAAAAAAAAA\n", "utf-8"
            ),
            "file-changed",
            id="the ledger's copy has one more signature on its checkpoint",
        ),
        pytest.param(
            lambda folder: (
                (folder / "manifest.json").rename(folder.parent / "m")
                and (folder / "manifest.json").symlink_to(folder.parent / "m")
            ),
            "file-changed",
            id="a link lies in the manifest's place",
        ),
        pytest.param(
            lambda folder: (
                (folder / "ledger" / "checkpoint").rename(folder.parent / "c")
                and (folder / "ledger" / "checkpoint").symlink_to(folder.parent / "c")
            ),
            "file-changed",
            id="a link lies in the place of a file of the ledger's copy",
        ),
        pytest.param(
            lambda folder: ((folder / "report.pdf").unlink(), (folder / "report.pdf").symlink_to("/etc/hostname")),
            "file-changed",
            id="a link lies in a file's place",
        ),
    ],
)
def test_what_is_missing_or_more_is_named(
    story: tuple[Provider, IssuedReport], bundle: Path, change: Callable[[Path], object], kind: str
) -> None:
    change(bundle)
    assert kinds(check(story[0].deployment, bundle)) == {kind}


def test_a_file_s_name_is_shown_on_one_line(story: tuple[Provider, IssuedReport], bundle: Path) -> None:
    for folder in (bundle, bundle / "ledger"):
        (folder / "x\x1b[31m\nnothing is wrong").write_text("x", encoding="utf-8")
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff\nz")).write_text("x", encoding="utf-8")
    findings = [str(each) for each in check(story[0].deployment, bundle).findings]
    assert len(findings) == 4
    assert all(each.isprintable() for each in findings)


def test_a_changed_report_is_named_and_not_read(story: tuple[Provider, IssuedReport], bundle: Path) -> None:
    """Whoever changes it could otherwise make the reader work for as long as they like."""
    with (bundle / "report.json").open("a", encoding="utf-8") as file:
        file.write("x")
    (finding,) = check(story[0].deployment, bundle).findings
    assert (finding.finding.kind.value, finding.finding.place) == ("file-changed", "report.json")


def test_another_key_proves_nothing(story: tuple[Provider, IssuedReport], bundle: Path, tmp_path: Path) -> None:
    other = open_provider(tmp_path / "other", ManualClock(START))
    assert "signature-invalid" in kinds(check(other.deployment, bundle))
    other.deployment.close()


def reissue(folder: Path, deployment: Deployment, manifest: Manifest) -> None:
    """The ledger vouches for this manifest too: whoever runs the service can make it do so."""
    (folder / "manifest.json").write_bytes(manifest.encode())
    shutil.rmtree(folder / "ledger")
    body = ReportIssued(
        manifest=hash_file(folder / "manifest.json").sha256,
        number=manifest.number,
        from_at=manifest.from_at,
        until_at=manifest.until_at,
        first_size=manifest.first.size,
        last_size=manifest.last.size,
        identified=manifest.identified,
    )
    with deployment.catalog.transaction() as session:
        entry = Entry(EntryType.REPORT_ISSUED, deployment.clock.now(), body.to_json())
        (position,) = deployment.journal.write(session, entry)
    deployment.journal.publish()
    write_vouchers(folder, deployment.journal.ledger, position, manifest)


def forge(folder: Path, change: Callable[[str], str]) -> Manifest:
    """The report says something else, and the manifest fits it."""
    report = folder / "report.json"
    text = report.read_text(encoding="utf-8")
    assert change(text) != text
    report.write_text(change(text), encoding="utf-8")
    manifest = Manifest.parse((folder / "manifest.json").read_bytes())
    files = tuple(hash_file(report) if record.name == report.name else record for record in manifest.files)
    manifest = manifest.model_copy(update={"files": files})
    (folder / "manifest.json").write_bytes(manifest.encode())
    return manifest


def test_a_forged_report_with_a_fitting_manifest_is_found(story: tuple[Provider, IssuedReport], bundle: Path) -> None:
    forge(bundle, lambda text: text.replace('"en": "erased-verified"', '"en": "anonymised"', 1))
    found = check(story[0].deployment, bundle)
    assert kinds(found) == {"not-issued", "citation-wrong"}


FORGERIES = [
    pytest.param(
        lambda text: text.replace('"en": "erased-verified"', '"en": "anonymised"', 1),
        "citation-wrong",
        "table copies",
        id="a copy ended in another way",
    ),
    pytest.param(
        lambda text: text.replace('"en": "overdue"}, "why":', '"en": "on-time"}, "why":', 1),
        "citation-wrong",
        "table statement",
        id="a case was on time, and the figures do not count it",
    ),
    pytest.param(
        lambda text: text.replace('"late": 2', '"late": 0', 1),
        "citation-wrong",
        "table statement",
        id="a figure that no rows bear out",
    ),
    pytest.param(
        lambda text: text.replace(
            '"value": 2, "table": "cases", "needs_attention": true',
            '"value": 0, "table": "cases", "needs_attention": false',
            1,
        ),
        "citation-wrong",
        "report.json",
        id="a figure of the summary is not the number of its rows",
    ),
    pytest.param(
        lambda text: re.sub(r'{"title": {"zh": "[^"]*", "en": "Deletions due: overdue"}[^}]*}, ', "", text),
        "citation-wrong",
        "report.json",
        id="the summary leaves out what is overdue",
    ),
    pytest.param(
        lambda text: text.replace('"value": 1, "table": "holds"', '"value": 0, "table": "holds"', 1),
        "citation-wrong",
        "report.json",
        id="a hold that stands is not in the summary",
    ),
    pytest.param(
        lambda text: text.replace('"month": "2026-10"', '"month": "2026-09"', 1),
        "citation-wrong",
        "table by-month",
        id="what fell due in October is told of September",
    ),
    pytest.param(
        lambda text: text.replace('"with_copies_left": ', '"with_copies_left": 7', 1),
        "citation-wrong",
        "table statement",
        id="more copies are left than there are",
    ),
    pytest.param(
        lambda text: re.sub(
            r'("end_state": {"zh": "已删除并核验"[^\n]*"entries": )\[[0-9, ]+\]', r"\1[]", text, count=1
        ),
        "citation-wrong",
        "table copies",
        id="a copy's end is told without an entry",
    ),
    pytest.param(
        lambda text: text.replace('"name": "entries", "title"', '"name": "others", "title"').replace(
            '"entries": [', '"others": ['
        ),
        "citation-wrong",
        "table cases",
        id="the column of entries has another name",
    ),
    pytest.param(
        lambda text: text.replace('"status": {"zh": "逾期未完成"', '"status": {"zh": "按期完成"', 1),
        "citation-wrong",
        "table cases",
        id="the Chinese says on time and the English overdue",
    ),
    pytest.param(
        lambda text: text.replace('"rows": [\n{"case": "', '"rows": [\n{"case": "\\ud800', 1),
        "malformed",
        "report.json",
        id="half of a surrogate pair",
    ),
    pytest.param(
        lambda text: text.replace('"entries": [0', '"entries": [' + "0, " * 40 + "0", 1),
        "malformed",
        "report.json",
        id="more entries in a cell than there can be",
    ),
    pytest.param(
        lambda text: text.replace('"clause": "6.11"', '"clause": "6.10"', 9),
        "citation-wrong",
        "table cases",
        id="a case is of another clause",
    ),
    pytest.param(
        lambda text: text.replace('"entries": [0', '"entries": [999, 0', 1),
        "entry-not-citable",
        "table policy-versions",
        id="an entry that there was not",
    ),
    pytest.param(
        lambda text: text.replace('"row_count": 10,', '"row_count": 11,', 1),
        "malformed",
        "report.json",
        id="another number of rows than it says",
    ),
]


@pytest.mark.parametrize(("change", "kind", "place"), FORGERIES)
def test_a_row_that_the_ledger_does_not_bear_out_is_found_even_when_it_was_issued(
    november: Provider, tmp_path: Path, change: Callable[[str], str], kind: str, place: str
) -> None:
    issued = compile_report(november.deployment, NOVEMBER, tmp_path / "out")
    reissue(issued.folder, november.deployment, forge(issued.folder, change))
    found = check(november.deployment, issued.folder)
    assert (kind, True) in {(each.finding.kind.value, place in each.finding.place) for each in found.findings}, found


def test_a_bundle_without_its_ledger_is_held_against_the_real_one(november: Provider, tmp_path: Path) -> None:
    issued = compile_report(november.deployment, NOVEMBER, tmp_path / "out")
    manifest = Manifest.parse((issued.folder / "manifest.json").read_bytes())
    small = manifest.model_copy(update={"ledger_copied": False})
    reissue(issued.folder, november.deployment, small)
    alone = check(november.deployment, issued.folder)
    assert (alone.findings, alone.uncited_count) == ((), 1)
    ledger = november.deployment.journal.ledger.files.root
    together = check(november.deployment, issued.folder, ledger)
    assert (together.findings, together.uncited_count, together.ledger_count) == ((), 0, 1)


def test_a_ledger_that_was_rewritten_between_two_reports_is_found(
    story: tuple[Provider, IssuedReport], bundle: Path, tmp_path: Path
) -> None:
    """Another service with the same key and name: its ledger has another beginning than the report of before."""
    keys = shutil.copytree(story[0].root / "keys", tmp_path / "other" / "keys")
    assert keys.is_dir()
    other = open_provider(tmp_path / "other", ManualClock(START))
    (tmp_path / "policies.yaml").write_text(POLICY.replace("title: T", "title: U"), encoding="utf-8")
    adopt_policy(other.deployment, tmp_path / "policies.yaml")
    live_through_november(other)
    other.pass_time(days=1)
    other.run()
    rewritten = compile_report(other.deployment, NOVEMBER, tmp_path / "rewritten").folder
    other.deployment.close()
    assert check(story[0].deployment, rewritten).findings == ()
    for order in ((bundle, rewritten), (rewritten, bundle), (bundle / "checkpoint", rewritten)):
        assert kinds(check(story[0].deployment, *order)) == {"forked"}


def test_reports_of_one_ledger_are_right_together_in_any_order(november: Provider, tmp_path: Path) -> None:
    one = compile_report(november.deployment, NOVEMBER, tmp_path / "one").folder
    other = compile_report(november.deployment, NOVEMBER, tmp_path / "two").folder
    ledger = november.deployment.journal.ledger.files.root
    assert check(november.deployment, other, one, ledger).findings == ()
    assert check(november.deployment, ledger, one, other).findings == ()


# ------------------------------------------------------------------------------------------- folders and the month


def test_a_folder_that_is_not_empty_is_left_alone(november: Provider, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not empty"):
        compile_report(november.deployment, NOVEMBER, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(".", id="the folder one is in"),
        pytest.param("..", id="the folder above"),
        pytest.param("/", id="the root"),
        pytest.param("/proc", id="a mount point"),
        pytest.param("x/..", id="a detour"),
        pytest.param("x" * 250, id="a name so long that its draft has none"),
    ],
)
def test_a_place_that_no_folder_can_take_is_refused_before_anything_is_told(
    november: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = november.deployment.journal.ledger.checkpoint()
    with pytest.raises(InputError, match="--out"):
        compile_report(november.deployment, NOVEMBER, Path(name))
    assert november.deployment.journal.ledger.checkpoint() == before
    assert [path.name for path in tmp_path.iterdir()] == ["service"]


def test_a_report_whose_place_was_taken_meanwhile_is_kept_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(NotInOrder) as raised, draft_of(folder) as draft:  # noqa: PT012 - somebody comes between
        (draft / "report.pdf").write_bytes(b"whole")
        folder.mkdir()
        (folder / "mine.txt").write_bytes(b"mine")
    (kept,) = [path for path in tmp_path.iterdir() if path != folder]
    assert str(kept) in str(raised.value)
    with draft_of(tmp_path / "other"), draft_of(tmp_path / "more"):
        pass
    assert ((kept / "report.pdf").read_bytes(), [path.name for path in folder.iterdir()]) == (b"whole", ["mine.txt"])


def test_drafts_of_the_living_stay_and_those_of_the_dead_go(tmp_path: Path) -> None:
    dead, other = tmp_path / ".out.0123abcd", tmp_path / ".out.mine"
    for folder in (dead, other):
        (folder / "csv").mkdir(parents=True)
    with draft_of(tmp_path / "out") as first:
        assert not dead.exists()
        with draft_of(tmp_path / "out2"), draft_of(tmp_path / "out3"):
            assert first.is_dir()
        with draft_of(tmp_path / "out"):
            assert first.is_dir()
        (tmp_path / "out").rmdir()
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out2", "out3", ".out.mine"}


def test_what_was_deleted_is_not_left_in_the_database_s_log_by_a_report(november: Provider, tmp_path: Path) -> None:
    """Whoever shreds while the report reads cannot empty the log; the report does it when it ends."""
    compile_report(november.deployment, NOVEMBER, tmp_path / "out")
    assert [path.stat().st_size for path in november.root.rglob("*-wal")] == [0]


def test_the_month_before_is_reported_once(november: Provider, tmp_path: Path) -> None:
    assert is_report_missing(november.deployment, tmp_path)
    first = report_of_last_month(november.deployment, tmp_path, "Example Cloud")
    assert first is not None
    assert first.folder == tmp_path / "2026-11"
    assert not is_report_missing(november.deployment, tmp_path)
    before = november.deployment.journal.ledger.checkpoint()
    assert report_of_last_month(november.deployment, tmp_path) is None
    assert november.deployment.journal.ledger.checkpoint() == before
    assert json.loads((first.folder / "report.json").read_text(encoding="utf-8"))["issuer"] == "Example Cloud"


def test_no_report_is_missed_of_a_month_before_the_service_began(provider: Provider, tmp_path: Path) -> None:
    assert not is_report_missing(provider.deployment, tmp_path)


# -------------------------------------------------------------------------------------------------------- volume


def test_memory_does_not_grow_with_the_number_of_cases(tmp_path: Path) -> None:
    assert peak_of(tmp_path / "many", 2_000) - peak_of(tmp_path / "few", 300) < 2_000_000


def peak_of(root: Path, count: int) -> int:
    """Bytes at the most while so many cases are gathered and written as JSON."""
    root.mkdir()
    provider = open_provider(root, ManualClock(FIRST))
    (root / "policies.yaml").write_text(POLICY, encoding="utf-8")
    policy = adopt_policy(provider.deployment, root / "policies.yaml").policy
    with provider.deployment.catalog.transaction() as session:
        put_cases(session, count, policy.hash)
    go_to(provider, FIRST.replace(month=12))
    period = period_of(NOVEMBER.first_day, NOVEMBER.last_day, policy.time_zone, provider.clock.now())
    tracemalloc.start()
    try:
        with sources_of(provider.deployment, NOVEMBER, period, root) as sources:
            found = gather(sources)
            write_json(report_from(sources, found, NOVEMBER), root / "report.json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        provider.deployment.close()
    assert (found.total.due, found.total.standings[Standing.OVERDUE]) == (count, count // 100)
    return peak


# -------------------------------------------------------------------------------------------------- command line


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Service:
    """A small service with one customer whose data is deleted today."""
    monkeypatch.chdir(tmp_path)
    service = begin(tmp_path, capsys)
    service.done("run", "--once")
    fact = Facts()
    service.record(fact("service-activated", "acme-gmbh", 2, service="training", subscription="a-1"))
    service.record(fact("data-deleted", "acme-gmbh", 1))
    service.done("run", "--once")
    return service


def this_year() -> tuple[str, str, str, str]:
    today = datetime.now(UTC).date()
    return "--from", (today - timedelta(days=5)).isoformat(), "--to", (today + timedelta(days=1)).isoformat()


def test_report_and_verify_go_together(service: Service) -> None:
    made = service.done("report", *this_year(), "--out", "out/today", "--lang", "en", "--json").json
    assert (made["due"], made["overdue"]) == (2, 0)
    found = service.done("verify", "out/today", "--key", made["verifier_key"], "--json").json
    assert (found["report_count"], found["findings"]) == (1, [])
    flip(Path("out/today/report.html"), 100)
    refused = service.run("verify", "out/today", "--key", made["verifier_key"])
    assert refused.code == 4
    assert "report.html" in refused.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(("--identify",), "--ground", id="names without a ground"),
        pytest.param(("--ground", "because"), "--identify", id="a ground without names"),
        pytest.param(("--identify", "--ground", "  "), "--ground", id="an empty ground"),
        pytest.param(("--lang", "fr"), "--lang", id="a language that there is not"),
    ],
)
def test_a_wrong_order_is_told_and_leaves_nothing(service: Service, arguments: tuple[str, ...], says: str) -> None:
    refused = service.run("report", *this_year(), "--out", "out", *arguments)
    assert refused.code == 1
    assert says in refused.err
    assert not Path("out").exists()


def test_whoever_is_killed_leaves_no_half_bundle(service: Service) -> None:
    command = [sys.executable, "-m", "retention", "report", *this_year(), "--out", "bundles/out"]
    process = subprocess.Popen(command, env=service.environment(), stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(Path("bundles").glob(".out.*")) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert not Path("bundles/out").exists()
    assert len(list(Path("bundles").iterdir())) == 1
    service.done("report", *this_year(), "--out", "bundles/out")
    assert [path.name for path in Path("bundles").iterdir()] == ["out"]
    service.done("verify", "bundles/out")


def test_what_the_law_kept_is_done_on_time_when_it_goes_once_it_may(provider: Provider, tmp_path: Path) -> None:
    provider.tell("service-activated", "acme-gmbh", service="training")
    provider.put_log("acme-gmbh", "today.log", provider.clock.now())
    provider.tell("deletion-ordered", "acme-gmbh", ground="order", dataset="logs")
    first_day = START.date()
    provider.run()
    provider.pass_time(days=60)
    provider.run()
    assert not provider.case("acme-gmbh").is_overdue
    provider.pass_time(days=122)
    provider.run()
    provider.pass_time(hours=1)
    last_day = provider.clock.now().date()
    report = compile_report(provider.deployment, ReportOrder(first_day, last_day, Lang.EN), tmp_path / "report")
    (row,) = table(report.folder, "cases")
    assert (row["status"], row["why"]) == ("on-time", "a statutory minimum")
    assert not check(provider.deployment, report.folder).findings
