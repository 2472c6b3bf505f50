"""Dumps in SQL text, without a database: what is refused, what a full disk is, and how much memory is used."""

from __future__ import annotations

import errno
import io
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from storage_adapters.backups.contract import Form
from storage_adapters.backups.dumps import Source, count_rows, rewrite_dump
from storage_adapters.contract import Prefix, Rows, TablePlace
from storage_adapters.errors import NotFound, Refused, Unavailable

BEGIN = b"--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n"
TABLE = b"CREATE TABLE public.note (\n    id integer NOT NULL,\n    owner text,\n    body text\n);\n"
COPY = b"COPY public.note (id, owner, body) FROM stdin;\n"
ROWS = b"1\tc-1\tx\n2\tc-2\ty\n3\t\\N\tz\n"
END = b"\\.\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
DUMP = BEGIN + TABLE + COPY + ROWS + END
REMOVAL = Rows((TablePlace("note", customer_column="owner"),), "c-1")


def _source(data: bytes) -> Source:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        yield io.BytesIO(data)

    return opened


def test_only_the_customers_rows_are_missing(tmp_path: Path) -> None:
    target = io.BytesIO()
    counts = rewrite_dump(Form.PG_DUMP_PLAIN, _source(DUMP), target, [REMOVAL], tmp_path)
    assert target.getvalue() == DUMP.replace(b"1\tc-1\tx\n", b"")
    assert counts.removed == {"note": 1}


@pytest.mark.parametrize(
    ("statement", "unlisted"),
    [
        pytest.param(b"SELECT pg_catalog.lo_create('16400');\n", ("large objects",), id="made"),
        pytest.param(b"SELECT pg_catalog.lo_open('16400', 131072);\n", ("large objects",), id="written"),
        pytest.param(b"COMMENT ON TABLE public.note IS '\nSELECT pg_catalog.lo_create(1);';\n", (), id="only quoted"),
    ],
)
def test_large_objects_belong_to_nobody_that_is_listed(
    statement: bytes, unlisted: tuple[str, ...], tmp_path: Path
) -> None:
    dump = DUMP.replace(TABLE, TABLE + b"\n" + statement)
    assert count_rows(Form.PG_DUMP_PLAIN, _source(dump), [REMOVAL], tmp_path).unlisted == unlisted


@pytest.mark.parametrize(
    ("dump", "reason"),
    [
        pytest.param(b"", "cut off", id="nothing"),
        pytest.param(DUMP + b"SELECT 1;\n", "something follows", id="something after the end"),
        pytest.param(DUMP.replace(b"2\tc-2\ty", b"2\tc-2"), "row 2 of note", id="a row with too few columns"),
        pytest.param(DUMP.replace(END, b""), "within the rows of note", id="rows without an end"),
        pytest.param(DUMP.replace(b" FROM stdin;", b" WITH OIDS FROM stdin;"), "a form that", id="rows with OIDs"),
        pytest.param(DUMP.replace(ROWS, ROWS.replace(b"\n", b"\r\n")), "carriage returns", id="Windows line ends"),
        pytest.param(DUMP.replace(b"UTF8", b"GBK"), "only dumps in UTF8", id="an encoding with stray backslashes"),
        pytest.param(DUMP.replace(b"text,", b"jsonb,"), "names no customer", id="a customer column of another type"),
        pytest.param(DUMP.replace(b"    owner", b"    other"), "no column owner", id="no customer column"),
        pytest.param(DUMP.replace(TABLE, b""), "without its definition", id="no definition"),
        pytest.param(DUMP.replace(TABLE, b"INSERT INTO x VALUES (1);\n"), "--inserts", id="inserts"),
        pytest.param(DUMP.replace(TABLE, b"\\connect a\n\\connect b\n"), "several databases", id="two databases"),
        pytest.param(DUMP.replace(TABLE, b"SELECT 'a\n"), "cut off", id="a text that never ends"),
    ],
)
def test_what_is_unfit_is_refused_with_the_reason(dump: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        rewrite_dump(Form.PG_DUMP_PLAIN, _source(dump), io.BytesIO(), [REMOVAL], tmp_path, store="nightly")
    assert caught.value.store == "nightly"
    assert "c-1" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "form", [Form.MYSQL_DUMP, Form.PG_DUMP_DIRECTORY, Form.PLAIN_FILE, Form.SNAPSHOT, Form.PG_DUMP_CUSTOM]
)
def test_what_is_not_such_a_dump_is_refused(form: Form, tmp_path: Path) -> None:
    for data in (b"", DUMP):
        with pytest.raises(Refused):
            rewrite_dump(form, _source(data), io.BytesIO(), [REMOVAL], tmp_path)


