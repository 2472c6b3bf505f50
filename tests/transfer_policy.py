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


REPLICA = '{store: sg, prefix: "models/{customer}/", territory: SG, recipient: Lion Pte}'
"""Where the dataset `models` may be copied to."""
WITHDRAWAL = """rules:
  withdrawal:
    {title: W, clause: "6.12", when: [consent-withdrawn], buffer: none, tombstone: none, complete-within: 15 days}"""


def with_replica(policy: str) -> str:
    """The policy with a cross-border part, and a replica abroad of the dataset that has a cache."""
    caches = 'caches: [{store: cache, keys: "features:{customer}:*"}]'
    assert caches in policy
    return with_transfers(policy).replace(caches, f"{caches}\n    replicas: [{REPLICA}]").replace("rules:", WITHDRAWAL)


def with_transfers(policy: str) -> str:
    """The policy with a cross-border part, and with what its datasets are."""
    flags = "personal-information: true\n    sensitive-information: false\n    important-data: false"
    return policy.replace("personal-information: true", flags) + TRANSFERS
