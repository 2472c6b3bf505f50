"""Checking what somebody hands over: ledgers, reports, certificates, proofs, checkpoints; offline, by the verifier key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from retention.evidence.audit import audit_ledger
from retention.evidence.bodies import CaseDates
from retention.evidence.bundle_check import BundleCheck, check_bundle, close_citations, compare_copy, is_bundle
from retention.evidence.certificate import LARGEST_CERTIFICATE, Certificate, certificate_findings
from retention.evidence.checkpoint import Checkpoint, open_checkpoint
from retention.evidence.directory import read_file
from retention.evidence.entries import Entry, EntryType, decode_entry
from retention.evidence.errors import EvidenceError, Malformed, SignatureInvalid, WrongOrigin
from retention.evidence.findings import Finding, FindingKind, kind_of
from retention.evidence.issuance import Issuance, is_proof, open_issuance, unfitting
from retention.evidence.ledger import Ledger
from retention.evidence.note import VerifierKey
from retention.evidence.statement import Statement
from retention.evidence.uncited import PassedOver

_PDF = b"%PDF-"


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A finding, and the file or directory, as it was given, that it is about."""

    path: Path
    finding: Finding

    def __str__(self) -> str:
        return f"{self.path}: {self.finding}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What is wrong (nothing: all is well), and how much was checked.

    uncited_count: reports of which no ledger was at hand, in the bundle or beside it, to hold their rows against.
    """

    findings: tuple[FileFinding, ...]
    ledger_count: int
    entry_count: int
    certificate_count: int
    checkpoint_count: int
    report_count: int = 0
    uncited_count: int = 0
    proof_count: int = 0


@dataclass(slots=True)
class _Handed:
    """What was handed over, sorted; `known`, `statements` and `issuances` are verified already."""

    ledgers: list[Path] = field(default_factory=list)
    reports: list[tuple[Path, BundleCheck]] = field(default_factory=list)
    known: list[Checkpoint] = field(default_factory=list)
    statements: list[tuple[Path, Statement]] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    issuances: list[tuple[Path, Issuance]] = field(default_factory=list)
    watchers: list[tuple[Path, PassedOver]] = field(default_factory=list)
    certificate_count: int = 0
    checkpoint_count: int = 0
    proof_count: int = 0


def verify_files(paths: Sequence[Path], key: VerifierKey) -> Verification:
    """Everything that is wrong with these ledgers and reports (directories), certificates, proofs and checkpoints (files).

    Given together they are also checked against each other: a ledger against every checkpoint that was saved or stands
    in a certificate (cut off, forked), a certificate against what the ledger holds about its case, the rows
    of a report against the entries they cite, the proof that a certificate was issued against the certificate.
    Findings come by path; nothing is raised for what is wrong with a file, an unreadable one included.
    """
    handed = _Handed()
    findings: list[FileFinding] = []
    for path in paths:
        if path.is_dir() and is_bundle(path):
            findings += (FileFinding(path, finding) for finding in _verify_bundle(path, key, handed))
        elif path.is_dir():
            handed.ledgers.append(path)
        else:
            findings += (FileFinding(path, finding) for finding in _verify_file(path, key, handed))
    for path, issuance in handed.issuances:
        findings += (FileFinding(path, finding) for finding in unfitting(issuance, handed.certificates))
    entry_count = sum(check.entry_count for _, check in handed.reports)
    entry_count += sum(_verify_ledger(path, key, handed, findings) for path in handed.ledgers)
    uncited_count = sum(check.citations is not None for _, check in handed.reports)
    for path, check in handed.reports:
        compare_copy(check, key, handed.known)
        close_citations(check, is_whole=False)
        findings += (FileFinding(path, finding) for finding in check.findings)
    return Verification(
        tuple(findings),
        len(handed.ledgers),
        entry_count,
        handed.certificate_count,
        handed.checkpoint_count,
        len(handed.reports),
        uncited_count,
        handed.proof_count,
    )


def _verify_ledger(path: Path, key: VerifierKey, handed: _Handed, findings: list[FileFinding]) -> int:
    """How many entries of the ledger were proven; what is wrong with it, and with what it is about, is among `findings`."""
    reports = [check for _, check in handed.reports if check.citations is not None]
    later = _Later(handed.statements, reports, handed.watchers)
    try:
        audit = audit_ledger(Ledger(path, key), handed.known, later.see)
    except OSError as error:
        findings.append(FileFinding(path, _unreadable(error)))
        return 0
    findings += (FileFinding(path, finding) for finding in audit.findings)
    findings += later.findings
    for check in later.reports:
        close_citations(check, is_whole=not audit.findings)
    return audit.entry_count


def _verify_bundle(path: Path, key: VerifierKey, handed: _Handed) -> Iterable[Finding]:
    """Nothing but what keeps a report from being read; what is wrong with it stays with it, in `handed`."""
    try:
        check = check_bundle(path, key)
    except OSError as error:
        return [_unreadable(error)]
    handed.reports.append((path, check))
    if check.checkpoint is not None:
        handed.known.append(check.checkpoint)
    return []


def _verify_file(path: Path, key: VerifierKey, handed: _Handed) -> Iterable[Finding]:
    """What is wrong with a certificate, a proof or a saved checkpoint; what is right with it goes to `handed`."""
    try:
        data = read_file(path, LARGEST_CERTIFICATE)
    except OSError as error:
        return [_unreadable(error)]
    except Malformed as error:
        return [Finding(FindingKind.MALFORMED, "file", str(error))]
    if data.lstrip()[:1] == b"{":
        return _verify_certificate(path, data, key, handed)
    if is_proof(data):
        return _verify_proof(path, data, key, handed)
    try:
        handed.known.append(open_checkpoint(data, key))
    except Malformed:
        message = "neither a certificate (JSON) nor a checkpoint (signed note)"
        if data.startswith(_PDF):
            message = "a page to read is no evidence; the JSON and the tlog-proof of its name are"
        return [Finding(FindingKind.MALFORMED, "file", message)]
    except SignatureInvalid as error:
        return [Finding(FindingKind.SIGNATURE_INVALID, "checkpoint", str(error))]
    except WrongOrigin as error:
        return [Finding(FindingKind.WRONG_ORIGIN, "checkpoint", str(error))]
    handed.checkpoint_count += 1
    return []


def _verify_certificate(path: Path, data: bytes, key: VerifierKey, handed: _Handed) -> Iterable[Finding]:
    handed.certificate_count += 1
    findings = certificate_findings(data, key)
    try:
        certificate = Certificate.parse(data)
        handed.certificates.append(certificate)
        handed.known.append(open_checkpoint(certificate.checkpoint.encode(), key))
        handed.statements.append((path, certificate.statement))
    except EvidenceError:
        return findings  # which name it
    if not findings:
        handed.watchers.append((path, PassedOver(certificate)))
    return findings


def _verify_proof(path: Path, data: bytes, key: VerifierKey, handed: _Handed) -> Iterable[Finding]:
    handed.proof_count += 1
    try:
        issuance = open_issuance(data, key)
    except EvidenceError as error:
        return [Finding(kind_of(error), "proof", str(error))]
    handed.known.append(issuance.checkpoint)
    handed.issuances.append((path, issuance))
    return []


@dataclass(slots=True)
class _Later:
    """Watches a ledger go by for what happened to a certificate's case after the entries it rests on.

    reports: those whose rows are held against this ledger. watchers: what certificates passed over before that.
    """

    statements: Sequence[tuple[Path, Statement]]
    reports: Sequence[BundleCheck] = ()
    watchers: Sequence[tuple[Path, PassedOver]] = ()
    findings: list[FileFinding] = field(default_factory=list)

    def see(self, index: int, data: bytes) -> None:
        """Malformed when the bytes are no entry."""
        for check in self.reports:
            if check.citations is not None:
                check.citations.see(index, data)
        entry = decode_entry(data)
        for path, watcher in self.watchers:
            self.findings += (FileFinding(path, finding) for finding in watcher.see(index, entry))
        for path, statement in self.statements:
            if entry.case == statement.case and index > max(statement.cited()) and _goes_on(entry):
                message = f"the case went on after this: {entry.type} (entry {index})"
                finding = Finding(FindingKind.SUPERSEDED, f"case {statement.case}", message, index)
                self.findings.append(FileFinding(path, finding))


def _goes_on(entry: Entry) -> bool:
    """Whether the entry changes what a certificate of its case would state."""
    if entry.type is not EntryType.CASE_CHANGED:
        return entry.type is EntryType.FOUND_AGAIN
    try:
        CaseDates.from_json(entry.body)
    except Malformed:
        return False  # a change of something else
    return True


def _unreadable(error: OSError) -> Finding:
    return Finding(FindingKind.UNREADABLE, "file", error.strerror or "cannot be read")
