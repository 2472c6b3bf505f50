"""S3 with users: moto's server with IAM enforced, so that credentials are refused what no policy grants them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import boto3

from storage_adapters.s3 import S3Settings
from tests.services.buckets import REGION

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Key:
    """The access key of a user."""

    access: str
    secret: str


@dataclass(frozen=True)
class Cloud:
    """An S3 server that knows its users; `client` may do everything."""

    endpoint: str
    client: S3Client
    iam: IAMClient

    def user(self, name: str, *buckets: str) -> Key:
        """The key of a new user that may do everything with these buckets, and nothing else."""
        return new_user(self.iam, name, [f"arn:aws:s3:::{bucket}{rest}" for bucket in buckets for rest in ("", "/*")])

    def settings(self, bucket: str, key: Key) -> S3Settings:
        """The bucket, entered with this key."""
        return S3Settings(bucket, REGION, self.endpoint, key.access, key.secret, tries=2, backoff=0.01, workers=4)


def new_user(iam: IAMClient, name: str, resources: list[str]) -> Key:
    """The key of a new user that may do everything with these resources."""
    user = f"{name}-{secrets.token_hex(4)}"
    iam.create_user(UserName=user)
    statement = {"Effect": "Allow", "Action": "*", "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return Key(key["AccessKeyId"], key["SecretAccessKey"])


@contextmanager
def enforced_cloud(endpoint: str) -> Iterator[Cloud]:
    """The server at the endpoint enforces IAM inside the block, for everyone; afterwards it lets all in again."""
    anyone = boto3.client(
        "iam", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    admin = new_user(anyone, "admin", ["*"])
    session = boto3.session.Session(admin.access, admin.secret, region_name=REGION)
    client = session.client("s3", endpoint_url=endpoint)
    iam = session.client("iam", endpoint_url=endpoint)
    _enforce_after(endpoint, "0")
    try:
        yield Cloud(endpoint, client, iam)
    finally:
        _enforce_after(endpoint, "inf")
        for one in (anyone, client, iam):
            one.close()


def _enforce_after(endpoint: str, count: str) -> None:
    plain = {"Content-Type": "text/plain"}  # moto does not read a form
    order = Request(f"{endpoint}/moto-api/reset-auth", count.encode(), plain, method="POST")
    with urlopen(order) as answer:
        answer.read()
