"""Verify what is handed over, offline: ledgers, reports, certificates and checkpoints, by the verifier key alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retention.errors import InputError
from retention.evidence.errors import Malformed
from retention.evidence.note import VerifierKey
from retention.evidence.verify import Verification, verify_files


def verify_evidence(paths: Sequence[Path], verifier_key: str) -> Verification:
    """Everything that is wrong with these ledgers, reports (directories), certificates and checkpoints, also with each other.

    `verifier_key` is the text `name+id+base64`. Raises InputError where it is none; what is wrong with a file is a finding.
    """
    try:
        key = VerifierKey.parse(verifier_key)
    except Malformed as error:
        raise InputError(f"--key: {error}; `retention key list` shows the service's own") from None
    return verify_files(paths, key)
