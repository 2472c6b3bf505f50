"""The one place that names concrete stores, key providers and the real clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from retention.catalog.database import open_catalog
from retention.catalog.keys import CatalogKeyStore
from retention.clock import Clock, SystemClock
from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.note import VerifierKey
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.keys.provider import KeyProvider, LedgerKeys
from retention.workflows.deployment import Deployment
from retention.workflows.journal import Journal
from storage_adapters.contract import Store


@dataclass(frozen=True, slots=True)
class LedgerSigner:
    """Signs checkpoints with the ledger key, which never leaves its provider."""

    origin: str
    keys: LedgerKeys

    @property
    def verifier_key(self) -> VerifierKey:
        """The public side of the key that signs."""
        return VerifierKey(self.origin, self.keys.public_key())

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of the message."""
        return self.keys.sign(message)


@dataclass(frozen=True, slots=True)
class Parts:
    """What differs between deployments. Durations of legal time; `lease_term` of the machine's."""

    catalog_url: str
    ledger_directory: Path
    origin: str
    provider: KeyProvider
    ledger_keys: LedgerKeys
    stores: Mapping[str, Store]
    store_kinds: Mapping[str, str]
    roll_every: timedelta = timedelta(days=1)
    lease_term: timedelta = timedelta(seconds=15)


def assemble(parts: Parts, clock: Clock | None = None) -> Deployment:
    """The service made of these parts. Its ledger is begun where there is none yet, and then only with a new catalogue.

    Raises CatalogUnavailable, ProviderRefused, LedgerDamaged.
    """
    wall = SystemClock()
    clock = clock or wall
    catalog = open_catalog(parts.catalog_url)
    signer = LedgerSigner(parts.origin, parts.ledger_keys)
    parts.ledger_keys.create_ledger_keys()
    ledger = Ledger.create(parts.ledger_directory, signer)
    journal = Journal(catalog, ledger, signer, Commitments(parts.ledger_keys.commitment_key()))
    key_store = CatalogKeyStore(catalog)
    keyring = Keyring(key_store, parts.provider, clock.now, lambda: wall.reading().ticks)
    return Deployment(
        catalog=catalog,
        journal=journal,
        stores=parts.stores,
        provider=parts.provider,
        key_store=key_store,
        keyring=keyring,
        clock=clock,
        wall=wall,
        store_kinds=parts.store_kinds,
        roll_every=parts.roll_every,
        lease_term=parts.lease_term,
    )


def file_provider(directory: Path, clock: Clock) -> FileKeyProvider:
    """The file provider in its directory, which is made where it is missing."""
    return FileKeyProvider.create(directory, clock.now)
