"""Snapshots of real restic repositories: found, read, quarantined, rewritten and removed with their data."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage_adapters.backups.contract import Form, Whereabouts
from storage_adapters.backups.restic import Repository, ResticBackups
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from tests.unit.storage_adapters.backups.restic.quick_repository import HOST, TestRepository

AT = datetime(2026, 11, 10, 22, 15, 30, 500_000, UTC)
ABSENT = "0" * 64


def test_a_snapshot_is_a_set_with_its_label_time_size_and_forms(
    store: ResticBackups, ordinary: TestRepository, source: Path
) -> None:
    name = ordinary.back_up(source, "nightly", "second")
    [found] = store.sets([])
    assert (found.name, found.label, found.begun_at, found.taken_at) == (name, "nightly/2026-11-10", AT, AT)
    assert (found.item_count, found.size) == (5, 15 + 15 + 3 + 0 + 45)
    assert found.forms == {Form.PLAIN_FILE, Form.PG_DUMP_PLAIN}
    assert found.whereabouts is Whereabouts.IN_PLACE
    assert store.find(name) == found


def test_sets_of_claimed_labels_are_left_out(store: ResticBackups, ordinary: TestRepository, source: Path) -> None:
    ordinary.back_up(source, "nightly")
    ordinary.back_up(source)
    assert [found.label for found in store.sets([], ["nightly/"])] == ["untagged/2026-11-10"]


def test_files_are_named_read_and_begun(store: ResticBackups, ordinary: TestRepository, source: Path) -> None:
    name = ordinary.back_up(source)
    heads = {file.path: head for file, head in store.heads(name, 5)}
    assert heads == {
        "srv/all.sql": b"--\n--",
        "srv/data/c-1/a.txt": b"of cu",
        "srv/data/c-2/b.txt": b"of cu",
        "srv/data/c-2/empty": b"",
        "srv/data/c-2/odd *[name] 中.txt": b"odd",
    }
    assert [file.path for file in store.files(name)] == sorted(heads)
    with store.open(name, "srv/data/c-2/odd *[name] 中.txt") as stream:
        assert stream.read() == b"odd"
    with pytest.raises(NotFound), store.open(name, "srv/none"):
        pass


def test_the_files_of_a_dump_in_a_folder_are_that_dump(
    store: ResticBackups, ordinary: TestRepository, tmp_path: Path
) -> None:
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump/toc.dat").write_bytes(b"PGDMP\x01\x0e\x00\x04\x08\x03")
    (tmp_path / "dump/3001.dat").write_bytes(b"rows")
    name = ordinary.back_up(tmp_path / "dump")
    assert {file.form for file in store.files(name)} == {Form.PG_DUMP_DIRECTORY}


def test_a_deleted_set_is_gone_with_its_data_and_others_stay(
    store: ResticBackups, ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    kept = ordinary.back_up(source)
    before = ordinary.data_size()
    (tmp_path / "big").mkdir()
    (tmp_path / "big/random").write_bytes(os.urandom(300_000))
    name = ordinary.back_up(tmp_path / "big")
    assert store.delete(name).result is ItemResult.DONE
    assert ordinary.data_size() < before + 20_000
    assert [entry["id"] for entry in ordinary.snapshots()] == [kept]
    assert store.delete(name).result is ItemResult.ABSENT
    ordinary.restic("check", "--read-data")


def test_a_removal_killed_before_the_prune_stays_visible_and_is_finished_by_the_next(
    store: ResticBackups, ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    name = ordinary.back_up(source, "nightly")
    stuck = ResticBackups("snapshots", ordinary.settings, program=str(failing_at(tmp_path, "prune")))
    deletion = stuck.delete(name)
    assert (deletion.result, deletion.reason) == (ItemResult.UNKNOWN, "not-pruned")
    left = store.find(name)
    assert left is not None
    assert (left.label, left.item_count, left.whereabouts) == ("nightly/2026-11-10", 0, Whereabouts.IN_PLACE)
    assert list(store.files(name)) == []
    size = ordinary.data_size()
    assert store.delete(name).result is ItemResult.DONE
    assert ordinary.data_size() < size
    assert store.find(name) is None
    stuck.close()


def test_quarantine_moves_the_set_out_of_the_reach_of_the_ordinary_password(
    store: ResticBackups, ordinary: TestRepository, quarantine: TestRepository, source: Path
) -> None:
    name = ordinary.back_up(source, "nightly")
    assert not store.try_reading(name).is_refused
    assert store.quarantine(name) is Whereabouts.MOVED
    attempt = store.try_reading(name)
    assert attempt.is_refused
    assert "no such snapshot" in attempt.how
    assert "the password is wrong" in attempt.how
    found = store.find(name)
    assert found is not None
    assert (found.whereabouts, found.label, found.item_count) == (Whereabouts.MOVED, "nightly/2026-11-10", 5)
    assert ordinary.snapshots() == []
    assert store.quarantine(name) is Whereabouts.MOVED
    assert len(quarantine.snapshots()) == 1
    with store.open(name, "srv/data/c-1/a.txt") as stream:
        assert stream.read() == b"of customer one"
    assert store.delete(name).result is ItemResult.DONE
    assert (list(store.sets([])), quarantine.snapshots()) == ([], [])


@pytest.mark.parametrize("command", ["tag", "dump", "prune"])
def test_a_quarantine_cut_short_loses_nothing_and_is_finished_by_the_next(
    command: str,
    store: ResticBackups,
    ordinary: TestRepository,
    quarantine: TestRepository,
    source: Path,
    tmp_path: Path,
) -> None:
    name = ordinary.back_up(source)
    program = str(failing_at(tmp_path, command))
    stuck = ResticBackups("snapshots", ordinary.settings, quarantine.settings, program=program)
    with pytest.raises((Unavailable, OutcomeUnknown)):
        stuck.quarantine(name)
    stuck.close()
    [found] = store.sets([])
    assert (found.name, found.whereabouts, found.item_count) == (name, Whereabouts.IN_PLACE, 5)
    assert store.quarantine(name) is Whereabouts.MOVED
    assert [found.name for found in store.sets([])] == [name]
    assert (len(ordinary.snapshots()), len(quarantine.snapshots())) == (0, 1)
    assert store.try_reading(name).is_refused


@pytest.mark.parametrize("from_quarantine", [False, True], ids=["in place", "from quarantine"])
def test_a_rewritten_set_stands_under_its_name_with_its_paths_time_host_and_tags(
    from_quarantine: bool,
    store: ResticBackups,
    ordinary: TestRepository,
    quarantine: TestRepository,
    source: Path,
    tmp_path: Path,
) -> None:
    name = ordinary.back_up(source, "nightly")
    if from_quarantine:
        store.quarantine(name)
    with store.rewrite(name) as rewriting:
        rewriting.keep("srv/data/c-2/b.txt")
        rewriting.keep("srv/data/c-2/odd *[name] 中.txt")
        with rewriting.write("srv/all.sql") as stream:
            stream.write(b"-- anonymised")
        rewriting.commit()
    found = store.find(name)
    assert found is not None
    assert (found.label, found.taken_at, found.whereabouts) == ("nightly/2026-11-10", AT, Whereabouts.IN_PLACE)
    [snapshot] = ordinary.snapshots()
    assert snapshot["hostname"] == HOST
    assert quarantine.snapshots() == []
    assert {file.path: head for file, head in store.heads(name, 99)} == {
        "srv/all.sql": b"-- anonymised",
        "srv/data/c-2/b.txt": b"of customer two",
        "srv/data/c-2/odd *[name] 中.txt": b"odd",
    }
    assert "c-1" not in ordinary.restic("ls", snapshot["id"])
    assert list((tmp_path / "scratch").iterdir()) == []
    ordinary.restic("check", "--read-data")


@pytest.mark.parametrize("command", ["backup", "prune"])
def test_a_rewriting_cut_short_leaves_a_whole_set_and_is_finished_by_the_next(
    command: str, store: ResticBackups, ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    name = ordinary.back_up(source)
    stuck = ResticBackups("snapshots", ordinary.settings, program=str(failing_at(tmp_path, command)))
    with pytest.raises(OutcomeUnknown):
        rewrite_to_one_file(stuck, name)
    stuck.close()
    [found] = store.sets([])
    assert (found.name, found.item_count) == (name, 1 if command == "prune" else 5)
    rewrite_to_one_file(store, name)
    assert [file.path for file in store.files(name)] == ["srv/data/c-2/b.txt"]
    assert len(ordinary.snapshots()) == 1


def test_a_rewriting_left_without_commit_changes_nothing(
    store: ResticBackups, ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    name = ordinary.back_up(source)
    before = store.find(name)
    with store.rewrite(name) as rewriting, rewriting.write("srv/all.sql") as stream:
        stream.write(b"new")
    assert store.find(name) == before
    assert list((tmp_path / "scratch").iterdir()) == []
    with store.rewrite(name) as rewriting, pytest.raises(NotFound):
        rewriting.keep("../../etc/passwd")


def test_what_a_killed_rewriting_left_in_the_scratch_folder_is_removed(
    store: ResticBackups, ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    left = tmp_path / "scratch/retention-restic-left"
    left.mkdir()
    (left / "data").write_bytes(b"somebody's")
    name = ordinary.back_up(source)
    with store.rewrite(name):
        assert not left.exists()


def test_a_repository_in_use_is_unavailable_and_a_dead_one_s_lock_is_removed(
    store: ResticBackups, ordinary: TestRepository, source: Path
) -> None:
    name = ordinary.back_up(source)
    environ = {
        "PATH": os.environ["PATH"],
        "RESTIC_REPOSITORY": str(ordinary.folder),
        "RESTIC_PASSWORD": ordinary.password,
    }
    command = ["restic", "--no-cache", "--quiet", "backup", "--stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environ) as other:
        try:
            while not any(len(lock.name) == 64 for lock in (ordinary.folder / "locks").iterdir()):
                assert other.poll() is None
                time.sleep(0.01)
            other.send_signal(signal.SIGSTOP)
            with pytest.raises(Unavailable, match="locked"):
                store.delete(name)
            assert [found.name for found in store.sets([])] == [name]
        finally:
            other.kill()
    assert list((ordinary.folder / "locks").iterdir()) != []
    assert store.delete(name).result is ItemResult.DONE


def test_what_cannot_be_reached_is_said_in_the_contract_s_words(
    ordinary: TestRepository, quarantine: TestRepository, source: Path, tmp_path: Path
) -> None:
    name = ordinary.back_up(source)
    none = Repository(str(tmp_path / "none"), "x")
    for repository, beside, program, expected, words in [
        (Repository(str(ordinary.folder), "wrong"), None, "restic", Refused, "password is wrong"),
        (none, None, "restic", NotFound, "no repository"),
        (ordinary.settings, none, "restic", Refused, "restic init --copy-chunker-params"),
        (ordinary.settings, None, "no-such-restic", Refused, "install the package restic"),
    ]:
        store = ResticBackups("snapshots", repository, beside, program)
        with pytest.raises(expected, match=words):
            list(store.sets([]))
        store.close()
    alone = ResticBackups("snapshots", ordinary.settings)
    assert alone.capabilities().restricts == ()
    with pytest.raises(Refused, match="no repository for quarantine"):
        alone.quarantine(name)
    alone.close()


def test_a_set_that_is_not_there_is_said_so(store: ResticBackups) -> None:
    assert store.capabilities().restricts == (Whereabouts.MOVED,)
    for name in (ABSENT, "latest", "--all"):
        assert store.find(name) is None
        assert store.delete(name).result is ItemResult.ABSENT
    for call in (store.quarantine, store.try_reading, lambda name: list(store.files(name))):
        with pytest.raises(NotFound):
            call(ABSENT)


def test_a_failure_half_way_is_raised_and_not_taken_for_the_end(
    ordinary: TestRepository, source: Path, tmp_path: Path
) -> None:
    (source / "srv/big").write_bytes(os.urandom(3_000_000))
    name = ordinary.back_up(source)
    store = ResticBackups("snapshots", ordinary.settings)
    assert len(list(store.files(name))) == 6
    largest = max(
        (file for file in (ordinary.folder / "data").rglob("*") if file.is_file()), key=lambda f: f.stat().st_size
    )
    largest.chmod(0o600)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(Refused), store.open(name, "srv/big") as stream:
        stream.read()
    store.close()


def test_no_password_is_shown(tmp_path: Path) -> None:
    shown = repr(Repository("rest:https://user:pw-1@host/", "pw-2", environ={"AWS_SECRET_ACCESS_KEY": "pw-3"}))
    assert "pw-" not in shown
    with pytest.raises(ValueError):
        Repository("folder")
    with pytest.raises(ValueError):
        Repository("folder", "x", tmp_path / "x")


def rewrite_to_one_file(store: ResticBackups, name: str) -> None:
    with store.rewrite(name) as rewriting:
        rewriting.keep("srv/data/c-2/b.txt")
        rewriting.commit()


def failing_at(folder: Path, command: str) -> Path:
    """A restic that is killed when it is asked for this command the first time, as a power cut would."""
    program = folder / f"restic-without-{command}"
    program.write_text(
        f'#!/bin/sh\nfor word in "$@"; do [ "$word" = {command} ] && kill -9 $$; done\nexec restic "$@"\n'
    )
    program.chmod(0o755)
    return program
