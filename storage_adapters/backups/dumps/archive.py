"""pg_dump's custom format: its header, its table of contents, and how integers and texts are written in it.

Source: PostgreSQL, src/bin/pg_dump/pg_backup_archiver.c (ReadHead, ReadToc, ReadInt, ReadStr, ReadOffset) and
pg_backup_custom.c (_ReadExtraToc, _StartData, _StartLOs). Archive versions 1.12 (PostgreSQL 9.0) to 1.16 (18).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from storage_adapters.backups.dumps.streams import PIECE, Reading
from storage_adapters.backups.dumps.trouble import Unfit
from storage_adapters.backups.forms import ARCHIVE_MAGIC, is_archive_in_tar, is_tar

OLDEST, NEWEST = (1, 12), (1, 16)
_CUSTOM = 1
_LONGEST_TEXT = 256 << 20
_TIME_FIELDS = 7
_COMPRESSIONS = ("none", "gzip", "lz4", "zstd")
_DEFAULT_LEVEL = 6


class Placed(IntEnum):
    """What the table of contents knows of where an entry's data are."""

    UNKNOWN = 1
    KNOWN = 2
    NO_DATA = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the table of contents. `patch_at`: where in the head its offset is written, the state before it."""

    dump_id: int
    tag: str
    kind: str
    definition: str
    copy_statement: str
    schema: str
    placed: Placed
    offset: int
    patch_at: int


@dataclass(frozen=True, slots=True)
class Head:
    """The archive before its data.

    raw: its bytes. contents_at: where in them the table of contents begins. level: of gzip's compression; None where data
    are not compressed.
    """

    raw: bytes
    contents_at: int
    integer_size: int
    offset_size: int
    level: int | None
    entries: tuple[Entry, ...]

    def integer(self, value: int) -> bytes:
        """A number of at least 0 as the archive writes it."""
        return b"\0" + value.to_bytes(self.integer_size, "little")

    def moved(self, offsets: dict[int, int]) -> bytes:
        """The head with other offsets, by the entries' dump ids; of the same length."""
        raw = bytearray(self.raw)
        for entry in self.entries:
            if entry.dump_id in offsets:
                written = offsets[entry.dump_id].to_bytes(self.offset_size, "little")
                raw[entry.patch_at : entry.patch_at + 1 + self.offset_size] = bytes((Placed.KNOWN,)) + written
        return bytes(raw)

    def is_contents(self, raw: bytes) -> bool:
        """Whether the bytes are the same table of contents, with whatever offsets."""
        return self._blank(self.raw) == self._blank(self.raw[: self.contents_at] + raw)

    def _blank(self, raw: bytes) -> bytes:
        blank = bytearray(raw)
        width = 1 + self.offset_size
        for entry in self.entries:
            if entry.patch_at + width <= len(blank):
                blank[entry.patch_at : entry.patch_at + width] = bytes(width)
        return bytes(blank)


class ArchiveReader:
    """Reads an archive's numbers and texts. `position`: how many bytes were read. `sink` gets everything that is."""

    def __init__(self, stream: Reading) -> None:
        self._stream = stream
        self.position = 0
        self.sink: Callable[[bytes], object] | None = None
        self.integer_size = 4
        self.offset_size = 8

    def bytes(self, count: int) -> bytes:
        """The next bytes. Raises Unfit where the archive ends before."""
        data = self._stream.read(count)
        self.position += len(data)
        if len(data) < count:
            raise Unfit(f"the dump is cut off at byte {self.position}")
        if self.sink is not None:
            self.sink(data)
        return data

    def is_at_end(self) -> bool:
        """Whether nothing follows."""
        return not self._stream.peek(1)

    def byte(self) -> int:
        """The next byte as a number."""
        return self.bytes(1)[0]

    def integer(self) -> int:
        """A number with its sign before it."""
        sign = self.byte()
        value = int.from_bytes(self.bytes(self.integer_size), "little")
        if sign > 1:
            raise self.damaged()
        return -value if sign else value

    def text(self) -> str | None:
        """A text with its length before it; None where there is none."""
        length = self.integer()
        if length < 0:
            return None
        if length > _LONGEST_TEXT:
            raise self.damaged()
        return self.bytes(length).decode(errors="surrogateescape")

    def chunk_pieces(self) -> Chunks:
        """The chunks of data that follow."""
        return Chunks(self)

    def damaged(self) -> Unfit:
        """What to raise where something cannot be so."""
        return Unfit(f"the dump is damaged at byte {self.position}")


