"""Errors of the evidence core, one class per different thing the caller does next."""

from __future__ import annotations

from enum import StrEnum


class EvidenceError(Exception):
    """Evidence could not be written, read or believed. No message holds secrets or personal data."""


class Malformed(EvidenceError):
    """Bytes or values are not what their format says; nothing was taken from them."""


class SignatureInvalid(EvidenceError):
    """No signature by the known key, or a wrong one. The text must be ignored."""


class WrongOrigin(EvidenceError):
    """A checkpoint or certificate is signed by the key but speaks for another log."""


class ProofInvalid(EvidenceError):
    """A Merkle proof or an opened commitment does not lead to what it should."""


class NotInLedger(EvidenceError):
    """An index or size beyond the ledger's last checkpoint was asked for."""


class Damage(StrEnum):
    """What is wrong with a file of the ledger."""

    MISSING = "missing"
    MALFORMED = "malformed"
    CHANGED = "changed"  # it does not lead to the signed root
    NO_ROOT = "no-root"  # the files at the right edge do not make the signed root: any of them may be wrong


class LedgerDamaged(EvidenceError):
    """A file of the ledger is missing or does not lead to the signed root. `path` is relative to the ledger."""

    def __init__(self, path: str, damage: Damage, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.damage = damage
        self.message = message


class LedgerForked(EvidenceError):
    """Two histories: what was published before is not what is offered or found now. Nothing was written."""


class LedgerBehind(EvidenceError):
    """The ledger on disk is shorter than what the caller knows was published: it was rolled back or restored."""


class ParticularsDamaged(EvidenceError):
    """What belongs to the entry at `position` is missing, was changed, or belongs to another entry."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"the particulars of entry {position} {message}")
        self.position = position
