"""One suite that every backup store passes. Needs pytest; nothing outside tests imports it.

A test module subclasses `BackupConformance` and gives it a fixture `bench` that returns a fresh `BackupBench`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import pytest

from storage_adapters.backups.contract import BackupSet, BackupStore, Form, SetLayout, Whereabouts
from storage_adapters.backups.contract import Rewriting as NewSet
from storage_adapters.contract import ItemResult
from storage_adapters.errors import NotFound, Refused

NIGHTLY = (SetLayout("nightly/"),)
DUMP = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n"
NAME = "nightly/2026-11-10/"
FILES = {"db.sql": DUMP, "deep/er/photo.jpg": b"\xff\xd8 a photo", "empty": b""}
BIG = bytes(range(256)) * 4096 * 10


class BackupBench(Protocol):
    """A fresh, empty store under test, with the ways in of the platform that writes backups and of its readers."""

    @property
    def store(self) -> BackupStore:
        """The adapter under test, the same one each time."""
        ...

    @property
    def restricts(self) -> Whereabouts:
        """How a set without a lock is quarantined here."""
        ...

    @property
    def opens_quarantined(self) -> bool:
        """Whether the server of this bench lets the store's own reader into a quarantined set."""
        ...

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files as the backup jobs do: full names to contents."""
        ...

    def read(self, path: str) -> bytes | None:
        """What an ordinary reader gets at this full name; None where it gets nothing."""
        ...

    def everything(self) -> set[str]:
        """The names of everything that lies in the store and in its quarantine, versions and notes of our own too."""
        ...

    def lock(self, path: str) -> Callable[[], None] | None:
        """Lock this file against removal, as the store can; returns what ends the lock. None: it has no such thing."""
        ...


def put_set(bench: BackupBench, name: str = NAME, files: Mapping[str, bytes] = FILES) -> None:
    """One set of these files."""
    bench.put({f"{name}{path}": content for path, content in files.items()})


def content_of(store: BackupStore, name: str) -> dict[str, bytes]:
    """Every file of a set, read through the store."""
    content = {}
    for file in list(store.files(name)):
        with store.open(name, file.path) as stream:
            content[file.path] = stream.read()
    return content


def sets_of(bench: BackupBench, *claimed: str) -> dict[str, BackupSet]:
    """The sets of the store by name, having checked that none is listed twice."""
    listed = list(bench.store.sets(NIGHTLY, claimed))
    assert len({one.name for one in listed}) == len(listed), "a set was listed twice"
    return {one.name: one for one in listed}


def _written_and_given_up(rewriting: NewSet) -> None:
    with rewriting.write("db.sql") as stream:
        stream.write(BIG)
    raise ZeroDivisionError


class Listing:
    """What is found, and what is said of it."""

    def test_a_fresh_store_has_no_sets(self, bench: BackupBench) -> None:
        assert sets_of(bench) == {}
        assert bench.store.find(NAME) is None

    def test_sets_are_cut_by_the_layout_and_strays_by_their_first_segment(self, bench: BackupBench) -> None:
        put_set(bench)
        bench.put(
            {"nightly/alone.sql": DUMP, "stray.sql": DUMP, "other/a/b": b"x", "other/c": b"y", "live/c-1/x": b"z"}
        )
        found = sets_of(bench, "live/")
        assert set(found) == {NAME, "nightly/alone.sql", "stray.sql", "other/"}
        assert found["other/"].item_count == 2

    def test_a_stray_set_never_encloses_what_somebody_else_claims(self, bench: BackupBench) -> None:
        bench.put({"both/live/x": b"1", "both/rest/y": b"2", "both/z": b"3"})
        assert set(sets_of(bench, "both/live/")) == {"both/rest/", "both/z"}

    def test_a_set_tells_its_size_forms_and_times(self, bench: BackupBench) -> None:
        put_set(bench)
        found = bench.store.find(NAME)
        assert found is not None
        assert found == sets_of(bench)[NAME]
        assert (found.item_count, found.size) == (3, sum(map(len, FILES.values())))
        assert found.forms == {Form.PG_DUMP_PLAIN, Form.PLAIN_FILE}
        assert found.begun_at is not None
        assert found.taken_at is not None
        assert found.begun_at <= found.taken_at
        assert found.begun_at.utcoffset() is not None
        assert (found.locks, found.whereabouts) == ((), Whereabouts.IN_PLACE)

    def test_files_heads_and_content_are_those_that_were_written(self, bench: BackupBench) -> None:
        put_set(bench)
        assert [file.path for file in bench.store.files(NAME)] == sorted(FILES)
        assert {file.path: head for file, head in bench.store.heads(NAME, 4)} == {
            path: content[:4] for path, content in FILES.items()
        }
        assert content_of(bench.store, NAME) == FILES

    def test_a_set_that_is_one_file_has_its_last_segment_as_path(self, bench: BackupBench) -> None:
        bench.put({"nightly/alone.sql": DUMP, "nightly/alone.sql.bak": b"other"})
        assert content_of(bench.store, "nightly/alone.sql") == {"alone.sql": DUMP}

    @pytest.mark.parametrize("name", ["nightly/none/", "nightly/2026-11-10", "nightly/2026-11-1/", "../x/", "/etc/"])
    def test_what_is_not_there_is_not_found(self, bench: BackupBench, name: str) -> None:
        put_set(bench)
        store = bench.store
        assert store.find(name) is None
        assert store.delete(name).result is ItemResult.ABSENT
        for act in (store.quarantine, store.try_reading, lambda name: list(store.files(name))):
            with pytest.raises(NotFound):
                act(name)
        with pytest.raises(NotFound), store.rewrite(name):
            pass
        assert content_of(store, NAME) == FILES

    def test_a_path_never_leads_out_of_its_set(self, bench: BackupBench) -> None:
        put_set(bench)
        bench.put({"nightly/secret": b"secret"})
        for path in ("../secret", "/etc/passwd", "none"):
            with pytest.raises((NotFound, Refused)), bench.store.open(NAME, path) as stream:
                stream.read()

    def test_the_sheet_tells_how_it_quarantines(self, bench: BackupBench) -> None:
        sheet = bench.store.capabilities()
        assert bench.restricts in sheet.restricts
        assert sheet.reads
        assert sheet.rewrites


class Deleting:
    """Whole sets go, or nothing."""

    def test_a_deleted_set_is_gone_and_its_neighbours_stay(self, bench: BackupBench) -> None:
        put_set(bench)
        put_set(bench, "nightly/2026-11-1/")
        assert bench.store.delete(NAME).result is ItemResult.DONE
        assert bench.store.delete(NAME).result is ItemResult.ABSENT
        assert not any(NAME in one for one in bench.everything())
        assert content_of(bench.store, "nightly/2026-11-1/") == FILES

    def test_one_file_is_deleted_and_not_what_it_prefixes(self, bench: BackupBench) -> None:
        bench.put({"nightly/a.sql": DUMP, "nightly/a.sql.old": b"x", "nightly/a.sqlite/y": b"z"})
        assert bench.store.delete("nightly/a.sql").result is ItemResult.DONE
        assert set(sets_of(bench)) == {"nightly/a.sql.old", "nightly/a.sqlite/"}

    def test_a_quarantined_set_can_be_deleted(self, bench: BackupBench) -> None:
        put_set(bench)
        bench.store.quarantine(NAME)
        assert bench.store.delete(NAME).result is ItemResult.DONE
        assert bench.store.find(NAME) is None
        assert not any("photo" in one for one in bench.everything())

    def test_a_locked_set_stays_whole_until_the_lock_ends(self, bench: BackupBench) -> None:
        put_set(bench)
        if (unlock := bench.lock(f"{NAME}deep/er/photo.jpg")) is None:
            pytest.skip("this store has no locks")
        deletion = bench.store.delete(NAME)
        assert deletion.result is ItemResult.LOCKED
        assert deletion.locks
        found = bench.store.find(NAME)
        assert found is not None
        assert found.locks == deletion.locks
        assert content_of(bench.store, NAME) == FILES
        with pytest.raises(Refused), bench.store.rewrite(NAME):
            pass
        assert bench.store.quarantine(NAME) is Whereabouts.FENCED
        assert bench.store.try_reading(NAME).is_refused
        assert bench.store.delete(NAME).result is ItemResult.LOCKED
        unlock()
        assert bench.store.delete(NAME).result is ItemResult.DONE
        assert sets_of(bench) == {}


class Quarantining:
    """Out of reach, under its name, and back only by a rewriting."""

    def test_a_quarantined_set_is_refused_to_readers_and_keeps_its_name(self, bench: BackupBench) -> None:
        put_set(bench)
        before = bench.store.find(NAME)
        assert not bench.store.try_reading(NAME).is_refused
        assert bench.store.quarantine(NAME) is bench.restricts
        assert bench.store.quarantine(NAME) is bench.restricts
        assert bench.read(f"{NAME}db.sql") is None
        attempt = bench.store.try_reading(NAME)
        assert attempt.is_refused, attempt.how
        assert "photo" not in attempt.how
        after = bench.store.find(NAME)
        assert after is not None
        assert before is not None
        assert after == sets_of(bench)[NAME]
        assert after.whereabouts is bench.restricts
        assert (after.item_count, after.size) == (before.item_count, before.size)
        if bench.opens_quarantined:
            assert (after.forms, after.begun_at, after.taken_at) == (before.forms, before.begun_at, before.taken_at)
            assert content_of(bench.store, NAME) == FILES
            assert bench.store.try_reading(NAME).is_refused

    def test_one_file_is_quarantined_alone(self, bench: BackupBench) -> None:
        bench.put({"nightly/a.sql": DUMP, "nightly/a.sql.old": b"x"})
        assert bench.store.quarantine("nightly/a.sql") is bench.restricts
        assert bench.read("nightly/a.sql") is None
        assert bench.read("nightly/a.sql.old") == b"x"
        assert bench.store.try_reading("nightly/a.sql").is_refused
        if bench.opens_quarantined:
            assert content_of(bench.store, "nightly/a.sql") == {"a.sql": DUMP}

    def test_a_new_set_of_a_quarantined_name_is_seen_and_quarantined_too(self, bench: BackupBench) -> None:
        if bench.restricts is not Whereabouts.MOVED:
            pytest.skip("a fence covers the new set with the old one")
        put_set(bench)
        bench.store.quarantine(NAME)
        put_set(bench, NAME, {"db.sql": b"new"})
        found = bench.store.find(NAME)
        assert found is not None
        assert found.whereabouts is Whereabouts.IN_PLACE
        assert not bench.store.try_reading(NAME).is_refused
        assert bench.store.quarantine(NAME) is Whereabouts.MOVED
        assert bench.store.try_reading(NAME).is_refused
        assert bench.store.delete(NAME).result is ItemResult.DONE
        assert not any("db.sql" in one for one in bench.everything())


class Rewriting:
    """Either set stands, whole."""

    @pytest.mark.parametrize("is_quarantined", [False, True], ids=["in its place", "from quarantine"])
    def test_the_new_set_stands_where_the_old_one_did(self, bench: BackupBench, is_quarantined: bool) -> None:
        put_set(bench)
        before = bench.store.find(NAME)
        if is_quarantined:
            if not bench.opens_quarantined:
                pytest.skip("this server lets nobody into a fenced set")
            bench.store.quarantine(NAME)
        with bench.store.rewrite(NAME) as rewriting:
            rewriting.keep("empty")
            with rewriting.write("db.sql") as stream:
                stream.write(b"anonymous")
            assert content_of(bench.store, NAME) == FILES
            assert set(sets_of(bench)) == {NAME}
            rewriting.commit()
        assert content_of(bench.store, NAME) == {"db.sql": b"anonymous", "empty": b""}
        assert bench.read(f"{NAME}db.sql") == b"anonymous"
        after = bench.store.find(NAME)
        assert after is not None
        assert before is not None
        assert after.whereabouts is Whereabouts.IN_PLACE
        assert after.item_count == 2
        assert after.taken_at is not None
        assert before.taken_at is not None
        assert after.taken_at <= before.taken_at
        assert not any("photo" in one for one in bench.everything())

    def test_without_a_commit_the_old_set_stays_and_nothing_is_left(self, bench: BackupBench) -> None:
        put_set(bench)
        before = bench.everything()
        with bench.store.rewrite(NAME) as rewriting, rewriting.write("db.sql") as stream:
            stream.write(b"half")
        with pytest.raises(ZeroDivisionError), bench.store.rewrite(NAME) as rewriting:
            _written_and_given_up(rewriting)
        assert content_of(bench.store, NAME) == FILES
        assert bench.everything() == before

    def test_one_file_is_rewritten(self, bench: BackupBench) -> None:
        bench.put({"nightly/a.sql": DUMP, "nightly/a.sql.old": b"x"})
        with bench.store.rewrite("nightly/a.sql") as rewriting:
            with rewriting.write("a.sql") as stream:
                stream.write(BIG)
            rewriting.commit()
            rewriting.commit()
        assert bench.read("nightly/a.sql") == BIG
        assert bench.read("nightly/a.sql.old") == b"x"
        assert set(sets_of(bench)) == {"nightly/a.sql", "nightly/a.sql.old"}


class BackupConformance(Listing, Deleting, Quarantining, Rewriting):
    """Subclass it in a test module, name the subclass `Test…`, and give it a fixture `bench`."""