class Chunks:
    """Data in chunks with their lengths before them, up to one of length 0, in pieces of bounded size."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader
        self._left = 0

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            self._left = self._reader.integer()
            if self._left < 0:
                raise self._reader.damaged()
            if not self._left:
                raise StopIteration
        piece = self._reader.bytes(min(self._left, PIECE))
        self._left -= len(piece)
        return piece


def read_head(reader: ArchiveReader) -> Head:
    """The header and the table of contents. Raises Unfit for other forms, versions and compressions, and for damage."""
    raw = bytearray()
    reader.sink = raw.extend
    version, level = _read_header(reader)
    contents_at = reader.position
    count = reader.integer()
    if count < 0:
        raise reader.damaged()
    entries = tuple(_read_entry(reader, version) for _ in range(count))
    if len({entry.dump_id for entry in entries}) < count:
        raise reader.damaged()
    reader.sink = None
    return Head(bytes(raw), contents_at, reader.integer_size, reader.offset_size, level, entries)


def check_form(head: bytes) -> None:
    """The content begins as an archive in one file does. Raises Unfit otherwise."""
    if is_tar(head) and is_archive_in_tar(head):
        raise Unfit("it is in pg_dump's tar format, which is not rewritten; use the custom format")
    if not head.startswith(ARCHIVE_MAGIC):
        raise Unfit("it does not begin as an archive of pg_dump")


def _read_header(reader: ArchiveReader) -> tuple[tuple[int, int], int | None]:
    reader.bytes(len(ARCHIVE_MAGIC))
    major, minor, _ = reader.bytes(3)
    version = (major, minor)
    if not OLDEST <= version <= NEWEST:
        raise Unfit(f"archives of version {major}.{minor} are not rewritten, only 1.12 to 1.16")
    reader.integer_size, reader.offset_size, form = reader.bytes(3)
    if form != _CUSTOM:
        raise Unfit("it is not in pg_dump's custom format")
    if not 2 <= reader.integer_size <= 8 or not 2 <= reader.offset_size <= 8:
        raise reader.damaged()
    level = _read_compression(reader, version)
    for _ in range(_TIME_FIELDS):
        reader.integer()
    for _ in ("database", "version of the server", "version of pg_dump"):
        reader.text()
    return version, level


def _read_compression(reader: ArchiveReader, version: tuple[int, int]) -> int | None:
    """The level of gzip; None where data are not compressed."""
    if version < (1, 15):
        level = reader.integer()
        return None if level == 0 else level if 1 <= level <= 9 else _DEFAULT_LEVEL
    method = reader.byte()
    if method > 1:
        name = _COMPRESSIONS[method] if method < len(_COMPRESSIONS) else "an unknown method"
        raise Unfit(f"it is compressed with {name}; only gzip and no compression are rewritten")
    return _DEFAULT_LEVEL if method else None


def _read_entry(reader: ArchiveReader, version: tuple[int, int]) -> Entry:
    dump_id = reader.integer()
    reader.integer()  # whether it had data when it was made
    reader.text()  # its catalogue's OID
    reader.text()  # its own
    tag, kind = reader.text() or "", reader.text() or ""
    reader.integer()  # section
    definition, _, copy_statement, schema = (reader.text() or "" for _ in range(4))
    reader.text()  # tablespace
    if version >= (1, 14):
        reader.text()  # access method
    if version >= (1, 16):
        reader.integer()  # kind of relation
    reader.text()  # owner
    reader.text()  # with OIDs
    while reader.text() is not None:
        pass  # what it depends on
    patch_at = reader.position
    state = reader.byte()
    offset = int.from_bytes(reader.bytes(reader.offset_size), "little")
    if state not in {each.value for each in Placed} or dump_id <= 0:
        raise reader.damaged()
    return Entry(dump_id, tag, kind, definition, copy_statement, schema, Placed(state), offset, patch_at)
