"""Backups: every set gets its end, quarantine is tried, and the certificate waits for the last one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retention.catalog import ledger_outbox
from retention.clock import ManualClock
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.verify import verify_files
from retention.model.copy import EndState, SetEnd
from retention.workflows.adopt_policy import adopt_policy, approve
from retention.workflows.certify import certify
from retention.workflows.check_policy import check_policy
from retention.workflows.replay_ledger import catch_up
from retention.workflows.scan_backups import scan_backups
from retention.workflows.verify_again import verify_again
from tests.workflow.conftest import POLICY, START, Provider, open_provider

if TYPE_CHECKING:
    from retention.workflows.status import CopyLine

OWN = 'own: {title: O, store: backups, sets: "own/{customer}/{date}/", holds: [models], mixed: false, delete-after: 90 days}'
"""A series of sets of one customer each, beside the mixed one."""


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    opened = open_provider(tmp_path, ManualClock(START))
    text = POLICY.replace("backups: [nightly]", "backups: [nightly, own]").replace(
        "  nightly: {title", f"  {OWN}\n  nightly: {{title"
    )
    (tmp_path / "policies.yaml").write_text(text, encoding="utf-8")
    adopt_policy(opened.deployment, tmp_path / "policies.yaml")
    for customer in ("c-1", "c-2"):
        opened.tell("service-activated", customer, service="training")
        opened.put_model(customer, "a.bin")
    yield opened
    opened.deployment.close()


def backups(provider: Provider, customer: str, series: str = "nightly") -> CopyLine:
    (line,) = [c for c in provider.case(customer).copies if c.backup == series]
    return line


def only_set(provider: Provider, customer: str, series: str = "nightly") -> SetEnd:
    (end,) = backups(provider, customer, series).sets
    return end


def delete(provider: Provider, customer: str) -> None:
    """The customer deletes all models, and everything is done that can be done at once."""
    provider.tell("data-deleted", customer, dataset="models")
    provider.run()
    provider.pass_time(hours=25)
    assert provider.run().report.troubles == []


def entries(provider: Provider, *kinds: EntryType) -> list[Entry]:
    provider.deployment.journal.publish()
    ledger = provider.deployment.journal.ledger
    found = [decode_entry(ledger.entry(index)) for index in range(ledger.checkpoint().size)]
    return [entry for entry in found if entry.type in kinds]


def plain_file(folder: Path, name: str, provider: Provider) -> Path:
    """A file in a set that fits no dataset and is not sealed: it may hold anybody."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"customer,amount\nc-1,12\n")
    stamp = provider.clock.now().timestamp()
    os.utime(path, (stamp, stamp))
    return path


def test_a_set_in_which_everything_is_sealed_is_closed_by_the_keys_and_stays_where_it_is(provider: Provider) -> None:
    night = provider.back_up()
    delete(provider, "c-1")
    end = only_set(provider, "c-1")
    assert (end.end_state, end.set) == (EndState.SHREDDED_VERIFIED, "nightly/2026-11-10/")
    assert "1 of 1 files are sealed" in (end.reason or "")
    assert (night / "models" / "c-2" / "a.bin").exists()
    provider.pass_time(days=1)
    provider.run()
    assert provider.case("c-1").state == "certified"
    assert certify(provider.deployment, provider.case("c-1").case).final


