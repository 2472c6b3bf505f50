"""Rows on the way from the catalogue to the forms of a report: read once, kept in a nameless file, given out many times."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from retention.reports.document import Row

_BATCH = 256


@dataclass(slots=True)
class Spool:
    """Rows of one table, by rank and then in the order in which they were put. What is kept goes with the process."""

    folder: Path
    row_count: int = 0
    _file: BinaryIO | None = None
    _size: int = 0
    _batches: dict[int, list[range]] = field(default_factory=dict)
    _last: dict[int, list[Row]] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def put(self, row: Row, rank: int = 0) -> None:
        """The row stands behind all that were put with this rank, and before all of a higher one."""
        last = self._last.setdefault(rank, [])
        last.append(row)
        self.row_count += 1
        if len(last) == _BATCH:
            self._write(rank, last)
            last.clear()

    def rows(self) -> Iterator[Row]:
        """Every row; called again, from the beginning. Several such walks may go on at once."""
        for rank in sorted(self._last):
            for place in self._batches.get(rank, ()):
                yield from self._read(place)
            yield from self._last[rank]

    def close(self) -> None:
        """The rows are gone."""
        self._opened.close()
        self._batches.clear()
        self._last.clear()

    def _write(self, rank: int, rows: list[Row]) -> None:
        if self._file is None:
            file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - `close` closes it
            self._file = self._opened.enter_context(file)
        data = pickle.dumps(rows, pickle.HIGHEST_PROTOCOL)
        self._file.write(data)
        self._file.flush()
        self._batches.setdefault(rank, []).append(range(self._size, self._size + len(data)))
        self._size += len(data)

    def _read(self, place: range) -> list[Row]:
        assert self._file is not None
        data = os.pread(self._file.fileno(), len(place), place.start)
        rows: list[Row] = pickle.loads(data)  # noqa: S301 - nobody else can write to a file without a name
        return rows
