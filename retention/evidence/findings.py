"""Findings: what a verification found wrong, one by one, each with its kind and place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from retention.evidence.errors import EvidenceError, Malformed, SignatureInvalid, WrongOrigin


class FindingKind(StrEnum):
    """What is wrong. The first group is about a ledger, the second about a certificate, the third about a report."""

    CHECKPOINT_MISSING = "checkpoint-missing"
    CHECKPOINT_MALFORMED = "checkpoint-malformed"
    SIGNATURE_INVALID = "signature-invalid"
    WRONG_ORIGIN = "wrong-origin"
    TILE_MISSING = "tile-missing"
    TILE_MALFORMED = "tile-malformed"
    TILE_CHANGED = "tile-changed"
    ENTRIES_MISSING = "entries-missing"
    ENTRIES_MALFORMED = "entries-malformed"
    ENTRY_CHANGED = "entry-changed"
    ENTRY_REMOVED = "entry-removed"
    ENTRY_INSERTED = "entry-inserted"
    ENTRY_REORDERED = "entry-reordered"
    ENTRY_MALFORMED = "entry-malformed"
    ROOT_MISMATCH = "root-mismatch"
    ROLLED_BACK = "rolled-back"
    FORKED = "forked"
    UNEXPECTED_FILE = "unexpected-file"
    TOO_MANY = "too-many"  # the search went on, but no more findings are listed

    MALFORMED = "malformed"
    PROOF_INVALID = "proof-invalid"
    OPENING_INVALID = "opening-invalid"
    UNSUPPORTED_CLAIM = "unsupported-claim"
    SUPERSEDED = "superseded"  # right when it was issued; the ledger shows that the case went on
    OTHER_CERTIFICATE = "other-certificate"  # a proof, of another certificate than those that it was given with
    UNREADABLE = "unreadable"

    FILE_MISSING = "file-missing"
    FILE_CHANGED = "file-changed"
    FILE_UNLISTED = "file-unlisted"
    NOT_ISSUED = "not-issued"  # the ledger tells of another manifest, period or size
    ENTRY_NOT_CITABLE = "entry-not-citable"  # a row rests on an entry that is not there, or of another case
    CITATION_WRONG = "citation-wrong"  # a row says otherwise than the entry it rests on


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `place`: a path within the ledger, or the claim of a certificate; `index`: the entry."""

    kind: FindingKind
    place: str
    message: str
    index: int | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.kind}: {self.message}"


def kind_of(error: EvidenceError) -> FindingKind:
    """Which finding an error amounts to."""
    match error:
        case Malformed():
            return FindingKind.MALFORMED
        case SignatureInvalid():
            return FindingKind.SIGNATURE_INVALID
        case WrongOrigin():
            return FindingKind.WRONG_ORIGIN
        case _:
            return FindingKind.PROOF_INVALID
