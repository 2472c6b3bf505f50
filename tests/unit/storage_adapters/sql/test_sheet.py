"""The capability sheet, and tables that nobody listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Workbench = Any  # the classes of conftest.py, which tests cannot import
    Reading = Any
    Listing = Any


def test_triggers_are_named_in_the_notes(bench: Workbench) -> None:
    bench.run("CREATE TABLE watched (id int PRIMARY KEY)")
    assert not any("Triggers" in note for note in bench.store.capabilities().notes)
    match bench.kind:
        case "postgresql":
            bench.run(
                "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
                "CREATE TRIGGER seen BEFORE DELETE ON watched FOR EACH ROW EXECUTE FUNCTION see()",
            )
        case "mariadb":
            bench.run("CREATE TRIGGER seen BEFORE DELETE ON watched FOR EACH ROW SET @x = 1")
        case _:
            bench.run("CREATE TRIGGER seen BEFORE DELETE ON watched BEGIN SELECT 1; END")
    assert any("watched" in note for note in bench.store.capabilities().notes)


def test_a_mariadb_table_without_transactions_is_named(new_workbench: Any) -> None:
    bench = new_workbench("mariadb")
    bench.run("CREATE TABLE loose (id int PRIMARY KEY) ENGINE = MyISAM")
    assert any("loose" in note for note in bench.store.capabilities().notes)


def test_unlisted_tables_with_a_customer_column_or_below_one_are_reported(bench: Workbench, place: Listing) -> None:
    bench.run(
        "CREATE TABLE session (id int PRIMARY KEY, tenant_id varchar(9))",
        "CREATE TABLE message (id int PRIMARY KEY, session int, FOREIGN KEY (session) REFERENCES session (id))",
        'CREATE TABLE forgotten (id int PRIMARY KEY, "Tenant_ID" varchar(9))',
        "CREATE TABLE below (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES forgotten (id))",
        "CREATE TABLE deeper (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES below (id))",
        "CREATE TABLE country (id int PRIMARY KEY, name varchar(9))",
    )
    listed = place("c-1", session="tenant_id", message=">session")
    assert bench.store.unclaimed([listed]) == ("below", "deeper", "forgotten")
    assert bench.store.unclaimed([place("c-1", session="tenant_id")]) == ("below", "deeper", "forgotten", "message")
    everything = [listed, place("c-1", forgotten="Tenant_ID", below=">forgotten", deeper=">below")]
    assert bench.store.unclaimed(everything) == ()
    assert bench.store.unclaimed([]) == ()


def test_tables_of_hidden_rows_are_not_reported(bench: Workbench, place: Listing, read: Reading) -> None:
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))", "INSERT INTO t VALUES (1, 'c-1')")
    listed = place("c-1", t="c")
    read.results(bench.store.tombstone(listed))
    assert bench.store.unclaimed([listed]) == ()


def test_hidden_rows_of_a_table_that_is_listed_no_more_are_reported(
    bench: Workbench, place: Listing, read: Reading
) -> None:
    for name in ("t", "other"):
        bench.run(f"CREATE TABLE {name} (id int PRIMARY KEY, c varchar(9))", f"INSERT INTO {name} VALUES (1, 'c-1')")
    read.results(bench.store.tombstone(place("c-1", t="c", other="c")))
    bench.run("DROP TABLE other")
    (found,) = bench.store.unclaimed([place("c-1", t="c")])
    assert "retention_tombstone" in found
    assert found.endswith("other")


def test_large_objects_are_reported_because_nothing_says_whose_they_are(new_workbench: Any, place: Listing) -> None:
    bench = new_workbench("postgresql")
    bench.run("CREATE TABLE t (id int PRIMARY KEY, c varchar(9))")
    listed = place("c-1", t="c")
    assert bench.store.unclaimed([listed]) == ()
    bench.run("SELECT lo_from_bytea(0, 'x')")
    assert bench.store.unclaimed([listed]) == ("large objects",)
