"""Removing up to 1,000 entries, with what became of each.

DeleteObjects carries the keys in XML. A key that XML cannot carry, or that a careless parser would change (control
characters, blanks at its ends), goes by a DELETE of its own, in the path; a key with `.` or `..` between slashes, which
a careless proxy would fold, only ever goes in XML. A key that is both is never sent without its version: it might
reach another object.

Source: Amazon S3 API reference, "DeleteObjects", "DeleteObject", "AbortMultipartUpload"; XML 1.0, 2.2 "Characters".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import NamedTuple
from xml.sax.saxutils import escape

from storage_adapters.contract import ItemResult
from storage_adapters.errors import OutcomeUnknown
from storage_adapters.s3.answers import DeleteAnswer, deletions
from storage_adapters.s3.entries import NULL_VERSION, Entry
from storage_adapters.s3.refusals import FALTERED, GONE, NOT_OFFERED, THROTTLED, Declined
from storage_adapters.s3.wire import Answer, Request, Wire

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_DOTS = re.compile(r"(?:^|/)\.{1,2}(?:/|$)")
_BREAKS = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;", "\x85": "&#133;", "\u2028": "&#8232;"}

NOT_EXPRESSIBLE = "key-not-expressible"
UNMENTIONED = "unmentioned"
NO_MARKER = "no-delete-marker"


class Said(NamedTuple):
    """What the store said about one entry: a result, and its code where it is not DONE."""

    result: ItemResult
    code: str | None = None


DONE = Said(ItemResult.DONE)


class Deletion:
    """Removes entries from one bucket. Thread-safe."""

    def __init__(self, wire: Wire, pool: Executor) -> None:
        self._wire = wire
        self._pool = pool

    def remove(self, entries: Sequence[Entry]) -> list[Said]:
        """What became of each of at most 1,000 objects, versions or markers, in their order.

        What the store throttled, failed on, or did not mention is sent again, and UNKNOWN when the tries are used up.
        An error of the whole request is raised; see `Wire.ask`.
        """
        return self._repeated(entries, self._remove_once)

    def hide(self, entries: Sequence[Entry]) -> list[Said]:
        """Put a delete marker on top of each of these keys.

        Raises OutcomeUnknown at once where the store deletes a key and confirms no marker: that may have erased it.
        """
        plain = [entry._replace(id=None) for entry in entries]
        return self._repeated(plain, self._hide_once)

    def abort(self, entries: Sequence[Entry]) -> list[Said]:
        """What became of each of these multipart uploads; ABSENT for one that was completed or aborted before."""
        return list(self._pool.map(self._abort_one, entries))

    def _repeated(self, entries: Sequence[Entry], once: Callable[[Sequence[Entry]], list[Said]]) -> list[Said]:
        results: dict[int, Said] = {}
        left = list(range(len(entries)))
        for pause in self._wire.pauses():
            if not left:
                break
            time.sleep(pause)
            results.update(zip(left, once([entries[index] for index in left]), strict=True))
            left = [index for index in left if results[index].result is ItemResult.UNKNOWN]
        return [results[index] for index in range(len(entries))]

    def _remove_once(self, entries: Sequence[Entry]) -> list[Said]:
        return self._once(entries, self._delete_one, _settled)

    def _hide_once(self, entries: Sequence[Entry]) -> list[Said]:
        said = self._once(entries, self._hide_one, _hidden)
        if any(one.code == NO_MARKER for one in said):
            raise OutcomeUnknown(self._wire.store, "the store confirmed no delete marker: nothing more is hidden")
        return said

    def _once(
        self,
        entries: Sequence[Entry],
        one: Callable[[Entry], Said],
        settle: Callable[[Entry, DeleteAnswer], Said],
    ) -> list[Said]:
        by_path = [entry for entry in entries if _goes_by_path(entry.key)]
        alone = self._each(one, by_path)
        in_body = [entry for entry in entries if entry not in alone] if alone else entries
        answer = self._delete_many(in_body) if in_body else DeleteAnswer()
        if answer is None:
            alone |= self._each(one, in_body)
            return [alone[entry] for entry in entries]
        return [alone[entry] if entry in alone else settle(entry, answer) for entry in entries]

    def _each(self, one: Callable[[Entry], Said], entries: Sequence[Entry]) -> dict[Entry, Said]:
        return dict(zip(entries, self._pool.map(one, entries), strict=True)) if entries else {}

    def _delete_many(self, entries: Sequence[Entry]) -> DeleteAnswer | None:
        """The answer key by key; None where the store has no DeleteObjects or cannot read this one, and did nothing."""
        request = Request("POST", query=(("delete", None),), headers=self._headers(), body=_delete_body(entries))
        try:
            return self._wire.ask(request, lambda answer: deletions(answer.body))
        except Declined as declined:
            if declined.code in NOT_OFFERED | {"MalformedXML"}:
                return None
            raise

    def _delete_one(self, entry: Entry) -> Said:
        if _DOTS.search(entry.key) and entry.id in {None, NULL_VERSION}:
            return Said(ItemResult.REFUSED, NOT_EXPRESSIBLE)
        query = () if entry.id is None else (("versionId", entry.id),)
        return self._change_one(Request("DELETE", entry.key, query, self._headers()), lambda _: DONE)

    def _hide_one(self, entry: Entry) -> Said:
        if _DOTS.search(entry.key):
            return Said(ItemResult.REFUSED, NOT_EXPRESSIBLE)
        return self._change_one(Request("DELETE", entry.key), _marker_confirmed)

    def _abort_one(self, entry: Entry) -> Said:
        return self._change_one(Request("DELETE", entry.key, (("uploadId", entry.id or ""),)), lambda _: DONE)

    def _change_one(self, request: Request, read: Callable[[Answer], Said]) -> Said:
        try:
            return self._wire.ask(request, read)
        except Declined as declined:
            return said_of(declined.code)
        except OutcomeUnknown:
            return Said(ItemResult.UNKNOWN, "no-answer")

    def _headers(self) -> tuple[tuple[str, str], ...]:
        if not self._wire.settings.bypass_governance:
            return ()
        return (("x-amz-bypass-governance-retention", "true"),)


def said_of(code: str) -> Said:
    """What S3's code for one key means: gone before, may be tried again, or refused."""
    if code in GONE:
        return Said(ItemResult.ABSENT, code)
    if code in THROTTLED or code in FALTERED:
        return Said(ItemResult.UNKNOWN, code)
    return Said(ItemResult.REFUSED, code)


