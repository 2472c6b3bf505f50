"""Nightly sets of a real pg_dump and an object tree: restored through the gate, rehearsed, quarantined, anonymised."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from retention.evidence.entries import EntryType
from retention.model.copy import EndState
from retention.workflows.drill_backup import drill_backup
from retention.workflows.restore_backup import RestoreRefused, restore_backup
from storage_adapters.errors import Refused
from tests.acceptance.backup_world import (
    EVERYBODY,
    FILES,
    GONE,
    LATER,
    NIGHT,
    ROWS,
    STAYS,
    WAITS,
    World,
    back_up_night,
    databases,
    dump_postgres,
    fill_objects,
    fill_postgres,
    libpq,
    one_at_a_time,
    policy_of,
    read_objects,
    read_postgres,
    restore_and_die,
    run_and_die,
    series,
    stamped,
    write_settings,
)

DATASETS = ROWS + FILES % "nightly"
HOLDS = "application, models"
PLAIN = ("-Fp", "-Z", "6")
CUSTOM = ("-Fc",)


@pytest.fixture
def drill_server(postgres_url: str) -> Iterator[str]:
    """The server, whose one database for rehearsals is ours alone during the test."""
    with one_at_a_time("drill"):
        yield postgres_url
        assert not {name for name in databases(postgres_url) if name.startswith("retention_drill")}


NewWorld = Callable[..., World]


@pytest.fixture
def new_world(tmp_path: Path, postgres_database: str, postgres_url: str) -> Iterator[NewWorld]:
    """A service over a filled application database and object tree; `anonymise` and `drill` as asked."""
    opened: list[World] = []
    final = f"{make_url(postgres_database).database}_back"

    def begin(*, anonymise: bool = False, drill: str | None = None, quarantine: Path | None = None) -> World:
        fill_postgres(postgres_database)
        fill_objects(tmp_path / "objects")
        (tmp_path / "backups").mkdir()
        back = make_url(postgres_database).set(database=final).render_as_string(hide_password=False)
        stores: dict[str, dict[str, object]] = {
            "app-database": {"kind": "sql", "url": postgres_database},
            "objects": {"kind": "files", "root": tmp_path / "objects"},
            "backups": {
                "kind": "files",
                "root": tmp_path / "backups",
                "quarantine": quarantine or tmp_path / "quarantine",
            },
            "database-back": {"kind": "sql", "url": back},
            "objects-back": {"kind": "files", "root": tmp_path / "objects-back"},
        }
        write_settings(tmp_path, stores, **({"drill_postgresql": drill} if drill else {}))
        more = "mixed: true, objects: objects/" + (", anonymise: true" if anonymise else "")
        opened.append(World.begin(tmp_path, policy_of(DATASETS, series(HOLDS, more))))
        return opened[-1]

    yield begin
    for world in opened:
        world.deployment.close()
    with psycopg.connect(libpq(postgres_url), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {final} WITH (FORCE)")


def back_url(database: str) -> str:
    """The URL of the database to restore into, which is absent at first."""
    parsed = make_url(database)
    return parsed.set(database=f"{parsed.database}_back").render_as_string(hide_password=False)


def is_there(server: str, url: str) -> bool:
    return make_url(url).database in databases(server)


def one_goes_and_one_waits(world: World) -> None:
    world.tell("service-expired", WAITS)
    world.delete(GONE, "application", "models")


def backup_folders(world: World) -> tuple[Path, ...]:
    """Where anything of a set may lie, in place or on its way."""
    return tuple(world.root / name for name in ("backups", "quarantine", "scratch"))


def only(found: dict[str, list[str]], *owners: str) -> dict[str, list[str]]:
    return {owner: lines for owner, lines in found.items() if owner in owners}


# ------------------------------------------------------------------------------------------------- the gate


@pytest.mark.parametrize("options", [PLAIN, CUSTOM], ids=["a plain dump, gzipped", "a dump in the custom format"])
def test_only_rows_and_objects_of_those_who_stay_come_back(
    new_world: NewWorld, postgres_url: str, postgres_database: str, options: tuple[str, ...]
) -> None:
    world = new_world()
    rows, objects = read_postgres(postgres_database), read_objects(world.root / "objects")
    back_up_night(world, postgres_database, *options)
    one_goes_and_one_waits(world)
    back = back_url(postgres_database)
    assert not is_there(postgres_url, back)
    restored = restore_backup(world.deployment, NIGHT, ["database-back", "objects-back"])
    assert (restored.released, restored.replayed, restored.unknown, restored.left_out) == (True, 4, 0, {})
    assert read_postgres(back) == only(rows, STAYS, LATER, "")
    assert read_objects(world.root / "objects-back" / "objects") == only(objects, STAYS, LATER)
    (told,) = world.entries(EntryType.BACKUP_RESTORED)
    assert (told.body["set"], told.body["removed"]) == (NIGHT, restored.removed)
    assert restored.removed == 2 * (1 + 3 + 6 + 40 + 2)
    with pytest.raises(Refused):
        restore_backup(world.deployment, NIGHT, ["database-back", "objects-back"])
    assert read_postgres(back) == only(rows, STAYS, LATER, "")


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        ("storage_adapters.sql.SqlStore", "erase"),
        ("storage_adapters.sql.SqlStore", "remains"),
        ("storage_adapters.backups.places.postgres.PostgresStaging", "release"),
    ],
    ids=["before it is cleaned", "before it is verified", "before it is given out"],
)
def test_killed_before_the_release_there_is_no_database_and_the_next_restore_works(
    new_world: NewWorld, postgres_url: str, postgres_database: str, owner: str, method: str
) -> None:
    world = new_world()
    back_up_night(world, postgres_database, *CUSTOM)
    one_goes_and_one_waits(world)
    back = back_url(postgres_database)
    assert restore_and_die(world, owner, method, "database-back", "objects-back")
    left = {name for name in databases(postgres_url) if name.startswith(f"{make_url(back).database}__")}
    assert len(left) == 1, "it was killed with everything staged"
    assert not is_there(postgres_url, back)
    objects_back = world.root / "objects-back" / "objects"
    if method == "release":  # places are given out one after the other, each of them clean and whole
        assert set(read_objects(objects_back)) == {STAYS, LATER}
        restore_backup(world.deployment, NIGHT, ["database-back"])
    else:
        assert not objects_back.exists()
        restore_backup(world.deployment, NIGHT, ["database-back", "objects-back"])
    assert set(read_postgres(back)) == {STAYS, LATER, ""}
    assert set(read_objects(objects_back)) == {STAYS, LATER}
    assert databases(postgres_url).isdisjoint(left)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("CREATE TABLE export (tenant_id text, what text); INSERT INTO export VALUES ('x', 'y')", "export"),
        ("SELECT lo_from_bytea(0, 'a photograph')", "large objects"),
    ],
    ids=["an unlisted table with a customer column", "large objects"],
)
def test_a_database_with_something_that_nobody_accounts_for_is_not_released(
    new_world: NewWorld, postgres_url: str, postgres_database: str, extra: str, says: str
) -> None:
    world = new_world()
    with psycopg.connect(libpq(postgres_database)) as connection:
        connection.execute(extra)
    back_up_night(world, postgres_database, *CUSTOM)
    with pytest.raises(RestoreRefused, match=says):
        restore_backup(world.deployment, NIGHT, ["database-back"])
    assert not is_there(postgres_url, back_url(postgres_database))


def test_a_rehearsal_reports_and_leaves_no_database_behind(
    new_world: NewWorld, drill_server: str, postgres_database: str
) -> None:
    world = new_world(drill=drill_server)
    back_up_night(world, postgres_database, *CUSTOM)
    one_goes_and_one_waits(world)
    drilled = drill_backup(world.deployment)
    assert drilled.troubles == ()
    (restored,) = drilled.restored
    assert (restored.released, restored.replayed, restored.removed) == (False, 4, 2 * 52)
    assert not [name for name in databases(drill_server) if "drill" in name]
    (told,) = world.entries(EntryType.BACKUP_DRILLED)
    assert (told.body["set"], told.body["places"]) == (NIGHT, ["drill-files", "drill-postgresql"])
    assert world.everywhere(GONE, world.root / "scratch") == []


# ------------------------------------------------------------------------------------------------- quarantine


def test_a_set_with_plain_rows_waits_in_quarantine_and_the_certificate_is_final_when_it_is_gone(
    new_world: NewWorld, postgres_database: str
) -> None:
    world = new_world()
    night = back_up_night(world, postgres_database, *PLAIN)
    one_goes_and_one_waits(world)
    end = world.end(GONE)
    assert end.end_state is EndState.QUARANTINED
    assert end.until is not None
    assert end.until.isoformat() == "2026-12-10T16:00:00+00:00"
    assert not night.exists()
    assert all(not issued.final for issued in world.certificates(GONE))
    world.run(days=29)
    assert world.end(GONE).end_state is EndState.QUARANTINED
    world.run(days=2)
    world.run(minutes=10)
    assert {end.end_state for end in world.ends(GONE)} == {EndState.ERASED_VERIFIED}
    assert world.everywhere(GONE, *backup_folders(world)) == []
    world.run(days=1)
    assert {case.state for case in world.cases(GONE)} == {"certified"}
    assert all(issued.final for issued in world.certificates(GONE))


# ------------------------------------------------------------------------------------------------- anonymising


@pytest.mark.parametrize("options", [PLAIN, CUSTOM], ids=["a plain dump, gzipped", "a dump in the custom format"])
def test_a_set_is_rewritten_without_the_deleted_and_still_restores_for_the_others(
    new_world: NewWorld, drill_server: str, postgres_database: str, options: tuple[str, ...]
) -> None:
    world = new_world(anonymise=True, drill=drill_server)
    rows, objects = read_postgres(postgres_database), read_objects(world.root / "objects")
    night = back_up_night(world, postgres_database, *options)
    world.delete(GONE, "application", "models")
    assert {end.end_state for end in world.ends(GONE)} == {EndState.ANONYMISED}
    assert world.everywhere(GONE, *backup_folders(world)) == [], "no copy of the old set, and no draft, is left"
    assert night.is_dir()
    assert read_objects(night / "objects") == only(objects, WAITS, STAYS, LATER)
    world.run(days=1)
    assert {case.state for case in world.cases(GONE)} == {"certified"}
    assert all(issued.final for issued in world.certificates(GONE))

    world.delete(LATER, "application", "models")
    assert {end.end_state for end in world.ends(LATER)} == {EndState.ANONYMISED}
    assert world.everywhere(LATER, *backup_folders(world)) == []
    assert {end.end_state for end in world.ends(GONE)} == {EndState.ANONYMISED}
    restored = restore_backup(world.deployment, NIGHT, ["database-back", "objects-back"])
    assert restored.removed == 0
    assert read_postgres(back_url(postgres_database)) == only(rows, WAITS, STAYS, "")
    assert read_objects(world.root / "objects-back" / "objects") == only(objects, WAITS, STAYS)


def _corrupt(night: Path, _database: str) -> None:
    file = night / "app.dump"
    file.write_bytes(file.read_bytes()[:-2000])


def _with_unlisted_table(night: Path, database: str) -> None:
    with psycopg.connect(libpq(database)) as connection:
        connection.execute("CREATE TABLE export (tenant_id text); INSERT INTO export VALUES ('somebody')")
    dump_postgres(database, night / "app.dump", *CUSTOM)


def _with_large_objects(night: Path, database: str) -> None:
    with psycopg.connect(libpq(database)) as connection:
        connection.execute("SELECT lo_from_bytea(0, 'a photograph')")
    dump_postgres(database, night / "app.dump", *CUSTOM)


def _with_a_file_of_nobody(night: Path, _database: str) -> None:
    (night / "export.csv").write_text("who,what\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_corrupt, "cut off"),
        (_with_unlisted_table, "no dataset has: export"),
        (_with_large_objects, "no dataset has: large objects"),
        (_with_a_file_of_nobody, "1 of its 10 files fit no dataset"),
    ],
    ids=["a corrupt dump", "an unlisted table with a customer column", "large objects", "a file that fits no dataset"],
)
def test_a_set_that_cannot_be_rewritten_safely_is_quarantined_whole_with_the_reason(
    new_world: NewWorld, drill_server: str, postgres_database: str, harm: Callable[[Path, str], None], why: str
) -> None:
    world = new_world(anonymise=True, drill=drill_server)
    night = back_up_night(world, postgres_database, *CUSTOM)
    harm(night, postgres_database)
    stamped(night, world.clock.now())
    before = {str(path.relative_to(night)): path.read_bytes() for path in night.rglob("*") if path.is_file()}
    world.delete(GONE, "application", "models")
    for end in world.ends(GONE):
        assert end.end_state is EndState.QUARANTINED
        assert why in (end.reason or "")
        assert "somebody" not in (end.reason or "")
    (kept,) = (world.root / "quarantine").rglob("2026-11-10")
    assert {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_without_a_database_to_look_in_a_set_is_quarantined_and_not_rewritten_blindly(
    new_world: NewWorld, postgres_database: str
) -> None:
    world = new_world(anonymise=True)
    back_up_night(world, postgres_database, *CUSTOM)
    world.delete(GONE, "application", "models")
    for end in world.ends(GONE):
        assert end.end_state is EndState.QUARANTINED
        assert "no place to restore a pg-dump-custom for a look" in (end.reason or "")


# ------------------------------------------------------------------------------------------------- bad input


@pytest.fixture
def elsewhere(another_file_system: Path) -> Path:
    """A folder on another file system."""
    return another_file_system / "quarantine"


def test_a_set_that_vanishes_after_the_scan_is_not_restored_and_leaves_no_database(
    new_world: NewWorld, postgres_url: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage_adapters.backups.folders import FolderBackups
    from storage_adapters.errors import NotFound

    world = new_world()
    night = back_up_night(world, postgres_database, *CUSTOM)
    files = FolderBackups.files

    def vanishing(self: FolderBackups, name: str) -> Iterator[object]:
        found = list(files(self, name))
        (night / "app.dump").unlink()
        return iter(found)

    monkeypatch.setattr(FolderBackups, "files", vanishing)
    with pytest.raises(NotFound):
        restore_backup(world.deployment, NIGHT, ["database-back"])
    assert not is_there(postgres_url, back_url(postgres_database))
    (told,) = world.entries(EntryType.REFUSED)
    assert told.body["why"] == "NotFound"


@pytest.mark.parametrize("step", [1, 4, 14])
def test_killed_while_a_set_moves_to_another_disk_the_next_run_ends_in_the_same_state(
    new_world: NewWorld, postgres_database: str, elsewhere: Path, step: int
) -> None:
    world = new_world(quarantine=elsewhere)
    night = back_up_night(world, postgres_database, *CUSTOM)
    content = (night / "app.dump").read_bytes()
    world.tell("data-deleted", GONE, dataset="application")
    world.deployment.close()
    assert run_and_die(world, step, str(elsewhere) if step < 14 else "2026-11-10")
    world = World.open(world.root, world.clock.now())
    world.run(minutes=10)
    end = world.end(GONE)
    assert end.end_state is EndState.QUARANTINED
    (kept,) = elsewhere.rglob("app.dump")
    assert kept.read_bytes() == content
    assert not night.exists()
    assert not [name for _, *inner in os.walk(elsewhere) for part in inner for name in part if "-moving" in name]
    world.deployment.close()


@pytest.mark.parametrize(("step", "kind"), [(1, "retention-rewrite"), (6, "retention-rewrite"), (1, "anonymise-")])
def test_killed_while_a_set_is_rewritten_the_next_run_ends_in_the_same_state(
    new_world: NewWorld, drill_server: str, postgres_database: str, step: int, kind: str
) -> None:
    world = new_world(anonymise=True, drill=drill_server)
    rows = read_postgres(postgres_database)
    night = back_up_night(world, postgres_database, *CUSTOM)
    world.tell("data-deleted", GONE, dataset="application")
    world.tell("data-deleted", GONE, dataset="models")
    world.deployment.close()
    assert run_and_die(world, step, kind)
    assert night.is_dir(), "either set stands, whole"
    world = World.open(world.root, world.clock.now())
    world.run(minutes=10)
    assert {end.end_state for end in world.ends(GONE)} == {EndState.ANONYMISED}
    assert world.everywhere(GONE, *backup_folders(world)) == []
    restore_backup(world.deployment, NIGHT, ["database-back"])
    assert read_postgres(back_url(postgres_database)) == only(rows, *(set(EVERYBODY) - {GONE}), "")
    world.deployment.close()
