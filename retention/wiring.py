"""The one place that names concrete stores, key providers and the real clock."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import make_url

from retention.catalog import ledger_outbox
from retention.catalog.database import Catalog, open_catalog
from retention.catalog.keys import CatalogKeyStore
from retention.clock import Clock, SystemClock
from retention.errors import InputError
from retention.evidence.commitments import Commitments
from retention.evidence.ledger import Ledger
from retention.evidence.note import VerifierKey
from retention.evidence.particulars import particulars_key
from retention.evidence.particulars_files import ParticularsFiles
from retention.guards.permit import Permit, Territories
from retention.keys.file_provider import FileKeyProvider
from retention.keys.keyring import Keyring
from retention.keys.provider import KeyProvider, LedgerKeys
from retention.settings import sections
from retention.settings.sections import BackupsSettings, Settings, StoreSettings
from retention.workflows.deployment import BackupParts, Deployment, TransferParts
from retention.workflows.journal import Journal, behind
from retention.workflows.transfer_gate import TransferGate
from storage_adapters.backups.contract import CONTENT_OF, BackupStore, Content, Form, RestorePlace
from storage_adapters.contract import Store
from storage_adapters.copies.contract import CopySource, CopyTarget
from storage_adapters.egress.contract import Egress
from storage_adapters.memory import MemoryStore

if TYPE_CHECKING:  # a service pays only for the kinds of store that it has
    from storage_adapters.aws import AwsSettings
    from storage_adapters.s3 import S3Settings
    from storage_adapters.sql import Limits


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
    store_regions: Mapping[str, str] = field(default_factory=dict)
    roll_every: timedelta = timedelta(days=1)
    lease_term: timedelta = timedelta(seconds=15)
    particulars: Path | None = None
    backups: BackupParts = field(default_factory=BackupParts)
    transfers: TransferParts = field(default_factory=TransferParts)

    @property
    def particulars_directory(self) -> Path:
        """Where what the ledger leaves out is kept: as said, else beside the ledger."""
        ledger = self.ledger_directory
        return self.particulars or ledger.parent / f"{ledger.name}-particulars"


def assemble(parts: Parts, clock: Clock | None = None) -> Deployment:
    """The service made of these parts. With a new catalogue it begins a ledger; else it opens the one that was begun.

    A catalogue that is behind its ledger is opened and barred: everything that reads or writes it raises NotInOrder, until
    `catch_up` has replayed what it does not know. Raises CatalogUnavailable, ProviderRefused (the keys are not there),
    EvidenceError (the ledger is not there or damaged), and NotInOrder where the ledger was cut off.
    """
    wall = SystemClock()
    clock = clock or wall
    catalog = open_catalog(parts.catalog_url)
    signer = LedgerSigner(parts.origin, parts.ledger_keys)
    with ExitStack() as when_refused:
        when_refused.callback(catalog.close)
        ledger = _ledger_of(catalog, parts, signer)
        journal = _journal(catalog, ledger, parts, signer)
        unknown = journal.unknown()
        when_refused.pop_all()
    if unknown:
        catalog.bar(behind(unknown))
    key_store = CatalogKeyStore(catalog)
    keyring = Keyring(key_store, parts.provider, clock.now, wall.ticks)
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
        store_regions=parts.store_regions,
        backups=parts.backups,
        transfers=parts.transfers,
        roll_every=parts.roll_every,
        lease_term=parts.lease_term,
    )


def _ledger_of(catalog: Catalog, parts: Parts, signer: LedgerSigner) -> Ledger:
    if is_new(catalog):
        parts.ledger_keys.create_ledger_keys()
        ledger = Ledger.create(parts.ledger_directory, signer)
    else:
        ledger = Ledger(parts.ledger_directory, signer.verifier_key)
    return ledger


def _journal(catalog: Catalog, ledger: Ledger, parts: Parts, signer: LedgerSigner) -> Journal:
    secret = parts.ledger_keys.commitment_key()
    particulars = ParticularsFiles(parts.particulars_directory, particulars_key(secret, parts.origin))
    return Journal(catalog, ledger, particulars, signer, Commitments(secret))


def is_new(catalog: Catalog) -> bool:
    """Whether nothing was ever recorded in the catalogue, so that keys and ledger may be begun with it."""
    with catalog.reading() as session:
        return ledger_outbox.size(session) == 0


def open_deployment(settings: Settings, clock: Clock | None = None) -> Deployment:
    """The service that the settings describe, with its catalogue, ledger, keys and stores open.

    Makes what is missing of the embedded parts: folders, key directory, ledger, schema. Stores are connected to when they
    are first used. Raises InputError, CatalogUnavailable, ProviderRefused, and EvidenceError for a damaged ledger.
    """
    clock = clock or SystemClock()
    url = settings.catalog.url.get_secret_value()
    with closing(open_catalog(url)) as catalog:
        keys = file_provider(settings.keys.path, clock, create=is_new(catalog))
    parts = Parts(
        catalog_url=url,
        ledger_directory=settings.evidence.directory,
        origin=settings.evidence.origin,
        provider=keys,
        ledger_keys=keys,
        stores={name: open_store(name, store) for name, store in settings.stores.items() if holds_data(store)},
        store_kinds=settings.store_kinds,
        store_regions={name: store.region for name, store in settings.stores.items() if store.region},
        backups=backup_parts(settings.stores, settings.backups),
        transfers=transfer_parts(settings.stores),
        roll_every=settings.keys.roll,
        lease_term=settings.daemon.lease,
        particulars=settings.evidence.particulars,
    )
    return assemble(parts, clock)


def open_store(name: str, settings: StoreSettings) -> Store:
    """The store of this name. Its client library is imported here, so that a service pays only for the kinds it has."""
    match settings:
        case sections.S3Store():
            return _s3_store(name, settings)
        case sections.SqlStore():
            from storage_adapters.sql import SqlStore

            return SqlStore(name, settings.url.get_secret_value(), limits=_limits(settings))
        case sections.RedisStore():
            from storage_adapters.redis import RedisStore

            return RedisStore(name, settings.url.get_secret_value())
        case sections.FilesStore():
            from storage_adapters.files import FileStore

            return FileStore(name, settings.root)
        case sections.MemoryStore():
            return memory_cache(name)
        case _:
            raise InputError(f"the store {name} holds backups, and no data of its own")


def _s3_store(name: str, settings: sections.S3Store) -> Store:
    from storage_adapters.s3 import S3Store

    return S3Store(name, _bucket(settings))


def _bucket(settings: sections.S3Store) -> S3Settings:
    """How the store's bucket is reached."""
    from storage_adapters.s3 import Addressing, S3Settings

    return S3Settings(
        bucket=settings.bucket,
        region=settings.region,
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=_secret(settings.secret_key),
        session_token=_secret(settings.session_token),
        addressing=Addressing(settings.addressing),
        ca_bundle=str(settings.ca_bundle) if settings.ca_bundle else None,
        bypass_governance=settings.bypass_governance,
    )