def test_a_mixed_set_that_can_be_read_is_quarantined_until_its_rotation_and_then_deleted(provider: Provider) -> None:
    night = provider.back_up()
    plain_file(night, "export.csv", provider)
    delete(provider, "c-1")
    end = only_set(provider, "c-1")
    assert end.end_state is EndState.QUARANTINED
    assert "serves its recovery until its own rotation" in (end.reason or "")
    assert end.until is not None
    assert end.until.isoformat() == "2026-12-10T16:00:00+00:00", (
        "30 days after the day of the set, at 24:00 in Shanghai"
    )
    assert not night.exists()
    assert (provider.root / "quarantine").stat().st_mode & 0o077 == 0
    (told,) = entries(provider, EntryType.BACKUP_QUARANTINED)
    assert (told.body["read_refused"], told.body["whereabouts"]) == (True, "moved")
    assert told.body["attempt"] == end.refusal

    issued = certify(provider.deployment, provider.case("c-1").case)
    assert not issued.final, "a certificate only for what is gone"
    assert [exception.end_state for exception in issued.certificate.statement.exceptions] == [EndState.QUARANTINED]
    provider.pass_time(days=29)
    provider.run()
    assert provider.case("c-1").state == "verified"
    provider.pass_time(days=1)
    provider.run()
    assert only_set(provider, "c-1").end_state is EndState.ERASED_VERIFIED
    assert list((provider.root / "quarantine").rglob("*.csv")) == []
    provider.pass_time(days=1)
    provider.run()
    assert provider.case("c-1").state == "certified"
    final = certify(provider.deployment, provider.case("c-1").case)
    assert final.final
    file = provider.root / "certificate.json"
    file.write_bytes(final.certificate.encode())
    assert verify_files([file, provider.root / "ledger"], provider.deployment.journal.ledger.key).findings == ()


def test_a_customers_own_set_is_deleted_whole_and_nobody_elses_is_touched(provider: Provider) -> None:
    for customer in ("c-1", "c-2"):
        folder = provider.root / "backups" / "own" / customer / "2026-11-10"
        plain_file(folder, "dump.csv", provider)
    delete(provider, "c-1")
    end = only_set(provider, "c-1", "own")
    assert (end.end_state, end.set) == (EndState.ERASED_VERIFIED, "own/{customer}/2026-11-10/")
    assert list((provider.root / "backups" / "own").glob("c-1/*")) == []
    assert (provider.root / "backups" / "own" / "c-2" / "2026-11-10" / "dump.csv").exists()
    assert [entry.body["set"] for entry in entries(provider, EntryType.BACKUP_DELETED)] == [
        "own/{customer}/2026-11-10/"
    ]


def test_a_set_that_fits_no_series_counts_as_holding_everybody_and_is_never_deleted_by_itself(
    provider: Provider,
) -> None:
    odd = plain_file(provider.root / "backups" / "by-hand" / "x", "all.csv", provider)
    scanned = scan_backups(provider.deployment)
    assert [known.plans for known in scanned.sets] == [()]
    delete(provider, "c-1")
    for series in ("nightly", "own"):
        end = only_set(provider, "c-1", series)
        assert (end.end_state, end.until) == (EndState.QUARANTINED, None)
        assert end.set.startswith("unknown-")
        assert "somebody has to decide" in (end.reason or "")
    assert not odd.exists()
    provider.pass_time(days=400)
    provider.run()
    assert provider.case("c-1").state == "verified"
    assert len(list((provider.root / "quarantine").rglob("all.csv"))) == 1


def test_a_set_that_was_begun_after_the_erasure_is_none_of_the_case_s(provider: Provider) -> None:
    delete(provider, "c-1")
    provider.pass_time(hours=1)
    plain_file(provider.back_up(), "export.csv", provider)
    provider.pass_time(days=1)
    provider.run()
    verify_again(provider.deployment)
    assert backups(provider, "c-1").sets == ()
    assert provider.case("c-1").state == "certified"


def test_a_set_that_was_copied_back_later_reopens_the_case(provider: Provider) -> None:
    old = provider.back_up()
    plain_file(old, "export.csv", provider)
    kept = shutil.copytree(old, provider.root / "elsewhere")
    shutil.rmtree(old)
    delete(provider, "c-1")
    provider.pass_time(days=1)
    provider.run()
    assert provider.case("c-1").state == "certified"
    shutil.copytree(kept, old)
    verify_again(provider.deployment)
    assert provider.case("c-1").state == "reopened"
    provider.run()
    assert only_set(provider, "c-1").end_state is EndState.QUARANTINED


