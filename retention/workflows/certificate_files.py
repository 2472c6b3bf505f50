"""The three files of a certificate: the JSON, which is the evidence, the proof that it was issued, and a page to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retention.catalog import cases as case_rows
from retention.evidence.checkpoint import open_checkpoint
from retention.evidence.note import encode_base64
from retention.reports.certificate_page import CertificatePage, LedgerPlace
from retention.reports.certificate_pdf import typeset_certificate
from retention.workflows.certificate_page import identity, page_of
from retention.workflows.certify import Issued
from retention.workflows.deployment import Deployment


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """The bytes of each file. certificate: JSON. proof: C2SP tlog-proof. page: PDF/A-2b."""

    certificate: bytes
    proof: bytes
    page: bytes


@dataclass(frozen=True, slots=True)
class FileNames:
    """Where the three files lie."""

    certificate: Path
    proof: Path
    page: Path


def file_names(certificate: Path) -> FileNames:
    """`acme.json` has `acme.tlog-proof` and `acme.pdf` beside it; to a name with another ending theirs are added."""
    name = certificate.name.removesuffix(".json")
    return FileNames(certificate, certificate.with_name(f"{name}.tlog-proof"), certificate.with_name(f"{name}.pdf"))


def certificate_files(deployment: Deployment, issued: Issued) -> CertificateFiles:
    """All three; of the same certificate, the same bytes whenever it is asked. NotTypeset where a font is not installed."""
    return CertificateFiles(
        certificate=issued.certificate.encode(),
        proof=issued.proof.encode().encode("utf-8"),
        page=typeset_certificate(certificate_page(deployment, issued)),
    )


def certificate_page(deployment: Deployment, issued: Issued) -> CertificatePage:
    """What the page shows."""
    statement = issued.certificate.statement
    with deployment.catalog.reading() as session:
        policy = next(each for each in deployment.shelf.versions(session) if each.hash == statement.policy)
        (record,) = case_rows.cases(session, case=statement.case)
    copies = (status.copy for strand in record.strands for status in strand.copies)
    territories = {identity(copy): copy.territory for copy in copies if copy.territory is not None}
    return page_of(statement, policy, territories, _ledger_place(deployment, issued))


def _ledger_place(deployment: Deployment, issued: Issued) -> LedgerPlace:
    key = deployment.journal.ledger.key
    checkpoint = open_checkpoint(issued.proof.checkpoint, key)
    statement = issued.certificate.statement
    return LedgerPlace(
        origin=key.name,
        key=str(key),
        statement=statement.hash(),
        entry=issued.proof.index,
        size=checkpoint.size,
        root=encode_base64(checkpoint.root),
        cited=statement.cited(),
    )