def _limits(settings: sections.SqlStore) -> Limits:
    from storage_adapters.sql import Limits

    return Limits(statement_seconds=settings.statement_timeout.total_seconds())


def _secret(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def holds_data(settings: StoreSettings) -> bool:
    """Whether the store holds data of its own, and not only backups."""
    return not isinstance(settings, sections.ResticStore | sections.AwsBackups)


def backup_parts(stores: Mapping[str, StoreSettings], settings: BackupsSettings) -> BackupParts:
    """Everything that backups need, of these stores. Raises InputError for stores that cannot be what they are to be."""
    from storage_adapters.backups.dumps.rewriter import Rewriter

    backup_stores: dict[str, BackupStore] = {}
    places: dict[str, RestorePlace] = {}
    for name, store in stores.items():
        try:
            backup_store = open_backup_store(name, store, settings.scratch)
            place = _restore_place(name, store, settings.scratch)
        except ValueError as error:
            raise InputError(f"[stores.{name}]: {error}") from error
        if backup_store is not None:
            backup_stores[name] = backup_store
        if place is not None:
            places[name] = place
    return BackupParts(backup_stores, places, _drill_places(settings), settings.scratch, Rewriter())


def open_backup_store(name: str, settings: StoreSettings, scratch: Path) -> BackupStore | None:
    """The store as one of backup sets; None where its kind holds none. Raises ValueError for settings that do not fit."""
    match settings:
        case sections.FilesStore():
            from storage_adapters.backups.folders import FolderBackups

            return FolderBackups(name, settings.root, settings.quarantine, settings.normal_user)
        case sections.S3Store():
            return _bucket_backups(name, settings)
        case sections.ResticStore():
            from storage_adapters.backups.restic import Repository, ResticBackups

            repository = Repository(settings.repository, settings.password.get_secret_value())
            quarantine = _secret(settings.quarantine_password)
            apart = Repository(settings.quarantine, quarantine) if settings.quarantine and quarantine else None
            return ResticBackups(name, repository, apart, scratch_folder=scratch)
        case sections.AwsBackups():
            return _aws_backups(name, settings)
        case _:
            return None


def _bucket_backups(name: str, settings: sections.S3Store) -> BackupStore:
    from storage_adapters.backups.buckets import BucketBackups

    bucket = _bucket(settings)
    quarantine = None
    if settings.quarantine is not None:
        quarantine = replace(
            bucket,
            bucket=settings.quarantine,
            access_key=settings.quarantine_access_key,
            secret_key=_secret(settings.quarantine_secret_key),
            session_token=_secret(settings.quarantine_session_token),
        )
    return BucketBackups(name, bucket, quarantine, settings.quarantine_principal)


def _aws_backups(name: str, settings: sections.AwsBackups) -> BackupStore:
    from storage_adapters.backups.aws import RdsSnapshots, RecoveryPoints, VolumeSnapshots

    region = _aws(settings)
    match settings:
        case sections.RdsSnapshots():
            return RdsSnapshots(name, region, settings.instance, settings.cluster)
        case sections.EbsSnapshots():
            tag, _, value = (settings.tag or "").partition("=")
            return VolumeSnapshots(name, region, {tag: value} if tag else None)
        case sections.AwsBackupVault():
            return RecoveryPoints(name, region, settings.vault)
    raise ValueError(f"{type(settings).__name__} is no kind of AWS backup")


def _aws(settings: sections.AwsBackups) -> AwsSettings:
    from storage_adapters.aws import AwsSettings

    return AwsSettings(
        region=settings.region,
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=_secret(settings.secret_key),
        session_token=_secret(settings.session_token),
    )


def _restore_place(name: str, settings: StoreSettings, scratch: Path) -> RestorePlace | None:
    match settings:
        case sections.FilesStore():
            from storage_adapters.backups.places import FolderPlace

            return FolderPlace(name, settings.root)
        case sections.S3Store():
            from storage_adapters.backups.places import BucketPlace

            return BucketPlace(name, _bucket(settings), scratch=scratch)
        case sections.SqlStore():
            return _database_place(name, settings.url.get_secret_value(), scratch)
        case _:
            return None


def _database_place(name: str, url: str, scratch: Path) -> RestorePlace | None:
    """The database as a place to restore into; None for SQLite, of which there are no dumps."""
    if url.startswith("sqlite"):
        return None
    if url.startswith("postgresql"):
        from storage_adapters.backups.places import PostgresPlace

        return PostgresPlace(name, url, scratch=scratch)
    from storage_adapters.backups.places import MariaDbPlace

    return MariaDbPlace(name, url)


def _drill_places(settings: BackupsSettings) -> dict[Form, RestorePlace]:
    """Where a rehearsal restores each form: a database that is made for it and dropped, a folder of the scratch directory."""
    from storage_adapters.backups.places import FolderPlace

    folder = FolderPlace("drill-files", settings.scratch / "drill")
    places: dict[Form, RestorePlace] = {form: folder for form, what in CONTENT_OF.items() if what is Content.FILES}
    postgresql = (Form.PG_DUMP_PLAIN, Form.PG_DUMP_CUSTOM, Form.PG_DUMP_DIRECTORY)
    for name, url, forms in (
        ("drill-postgresql", settings.drill_postgresql, postgresql),
        ("drill-mariadb", settings.drill_mariadb, (Form.MYSQL_DUMP,)),
    ):
        if url is not None:
            server = make_url(url.get_secret_value()).set(database="retention_drill")
            place = _database_place(name, server.render_as_string(hide_password=False), settings.scratch)
            places |= dict.fromkeys(forms, place) if place is not None else {}
    return places


def transfer_parts(stores: Mapping[str, StoreSettings]) -> TransferParts:
    """Everything that transfers need, of these stores."""
    sources = {name: source for name, store in stores.items() if (source := _copy_source(name, store)) is not None}
    targets = {name: target for name, store in stores.items() if (target := _copy_target(name, store)) is not None}
    egress = {name: found for name, store in stores.items() if (found := _egress(name, store)) is not None}
    buckets: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for store in stores.values():
        if store.region:
            bucket, host, _ = _address(store)
            buckets |= {bucket: store.region} if bucket else {}
            hosts |= {host: store.region} if host else {}
    return TransferParts(sources, targets, egress, buckets, hosts)


def _copy_source(name: str, settings: StoreSettings) -> CopySource | None:
    match settings:
        case sections.S3Store():
            from storage_adapters.copies import ObjectsSource

            return ObjectsSource(name, _bucket(settings))
        case sections.FilesStore():
            from storage_adapters.copies import FolderSource

            return FolderSource(name, settings.root)
        case sections.SqlStore():
            from storage_adapters.copies import RowsSource

            return RowsSource(name, settings.url.get_secret_value(), _limits(settings))
        case _:
            return None


def _copy_target(name: str, settings: StoreSettings) -> CopyTarget | None:
    match settings:
        case sections.S3Store():
            from storage_adapters.copies import BucketTarget

            return BucketTarget(name, _bucket(settings))
        case sections.FilesStore():
            from storage_adapters.copies import FolderTarget

            return FolderTarget(name, settings.root)
        case _:
            return None


def _egress(name: str, settings: StoreSettings) -> Egress | None:
    """How the store itself sends data elsewhere; None for a kind that does not."""
    match settings:
        case sections.S3Store():
            from storage_adapters.egress import BucketEgress

            return BucketEgress(name, _bucket(settings))
        case sections.SqlStore():
            from storage_adapters.egress import StandbyEgress

            return StandbyEgress(name, settings.url.get_secret_value(), limits=_limits(settings))
        case sections.RdsSnapshots():
            from storage_adapters.egress import DatabasesEgress

            return DatabasesEgress(name, _aws(settings))
        case sections.AwsBackupVault():
            from storage_adapters.egress import BackupPlansEgress

            return BackupPlansEgress(name, _aws(settings))
        case _:
            return None


def _address(settings: StoreSettings) -> tuple[str | None, str | None, int | None]:
    """Bucket, host (in lower case) and port that the store is reached by; None for what it has not, or does not say."""
    match settings:
        case sections.S3Store():
            url, bucket = settings.endpoint, settings.bucket
        case sections.SqlStore() | sections.RedisStore():
            url, bucket = settings.url.get_secret_value(), ""
        case _:
            url, bucket = None, ""
    parts = urlsplit(url or "")
    return bucket or None, parts.hostname, parts.port


def open_gate(deployment: Deployment, stores: Mapping[str, StoreSettings]) -> tuple[Permit, Territories]:
    """What guards need: the gate that says whether a decision stands, and where regions, hosts and buckets lie.

    Read from the policy in force and the settings' stores now; made anew after either changes.
    """
    with deployment.catalog.reading() as session:
        policy = deployment.shelf.in_force(session, deployment.clock.now())
    regions = dict(policy.transfers.regions) if policy.transfers else {}
    hosts: dict[str, str] = {}
    buckets: dict[str, str] = {}
    for store in stores.values():
        territory = regions.get(store.region or "")
        if territory is None:
            continue
        bucket, host, port = _address(store)
        buckets |= {bucket: territory} if bucket else {}
        hosts |= {f"{host}:{port}" if port else host: territory} if host else {}
    return TransferGate(deployment), Territories(policy.home, regions, hosts, buckets)


def memory_cache(name: str) -> MemoryStore:
    """A cache inside this process: of the embedded default, and of the demo."""
    return MemoryStore(name, tombstones=False)


def file_provider(directory: Path, clock: Clock, *, create: bool = True) -> FileKeyProvider:
    """The file provider in its directory. Only with `create` is it made where it is missing: lost keys are not new ones."""
    return FileKeyProvider.create(directory, clock.now) if create else FileKeyProvider(directory, clock.now)
