"""The restore gate: a set comes back without the deleted and the restricted, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from retention.errors import InputError, NotInOrder
from retention.evidence.entries import EntryType, decode_entry
from retention.evidence.errors import EvidenceError
from retention.workflows.drill_backup import drill_backup
from retention.workflows.restore_backup import RestoreRefused, restore_backup
from storage_adapters.errors import Refused
from tests.workflow.conftest import Provider, Told

SET = "nightly/2026-11-10/"


def told(provider: Provider, kind: EntryType) -> list[dict[str, object]]:
    provider.deployment.journal.publish()
    ledger = provider.deployment.journal.ledger
    found = [decode_entry(ledger.entry(index)) for index in range(ledger.checkpoint().size)]
    return [dict(entry.body) for entry in found if entry.type is kind]


def restored_files(provider: Provider) -> list[str]:
    root = provider.root / "restored"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) if root.exists() else []


@pytest.fixture(scope="module")
def morning(adopted: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Three customers in last night's set; since then one has deleted everything, and one is in the buffer."""
    root = tmp_path_factory.mktemp("morning")
    provider = adopted.go_on(root / "first")
    for customer in ("gone", "waits", "stays"):
        provider.tell("service-activated", customer, service="training")
        provider.put_model(customer, "a.bin")
    provider.back_up()
    provider.tell("data-deleted", "gone", dataset="models")
    provider.tell("service-expired", "waits", service="training")
    provider.run()
    provider.pass_time(hours=25)
    provider.run()
    return Told.by(provider, root / "disk")


@pytest.fixture
def provider(request: pytest.FixtureRequest, tmp_path: Path, adopted: Told) -> Iterator[Provider]:
    """The provider on the morning after, where the test asks for the night; else at its beginning."""
    told: Told = request.getfixturevalue("morning") if "night" in request.fixturenames else adopted
    opened = told.go_on(tmp_path)
    yield opened
    opened.deployment.close()


@pytest.fixture
def night(provider: Provider) -> Path:
    """Last night's set."""
    return provider.root / "backups" / SET


@pytest.mark.usefixtures("night")
def test_only_who_stays_comes_back(provider: Provider) -> None:
    restored = restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == ["models/stays/a.bin"]
    assert (restored.released, restored.replayed, restored.removed) == (True, 2, 2)
    (entry,) = told(provider, EntryType.BACKUP_RESTORED)
    assert (entry["set"], entry["places"], entry["replayed"]) == (SET, ["restored"], 2)


@pytest.mark.usefixtures("night")
def test_a_customer_who_came_back_in_time_is_restored_again(provider: Provider) -> None:
    provider.tell("service-renewed", "waits", service="training")
    provider.run()
    restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == ["models/stays/a.bin", "models/waits/a.bin"]


def test_what_fits_no_dataset_is_not_given_out(provider: Provider, night: Path) -> None:
    (night / "export.csv").write_bytes(b"gone,12")
    restored = restore_backup(provider.deployment, SET, ["restored"])
    assert restored.unknown == 1
    assert restored_files(provider) == ["models/stays/a.bin"]


def test_a_set_in_quarantine_comes_back_through_the_gate_only(provider: Provider) -> None:
    for customer in ("gone", "stays"):
        provider.tell("service-activated", customer, service="training")
        provider.put_model(customer, "a.bin")
    made = provider.back_up()
    (made / "export.csv").write_bytes(b"gone,12")
    provider.tell("data-deleted", "gone", dataset="models")
    provider.run()
    provider.pass_time(hours=25)
    provider.run()
    assert not made.exists()
    restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == ["models/stays/a.bin"]


