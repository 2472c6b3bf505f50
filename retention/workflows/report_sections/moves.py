"""What the ledger's entries of a period tell of data that went abroad, and of audits and what they closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from retention.evidence.entries import Entry, EntryType
from retention.reports.document import Row, Text

OF_TRANSFERS = frozenset(
    {
        EntryType.TRANSFER_COPIED,
        EntryType.TRANSFERS_AUDITED,
        EntryType.WAY_OUT_CLOSED,
        EntryType.WAY_OUT_REOPENED,
    }
)
_WHAT = {
    EntryType.TRANSFERS_AUDITED: Text("检查出境情况", "audit"),
    EntryType.WAY_OUT_CLOSED: Text("关闭外送途径", "way out closed"),
    EntryType.WAY_OUT_REOPENED: Text("恢复外送途径", "way out reopened"),
}
_DONE = "done"


@dataclass(slots=True)
class Went:
    """What one copy brought abroad in the period. Instants are aware UTC; entries are the batches'."""

    decision: str
    dataset: str
    store: str
    territory: str
    first_at: datetime
    last_at: datetime
    state: str = ""
    reason: str = ""
    items: int = 0
    bytes: int = 0
    entries: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Moves:
    """What the ledger's entries of the period tell of copies, by the copy's id, and of audits and what they closed."""

    copies: dict[str, Went] = field(default_factory=dict)
    audits: list[Row] = field(default_factory=list)

    def see(self, index: int, entry: Entry) -> None:
        """One entry of a type in OF_TRANSFERS, in the ledger's order."""
        body = entry.body
        if entry.type is EntryType.TRANSFER_COPIED:
            self._copied(index, entry)
        elif entry.type is EntryType.TRANSFERS_AUDITED:
            found = body.get("found")
            counts = found if isinstance(found, Mapping) else {}
            said = ", ".join(f"{kind}: {number}" for kind, number in sorted(counts.items()))
            self.audits.append((entry.at, _WHAT[entry.type], None, said or None, (index,)))
        elif body.get("phase") == _DONE:
            self.audits.append((entry.at, _WHAT[entry.type], _text(entry, "store"), _text(entry, "what"), (index,)))

    def _copied(self, index: int, entry: Entry) -> None:
        went = self.copies.get(_text(entry, "copy"))
        if went is None:
            went = Went(
                _text(entry, "decision"),
                _text(entry, "dataset"),
                _text(entry, "store"),
                _text(entry, "territory"),
                entry.at,
                entry.at,
            )
            self.copies[_text(entry, "copy")] = went
        went.last_at, went.state, went.reason = entry.at, _text(entry, "state"), _text(entry, "reason")
        went.items += _number(entry, "items")
        went.bytes += _number(entry, "bytes")
        went.entries.append(index)


def _text(entry: Entry, name: str) -> str:
    value = entry.body.get(name)
    return value if isinstance(value, str) else ""


def _number(entry: Entry, name: str) -> int:
    value = entry.body.get(name)
    return value if isinstance(value, int) else 0
