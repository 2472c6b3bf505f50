"""The proof that a certificate was issued: a C2SP tlog-proof beside it (`docs/formats/certificate.md`).

The entry is `certificate-issued`, which holds the SHA-256 of the statement. It comes after the certificate, so it cannot
stand in it; the proof carries it, as the format's extra data. Nobody has to trust those: they are hashed into the root.

Source: C2SP tlog-proof (c2sp.org/tlog-proof@v1); RFC 9162, section 2.1.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from retention.evidence.bodies import CertificateIssued
from retention.evidence.certificate import Certificate
from retention.evidence.checkpoint import Checkpoint
from retention.evidence.commitments import CUSTOMER, commitment_of
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.errors import Malformed
from retention.evidence.findings import Finding, FindingKind
from retention.evidence.note import VerifierKey
from retention.evidence.proof import PROOF_HEADER, LogProof, ProvenEntry

_PLACE = "proof"


@dataclass(frozen=True, slots=True)
class Issuance:
    """A certificate was issued: entry `index` of the ledger says so, and the key signed a checkpoint that has it."""

    index: int
    entry: Entry
    body: CertificateIssued
    checkpoint: Checkpoint


def carrying_entry(proven: ProvenEntry) -> LogProof:
    """The proof with its entry in it, so that one file is enough to check it."""
    return replace(proven.proof, extra=proven.entry)


def is_proof(data: bytes) -> bool:
    """Whether the bytes say that they are a proof of this format."""
    return data.startswith(f"{PROOF_HEADER}\n".encode())


def open_issuance(data: bytes, key: VerifierKey) -> Issuance:
    """What the proof proves, when the entry that it carries is a certificate's and leads to what the key signed.

    Malformed for what is no such proof or carries another entry or none; SignatureInvalid, WrongOrigin, ProofInvalid.
    """
    try:
        proof = LogProof.parse(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed("a proof is UTF-8") from error
    if proof.extra is None:
        raise Malformed("the proof carries no entry (extra), so there is nothing to check it with")
    checkpoint = proof.verify(proof.extra, key)
    entry = decode_entry(proof.extra)
    if entry.type is not EntryType.CERTIFICATE_ISSUED:
        raise Malformed(f"the proof is of a {entry.type}, not of a {EntryType.CERTIFICATE_ISSUED}")
    return Issuance(proof.index, entry, CertificateIssued.from_json(entry.body), checkpoint)


def unfitting(issuance: Issuance, certificates: Sequence[Certificate]) -> Iterator[Finding]:
    """What the entry says otherwise than the certificate it is about. A finding too where it is about none of these."""
    index = issuance.index
    about = [each for each in certificates if each.statement.hash() == issuance.body.statement]
    if certificates and not about:
        message = f"is of the statement {issuance.body.statement}, which no certificate given with it states"
        yield Finding(FindingKind.OTHER_CERTIFICATE, _PLACE, f"{message} (entry {index})", index)
    for certificate in about:
        for name, (claimed, recorded) in _pairs(issuance, certificate).items():
            if claimed != recorded:
                message = f"{name}: states {claimed}, the entry says {recorded} (entry {index})"
                yield Finding(FindingKind.UNSUPPORTED_CLAIM, _PLACE, message, index)


def _pairs(issuance: Issuance, certificate: Certificate) -> dict[str, tuple[object, object]]:
    statement, entry = certificate.statement, issuance.entry
    opened = [each for each in certificate.openings if (each.label, each.value) == (CUSTOMER, statement.customer)]
    try:
        customer = commitment_of(opened[0]) if opened else None
    except Malformed:
        customer = None  # told already, by the certificate
    return {
        "issued_at": (statement.issued_at, entry.at),
        "case": (statement.case, entry.case),
        "policy": (statement.policy, entry.policy),
        "final": (statement.final, issuance.body.final),
        "customer": (customer, issuance.body.customer),
    }
