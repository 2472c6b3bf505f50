"""Ledger entries: what is recorded, when, of which case, by which policy. Pure. See `docs/formats/ledger.md`.

Source: RFC 8785 (canonical JSON); RFC 3339 (instants).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from retention.evidence.canonical import JsonObject, JsonValue, decode_canonical, encode_json
from retention.evidence.errors import Malformed
from retention.evidence.instants import format_instant, parse_instant
from retention.evidence.tiles import LARGEST_ENTRY

FORMAT = 1
_MEMBERS = frozenset({"format", "type", "at", "case", "policy", "body"})
_LONGEST_NAME = 200


class EntryType(StrEnum):
    """What an entry records. A new type is a new line here and in nothing else of this package."""

    FACT_RECORDED = "fact-recorded"
    FACT_CONTRADICTS = "fact-contradicts"
    CASE_OPENED = "case-opened"
    CASE_CHANGED = "case-changed"
    STEP_INTENT = "step-intent"
    STEP_OUTCOME = "step-outcome"
    BATCH = "batch"
    HOLD_PLACED = "hold-placed"
    HOLD_RELEASED = "hold-released"
    CONSENT_GRANTED = "consent-granted"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    TRANSFER_DECIDED = "transfer-decided"
    TRANSFER_USED = "transfer-used"
    TRANSFER_COPYING = "transfer-copying"
    TRANSFER_COPIED = "transfer-copied"
    TRANSFERS_AUDITED = "transfers-audited"
    WAY_OUT_CLOSED = "way-out-closed"
    WAY_OUT_REOPENED = "way-out-reopened"
    POLICY_ADOPTED = "policy-adopted"
    PLAN_APPROVED = "plan-approved"
    LIMIT_HIT = "limit-hit"
    CLOCK_JUMP = "clock-jump"
    KEY_SHREDDED = "key-shredded"
    EPOCH_ROLLED = "epoch-rolled"
    EPOCH_DESTROYED = "epoch-destroyed"
    FOUND_AGAIN = "found-again"
    BACKUPS_SCANNED = "backups-scanned"
    BACKUP_SET = "backup-set"
    BACKUP_QUARANTINED = "backup-quarantined"
    BACKUP_DELETED = "backup-deleted"
    BACKUP_ANONYMISED = "backup-anonymised"
    BACKUP_RESTORED = "backup-restored"
    BACKUP_DRILLED = "backup-drilled"
    CATALOGUE_BEHIND = "catalogue-behind"
    CERTIFICATE_ISSUED = "certificate-issued"
    REPORT_ISSUED = "report-issued"
    REFUSED = "refused"
    RUN_STARTED = "run-started"
    RUN_FINISHED = "run-finished"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the ledger. `at` is aware; `case` and `policy` (its hash) are None where there is none.

    body: the rest; customers, subscriptions, objects and rows only as commitments. `retention.evidence.bodies` has
    the bodies that certificates rely on.
    """

    type: EntryType
    at: datetime
    body: JsonObject = field(default_factory=dict)
    case: str | None = None
    policy: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The entry as the JSON object of the format."""
        entry: dict[str, JsonValue] = {
            "format": FORMAT,
            "type": self.type.value,
            "at": format_instant(self.at),
            "body": self.body,
        }
        for name, value in (("case", self.case), ("policy", self.policy)):
            if value is not None:
                entry[name] = _name(value, name)
        return entry

    def encode(self) -> bytes:
        """The entry's bytes, canonical. Malformed for what the format cannot hold, or more than 65,535 bytes of it."""
        data = encode_json(self.to_json())
        if len(data) > LARGEST_ENTRY:
            raise Malformed(f"an entry of {len(data)} bytes is longer than {LARGEST_ENTRY}")
        return data


def decode_entry(data: bytes) -> Entry:
    """The entry of these bytes. Malformed for anything that `Entry.encode` would not have written."""
    if len(data) > LARGEST_ENTRY:
        raise Malformed(f"an entry of {len(data)} bytes is longer than {LARGEST_ENTRY}")
    return entry_from_json(decode_canonical(data))


def entry_from_json(value: JsonObject) -> Entry:
    """The entry of this JSON object. Malformed for a missing, unknown or wrong member."""
    if unknown := value.keys() - _MEMBERS:
        raise Malformed(f"an entry has no member {min(unknown)!r}")
    if value.get("format") != FORMAT or isinstance(value.get("format"), bool):
        raise Malformed(f"the entry is not of format {FORMAT}")
    body = value.get("body")
    if not isinstance(body, Mapping):
        raise Malformed("an entry's body is an object")
    return Entry(
        type=_entry_type(value.get("type")),
        at=parse_instant(value.get("at")),
        body=body,
        case=_name(value["case"], "case") if "case" in value else None,
        policy=_name(value["policy"], "policy") if "policy" in value else None,
    )


def _entry_type(value: JsonValue) -> EntryType:
    try:
        return EntryType(str(value))
    except ValueError as error:
        raise Malformed(f"no entry type {str(value)[:40]!r} is known") from error


def _name(value: JsonValue, what: str) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= _LONGEST_NAME:
        raise Malformed(f"an entry's {what} is text of 1 to {_LONGEST_NAME} printable characters")
    return value
