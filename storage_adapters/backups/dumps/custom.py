"""A dump in pg_dump's custom format, read and rewritten block by block.

Source: PostgreSQL, src/bin/pg_dump/pg_backup_custom.c.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

from storage_adapters.backups.dumps.archive import ArchiveReader, Entry, Head, Placed, check_form, read_head
from storage_adapters.backups.dumps.copy_text import END
from storage_adapters.backups.dumps.passes import RowFilter, RowPass
from storage_adapters.backups.dumps.schema import CopyHead, DumpSchema, label
from storage_adapters.backups.dumps.sql_text import StatementEnds
from storage_adapters.backups.dumps.streams import PIECE, Reading, Source, head_of, is_gzipped, opened, packed
from storage_adapters.backups.dumps.trouble import Unfit

_DATA, _LARGE_OBJECTS = 1, 3
_ROWS = "TABLE DATA"
_OF_LARGE_OBJECTS = frozenset({"BLOB", "BLOB METADATA", "BLOBS"})
_CHUNK = 64 << 10
_DEFINING = frozenset({
    "ENCODING", "STDSTRINGS", "TABLE", "TABLE ATTACH", "CONSTRAINT", "FK CONSTRAINT", "DOMAIN", "COLLATION",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Block:
    """One entry's data: where they lie in the old archive, and where in the scratch file if they were rewritten."""

    dump_id: int
    length: int
    rewritten_at: int | None = None
    rewritten_length: int = 0

    @property
    def new_length(self) -> int:
        return self.length if self.rewritten_at is None else self.rewritten_length


class CustomDump:
    """A dump in one archive file; gzipped as a whole or not. A row is held in memory as a whole."""

    def __init__(self, source: Source, scratch: Path) -> None:
        """Rewritten data wait in an unnamed file in `scratch`. Raises Unfit where the source is no such archive."""
        self._source = source
        self._scratch = scratch
        check_form(head_of(source))

    def read_schema(self) -> DumpSchema:
        """What the dump defines; all of it is read and inflated. Raises Unfit where it is cut off or damaged."""
        schema = DumpSchema()
        with opened(self._source) as stream:
            reader = ArchiveReader(stream)
            head = read_head(reader)
            for entry in head.entries:
                schema.has_large_objects |= entry.kind in _OF_LARGE_OBJECTS
                if entry.kind in _DEFINING:
                    _read_definition(schema, entry)
            for entry in head.entries:
                if entry.kind == _ROWS and entry.placed is not Placed.NO_DATA:
                    _copy_head(schema, entry)
            for _ in _Walk(reader, head, None, None).blocks():
                pass
        return schema

    def visit(self, rows: RowPass) -> None:
        """Show every row to the pass."""
        with opened(self._source) as stream:
            reader = ArchiveReader(stream)
            for _ in _Walk(reader, read_head(reader), rows, None).blocks():
                pass

    def rewrite(self, rows: RowPass, target: BinaryIO) -> None:
        """Write the archive without the rows that the pass leaves out, its offsets set.

        Nothing is written before every row was looked at. Data of tables that lose nothing stay byte for byte.
        """
        with TemporaryFile(dir=self._scratch) as spool:
            with opened(self._source) as stream:
                reader = ArchiveReader(stream)
                head = read_head(reader)
                blocks = list(_Walk(reader, head, rows, spool).blocks())
            with (
                opened(self._source) as stream,
                packed(target, is_gzip=is_gzipped(self._source)) as out,
            ):
                _assemble(head, blocks, stream, spool, out)


def _assemble(head: Head, blocks: Iterable[_Block], stream: Reading, spool: IO[bytes], out: BinaryIO) -> None:
    blocks = list(blocks)
    offsets: dict[int, int] = {}
    at = len(head.raw)
    for block in blocks:
        offsets[block.dump_id] = at
        at += block.new_length
    if stream.read(len(head.raw)) != head.raw:
        raise Unfit("the dump has changed while it was read")
    out.write(head.moved(offsets))
    for block in blocks:
        if block.rewritten_at is None:
            _copy(stream, block.length, out)
        else:
            _copy(stream, block.length, None)
            spool.seek(block.rewritten_at)
            _copy(spool, block.rewritten_length, out)


def _copy(stream: IO[bytes], length: int, out: BinaryIO | None) -> None:
    while length:
        piece = stream.read(min(length, PIECE))
        if not piece:
            raise Unfit("the dump has changed while it was read")
        length -= len(piece)
        if out is not None:
            out.write(piece)


def _read_definition(schema: DumpSchema, entry: Entry) -> None:
    schema.default = entry.schema or schema.default
    ends = StatementEnds()
    statement = ""
    for line in entry.definition.split("\n"):
        statement += line + "\n"
        ends.feed(line.encode(errors="surrogateescape") + b"\n")
        if ends.is_between:
            schema.read(statement.lstrip())
            statement = ""


def _copy_head(schema: DumpSchema, entry: Entry) -> CopyHead:
    if not entry.copy_statement:
        raise Unfit("it was made with --inserts; only dumps with COPY are rewritten")
    schema.default = entry.schema or schema.default
    return schema.read_copy(entry.copy_statement)


