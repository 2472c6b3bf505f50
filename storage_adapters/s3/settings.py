"""How one bucket is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit


class Addressing(StrEnum):
    """Where the bucket's name goes: into the host name or into the path."""

    AUTO = "auto"  # path for a given endpoint and for names that no host name can hold, else virtual
    PATH = "path"
    VIRTUAL = "virtual"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """One bucket and how to speak to it. Raises ValueError for a combination that means nothing.

    endpoint: `https://host[:port]` of an S3-compatible store; None is AWS's own for the region.
    access_key, secret_key: given together, or the usual AWS chain (environment, profile, container, instance).
    ca_bundle: a file of certificates to trust instead of the system's.
    connect_timeout, read_timeout: seconds for one try.
    tries: how often one request is sent at most; between two tries the pause doubles from `backoff` up to
    `backoff_cap` seconds, and a random part of it is waited.
    workers: threads for what S3 has no batch call for (reading locks and first bytes, aborting uploads).
    bypass_governance: removes versions under a GOVERNANCE lock too, where the credentials may.
    """

    bucket: str
    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    addressing: Addressing = Addressing.AUTO
    ca_bundle: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    tries: int = 6
    backoff: float = 0.2
    backoff_cap: float = 10.0
    workers: int = 16
    bypass_governance: bool = False

    @property
    def is_amazon(self) -> bool:
        """Whether this is Amazon's own S3, and not a store that speaks like it."""
        return self.endpoint is None or "amazonaws" in self.endpoint

    @property
    def arn(self) -> str:
        """The bucket's name in policies. Source: AWS, "Amazon Resource Names", partitions."""
        partitions = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")) if self.is_amazon else ()
        partition = next((name for start, name in partitions if self.region.startswith(start)), "aws")
        return f"arn:{partition}:s3:::{self.bucket}"

    def __post_init__(self) -> None:
        if not self.bucket or "/" in self.bucket or not self.region:
            raise ValueError("an S3 store needs the name of a bucket and a region")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("an access key and a secret key are given together or not at all")
        if self.tries < 1 or self.workers < 1:
            raise ValueError("tries and workers are at least 1")
        if self.endpoint is not None:
            _check_endpoint(self.endpoint)


def _check_endpoint(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an endpoint is http(s)://host[:port]")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an endpoint holds no user name and no password")
