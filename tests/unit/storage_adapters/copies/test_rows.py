"""Rows as JSON Lines: every value, keys of every kind, single rows, and rows that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, create_engine, text

from storage_adapters.contract import Rows, TablePlace
from storage_adapters.copies import Piece, RowsSource
from storage_adapters.errors import Refused
from storage_adapters.sql import looking
from tests.unit.storage_adapters.copies.benches import bytes_of, run

ROWS = {"PostgreSQL": "postgres_database", "MariaDB": "mariadb_database", "SQLite": "tmp_path"}


@pytest.fixture(params=ROWS)
def database(request: pytest.FixtureRequest) -> Iterator[Engine]:
    where = request.getfixturevalue(ROWS[request.param])
    engine = create_engine(where if isinstance(where, str) else f"sqlite:///{where / 'rows.db'}")
    yield engine
    engine.dispose()


def told(engine: Engine, place: Rows) -> dict[str, list[dict[str, object]]]:
    """Every piece with its rows, read back from the JSON."""
    source = RowsSource("from", engine.url.render_as_string(hide_password=False))
    found = {}
    try:
        for piece in source.pieces(place):
            content = bytes_of(source, place, piece)
            assert content is not None
            found[piece.name] = [json.loads(each) for each in content.decode().splitlines()]
            assert piece.items == len(found[piece.name])
    finally:
        source.close()
    return found


VALUES: dict[str, tuple[str, str, dict[str, object]]] = {
    "postgresql": (
        "CREATE TABLE v (tenant text, id bigint, b boolean, f double precision, n float8, m numeric(40, 2), d date,"
        " ts timestamp, tz timestamptz, forever timestamptz, t time, u uuid, j jsonb, a text[], bin bytea, no_value text,"
        " i interval, PRIMARY KEY (id))",
        "INSERT INTO v VALUES ('c-1', 9007199254740993, true, 0.1, 'NaN', 12345678901234567890123.50, '2026-02-03',"
        " '2026-02-03 04:05:06.5', '2026-02-03 04:05:06+00', 'infinity', '24:00', '00000000-0000-0000-0000-00000000000a',"
        " '{\"a\": 1.10}', '{x,\"y z\"}', '\\x00ff', NULL, '1 day')",
        {"b": True, "n": "NaN", "u": "00000000-0000-0000-0000-00000000000a", "j": '{"a": 1.10}', "a": '{x,"y z"}'}
        | {"ts": "2026-02-03T04:05:06.5", "forever": "infinity", "t": "24:00:00", "i": "1 day"},
    ),
    "mysql": (
        "CREATE TABLE v (tenant varchar(60), id bigint PRIMARY KEY, b boolean, f double, m decimal(40, 2), d date,"
        " ts datetime(1), zero date, t time, u uuid, j json, bin blob, no_value text)",
        "INSERT INTO v VALUES ('c-1', 9007199254740993, true, 0.1, 12345678901234567890123.50, '2026-02-03',"
        " '2026-02-03 04:05:06.5', '0000-00-00', '-100:30:00', '00000000-0000-0000-0000-00000000000a',"
        " '{\"a\": 1.10}', x'00ff', NULL)",
        {"b": 1, "zero": "0000-00-00", "t": "-100:30:00", "u": "00000000-0000-0000-0000-00000000000a"}
        | {"ts": "2026-02-03T04:05:06.500000", "j": '{"a": 1.10}'},
    ),
    "sqlite": (
        "CREATE TABLE v (tenant text, id integer PRIMARY KEY, b boolean, f real, m text, d date, bin integer,"
        " no_value blob)",
        "INSERT INTO v VALUES ('c-1', 9007199254740993, 1, 0.1, '12345678901234567890123.50', '2026-02-03', x'00ff', NULL)",
        {"b": 1},
    ),
}


def test_every_value_of_a_row_is_told_as_the_form_says(database: Engine) -> None:
    table, row, more = VALUES[database.dialect.name]
    with database.begin() as connection:
        if database.dialect.name == "mysql":
            connection.exec_driver_sql("SET SESSION sql_mode = ''")
        connection.exec_driver_sql(table)
        connection.exec_driver_sql(row)
    [(name, [found])] = told(database, Rows((TablePlace("v", customer_column="tenant"),), "c-1")).items()
    assert name == "v/00000001.jsonl"
    same = {"tenant": "c-1", "id": "9007199254740993", "f": 0.1, "m": "12345678901234567890123.50"}
    assert found.items() >= {**same, "d": "2026-02-03", "no_value": None}.items()
    assert found["bin"] == {"base64": "AP8="}
    assert {key: found[key] for key in more} == more
    if "tz" in found:
        assert datetime.fromisoformat(str(found["tz"])) == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


KEYS = {
    "text and a number": ("k varchar(40), n integer", [("b", 1), ("B", 3), ("a", 2), ("照", 1), ("", 0), ("a", -1)]),
    "an instant": ("k timestamp, n integer", [(f"2026-01-01 00:00:0{at}", 0) for at in range(5)]),
    "a decimal": ("k decimal(10, 3), n integer", [(at / 8, 0) for at in range(5)]),
}


@pytest.mark.parametrize(("columns", "rows"), KEYS.values(), ids=KEYS.keys())
def test_keys_of_every_kind_are_gone_on_behind(
    database: Engine, columns: str, rows: list[tuple[object, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PAGE_SIZE", 2)
    if database.dialect.name == "postgresql":
        columns = columns.replace("timestamp", "timestamptz")
    run(database, f"CREATE TABLE t ({columns}, who varchar(9), PRIMARY KEY (k, n))")
    with database.begin() as connection:
        values = [{"k": key, "n": number} for key, number in rows]
        connection.execute(text("INSERT INTO t VALUES (:k, :n, 'c-1')"), values)
    source = RowsSource("from", database.url.render_as_string(hide_password=False))
    place = Rows((TablePlace("t", customer_column="who"),), "c-1")
    pieces = list(source.pieces(place))
    assert [piece.items for piece in pieces] == [2] * (len(rows) // 2) + [1] * (len(rows) % 2)
    content = [bytes_of(source, place, piece) or b"" for piece in pieces]
    assert [len(each.splitlines()) for each in content] == [piece.items for piece in pieces]
    assert len({line for each in content for line in each.splitlines()}) == len(rows)
    for at, piece in enumerate(pieces):
        assert list(source.pieces(place, piece.cursor)) == pieces[at + 1 :]
    source.close()


def test_single_rows_go_with_what_hangs_below_them(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PAGE_SIZE", 2)
    run(
        database,
        "CREATE TABLE s (id integer PRIMARY KEY, who varchar(9))",
        "CREATE TABLE n (id integer PRIMARY KEY, s integer NOT NULL, FOREIGN KEY (s) REFERENCES s (id))",
        "INSERT INTO s VALUES (1, 'c-1'), (2, 'c-1'), (3, 'c-2'), (10, 'c-1')",
        "INSERT INTO n VALUES (1, 1), (2, 2), (3, 3), (4, 10), (5, 10), (6, 1)",
    )
    tables = (TablePlace("s", customer_column="who"), TablePlace("n", through="s"))
    place = Rows(tables, "c-1", "s", ({"id": 1}, {"id": 3}, {"id": 10}))
    found = told(database, place)
    assert list(found) == ["s/00000001.jsonl", "n/00000001.jsonl", "n/00000002.jsonl"]
    assert [row["id"] for row in found["s/00000001.jsonl"]] == [1, 10]
    assert sorted(str(row["id"]) for name, rows in found.items() for row in rows if name[0] == "n") == [
        "1",
        "4",
        "5",
        "6",
    ]


def test_rows_that_come_and_go_while_the_copy_runs(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PAGE_SIZE", 2)
    run(database, "CREATE TABLE s (id integer PRIMARY KEY, who varchar(9))")
    run(database, "INSERT INTO s VALUES (1, 'c-1'), (3, 'c-1'), (5, 'c-1'), (7, 'c-1'), (9, 'c-1')")
    source = RowsSource("from", database.url.render_as_string(hide_password=False))
    place = Rows((TablePlace("s", customer_column="who"),), "c-1")
    first, second, third = source.pieces(place)
    run(database, "DELETE FROM s WHERE id = 3", "UPDATE s SET who = 'c-2' WHERE id = 5")
    run(database, "INSERT INTO s VALUES (0, 'c-1'), (2, 'c-1'), (11, 'c-1')")

    def ids(piece: Piece) -> list[int]:
        return [json.loads(each)["id"] for each in (bytes_of(source, place, piece) or b"").splitlines()]

    assert [ids(piece) for piece in (first, second, third)] == [[0, 1, 2], [7], [9]]
    [fourth] = source.pieces(place, third.cursor)
    assert (fourth.name, ids(fourth)) == ("s/00000004.jsonl", [11])
    source.close()


def test_odd_table_names_are_folders_of_their_own(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    odd = ("..", "a/b", "a%2Fb", "表 1", "x" * 63, "Order")
    with engine.begin() as connection:
        connection.exec_driver_sql('CREATE SCHEMA "other/../schema"')
        for schema, name in [*(("public", each) for each in odd), ("other/../schema", "t")]:
            quoted = f'"{schema}"."{name}"'.replace("%", "%%")
            connection.exec_driver_sql(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, who text)")
            connection.exec_driver_sql(f"INSERT INTO {quoted} VALUES (1, 'c-1')")
    names = (*odd, "other/../schema.t")
    folders = told(engine, Rows(tuple(TablePlace(name, customer_column="who") for name in names), "c-1"))
    engine.dispose()
    assert {name.removesuffix("/00000001.jsonl") for name in folders} == {
        *("%2E.", "a%2Fb", "a%252Fb", "表%201", "x" * 63, "Order", "other%2F..%2Fschema.t"),
    }


def test_a_table_without_a_key_is_refused(database: Engine) -> None:
    run(database, "CREATE TABLE loose (who varchar(9))", "INSERT INTO loose VALUES ('c-1')")
    with pytest.raises(Refused, match="no primary key"):
        told(database, Rows((TablePlace("loose", customer_column="who"),), "c-1"))


def test_a_cursor_of_somebody_else_is_an_error_of_the_caller(database: Engine) -> None:
    run(database, "CREATE TABLE s (id integer PRIMARY KEY, who varchar(9))")
    source = RowsSource("from", database.url.render_as_string(hide_password=False))
    place = Rows((TablePlace("s", customer_column="who"),), "c-1")
    for cursor in ("", "{}", "data/c-1/a", '{"table": "t", "chunk": 1, "after": null, "last": [1]}'):
        with pytest.raises(ValueError, match="cursor"):
            list(source.pieces(place, cursor))
    source.close()