def _settled(entry: Entry, answer: DeleteAnswer) -> Said:
    """What the answer says about the entry. Some stores leave the version out of an error, or out of `null` versions.

    Then the key's error counts for every version of it that was not confirmed by its own id.
    """
    exact = (entry.key, entry.id)
    if exact in answer.errors:
        return said_of(answer.errors[exact])
    if exact in answer.deleted:
        return DONE
    bare = (entry.key, None)
    if bare in answer.errors:
        return said_of(answer.errors[bare])
    if entry.id in {None, NULL_VERSION} and (bare in answer.deleted or (entry.key, NULL_VERSION) in answer.deleted):
        return DONE
    return Said(ItemResult.UNKNOWN, UNMENTIONED)


def _hidden(entry: Entry, answer: DeleteAnswer) -> Said:
    if entry.key in answer.marked:
        return DONE
    said = _settled(entry, answer)
    return Said(ItemResult.UNKNOWN, NO_MARKER) if said.result is ItemResult.DONE else said


def _marker_confirmed(answer: Answer) -> Said:
    headers = answer.headers
    if headers.get("x-amz-delete-marker", "").lower() == "true" and headers.get("x-amz-version-id") != NULL_VERSION:
        return DONE
    return Said(ItemResult.UNKNOWN, NO_MARKER)


def _goes_by_path(key: str) -> bool:
    if _ILLEGAL.search(key):
        return True
    return (not key.isprintable() or key != key.strip()) and not _DOTS.search(key)


def _delete_body(entries: Sequence[Entry]) -> bytes:
    parts = [f'<Delete xmlns="{_NAMESPACE}">']
    for entry in entries:
        version = "" if entry.id is None else f"<VersionId>{escape(entry.id)}</VersionId>"
        parts.append(f"<Object><Key>{escape(entry.key, _BREAKS)}</Key>{version}</Object>")
    parts.append("</Delete>")
    return "".join(parts).encode()
