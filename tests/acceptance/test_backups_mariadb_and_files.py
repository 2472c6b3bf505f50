"""Nightly sets of mariadb-dump and of archives: restored through the gate, rehearsed, quarantined; and full disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest
from pymysql.cursors import Cursor
from sqlalchemy import make_url

from retention.evidence.entries import EntryType
from retention.model.copy import EndState
from retention.workflows.drill_backup import drill_backup
from retention.workflows.restore_backup import restore_backup
from storage_adapters.errors import Unavailable
from tests.acceptance.backup_world import (
    EVERYBODY,
    FILES,
    GONE,
    INVOICES,
    LATER,
    NIGHT,
    STAYS,
    WAITS,
    World,
    back_up_night,
    fill_objects,
    one_at_a_time,
    policy_of,
    read_objects,
    series,
    stamped,
    write_settings,
)


def connected(url: str) -> pymysql.Connection[Cursor]:
    parsed = make_url(url)
    return pymysql.connect(
        host=parsed.host or "127.0.0.1",
        port=parsed.port or 3306,
        user=parsed.username or "root",
        password=parsed.password or "",
        database=parsed.database,
        autocommit=True,
    )


def fill_mariadb(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE invoice (id INT PRIMARY KEY, customer_no VARCHAR(40) NOT NULL, note TEXT, seal BLOB)"
        )
        cursor.execute(
            "CREATE TABLE invoice_line (invoice_id INT, line INT, amount DECIMAL(12,2), PRIMARY KEY (invoice_id, line),"
            " FOREIGN KEY (invoice_id) REFERENCES invoice (id))"
        )
        for number, customer in enumerate(EVERYBODY, 1):
            for i in range(20):
                row = (number * 1000 + i, customer, f"{customer} 发票 \\ ' {i}", bytes(range(i, i + 50)))
                cursor.execute("INSERT INTO invoice VALUES (%s, %s, %s, %s)", row)
                cursor.executemany(
                    "INSERT INTO invoice_line VALUES (%s, %s, %s)", [(row[0], line, line * 10) for line in range(3)]
                )


def read_mariadb(url: str) -> dict[str, list[str]]:
    """Every row by customer."""
    found: dict[str, list[str]] = {}
    with connected(url) as connection, connection.cursor() as cursor:
        for table in ("invoice", "invoice_line"):
            cursor.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
            for row in cursor.fetchall():
                found.setdefault(EVERYBODY[int(row[0]) // 1000 - 1], []).append(f"{table} {row!r}")
    return found


def dump(url: str, target: Path) -> None:
    program = shutil.which("mariadb-dump")
    if program is None:
        pytest.skip("SERVICE MISSING: mariadb-dump")
    parsed = make_url(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [program, f"--host={parsed.host}", f"--port={parsed.port}", f"--user={parsed.username}"]
    environ = {**os.environ, "MYSQL_PWD": str(parsed.password or "")}
    with target.open("wb") as file:
        subprocess.run([*command, str(parsed.database)], env=environ, stdout=file, stdin=subprocess.DEVNULL, check=True)


def test_a_dump_comes_back_without_the_deleted_is_rehearsed_and_never_rewritten(
    tmp_path: Path, new_mariadb_database: Callable[[], str], mariadb_url: str
) -> None:
    live, back = new_mariadb_database(), new_mariadb_database()
    fill_mariadb(live)
    (tmp_path / "backups").mkdir()
    stores: dict[str, dict[str, object]] = {
        "app-database": {"kind": "sql", "url": live},
        "database-back": {"kind": "sql", "url": back},
        "backups": {"kind": "files", "root": tmp_path / "backups", "quarantine": tmp_path / "quarantine"},
    }
    drill = make_url(mariadb_url).set(database="").render_as_string(hide_password=False)
    write_settings(tmp_path, stores, drill_mariadb=drill)
    world = World.begin(tmp_path, policy_of(INVOICES, series("billing", "mixed: true, anonymise: true")))
    rows = read_mariadb(live)
    dump(live, tmp_path / "backups" / NIGHT / "billing.sql")
    stamped(tmp_path / "backups", world.clock.now())
    world.tell("service-expired", WAITS)
    world.delete(GONE, "billing")
    assert read_mariadb(live) == {owner: rows[owner] for owner in (WAITS, STAYS, LATER)}
    end = world.end(GONE)
    assert end.end_state is EndState.QUARANTINED
    assert "cannot be rewritten: mysql-dump" in (end.reason or "")

    with one_at_a_time("drill"):
        drilled = drill_backup(world.deployment)
        with connected(mariadb_url) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW DATABASES LIKE 'retention\\_drill%'")
            assert cursor.fetchall() == ()
    assert drilled.troubles == ()
    assert [(one.released, one.removed) for one in drilled.restored] == [(False, 160)]
    assert len(world.entries(EntryType.BACKUP_DRILLED)) == 1

    restored = restore_backup(world.deployment, NIGHT, ["database-back"])
    assert (restored.replayed, restored.removed) == (2, 160)
    assert read_mariadb(back) == {owner: rows[owner] for owner in (STAYS, LATER)}
    world.run(days=32)
    assert world.end(GONE).end_state is EndState.ERASED_VERIFIED
    assert list((tmp_path / "quarantine").rglob("*.sql")) == []
    world.deployment.close()


# ------------------------------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    program = shutil.which("mount")
    if program is None or os.geteuid() != 0:
        pytest.skip("SERVICE MISSING: a small disk (only root mounts one)")
    done = subprocess.run([program, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("SERVICE MISSING: a small disk (mounting is not allowed here)")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def files_world(root: Path, back: Path, scratch: Path) -> World:
    """A service over files, with a nightly set that holds an archive beside the tree of objects."""
    fill_objects(root / "objects")
    (root / "backups").mkdir()
    stores: dict[str, dict[str, object]] = {
        "objects": {"kind": "files", "root": root / "objects"},
        "backups": {"kind": "files", "root": root / "backups", "quarantine": root / "quarantine"},
        "objects-back": {"kind": "files", "root": back},
    }
    write_settings(root, stores, scratch=str(scratch))
    more = 'mixed: true, objects: "objects/", anonymise: true'
    world = World.begin(root, policy_of(FILES % "nightly", series("models", more)))
    night = back_up_night(world)
    with tarfile.open(night / "objects" / "more.tar", "w") as archive:
        for customer in EVERYBODY:
            (root / "big").write_bytes(customer.encode() * 8_000)
            archive.add(root / "big", f"models/{customer}/big.bin")
    stamped(night, world.clock.now())
    return world


def test_a_restore_onto_a_full_disk_gives_nothing_out_and_works_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    world = files_world(tmp_path, small_disk / "back", tmp_path / "scratch")
    with pytest.raises(Unavailable, match="no room"):
        restore_backup(world.deployment, NIGHT, ["objects-back"])
    assert not [path for path in small_disk.rglob("*") if path.is_file() and path.stat().st_size]
    (told,) = world.entries(EntryType.REFUSED)
    assert told.body["why"] == "Unavailable"
    subprocess.run(["mount", "-o", "remount,size=90m", str(small_disk)], check=True)
    restore_backup(world.deployment, NIGHT, ["objects-back"])
    back = read_objects(small_disk / "back" / "objects")
    assert {owner: len(files) for owner, files in back.items()} == dict.fromkeys(EVERYBODY, 3)
    world.deployment.close()


def test_a_set_is_whole_after_a_full_disk_and_anonymised_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    world = files_world(tmp_path, tmp_path / "back", small_disk / "scratch")
    archive = tmp_path / "backups" / NIGHT / "objects" / "more.tar"
    before = archive.read_bytes()
    world.tell("data-deleted", GONE, dataset="models")
    world.run()
    end = world.end(GONE)
    assert end.end_state is EndState.FAILED
    assert "full" in (end.reason or "") or "No space" in (end.reason or "")
    assert archive.read_bytes() == before
    subprocess.run(["mount", "-o", "remount,size=90m", str(small_disk)], check=True)
    world.run(minutes=10)
    assert world.end(GONE).end_state is EndState.ANONYMISED
    assert world.everywhere(GONE, tmp_path / "backups", small_disk, tmp_path / "quarantine") == []
    with tarfile.open(archive) as new:
        assert new.getnames() == [f"models/{customer}/big.bin" for customer in (WAITS, STAYS, LATER)]
    world.deployment.close()
