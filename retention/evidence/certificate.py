"""The certificate file: a signed statement together with everything that proves it (`docs/formats/certificate.md`).

Source: C2SP signed-note, tlog-proof; NIST SP 800-88 r2, certificate of sanitization.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field

from retention.evidence.bodies import Body, CountField, Hex
from retention.evidence.canonical import JsonObject, decode_json, encode_json
from retention.evidence.checkpoint import open_checkpoint
from retention.evidence.commitments import CUSTOMER, SUBSCRIPTION, Commitments, Opening
from retention.evidence.entries import Entry, decode_entry, entry_from_json
from retention.evidence.errors import EvidenceError, Malformed
from retention.evidence.findings import Finding, FindingKind, kind_of
from retention.evidence.ledger import Ledger
from retention.evidence.note import Note, Signer, VerifierKey, sign_note
from retention.evidence.proof import LogProof
from retention.evidence.statement import Statement
from retention.evidence.support import Evidence, unsupported_claims

CERTIFICATE_FORMAT = "retention-certificate-file/1"
LARGEST_CERTIFICATE = 64 << 20
"""Bytes."""

_MEMBERS = ("format", "statement", "openings", "entries", "checkpoint", "signature")


class CertificateInvalid(EvidenceError):
    """The certificate does not hold; `findings` says everything that is wrong with it."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class _OpeningRecord(Body):
    label: str
    value: str
    opening_key: Hex


class _EntryRecord(Body):
    index: CountField
    proof: str = Field(max_length=1 << 20)


@dataclass(frozen=True, slots=True)
class CitedEntry:
    """An entry that the statement rests on, as its JSON object, and the proof that it is in the ledger."""

    entry: JsonObject
    proof: LogProof


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as it was read: nothing of it is verified yet. `checkpoint` and `signature` are signed notes."""

    statement: Statement
    openings: tuple[Opening, ...]
    entries: tuple[CitedEntry, ...]
    checkpoint: str
    signature: str

    def encode(self) -> bytes:
        """The file: JSON for people to read; its signature is over the canonical form of the statement."""
        document: JsonObject = {
            "format": CERTIFICATE_FORMAT,
            "statement": self.statement.to_json(),
            "openings": [{"label": o.label, "value": o.value, "opening_key": o.opening_key} for o in self.openings],
            "entries": [
                {"index": cited.proof.index, "entry": cited.entry, "proof": cited.proof.encode()}
                for cited in self.entries
            ],
            "checkpoint": self.checkpoint,
            "signature": self.signature,
        }
        return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Malformed, naming the member, for anything that is no certificate of this format."""
        if len(data) > LARGEST_CERTIFICATE:
            raise Malformed(f"a certificate of {len(data)} bytes is longer than {LARGEST_CERTIFICATE}")
        document = decode_json(data)
        if document.get("format") != CERTIFICATE_FORMAT:
            raise Malformed(f"format: not {CERTIFICATE_FORMAT!r}")
        if set(document) != set(_MEMBERS):
            raise Malformed(f"a certificate has exactly the members {', '.join(_MEMBERS)}")
        return cls(
            statement=_statement(document),
            openings=tuple(_opening(record) for record in _objects(document, "openings")),
            entries=tuple(_cited(record) for record in _objects(document, "entries")),
            checkpoint=_text(document, "checkpoint"),
            signature=_text(document, "signature"),
        )


def issue_certificate(statement: Statement, ledger: Ledger, commitments: Commitments, signer: Signer) -> Certificate:
    """The signed certificate of this statement, with the entries it cites, their proofs and the openings of its names.

    It is verified before it is given out: CertificateInvalid when the ledger's entries do not support the statement.
    NotInLedger when a cited entry is not published; LedgerDamaged as `Ledger`.
    """
    proven = ledger.prove(statement.cited())
    names = [(CUSTOMER, statement.customer), *((SUBSCRIPTION, name) for name in statement.subscriptions())]
    certificate = Certificate(
        statement=statement,
        openings=tuple(commitments.open(label, value) for label, value in names),
        entries=tuple(CitedEntry(decode_entry(each.entry).to_json(), each.proof) for each in proven),
        checkpoint=proven[0].proof.checkpoint.decode("utf-8"),
        signature=sign_note(_signed_text(statement, ledger.key), signer).decode("utf-8"),
    )
    verify_certificate(certificate.encode(), ledger.key)
    return certificate


