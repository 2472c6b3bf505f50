"""Restoring into real databases, folders and buckets: closed until the release, empty without one."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from storage_adapters.backups.contract import Content, Form, RestorePlace
from storage_adapters.backups.places import BucketPlace, FolderPlace, MariaDbPlace, PostgresPlace, Programs
from storage_adapters.backups.places import bucket as bucket_module
from storage_adapters.backups.places.mariadb import MARK, MariaDbStaging
from storage_adapters.backups.places.postgres import PostgresStaging
from storage_adapters.contract import Prefix, Rows, TablePlace
from storage_adapters.errors import Refused
from storage_adapters.s3 import S3Settings
from tests.services import databases
from tests.unit.storage_adapters.backups.places.hostile import HOSTILE_TO_MARIADB, HOSTILE_TO_POSTGRES
from tests.unit.storage_adapters.backups.places.shelf import (
    loaded_from,
    mariadb_dump,
    output_of,
    postgres_databases,
    postgres_programs,
    rows,
    scalar,
    sibling,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from tests.conftest import NewBucket


class Killed(BaseException):
    """The process ends here."""


def rows_of(customer: str) -> Rows:
    tables = (TablePlace("customer", "id"), TablePlace("note", through="customer"))
    return Rows(tables, customer)


# ----------------------------------------------------------------------------------------------------- PostgreSQL

POSTGRES_SCHEMA = (
    "CREATE TABLE customer (id text PRIMARY KEY, name text, photo bytea)",
    "CREATE TABLE note (id serial PRIMARY KEY, customer_id text NOT NULL REFERENCES customer, body text)",
    "CREATE TABLE audit (what text)",
    r"INSERT INTO customer VALUES ('c-1', '王小明', '\x00ff5c27'), ('c-2', E'a\\.b\n\\.\n\\! touch x', NULL)",
    "INSERT INTO note (customer_id, body) VALUES ('c-1', '一;''--/*'), ('c-2', E'$$\\\\''\";'), ('c-2', NULL)",
    "CREATE VIEW names AS SELECT name FROM customer",
    "CREATE MATERIALIZED VIEW all_names AS SELECT name FROM customer",
    "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
    "$f$ BEGIN INSERT INTO public.audit VALUES ('gone: ' || OLD.id); /* ; */ RETURN OLD; END $f$",
    "CREATE TRIGGER noting AFTER DELETE ON customer FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE FUNCTION doubled(x int) RETURNS int BEGIN ATOMIC SELECT x + 1; SELECT CASE WHEN x = 1 THEN 2 ELSE 3 END; END",
    "CREATE RULE quiet AS ON UPDATE TO audit DO INSTEAD (SELECT 1; SELECT 2)",
    r"SELECT lo_from_bytea(0, '\xdeadbeef')",
    "ALTER TABLE customer ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE customer FORCE ROW LEVEL SECURITY",
    "COMMENT ON RULE quiet ON audit IS 'it is quiet'",
    "COMMENT ON TABLE customer IS 'it''s; not -- a comment'",
)


@pytest.fixture(scope="module")
def postgres_source(postgres_url: str) -> Iterator[str]:
    with databases.fresh_database(postgres_url) as url:
        rows(url, *POSTGRES_SCHEMA)
        yield url


@pytest.fixture
def postgres_final(postgres_url: str) -> Iterator[str]:
    """The URL of a database that is not there; what was made of it goes after the test."""
    name = f"retention_test_{secrets.token_hex(6)}"
    yield sibling(postgres_url, name)
    rows(postgres_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def dumped(url: str, *options: str) -> bytes:
    parts = make_url(url)
    program = str(postgres_programs(url) / "pg_dump")
    where = ["-h", str(parts.host), "-p", str(parts.port or 5432), "-U", str(parts.username), "-w"]
    return output_of([program, *where, *options, str(parts.database)], url)


def postgres_place(url: str) -> PostgresPlace:
    return PostgresPlace("restored", url, Programs(postgres_programs(url)))


POSTGRES_FORMS = {
    "a plain dump": (Form.PG_DUMP_PLAIN, ()),
    "a plain dump that clears first": (Form.PG_DUMP_PLAIN, ("--clean",)),
    "a plain dump that clears and makes its database": (Form.PG_DUMP_PLAIN, ("--create", "--clean", "--if-exists")),
    "a plain dump of inserts and quotes": (Form.PG_DUMP_PLAIN, ("--inserts", "--quote-all-identifiers", "--create")),
    "a compressed archive": (Form.PG_DUMP_CUSTOM, ("--format=custom", "--create", "-Z9")),
}


@pytest.mark.parametrize(("form", "options"), POSTGRES_FORMS.values(), ids=POSTGRES_FORMS.keys())
def test_a_postgresql_dump_comes_back_without_the_deleted_customer(
    form: Form, options: tuple[str, ...], postgres_source: str, postgres_final: str
) -> None:
    content = dumped(postgres_source, *options)
    with postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(form, {"db": content}))
        store = staging.store()
        assert [len(batch) for batch in store.erase(rows_of("c-1"))] == [1, 1]
        assert list(store.remains(rows_of("c-1"))) == []
        assert staging.forget(lambda path: False) == 0
        staging.release()
        staging.release()
    assert rows(postgres_final, "SELECT id, name FROM customer") == [("c-2", "a\\.b\n\\.\n\\! touch x")]
    assert rows(postgres_final, "SELECT id, body FROM note ORDER BY id") == [(2, "$$\\'\";"), (3, None)]
    assert rows(postgres_final, "SELECT name FROM all_names") == rows(postgres_final, "SELECT name FROM names")
    assert rows(postgres_final, "SELECT * FROM audit") == []
    assert scalar(postgres_final, "SELECT doubled(1)") == 2
    assert scalar(postgres_final, "SELECT relforcerowsecurity FROM pg_class WHERE relname = 'customer'") is True
    assert scalar(postgres_final, "SELECT count(*) FROM pg_rules WHERE rulename = 'quiet'") == 1
    assert scalar(postgres_final, "SELECT encode(lo_get(oid), 'hex') FROM pg_largeobject_metadata") == "deadbeef"
    rows(postgres_final, "DELETE FROM note", "DELETE FROM customer")
    assert rows(postgres_final, "SELECT * FROM audit") == [("gone: c-2",)]
    name = str(make_url(postgres_final).database)
    assert postgres_databases(postgres_final, name) == {name: None}


def test_a_postgresql_dump_of_a_folder_comes_back(postgres_source: str, postgres_final: str, tmp_path: Path) -> None:
    dumped(postgres_source, "--format=directory", f"--file={tmp_path / 'd'}")
    contents = {f"db/{each.name}": each.read_bytes() for each in (tmp_path / "d").iterdir()}
    with postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_DIRECTORY, contents))
        staging.release()
    assert scalar(postgres_final, "SELECT name FROM customer WHERE id = 'c-1'") == "王小明"
    assert scalar(postgres_final, "SELECT encode(photo, 'hex') FROM customer WHERE id = 'c-1'") == "00ff5c27"
    climbing = {path: content.replace(b"blob_", b"../b_") for path, content in contents.items()}
    rows(sibling(postgres_final, "postgres"), f"DROP DATABASE {make_url(postgres_final).database}")
    with (
        pytest.raises(Refused, match="outside of its folder"),
        postgres_place(postgres_final).begin() as staging,
    ):
        staging.load(*loaded_from(Form.PG_DUMP_DIRECTORY, climbing))


def test_a_gzipped_dump_comes_back_and_a_cut_one_is_refused(postgres_source: str, postgres_final: str) -> None:
    whole = gzip.compress(dumped(postgres_source))
    with pytest.raises(Refused, match="cut off"), postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db": whole[:-40]}))
    with postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db.gz": whole}))
        staging.release()
    assert scalar(postgres_final, "SELECT count(*) FROM customer") == 2


def test_a_dump_with_roles_that_are_not_there_comes_back(postgres_source: str, postgres_final: str) -> None:
    content = dumped(postgres_source).replace(b"OWNER TO postgres;", b'OWNER TO "nobody here";')
    granted = b"\nGRANT ALL ON TABLE public.customer TO someone;\n-- PostgreSQL database dump complete"
    content = content.replace(b"\n-- PostgreSQL database dump complete", granted)
    with postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db": content}))
        staging.release()
    assert scalar(postgres_final, "SELECT count(*) FROM customer") == 2


def test_hostile_and_cut_dumps_are_refused_and_nothing_is_left(
    postgres_source: str, postgres_final: str, tmp_path: Path
) -> None:
    file, place = tmp_path / "touched", postgres_place(postgres_final)
    plain, archive = dumped(postgres_source), dumped(postgres_source, "--format=custom")
    whole = plain.index(b"-- PostgreSQL database dump complete")
    dumps = [(Form.PG_DUMP_PLAIN, plain[: int(whole * share)]) for share in (0.2, 0.4, 0.6, 0.8, 1)]
    dumps += [(Form.PG_DUMP_CUSTOM, archive[: int(len(archive) * share)]) for share in (0.1, 0.3, 0.5, 0.7, 0.95)]
    for line in HOSTILE_TO_POSTGRES.values():
        hostile = b"CREATE TABLE customer (id text);\n" + line.replace(b"{file}", str(file).encode())
        dumps.append((Form.PG_DUMP_PLAIN, hostile))
    with place.begin() as staging:
        for form, dump in dumps:
            with pytest.raises(Refused) as refusal:
                staging.load(*loaded_from(form, {"db": dump}))
            assert "touch" not in str(refusal.value)
            assert "王" not in str(refusal.value)
            kept = rows(
                sibling(postgres_final, place.staging), "SELECT relname FROM pg_class WHERE relname = 'customer'"
            )
            assert kept == []
    assert not file.exists()
    assert postgres_databases(postgres_final, place.final) == {}


def test_a_row_that_the_database_refuses_is_not_quoted(postgres_final: str) -> None:
    dump = b"CREATE TABLE customer (id int);\nCOPY customer (id) FROM stdin;\nsecret-name\n\\.\n"
    with (
        pytest.raises(Refused, match=r"line 2: .*\(22P02\)") as refusal,
        postgres_place(postgres_final).begin() as staging,
    ):
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db": dump}))
    assert "secret" not in str(refusal.value)


def test_staging_is_closed_to_others_and_the_released_is_open(postgres_source: str, postgres_final: str) -> None:
    name = str(make_url(postgres_final).database)
    asked = "SELECT has_database_privilege('pg_monitor', '{}', 'CONNECT')"  # a role with PUBLIC's rights alone
    with postgres_place(postgres_final).begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db": dumped(postgres_source)}))
        assert scalar(sibling(postgres_final, "postgres"), asked.format(f"{name}__retention_restore")) is False
        staging.release()
    assert scalar(postgres_final, asked.format(name)) is True


def test_one_restore_at_a_time_into_a_postgresql_database(postgres_final: str) -> None:
    place = postgres_place(postgres_final)
    with place.begin(), pytest.raises(Refused, match="under way"), postgres_place(postgres_final).begin():
        pass
    with place.begin():
        pass


def test_a_postgresql_database_that_is_not_empty_is_refused(postgres_source: str) -> None:
    with pytest.raises(Refused, match="not empty"), postgres_place(postgres_source).begin():
        pass
    assert scalar(postgres_source, "SELECT count(*) FROM customer") == 2


def test_a_postgresql_database_that_was_filled_meanwhile_is_not_replaced(
    postgres_source: str, new_postgres_database: Callable[[], str]
) -> None:
    postgres_final = new_postgres_database()
    place = postgres_place(postgres_final)
    with place.begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_PLAIN, {"db": dumped(postgres_source)}))
        rows(postgres_final, "CREATE TABLE mine (id int)")
        with pytest.raises(Refused, match="no longer empty"):
            staging.release()
    assert rows(postgres_final, "SELECT * FROM mine") == []
    assert postgres_databases(postgres_final, place.final) == {place.final: None}


def test_a_killed_restore_into_postgresql_leaves_nothing_unclean_and_can_be_repeated(
    postgres_source: str, new_postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    final = new_postgres_database()
    place = postgres_place(final)
    arguments = loaded_from(Form.PG_DUMP_PLAIN, {"db": dumped(postgres_source)})
    # a killed process does not tidy up
    monkeypatch.setattr(PostgresStaging, "leave", PostgresStaging._close_stores)

    def restore() -> None:
        with place.begin() as staging:
            staging.load(*arguments)
            for _ in staging.store().erase(rows_of("c-1")):
                continue
            staging.release()

    for owner, step, acts in (
        (PostgresStaging, "load", True),
        (PostgresPlace, "_mark", True),
        (PostgresPlace, "give_way", False),
        (PostgresPlace, "give_way", True),
        (PostgresPlace, "publish", True),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(owner, step, killed(getattr(owner, step), acts=acts))
            with pytest.raises(Killed):
                restore()
        found = postgres_databases(final, place.final)
        if step != "publish":
            assert place.staging in found
            if place.final in found:
                assert rows(final, "SELECT relname FROM pg_class WHERE relname = 'customer'") == []
    assert found == {place.final: None}
    with pytest.raises(Refused, match="not empty"):
        restore()
    assert rows(final, "SELECT id FROM customer") == [("c-2",)]


def killed(original: Callable[..., None], *, acts: bool) -> Callable[..., None]:
    """The same, killed before it or after it."""

    def instead(*given: object) -> None:
        if acts:
            original(*given)
        raise Killed

    return instead


def test_a_release_killed_with_the_empty_database_closed_is_undone_by_the_next(postgres_database: str) -> None:
    postgres_final = postgres_database
    place = postgres_place(postgres_final)
    closed = "COMMENT ON DATABASE {0} IS 'retention: empty, and closed while a restored database takes its name'"
    maintenance = sibling(postgres_final, "postgres")
    rows(maintenance, f"ALTER DATABASE {place.final} ALLOW_CONNECTIONS false", closed.format(place.final))
    with place.begin():
        assert rows(postgres_final, "SELECT 1") == [(1,)]


def test_a_database_of_somebody_else_under_the_staging_name_is_not_dropped(postgres_final: str) -> None:
    place = postgres_place(postgres_final)
    maintenance = sibling(postgres_final, "postgres")
    rows(maintenance, f'CREATE DATABASE "{place.staging}" TEMPLATE template0')
    try:
        rows(sibling(postgres_final, place.staging), "CREATE TABLE mine (id int)")
        with pytest.raises(Refused, match="taken"), place.begin():
            pass
        assert rows(sibling(postgres_final, place.staging), "SELECT * FROM mine") == []
    finally:
        rows(maintenance, f'DROP DATABASE "{place.staging}"')


def test_a_missing_program_is_named_with_its_package(postgres_source: str, postgres_final: str, tmp_path: Path) -> None:
    place = PostgresPlace("restored", postgres_final, Programs(tmp_path))
    with pytest.raises(Refused, match="install the package postgresql-client"), place.begin() as staging:
        staging.load(*loaded_from(Form.PG_DUMP_CUSTOM, {"db": dumped(postgres_source, "--format=custom")}))


def test_a_place_takes_only_its_own_kind(postgres_final: str, tmp_path: Path) -> None:
    place = postgres_place(postgres_final)
    places: list[RestorePlace] = [place, FolderPlace("f", tmp_path)]
    assert [each.takes for each in places] == [Content.ROWS, Content.FILES]
    with pytest.raises(Refused, match="mysql-dump"), place.begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": b""}))


# -------------------------------------------------------------------------------------------------------- MariaDB

MARIADB_SCHEMA = (
    "CREATE TABLE customer (id varchar(20) PRIMARY KEY, name text, photo blob) CHARACTER SET utf8mb4",
    "CREATE TABLE note (id int AUTO_INCREMENT PRIMARY KEY, customer_id varchar(20) NOT NULL, body text, "
    "FOREIGN KEY (customer_id) REFERENCES customer (id)) CHARACTER SET utf8mb4",
    "CREATE TABLE audit (what text)",
    r"INSERT INTO customer VALUES ('c-1', '王小明', x'00ff5c273b0a'), ('c-2', 'a`;\n\\! touch x\nsource y\n', NULL)",
    "INSERT INTO note (customer_id, body) VALUES ('c-1', '一;''--/*'), ('c-2', '*/;;# \"'), ('c-2', NULL)",
    "CREATE VIEW names AS SELECT name FROM customer",
    "CREATE VIEW more_names AS SELECT name FROM names",
    "CREATE TRIGGER noting AFTER DELETE ON customer FOR EACH ROW BEGIN INSERT INTO audit VALUES ('gone; x'); "
    "/* one; */ INSERT INTO audit VALUES (OLD.id); END",
    "CREATE FUNCTION doubled(x int) RETURNS int DETERMINISTIC BEGIN DECLARE y int; SET y = x * 2; RETURN y; END",
    "CREATE PROCEDURE nothing() SELECT 1",
    "CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM audit",
    "CREATE SEQUENCE numbers START WITH 7",
)


@pytest.fixture(scope="module")
def mariadb_source(mariadb_url: str) -> Iterator[str]:
    with databases.fresh_database(mariadb_url) as url:
        rows(url, *MARIADB_SCHEMA)
        yield url


@pytest.fixture
def mariadb_final(new_mariadb_database: Callable[[], str]) -> str:
    return new_mariadb_database()


def mariadb_dumped(url: str, *options: str) -> bytes:
    parts = make_url(url)
    where = [f"--host={parts.host}", f"--port={parts.port or 3306}", f"--user={parts.username}", "--protocol=tcp"]
    return output_of([mariadb_dump(), "--no-defaults", *where, *options, str(parts.database)], url)


def schemas_of(url: str, like: str) -> list[object]:
    found = rows(url, f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{like}%%'")
    return [name for (name,) in found]


MARIADB_OPTIONS = {
    "a plain dump": (),
    "a dump of everything": ("--routines", "--events", "--triggers"),
    "a dump that makes its database": ("--routines", "--databases"),
    "a dump row by row": ("--routines", "--skip-extended-insert", "--complete-insert", "--hex-blob"),
    "a compact dump": ("--routines", "--compact"),
    "a dump in one transaction": ("--routines", "--single-transaction", "--no-autocommit", "--insert-ignore"),
}


@pytest.mark.parametrize("options", MARIADB_OPTIONS.values(), ids=MARIADB_OPTIONS.keys())
def test_a_mariadb_dump_comes_back_without_the_deleted_customer(
    options: tuple[str, ...], mariadb_source: str, mariadb_final: str
) -> None:
    content = mariadb_dumped(mariadb_source, *options)
    assert b"DEFINER=" in content
    content = content.replace(b"DEFINER=`root`@", b"DEFINER=`nobody here`@")
    place = MariaDbPlace("restored", mariadb_final)
    with place.begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db.gz": gzip.compress(content)}))
        store = staging.store()
        assert [len(batch) for batch in store.erase(rows_of("c-1"))] == [1, 1]
        assert list(store.remains(rows_of("c-1"))) == []
        assert staging.forget(lambda path: False) == 0
        assert rows(mariadb_final, "SHOW TABLES") == []
        staging.release()
        staging.release()
    assert rows(mariadb_final, "SELECT * FROM customer") == [("c-2", "a`;\n\\! touch x\nsource y\n", None)]
    assert rows(mariadb_final, "SELECT id, body FROM note ORDER BY id") == [(2, '*/;;# "'), (3, None)]
    assert scalar(mariadb_final, "SELECT count(*) FROM more_names") == 1
    assert rows(mariadb_final, "SELECT * FROM audit") == []
    assert scalar(mariadb_final, "SELECT NEXTVAL(numbers)") == 7
    if "--routines" in options:
        assert scalar(mariadb_final, "SELECT doubled(2)") == 4
    rows(mariadb_final, "DELETE FROM note", "DELETE FROM customer")
    assert rows(mariadb_final, "SELECT * FROM audit ORDER BY 1") == [("c-2",), ("gone; x",)]
    keys = rows(mariadb_final, "SHOW CREATE TABLE note")[0][1]
    assert "REFERENCES `customer` (`id`)" in str(keys)
    assert schemas_of(mariadb_final, place.final) == [place.final]
    assert (MARK,) not in rows(mariadb_final, "SHOW TABLES")


def test_hostile_and_cut_dumps_of_mariadb_are_refused_and_nothing_is_left(
    mariadb_source: str, mariadb_final: str, new_mariadb_database: Callable[[], str], tmp_path: Path
) -> None:
    other = str(make_url(new_mariadb_database()).database)
    file, place = tmp_path / "touched", MariaDbPlace("restored", mariadb_final)
    whole = mariadb_dumped(mariadb_source)
    dumps = [whole[: int(len(whole) * share)] for share in (0.2, 0.5, 0.8, 0.98)]
    for line in HOSTILE_TO_MARIADB.values():
        hostile = b"CREATE TABLE IF NOT EXISTS `t` (`id` int);\n" + line
        dumps.append(hostile.replace(b"{file}", str(file).encode()).replace(b"{other}", other.encode()))
    with place.begin() as staging:
        for dump in dumps:
            with pytest.raises(Refused) as refusal:
                staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": dump}))
            assert "touch" not in str(refusal.value)
            assert "王" not in str(refusal.value)
    assert not file.exists()
    assert schemas_of(mariadb_final, other) == [other]
    assert schemas_of(mariadb_final, place.final) == [place.final]
    assert rows(mariadb_final, "SHOW TABLES") == []


def test_a_table_that_keeps_its_rows_in_another_database_is_refused(mariadb_final: str) -> None:
    dump = b"CREATE TABLE `t` (`id` int) ENGINE=MERGE UNION=(`elsewhere`.`t`);\n"
    with pytest.raises(Refused, match="engine"), MariaDbPlace("restored", mariadb_final).begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": dump}))


def test_one_restore_at_a_time_into_a_mariadb_database(mariadb_final: str) -> None:
    place = MariaDbPlace("restored", mariadb_final)
    with place.begin(), pytest.raises(Refused, match="under way"), place.begin():
        pass


def test_a_mariadb_database_that_is_not_empty_or_filled_meanwhile_keeps_what_it_has(
    mariadb_source: str, mariadb_final: str
) -> None:
    with pytest.raises(Refused, match="not empty"), MariaDbPlace("restored", mariadb_source).begin():
        pass
    with MariaDbPlace("restored", mariadb_final).begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": mariadb_dumped(mariadb_source)}))
        rows(mariadb_final, "CREATE TABLE customer (mine int)")
        with pytest.raises(Refused, match="not empty"):
            staging.release()
        with pytest.raises(Exception, match=r".*"):
            staging._move()  # as if it had been filled between the look and the move
    assert rows(mariadb_final, "SHOW TABLES") == [("customer",)]


def test_a_final_mariadb_database_that_is_absent_is_made(mariadb_source: str, mariadb_final: str) -> None:
    place = MariaDbPlace("restored", mariadb_final)
    rows(sibling(mariadb_final, ""), f"DROP DATABASE {place.final}")
    with place.begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": mariadb_dumped(mariadb_source)}))
        staging.release()
    assert scalar(mariadb_final, "SELECT count(*) FROM customer") == 2


@pytest.mark.parametrize("tidies", [True, False], ids=["with an exception", "without a chance to tidy up"])
@pytest.mark.parametrize("step", ["_load", "_move", "_make_later"])
def test_a_killed_restore_into_mariadb_leaves_nothing_unclean_and_can_be_repeated(
    step: str, tidies: bool, mariadb_source: str, mariadb_final: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = MariaDbPlace("restored", mariadb_final)
    arguments = loaded_from(Form.MYSQL_DUMP, {"db": mariadb_dumped(mariadb_source, "--routines")})
    original = getattr(MariaDbStaging, step)

    def restore() -> None:
        with place.begin() as staging:
            staging.load(*arguments)
            for _ in staging.store().erase(rows_of("c-1")):
                continue
            staging.release()

    def killed(*given: object) -> None:
        original(*given)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(MariaDbStaging, step, killed)
        if not tidies:
            patched.setattr(MariaDbStaging, "leave", MariaDbStaging._close_stores)
        with pytest.raises(Killed):
            restore()
    if (MARK,) in rows(mariadb_final, "SHOW TABLES"):
        assert rows(mariadb_final, "SELECT id FROM customer") == [("c-2",)]
    with place.begin() as staging:
        assert rows(mariadb_final, "SHOW TABLES") == []
        staging.load(*arguments)
        staging.release()
    assert schemas_of(mariadb_final, place.final) == [place.final]
    assert scalar(mariadb_final, "SELECT doubled(4)") == 8


def test_a_trigger_that_cannot_be_made_releases_nothing(mariadb_source: str, mariadb_final: str) -> None:
    content = mariadb_dumped(mariadb_source).replace(b"VIEW `names` AS select", b"VIEW `names` AS select nonsense,")
    with MariaDbPlace("restored", mariadb_final).begin() as staging:
        staging.load(*loaded_from(Form.MYSQL_DUMP, {"db": content}))
        with pytest.raises(Refused, match=r"line \d+: the database refuses the statement"):
            staging.release()
    assert rows(mariadb_final, "SHOW TABLES") == []


# -------------------------------------------------------------------------------------------------------- buckets


@pytest.fixture
def settings(s3_endpoint: str) -> Callable[[str], S3Settings]:
    def of(name: str) -> S3Settings:
        return S3Settings(name, "us-east-1", s3_endpoint, "test", "test", tries=1)

    return of


def test_a_bucket_gets_what_was_staged_and_not_forgotten(
    s3_client: S3Client,
    s3_bucket: str,
    settings: Callable[[str], S3Settings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket_module, "PART_SIZE", 5 * 1024 * 1024)
    large = bytes(range(256)) * 24_000
    contents = {"c-1/a": b"one", "c-2/照片": b"two", "c-2/large": large, "c-2/none": b"", "other": b"x", "c-2/": b""}
    place = BucketPlace("restored", settings(s3_bucket), "back/", scratch=tmp_path)
    s3_client.put_object(Bucket=s3_bucket, Key="elsewhere", Body=b"x")
    with place.begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, contents))
        for _ in staging.store().erase(Prefix("c-1/")):
            continue
        assert staging.forget(lambda path: path.startswith("c-")) == 1
        assert s3_client.list_objects_v2(Bucket=s3_bucket)["KeyCount"] == 1
        staging.release()
        staging.release()
    found = {each["Key"] for each in s3_client.list_objects_v2(Bucket=s3_bucket)["Contents"]}
    assert found == {"elsewhere", "back/c-2/照片", "back/c-2/large", "back/c-2/none"}
    assert s3_client.get_object(Bucket=s3_bucket, Key="back/c-2/large")["Body"].read() == large
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Refused, match="not empty"), place.begin():
        pass


def test_a_bucket_with_an_old_version_or_filled_meanwhile_is_refused(
    s3_client: S3Client, new_s3_bucket: NewBucket, settings: Callable[[str], S3Settings], tmp_path: Path
) -> None:
    old, filled = new_s3_bucket(), new_s3_bucket(versioned=False)
    s3_client.put_object(Bucket=old, Key="a", Body=b"x")
    s3_client.delete_object(Bucket=old, Key="a")
    with pytest.raises(Refused, match="not empty"), BucketPlace("r", settings(old), scratch=tmp_path).begin():
        pass
    with BucketPlace("r", settings(filled), scratch=tmp_path).begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
        s3_client.put_object(Bucket=filled, Key="b", Body=b"x")
        with pytest.raises(Refused, match="not empty"):
            staging.release()
    assert [each["Key"] for each in s3_client.list_objects_v2(Bucket=filled)["Contents"]] == ["b"]


def test_a_bucket_without_a_release_stays_empty(
    s3_client: S3Client, s3_bucket: str, settings: Callable[[str], S3Settings], tmp_path: Path
) -> None:
    place = BucketPlace("restored", settings(s3_bucket), scratch=tmp_path)
    with place.begin() as staging:
        staging.load(*loaded_from(Form.PLAIN_FILE, {"a": b"1"}))
        with pytest.raises(Refused, match="under way"), place.begin():
            pass
    assert s3_client.list_objects_v2(Bucket=s3_bucket)["KeyCount"] == 0
    assert list(tmp_path.iterdir()) == []
