"""pg_dump's plain format: SQL text with rows between, read and rewritten line by line.

Source: PostgreSQL, src/bin/pg_dump/pg_backup_archiver.c (RestoreArchive) and pg_dump.c (dumpTableData).
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from storage_adapters.backups.dumps.copy_text import END
from storage_adapters.backups.dumps.passes import RowFilter, RowPass
from storage_adapters.backups.dumps.schema import CopyHead, DumpSchema, label
from storage_adapters.backups.dumps.sql_text import StatementEnds
from storage_adapters.backups.dumps.streams import Reading, Source, is_gzipped, opened, packed
from storage_adapters.backups.dumps.trouble import Unfit

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_COMPLETE = b"-- PostgreSQL database dump complete\n"
_CLUSTER = b"-- PostgreSQL database cluster dump"
_RESTRICT = re.compile(rb"\\(?:un)?restrict (\S+)\n")
_CONNECT = b"\\connect "
_LONGEST_STATEMENT = 16 << 20
_TELLING = re.compile(rb"SET |ALTER TABLE |CREATE (?:UNLOGGED )?TABLE |CREATE DOMAIN |CREATE COLLATION ")
_LARGE_OBJECT = re.compile(rb"SELECT (?:pg_catalog\.)?(?:lo_create|lo_open|lowrite|lo_from_bytea)\(")
_END_LINE = END + b"\n"


class PlainDump:
    """A dump in SQL text, gzipped or not. A row, and a line of anything else, is held in memory as a whole."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read_schema(self) -> DumpSchema:
        """What the dump defines; all of it is read. Raises Unfit where it is cut off or cannot be rewritten."""
        schema = DumpSchema()
        with opened(self._source) as stream:
            _Course(stream, schema).run()
        return schema

    def visit(self, rows: RowPass) -> None:
        """Show every row to the pass."""
        with opened(self._source) as stream:
            _Course(stream, DumpSchema(), rows).run()

    def rewrite(self, rows: RowPass, target: BinaryIO) -> None:
        """Write the dump without the rows that the pass leaves out; everything else stays byte for byte."""
        with (
            opened(self._source) as stream,
            packed(target, is_gzip=is_gzipped(self._source)) as out,
            io.BufferedWriter(_Unclosed(out), 1 << 18) as buffered,
        ):
            _Course(stream, DumpSchema(), rows, buffered).run()


class _Unclosed(io.RawIOBase):
    """Writes to a stream that stays open."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        piece = bytes(data)
        self._target.write(piece)
        return len(piece)


_Buffered: TypeAlias = "io.BufferedWriter[_Unclosed]"


class _Course:
    """One reading of the dump from its beginning to its end."""

    def __init__(
        self,
        stream: Reading,
        schema: DumpSchema,
        rows: RowPass | None = None,
        out: _Buffered | None = None,
    ) -> None:
        self._stream = stream
        self._schema = schema
        self._rows = rows
        self._out = out
        self._ends = StatementEnds()
        self._statement = bytearray()
        self._is_telling = False
        self._restricted_by: bytes | None = None
        self._connects = 0

    def run(self) -> None:
        """Read to the end. Raises Unfit where the dump does not end as pg_dump ends it."""
        while line := self._stream.readline():
            if not self._ends.is_between:
                self._go_on(line)
            elif line.startswith(b"COPY "):
                self._copy(line)
            elif line == _COMPLETE:
                self._write(line)
                self._finish()
                return
            else:
                self._begin(line)
            if len(self._statement) > _LONGEST_STATEMENT:
                raise Unfit("a definition in the dump is too long to be read")
        raise Unfit("the dump is cut off: its last line is not there")

    def _begin(self, line: bytes) -> None:
        """A line between two statements."""
        if line.startswith(b"INSERT INTO "):
            raise Unfit("it was made with --inserts; only dumps with COPY are rewritten")
        if line.startswith(_CLUSTER):
            raise Unfit("it is a dump of a whole cluster; only dumps of one database are rewritten")
        if line.startswith(b"\\"):
            self._command(line)
            return
        self._schema.has_large_objects |= _LARGE_OBJECT.match(line) is not None
        self._is_telling = _TELLING.match(line) is not None
        self._statement.clear()
        self._go_on(line)

    def _go_on(self, line: bytes) -> None:
        self._write(line)
        self._ends.feed(line)
        if self._is_telling:
            self._statement += line
            if self._ends.is_between:
                self._schema.read(self._statement.decode(errors="surrogateescape"))
                self._statement.clear()
                self._is_telling = False

    def _command(self, line: bytes) -> None:
        """A command to psql."""
        found = _RESTRICT.fullmatch(line)
        if found is not None:
            self._restricted_by = found[1] if line.startswith(b"\\restrict") else None
        elif line.startswith(_CONNECT) and not self._connects:
            self._connects += 1
        else:
            raise Unfit("it holds several databases, or commands that pg_dump does not write")
        self._write(line)

    def _copy(self, line: bytes) -> None:
        head = self._schema.read_copy(line.decode(errors="surrogateescape"))
        self._write(line)
        seen = self._rows.table(head) if self._rows is not None else None
        if not self._copy_rows(head, seen):
            raise Unfit(f"the dump is cut off within the rows of {label(head.table)}")

    def _copy_rows(self, head: CopyHead, seen: RowFilter | None) -> bool:
        """Whether the rows ended."""
        write = self._out.write if self._out is not None else None
        goes = seen.goes if seen is not None else None
        for line in self._stream:
            if line == _END_LINE:
                self._write(line)
                return True
            if line[-1:] != b"\n":
                return False
            if line[-2:-1] == b"\r":
                raise Unfit(f"rows of {label(head.table)} end in carriage returns; write the dump with plain line ends")
            if (goes is None or not goes(line[:-1])) and write is not None:
                write(line)
        return False

    def _finish(self) -> None:
        """What pg_dump writes last, and nothing after it."""
        rest = [b"--\n", b"\n"]
        if self._restricted_by is not None:
            rest += [b"\\unrestrict " + self._restricted_by + b"\n", b"\n"]
        expected = b"".join(rest)
        found = self._stream.read(len(expected) + 1)
        if found != expected:
            raise Unfit("the dump does not end as pg_dump ends it: it is cut off, or something follows")
        self._write(found)

    def _write(self, data: bytes) -> None:
        if self._out is not None:
            self._out.write(data)