def verify_certificate(data: bytes, key: VerifierKey) -> Statement:
    """The statement, when the certificate proves all of it to whoever has the log's verifier key; offline.

    CertificateInvalid, with every finding, otherwise. What rests on the signature alone is said in the format.
    """
    findings = certificate_findings(data, key)
    if findings:
        raise CertificateInvalid(findings)
    return Certificate.parse(data).statement


def certificate_findings(data: bytes, key: VerifierKey) -> tuple[Finding, ...]:
    """Everything that is wrong with the certificate, each with the claim it is about; nothing when it holds."""
    try:
        certificate = Certificate.parse(data)
    except Malformed as error:
        return (Finding(FindingKind.MALFORMED, "certificate", str(error)),)
    findings = _signature_findings(certificate, key)
    entries: dict[int, Entry] = {}
    try:
        open_checkpoint(certificate.checkpoint.encode(), key)
    except EvidenceError as error:
        findings.append(Finding(kind_of(error), "checkpoint", str(error)))
    for cited in certificate.entries:
        place = f"entries.{cited.proof.index}"
        try:
            entry = entry_from_json(cited.entry)
            cited.proof.verify(encode_json(cited.entry), key)
        except EvidenceError as error:
            findings.append(Finding(kind_of(error), place, str(error), cited.proof.index))
            continue
        if cited.proof.checkpoint.decode("utf-8") != certificate.checkpoint:
            message = "the proof is against another checkpoint than the certificate's"
            findings.append(Finding(FindingKind.PROOF_INVALID, place, message, cited.proof.index))
        entries[cited.proof.index] = entry
    evidence = Evidence(entries, certificate.openings)
    return (*findings, *unsupported_claims(certificate.statement, evidence))


def _signature_findings(certificate: Certificate, key: VerifierKey) -> list[Finding]:
    findings = []
    try:
        text = Note.parse(certificate.signature.encode()).verify(key)
        if text != _signed_text(certificate.statement, key):
            message = "the signature is over another statement"
            findings.append(Finding(FindingKind.SIGNATURE_INVALID, "signature", message))
    except EvidenceError as error:
        findings.append(Finding(kind_of(error), "signature", str(error)))
    if certificate.statement.ledger != key.name:
        message = f"the certificate is of {certificate.statement.ledger!r}, not of {key.name!r}"
        findings.append(Finding(FindingKind.WRONG_ORIGIN, "statement.ledger", message))
    return findings


def _signed_text(statement: Statement, key: VerifierKey) -> str:
    """What is signed. Its second line is no number, so that it can never be taken for a checkpoint."""
    return f"{key.name}/certificate\nretention certificate v1\nsha256 {statement.hash()}\n"


def _statement(document: JsonObject) -> Statement:
    value = document["statement"]
    if not isinstance(value, Mapping):
        raise Malformed("statement: not an object")
    try:
        return Statement.from_json(value)
    except Malformed as error:
        raise Malformed(f"statement.{error}") from error


def _objects(document: JsonObject, name: str) -> list[JsonObject]:
    values = document[name]
    if not isinstance(values, list) or not all(isinstance(value, Mapping) for value in values):
        raise Malformed(f"{name}: not a list of objects")
    return values


def _text(document: JsonObject, name: str) -> str:
    value = document[name]
    if not isinstance(value, str):
        raise Malformed(f"{name}: not text")
    return value


def _opening(value: JsonObject) -> Opening:
    record = _OpeningRecord.from_json(value)
    return Opening(record.label, record.value, record.opening_key)


def _cited(value: JsonObject) -> CitedEntry:
    record = _EntryRecord.from_json({name: member for name, member in value.items() if name != "entry"})
    entry = value.get("entry")
    proof = LogProof.parse(record.proof)
    if not isinstance(entry, Mapping):
        raise Malformed(f"entries.{record.index}: has no entry")
    if proof.index != record.index:
        raise Malformed(f"entries.{record.index}: its proof is of entry {proof.index}")
    return CitedEntry(entry, proof)
