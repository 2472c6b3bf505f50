"""A dump as a stream of bytes: opened from its beginning, inflated where it is gzipped."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from storage_adapters.backups.forms import GZIP_MAGIC

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Source = Callable[[], AbstractContextManager[BinaryIO]]
"""Opens the dump from its beginning; may be called several times, one after another."""

PIECE = 1 << 20
_HEAD = 1024


class _Raw(io.RawIOBase):
    """Any stream that can `read`, so that it can be buffered."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with memoryview(buffer).cast("B") as view:
            data = self._stream.read(len(view))
            view[: len(data)] = data
        return len(data)


Reading: TypeAlias = "io.BufferedReader[_Raw]"


@contextmanager
def opened(source: Source) -> Iterator[Reading]:
    """The dump's content, inflated where it is gzipped."""
    with source() as stream:
        plain = io.BufferedReader(_Raw(stream), PIECE)
        if not _begins_gzip(plain):
            yield plain
            return
        with gzip.GzipFile(fileobj=plain, mode="rb") as inflated:
            yield io.BufferedReader(_Raw(cast(BinaryIO, inflated)), PIECE)


def is_gzipped(source: Source) -> bool:
    """Whether the dump is gzipped."""
    with source() as stream:
        return _begins_gzip(io.BufferedReader(_Raw(stream)))


def head_of(source: Source) -> bytes:
    """The first bytes of the dump's content, inflated where it is gzipped."""
    with opened(source) as stream:
        return stream.read(_HEAD)


@contextmanager
def packed(target: BinaryIO, *, is_gzip: bool) -> Iterator[BinaryIO]:
    """Something to write the content to; it arrives at the target gzipped where `is_gzip`."""
    if not is_gzip:
        yield target
        return
    with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as deflated:
        yield cast(BinaryIO, deflated)


def _begins_gzip(stream: Reading) -> bool:
    return stream.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC)
