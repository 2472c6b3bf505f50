"""Buckets with the adapter under test beside a plain client: on moto, and on the exact server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from moto.s3.models import s3_backends
from mypy_boto3_s3 import S3Client

from storage_adapters.s3 import S3Settings, S3Store
from tests.services import buckets
from tests.services.exact_s3 import ExactS3, exact_s3


@dataclass
class Bucket:
    """A bucket on a server: a plain client to prepare and check it, and the adapter under test."""

    name: str
    client: S3Client
    store: S3Store

    def put(self, key: str, body: bytes = b"x") -> str:
        return self.client.put_object(Bucket=self.name, Key=key, Body=body).get("VersionId", "null")

    def put_many(self, keys: Iterable[str]) -> None:
        """Write each key once more, straight into moto's memory in this process."""
        memory = s3_backends["123456789012"]["aws"]
        for key in keys:
            memory.put_object(self.name, key, b"x")

    def delete(self, key: str) -> str:
        return self.client.delete_object(Bucket=self.name, Key=key)["VersionId"]

    def visible(self) -> dict[str, bytes]:
        """What a plain reader sees."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}

    def versions(self) -> set[tuple[str, str]]:
        """Every version and marker, as boto3 lists them."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        return {
            (entry["Key"], entry["VersionId"])
            for page in pages
            for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        }

    def uploads(self) -> int:
        return len(self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []))


class MakeBucket(Protocol):
    def __call__(self, versioning: str | None = "Enabled", *, locked: bool = False, **settings: object) -> Bucket: ...


@dataclass
class Exact:
    """The exact server and the adapter on it."""

    s3: ExactS3
    store: S3Store
    make_store: Callable[..., S3Store]


def settings_for(endpoint: str, bucket: str, **changes: object) -> S3Settings:
    """Settings that lose no time: few tries, short pauses."""
    given: dict[str, object] = {
        "access_key": "AKIDEXAMPLE",
        "secret_key": "wJalrXUtnFEMI",
        "connect_timeout": 2.0,
        "tries": 3,
        "backoff": 0.01,
        "workers": 8,
    }
    return S3Settings(bucket, "us-east-1", endpoint, **(given | changes))  # type: ignore[arg-type] # test settings


@pytest.fixture
def make_bucket(s3_endpoint: str, s3_client: S3Client) -> Iterator[MakeBucket]:
    """Make a bucket on moto with versioning "Enabled", "Suspended" or None; settings of the adapter by name."""
    stores: list[S3Store] = []

    def make(versioning: str | None = "Enabled", *, locked: bool = False, **settings: object) -> Bucket:
        name = buckets.fresh_bucket(s3_client, versioned=versioning is not None, object_lock=locked)
        if versioning == "Suspended":
            s3_client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        stores.append(S3Store("objects", settings_for(s3_endpoint, name, **settings)))
        return Bucket(name, s3_client, stores[-1])

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def bucket(make_bucket: MakeBucket) -> Bucket:
    """A versioned bucket on moto."""
    return make_bucket()


@pytest.fixture
def exact() -> Iterator[Exact]:
    """The exact server with a store on it that waits 0.3 s for an answer."""
    stores: list[S3Store] = []
    with exact_s3() as (s3, endpoint):

        def make_store(**changes: object) -> S3Store:
            stores.append(S3Store("objects", settings_for(endpoint, "bucket", **({"read_timeout": 0.3} | changes))))
            return stores[-1]

        yield Exact(s3, make_store(), make_store)
        for store in stores:
            store.close()