@pytest.mark.usefixtures("night")
def test_a_place_that_is_not_empty_is_refused(provider: Provider) -> None:
    restore_backup(provider.deployment, SET, ["restored"])
    with pytest.raises(Refused):
        restore_backup(provider.deployment, SET, ["restored"])
    assert len(told(provider, EntryType.REFUSED)) == 1


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize(
    ("name", "into", "says"),
    [
        ("nightly/1999-01-01/", "restored", "is no backup set"),
        (SET, "cache", "can be restored into"),
    ],
    ids=["a set that is not there", "a place that is none"],
)
def test_a_wrong_name_is_said(provider: Provider, name: str, into: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        restore_backup(provider.deployment, name, [into])


def test_a_set_that_fits_no_series_is_refused(provider: Provider, night: Path) -> None:
    shutil.copytree(night, provider.root / "backups" / "by-hand")
    with pytest.raises(RestoreRefused, match="fits no series"):
        restore_backup(provider.deployment, "by-hand/", ["restored"])


def _lose(provider: Provider) -> None:
    shutil.rmtree(provider.root / "ledger")
    (provider.root / "ledger").mkdir()


def _cut_off(provider: Provider) -> None:
    shutil.rmtree(provider.root / "ledger")
    shutil.copytree(provider.root / "ledger-before", provider.root / "ledger")


def _change(provider: Provider) -> None:
    bundles = [path for path in (provider.root / "ledger" / "tile" / "entries").rglob("*") if path.is_file()]
    bundle = max(bundles, key=lambda path: path.stat().st_size)
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)


@pytest.mark.parametrize("harm", [_lose, _cut_off, _change], ids=["missing", "shorter than it was", "changed"])
def test_without_a_whole_ledger_nothing_is_restored(provider: Provider, harm: object) -> None:
    provider.tell("service-activated", "gone", service="training")
    provider.put_model("gone", "a.bin")
    provider.back_up()
    provider.deployment.journal.publish()
    shutil.copytree(provider.root / "ledger", provider.root / "ledger-before")
    provider.tell("data-deleted", "gone", dataset="models")
    provider.run()
    assert callable(harm)
    harm(provider)
    with pytest.raises(Exception, match=r"ledger|checkpoint") as refused:
        restore_backup(provider.deployment, SET, ["restored"])
    assert isinstance(refused.value, NotInOrder | EvidenceError)
    assert restored_files(provider) == []


@pytest.mark.usefixtures("night")
@pytest.mark.parametrize("moment", ["load", "erase", "remains", "tell"])
def test_killed_at_any_moment_before_the_release_nothing_was_given_out(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_arguments: object, **_more: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if moment == "load":
            from storage_adapters.backups.places.staging_folder import StagedFiles

            patch.setattr(StagedFiles, "store", killed)
        elif moment == "tell":
            from retention.workflows.restore_backup import Gate

            patch.setattr(Gate, "_release", killed)
        else:
            from storage_adapters.files import FileStore

            patch.setattr(FileStore, moment, killed)
        with pytest.raises(Killed):
            restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == []
    restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == ["models/stays/a.bin"]


@pytest.mark.usefixtures("night")
def test_a_drill_says_how_long_it_took_and_gives_nothing_out(provider: Provider) -> None:
    drilled = drill_backup(provider.deployment)
    (restored,) = drilled.restored
    assert drilled.troubles == ()
    assert (restored.released, restored.replayed, restored.removed) == (False, 2, 2)
    assert restored.seconds > 0
    assert [path for path in (provider.root / "scratch").rglob("*") if path.is_file() and path.suffix == ".bin"] == []
    (entry,) = told(provider, EntryType.BACKUP_DRILLED)
    assert (entry["set"], entry["removed"]) == (SET, 2)


def test_a_drill_tells_what_it_could_not_rehearse(provider: Provider, night: Path) -> None:
    (night / "app.sql").write_bytes(b"-- PostgreSQL database dump\n" + b"-- \n" * 200)
    drilled = drill_backup(provider.deployment)
    assert [why for _, why in drilled.troubles] == ["not rehearsed: 1 × pg-dump-plain"]


def test_a_damaged_archive_is_refused_and_nothing_is_given_out(provider: Provider, night: Path) -> None:
    import io
    import tarfile

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("models/stays/b.bin")
        info.size = 5_000
        tar.addfile(info, io.BytesIO(bytes(5_000)))
    (night / "more.tar").write_bytes(archive.getvalue()[:3_000])
    with pytest.raises(Refused):
        restore_backup(provider.deployment, SET, ["restored"])
    assert restored_files(provider) == []
    (refusal,) = told(provider, EntryType.REFUSED)
    assert (refusal["step"], refusal["why"]) == ("restore", "Refused")
