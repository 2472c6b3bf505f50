"""One customer's rows of a database as the source of a copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from storage_adapters.contract import Place, Rows
from storage_adapters.copies.contract import BLOCK_SIZE, Piece
from storage_adapters.copies.row_text import key_json, key_of, line
from storage_adapters.errors import Refused
from storage_adapters.sql import Limits
from storage_adapters.sql.database import Database
from storage_adapters.sql.family import Source
from storage_adapters.sql.names import Key
from storage_adapters.sql.reading import LiveRows

_LONGEST_FOLDER = 200  # bytes; file systems take 255
_UNSAFE = re.compile(r"^\.|[^\w.-]")


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The rows of one table behind the key `after` and up to the key `last`; the `number`th of the table, from 1."""

    table: str
    number: int
    after: Key | None
    last: Key

    def text(self) -> str:
        """The cursor. Raises TypeError for keys of a kind that no cursor can hold."""
        after = None if self.after is None else key_json(self.after)
        return json.dumps({"table": self.table, "chunk": self.number, "after": after, "last": key_json(self.last)})


class RowsSource:
    """A customer's live rows in a PostgreSQL, MariaDB or SQLite database, under the contract of `CopySource`.

    A piece is up to 1,000 rows of one table, tables parents first (as far as they do not point at one another in circles),
    rows in the order of the primary key, or of a unique key without NULL. It is called `<table>/00000001.jsonl`; the table
    is named as in the policy, and what a folder's name may not hold is percent-encoded. The form of a row stands in
    `storage_adapters.copies.row_text`. Hidden rows are left out.

    No transaction is longer than a page: each hundred rows are read in one of their own. A piece holds the rows that are
    in its range of keys when it is read, so `items` is how many there were when it was listed. Rows that are written
    behind the last key while the copy runs come in further pieces.
    """

    def __init__(self, name: str, url: str, limits: Limits | None = None) -> None:
        """Connects to nothing yet. Raises ValueError where the URL is of no database that this source knows."""
        self._name = name
        self._database = Database(name, url, limits or Limits())
        self._known: tuple[Rows, LiveRows] | None = None

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def pieces(self, place: Place, after: str | None = None) -> Iterator[Piece]:
        """As the contract says, as long as the tables stay as they are.

        Also raises Refused for a table without a primary key or with one of a kind that no cursor can hold.
        """
        return self._pieces(_own(place), None if after is None else _chunk(after))

    def read(self, place: Place, piece: Piece) -> Iterator[bytes] | None:
        """JSON Lines; None where no row of the piece is left."""
        own, chunk = _own(place), _chunk(piece.cursor)
        live = self._known[1] if self._known is not None and self._known[0] == own else self._look(own)
        lines = self._lines(live, _table(live, chunk), chunk)
        first = next(lines, None)
        return None if first is None else _blocks(chain((first,), lines))

    def close(self) -> None:
        """No connection is open. A second call does nothing; another question connects again."""
        self._database.close()

    def _look(self, own: Rows) -> LiveRows:
        live = LiveRows(self._name, self._database, own)
        self._known = own, live  # so that not every chunk of a copy reads the schema
        return live

    def _pieces(self, own: Rows, behind: _Chunk | None) -> Iterator[Piece]:
        live = self._look(own)
        tables = live.tables if behind is None else live.tables[live.tables.index(_table(live, behind)) :]
        for source in tables:
            label = source.facts.label
            is_begun = behind is not None and behind.table == label
            last, number = (behind.last, behind.number) if behind is not None and is_begun else (None, 0)
            for keys in live.key_pages(source, last):
                number += 1
                chunk = _Chunk(label, number, last, keys[-1])
                yield Piece(f"{_folder(label)}/{number:08}.jsonl", self._cursor(chunk), len(keys))
                last = keys[-1]

    def _cursor(self, chunk: _Chunk) -> str:
        try:
            return chunk.text()
        except TypeError as error:
            raise Refused(self._name, f"table {chunk.table} cannot be copied in order: {error}") from error

    def _lines(self, live: LiveRows, source: Source, chunk: _Chunk) -> Iterator[bytes]:
        columns = [column.name for column in source.sql.columns]
        for keys in live.key_pages(source, chunk.after, chunk.last):
            for values in live.rows(source, keys):
                try:
                    yield line(columns, values)
                except TypeError as error:
                    raise Refused(self._name, f"table {chunk.table} cannot be copied: {error}") from error


def _own(place: Place) -> Rows:
    if not isinstance(place, Rows):
        raise ValueError(f"a database has rows, not {type(place).__name__}")
    return place


def _chunk(cursor: str) -> _Chunk:
    try:
        found = json.loads(cursor)
        after = None if found["after"] is None else key_of(found["after"])
        return _Chunk(str(found["table"]), int(found["chunk"]), after, key_of(found["last"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("no cursor of this source") from error


def _table(live: LiveRows, chunk: _Chunk) -> Source:
    """The table of the chunk; ValueError where the place has none of that name, or its key is another."""
    for source in live.tables:
        if source.facts.label == chunk.table and len(source.key) == len(chunk.last):
            return source
    raise ValueError("the cursor is not of this place")


def _folder(label: str) -> str:
    """The table's name as one segment of a name: the same for the same table, another for every other."""
    folder = _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), label)
    encoded = folder.encode()
    if len(encoded) <= _LONGEST_FOLDER:
        return folder
    return f"{encoded[: _LONGEST_FOLDER - 17].decode(errors='ignore')}~{sha256(encoded).hexdigest()[:16]}"


def _blocks(lines: Iterable[bytes]) -> Iterator[bytes]:
    buffer = bytearray()
    for each in lines:
        buffer += each
        while len(buffer) >= BLOCK_SIZE:
            yield bytes(memoryview(buffer)[:BLOCK_SIZE])
            del buffer[:BLOCK_SIZE]
    if buffer:
        yield bytes(buffer)
