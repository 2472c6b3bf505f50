"""The content of a file of a set as it was before it was compressed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from storage_adapters.backups.places.damage import Unfit

_GZIP = b"\x1f\x8b"
_BUFFER = 1024 * 1024


class _Rejoined(io.RawIOBase):
    """A stream of which the first bytes have been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast(bytearray, buffer))
        data = self._head or self._rest.read(len(view))
        taken = data[: len(view)]
        self._head = self._head[len(taken) :]
        view[: len(taken)] = taken
        return len(taken)


@contextmanager
def unpacked(stream: BinaryIO) -> Iterator[IO[bytes]]:
    """The stream, unpacked where it is gzipped. Inside the block, Unfit is raised where the packing is damaged."""
    head = b""
    while len(head) < len(_GZIP) and (more := stream.read(len(_GZIP) - len(head))):
        head += more
    whole = io.BufferedReader(_Rejoined(head, stream), _BUFFER)
    try:
        if head != _GZIP:
            yield whole
            return
        with gzip.GzipFile(fileobj=whole, mode="rb") as plain, io.BufferedReader(plain, _BUFFER) as lines:
            yield lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unfit("the packing is damaged or cut off") from error
