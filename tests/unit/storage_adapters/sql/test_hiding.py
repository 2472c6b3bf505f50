"""Hidden rows: out of every reader's sight, and back as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from storage_adapters.contract import ItemKind, ItemResult
from storage_adapters.errors import Refused

if TYPE_CHECKING:
    Workbench = Any  # the classes of conftest.py, which tests cannot import
    Reading = Any
    Listing = Any

DONE, REFUSED, ABSENT = ItemResult.DONE, ItemResult.REFUSED, ItemResult.ABSENT

POSTGRES_TYPES = """
    CREATE TABLE kept (
        id bigint GENERATED ALWAYS AS IDENTITY (START 100) PRIMARY KEY, c text,
        tax text GENERATED ALWAYS AS (c || '!') STORED,
        raw bytea, amount numeric, exact numeric(12, 4), at timestamptz, local timestamp(3), day date, hour time,
        span interval, doc jsonb, old_doc json, xs int[], texts text[], key uuid, state mood, f8 float8, f4 float4,
        flag boolean, fixed char(5), net inet, bits bit varying, range int4range, place point, page xml, dom posint)
"""
POSTGRES_ROWS = """
    INSERT INTO kept (c, raw, amount, exact, at, local, day, hour, span, doc, old_doc, xs, texts, key, state, f8, f4,
                      flag, fixed, net, bits, range, place, page, dom)
    VALUES ('c-1', '\\x00ff00'::bytea, 1e-30, 1.5000, '2026-01-02 03:04:05.678901+08', '2026-01-02 03:04:05.678',
            '-infinity', '24:00', '1 mon 2 days 00:00:03.5', '{"b": [1, null, "x"], "a": 1.10}', '{"b" : 1,  "a": 2}',
            '{1,NULL,3}', ARRAY['', 'x"y', NULL], 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'sad', 'NaN', 0.1, true, 'ab',
            '10.0.0.1/8', B'0101', '[1,5)', '(1.5,2.5)', '<a>é</a>', 3),
           ('c-1', '', 'NaN', NULL, 'infinity', NULL, NULL, NULL, NULL, 'null', NULL, '{}', '{}', NULL, NULL, '-0', 1e-40,
            NULL, '', NULL, '', 'empty', NULL, NULL, NULL),
           ('c-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL)
"""
MARIADB_TYPES = """
    CREATE TABLE kept (
        id bigint unsigned AUTO_INCREMENT PRIMARY KEY, c varchar(40), tax varchar(41) AS (concat(c, '!')) STORED,
        raw longblob, fixed binary(4), amount decimal(65, 30), at timestamp(6) NULL DEFAULT current_timestamp(6)
        ON UPDATE current_timestamp(6), local datetime(6), day date, hour time(6), y year, doc json, key_ uuid,
        state enum('', 'sad', 'glad'), tags set('a', 'b'), f8 double, f4 float, bits bit(10), latin varchar(9)
        CHARACTER SET latin1, bin varchar(9) COLLATE utf8mb4_bin, tiny tinyint(1), big bigint unsigned, net inet6, p point)
"""
MARIADB_ROWS = (
    "SET SESSION sql_mode = 'ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO'",
    """
    INSERT INTO kept (id, c, raw, fixed, amount, at, local, day, hour, y, doc, key_, state, tags, f8, f4, bits, latin, bin,
                      tiny, big, net, p)
    VALUES (0, 'c-1', x'00ff00', x'01', 1e-30, '2026-01-02 03:04:05.678901', '9999-12-31 23:59:59.999999', '0000-00-00',
            '-838:59:59', 1901, '{"b" : 1,  "a": 2}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '', 'a,b', 0.1, 0.1,
            b'1010101010', 'é', 'É ', 7, 18446744073709551615, '::1', ST_GeomFromText('POINT(1.5 2.5)')),
           (18446744073709551614, 'c-1', '', NULL, NULL, NULL, NULL, '2026-02-31', NULL, NULL, 'null', NULL, NULL, '', -0e0,
            1e-40, NULL, '', '', NULL, 0, NULL, NULL),
           (7, 'c-2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL)
    """,
)
SQLITE_TYPES = """
    CREATE TABLE kept (
        id INTEGER PRIMARY KEY AUTOINCREMENT, c TEXT, tax TEXT GENERATED ALWAYS AS (c || '!') STORED, any_, whole INT,
        real_ REAL, num NUMERIC, txt VARCHAR(3), raw BLOB, at DATETIME, flag BOOLEAN)
"""
SQLITE_ROWS = """
    INSERT INTO kept (c, any_, whole, real_, num, txt, raw, at, flag)
    VALUES ('c-1', x'00ff', 'no number', 1e300, '1.10', 'longer than three', 'text', 'not a date', 'maybe'),
           ('c-1', '007', 9223372036854775807, 0.1, 3, 12, x'', 1.5, 2),
           ('c-1', NULL, NULL, NULL, NULL, '', NULL, NULL, NULL), ('c-2', 1, 1, 1, 1, 1, 1, 1, 1)
"""


def prepare_types(bench: Workbench) -> str:
    """The table `kept`, and a statement that shows every byte of it."""
    match bench.kind:
        case "postgresql":
            bench.run("CREATE TYPE mood AS ENUM ('sad', 'glad')", "CREATE DOMAIN posint AS int CHECK (value > 0)")
            bench.run(POSTGRES_TYPES, POSTGRES_ROWS)
            return "SELECT kept::text, encode(kept.raw, 'hex') FROM kept"
        case "mariadb":
            bench.run(MARIADB_TYPES, *MARIADB_ROWS)
            return (
                "SELECT id, c, tax, raw, fixed, concat(amount), concat(at), concat(local), concat(day), concat(hour), y,"
                " doc, concat(key_), state, state + 0, tags, hex(f8), concat(f8), concat(f4), hex(bits), hex(latin),"
                " hex(bin), tiny, big, concat(net), ST_AsText(p) FROM kept"
            )
        case _:
            bench.run(SQLITE_TYPES, SQLITE_ROWS)
            columns = ("any_", "whole", "real_", "num", "txt", "raw", "at", "flag")
            return f"SELECT *, {', '.join(f'typeof({each}), quote({each})' for each in columns)} FROM kept"


def test_values_of_every_type_come_back_bit_for_bit(bench: Workbench, place: Listing, read: Reading) -> None:
    everything = prepare_types(bench)
    before = sorted(map(repr, bench.ask(everything)))
    listed = place("c-1", kept="c")
    surveyed = read.items(bench.store.survey(listed))
    assert read.results(bench.store.tombstone(listed)) == {DONE: len(before) - 1}
    assert bench.count("kept") == 1
    hidden = read.items(bench.store.survey(listed))
    assert {item.kind for item in hidden} == {ItemKind.TOMBSTONE}
    assert len(hidden) == len(surveyed) == len(read.items(bench.store.remains(listed)))
    assert read.results(bench.store.bring_back(listed)) == {DONE: len(before) - 1}
    assert sorted(map(repr, bench.ask(everything))) == before
    assert read.items(bench.store.survey(listed)) == surveyed


def test_numbers_given_by_the_database_go_on_where_they_were(bench: Workbench, place: Listing, read: Reading) -> None:
    number = {
        "postgresql": "id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "mariadb": "id int AUTO_INCREMENT PRIMARY KEY",
        "sqlite": "id INTEGER PRIMARY KEY AUTOINCREMENT",
    }[bench.kind]
    bench.run(f"CREATE TABLE t ({number}, c varchar(9))", *["INSERT INTO t (c) VALUES ('c-1')"] * 3)
    listed = place("c-1", t="c")
    read.results(bench.store.tombstone(listed))
    bench.run("INSERT INTO t (c) VALUES ('c-2')")
    assert read.results(bench.store.bring_back(listed)) == {DONE: 3}
    bench.run("INSERT INTO t (c) VALUES ('c-2')")
    assert bench.ask("SELECT * FROM t ORDER BY id") == [(1, "c-1"), (2, "c-1"), (3, "c-1"), (4, "c-2"), (5, "c-2")]


FAMILY = (
    "CREATE TABLE a (id int PRIMARY KEY, c varchar(9), note varchar(99) NOT NULL)",
    "CREATE TABLE b (id int PRIMARY KEY, a int NOT NULL, FOREIGN KEY (a) REFERENCES a (id))",
    "INSERT INTO a VALUES (1, 'c-1', 'one'), (2, 'c-1', 'two'), (3, 'c-2', 'three')",
    "INSERT INTO b VALUES (1, 1), (2, 1), (3, 2), (4, 3)",
)


def test_what_stands_newly_under_a_hidden_key_stays_and_the_rest_comes_back(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(*FAMILY)
    listed = place("c-1", a="c", b=">a")
    read.results(bench.store.tombstone(listed))
    bench.run("INSERT INTO a VALUES (2, 'c-1', 'new')")
    batches = list(bench.store.bring_back(listed))
    assert read.results(batches) == {DONE: 4, REFUSED: 1}
    assert read.reasons(batches) == {
        '{"hidden":true,"key":{"id":2},"table":"a"}': "something newer stands under its key"
    }
    assert bench.ask("SELECT * FROM a ORDER BY id") == [(1, "c-1", "one"), (2, "c-1", "new"), (3, "c-2", "three")]
    assert read.results(bench.store.bring_back(listed)) == {REFUSED: 1}
    assert read.results(bench.store.erase(listed)) == {DONE: 6}
    assert read.items(bench.store.remains(listed)) == []


def test_a_row_never_comes_back_as_another_customers(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(*FAMILY)
    listed = place("c-1", a="c", b=">a")
    read.results(bench.store.tombstone(listed))
    bench.run("INSERT INTO a VALUES (1, 'c-2', 'taken over')")
    batches = list(bench.store.bring_back(listed))
    assert read.results(batches) == {DONE: 2, REFUSED: 3}
    assert read.reasons(batches)['{"hidden":true,"key":{"id":1},"table":"b"}'] == (
        "it would come back as another customer's"
    )
    assert bench.ask("SELECT * FROM b ORDER BY id") == [(3, 2), (4, 3)]


def test_a_row_whose_place_is_taken_by_a_unique_value_is_refused_with_the_constraint(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(
        "CREATE TABLE t (id int PRIMARY KEY, c varchar(9), mail varchar(99), CONSTRAINT one_mail UNIQUE (mail))",
        "INSERT INTO t VALUES (1, 'c-1', 'x'), (2, 'c-1', 'y'), (3, 'c-1', 'z')",
    )
    listed = place("c-1", t="c")
    read.results(bench.store.tombstone(listed))
    bench.run("INSERT INTO t VALUES (9, 'c-2', 'y')")
    batches = list(bench.store.bring_back(listed))
    named = {"sqlite": "constraint SQLITE_CONSTRAINT_UNIQUE"}.get(bench.kind, "constraint one_mail")
    assert read.reasons(batches) == {'{"hidden":true,"key":{"id":2},"table":"t"}': named}
    assert read.results(batches) == {DONE: 2, REFUSED: 1}
    assert bench.count("t") == 3


def test_two_customers_hide_rows_of_the_same_key_one_after_the_other(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run("CREATE TABLE t (k varchar(9) PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES ('k', 'c-1')")
    first, second = place("c-1", t="c"), place("c-2", t="c")
    read.results(bench.store.tombstone(first))
    bench.run("INSERT INTO t VALUES ('k', 'c-2')")
    read.results(bench.store.tombstone(second))
    assert len(read.items(bench.store.survey(first))) == len(read.items(bench.store.survey(second))) == 1
    assert read.results(bench.store.erase(second)) == {DONE: 1}
    assert read.results(bench.store.bring_back(first)) == {DONE: 1}
    assert bench.ask("SELECT * FROM t") == [("k", "c-1")]


def test_columns_that_came_since_take_their_default_and_those_that_went_are_gone(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(*FAMILY)
    listed = place("c-1", a="c", b=">a")
    read.results(bench.store.tombstone(listed))
    bench.run("ALTER TABLE a ADD COLUMN added varchar(9) DEFAULT 'new'", "ALTER TABLE a DROP COLUMN note")
    assert read.results(bench.store.bring_back(listed)) == {DONE: 5}
    assert bench.ask("SELECT id, added FROM a ORDER BY id") == [(1, "new"), (2, "new"), (3, "new")]
    bench.run("UPDATE a SET added = 'mine' WHERE id = 1")
    read.results(bench.store.tombstone(listed))
    assert read.results(bench.store.bring_back(listed)) == {DONE: 5}
    assert bench.ask("SELECT id, added FROM a ORDER BY id") == [(1, "mine"), (2, "new"), (3, "new")]


def test_a_column_that_changed_its_type_since_is_never_squeezed_into_the_old_one(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    if bench.kind == "sqlite":
        return  # its types bound nothing
    bench.run(*FAMILY)
    listed = place("c-1", a="c", b=">a")
    read.results(bench.store.tombstone(listed))
    read.results(bench.store.bring_back(listed))
    change = "ALTER COLUMN note TYPE varchar(200)" if bench.kind == "postgresql" else "MODIFY note varchar(200)"
    bench.run(f"ALTER TABLE a {change}", f"UPDATE a SET note = '{'x' * 150}'")
    before = bench.fingerprint("SELECT * FROM a")
    with pytest.raises(Refused, match="column note of a has changed its type"):
        read.results(bench.store.tombstone(listed))
    assert bench.fingerprint("SELECT * FROM a") == before


def test_hidden_rows_whose_key_has_got_another_name_are_not_overlooked(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES (1, 'c-1')")
    listed = place("c-1", t="c")
    read.results(bench.store.tombstone(listed))
    bench.run("ALTER TABLE t RENAME COLUMN id TO number")
    for asked in ("survey", "bring_back", "erase", "remains", "tombstone"):
        with pytest.raises(Refused, match="the key of t is another"):
            list(getattr(bench.store, asked)(listed))


def test_trees_and_circles_come_back_as_they_were(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(
        "CREATE TABLE node (id int PRIMARY KEY, c varchar(9), up int, next int,"
        " FOREIGN KEY (up) REFERENCES node (id), FOREIGN KEY (next) REFERENCES node (id))",
        *(f"INSERT INTO node VALUES ({i}, 'c-{i % 2}', {i - 2 if i > 2 else 'NULL'}, NULL)" for i in range(1, 41)),
        *(f"UPDATE node SET next = {i + 2} WHERE id = {i}" for i in range(1, 7)),
    )
    before = bench.fingerprint("SELECT * FROM node")
    listed = place("c-1", node="c")
    assert read.results(bench.store.tombstone(listed)) == {DONE: 20}
    assert bench.count("node") == 20
    assert read.results(bench.store.bring_back(listed)) == {DONE: 20}
    assert bench.fingerprint("SELECT * FROM node") == before


def test_a_circle_larger_than_a_batch_goes_and_comes_back_whole(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run("CREATE TABLE ring (id int PRIMARY KEY, c varchar(9), next int, FOREIGN KEY (next) REFERENCES ring (id))")
    with bench.engine.begin() as connection:
        for i in range(1200):
            connection.exec_driver_sql(f"INSERT INTO ring VALUES ({i}, 'c-1', NULL)")
        connection.exec_driver_sql("UPDATE ring SET next = id + 1 WHERE id < 1199")
        connection.exec_driver_sql("UPDATE ring SET next = 0 WHERE id = 1199")
    before = bench.fingerprint("SELECT * FROM ring")
    listed = place("c-1", ring="c")
    batches = list(bench.store.tombstone(listed))
    assert max(map(len, batches)) == 1000
    assert bench.count("ring") == 0
    assert read.results(bench.store.bring_back(listed)) == {DONE: 1200}
    assert bench.fingerprint("SELECT * FROM ring") == before
    assert read.results(bench.store.erase(listed)) == {DONE: 1200}


def test_the_time_of_the_last_change_comes_back_too(place: Listing, read: Reading, new_workbench: Any) -> None:
    bench = new_workbench("mariadb")
    bench.run(
        "CREATE TABLE pair (id int PRIMARY KEY, c varchar(9), other int,"
        " changed timestamp(6) NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),"
        " FOREIGN KEY (other) REFERENCES pair (id))",
        "INSERT INTO pair VALUES (1, 'c-1', NULL, '2020-01-01'), (2, 'c-1', 1, '2020-01-02')",
        "UPDATE pair SET other = 2, changed = '2020-01-01' WHERE id = 1",
    )
    before = bench.fingerprint("SELECT id, other, concat(changed) FROM pair")
    listed = place("c-1", pair="c")
    read.results(bench.store.tombstone(listed))
    assert read.results(bench.store.bring_back(listed)) == {DONE: 2}
    assert bench.fingerprint("SELECT id, other, concat(changed) FROM pair") == before


def test_a_single_row_is_hidden_and_comes_back_with_what_hangs_below_it(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(*FAMILY)
    everything = ("SELECT * FROM a", "SELECT * FROM b")
    before = bench.fingerprint(*everything)
    tables = {"a": "c", "b": ">a"}
    one, two = (place.of("c-1", tables, ("a", [{"id": each}])) for each in (1, 2))
    assert read.results(bench.store.tombstone(one)) == {DONE: 3}
    assert read.results(bench.store.tombstone(two)) == {DONE: 2}
    assert read.results(bench.store.bring_back(one)) == {DONE: 3}
    assert bench.count("a", "c = 'c-1'") == 1
    assert read.results(bench.store.bring_back(place.of("c-1", tables))) == {DONE: 2}
    assert bench.fingerprint(*everything) == before


def test_hiding_that_stopped_half_way_can_be_undone_or_finished(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(*FAMILY)
    everything = ("SELECT * FROM a", "SELECT * FROM b")
    before = bench.fingerprint(*everything)
    listed = place("c-1", a="c", b=">a")
    batches = bench.store.tombstone(listed)
    next(batches)
    batches.close()
    assert (bench.count("a"), bench.count("b")) == (3, 1)
    assert len(read.items(bench.store.survey(listed))) == 5
    assert read.results(bench.store.bring_back(listed)) == {DONE: 3}
    assert bench.fingerprint(*everything) == before


def test_long_table_names_that_begin_alike_are_kept_apart(bench: Workbench, place: Listing, read: Reading) -> None:
    names = ["t" * 59 + "_1", "t" * 59 + "_2"]
    for name in names:
        bench.run(f"CREATE TABLE {name} (id int PRIMARY KEY, c varchar(9))", f"INSERT INTO {name} VALUES (1, 'c-1')")
    listed = place.of("c-1", dict.fromkeys(names, "c"))
    assert read.results(bench.store.tombstone(listed)) == {DONE: 2}
    assert read.results(bench.store.bring_back(place.of("c-1", {names[0]: "c"}))) == {DONE: 1}
    assert (bench.count(names[0]), bench.count(names[1])) == (1, 0)


def test_nothing_is_made_where_nothing_is_hidden(bench: Workbench, place: Listing) -> None:
    bench.run(*FAMILY)
    assert list(bench.store.tombstone(place("nobody", a="c", b=">a"))) == []
    catalogue = {
        "postgresql": "SELECT nspname FROM pg_namespace WHERE nspname = 'retention_tombstone'",
        "mariadb": "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name LIKE 'retention%'",
        "sqlite": "SELECT name FROM sqlite_schema WHERE name LIKE 'retention%'",
    }
    assert bench.ask(catalogue[bench.kind]) == []


def test_an_undo_is_not_held_up_by_a_table_that_came_since(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(*FAMILY)
    listed = place("c-1", a="c", b=">a")
    read.results(bench.store.tombstone(listed))
    bench.run("CREATE TABLE late (id int PRIMARY KEY, a int, FOREIGN KEY (a) REFERENCES a (id))")
    assert read.results(bench.store.bring_back(listed)) == {DONE: 5}
