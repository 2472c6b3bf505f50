"""The S3 store passes the suite: with versions and without on moto, and with every character on an exact server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

import pytest
from moto.s3.models import s3_backends

from storage_adapters.conformance import Bench, StoreConformance
from storage_adapters.contract import Objects, Place, Prefix
from storage_adapters.s3 import S3Settings, S3Store
from tests.conftest import NewBucket
from tests.services.exact_s3 import ExactS3, exact_s3

FOLDER = "data/"


def store_on(endpoint: str, bucket: str) -> S3Store:
    return S3Store("objects", S3Settings(bucket, "us-east-1", endpoint, "AKIDEXAMPLE", "secret", tries=2, backoff=0.01))


def moto_takes(name: str) -> str:
    """The name with its control characters percent-encoded: moto's routes and its XML take none."""
    return "".join(char if char.isprintable() else quote(char) for char in name.replace("%", "%25"))


class MotoBench:
    """Objects `data/<customer>/<name>` in a bucket of moto; its memory, in this process, is the application's way in."""

    place_kinds: frozenset[type[Place]] = frozenset({Prefix, Objects})
    has_bytes = True

    def __init__(self, endpoint: str, bucket: str) -> None:
        self._endpoint, self._bucket = endpoint, bucket
        self._memory = s3_backends["123456789012"]["aws"]
        self.store = store_on(endpoint, bucket)

    def place(self, customer: str) -> Place:
        return Prefix(f"{FOLDER}{moto_takes(customer)}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"{FOLDER}{moto_takes(customer)}/{moto_takes(name)}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        start = f"{FOLDER}{moto_takes(customer)}/"
        for name, content in contents.items():
            self._memory.put_object(self._bucket, start + moto_takes(name), content)

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"{FOLDER}{moto_takes(customer)}/"
        found = {key: self._memory.get_object(self._bucket, key) for key in self._memory.get_bucket(self._bucket).keys}
        return {
            unquote(key.removeprefix(start)): visible.value
            for key, visible in found.items()
            if key.startswith(start) and visible is not None
        }

    def missing(self) -> tuple[S3Store, Place]:
        return store_on(self._endpoint, "no-such-bucket"), Prefix("data/c-1/")


class ExactBench:
    """Objects `data/<customer>/<name>` put straight into the exact server's bucket."""

    place_kinds: frozenset[type[Place]] = frozenset({Prefix, Objects})
    has_bytes = True

    def __init__(self, s3: ExactS3, endpoint: str) -> None:
        self._s3, self._endpoint = s3, endpoint
        self.store = store_on(endpoint, "bucket")

    def place(self, customer: str) -> Place:
        return Prefix(f"{FOLDER}{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"{FOLDER}{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            self._s3.put(f"{FOLDER}{customer}/{name}", content)

    def read(self, customer: str) -> dict[str, bytes]:
        start = f"{FOLDER}{customer}/"
        visible = self._s3.visible()
        return {key.removeprefix(start): visible[key] for key in visible if key.startswith(start)}

    def missing(self) -> tuple[S3Store, Place]:
        return store_on(self._endpoint, "no-such-bucket"), Prefix("data/c-1/")


class TestS3WithVersions(StoreConformance):
    @pytest.fixture
    def bench(self, s3_endpoint: str, new_s3_bucket: NewBucket) -> Iterator[Bench]:
        bench = MotoBench(s3_endpoint, new_s3_bucket())
        yield bench
        bench.store.close()


class TestS3WithoutVersions(StoreConformance):
    @pytest.fixture
    def bench(self, s3_endpoint: str, new_s3_bucket: NewBucket) -> Iterator[Bench]:
        bench = MotoBench(s3_endpoint, new_s3_bucket(versioned=False))
        yield bench
        bench.store.close()


class TestS3WithEveryCharacter(StoreConformance):
    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with exact_s3() as (s3, endpoint):
            bench = ExactBench(s3, endpoint)
            yield bench
            bench.store.close()
