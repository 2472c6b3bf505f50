"""Whether the ledger says what a report says: every entry that a row cites is there, of its case, and of the same content.

Citations are put in order on disk first, so that report and ledger are each read once and memory grows with neither.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from retention.evidence.bodies import CopyRef, CopyVerified, SetEnded
from retention.evidence.canonical import JsonValue
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.findings import Finding, FindingKind
from retention.evidence.instants import format_instant
from retention.evidence.report_figures import Figures
from retention.evidence.report_rows import Json, JsonRow, ReportedRow, ReportFile
from retention.evidence.report_words import STATED, WAITING

MOST_FINDINGS = 200
_CITING = "entries"
"""The column that cites entries."""
_WITHOUT_CASE = frozenset({EntryType.EPOCH_DESTROYED, EntryType.BACKUPS_SCANNED})
"""Entries that a row of a case may rest on although they are of none."""


@dataclass(slots=True)
class Citations:
    """The citations of one report, in the order of the entries. `findings`: what is wrong so far, at most some hundreds.

    issued: the index of the report's own entry; nothing behind it can be cited. `close` frees the disk.
    """

    issued: int
    findings: list[Finding] = field(default_factory=list)
    _store: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(""))
    _waiting: Iterator[tuple[int, str, str, str]] | None = None
    _next: tuple[int, str, str, str] | None = None

    def read(self, report: ReportFile) -> None:
        """Every citation of the report is known. Malformed where the report cannot be read."""
        self._store.execute("CREATE TABLE told (id INTEGER PRIMARY KEY, place TEXT, name TEXT, cells TEXT)")
        self._store.execute("CREATE TABLE cited (entry INTEGER, row INTEGER)")
        figures = Figures(report.front)
        for number, row in enumerate(report.rows()):
            figures.see(row)
            self._see_row(number, row)
        for place, message in figures.wrong():
            self._add(FindingKind.CITATION_WRONG, place, message)
        self._store.execute("CREATE INDEX cited_entry ON cited (entry, row)")
        columns = "entry, place, name, cells FROM cited JOIN told ON told.id = cited.row"
        self._waiting = iter(self._store.execute(f"SELECT {columns} ORDER BY entry, row"))
        self._next = next(self._waiting, None)

    def _see_row(self, number: int, row: ReportedRow) -> None:
        """What the row says is kept once, however many entries it cites."""
        for message in _unfounded(row):
            self._add(FindingKind.CITATION_WRONG, row.place, message)
        cited = set()
        for entry in row.cited():
            if 0 <= entry < self.issued:
                cited.add(entry)
            else:
                self._add(FindingKind.ENTRY_NOT_CITABLE, row.place, f"there was no entry {entry} yet", entry)
        if cited:
            told = json.dumps(_told(row.cells), ensure_ascii=False)
            self._store.execute("INSERT INTO told VALUES (?, ?, ?, ?)", (number, row.place, row.table, told))
            self._store.executemany("INSERT INTO cited VALUES (?, ?)", ((entry, number) for entry in cited))

    def see(self, index: int, data: bytes) -> None:
        """The ledger's next entry, proven to be in it: what cites it is checked. Malformed when the bytes are no entry."""
        entry: Entry | None = None
        while self._next is not None and self._next[0] <= index:
            at, place, table, told = self._next
            if at == index:
                entry = entry or decode_entry(data)
                self._check(entry, index, place, table, json.loads(told))
            else:
                self._add(FindingKind.ENTRY_NOT_CITABLE, place, f"entry {at} is not proven to be in the ledger", at)
            self._advance()

    def end(self) -> None:
        """The ledger has no more entries: whatever is still cited is not there."""
        while self._next is not None:
            at, place, _, _ = self._next
            self._add(FindingKind.ENTRY_NOT_CITABLE, place, f"the ledger given has no entry {at}", at)
            self._advance()

    def close(self) -> None:
        """What was kept on disk is gone."""
        self._waiting = None
        self._store.close()

    def _advance(self) -> None:
        self._next = next(self._waiting, None) if self._waiting is not None else None

    def _check(self, entry: Entry, index: int, place: str, table: str, cells: JsonRow) -> None:
        case = cells.get("case")
        if isinstance(case, str) and entry.case != case and not (entry.case is None and entry.type in _WITHOUT_CASE):
            message = f"entry {index} is not of case {case}"
            self._add(FindingKind.ENTRY_NOT_CITABLE, place, message, index)
            return
        for name, said, told in _differences(entry, table, cells):
            message = f"{name} is {_short(said)}; entry {index} ({entry.type}) says {_short(told)}"
            self._add(FindingKind.CITATION_WRONG, place, message, index)

    def _add(self, kind: FindingKind, place: str, message: str, index: int | None = None) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, place, message, index))
        elif len(self.findings) == MOST_FINDINGS:
            message = f"more than {MOST_FINDINGS} things are wrong"
            self.findings.append(Finding(FindingKind.TOO_MANY, "report.json", message))


