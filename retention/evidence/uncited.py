"""What a certificate passes over: entries that were there when it was issued, and say otherwise than those it cites.

Whoever has only the certificate sees that each claim has an entry, but not that a later one took it back, or that a key
stands in the ledger and not in the statement. Whoever has the ledger too sees that. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from retention.evidence.bodies import Body, CaseDates, CopyVerified, KeyShredded, SetEnded
from retention.evidence.canonical import JsonObject, JsonValue, encode_json
from retention.evidence.certificate import Certificate
from retention.evidence.entries import Entry, EntryType
from retention.evidence.errors import Malformed
from retention.evidence.findings import Finding, FindingKind

AnyBody = TypeVar("AnyBody", bound=Body)

_Key = tuple[bytes, str | None]
"""A copy, as the ledger names it, and a set of it, or None for the copy as a whole."""


class PassedOver:
    """Watches the ledger go by for what a certificate, which holds, should have rested on."""

    def __init__(self, certificate: Certificate) -> None:
        statement = certificate.statement
        bodies = {cited.proof.index: cited.entry.get("body") for cited in certificate.entries}
        self.case = statement.case
        self.cited = frozenset(statement.cited())
        self.datasets = frozenset(strand.dataset for strand in statement.strands)
        self.dates = max(strand.entry for strand in statement.strands)
        self.latest: dict[_Key, tuple[str, int]] = {}
        for copy in statement.copies:
            told = copy.entries[-1]
            self.latest[_copy_of(bodies.get(told)), None] = (f"copies.{copy.label}", told)
            for each in copy.sets or ():
                key = (_copy_of(bodies.get(each.entry)), each.id)
                self.latest[key] = (f"copies.{copy.label}.{each.set_}", each.entry)

    def see(self, index: int, entry: Entry) -> Iterator[Finding]:
        """A finding where the entry, from before the last that the certificate cites, is one that it should cite."""
        if entry.case != self.case or index in self.cited or index > max(self.cited):
            return
        place = self._passed_over(index, entry)
        if place is not None:
            message = f"the ledger has a {entry.type} about it that the certificate passes over (entry {index})"
            yield Finding(FindingKind.UNSUPPORTED_CLAIM, place, message, index)

    def _passed_over(self, index: int, entry: Entry) -> str | None:
        """The claim that the entry should be cited for."""
        match entry.type:
            case EntryType.KEY_SHREDDED:
                key = _read(KeyShredded, entry.body)
                return f"keys.{key.key}" if key and key.dataset in self.datasets else None
            case EntryType.CASE_CHANGED:
                return "strands" if index > self.dates and _read(CaseDates, entry.body) else None
            case EntryType.STEP_OUTCOME:
                is_outcome = _read(CopyVerified, entry.body) is not None
                return self._later((_copy_of(entry.body), None), index) if is_outcome else None
            case EntryType.BACKUP_SET:
                ended = _read(SetEnded, entry.body)
                return self._later((_copy_of(entry.body), ended.id), index) if ended else None
            case _:
                return None

    def _later(self, key: _Key, index: int) -> str | None:
        place, told = self.latest.get(key, ("", index))
        return place if index > told else None


def _copy_of(body: JsonValue) -> bytes:
    """The copy that an entry's body is about, so that it can be compared."""
    return encode_json(body.get("copy")) if isinstance(body, Mapping) else b""


def _read(model: type[AnyBody], body: JsonObject) -> AnyBody | None:
    """The body, or None where the entry is about something else."""
    try:
        return model.from_json(body)
    except Malformed:
        return None
