"""The directory of particulars: append-only files of 256 positions each, beside the ledger (`docs/formats/particulars.md`).

Records are durable before the checkpoint that covers their entries. What stands there beyond the checkpoint was left by a
crash, whole or torn, and the next publication writes over it: the ledger's own rule.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from retention.evidence.errors import ParticularsDamaged
from retention.evidence.particulars import open_record, seal_record
from retention.evidence.tiles import WIDTH, numbered_path

_LOCK = ".lock"
_HEADER = 12
_LARGEST = 1 << 28
"""Bytes of one record: more than any fact that can be taken in."""


class ParticularsFiles:
    """The records in one directory, made by the first lock; private to the service. `key`: see `particulars_key`."""

    def __init__(self, directory: Path, key: bytes) -> None:
        self.root = directory
        self._key = key

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the writer's lock, among processes, until the checkpoint is published too. A killed holder frees it."""
        _make_folders(self.root)
        handle = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def put(self, published: int, start: int, records: Sequence[tuple[bytes, bytes]]) -> None:
        """The records (entry, text) of the positions from `start` on are durable. Only under `locked`.

        published: how many entries the ledger's checkpoint covers; records below it stay as they are, all others are written
        over. Where `start` is beyond it nothing is written: the ledger itself refuses that. Raises ParticularsDamaged where
        a record below `published` cannot be walked over.
        """
        if start > published:
            return
        first = published
        while first < start + len(records):
            end = min((first // WIDTH + 1) * WIDTH, start + len(records))
            sealed = []
            for position in range(first, end):
                entry, text = records[position - start]
                record = seal_record(self._key, position, entry, text)
                sealed.append(position.to_bytes(8) + len(record).to_bytes(4) + record)
            self._append(first, b"".join(sealed))
            first = end

    def read(self, start: int, entries: Iterable[bytes]) -> Iterator[bytes]:
        """The text that belongs to each of the entries, which are those from position `start` on.

        Raises ParticularsDamaged, naming the position, for the first that is missing or does not open.
        """
        records: dict[int, bytes] = {}
        for position, entry in enumerate(entries, start):
            if position == start or position % WIDTH == 0:
                records = self._records(position // WIDTH)
            if position not in records:
                raise ParticularsDamaged(position, "are missing")
            yield open_record(self._key, position, entry, records[position])

    def _append(self, first: int, data: bytes) -> None:
        """Write behind the last record below `first`, and cut off what a crash has left there."""
        path = self.root / numbered_path(first // WIDTH)
        is_new = not path.exists()
        _make_folders(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            end = _end_below(handle, first)
            os.ftruncate(handle, end)
            os.lseek(handle, end, os.SEEK_SET)
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            _sync_folder(path.parent)

    def _records(self, number: int) -> dict[int, bytes]:
        """Every whole record of one file, by position; none where there is no file. What is torn ends it."""
        try:
            handle = os.open(self.root / numbered_path(number), os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        try:
            return {
                position: os.pread(handle, length, offset) for position, offset, length in _walk(handle, number * WIDTH)
            }
        finally:
            os.close(handle)


def _walk(handle: int, first: int) -> Iterator[tuple[int, int, int]]:
    """Position, offset and length of every whole record, in order; ends at the first that is none."""
    size, offset, least = os.fstat(handle).st_size, 0, first
    while offset + _HEADER <= size:
        header = os.pread(handle, _HEADER, offset)
        position, length = int.from_bytes(header[:8]), int.from_bytes(header[8:])
        if not least <= position < first + WIDTH or length > _LARGEST or offset + _HEADER + length > size:
            return
        yield position, offset + _HEADER, length
        offset, least = offset + _HEADER + length, position + 1


def _end_below(handle: int, published: int) -> int:
    """Where the last record below `published` ends. ParticularsDamaged where records that were published end sooner."""
    end, last = 0, None
    for position, offset, length in _walk(handle, published // WIDTH * WIDTH):
        if position >= published:
            return end
        end, last = offset + length, position
    follows = _is_first(handle, published) if last is None else last + 1 == published
    if not follows:
        raise ParticularsDamaged(published if last is None else last + 1, "cannot be read, and others would be lost")
    return end


def _is_first(handle: int, published: int) -> bool:
    """Whether nothing was published in this file: it is new, or a crash tore the first record that was written to it."""
    header = os.pread(handle, _HEADER, 0)
    begins = published % WIDTH == 0 or len(header) < _HEADER
    return begins or not any(header) or int.from_bytes(header[:8]) >= published


def _make_folders(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
