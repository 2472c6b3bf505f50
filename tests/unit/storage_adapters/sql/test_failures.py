"""What a caller is told when the database says no, says nothing, or breaks off."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from storage_adapters.contract import ItemResult, Prefix
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, StoreError, Unavailable
from storage_adapters.sql import Limits, SqlStore

if TYPE_CHECKING:
    Workbench = Any  # the classes of conftest.py, which tests cannot import
    Reading = Any
    Listing = Any

DONE = ItemResult.DONE
IMPATIENT = Limits(statement_seconds=2, lock_seconds=1, attempts=2)
TABLE = ("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES (1, 'c-1'), (2, 'c-2')")


@contextmanager
def locked(bench: Workbench, statement: str) -> Iterator[None]:
    """Another session has done this and not yet committed."""
    with bench.engine.connect() as connection:
        if bench.kind == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(statement)
        yield
        connection.rollback()


@pytest.mark.parametrize("way", ["erase", "tombstone"])
def test_a_locked_row_is_waited_for_and_then_left_for_later(
    bench: Workbench, place: Listing, read: Reading, way: str
) -> None:
    bench.run(*TABLE)
    store = bench.another_store(limits=IMPATIENT)
    listed = place("c-1", t="c")
    read.results(store.tombstone(place("c-2", t="c")))  # so that the table of hidden rows is there
    with locked(bench, "UPDATE t SET c = c WHERE id = 1"), pytest.raises(Unavailable, match="locked, too slow"):
        list(getattr(store, way)(listed))
    assert bench.count("t") == 1
    assert read.results(getattr(store, way)(listed)) == {DONE: 1}


def test_a_lock_that_is_let_go_in_time_is_no_failure(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(*TABLE)
    store = bench.another_store(limits=Limits(lock_seconds=5))
    done = threading.Event()

    def hold() -> None:
        with locked(bench, "UPDATE t SET c = c WHERE id = 1"):
            done.set()
            threading.Event().wait(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    done.wait(10)
    assert read.results(store.erase(place("c-1", t="c"))) == {DONE: 1}
    holder.join()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_statement_that_takes_too_long_is_broken_off(kind: str, new_workbench: Any, place: Listing) -> None:
    bench = new_workbench(kind)
    if kind == "postgresql":
        bench.run(
            *TABLE,
            "CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN OLD; END'",
            "CREATE TRIGGER nap BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION nap()",
        )
    else:
        bench.run(*TABLE, "CREATE TRIGGER nap BEFORE DELETE ON t FOR EACH ROW SET @x = SLEEP(30)")
    store = bench.another_store(limits=IMPATIENT)
    with pytest.raises(Unavailable):
        list(store.erase(place("c-1", t="c")))
    assert bench.count("t") == 2


@pytest.mark.parametrize("asked", ["survey", "erase", "tombstone", "bring_back", "remains"])
def test_a_database_that_is_not_there_is_named_so(bench: Workbench, place: Listing, asked: str, tmp_path: Path) -> None:
    file = tmp_path / "gone" / "gone.db"
    url = make_url(bench.url).set(database=str(file) if bench.kind == "sqlite" else "retention_gone")
    store = bench.another_store(url.render_as_string(hide_password=False))
    with pytest.raises(NotFound):
        list(getattr(store, asked)(place("c-1", t="c")))
    assert not file.exists()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_server_that_is_not_there_is_unavailable_and_no_secret_is_told(
    kind: str, new_workbench: Any, place: Listing
) -> None:
    bench = new_workbench(kind)
    url = make_url(bench.url).set(port=1, username="user", password="s3cret-pass")
    store = bench.another_store(url.render_as_string(hide_password=False), Limits(attempts=2))
    with pytest.raises(Unavailable) as raised:
        list(store.survey(place("c-1", t="c")))
    assert "s3cret-pass" not in str(raised.value)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_user_whom_the_server_does_not_let_in_is_refused(kind: str, new_workbench: Any, place: Listing) -> None:
    bench = new_workbench(kind)
    url = make_url(bench.url).set(username="retention_nobody", password="s3cret-pass")
    store = bench.another_store(url.render_as_string(hide_password=False))
    with pytest.raises(Refused) as raised:
        list(store.survey(place("c-1", t="c")))
    assert "s3cret-pass" not in str(raised.value)


def test_a_missing_permission_is_refused_and_nothing_happens(new_workbench: Any, place: Listing) -> None:
    bench = new_workbench("postgresql")
    role = make_url(bench.url).database or ""
    bench.run(*TABLE, f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON t TO {role}")
    try:
        store = bench.another_store(make_url(bench.url).set(username=role).render_as_string(hide_password=False))
        assert len(list(store.survey(place("c-1", t="c")))) == 1
        for way in ("erase", "tombstone"):
            with pytest.raises(Refused, match="42501"):
                list(getattr(store, way)(place("c-1", t="c")))
        store.close()
    finally:
        bench.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert bench.count("t") == 2


def test_rows_that_a_policy_of_the_database_hides_from_us_are_not_taken_for_gone(
    new_workbench: Any, place: Listing
) -> None:
    bench = new_workbench("postgresql")
    role = make_url(bench.url).database or ""
    bench.run(
        *TABLE,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON t TO {role}",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY nothing ON t TO {role} USING (false)",
    )
    try:
        store = bench.another_store(make_url(bench.url).set(username=role).render_as_string(hide_password=False))
        with pytest.raises(Refused, match="42501"):
            list(store.remains(place("c-1", t="c")))
        store.close()
    finally:
        bench.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_mariadb_user_without_the_right_to_delete_is_refused(new_workbench: Any, place: Listing) -> None:
    bench = new_workbench("mariadb")
    role = make_url(bench.url).database or ""
    bench.run(*TABLE, f"CREATE USER {role}", f"GRANT SELECT ON {role}.* TO {role}")
    try:
        url = make_url(bench.url).set(username=role, password=None)
        store = bench.another_store(url.render_as_string(hide_password=False))
        with pytest.raises(Refused, match="1142"):
            list(store.erase(place("c-1", t="c")))
        store.close()
    finally:
        bench.run(f"DROP USER {role}")
    assert bench.count("t") == 2


def test_a_connection_that_breaks_during_commit_leaves_the_outcome_unknown(
    new_workbench: Any, place: Listing, read: Reading
) -> None:
    bench = new_workbench("postgresql")
    bench.run(
        *TABLE,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        "CREATE CONSTRAINT TRIGGER cut AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    with pytest.raises(OutcomeUnknown):
        list(bench.store.erase(place("c-1", t="c")))
    bench.run("DROP TRIGGER cut ON t")
    assert read.results(bench.store.erase(place("c-1", t="c"))) == {DONE: 1}


def test_a_connection_that_breaks_between_batches_is_made_anew(
    new_workbench: Any, place: Listing, read: Reading
) -> None:
    bench = new_workbench("postgresql")
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))")
    bench.run("INSERT INTO t SELECT i, 'c-1' FROM generate_series(1, 2500) i")
    batches = bench.store.erase(place("c-1", t="c"))
    assert len(next(batches)) == 1000
    bench.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'retention'"
    )
    assert read.results(batches) == {DONE: 1500}


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_two_who_lock_one_another_out_both_come_through(kind: str, new_workbench: Any, place: Listing) -> None:
    bench = new_workbench(kind)
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES (1, 'c-1'), (2, 'c-1')")
    store = bench.another_store(limits=Limits(lock_seconds=10))
    with bench.engine.connect() as other:
        other.exec_driver_sql("UPDATE t SET c = c WHERE id = 2")  # we take 1, wait for 2; then it wants 1
        worker = threading.Thread(target=lambda: list(store.erase(place("c-1", t="c"))))
        worker.start()
        worker.join(0.5)
        try:
            other.exec_driver_sql("UPDATE t SET c = c WHERE id = 1")
            other.commit()
        except Exception:  # noqa: BLE001 - the database may choose either of the two as the one that gives way
            other.rollback()
        worker.join(30)
    assert not worker.is_alive()
    assert bench.count("t") == 0


def test_a_trigger_that_objects_is_a_refusal(bench: Workbench, place: Listing) -> None:
    bench.run(*TABLE)
    match bench.kind:
        case "postgresql":
            bench.run(
                "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'",
                "CREATE TRIGGER no BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no()",
            )
        case "mariadb":
            bench.run("CREATE TRIGGER no BEFORE DELETE ON t FOR EACH ROW SIGNAL SQLSTATE '45000'")
        case _:
            bench.run("CREATE TRIGGER no BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END")
    results = {ItemResult.REFUSED}
    with contextlib.suppress(Refused):  # either form says that nothing was done
        results = {outcome.result for batch in bench.store.erase(place("c-1", t="c")) for outcome in batch}
    assert results == {ItemResult.REFUSED}
    assert bench.count("t") == 2


def test_no_message_holds_data(bench: Workbench, place: Listing) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(99))", "INSERT INTO t VALUES (1, 'very private person')")
    store = bench.another_store(limits=IMPATIENT)
    with locked(bench, "UPDATE t SET c = c"), pytest.raises(StoreError) as raised:
        list(store.erase(place("very private person", t="c")))
    assert "private" not in str(raised.value)


def test_a_place_of_another_kind_is_a_mistake_even_without_a_database() -> None:
    store = SqlStore("store", "postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(ValueError, match="no place of this kind: Prefix"):
        list(store.survey(Prefix("p/")))
    with pytest.raises(ValueError, match="no place of this kind: Prefix"):
        store.unclaimed([Prefix("p/")])


@pytest.mark.parametrize("url", ["oracle://x", "not a url", "sqlite://", "sqlite:///:memory:"])
def test_a_url_of_no_known_database_is_a_mistake(url: str) -> None:
    with pytest.raises(ValueError, match="SQL"):
        SqlStore("store", url)


def test_rows_have_no_heads(bench: Workbench) -> None:
    with pytest.raises(Refused):
        list(bench.store.heads(["x"], 4))


# ---------------------------------------------------------------------------------------------- SQLite's journal


def test_nothing_deleted_is_left_in_the_files_of_sqlite(new_workbench: Any, place: Listing, read: Reading) -> None:
    bench = new_workbench("sqlite")
    file = Path(make_url(bench.url).database or "")
    bench.run("PRAGMA journal_mode = WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT, secret TEXT)")
    bench.run(*(f"INSERT INTO t VALUES ({i}, 'c-1', 'needle-in-the-haystack-{i:04}')" for i in range(200)))
    keeper = sqlite3.connect(file)  # keeps the journal from being removed when the others close
    try:
        keeper.execute("SELECT count(*) FROM t").fetchone()
        assert read.results(bench.store.tombstone(place("c-1", t="c"))) == {DONE: 200}
        assert read.results(bench.store.erase(place("c-1", t="c"))) == {DONE: 200}
        for each in file.parent.glob(f"{file.name}*"):
            assert b"needle-in-the-haystack" not in each.read_bytes(), each.name
    finally:
        keeper.close()


def test_a_reader_that_keeps_the_journal_is_told_of_and_the_next_call_empties_it(
    new_workbench: Any, place: Listing, read: Reading
) -> None:
    bench = new_workbench("sqlite")
    file = Path(make_url(bench.url).database or "")
    bench.run("PRAGMA journal_mode = WAL", *TABLE)
    store = bench.another_store(limits=IMPATIENT)
    reader = sqlite3.connect(file, isolation_level=None)
    try:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        with pytest.raises(Unavailable, match="a reader keeps the journal"):
            list(store.erase(place("c-1", t="c")))
    finally:
        reader.close()
    assert read.results(store.erase(place("c-1", t="c"))) == {}
    assert bench.count("t") == 1
