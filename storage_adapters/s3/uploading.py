"""An object put into a bucket, at once or in parts, and read back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from xml.etree.ElementTree import Element, SubElement, tostring

from storage_adapters.errors import Refused, StoreError
from storage_adapters.s3.answers import Document
from storage_adapters.s3.reading import blocks
from storage_adapters.s3.refusals import GONE, Declined
from storage_adapters.s3.wire import Answer, Request, Wire

PART_SIZE = 16 * 1024 * 1024
"""Bytes of one part of a large object, and the largest object that is put at once."""
MOST_PARTS = 10_000
"""Source: Amazon S3 user guide, "Multipart upload limits"."""

_GROWS_AFTER = 1_000  # parts: the next thousand are larger by one part size, so that 16 MiB reach beyond 800 GiB
_READ_BACK_SIZE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object that the bucket holds: its bytes, and their SHA-256 in lower-case hex."""

    size: int
    sha256: str


class _Sent:
    """What was sent of one object, and the ETag that S3 gives to just that unless it encrypts it with a key of KMS."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self._digests: list[bytes] = []

    def add(self, part: bytes) -> None:
        self.size += len(part)
        self.sha256.update(part)
        self._digests.append(_md5(part))

    def etag(self, *, in_parts: bool) -> str:
        if in_parts:
            return f'"{_md5(b"".join(self._digests)).hex()}-{len(self._digests)}"'
        return f'"{self._digests[0].hex()}"'


def upload(
    wire: Wire,
    key: str,
    content: Iterator[bytes],
    before_part: Callable[[], None] = lambda: None,
    *,
    part_size: int = PART_SIZE,
) -> Uploaded:
    """The content is the object of this key, read back: its size, and its ETag or, where that is no MD5, its bytes.

    Up to `part_size` bytes are put at once, more in parts of that size (the last one shorter); after each 1,000 parts
    they grow by it. Two parts are held in memory. Every part goes with its Content-MD5, which the bucket checks.

    `before_part` is called before each part, and before an object of several becomes visible. What it or `content` raises
    passes through, and the parts that were sent are removed; where that fails too, the exception says so in a note.

    Raises Refused where the bucket does not hold what was put, which then stays, or where the content is too long; other
    StoreErrors as `Wire.ask`.
    """
    parts = _parts(wire.store, content, part_size)
    first = next(parts, b"")
    second = next(parts, None)
    sent = _Sent()
    before_part()
    if second is None:
        sent.add(first)
        told = wire.ask(Request("PUT", key, body=first), _etag)
    else:
        told = _put_in_parts(wire, key, chain((first, second), parts), before_part, sent)
    _check(wire, key, sent, told, sent.etag(in_parts=second is not None))
    return Uploaded(sent.size, sent.sha256.hexdigest())


def _parts(store: str, content: Iterator[bytes], part_size: int) -> Iterator[bytes]:
    buffer = bytearray()
    for count in range(MOST_PARTS):
        length = part_size * (1 + count // _GROWS_AFTER)
        while len(buffer) < length and (block := next(content, None)) is not None:
            buffer += block
        if not buffer:
            return
        yield bytes(memoryview(buffer)[:length])
        del buffer[:length]
    if buffer or any(content):
        raise Refused(store, f"the object needs more than {MOST_PARTS} parts")


def _put_in_parts(wire: Wire, key: str, parts: Iterator[bytes], before_part: Callable[[], None], sent: _Sent) -> str:
    """The ETag that the bucket tells; "" where it tells none, as when an answer was lost."""
    upload_id = wire.ask(Request("POST", key, query=(("uploads", None),)), _upload_id)
    etags: list[str] = []
    try:
        for part in parts:
            if etags:
                before_part()
            query = (("partNumber", str(len(etags) + 1)), ("uploadId", upload_id))
            etags.append(wire.ask(Request("PUT", key, query=query, body=part), _etag))
            sent.add(part)
        before_part()
        return _completed(wire, key, upload_id, etags)
    except BaseException as error:
        _abort(wire, key, upload_id, error)
        raise


def _completed(wire: Wire, key: str, upload_id: str, etags: list[str]) -> str:
    request = Request("POST", key, query=(("uploadId", upload_id),), body=_completion(etags))
    try:
        return wire.ask(request, _completed_etag)
    except Declined as declined:
        if declined.code not in GONE:
            raise
        return ""  # an earlier try has completed it, or nothing has: what is read back tells


def _abort(wire: Wire, key: str, upload_id: str, error: BaseException) -> None:
    """The parts that were sent are gone, or `error`, the trouble that led here, has a note."""
    try:
        wire.ask(Request("DELETE", key, query=(("uploadId", upload_id),)), lambda answer: None)
    except StoreError as failed:
        if not (isinstance(failed, Declined) and failed.code in GONE):
            error.add_note(f"{failed}: parts that were sent may be left in an unfinished upload")


def _check(wire: Wire, key: str, sent: _Sent, told: str, usual_etag: str) -> None:
    """Raises Refused unless the bucket holds what was sent."""
    try:
        found = wire.ask(Request("HEAD", key), lambda answer: answer.headers)
    except Declined as declined:
        if declined.code not in GONE:
            raise
        raise _not_held(wire) from declined
    etag = found.get("etag", "")
    if found.get("content-length") != str(sent.size) or (told and told != etag):
        raise _not_held(wire)
    if etag.lower() != usual_etag and _read_back(wire, key) != sent.sha256.hexdigest():
        raise _not_held(wire)


def _read_back(wire: Wire, key: str) -> str:
    """The SHA-256 of what the bucket holds, for objects whose ETag is no MD5: encrypted ones, and other makes of S3."""
    digest = hashlib.sha256()
    for block in blocks(wire, key, _READ_BACK_SIZE) or ():
        digest.update(block)
    return digest.hexdigest()


def _not_held(wire: Wire) -> Refused:
    return Refused(wire.store, "the bucket does not hold what was put into it")


def _md5(part: bytes) -> bytes:
    return hashlib.md5(part, usedforsecurity=False).digest()


def _etag(answer: Answer) -> str:
    return answer.headers.get("etag", "")


def _upload_id(answer: Answer) -> str:
    text = Document(answer.body, "InitiateMultipartUploadResult").text("UploadId")
    if not text:
        raise ValueError("no upload id")
    return text


def _completed_etag(answer: Answer) -> str:
    return Document(answer.body, "CompleteMultipartUploadResult").text("ETag") or ""


def _completion(etags: list[str]) -> bytes:
    root = Element("CompleteMultipartUpload")
    for number, etag in enumerate(etags, 1):
        part = SubElement(root, "Part")
        SubElement(part, "PartNumber").text = str(number)
        SubElement(part, "ETag").text = etag
    return tostring(root)