def test_files_are_not_removed_from_a_database(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only rows"):
        count_rows(Form.PG_DUMP_PLAIN, _source(DUMP), [Prefix("c-1/")], tmp_path)


class _Full(io.BytesIO):
    def write(self, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the disk is full: ENOSPC"):
        rewrite_dump(Form.PG_DUMP_PLAIN, _source(DUMP), _Full(), [REMOVAL], tmp_path)


def test_errors_of_the_store_that_is_read_pass_as_they_are(tmp_path: Path) -> None:
    def gone() -> AbstractContextManager[BinaryIO]:
        raise NotFound("other", "it is gone")

    with pytest.raises(NotFound, match="other: it is gone"):
        count_rows(Form.PG_DUMP_PLAIN, gone, [REMOVAL], tmp_path)


class _Endless:
    """A dump of `count` rows of about a kilobyte, made while it is read; every second row is the customer's."""

    def __init__(self, count: int) -> None:
        body = b"x" * 1000
        rows = (b"%d\tc-%d\t%s\n" % (number, number % 2, body) for number in range(count))
        self._pieces = iter([BEGIN + TABLE + COPY])
        self._rows = rows
        self._end = iter([END])
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size:
            piece = next(self._pieces, None) or b"".join(islice(self._rows, 1000))
            piece = piece or next(self._end, b"")
            if not piece:
                break
            self._left += piece
        data, self._left = self._left[:size], self._left[size:]
        return data


class _Nowhere:
    written = 0

    def write(self, data: bytes) -> int:
        self.written += len(data)
        return len(data)


def test_memory_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    @contextmanager
    def opened() -> Iterator[BinaryIO]:
        yield cast(BinaryIO, _Endless(50_000))

    target = _Nowhere()
    tracemalloc.start()
    try:
        counts = rewrite_dump(Form.PG_DUMP_PLAIN, opened, cast(BinaryIO, target), [REMOVAL], tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.removed == {"note": 25_000}
    assert target.written > 25_000_000
    assert peak < 16 << 20


OLD = (
    BEGIN
    + b"SET search_path = app, pg_catalog;\n\n"
    + b"CREATE TABLE account (\n    id integer NOT NULL,\n    owner text\n);\n"
    + b"CREATE TABLE session (\n    id integer NOT NULL,\n    account integer,\n    parent integer\n);\n"
    + b"COPY session (id, account, parent) FROM stdin;\n10\t1\t\\N\n11\t2\t\\N\n12\t\\N\t\\N\n\\.\n\n\n"
    + b"COPY account (id, owner) FROM stdin;\n1\tc-1\n2\tc-2\n\\.\n\n\n"
    + b"ALTER TABLE ONLY session\n    ADD CONSTRAINT s_a FOREIGN KEY (account) REFERENCES account(id);\n"
    + b"ALTER TABLE ONLY session\n    ADD CONSTRAINT s_s FOREIGN KEY (parent) REFERENCES session(id);\n\n"
    + END[5:]
)
OLD_REMOVAL = Rows(
    (TablePlace("app.account", customer_column="owner"), TablePlace("app.session", through="app.account")), "c-1"
)


def test_a_dump_of_old_with_a_search_path_is_followed_though_children_come_first(tmp_path: Path) -> None:
    target = io.BytesIO()
    counts = rewrite_dump(Form.PG_DUMP_PLAIN, _source(OLD), target, [OLD_REMOVAL], tmp_path)
    assert counts.removed == {"app.account": 1, "app.session": 1}
    assert target.getvalue() == OLD.replace(b"10\t1\t\\N\n", b"").replace(b"1\tc-1\n", b"")


def test_a_row_of_the_same_table_that_stays_and_points_at_one_that_goes_is_refused(tmp_path: Path) -> None:
    dump = OLD.replace(b"11\t2\t\\N", b"11\t2\t10")
    with pytest.raises(Refused, match=r"app\.session that stay point at rows of app\.session that go"):
        rewrite_dump(Form.PG_DUMP_PLAIN, _source(dump), io.BytesIO(), [OLD_REMOVAL], tmp_path)
    both = [OLD_REMOVAL, Rows(OLD_REMOVAL.tables, "c-2")]
    assert rewrite_dump(Form.PG_DUMP_PLAIN, _source(dump), io.BytesIO(), both, tmp_path).removed_count == 4


def test_circles_of_tables_that_go_through_one_another_are_refused(tmp_path: Path) -> None:
    circle = b"ALTER TABLE ONLY account\n    ADD CONSTRAINT a_s FOREIGN KEY (id) REFERENCES session(id);\n"
    dump = OLD.replace(b"ALTER TABLE", circle + b"ALTER TABLE", 1)
    tables = (TablePlace("app.account", through="app.session"), TablePlace("app.session", through="app.account"))
    with pytest.raises(Refused, match="go through one another"):
        count_rows(Form.PG_DUMP_PLAIN, _source(dump), [Rows(tables, "c-1")], tmp_path)