def test_a_hold_that_came_after_the_point_of_no_return_keeps_the_last_copy(provider: Provider) -> None:
    plain_file(provider.back_up(), "export.csv", provider)
    delete(provider, "c-1")
    provider.tell("hold-placed", "c-1", hold="H-1", ground="court order", authority="court")
    provider.pass_time(days=40)
    provider.run()
    end = only_set(provider, "c-1")
    assert (end.end_state, end.until) == (EndState.QUARANTINED, None)
    assert "hold H-1" in (end.reason or "")
    provider.tell("hold-released", "c-1", hold="H-1", ground="over", authority="court")
    provider.pass_time(days=1)
    provider.run()
    assert only_set(provider, "c-1").end_state is EndState.ERASED_VERIFIED


def test_a_set_that_one_listing_leaves_out_is_believed_gone_only_when_the_next_one_agrees(provider: Provider) -> None:
    plain_file(provider.back_up(), "export.csv", provider)
    delete(provider, "c-1")
    (moved,) = (provider.root / "quarantine").rglob("export.csv")
    shutil.rmtree(moved.parent)
    provider.pass_time(days=31)
    provider.run()
    end = only_set(provider, "c-1")
    assert end.end_state is EndState.QUARANTINED
    assert "the next one decides" in (end.reason or "")
    provider.pass_time(minutes=10)
    provider.run()
    end = only_set(provider, "c-1")
    assert (end.end_state, end.reason) == (EndState.ERASED_VERIFIED, "two listings do not find it any more")


