"""What a running service is made of. `retention.wiring` puts it together; workflows only use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from retention.catalog import policies
from retention.catalog.database import Catalog
from retention.catalog.keys import CatalogKeyStore
from retention.clock import Clock
from retention.errors import InputError
from retention.keys.keyring import Keyring
from retention.keys.provider import KeyProvider
from retention.model.policy import Policy
from retention.policy.load import policy_from_canonical
from retention.workflows.journal import Journal
from storage_adapters.backups.contract import BackupStore, DumpRewriter, Form, RestorePlace
from storage_adapters.contract import Store
from storage_adapters.copies.contract import CopySource, CopyTarget
from storage_adapters.egress.contract import Egress


@dataclass(slots=True)
class PolicyShelf:
    """Every adopted policy version. Documents are parsed once, by content."""

    _parsed: dict[str, Policy] = field(default_factory=dict)

    def versions(self, session: Session) -> tuple[Policy, ...]:
        """All adopted versions, oldest adoption first; empty before the first one."""
        found = []
        for document in policies.documents(session):
            if document not in self._parsed:
                self._parsed[document] = policy_from_canonical(document)
            found.append(self._parsed[document])
        return tuple(found)

    def in_force(self, session: Session, now: datetime) -> Policy:
        """The version in force at `now`: the latest that is effective, else the first. InputError where there is none.

        Of versions effective from the same instant, the one adopted last.
        """
        versions = self.versions(session)
        if not versions:
            raise InputError("no policy has been adopted yet; run `retention check` and then `retention run --once`")
        effective = [version for version in versions if version.effective_at <= now]
        return sorted(effective, key=lambda version: version.effective_at)[-1] if effective else versions[0]


@dataclass(frozen=True, slots=True)
class BackupParts:
    """What backups need. Empty where a service has none.

    places: where a set may be restored into, by the store's name. drill_places: where files of a form are restored to for a
    rehearsal, and never released. scratch: a private directory. rewriter: rewrites dumps and archives.
    """

    stores: Mapping[str, BackupStore] = field(default_factory=dict)
    places: Mapping[str, RestorePlace] = field(default_factory=dict)
    drill_places: Mapping[Form, RestorePlace] = field(default_factory=dict)
    scratch: Path = Path("var/scratch")
    rewriter: DumpRewriter | None = None


@dataclass(frozen=True, slots=True)
class TransferParts:
    """What transfers need, by the store's name. Empty where a service has none.

    sources, targets: the two ends of a copy. egress: how a store itself sends data elsewhere. bucket_regions, host_regions:
    the region of each bucket, and of each database's or endpoint's host, that the settings name.
    """

    sources: Mapping[str, CopySource] = field(default_factory=dict)
    targets: Mapping[str, CopyTarget] = field(default_factory=dict)
    egress: Mapping[str, Egress] = field(default_factory=dict)
    bucket_regions: Mapping[str, str] = field(default_factory=dict)
    host_regions: Mapping[str, str] = field(default_factory=dict)

    def close(self) -> None:
        """Release every connection. A second call does nothing."""
        for source in self.sources.values():
            source.close()
        for target in self.targets.values():
            target.close()
        for egress in self.egress.values():
            egress.close()


@dataclass(frozen=True, slots=True)
class Deployment:
    """The open parts of one service.

    clock: legal time, which a demo may run fast. wall: the machine's own clock, for leases. store_kinds: the kind of each
    store (s3, sql, redis, files). store_regions: where each lies, of those that say so. roll_every: how old an epoch key
    gets. lease_term: how long a silent daemon keeps others from acting.
    """

    catalog: Catalog
    journal: Journal
    stores: Mapping[str, Store]
    provider: KeyProvider
    key_store: CatalogKeyStore
    keyring: Keyring
    clock: Clock
    wall: Clock
    store_kinds: Mapping[str, str] = field(default_factory=dict)
    store_regions: Mapping[str, str] = field(default_factory=dict)
    backups: BackupParts = field(default_factory=BackupParts)
    transfers: TransferParts = field(default_factory=TransferParts)
    shelf: PolicyShelf = field(default_factory=PolicyShelf)
    roll_every: timedelta = timedelta(days=1)
    lease_term: timedelta = timedelta(seconds=15)

    def store(self, name: str) -> Store:
        """The configured store. Raises InputError where retention.toml has none of this name."""
        try:
            return self.stores[name]
        except KeyError:
            raise InputError(f"store {name!r} is in no [stores.{name}] section of retention.toml") from None

    def backup_store(self, name: str) -> BackupStore:
        """The configured store as one of backup sets. Raises InputError where there is none of this name and kind."""
        try:
            return self.backups.stores[name]
        except KeyError:
            raise InputError(f"store {name!r} of retention.toml is not there, or can hold no backups") from None

    def close(self) -> None:
        """Release every connection. A second call does nothing."""
        for store in self.stores.values():
            store.close()
        for backup_store in self.backups.stores.values():
            backup_store.close()
        self.transfers.close()
        self.catalog.close()
