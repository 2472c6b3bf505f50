"""How much faster the bulk path of the S3 adapter is than plain boto3: `python benchmarks/s3_purge.py [VERSIONS]`.

Two measurements, each of both ways in the same run:

1. CPU time of this process for one page of 1,000 versions: read the listing, build the deletion, read its answer.
   The answers are canned, so nothing but the client is measured.
2. Wall-clock time to empty a bucket on moto's server in another process. Most of that is moto's own; both ways wait
   for the same server.
"""

from __future__ import annotations

import io
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote_plus

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from mypy_boto3_s3 import S3Client
from urllib3 import HTTPResponse

from storage_adapters.contract import Prefix
from storage_adapters.s3 import S3Settings, S3Store, answers
from storage_adapters.s3.deleting import Deletion
from storage_adapters.s3.entries import item_of
from storage_adapters.s3.wire import Answer, Request, Wire

PAGE = 1_000
ROUNDS = 15
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
KEYS = [f"training/c-1/dataset +{number // 3}/part-{number:06}.bin" for number in range(PAGE)]
VERSIONS = [f"3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY{number:06}" for number in range(PAGE)]


def listing() -> bytes:
    """A page as AWS sends it."""
    rows = "".join(
        f"<Version><Key>{quote_plus(key, safe='/')}</Key><VersionId>{version}</VersionId><IsLatest>false</IsLatest>"
        "<LastModified>2026-11-01T12:00:00.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
        "<Size>1048576</Size><Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
        "<StorageClass>STANDARD</StorageClass></Version>"
        for key, version in zip(KEYS, VERSIONS, strict=True)
    )
    head = "<IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
    return f'<ListVersionsResult xmlns="{NAMESPACE}">{head}{rows}</ListVersionsResult>'.encode()


def deleted() -> bytes:
    """The answer to the deletion of the page."""
    rows = "".join(
        f"<Deleted><Key>{key}</Key><VersionId>{version}</VersionId></Deleted>"
        for key, version in zip(KEYS, VERSIONS, strict=True)
    )
    return f'<DeleteResult xmlns="{NAMESPACE}">{rows}</DeleteResult>'.encode()


class CannedWire(Wire):
    """Signs as ever and answers from memory."""

    canned: bytes = b""

    def ask(self, request: Request, read: Callable[[Answer], object]) -> object:  # type: ignore[override] # one type
        self._signed(request)
        return read(Answer({}, self.canned))


def bulk_page(deletion: Deletion, listed: bytes) -> int:
    """One page our way, contract items included."""
    entries = answers.versions(listed).entries
    items = [item_of(entry) for entry in entries]
    return len(items) and sum(said.code is None for said in deletion.remove(entries))


class Boto3Page:
    """One page boto3's way, down to the bytes: only the network is replaced, by the hook that botocore has for it."""

    def __init__(self, listed: bytes, answer: bytes) -> None:
        self._bodies = {"ListObjectVersions": listed, "DeleteObjects": answer}
        self._client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s")
        for operation, body in self._bodies.items():
            answer_from_memory = partial(self._canned, body)
            self._client.meta.events.register(f"before-send.s3.{operation}", answer_from_memory)  # type: ignore[arg-type] # may return

    def page(self) -> int:
        """The page, read and deleted; the number of confirmed deletions."""
        rows = self._client.list_object_versions(Bucket="b", Prefix="training/c-1/")["Versions"]
        objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        done = self._client.delete_objects(Bucket="b", Delete={"Objects": objects})  # type: ignore[typeddict-item] # as built
        return len(done["Deleted"])

    def _canned(self, body: bytes, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        raw = HTTPResponse(io.BytesIO(body), preload_content=False)
        return AWSResponse(request.url, 200, HeadersDict(), raw)  # type: ignore[arg-type] # as botocore itself does


def cpu_ms(once: Callable[[], int]) -> float:
    """The median CPU time of one call in milliseconds, having checked that it did a whole page."""
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        assert once() == PAGE
        times.append((time.process_time() - started) * 1_000)
    return statistics.median(times)


def fill(client: S3Client, bucket: str, count: int) -> None:
    """A versioned bucket with `count` versions of a third as many keys."""
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for number in range(count):
        client.put_object(Bucket=bucket, Key=f"c-1/{number // 3}", Body=b"x")


def purge_with_boto3(client: S3Client, bucket: str) -> int:
    """All versions listed first, then deleted a thousand at a time: boto3 as it should be used."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix="c-1/")
    found = [(row["Key"], row["VersionId"]) for page in pages for row in page.get("Versions", [])]
    for start in range(0, len(found), PAGE):
        objects = [{"Key": key, "VersionId": version} for key, version in found[start : start + PAGE]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": objects})  # type: ignore[typeddict-item] # as built
    return len(found)


def seconds(work: Callable[[], int], expected: int) -> tuple[float, float]:
    """Wall-clock and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    assert work() == expected
    return time.perf_counter() - wall, time.process_time() - cpu


def start_moto() -> tuple[subprocess.Popen[str], str]:
    """A moto server in another process, and its endpoint."""
    code = (
        "import time; from moto.server import ThreadedMotoServer as S; s = S('127.0.0.1', 0, verbose=False); s.start();"
        "print('http://%s:%d' % s.get_host_and_port(), flush=True); time.sleep(3600)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    return server, server.stdout.readline().strip()


def main(count: int) -> None:
    """Print both measurements."""
    settings = S3Settings("b", "us-east-1", "http://127.0.0.1:9", "k", "s")
    wire = CannedWire("objects", settings)
    wire.canned = deleted()
    pool = ThreadPoolExecutor(1)
    listed = listing()
    boto3_page = Boto3Page(listed, wire.canned)
    bulk = cpu_ms(lambda: bulk_page(Deletion(wire, pool), listed))
    plain = cpu_ms(boto3_page.page)
    print(f"CPU per page of {PAGE:,} versions: bulk {bulk:.1f} ms, boto3 {plain:.1f} ms, {plain / bulk:.1f} times")
    server, endpoint = start_moto()
    try:
        client = boto3.client(
            "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
        )
        for bucket in ("with-bulk", "with-boto3"):
            fill(client, bucket, count)
        ours = S3Store("objects", S3Settings("with-bulk", "us-east-1", endpoint, "k", "s"))
        wall, cpu = seconds(lambda: sum(map(len, ours.erase(Prefix("c-1/")))), count)
        wall_boto3, cpu_boto3 = seconds(lambda: purge_with_boto3(client, "with-boto3"), count)
        ours.close()
    finally:
        server.terminate()
        server.wait()
    print(f"{count:,} versions on moto, bulk:  {wall:.2f} s wall, {cpu:.2f} s CPU, with a second listing at the end")
    print(f"{count:,} versions on moto, boto3: {wall_boto3:.2f} s wall, {cpu_boto3:.2f} s CPU, without one")
    print(f"CPU {cpu_boto3 / cpu:.1f} times, wall {wall_boto3 / wall:.1f} times")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6_000)