def test_a_store_that_cannot_keep_readers_away_is_said_loudly(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_file(provider.back_up(), "export.csv", provider)
    quarantine = provider.root / "quarantine"
    quarantine.mkdir(mode=0o755)
    store = provider.deployment.backup_store("backups")
    refuse_every_way(monkeypatch, store)
    delete(provider, "c-1")
    end = only_set(provider, "c-1")
    assert end.end_state is EndState.UNSUPPORTED
    assert "cannot be quarantined" in (end.reason or "")
    assert provider.case("c-1").has_unsupported_copy


def refuse_every_way(monkeypatch: pytest.MonkeyPatch, store: object) -> None:
    from storage_adapters.errors import Refused

    def refused(_self: object, _name: str) -> None:
        raise Refused("backups", "sets can neither be moved nor fenced here")

    monkeypatch.setattr(type(store), "quarantine", refused)


@pytest.mark.parametrize("days", [0, 31], ids=["while it is being quarantined", "while it is being deleted"])
def test_a_store_that_fails_leaves_the_set_and_the_case_open(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    from storage_adapters.errors import Unavailable

    plain_file(provider.back_up(), "export.csv", provider)

    def unavailable(_self: object, _name: str) -> None:
        raise Unavailable("backups", "the disk is full")

    store = type(provider.deployment.backup_store("backups"))
    if days == 0:
        monkeypatch.setattr(store, "quarantine", unavailable)
    delete(provider, "c-1")
    if days:
        monkeypatch.setattr(store, "delete", unavailable)
        provider.pass_time(days=days)
        provider.run()
    assert only_set(provider, "c-1").end_state is EndState.FAILED
    assert provider.case("c-1").state in ("erased", "verified")
    monkeypatch.undo()
    provider.run()
    assert only_set(provider, "c-1").end_state in (EndState.QUARANTINED, EndState.ERASED_VERIFIED)


def test_the_plan_shows_when_a_waiting_set_is_tried_again(provider: Provider) -> None:
    from retention.workflows.plan_deletions import plan_deletions

    plain_file(provider.back_up(), "export.csv", provider)
    delete(provider, "c-1")
    provider.pass_time(days=1)
    provider.run()
    early = plan_deletions(provider.deployment, provider.clock.now())
    late = plan_deletions(provider.deployment, provider.clock.now() + timedelta(days=31))
    assert not early.acting
    assert [(item.copy.backup, [str(step) for step in item.steps]) for item in late.acting] == [
        ("nightly", ["close-backups"]),
        ("own", ["close-backups"]),
    ]


def test_a_catalogue_from_before_the_quarantine_learns_of_it_and_goes_on(provider: Provider) -> None:
    plain_file(provider.back_up(), "export.csv", provider)
    catalogue = provider.root / "catalog.db"
    shutil.copy(catalogue, provider.root / "old.db")
    delete(provider, "c-1")
    before = provider.case("c-1")
    provider.deployment.close()
    for file in provider.root.glob("catalog.db*"):
        file.unlink()
    shutil.copy(provider.root / "old.db", catalogue)
    again = open_provider(provider.root, provider.clock)
    try:
        assert catch_up(again.deployment) is not None
        assert again.case("c-1") == before
        again.pass_time(days=31)
        again.run()
        assert only_set(again, "c-1").end_state is EndState.ERASED_VERIFIED
    finally:
        again.deployment.close()


def test_declaring_a_series_for_an_unknown_set_does_not_make_it_gone(provider: Provider) -> None:
    plain_file(provider.root / "backups" / "by-hand" / "2026-11-10", "all.csv", provider)
    delete(provider, "c-1")
    before = only_set(provider, "c-1")
    policy = provider.root / "policies.yaml"
    later = 'by-hand: {title: H, store: backups, sets: "by-hand/{date}/", holds: [models], mixed: true, delete-after: 9 days}'
    text = policy.read_text(encoding="utf-8").replace('version: "1"', 'version: "2"')
    text = text.replace("[nightly, own]", "[nightly, own, by-hand]").replace(
        "  nightly: {title", f"  {later}\n  nightly: {{title"
    )
    policy.write_text(text, encoding="utf-8")
    approve(provider.deployment, check_policy(policy, provider.deployment.store_kinds).hash, "chief officer")
    adopt_policy(provider.deployment, policy)
    for _ in range(3):
        provider.pass_time(days=1)
        provider.run()
        verify_again(provider.deployment)
    ends = {end.set: end for end in backups(provider, "c-1").sets}
    assert set(ends) == {before.set, "by-hand/2026-11-10/"}, "the new series cuts what was one set in its own way"
    assert {end.end_state for end in ends.values()} == {EndState.QUARANTINED}
    assert ends["by-hand/2026-11-10/"].until is not None, "and says how long it is kept"
    for _ in range(4):
        provider.pass_time(days=5)
        provider.run()
    assert list((provider.root / "quarantine").rglob("all.csv")) == []
    assert {end.end_state for end in backups(provider, "c-1").sets} == {EndState.ERASED_VERIFIED}


def test_a_file_that_is_sealed_under_a_key_that_lives_is_not_closed(provider: Provider) -> None:
    night = provider.back_up()
    theirs = night / "models" / "c-2" / "a.bin"
    mine = night / "models" / "c-1" / "a.bin"
    mine.write_bytes(theirs.read_bytes())
    delete(provider, "c-1")
    assert only_set(provider, "c-1").end_state is EndState.QUARANTINED


def test_a_store_that_the_settings_have_no_more_is_a_trouble_of_its_own(provider: Provider) -> None:
    provider.back_up()
    stores = provider.deployment.backups.stores
    assert isinstance(stores, dict)
    stores["gone"] = stores.pop("backups")
    scanned = scan_backups(provider.deployment)
    assert [store for store, _ in scanned.troubles] == ["backups"]
    stores["backups"] = stores.pop("gone")


def test_no_entry_of_the_ledger_names_a_customer(provider: Provider) -> None:
    plain_file(provider.back_up(), "export.csv", provider)
    plain_file(provider.root / "backups" / "own" / "c-1" / "2026-11-10", "dump.csv", provider)
    delete(provider, "c-1")
    scan_backups(provider.deployment)
    provider.deployment.journal.publish()
    files = [path for path in (provider.root / "ledger").rglob("*") if path.is_file()]
    assert files
    assert not any(b"c-1" in path.read_bytes() for path in files)
    with provider.deployment.catalog.reading() as session:
        assert ledger_outbox.size(session) > 0
