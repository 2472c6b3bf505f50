"""What `retention.toml` may say: its sections, the kinds of store, and the settings that come of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from retention.policy.problems import quoted

_STORE_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_DURATION = re.compile(r"(?P<amount>[0-9]{1,6}) +(?P<unit>second|minute|hour|day)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Listen(NamedTuple):
    """Where the daemon answers."""

    host: str
    port: int


def _duration(value: object) -> timedelta:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["amount"]) == 0:
        raise ValueError(
            f'{quoted(value)} is no length of time; write for example "15 seconds", "5 minutes" or "1 day"'
        )
    return timedelta(seconds=int(found["amount"]) * _SECONDS[found["unit"]])


def _listen(value: object) -> Listen:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ValueError(f'{quoted(value)} is no address; write host and port, for example "127.0.0.1:9464"')
    return Listen(host.strip("[]"), int(port))


def _url(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        scheme = url.get_secret_value().partition(":")[0]
        if scheme not in schemes:  # the value itself may be a secret that went astray, so it is not shown
            raise ValueError(f"is no address of a kind that is known here; begin it with one of {', '.join(schemes)}")
        return url

    return AfterValidator(check)


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError(f"{quoted(parts._replace(netloc='…').geturl())} is no endpoint; write https://host[:port]")
    return url


def _origin(text: str) -> str:
    if not text or len(text) > 200 or not text.isprintable() or "+" in text or " " in text:
        raise ValueError("is no name of a log; write one without spaces and `+`, such as retention.example.com/ledger")
    return text


def _tag(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not name or not equals:
        raise ValueError(f'{quoted(text)} is no tag with a value; write for example "Backup=nightly"')
    return text


def _store_name(text: str) -> str:
    if _STORE_NAME.fullmatch(text) is None:
        raise ValueError(f"{quoted(text)} is no name; write up to 64 of a-z, 0-9 and `-`, beginning with a letter")
    return text


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]
DatabaseUrl = Annotated[
    SecretStr,
    _url("sqlite", "postgresql", "postgresql+psycopg", "mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql"),
]
RedisUrl = Annotated[SecretStr, _url("redis", "rediss", "unix")]


class Section(BaseModel):
    """A section of the file: unknown keys are mistakes, keys are written with hyphens."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"), hide_input_in_errors=True
    )


class CatalogSettings(Section):
    """The service's own database."""

    url: DatabaseUrl = SecretStr("sqlite:///var/catalog.db")


class EvidenceSettings(Section):
    """The ledger: its directory, and the name it has in its checkpoints.

    particulars: where what its entries leave out is kept; where it is not said, beside the directory.
    """

    directory: Path = Path("var/ledger")
    particulars: Path | None = None
    origin: Annotated[str, AfterValidator(_origin)] = "retention.local/ledger"


class KeySettings(Section):
    """The key provider. roll: how old an epoch key gets."""

    provider: Literal["file"] = "file"
    path: Path = Path("var/keys")
    roll: Duration = timedelta(days=1)


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line is written."""

    JSON = "json"
    TEXT = "text"


class DaemonSettings(Section):
    """The daemon. lease: how long a silent one keeps others from acting. listen: health, metrics, and the API.

    api_tokens: a file of the hashes of API tokens; without it there is no API.
    """

    lease: Duration = timedelta(seconds=15)
    listen: Annotated[Listen, BeforeValidator(_listen)] = Listen("127.0.0.1", 9464)
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.JSON
    api_tokens: Path | None = None


class S3Store(Section):
    """A bucket. Without keys, the usual AWS chain finds credentials.

    quarantine: the bucket that backup sets are moved to, reached with the keys of its own. quarantine_principal: the ARN
    that still reads a set that is fenced where it lies.
    """

    kind: Literal["s3"]
    bucket: Text
    region: Text
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    access_key: Text | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    ca_bundle: Path | None = None
    bypass_governance: bool = False
    quarantine: Text | None = None
    quarantine_access_key: Text | None = None
    quarantine_secret_key: SecretStr | None = None
    quarantine_session_token: SecretStr | None = None
    quarantine_principal: Text | None = None


class SqlStore(Section):
    """A database."""

    kind: Literal["sql"]
    url: DatabaseUrl
    region: Text | None = None
    statement_timeout: Duration = timedelta(seconds=30)


class RedisStore(Section):
    """A cache, one server or a cluster."""

    kind: Literal["redis"]
    url: RedisUrl
    region: Text | None = None


class FilesStore(Section):
    """A directory.

    quarantine: the directory that backup sets are moved to. normal_user: the system's user as whom a read of a quarantined
    set is tried.
    """

    kind: Literal["files"]
    root: Path
    region: Text | None = None
    quarantine: Path | None = None
    normal_user: Text | None = None


class MemoryStore(Section):
    """The embedded default's cache: inside the process, empty at every start. It cannot be configured."""

    kind: Literal["memory"] = "memory"
    region: None = None


