"""The keys there are: by customer, the epochs that wrap them, and the public key that anyone verifies evidence with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retention.catalog import keys as key_rows
from retention.model.key import Epoch, WrappedKey
from retention.workflows.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Keys:
    """Living customer keys by customer and dataset, epochs in their order, the ledger's verifier key as C2SP writes it."""

    verifier_key: str
    epochs: Sequence[Epoch]
    customer_keys: tuple[WrappedKey, ...]


def list_keys(deployment: Deployment, customer: str | None = None) -> Keys:
    """Every key (of one customer). Wrapped bytes are in it; doors do not show them."""
    with deployment.catalog.reading() as session:
        found = key_rows.all_keys(session, customer)
    return Keys(str(deployment.journal.ledger.key), deployment.key_store.epochs(), found)