def _unfounded(row: ReportedRow) -> Iterator[str]:
    """How a row says how something ended without an entry that tells it, or in other words than those that there are."""
    if row.table not in STATED:
        return
    column, words = STATED[row.table]
    cell = row.cells.get(column)
    if _CITING not in row.citing:
        yield f"column {_CITING} is not of the kind entries"
    if cell is None and row.table == "copies":
        return
    said = _word(cell)
    if not isinstance(cell, dict) or not isinstance(said, str) or cell.get("zh") != words.get(said, ""):
        yield f"{column} is {_short(cell)}, which is no outcome that there is"
    waits = row.table == "copies" and said in WAITING
    if not waits and not any(row.cells.get(name) for name in row.citing):
        yield f"{column} is {_short(said)}, and no entry is cited for it"


def _told(cells: JsonRow) -> dict[str, Json]:
    """The cells that are compared with entries: numbers and words, of which the English is what the ledger has."""
    said = {name: _word(cell) for name, cell in cells.items()}
    return {name: cell for name, cell in said.items() if not isinstance(cell, dict | list | float)}


def _word(cell: Json) -> Json:
    return cell.get("en") if isinstance(cell, dict) else cell


# -------------------------------------------------------------------------------------------------- comparisons


def _differences(entry: Entry, table: str, cells: JsonRow) -> Iterator[tuple[str, Json, JsonValue]]:
    """The column, what stands in it, and what the entry says instead, for each in which they differ."""
    for name, told in _entry_says(entry, table).items():
        said = cells.get(name)
        if name == "customer":
            is_same = isinstance(said, str) and len(said) >= 8 and str(told).startswith(said)
        elif name in ("entry_at", "until"):
            is_same = _same_instant(said, told)
        else:
            is_same = said == told
        if name in cells and not is_same:
            yield name, said, told


def _entry_says(entry: Entry, table: str) -> Mapping[str, JsonValue]:
    """What an entry says about the columns of a row that cites it; nothing about columns that it does not know."""
    match table, entry.type:
        case (("copies" | "unsupported"), EntryType.STEP_OUTCOME):
            body = CopyVerified.from_json(entry.body)
            copy = body.copy_
            return {
                "dataset": copy.dataset,
                "copy": _label(copy),
                "end_state": str(body.end_state),
                "until": format_instant(body.until) if body.until else None,
            }
        case (("copies" | "unsupported"), _):
            return {"end_state": "what a step-outcome says"}
        case "backup-sets", EntryType.BACKUP_SET:
            ended = SetEnded.from_json(entry.body)
            return {
                "customer": ended.customer,
                "dataset": ended.copy_.dataset,
                "set_id": ended.id,
                "end_state": str(ended.end_state),
                "until": format_instant(ended.until) if ended.until else None,
            }
        case "backup-sets", _:
            return {"end_state": "what a backup-set says"}
        case "decisions", EntryType.TRANSFER_DECIDED:
            names = ("decision", "customer", "dataset", "verdict")
            said = {name: entry.body.get(name) for name in names}
            empty = {name: entry.body.get(name) or None for name in ("source", "destination", "recipient", "purpose")}
            return {**said, **empty, "measure": entry.body.get("measure") or None}
        case "decisions", EntryType.TRANSFER_USED:
            return {"decision": entry.body.get("decision")}
        case "decisions", _:
            return {"verdict": "what a transfer-decided says"}
        case _:
            return _commonly_says(entry, table)


def _label(copy: CopyRef) -> str:
    """How a report names a copy of a dataset."""
    series = f"@{copy.backup}" if copy.backup else ""
    number = f"/{copy.number}" if copy.number > 1 else ""
    return f"{copy.role}/{copy.store}{series}{number}"


def _commonly_says(entry: Entry, table: str) -> Mapping[str, JsonValue]:
    match table, entry.type:
        case "cases", EntryType.CASE_OPENED | EntryType.CASE_CHANGED:
            return {name: entry.body[name] for name in ("customer", "rule", "clause") if name in entry.body}
        case "moved", EntryType.TRANSFER_COPIED | EntryType.TRANSFER_DECIDED:
            names = ("copy", "decision", "customer", "dataset", "store", "territory")
            return {name: entry.body[name] for name in names if name in entry.body}
        case "policy-versions", _:
            return {"hash": entry.policy, "version": entry.body.get("version")}
        case "approvals", _:
            return {"subject": entry.body.get("subject")}
        case "limits-hit", _:
            return {name: entry.body.get(name) for name in ("customers", "of", "approvals", "plan")}
        case "epochs-destroyed", _:
            return {"epoch": entry.body.get("epoch")}
        case (("holds" | "consents"), _):
            return {"customer": entry.body.get("customer")}
        case _:
            return {}


def _same_instant(said: Json, told: JsonValue) -> bool:
    if not isinstance(said, str) or not isinstance(told, str):
        return said is None and told is None
    try:
        return datetime.fromisoformat(said) == datetime.fromisoformat(told)
    except (ValueError, TypeError):
        return False


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
