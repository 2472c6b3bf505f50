"""What the ledger tells of a period and the catalogue does not keep, gathered in one walk over its entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from retention.evidence.entries import Entry, EntryType
from retention.evidence.ledger import Ledger
from retention.evidence.timeline import Span, find_entries, walk
from retention.reports.document import Text
from retention.workflows.report_sections.moves import OF_TRANSFERS, Moves
from retention.workflows.report_sections.period import Period
from retention.workflows.report_sections.spool import Spool

_OFFICER_LENGTH = 12

OF_FACTS = frozenset(
    {EntryType.HOLD_PLACED, EntryType.HOLD_RELEASED, EntryType.CONSENT_GRANTED, EntryType.CONSENT_WITHDRAWN}
)
"""Entries that are looked up by the commitment to the fact that they record."""

INCIDENTS = {
    EntryType.CLOCK_JUMP: Text("时钟跳变", "The clock jumped"),
    EntryType.CATALOGUE_BEHIND: Text(
        "目录库落后于账本，已重放", "The catalogue was behind the ledger, and was replayed"
    ),
    EntryType.FOUND_AGAIN: Text("删除后再次发现数据", "Deleted data was found again"),
    EntryType.FACT_CONTRADICTS: Text("事实相互矛盾", "Facts contradict each other"),
}

_DRILLS = (EntryType.BACKUP_DRILLED, EntryType.BACKUP_RESTORED)
_WANTED = frozenset(
    {
        *OF_FACTS,
        *INCIDENTS,
        *OF_TRANSFERS,
        *_DRILLS,
        EntryType.POLICY_ADOPTED,
        EntryType.PLAN_APPROVED,
        EntryType.LIMIT_HIT,
        EntryType.TRANSFER_USED,
        EntryType.BACKUPS_SCANNED,
        EntryType.CERTIFICATE_ISSUED,
        EntryType.REPORT_ISSUED,
    }
)


@dataclass(slots=True)
class Events:
    """Rows of the period, and where entries are found. of_facts: by type and the commitment to the fact.

    policies: by the version's hash. used: by decision. last_scan: of the backup stores. moves: what went
    abroad. counts: entries by type.
    """

    approvals: Spool
    limits: Spool
    incidents: Spool
    drills: Spool
    span: Span = field(default=Span(0, 0))
    of_facts: dict[tuple[EntryType, str], int] = field(default_factory=dict)
    policies: dict[str, int] = field(default_factory=dict)
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    last_scan: int | None = None
    moves: Moves = field(default_factory=Moves)
    counts: Counter[EntryType] = field(default_factory=Counter)

    def read(self, ledger: Ledger, period: Period) -> None:
        """Everything in the ledger that bears a time of the period is here. Raises as `walk`."""
        self.span = walk(ledger, period.start_at, period.until, _WANTED, self._see)

    def entry_of(self, kind: EntryType, commitment: str) -> int | None:
        """The first entry of this type that speaks of the commitment, among those read or looked up; None for none."""
        return self.of_facts.get((kind, commitment))

    def look_up(self, ledger: Ledger, wanted: Iterable[tuple[EntryType, str]], since: datetime | None) -> None:
        """Those of the wanted entries that lie before or behind the period are known too. since: none of them is older."""
        missing = {key for key in wanted if key not in self.of_facts}
        for first, size in ((None, self.span.first_size), (self.span.last_size, ledger.checkpoint().size)):
            if missing and since is not None:
                kinds = {kind for kind, _ in missing}
                found = find_entries(ledger, since, size, kinds, _term, missing, first)
                self.of_facts.update(found)
                missing -= found.keys()

    def look_up_policies(self, ledger: Ledger, hashes: Iterable[str], since: datetime) -> None:
        """The adoption of each of these versions is known, however old it is."""
        missing = {(EntryType.POLICY_ADOPTED, each) for each in hashes if each not in self.policies}
        if missing:
            kinds = {EntryType.POLICY_ADOPTED}
            found = find_entries(ledger, since, self.span.first_size, kinds, _adopted, missing)
            self.policies.update((each, index) for (_, each), index in found.items())

    def _see(self, index: int, entry: Entry) -> None:
        self.counts[entry.type] += 1
        match entry.type:
            case EntryType.POLICY_ADOPTED:
                self.policies.setdefault(entry.policy or "", index)
            case EntryType.PLAN_APPROVED:
                officer = _text(entry, "officer")[:_OFFICER_LENGTH]
                self.approvals.put((entry.at, _text(entry, "subject"), officer, (index,)))
            case EntryType.LIMIT_HIT:
                counts = (_count(entry, "customers"), _count(entry, "of"), _count(entry, "approvals"))
                self.limits.put((entry.at, *counts, _text(entry, "plan"), (index,)))
            case EntryType.TRANSFER_USED:
                before = self.used.get(_text(entry, "decision"))
                self.used[_text(entry, "decision")] = before or (index, _count(entry, "persons"))
            case EntryType.BACKUPS_SCANNED:
                self.last_scan = index
            case kind if kind in OF_TRANSFERS:
                self.moves.see(index, entry)
            case kind if kind in _DRILLS:
                self.drills.put(_drill(index, entry))
            case kind if kind in INCIDENTS:
                self.incidents.put((entry.at, INCIDENTS[kind], entry.case, _what(entry), (index,)))
            case _:
                key = _term(entry)
                if key is not None:
                    self.of_facts.setdefault(key, index)


Key = tuple[EntryType, str]
Find = Callable[[Entry], Key | None]


def _term(entry: Entry) -> Key | None:
    return (entry.type, _text(entry, "fact")) if entry.type in OF_FACTS else None


def _adopted(entry: Entry) -> Key | None:
    return (entry.type, entry.policy or "")


def _what(entry: Entry) -> Text:
    """What happened, in numbers and without names."""
    match entry.type:
        case EntryType.CLOCK_JUMP:
            seconds = _count(entry, "seconds")
            return Text(f"时钟比实际流逝多走 {seconds} 秒", f"the clock moved {seconds} s more than time did")
        case EntryType.CATALOGUE_BEHIND:
            known, size = _count(entry, "known"), _count(entry, "size")
            return Text(f"目录库知 {known} 条，账本有 {size} 条", f"it knew {known} entries of {size}")
        case EntryType.FOUND_AGAIN:
            copies = entry.body.get("copies")
            count = len(copies) if isinstance(copies, list | tuple) else 0
            return Text(f"{count} 份副本；案件已重新打开", f"{count} copies; the case was reopened")
        case _:
            return Text("已标记，待人工核对", "flagged for a person to look at")


def _drill(index: int, entry: Entry) -> tuple[datetime, Text, str, str, int, int, int, int, int, tuple[int, ...]]:
    is_drill = entry.type is EntryType.BACKUP_DRILLED
    what = Text("演练", "rehearsal") if is_drill else Text("恢复", "restore")
    numbers = [_count(entry, name) for name in ("replayed", "removed", "unknown", "left_out", "seconds")]
    replayed, removed, unknown, left_out, seconds = numbers
    store, shown = _text(entry, "store"), _text(entry, "set")
    return (entry.at, what, store, shown, replayed, removed, unknown, left_out, seconds, (index,))


def _text(entry: Entry, name: str) -> str:
    value = entry.body.get(name)
    return value if isinstance(value, str) else ""


def _count(entry: Entry, name: str) -> int:
    value = entry.body.get(name)
    return value if isinstance(value, int) else 0
