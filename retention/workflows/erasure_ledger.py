"""What the ledger says was erased: read anew from its files before a restore, and never from memory."""

from __future__ import annotations

from dataclasses import dataclass

from retention.catalog import cases as case_rows
from retention.catalog import ledger_outbox
from retention.errors import NotInOrder
from retention.evidence.audit import audit_ledger
from retention.evidence.bodies import KeyShredded
from retention.evidence.entries import EntryType, decode_entry
from retention.model.plan import StepKind
from retention.workflows.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Erasures:
    """What the whole ledger tells: the keys that were destroyed."""

    destroyed_keys: frozenset[str]


def read_erasures(deployment: Deployment) -> Erasures:
    """The erasures that the ledger tells, each of them known to the catalogue too.

    Raises NotInOrder where the ledger is missing, damaged or shorter than it was, or tells of an erasure that the catalogue
    does not know: then nobody could say who must not come back.
    """
    deployment.journal.publish()
    with deployment.catalog.reading() as session:
        published = ledger_outbox.published(session)
    keys: set[str] = set()
    past: set[tuple[str, str]] = set()

    def read(_index: int, data: bytes) -> None:
        entry = decode_entry(data)
        dataset = str(entry.body.get("dataset", ""))
        if entry.type is EntryType.KEY_SHREDDED:
            keys.add(KeyShredded.from_json(entry.body).key)
            past.add((entry.case or "", dataset))
        elif entry.type is EntryType.STEP_OUTCOME and entry.body.get("step") == str(StepKind.ERASE):
            past.add((entry.case or "", dataset))

    audit = audit_ledger(deployment.journal.ledger, check=read)
    if audit.findings:
        raise NotInOrder(f"the erasure ledger is not whole, so nothing is restored: {audit.findings[0]}")
    if audit.entry_count < published:
        raise NotInOrder(
            f"the erasure ledger has {audit.entry_count} entries and had {published}: it was cut off, so nothing is restored"
        )
    with deployment.catalog.reading() as session:
        known = {
            (record.strand.case, record.strand.dataset)
            for record in case_rows.strands(session)
            if record.passed_at is not None
        }
    if past - known:
        raise NotInOrder(
            f"the ledger tells of {len(past - known)} erasures that the catalogue does not know; nothing is restored"
        )
    return Erasures(frozenset(keys))