class _Walk:
    """One walk over the data of an archive whose head has been read."""

    def __init__(self, reader: ArchiveReader, head: Head, rows: RowPass | None, spool: IO[bytes] | None) -> None:
        self._reader = reader
        self._head = head
        self._rows = rows
        self._spool = spool
        self._schema = DumpSchema()
        self._entries = {entry.dump_id: entry for entry in head.entries if entry.placed is not Placed.NO_DATA}

    def blocks(self) -> Iterator[_Block]:
        """Every entry's data, in their order. Raises Unfit where one is missing, damaged, or there twice."""
        missing = dict(self._entries)
        while missing:
            begin = self._reader.position
            if self._reader.is_at_end():
                raise Unfit(f"the dump is cut off at byte {begin}: data of {len(missing)} entries are missing")
            kind = self._reader.byte()
            dump_id = self._reader.integer()
            entry = missing.pop(dump_id, None)
            if entry is None or (entry.placed is Placed.KNOWN and entry.offset != begin):
                raise self._reader.damaged()
            rewritten_at, length = None, 0
            if kind == _DATA:
                rewritten_at, length = self._data(entry)
            elif kind == _LARGE_OBJECTS:
                self._large_objects()
            else:
                raise self._reader.damaged()
            yield _Block(dump_id, self._reader.position - begin, rewritten_at, length)
        if not self._reader.is_at_end():
            self._contents_again()

    def _contents_again(self) -> None:
        """pg_dump from 16 on, when its output is a file it did not open, appends the table of contents with offsets
        instead of writing it over the first; nobody reads it there, and it is left out."""
        at = self._reader.position
        length = len(self._head.raw) - self._head.contents_at
        if not self._head.is_contents(self._reader.bytes(length)) or not self._reader.is_at_end():
            raise Unfit(f"something follows the last data at byte {at}")

    def _large_objects(self) -> None:
        while self._reader.integer():
            for _ in self._inflated():
                pass

    def _data(self, entry: Entry) -> tuple[int | None, int]:
        """Look through a table's data; where they lie in the spool and how long they are, if they were rewritten."""
        seen: RowFilter | None = None
        name = ""
        if self._rows is not None and entry.kind == _ROWS:
            head = _copy_head(self._schema, entry)
            seen, name = self._rows.table(head), label(head.table)
        pieces = self._inflated()
        if seen is None:
            for _ in pieces:
                pass
            return None, 0
        kept = _kept_rows(pieces, seen, name)
        if self._spool is None or not seen.removes:
            for _ in kept:
                pass
            return None, 0
        begin = self._spool.tell()
        self._spool.write(bytes((_DATA,)) + self._head.integer(entry.dump_id))
        for chunk in _chunks(_deflated(kept, self._head.level)):
            self._spool.write(self._head.integer(len(chunk)) + chunk)
        self._spool.write(self._head.integer(0))
        return begin, self._spool.tell() - begin

    def _inflated(self) -> Iterator[bytes]:
        """The content of the chunks that follow. Raises Unfit where they are cut off or damaged."""
        chunks = self._reader.chunk_pieces()
        if self._head.level is None:
            yield from chunks
            return
        inflating = zlib.decompressobj()
        is_empty = True
        for chunk in chunks:
            is_empty = False
            while chunk:
                yield inflating.decompress(chunk, PIECE)
                chunk = inflating.unconsumed_tail
        while not is_empty and not inflating.eof and (rest := inflating.decompress(b"", PIECE)):
            yield rest
        if not is_empty and (not inflating.eof or inflating.unused_data):
            raise self._reader.damaged()


def _kept_rows(pieces: Iterable[bytes], seen: RowFilter, name: str) -> Iterator[bytes]:
    """The rows that stay, and what follows them. Raises Unfit where the rows do not end."""
    begun: list[bytes] = []  # of a row that is not whole yet
    is_over = False
    for piece in pieces:
        if is_over:
            yield piece
            continue
        if b"\n" not in piece:
            begun.append(piece)
            continue
        *lines, left = b"".join([*begun, piece]).split(b"\n")
        begun = [left]
        rest = b""
        if END in lines:
            at = lines.index(END)
            is_over = True
            rest = b"\n".join([*lines[at:], left])
            lines = lines[:at]
        kept = [line for line in lines if not seen.goes(line)]
        if kept:
            yield b"\n".join(kept) + b"\n"
        if rest:
            yield rest
    if not is_over:
        raise Unfit(f"the dump is damaged: the rows of {name} do not end")


def _deflated(pieces: Iterable[bytes], level: int | None) -> Iterator[bytes]:
    if level is None:
        yield from pieces
        return
    deflating = zlib.compressobj(level)
    for piece in pieces:
        yield deflating.compress(piece)
    yield deflating.flush()


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in chunks of even size."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _CHUNK:
            yield bytes(waiting[:_CHUNK])
            del waiting[:_CHUNK]
    if waiting:
        yield bytes(waiting)
