"""Which rows are a customer's: by a column, through foreign keys, and never by a likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from storage_adapters.contract import Rows, TablePlace
from storage_adapters.errors import NotFound, Refused

if TYPE_CHECKING:
    Workbench = Any  # the classes of conftest.py, which tests cannot import
    Reading = Any
    Listing = Any

ODD_NAMES = (
    "order",
    "MixedCase",
    "with space",
    'quote"d',
    "back`tick",
    "it's",
    "x; DROP TABLE victim; --",
    "%s %(a)s :a ? {b}",
    "dotted.name",
    "表",
)


def survey_size(bench: Workbench, place: Rows) -> int:
    return sum(len(page) for page in bench.store.survey(place))


# ---------------------------------------------------------------------------------------------- the customer column


@pytest.mark.parametrize("length", ["varchar(40)", "char(40)", "text"])
def test_text_is_matched_exactly_whatever_the_collation(bench: Workbench, place: Listing, length: str) -> None:
    bench.run(f"CREATE TABLE t (id int PRIMARY KEY, c {length})")
    neighbours = ("c-1", "C-1", "c-1 ", " c-1", "c-10", "ç-1", "c-\u200b1")
    for at, who in enumerate(neighbours):
        bench.run(f"INSERT INTO t VALUES ({at}, '{who}')")
    has_padding = length == "char(40)" and bench.kind != "sqlite"  # there "c-1 " is stored as "c-1"
    assert survey_size(bench, place("c-1", t="c")) == (2 if has_padding else 1)
    assert survey_size(bench, place("c-1 ", t="c")) == (0 if has_padding else 1)
    assert survey_size(bench, place("C-1", t="c")) == 1
    assert survey_size(bench, place("C-10", t="c")) == 0


def test_a_collation_without_case_or_padding_matches_exactly(bench: Workbench, place: Listing) -> None:
    kind = {
        "mariadb": "varchar(40) COLLATE utf8mb4_unicode_ci",
        "sqlite": "text COLLATE NOCASE",
        "postgresql": "text COLLATE loose",
    }[bench.kind]
    if bench.kind == "postgresql":
        bench.run("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
    bench.run(f"CREATE TABLE t (id int PRIMARY KEY, c {kind})")
    bench.run("INSERT INTO t VALUES (1, 'straße'), (2, 'strasse'), (3, 'STRASSE'), (4, 'Straße')")
    assert survey_size(bench, place("straße", t="c")) == 1
    assert survey_size(bench, place("strasse", t="c")) == 1


@pytest.mark.parametrize("text", ["07", "7 ", " 7", "+7", "7.0", "7x", "seven", "", "9" * 30, "-0"])
def test_an_integer_column_matches_only_the_usual_spelling(bench: Workbench, place: Listing, text: str) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c bigint)", "INSERT INTO t VALUES (1, 7), (2, 0), (3, NULL)")
    assert survey_size(bench, place("7", t="c")) == 1
    assert survey_size(bench, place(text, t="c")) == 0


def test_a_small_integer_column_has_no_rows_of_a_customer_beyond_its_range(bench: Workbench, place: Listing) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c smallint)", "INSERT INTO t VALUES (1, 7)")
    assert survey_size(bench, place(str(2**62), t="c")) == 0


def test_a_uuid_column_matches_only_the_usual_spelling(bench: Workbench, place: Listing) -> None:
    if bench.kind == "sqlite":
        return  # SQLite has no such type
    known = "6a0e5f04-0f7d-4b8f-8b5e-9d1d2f9f7a10"
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c uuid)", f"INSERT INTO t VALUES (1, '{known}')")
    assert survey_size(bench, place(known, t="c")) == 1
    assert survey_size(bench, place(known.upper(), t="c")) == 0
    assert survey_size(bench, place("c-1", t="c")) == 0


def test_a_column_that_cannot_name_a_customer_is_refused(bench: Workbench, place: Listing) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c date)")
    with pytest.raises(Refused, match="column c of t is of a type that names no customer"):
        survey_size(bench, place("2026-01-01", t="c"))


def test_a_customer_whose_name_is_null_to_a_program_is_nobody_else(bench: Workbench, place: Listing) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(40))", "INSERT INTO t VALUES (1, NULL), (2, ''), (3, 'x')")
    assert survey_size(bench, place("NULL", t="c")) == 0
    assert survey_size(bench, place("", t="c")) == 1
    assert survey_size(bench, place("x\x00", t="c")) == 0


# ---------------------------------------------------------------------------------------------- foreign keys


def chain(bench: Workbench, depth: int) -> dict[str, str]:
    bench.run("CREATE TABLE t0 (id int PRIMARY KEY, c varchar(40))")
    for at in range(1, depth):
        bench.run(
            f"CREATE TABLE t{at} (id int PRIMARY KEY, up int NOT NULL, "
            f"CONSTRAINT fk{at} FOREIGN KEY (up) REFERENCES t{at - 1} (id))"
        )
    for at in range(depth):
        bench.run(
            *(f"INSERT INTO t{at} VALUES ({i}, {repr('c-1' if i < 3 else 'c-2') if at == 0 else i})" for i in range(5))
        )
    return {f"t{at}": f">t{at - 1}" if at else "c" for at in range(depth)}


def test_rows_belong_through_a_chain_of_any_depth(bench: Workbench, place: Listing, read: Reading) -> None:
    tables = chain(bench, 8)
    items = read.names(bench.store.survey(place.of("c-1", tables)))
    assert len(items) == 8 * 3
    assert items[0].endswith('"table":"t7"}')
    assert items[-1].endswith('"table":"t0"}')
    assert sorted(read.names(bench.store.remains(place.of("c-1", tables)))) == sorted(items)


def test_the_order_of_the_policys_list_does_not_matter(bench: Workbench, place: Listing, read: Reading) -> None:
    tables = chain(bench, 4)
    shuffled = {name: tables[name] for name in ("t2", "t0", "t3", "t1")}
    assert read.names(bench.store.survey(place.of("c-1", shuffled))) == read.names(
        bench.store.survey(place.of("c-1", tables))
    )


def test_composite_keys_are_followed_as_a_whole(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run(
        "CREATE TABLE up (a int, b varchar(9), c varchar(40), PRIMARY KEY (a, b))",
        "CREATE TABLE low (id int PRIMARY KEY, b varchar(9), a int, FOREIGN KEY (a, b) REFERENCES up (a, b))",
        "INSERT INTO up VALUES (1, 'x', 'c-1'), (1, 'y', 'c-2'), (2, 'x', 'c-2')",
        "INSERT INTO low VALUES (1, 'x', 1), (2, 'y', 1), (3, 'x', 2), (4, NULL, 1)",
    )
    names = read.names(bench.store.survey(place("c-1", up="c", low=">up")))
    assert names == ['{"key":{"id":1},"table":"low"}', '{"key":{"a":1,"b":"x"},"table":"up"}']


def test_a_foreign_key_to_a_unique_column_that_is_no_key_is_followed(bench: Workbench, place: Listing) -> None:
    bench.run(
        "CREATE TABLE up (id int PRIMARY KEY, code varchar(9) NOT NULL UNIQUE, c varchar(40))",
        "CREATE TABLE low (id int PRIMARY KEY, code varchar(9), FOREIGN KEY (code) REFERENCES up (code))",
        "INSERT INTO up VALUES (1, 'x', 'c-1'), (2, 'y', 'c-2')",
        "INSERT INTO low VALUES (1, 'x'), (2, 'y'), (3, 'y')",
    )
    assert survey_size(bench, place("c-1", up="c", low=">up")) == 2


def test_with_two_foreign_keys_to_one_parent_either_makes_a_row_the_customers(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    bench.run(
        "CREATE TABLE person (id int PRIMARY KEY, c varchar(40))",
        "CREATE TABLE mail (id int PRIMARY KEY, sender int, recipient int,"
        " FOREIGN KEY (sender) REFERENCES person (id), FOREIGN KEY (recipient) REFERENCES person (id))",
        "INSERT INTO person VALUES (1, 'c-1'), (2, 'c-2'), (3, 'c-3')",
        "INSERT INTO mail VALUES (1, 1, 2), (2, 2, 1), (3, 2, 3), (4, NULL, 1), (5, NULL, NULL)",
    )
    listed = place("c-1", person="c", mail=">person")
    names = read.names(bench.store.survey(listed))
    assert [f'{{"key":{{"id":{each}}},"table":"mail"}}' for each in (1, 2, 4)] == names[:3]
    assert sorted(read.names(bench.store.remains(listed))) == sorted(names)


# ---------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_table_and_columns_of_any_name_are_handled(
    bench: Workbench, place: Listing, read: Reading, name: str
) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    low = '"' + ("low " + name).replace('"', '""') + '"'
    bench.run(
        "CREATE TABLE victim (id int PRIMARY KEY)",
        f'CREATE TABLE {quoted} ({quoted} int PRIMARY KEY, "c {name.replace(chr(34), chr(34) * 2)}" varchar(40))',
        f"CREATE TABLE {low} (id int PRIMARY KEY, {quoted} int,"
        f" CONSTRAINT {quoted} FOREIGN KEY ({quoted}) REFERENCES {quoted} ({quoted}))",
        f"INSERT INTO {quoted} VALUES (1, 'c-1'), (2, 'c-2')",
        f"INSERT INTO {low} VALUES (1, 1), (2, 2)",
    )
    listed = place.of("c-1", {name: f"c {name}", f"low {name}": f">{name}"})
    surveyed = read.names(bench.store.survey(listed))
    assert len(surveyed) == 2
    assert len(read.items(bench.store.remains(listed))) == 2
    read.results(bench.store.tombstone(listed))
    assert len(read.items(bench.store.survey(listed))) == 2
    read.results(bench.store.bring_back(listed))
    assert read.names(bench.store.survey(listed)) == surveyed
    read.results(bench.store.erase(listed))
    assert read.items(bench.store.remains(listed)) == []
    assert bench.count(name) == bench.count(f"low {name}") == 1 if "." not in name else True
    assert bench.count("victim") == 0


def test_tables_of_other_schemas_are_named_with_them(bench: Workbench, place: Listing, read: Reading) -> None:
    if bench.kind != "postgresql":
        return  # MariaDB's other databases are tried elsewhere, SQLite has none
    bench.run(
        'CREATE SCHEMA "Other one"',
        'CREATE TABLE "Other one".t (id int PRIMARY KEY, c varchar(40))',
        'CREATE TABLE low (id int PRIMARY KEY, up int REFERENCES "Other one".t)',
        """INSERT INTO "Other one".t VALUES (1, 'c-1'), (2, 'c-2')""",
        "INSERT INTO low VALUES (1, 1), (2, 2)",
    )
    listed = place.of("c-1", {"Other one.t": "c", "low": ">Other one.t"})
    assert read.names(bench.store.survey(listed)) == [
        '{"key":{"id":1},"table":"low"}',
        '{"key":{"id":1},"table":"Other one.t"}',
    ]
    with pytest.raises(Refused, match=r"low points at Other one\.t"):
        read.items(bench.store.survey(place.of("c-1", {"Other one.t": "c"})))


def test_names_are_taken_in_the_case_in_which_they_are_stored(bench: Workbench, place: Listing) -> None:
    bench.run('CREATE TABLE "Session" (id int PRIMARY KEY, c varchar(40))')
    with pytest.raises(NotFound):
        survey_size(bench, place("c-1", SESSION="c"))


# ---------------------------------------------------------------------------------------------- what cannot be followed


def test_a_missing_table_is_not_an_empty_one(bench: Workbench, place: Listing) -> None:
    with pytest.raises(NotFound, match="there is no table gone"):
        survey_size(bench, place("c-1", gone="c"))


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        pytest.param({"t": "who"}, "table t has no column who", id="a missing column"),
        pytest.param({"t": "c", "other": ">t"}, "no foreign key leads from other to t", id="no foreign key"),
        pytest.param({"other": ">t"}, "which is not listed", id="a parent that is not listed"),
        pytest.param({"t": ">t"}, "no foreign key leads from t to t", id="through itself"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(
    bench: Workbench, place: Listing, tables: dict[str, str], said: str
) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(40))", "CREATE TABLE other (id int PRIMARY KEY)")
    with pytest.raises(Refused, match=said):
        survey_size(bench, place.of("c-1", tables))


def test_a_table_listed_twice_or_both_ways_or_no_table_is_refused(bench: Workbench) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(40))")
    twice = Rows((TablePlace("t", customer_column="c"), TablePlace("t", customer_column="c")), "c-1")
    with pytest.raises(Refused, match="no table is listed"):
        survey_size(bench, Rows((), "c-1"))
    with pytest.raises(Refused, match="listed twice"):
        survey_size(bench, twice)
    with pytest.raises(Refused, match="either a customer column or `through`"):
        survey_size(bench, Rows((TablePlace("t", customer_column="c", through="t"),), "c-1"))
    with pytest.raises(Refused, match="either a customer column or `through`"):
        survey_size(bench, Rows((TablePlace("t"),), "c-1"))


@pytest.mark.parametrize("action", ["RESTRICT", "CASCADE", "SET NULL", "NO ACTION"])
@pytest.mark.parametrize("asked", ["survey", "remains", "tombstone", "erase"])
def test_a_table_that_hangs_below_and_is_not_listed_stops_everything(
    bench: Workbench, place: Listing, action: str, asked: str
) -> None:
    bench.run(
        "CREATE TABLE t (id int PRIMARY KEY, c varchar(40))",
        f"CREATE TABLE forgotten (id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t (id) ON DELETE {action})",
        "INSERT INTO t VALUES (1, 'c-1')",
        "INSERT INTO forgotten VALUES (1, 1)",
    )
    with pytest.raises(Refused, match=r"forgotten points at t .* add `forgotten: \{through: t\}`"):
        list(getattr(bench.store, asked)(place("c-1", t="c")))
    assert (bench.count("t"), bench.count("forgotten")) == (1, 1)
