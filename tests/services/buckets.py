"""S3: moto's server, and a fresh bucket on it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.loaders import create_loader
from moto.server import ThreadedMotoServer

from tests.services.quick_listing import list_quickly

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"
"""The one region in which a bucket is made without naming it."""

# each session reads Amazon's megabytes of service descriptions anew; all of them may share what one has read
vars(botocore.session)["create_loader"] = cache(create_loader)


@contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint URL of an S3 server in this process, with any credentials accepted."""
    list_quickly()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def s3_client_of(endpoint: str) -> Iterator[S3Client]:
    """A boto3 client for the endpoint that needs nothing from the environment."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    try:
        yield client
    finally:
        client.close()


def fresh_bucket(client: S3Client, *, versioned: bool = True, object_lock: bool = False) -> str:
    """The name of a new, empty bucket. An Object Lock bucket is always versioned.

    It is left when the test ends: names are not used twice, and the server's memory goes with the worker.
    """
    name = f"retention-test-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
    if versioned and not object_lock:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name
