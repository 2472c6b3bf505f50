"""Rows on the way from the catalogue to the forms of a report: read once, kept in a nameless file, given out many times."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from retention.reports.document import Cell, Row, Text

_INSTANT, _DAY, _ZH, _EN = "i", "d", "z", "e"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_CHUNK = 1 << 16


@dataclass(slots=True)
class Spool:
    """Rows of one table, by rank and then in the order in which they were put. What is kept goes with the process."""

    folder: Path
    row_count: int = 0
    _files: dict[int, BinaryIO] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def put(self, row: Row, rank: int = 0) -> None:
        """The row stands behind all that were put with this rank, and before all of a higher one."""
        file = self._files.get(rank)
        if file is None:
            file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - `close` closes it
            self._files[rank] = self._opened.enter_context(file)
        file.write(_PACK(row).encode() + b"\n")
        self.row_count += 1

    def rows(self) -> Iterator[Row]:
        """Every row; called again, from the beginning."""
        for rank in sorted(self._files):
            self._files[rank].flush()
            for line in _lines(self._files[rank].fileno()):
                yield tuple(tuple(cell) if isinstance(cell, list) else cell for cell in _UNPACK(line.decode()))

    def close(self) -> None:
        """The rows are gone."""
        self._opened.close()
        self._files.clear()


def _lines(handle: int) -> Iterator[bytes]:
    """The lines of the file, with a place in it of its own: several may read at once."""
    at, rest = 0, b""
    while chunk := os.pread(handle, _CHUNK, at):
        at += len(chunk)
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _packed(cell: object) -> dict[str, object]:
    """What JSON does not have. Entry numbers are a list."""
    match cell:
        case datetime():
            return {_INSTANT: (cell - _EPOCH) // _TICK}
        case date():
            return {_DAY: cell.isoformat()}
        case Text():
            return {_ZH: cell.zh, _EN: cell.en}
    raise AssertionError(cell)


def _unpacked(packed: dict[str, str | int]) -> Cell:
    match packed:
        case {"i": int() as ticks}:
            return _EPOCH + ticks * _TICK
        case {"z": str() as zh, "e": str() as en}:
            return Text(zh, en)
        case {"d": str() as day}:
            return date.fromisoformat(day)
    raise AssertionError(packed)


_PACK = json.JSONEncoder(separators=(",", ":"), default=_packed).encode
_UNPACK = json.JSONDecoder(object_hook=_unpacked).decode