class ResticStore(Section):
    """A restic repository that holds backup sets, and one of its own for those in quarantine."""

    kind: Literal["restic"]
    repository: Text
    password: SecretStr
    quarantine: Text | None = None
    quarantine_password: SecretStr | None = None
    region: Text | None = None


class AwsBackups(Section):
    """What the kinds of AWS backups share. Without keys, the usual AWS chain finds credentials."""

    region: Text
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    access_key: Text | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None


class RdsSnapshots(AwsBackups):
    """Snapshots of RDS databases: of one instance, of one cluster, of both, or of all."""

    kind: Literal["rds-snapshots"]
    instance: Text | None = None
    cluster: Text | None = None


class EbsSnapshots(AwsBackups):
    """Snapshots of EBS volumes: of those with a tag, written `name=value`, or of all that the account owns."""

    kind: Literal["ebs-snapshots"]
    tag: Annotated[str, AfterValidator(_tag)] | None = None


class AwsBackupVault(AwsBackups):
    """The recovery points of one AWS Backup vault."""

    kind: Literal["aws-backup"]
    vault: Text


ConfiguredStore = Annotated[
    S3Store | SqlStore | RedisStore | FilesStore | ResticStore | RdsSnapshots | EbsSnapshots | AwsBackupVault,
    Field(discriminator="kind"),
]
StoreSettings = (
    S3Store
    | SqlStore
    | RedisStore
    | FilesStore
    | ResticStore
    | RdsSnapshots
    | EbsSnapshots
    | AwsBackupVault
    | MemoryStore
)


class BackupsSettings(Section):
    """Restores and rehearsals. scratch: a private directory for what is on its way.

    drill_postgresql, drill_mariadb: servers on which a rehearsal may make a database and drop it again.
    """

    scratch: Path = Path("var/scratch")
    drill_postgresql: DatabaseUrl | None = None
    drill_mariadb: DatabaseUrl | None = None


class ReportsSettings(Section):
    """Reports for regulators. directory: where the daemon puts one a month. issuer: who answers for them."""

    directory: Path = Path("var/reports")
    issuer: Text | None = None


class FileForm(Section):
    """The whole of `retention.toml`."""

    catalog: CatalogSettings = CatalogSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    keys: KeySettings = KeySettings()
    daemon: DaemonSettings = DaemonSettings()
    backups: BackupsSettings = BackupsSettings()
    reports: ReportsSettings = ReportsSettings()
    stores: dict[Annotated[str, AfterValidator(_store_name)], ConfiguredStore] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """How this service is set up. Relative paths are relative to the working directory.

    path: the file they were read from, None for the embedded default. warnings: what an operator should mend, one
    sentence each. Secrets are `SecretStr`: they do not appear when settings are printed.
    """

    catalog: CatalogSettings
    evidence: EvidenceSettings
    keys: KeySettings
    daemon: DaemonSettings
    backups: BackupsSettings
    stores: Mapping[str, StoreSettings]
    reports: ReportsSettings
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    @property
    def store_kinds(self) -> dict[str, str]:
        """The kind of each store by its name, for checking a policy against."""
        return {name: store.kind for name, store in self.stores.items()}
