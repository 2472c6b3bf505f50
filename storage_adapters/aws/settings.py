"""How a service of AWS is reached."""

from __future__ import annotations

from dataclasses import dataclass, field

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """One region and how to speak to it. Raises ValueError for a combination that means nothing.

    endpoint: None is AWS's own for the region. access_key, secret_key: given together, or the usual AWS chain.
    connect_timeout, read_timeout: seconds for one try. tries: how often one request is sent at most.
    gone_checks, gone_pause: how often, and every how many seconds, a deleted snapshot is looked for until it is gone.
    """

    region: str
    endpoint: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    tries: int = 6
    gone_checks: int = 30
    gone_pause: float = 2.0

    def __post_init__(self) -> None:
        if not self.region:
            raise ValueError("a service of AWS needs a region")
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("an access key and a secret key are given together or not at all")
        if self.tries < 1 or self.gone_checks < 1:
            raise ValueError("tries and gone_checks are at least 1")

    def session(self) -> boto3.Session:
        """A session of the region with these credentials, or with the usual AWS chain's."""
        return boto3.Session(
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.session_token,
            region_name=self.region,
        )

    def config(self) -> Config:
        """botocore's configuration: bounded waits, repeated where that is safe."""
        return Config(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            retries={"total_max_attempts": self.tries, "mode": "standard"},
        )
