"""Issue the certificate of a case: what ended how, and what did not, each claim with its ledger entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import retention
from retention.catalog import cases as case_rows
from retention.catalog import keys as key_rows
from retention.errors import InputError
from retention.evidence.bodies import CertificateIssued
from retention.evidence.certificate import Certificate, issue_certificate
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.issuance import carrying_entry
from retention.evidence.proof import LogProof
from retention.evidence.statement import (
    METHODS,
    CopyClaim,
    EpochClaim,
    KeyClaim,
    Sanitization,
    SetClaim,
    Statement,
    StrandClaim,
    exceptions_of,
    is_final,
)
from retention.model.case import StrandState
from retention.model.copy import CopyRole, CopyStatus
from retention.model.record import CaseRecord, ShreddedKey, StrandRecord
from retention.workflows.case_evidence import copy_outcome
from retention.workflows.deployment import Deployment

_TOOL = "retention"
VERIFICATION_METHODS = {
    "erased-verified": "independent listing after erasure finds nothing",
    "shredded-verified": "wrapped key removed and read back as gone; content checked to be sealed under it",
    "anonymised": "restored and searched",
}
"""How an end state was verified."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and whether it is final: everything gone, every key unrecoverable, nothing excepted.

    proof: that it was issued. It carries the ledger's entry of it.
    """

    certificate: Certificate
    final: bool
    proof: LogProof


def certify(deployment: Deployment, case_id: str) -> Issued:
    """The signed certificate of the case as it stands now; issuing it is itself an entry of the ledger.

    A second call gives a new one with a later date. Raises InputError where there is no such case, or where none of its
    copies has an end state yet: there is nothing to certify.
    """
    deployment.journal.publish()
    with deployment.catalog.reading() as session:
        found = case_rows.cases(session, case=case_id)
        epoch_entries = key_rows.epoch_entries(session)
    if not found:
        raise InputError(f"case {case_id!r} is not there; `retention status` lists them")
    record = found[0]
    now = deployment.clock.now()
    statement = _statement(deployment, record, epoch_entries, now)
    certificate = issue_certificate(
        statement, deployment.journal.ledger, deployment.journal.commitments, deployment.journal.signer
    )
    body = CertificateIssued(
        customer=deployment.journal.customer(record.case.customer), statement=statement.hash(), final=statement.final
    )
    with deployment.catalog.transaction() as session:
        entry = Entry(EntryType.CERTIFICATE_ISSUED, now, body.to_json(), case=case_id, policy=record.case.policy_hash)
        (position,) = deployment.journal.write(session, entry)
    deployment.journal.publish()
    (proven,) = deployment.journal.ledger.prove([position])
    return Issued(certificate, statement.final, carrying_entry(proven))


def _statement(deployment: Deployment, record: CaseRecord, epoch_entries: dict[str, int], now: datetime) -> Statement:
    strands = [strand for strand in record.strands if strand.state is not StrandState.BROUGHT_BACK]
    copies = tuple(
        _copy_claim(deployment, record, strand, status)
        for strand in strands
        for status in strand.copies
        if status.end_state is not None and status.entry is not None
    )
    unknown = [s.copy.label for strand in strands for s in strand.copies if s.end_state is None]
    if not copies or unknown:
        waits = ", ".join(unknown[:5]) or "everything was brought back or left to another subscription"
        raise InputError(f"case {record.case.id} cannot be certified yet: {waits} has no end state")
    keys = tuple(_key_claim(strand, key, epoch_entries) for strand in strands for key in strand.keys)
    assert record.opened_entry is not None
    assert record.dates_entry is not None
    return Statement(
        ledger=deployment.journal.ledger.key.name,
        issued_at=now,
        case=record.case.id,
        customer=record.case.customer,
        rule=record.case.rule,
        clause=record.case.clause,
        policy=record.case.policy_hash,
        started_at=record.case.started_at,
        opened_entry=record.opened_entry,
        strands=tuple(_strand_claim(strand, record.dates_entry) for strand in strands),
        copies=copies,
        keys=keys,
        exceptions=exceptions_of(copies),
        final=is_final(copies, keys),
    )


def _strand_claim(record: StrandRecord, entry: int) -> StrandClaim:
    strand = record.strand
    return StrandClaim(
        dataset=strand.dataset,
        subscription=strand.subscription,
        due_at=strand.due.at,
        complete_by=strand.complete_by.at,
        entry=entry,
    )


def _copy_claim(deployment: Deployment, record: CaseRecord, strand: StrandRecord, status: CopyStatus) -> CopyClaim:
    assert status.end_state is not None
    assert status.entry is not None
    told = copy_outcome(deployment.journal, record.case.customer, status)
    at = decode_entry(deployment.journal.ledger.entry(status.entry)).at
    return CopyClaim(
        dataset=status.copy.dataset,
        store=status.copy.store,
        role=status.copy.role,
        subscription=status.copy.subscription,
        backup=status.copy.backup,
        partial=status.copy.partial,
        number=status.copy.number,
        end_state=status.end_state,
        reason=status.reason,
        until=status.until,
        at=at,
        items=told.items,
        bytes=told.bytes_,
        root=told.root,
        entries=(status.entry,),
        sanitization=_sanitization(deployment, status, at),
        sets=_set_claims(status),
    )


def _set_claims(status: CopyStatus) -> tuple[SetClaim, ...] | None:
    if status.copy.role is not CopyRole.BACKUP:
        return None
    return tuple(
        SetClaim(
            set=end.set,
            id=end.id,
            end_state=end.end_state,
            reason=end.reason,
            until=end.until,
            refusal=end.refusal,
            at=end.at,
            entry=end.entry,
        )
        for end in status.sets
        if end.at is not None and end.entry is not None
    )


def _sanitization(deployment: Deployment, status: CopyStatus, at: datetime) -> Sanitization | None:
    assert status.end_state is not None
    if status.end_state not in METHODS:
        return None
    method, technique = METHODS[status.end_state]
    return Sanitization(
        asset=f"{status.copy.store}/{status.copy.dataset}",
        method=method,
        technique=technique,
        tool=_TOOL,
        tool_version=retention.__version__,
        verification_method=VERIFICATION_METHODS[status.end_state],
        verified_at=at,
        agent=deployment.journal.ledger.key.name,
    )


def _key_claim(strand: StrandRecord, key: ShreddedKey, epoch_entries: dict[str, int]) -> KeyClaim:
    return KeyClaim(
        dataset=key.dataset,
        subscription=strand.strand.subscription,
        key=key.key_id,
        shredded_at=key.shredded_at,
        unrecoverable_at=key.unrecoverable_at,
        epochs=tuple(EpochClaim(epoch=name, entry=epoch_entries.get(name)) for name in key.epochs),
        entry=key.entry,
    )
