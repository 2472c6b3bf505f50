"""S3's XML answers, read in bulk.

One C-speed parse per answer and one plain loop over it: a page of 1,000 versions costs a few milliseconds, where
botocore's model-driven parser takes more than a tenth of a second.

No answer may declare a document type, so no entity is ever expanded. Source: Amazon S3 API reference, "ListObjectVersions",
"ListObjectsV2", "ListMultipartUploads", "DeleteObjects", "Error responses".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element, ParseError, XMLParser

from storage_adapters.contract import ItemKind
from storage_adapters.s3.entries import NULL_VERSION, Entry

_NAMESPACE = re.compile(rb"""(\A\s*(?:<\?xml[^>]*>)?\s*<[^\s<>]+)\s+xmlns=(?:"[^"]*"|'[^']*')""")
_KINDS = {"Version": ItemKind.VERSION, "DeleteMarker": ItemKind.DELETE_MARKER}


class Unreadable(Exception):
    """The answer is not what was asked for: cut off, no XML, or another document."""


class ErrorInside(Exception):
    """The answer came with a good status and is an error all the same."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


Cursor = tuple[tuple[str, str], ...]
"""The query parameters that ask for the next page; empty after the last."""


class Listing(NamedTuple):
    """One page of a listing: its entries in the document's order, and where the next page begins."""

    entries: list[Entry]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class DeleteAnswer:
    """What DeleteObjects said key by key; a version is None where the store named none.

    marked: keys for which it says that a delete marker with a version of its own now hides them. A `null` marker has
    replaced the `null` version, as happens where versioning is suspended.
    """

    deleted: set[tuple[str, str | None]] = field(default_factory=set)
    marked: set[str] = field(default_factory=set)
    errors: dict[tuple[str, str | None], str] = field(default_factory=dict)


class Document:
    """A parsed answer. Tags have no namespace: AWS declares one for the whole document, some stores do not."""

    def __init__(self, body: bytes, *expected: str) -> None:
        """Parse `body`; raises `Unreadable` unless its root is one of `expected`, `ErrorInside` if it is an Error."""
        self.root = _parse(body)
        name = self.root.tag
        if name == "Error" and "Error" not in expected:
            raise ErrorInside(self.text("Code") or "Error")
        if name not in expected:
            raise Unreadable(f"expected {expected[0]}, got {name[:40]}")

    def text(self, tag: str) -> str | None:
        """The text of a child of the root, "" where it is empty, None where it is missing."""
        return self.root.findtext(tag)

    def all_texts(self, tag: str) -> list[str]:
        """The texts of every element with this tag, at any depth."""
        return [element.text or "" for element in self.root.iter(tag)]


def _parse(body: bytes) -> Element:
    # A NUL byte means UTF-16 or UTF-32, in which the two words below would look different; S3 speaks UTF-8.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\0" in body:
        raise Unreadable("an answer with a document type")
    parser = XMLParser(encoding="utf-8")  # noqa: S314 - no document type gets here, so there is nothing to expand
    try:
        parser.feed(_NAMESPACE.sub(rb"\1", body, count=1))
        return parser.close()
    except (ParseError, ValueError) as error:
        raise Unreadable("not well-formed XML") from error


def versions(body: bytes) -> Listing:
    """The page of a ListObjectVersions answer: VERSION and DELETE_MARKER entries."""
    document = Document(body, "ListVersionsResult", "ListBucketVersionsResult")
    encoded = document.text("EncodingType") == "url"
    entries: list[Entry] = []
    for element in document.root:
        kind = _KINDS.get(element.tag)
        if kind is not None:
            text = element.findtext
            key = _decoded(text("Key"), encoded)
            size, written, latest = int(text("Size") or 0), text("LastModified") or "", text("IsLatest") == "true"
            entries.append(Entry(kind, key, text("VersionId") or NULL_VERSION, size, written, latest))
    return Listing(entries, _cursor(document, encoded, "KeyMarker", "VersionIdMarker"))


def objects(body: bytes) -> Listing:
    """The page of a ListObjectsV2 answer: OBJECT entries."""
    document = Document(body, "ListBucketResult")
    encoded = document.text("EncodingType") == "url"
    entries = []
    for element in document.root.iterfind("Contents"):
        text = element.findtext
        key = _decoded(text("Key"), encoded)
        entries.append(Entry(ItemKind.OBJECT, key, None, int(text("Size") or 0), text("LastModified") or ""))
    if not _is_truncated(document):
        return Listing(entries, ())
    token = document.text("NextContinuationToken")
    if not token:
        raise Unreadable("a truncated listing without a continuation")
    return Listing(entries, (("continuation-token", token),))


def uploads(body: bytes) -> Listing:
    """The page of a ListMultipartUploads answer: UPLOAD entries; `written` is when the upload began."""
    document = Document(body, "ListMultipartUploadsResult")
    encoded = document.text("EncodingType") == "url"
    entries = []
    for element in document.root.iterfind("Upload"):
        text = element.findtext
        key = _decoded(text("Key"), encoded)
        entries.append(Entry(ItemKind.UPLOAD, key, text("UploadId") or "", 0, text("Initiated") or ""))
    return Listing(entries, _cursor(document, encoded, "KeyMarker", "UploadIdMarker"))


def _decoded(key: str | None, encoded: bool) -> str:
    if key is None:
        raise Unreadable("an entry without a key")
    return _unquoted(key) if encoded else key


def _unquoted(text: str) -> str:
    """Raises ValueError for what is no UTF-8: a key that has to be guessed is never acted upon."""
    if "+" in text:
        text = text.replace("+", " ")
    return unquote_to_bytes(text).decode() if "%" in text else text


def _is_truncated(document: Document) -> bool:
    return document.text("IsTruncated") == "true"


def _cursor(document: Document, encoded: bool, key_tag: str, id_tag: str) -> Cursor:
    if not _is_truncated(document):
        return ()
    key = document.text(f"Next{key_tag}")
    if not key:
        raise Unreadable("a truncated listing without a marker")
    cursor = [("key-marker", _unquoted(key) if encoded else key)]
    if entry_id := document.text(f"Next{id_tag}"):
        name = "version-id-marker" if id_tag == "VersionIdMarker" else "upload-id-marker"
        cursor.append((name, entry_id))
    return tuple(cursor)


def deletions(body: bytes) -> DeleteAnswer:
    """A DeleteObjects answer, key by key."""
    document = Document(body, "DeleteResult")
    answer = DeleteAnswer()
    for element in document.root:
        text = element.findtext
        if element.tag == "Deleted":
            key = text("Key") or ""
            answer.deleted.add((key, text("VersionId") or None))
            if text("DeleteMarkerVersionId") not in {None, "", NULL_VERSION}:
                answer.marked.add(key)
        elif element.tag == "Error":
            answer.errors[text("Key") or "", text("VersionId") or None] = text("Code") or "Error"
    return answer


def error_code(body: bytes) -> tuple[str | None, str | None]:
    """The code and, where it names one, the bucket's region of an error answer; None for what cannot be read."""
    try:
        document = Document(body, "Error")
    except (Unreadable, ErrorInside):
        return None, None
    return document.text("Code") or None, document.text("Region") or None
