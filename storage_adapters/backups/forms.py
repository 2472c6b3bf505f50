"""What a file of a backup set is, by how it begins; by its name only where its beginning cannot say."""

from __future__ import annotations

import re
import zlib

from storage_adapters.backups.contract import Form

HEAD_LENGTH = 4096
"""How many bytes of a file's beginning `recognise` needs (a shorter file: all of it)."""

GZIP_MAGIC = b"\x1f\x8b\x08"
ARCHIVE_MAGIC = b"PGDMP"
_USTAR_AT = 257
_BLOCK = 512
_FORMAT_AT = 10  # magic, three bytes of version, sizes of integers and of offsets
_SEPARATE_FILES = (3, 5)  # tar, whose toc.dat says so too, and directory
_INFLATED = 4096
_TABLE_OF_CONTENTS = "toc.dat"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_POSTGRES = re.compile(rb"(?:--\r?\n|\s)*-- PostgreSQL database (?:cluster )?dump\r?\n")
_MYSQL = re.compile(rb"\s*(?:/\*M?!999999\\- enable the sandbox mode \*/\s*)?-- (?:MySQL|MariaDB) dump ")
_SANDBOX = re.compile(rb"\s*/\*M?!999999\\- enable the sandbox mode \*/")


def recognise(path: str, head: bytes) -> Form:
    """The form of the file whose first `HEAD_LENGTH` bytes are `head`. `path` is its name, with or without folders.

    Gzip is looked through, once. `PG_DUMP_CUSTOM` is every single file that pg_restore reads, pg_dump's tar format
    included, and the same file gzipped, which pg_restore reads only when it is inflated. A cluster dump of pg_dumpall
    is `PG_DUMP_PLAIN`. Everything unknown, damaged or empty is `PLAIN_FILE`; nothing is raised.

    Source: PostgreSQL, src/bin/pg_dump/pg_backup_archiver.c (WriteHead); POSIX.1-2017, pax, "ustar Interchange Format".
    """
    if head.startswith(GZIP_MAGIC):
        head = _inflated(head)
    name = path.rpartition("/")[2]
    if head.startswith(ARCHIVE_MAGIC):
        return _archive(name, head)
    if is_tar(head):
        return Form.PG_DUMP_CUSTOM if is_archive_in_tar(head) else Form.TAR
    return _text(head.removeprefix(_BYTE_ORDER_MARK))


def is_tar(head: bytes) -> bool:
    """Whether the bytes begin a tar archive of POSIX or GNU."""
    return head[_USTAR_AT : _USTAR_AT + 5] == b"ustar"


def is_archive_in_tar(head: bytes) -> bool:
    """Whether this beginning of a tar archive is one of pg_dump's tar format: its first member is its toc.dat."""
    is_named = head[:100].rstrip(b"\0") == _TABLE_OF_CONTENTS.encode()
    return is_named and head[_BLOCK : _BLOCK + len(ARCHIVE_MAGIC)] == ARCHIVE_MAGIC


def _archive(name: str, head: bytes) -> Form:
    if name == _TABLE_OF_CONTENTS or head[_FORMAT_AT : _FORMAT_AT + 1] in map(_byte, _SEPARATE_FILES):
        return Form.PG_DUMP_DIRECTORY
    return Form.PG_DUMP_CUSTOM


def _text(head: bytes) -> Form:
    if _POSTGRES.match(head):
        return Form.PG_DUMP_PLAIN
    if _MYSQL.match(head) or _SANDBOX.match(head):
        return Form.MYSQL_DUMP
    return Form.PLAIN_FILE


def _inflated(head: bytes) -> bytes:
    """The beginning of what is gzipped; empty where it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _INFLATED)
    except zlib.error:
        return b""


def _byte(value: int) -> bytes:
    return bytes((value,))
