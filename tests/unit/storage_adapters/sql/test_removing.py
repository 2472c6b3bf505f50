"""What goes, in which order, and what never goes: another customer's rows."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from storage_adapters.contract import ItemResult, Rows, TablePlace
from storage_adapters.errors import Refused, StoreError

if TYPE_CHECKING:
    Workbench = Any  # the classes of conftest.py, which tests cannot import
    Reading = Any
    Listing = Any

WAYS = ("erase", "tombstone")
DONE, REFUSED, ABSENT = ItemResult.DONE, ItemResult.REFUSED, ItemResult.ABSENT


def remove(bench: Workbench, way: str, place: Rows) -> Any:
    """Runs the change; whatever way, the live rows are gone after it."""
    return getattr(bench.store, way)(place)


# ---------------------------------------------------------------------------------------------- other customers' rows


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("action", ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL"])
def test_a_row_that_another_customer_points_at_stays_and_says_why(
    bench: Workbench, place: Listing, read: Reading, action: str, way: str
) -> None:
    bench.run(
        "CREATE TABLE file (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE share (id int PRIMARY KEY, c varchar(9), file int,"
        f" FOREIGN KEY (file) REFERENCES file (id) ON DELETE {action})",
        "INSERT INTO file VALUES (1, 'c-1'), (2, 'c-1'), (3, 'c-2')",
        "INSERT INTO share VALUES (1, 'c-1', 1), (2, 'c-2', 2), (3, 'c-1', 3)",
    )
    listed = place("c-1", file="c", share="c")
    batches = list(remove(bench, way, listed))
    assert read.results(batches) == {DONE: 3, REFUSED: 1}
    assert read.reasons(batches) == {'{"key":{"id":2},"table":"file"}': "rows of share that stay point at it"}
    assert bench.ask("SELECT id, c FROM file ORDER BY id") == [(2, "c-1"), (3, "c-2")]
    assert bench.ask("SELECT id, c, file FROM share ORDER BY id") == [(2, "c-2", 2)]
    assert '{"key":{"id":2},"table":"file"}' in read.names(bench.store.remains(listed))


@pytest.mark.parametrize("way", WAYS)
def test_what_stays_keeps_what_it_hangs_below(bench: Workbench, place: Listing, read: Reading, way: str) -> None:
    bench.run(
        "CREATE TABLE a (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE b (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
        "CREATE TABLE d (id int PRIMARY KEY, c varchar(9), b int, FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE)",
        "INSERT INTO a VALUES (1, 'c-1'), (2, 'c-1')",
        "INSERT INTO b VALUES (1, 1), (2, 2), (3, 2)",
        "INSERT INTO d VALUES (1, 'c-2', 2), (2, 'c-1', 3)",
    )
    batches = list(remove(bench, way, place("c-1", a="c", b=">a", d="c")))
    assert read.reasons(batches) == {
        '{"key":{"id":2},"table":"b"}': "rows of d that stay point at it",
        '{"key":{"id":2},"table":"a"}': "rows of b that stay point at it",
    }
    assert (bench.ask("SELECT * FROM a"), bench.ask("SELECT * FROM b")) == ([(2, "c-1")], [(2, 2)])
    assert bench.ask("SELECT * FROM d") == [(1, "c-2", 2)]


# ---------------------------------------------------------------------------------------------- circles


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("action", ["", "ON DELETE CASCADE"])
def test_a_tree_in_one_table_goes_from_its_leaves(
    bench: Workbench, place: Listing, read: Reading, way: str, action: str
) -> None:
    bench.run(
        f"CREATE TABLE tree (id int PRIMARY KEY, c varchar(9), up int, FOREIGN KEY (up) REFERENCES tree (id) {action})",
        *(f"INSERT INTO tree VALUES ({i}, 'c-{i % 2}', {i - 2 if i > 2 else 'NULL'})" for i in range(1, 61)),
        "INSERT INTO tree VALUES (1000, 'c-1', NULL), (1001, 'c-0', 1000), (1002, 'c-1', 1002)",
    )
    listed = place("c-1", tree="c")
    before = bench.ask("SELECT * FROM tree WHERE c = 'c-0' ORDER BY id")
    assert read.results(remove(bench, way, listed)) == {DONE: 31, REFUSED: 1}
    assert bench.ask("SELECT * FROM tree WHERE c = 'c-0' ORDER BY id") == before
    assert bench.ask("SELECT id FROM tree WHERE c = 'c-1'") == [(1000,)]


@pytest.mark.parametrize("way", WAYS)
def test_rows_in_a_circle_of_one_table_go_together(bench: Workbench, place: Listing, read: Reading, way: str) -> None:
    bench.run(
        "CREATE TABLE ring (id int PRIMARY KEY, c varchar(9), next int, FOREIGN KEY (next) REFERENCES ring (id))",
        *(f"INSERT INTO ring VALUES ({i}, 'c-{i // 10}', NULL)" for i in range(20)),
        *(f"UPDATE ring SET next = {i // 10 * 10 + (i + 1) % 10} WHERE id = {i}" for i in range(20)),
    )
    before = bench.ask("SELECT * FROM ring WHERE c = 'c-0' ORDER BY id")
    assert read.results(remove(bench, way, place("c-1", ring="c"))) == {DONE: 10}
    assert bench.ask("SELECT * FROM ring ORDER BY id") == before


CIRCLE = (
    "CREATE TABLE session (id int PRIMARY KEY, c varchar(9), pinned int)",
    "CREATE TABLE message (id int PRIMARY KEY, session int NOT NULL, FOREIGN KEY (session) REFERENCES session (id))",
)


def make_circle(bench: Workbench) -> None:
    link = "CONSTRAINT pin FOREIGN KEY (pinned) REFERENCES message (id)"
    if bench.kind == "sqlite":
        bench.run(CIRCLE[0].replace("pinned int)", f"pinned int, {link})"), CIRCLE[1])
    else:
        bench.run(*CIRCLE, f"ALTER TABLE session ADD {link}")
    for i in range(1, 21):
        bench.run(f"INSERT INTO session VALUES ({i}, 'c-{i % 2}', NULL)")
        bench.run(*(f"INSERT INTO message VALUES ({i * 10 + j}, {i})" for j in range(5)))
        bench.run(f"UPDATE session SET pinned = {i * 10 + 2} WHERE id = {i}")


@pytest.mark.parametrize("way", WAYS)
def test_tables_that_point_at_one_another_are_emptied_of_the_customer_only(
    bench: Workbench, place: Listing, read: Reading, way: str
) -> None:
    make_circle(bench)
    others = ("SELECT * FROM session WHERE c = 'c-0'", "SELECT * FROM message WHERE session % 2 = 0")
    before = bench.fingerprint(*others)
    listed = place("c-1", session="c", message=">session")
    assert len(read.names(bench.store.survey(listed))) == 60
    assert read.results(remove(bench, way, listed)) == {DONE: 60}
    assert bench.fingerprint(*others) == before
    assert (bench.count("session"), bench.count("message")) == (10, 50)


def test_a_circle_in_which_another_customer_stands_is_left_whole(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    make_circle(bench)
    bench.run("UPDATE session SET pinned = 12 WHERE id = 2")  # c-0 pins a message of c-1
    batches = list(bench.store.erase(place("c-1", session="c", message=">session")))
    assert read.reasons(batches) == {
        '{"key":{"id":12},"table":"message"}': "rows of session that stay point at it",
        '{"key":{"id":1},"table":"session"}': "rows of message that stay point at it",
    }
    assert bench.ask("SELECT pinned FROM session WHERE id = 1") == [(12,)]
    assert bench.ask("SELECT pinned FROM session WHERE id = 2") == [(12,)]


def test_a_circle_that_takes_no_null_is_deferred_or_refused(bench: Workbench, place: Listing, read: Reading) -> None:
    late = "" if bench.kind == "mariadb" else "DEFERRABLE INITIALLY IMMEDIATE"
    bench.run(
        "CREATE TABLE pair (id int PRIMARY KEY, c varchar(9), other int NOT NULL,"
        f" CONSTRAINT pairing FOREIGN KEY (other) REFERENCES pair (id) {late})",
        "INSERT INTO pair VALUES (1, 'c-1', 1), (2, 'c-1', 1), (3, 'c-2', 3)",
        "UPDATE pair SET other = 2 WHERE id = 1",
    )
    batches = list(bench.store.erase(place("c-1", pair="c")))
    if bench.kind == "mariadb":  # it checks row by row
        assert read.results(batches) == {REFUSED: 2}
        assert set(read.reasons(batches).values()) == {"constraint pairing"}
    else:
        assert read.results(batches) == {DONE: 2}
    assert bench.ask("SELECT * FROM pair WHERE c = 'c-2'") == [(3, "c-2", 3)]


# ---------------------------------------------------------------------------------------------- single rows


THREAD = (
    "CREATE TABLE session (id int PRIMARY KEY, c varchar(9))",
    "CREATE TABLE message (id int PRIMARY KEY, session int NOT NULL, answers int,"
    " FOREIGN KEY (session) REFERENCES session (id),"
    " FOREIGN KEY (answers) REFERENCES message (id) ON DELETE CASCADE)",
    "CREATE TABLE vote (message int, voter int, PRIMARY KEY (message, voter),"
    " FOREIGN KEY (message) REFERENCES message (id))",
    "CREATE TABLE bookmark (id int PRIMARY KEY, c varchar(9), session int, FOREIGN KEY (session) REFERENCES session (id))",
    "INSERT INTO session VALUES (1, 'c-1'), (2, 'c-1'), (3, 'c-2')",
    "INSERT INTO message VALUES (1, 1, NULL), (2, 1, 1), (3, 1, 2), (4, 1, NULL), (5, 2, NULL), (6, 3, NULL)",
    "INSERT INTO vote VALUES (1, 1), (3, 1), (3, 2), (4, 1), (5, 1), (6, 1)",
)
LISTED = {"session": "c", "message": ">session", "vote": ">message", "bookmark": "c"}


@pytest.mark.parametrize("way", WAYS)
def test_a_single_row_goes_with_all_that_hangs_below_it(
    bench: Workbench, place: Listing, read: Reading, way: str
) -> None:
    bench.run(*THREAD)
    part = place.of("c-1", LISTED, ("message", [{"id": 1}]))
    assert len(read.names(bench.store.survey(part))) == 6
    assert len(read.names(bench.store.remains(part))) == 6
    assert read.results(remove(bench, way, part)) == {DONE: 6}
    assert bench.ask("SELECT id FROM message ORDER BY id") == [(4,), (5,), (6,)]
    assert bench.ask("SELECT message FROM vote ORDER BY message") == [(4,), (5,), (6,)]
    assert bench.count("session") == 3


def test_a_single_row_that_the_same_customer_still_needs_is_refused(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(*THREAD, "INSERT INTO bookmark VALUES (1, 'c-1', 1)")
    part = place.of("c-1", LISTED, ("session", [{"id": 1}]))
    reasons = read.reasons(bench.store.erase(part))
    assert reasons == {'{"key":{"id":1},"table":"session"}': "rows of bookmark that stay point at it"}
    assert bench.count("bookmark") == 1


def test_single_rows_are_named_by_composite_keys(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(*THREAD)
    part = place.of("c-1", LISTED, ("vote", [{"voter": 2, "message": 3}, {"message": "4", "voter": "1"}]))
    assert read.results(bench.store.erase(part)) == {DONE: 2}
    assert bench.ask("SELECT message, voter FROM vote ORDER BY 1, 2") == [(1, 1), (3, 1), (5, 1), (6, 1)]


def test_single_rows_of_another_customer_are_not_touched(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(*THREAD)
    part = place.of("c-1", LISTED, ("message", [{"id": 6}, {"id": 99}, {"id": "07"}, {"id": "x"}, {"id": 2**70}]))
    assert read.items(bench.store.survey(part)) == []
    assert read.results(bench.store.erase(part)) == {}
    assert bench.count("message") == 6


def test_a_text_key_names_one_row_whatever_the_collation(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run("CREATE TABLE t (k varchar(9) PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES ('n', 'c-1')")
    assert read.items(bench.store.survey(place.of("c-1", {"t": "c"}, ("t", [{"k": "N"}])))) == []
    assert read.items(bench.store.survey(place.of("c-1", {"t": "c"}, ("t", [{"k": "n "}])))) == []
    assert len(read.items(bench.store.survey(place.of("c-1", {"t": "c"}, ("t", [{"k": "n"}]))))) == 1


def test_single_rows_that_are_not_named_by_their_key_are_a_mistake(bench: Workbench, place: Listing) -> None:
    bench.run(*THREAD)
    with pytest.raises(ValueError, match="key columns"):
        list(bench.store.survey(place.of("c-1", LISTED, ("message", [{"session": 1}]))))
    with pytest.raises(ValueError, match="not listed"):
        list(bench.store.survey(place.of("c-1", LISTED, ("gone", [{"id": 1}]))))


# ---------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("way", WAYS)
def test_a_table_without_key_is_emptied_by_the_databases_own_address(
    bench: Workbench, place: Listing, read: Reading, way: str
) -> None:
    bench.run("CREATE TABLE log (c varchar(9), line varchar(99))")
    bench.run(*(f"INSERT INTO log VALUES ('c-{i % 2}', 'same')" for i in range(10)))
    listed = place("c-1", log="c")
    if bench.kind == "mariadb":
        with pytest.raises(Refused, match="log has no primary key"):
            read.items(bench.store.survey(listed))
        return
    assert len(set(read.names(bench.store.survey(listed)))) == 5
    assert read.results(remove(bench, way, listed)) == {DONE: 5}
    assert bench.count("log") == 5
    if way == "tombstone":
        assert read.results(bench.store.bring_back(listed)) == {DONE: 5}
        assert bench.count("log", "c = 'c-1'") == 5
    read.results(bench.store.erase(listed))
    assert read.items(bench.store.remains(listed)) == []


def test_a_unique_key_without_null_stands_in_for_a_primary_key(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(
        "CREATE TABLE log (n int, code varchar(9) NOT NULL, c varchar(9), UNIQUE (n), UNIQUE (code))",
        "INSERT INTO log VALUES (1, 'x', 'c-1'), (NULL, 'y', 'c-1'), (2, 'z', 'c-2')",
    )
    names = read.names(bench.store.survey(place("c-1", log="c")))
    assert names == ['{"key":{"code":"x"},"table":"log"}', '{"key":{"code":"y"},"table":"log"}']


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param("bigint", ["-9223372036854775808", "0", "9223372036854775807"], id="the ends of a large integer"),
        pytest.param("numeric(20, 4)", ["0.0001", "12345678901234.5000", "-1"], id="decimals"),
        pytest.param("double precision", ["0.1", "1e300", "-2.5"], id="floats"),
        pytest.param("date", ["'2026-01-02'", "'1999-12-31'"], id="dates"),
        pytest.param("timestamp", ["'2026-01-02 03:04:05'", "'1999-12-31 23:59:59'"], id="times"),
        pytest.param("varchar(40)", ["''", "' '", "'Ü'", "'表'", "'a''b\"c'"], id="texts"),
        pytest.param("char(9)", ["'a'", "'b'"], id="padded texts"),
    ],
)
def test_rows_are_found_by_keys_of_many_types(
    bench: Workbench, place: Listing, read: Reading, kind: str, values: list[str]
) -> None:
    if bench.kind == "mariadb":
        kind = {"timestamp": "datetime", "varchar(40)": "varchar(40) COLLATE utf8mb4_nopad_bin"}.get(kind, kind)
    bench.run(f"CREATE TABLE t (k {kind}, n int, c varchar(9), PRIMARY KEY (k, n))")
    bench.run(*(f"INSERT INTO t VALUES ({value}, 1, 'c-1'), ({value}, 2, 'c-2')" for value in values))
    before = bench.fingerprint("SELECT * FROM t")
    listed = place("c-1", t="c")
    names = read.names(bench.store.survey(listed))
    assert len(set(names)) == len(values)
    assert read.results(bench.store.tombstone(listed)) == {DONE: len(values)}
    assert bench.count("t") == len(values)
    assert read.results(bench.store.bring_back(listed)) == {DONE: len(values)}
    assert bench.fingerprint("SELECT * FROM t") == before
    assert read.results(bench.store.erase(listed)) == {DONE: len(values)}
    assert bench.count("t", "c = 'c-2'") == bench.count("t") == len(values)


def test_a_name_from_a_survey_finds_its_row_again(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run("CREATE TABLE t (k bigint PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES (9007199254740993, 'c-1')")
    assert read.names(bench.store.survey(place("c-1", t="c"))) == ['{"key":{"k":"9007199254740993"},"table":"t"}']
    part = place.of("c-1", {"t": "c"}, ("t", [{"k": "9007199254740993"}]))
    assert read.results(bench.store.erase(part)) == {DONE: 1}


# ---------------------------------------------------------------------------------------------- going on, and company


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_stopped_half_way_is_finished_by_the_next(
    bench: Workbench, place: Listing, read: Reading, way: str
) -> None:
    bench.run(
        "CREATE TABLE a (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL, FOREIGN KEY (a) REFERENCES a (id))",
    )
    with bench.engine.begin() as connection:
        for i in range(1500):
            connection.exec_driver_sql(f"INSERT INTO a VALUES ({i}, 'c-{i % 2}')")
            connection.exec_driver_sql(f"INSERT INTO b VALUES ({i}, {i}), ({i + 10_000}, {i})")
    listed = place("c-1", a="c", b=">a")
    others = ("SELECT * FROM a WHERE c = 'c-0'", "SELECT * FROM b WHERE a % 2 = 0")
    before = bench.fingerprint(*others)
    seen = 0
    for _ in range(3):  # each time one batch and then no more
        batches = remove(bench, way, listed)
        seen += len(next(batches))
        batches.close()
        assert bench.count("a") + bench.count("b") == 4500 - seen
    assert read.results(remove(bench, way, listed)) == ({DONE: 2250 - seen} if seen < 2250 else {})
    assert bench.fingerprint(*others) == before
    assert (bench.count("a"), bench.count("b")) == (750, 1500)


def test_what_an_application_writes_meanwhile_is_gone_too_or_seen_again(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(
        "CREATE TABLE a (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
        *(f"INSERT INTO a VALUES ({i}, 'c-{i % 2}')" for i in range(40)),
    )
    stop = threading.Event()

    def write() -> int:
        written = 0
        while not stop.is_set():
            try:
                bench.run(f"INSERT INTO b VALUES ({written}, {written % 40})")
            except Exception as error:  # noqa: BLE001 - whatever the driver calls a missing parent
                assert "foreign key" in str(error).lower()  # noqa: PT017 - the other errors are the test's
            written += 1
        return written

    listed = place("c-1", a="c", b=">a")
    with ThreadPoolExecutor(max_workers=1) as pool:
        writer = pool.submit(write)
        try:
            for _ in range(5):
                read.results(bench.store.erase(listed))
        finally:
            stop.set()
        assert writer.result() > 0
    read.results(bench.store.erase(listed))
    assert read.items(bench.store.remains(listed)) == []
    assert bench.count("a") == 20
    assert bench.count("b", "a % 2 = 1") == 0


def test_a_row_that_changed_hands_after_it_was_listed_is_left(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(
        "CREATE TABLE a (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL, FOREIGN KEY (a) REFERENCES a (id))",
        "INSERT INTO a VALUES (1, 'c-1'), (2, 'c-2')",
    )
    bench.run(*(f"INSERT INTO b VALUES ({i}, 1)" for i in range(1500)))
    batches = bench.store.erase(place("c-1", a="c", b=">a"))
    next(batches)
    bench.run("UPDATE b SET a = 2 WHERE id = 1400")
    assert read.results(batches) == {DONE: 500, ABSENT: 1}
    assert bench.ask("SELECT id FROM b") == [(1400,)]


def test_several_customers_at_once_are_told_apart(bench: Workbench, place: Listing, read: Reading) -> None:
    make_circle(bench)
    listed = [place(f"c-{i}", session="c", message=">session") for i in range(2)]

    def erase(where: Rows) -> dict[ItemResult, int]:
        try:
            found: dict[ItemResult, int] = read.results(bench.store.erase(where))
        except StoreError:  # the loser of a lock may be told to come again
            found = read.results(bench.store.erase(where))
        return found

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(erase, listed))
    assert bench.count("session") == bench.count("message") == 0


def test_a_table_with_a_history_is_refused(place: Listing, new_workbench: Any) -> None:
    bench = new_workbench("mariadb")
    bench.run(
        "CREATE TABLE t (id int PRIMARY KEY, c varchar(9)) WITH SYSTEM VERSIONING", "INSERT INTO t VALUES (1, 'c-1')"
    )
    with pytest.raises(Refused, match="keeps deleted rows in its history"):
        list(bench.store.erase(place("c-1", t="c")))


def test_partitions_are_seen_through_their_table(place: Listing, read: Reading, new_workbench: Any) -> None:
    bench = new_workbench("postgresql")
    bench.run(
        "CREATE TABLE session (id int PRIMARY KEY, c varchar(9))",
        "CREATE TABLE message (id int, month int, session int REFERENCES session, PRIMARY KEY (id, month))"
        " PARTITION BY LIST (month)",
        "CREATE TABLE message_1 PARTITION OF message FOR VALUES IN (1)",
        "CREATE TABLE message_2 PARTITION OF message FOR VALUES IN (2)",
        "INSERT INTO session VALUES (1, 'c-1'), (2, 'c-2')",
        "INSERT INTO message VALUES (1, 1, 1), (1, 2, 1), (2, 1, 2)",
    )
    listed = place("c-1", session="c", message=">session")
    assert len(read.names(bench.store.survey(listed))) == 3
    assert read.results(bench.store.tombstone(listed)) == {DONE: 3}
    assert read.results(bench.store.bring_back(listed)) == {DONE: 3}
    assert bench.store.unclaimed([listed]) == ()
    assert read.results(bench.store.erase(listed)) == {DONE: 3}
    assert bench.ask("SELECT * FROM message_1") == [(2, 1, 2)]


def test_a_table_that_points_at_a_single_partition_is_not_overlooked(place: Listing, new_workbench: Any) -> None:
    bench = new_workbench("postgresql")
    bench.run(
        "CREATE TABLE message (id int, month int, c varchar(9), PRIMARY KEY (id, month)) PARTITION BY LIST (month)",
        "CREATE TABLE message_1 PARTITION OF message FOR VALUES IN (1)",
        "CREATE TABLE vote (id int PRIMARY KEY, message int, month int,"
        " FOREIGN KEY (message, month) REFERENCES message_1 ON DELETE CASCADE)",
        "INSERT INTO message VALUES (1, 1, 'c-1')",
        "INSERT INTO vote VALUES (1, 1, 1)",
    )
    with pytest.raises(Refused, match="vote points at message"):
        list(bench.store.erase(place("c-1", message="c")))
    assert bench.count("vote") == 1


def test_rows_of_another_mariadb_database_hang_below_too(
    place: Listing, new_mariadb_database: Any, new_workbench: Any, read: Reading
) -> None:
    bench = new_workbench("mariadb")
    other = new_mariadb_database().rpartition("/")[2]
    bench.run(
        "CREATE TABLE t (id int PRIMARY KEY, c varchar(9))",
        f"CREATE TABLE {other}.low (id int PRIMARY KEY, t int,"
        f" FOREIGN KEY (t) REFERENCES {bench.engine.url.database}.t (id))",
        "INSERT INTO t VALUES (1, 'c-1'), (2, 'c-2')",
        f"INSERT INTO {other}.low VALUES (1, 1), (2, 2)",
    )
    with pytest.raises(Refused, match=f"{other}.low points at t"):
        list(bench.store.erase(place("c-1", t="c")))
    listed = Rows((TablePlace("t", customer_column="c"), TablePlace(f"{other}.low", through="t")), "c-1")
    assert read.results(bench.store.tombstone(listed)) == {DONE: 2}
    assert read.results(bench.store.bring_back(listed)) == {DONE: 2}
    assert read.results(bench.store.erase(listed)) == {DONE: 2}
    assert bench.ask(f"SELECT * FROM {other}.low") == [(2, 2)]
