"""What a file is, by how it begins."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from storage_adapters.backups.contract import Form
from storage_adapters.backups.forms import HEAD_LENGTH, recognise


def _archive(form: int) -> bytes:
    return b"PGDMP" + bytes((1, 14, 0, 4, 8, form)) + bytes(600)


def _tar(member: str, content: bytes, form: int = tarfile.PAX_FORMAT) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=form) as archive:
        info = tarfile.TarInfo(member)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


POSTGRES = b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n"
CLUSTER = b"--\n-- PostgreSQL database cluster dump\n--\n\n"
MYSQL = b"-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n"
MARIADB = b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n--\n"


@pytest.mark.parametrize(
    ("path", "head", "form"),
    [
        pytest.param("db.dump", _archive(1), Form.PG_DUMP_CUSTOM, id="an archive in one file is the custom format"),
        pytest.param("a/toc.dat", _archive(5), Form.PG_DUMP_DIRECTORY, id="toc.dat stands for a directory"),
        pytest.param("a/toc.dat", _archive(3), Form.PG_DUMP_DIRECTORY, id="toc.dat unpacked from a tar too"),
        pytest.param(
            "renamed", _archive(5), Form.PG_DUMP_DIRECTORY, id="a renamed toc.dat is known by its format byte"
        ),
        pytest.param("toc.dat.bak", _archive(1), Form.PG_DUMP_CUSTOM, id="a name that only looks like toc.dat is none"),
        pytest.param("db.sql", POSTGRES, Form.PG_DUMP_PLAIN, id="pg_dump's text is known by its first lines"),
        pytest.param("db.sql", POSTGRES.replace(b"\n", b"\r\n"), Form.PG_DUMP_PLAIN, id="pg_dump's text with CRLF"),
        pytest.param("all.sql", CLUSTER, Form.PG_DUMP_PLAIN, id="pg_dumpall's text is text of pg_dump"),
        pytest.param("db.sql.gz", gzip.compress(POSTGRES), Form.PG_DUMP_PLAIN, id="gzipped text is looked through"),
        pytest.param("db.sql", MYSQL, Form.MYSQL_DUMP, id="mysqldump's text"),
        pytest.param("db.sql", MARIADB, Form.MYSQL_DUMP, id="mariadb-dump's text begins with the sandbox line"),
        pytest.param("db.sql", MARIADB[:43], Form.MYSQL_DUMP, id="the sandbox line alone is enough"),
        pytest.param("db.gz", gzip.compress(MARIADB), Form.MYSQL_DUMP, id="mariadb-dump's text gzipped"),
        pytest.param("f.tar", _tar("a/b", b"x"), Form.TAR, id="a tar of POSIX"),
        pytest.param("f.tar", _tar("a/b", b"x", tarfile.GNU_FORMAT), Form.TAR, id="a tar of GNU"),
        pytest.param("f.tgz", gzip.compress(_tar("a/b", b"x")), Form.TAR, id="a gzipped tar"),
        pytest.param("f.tar", _tar("toc.dat", b"x"), Form.TAR, id="a tar with a toc.dat that is none is a tar"),
        pytest.param("f.tar", _tar("toc.dat", _archive(3)), Form.PG_DUMP_CUSTOM, id="pg_dump's tar format is no tar"),
        pytest.param("db.dump.gz", gzip.compress(_archive(1)), Form.PG_DUMP_CUSTOM, id="a gzipped archive"),
        pytest.param("x.gz", gzip.compress(b"hello"), Form.PLAIN_FILE, id="gzip of anything else is a plain file"),
        pytest.param("x.gz", b"\x1f\x8b\x08\x00broken", Form.PLAIN_FILE, id="damaged gzip is a plain file"),
        pytest.param("db.sql", b"", Form.PLAIN_FILE, id="an empty file is a plain file whatever its name"),
        pytest.param("db.sql", b"SELECT '-- PostgreSQL database dump\n';", Form.PLAIN_FILE, id="the words elsewhere"),
    ],
)
def test_a_file_is_what_its_beginning_says(path: str, head: bytes, form: Form) -> None:
    assert recognise(path, head[:HEAD_LENGTH]) is form


def test_the_head_of_a_large_gzipped_dump_is_enough() -> None:
    noise = b"".join(str(number * 2_654_435_761).encode() for number in range(50_000))
    assert recognise("db.sql.gz", gzip.compress(POSTGRES + noise)[:HEAD_LENGTH]) is Form.PG_DUMP_PLAIN
