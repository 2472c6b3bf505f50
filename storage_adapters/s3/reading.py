"""An object's content, read in ranges and never as a mixture of two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from storage_adapters.errors import Refused, Unavailable
from storage_adapters.s3.refusals import GONE, Declined
from storage_adapters.s3.wire import Answer, Request, Wire

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_EMPTY = "InvalidRange"  # of an object without bytes no range can be asked
_CHANGED = GONE | {_EMPTY, "PreconditionFailed", "Status412"}


class _Range(NamedTuple):
    body: bytes
    total: int
    etag: str


def blocks(wire: Wire, key: str, size: int) -> Iterator[bytes] | None:
    """The content of the current version in blocks of `size` bytes, the last one shorter; None where there is none.

    The first block is read at once. Every later one is asked for with If-Match, and its ETag is looked at, for stores that
    pass over the condition: the iterator raises Unavailable where the object was overwritten or deleted meanwhile.
    Raises Refused where the store sends no ranges or tells no ETag of an object of several blocks.
    Source: RFC 9110, sections 13.1.1 and 14.2.
    """
    try:
        first = _asked(wire, key, size, 0)
    except Declined as declined:
        if declined.code in GONE:
            return None
        if declined.code != _EMPTY:
            raise
        return iter(())
    if first.total > size and not first.etag:
        raise Refused(wire.store, "the store tells no ETag: an object could change while it is read")
    return _from(wire, key, size, first)


def _from(wire: Wire, key: str, size: int, first: _Range) -> Iterator[bytes]:
    if first.body:
        yield first.body
    for start in range(size, first.total, size):
        try:
            found = _asked(wire, key, size, start, first.etag)
        except Declined as declined:
            if declined.code not in _CHANGED:
                raise
            raise _changed(wire) from declined
        if (found.total, found.etag) != (first.total, first.etag):
            raise _changed(wire)
        yield found.body


def _asked(wire: Wire, key: str, size: int, start: int, etag: str | None = None) -> _Range:
    headers = [("Range", f"bytes={start}-{start + size - 1}")]
    if etag is not None:
        headers.append(("If-Match", etag))
    request = Request("GET", key, headers=tuple(headers), limit=size)
    return wire.ask(request, partial(_range, wire.store, start, size))


def _range(store: str, start: int, size: int, answer: Answer) -> _Range:
    """Raises ValueError for a range that is cut off or another than was asked for: it is asked for again."""
    told = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if told is None:  # the whole object, which a store may send where it fits
        total = int(answer.headers.get("content-length") or len(answer.body))
        if start or total > size:
            raise Refused(store, "the store sends no ranges of an object")
    else:
        total = int(told[2])
        if int(told[1]) != start:
            raise ValueError("another range")
    if len(answer.body) != min(size, total - start):
        raise ValueError("a range cut off")
    return _Range(answer.body, total, answer.headers.get("etag", ""))


def _changed(wire: Wire) -> Unavailable:
    return Unavailable(wire.store, "the object was changed or deleted while it was read")
