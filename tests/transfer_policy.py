"""What a policy says of transfers, and a consent that fits it, for tests of the gate and of its doors."""

from __future__ import annotations

TRANSFERS = """
transfers:
  clause: "6.12"
  regions: {cn-north-1: CN, ap-southeast-1: SG}
  require: [necessity, separate-consent, legal-measure]
  legal-measures: [security-assessment, standard-contract, certification, exemption]
  ciio: false
"""
CONSENT: dict[str, object] = {
    "consent": "K-1",
    "dataset": "models",
    "purpose": "support",
    "service": "training",
    "recipient": "Lion Pte",
    "contact": "privacy@lion.example",
    "destination": "SG",
    "method": "API",
    "categories": ["weights"],
    "rights": "privacy@lion.example",
    "given-at": "2026-11-01T09:00:00+08:00",
    "how-given": "signed on paper",
    "separate": True,
    "document": "ab" * 32,
    "valid-from": "2026-11-01T09:00:00+08:00",
}


def with_transfers(policy: str) -> str:
    """The policy with a cross-border part, and with what its datasets are."""
    flags = "personal-information: true\n    sensitive-information: false\n    important-data: false"
    return policy.replace("personal-information: true", flags) + TRANSFERS
