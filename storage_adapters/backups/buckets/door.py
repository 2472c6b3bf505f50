"""One way into one bucket: what is listed, read, written and copied with one pair of credentials.

Listings and removals go over the S3 adapter's own wire; bodies of any size go over botocore's client, as streams.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)
from botocore.loaders import Loader, create_loader
from urllib3.exceptions import HTTPError

from storage_adapters.backups.contract import Lock
from storage_adapters.contract import ItemKind, ItemResult, Objects, Prefix
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from storage_adapters.s3 import Addressing, S3Settings, S3Store, answers, bucket
from storage_adapters.s3.entries import Entry
from storage_adapters.s3.refusals import DENIED, FALTERED, GONE, NOT_OFFERED, THROTTLED, Declined
from storage_adapters.s3.wire import Request, Wire

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITTEN_AT = "retention-written-at"
"""The user metadata in which a copy carries when its original was written."""

PART = 16 * 1024 * 1024
_MOST_PARTS = 9_000
_SMALL = 8 * 1024 * 1024
_COPIED_AT_ONCE = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a version, and when it was written where a copy carries that. `is_read` False: it was refused."""

    content: bytes
    written_at: datetime | None
    is_read: bool = True


class Door:
    """A bucket, entered with one pair of credentials. Thread-safe."""

    def __init__(self, store: str, settings: S3Settings) -> None:
        """Connects when it is first asked. Raises Refused where the AWS configuration cannot be read."""
        self.store = store
        self.settings = settings
        self.wire = Wire(store, settings)
        self.objects = S3Store(store, settings)
        self.client = _client(store, settings)

    def versioning(self) -> bucket.Versioning:
        """The bucket's versioning, read now."""
        return bucket.versioning(self.wire)

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Every version, delete marker and upload whose key begins with `prefix`, a key's versions newest first."""
        never = self.versioning() is bucket.Versioning.NEVER
        for entry in self._listed(prefix, "versions"):
            is_plain = never and entry.kind is ItemKind.VERSION
            yield entry._replace(kind=ItemKind.OBJECT, id=None) if is_plain else entry
        try:
            yield from self._listed(prefix, "uploads")
        except Declined as declined:
            if declined.code not in NOT_OFFERED:
                raise

    def of_set(self, prefix: str) -> list[Entry]:
        """The entries of a folder (`/` at the end), or of exactly this object."""
        found = self.entries(prefix)
        return [entry for entry in found if prefix.endswith("/") or entry.key == prefix]

    def head(self, entry: Entry, length: int) -> Head:
        """The first `length` bytes of a version. Raises NotFound where it is gone."""
        query = () if entry.id is None else (("versionId", entry.id),)
        ask = Request("GET", entry.key, query, (("Range", f"bytes=0-{length - 1}"),), limit=length)
        try:
            return self.wire.ask(ask, lambda said: Head(said.body, _carried(said.headers)))
        except Declined as declined:
            if declined.code in GONE | {"MethodNotAllowed"}:
                raise NotFound(self.store, "it is not there (any more)") from declined
            if declined.code == "InvalidRange":
                return self.wire.ask(Request("HEAD", entry.key, query), lambda said: Head(b"", _carried(said.headers)))
            return Head(b"", None, is_read=False)

    @contextmanager
    def open(self, entry: Entry) -> Iterator[BinaryIO]:
        """The content of a version, streamed."""
        version: Any = {} if entry.id is None else {"VersionId": entry.id}
        with self.spoken():
            answer = self.client.get_object(Bucket=self.settings.bucket, Key=entry.key, **version)
            with answer["Body"] as body:
                yield cast(BinaryIO, body)

    def put(self, key: str, stream: BinaryIO, size: int, metadata: Mapping[str, str]) -> tuple[str | None, bytes]:
        """The version that now holds the stream's content, in parts where it is large, and the content's SHA-256."""
        digest = hashlib.sha256()
        first = _filled(stream, _SMALL)
        digest.update(first)
        target: Any = {"Bucket": self.settings.bucket, "Key": key}
        if len(first) < _SMALL:
            answer = self.client.put_object(**target, Body=first, Metadata=metadata)
            return answer.get("VersionId"), digest.digest()
        part_size = max(PART, size // _MOST_PARTS)
        upload = self.client.create_multipart_upload(**target, Metadata=metadata)["UploadId"]
        try:
            parts: list[Any] = []
            part = first + _filled(stream, part_size - len(first), digest)
            while part:
                number = len(parts) + 1
                said = self.client.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": said["ETag"]})
                part = _filled(stream, part_size, digest)
            done = self.client.complete_multipart_upload(
                **target,
                UploadId=upload,
                MultipartUpload={"Parts": parts},
            )
        except BaseException:
            self.client.abort_multipart_upload(**target, UploadId=upload)
            raise
        return done.get("VersionId"), digest.digest()

    def copy(self, key: str, new_key: str, size: int, metadata: Mapping[str, str]) -> None:
        """`new_key` of the same bucket holds what the current version of `key` holds, without passing through us."""
        source: Any = {"Bucket": self.settings.bucket, "Key": key}
        target: Any = {"Bucket": self.settings.bucket, "Key": new_key}
        if size <= _COPIED_AT_ONCE:
            self.client.copy_object(**target, CopySource=source, MetadataDirective="REPLACE", Metadata=metadata)
            return
        upload = self.client.create_multipart_upload(**target, Metadata=metadata)["UploadId"]
        parts: list[Any] = []
        for number, start in enumerate(range(0, size, _COPIED_AT_ONCE), 1):
            end = min(size, start + _COPIED_AT_ONCE) - 1
            said = self.client.upload_part_copy(
                **target,
                UploadId=upload,
                PartNumber=number,
                CopySource=source,
                CopySourceRange=f"bytes={start}-{end}",
            )
            parts.append({"PartNumber": number, "ETag": said["CopyPartResult"]["ETag"]})
        self.client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})

    def metadata(self, key: str) -> Mapping[str, str] | None:
        """The user metadata of what a plain reader meets at the key; None where that is nothing or refused."""
        try:
            return self.wire.ask(Request("HEAD", key), lambda said: _own(said.headers))
        except Declined as declined:
            if declined.code in GONE | DENIED | NOT_OFFERED:
                return None
            raise

    def write_note(self, key: str, note: object) -> None:
        """A small object of our own holds `note` as JSON."""
        with self.spoken():
            self.client.put_object(Bucket=self.settings.bucket, Key=key, Body=json.dumps(note).encode())

    def read_note(self, key: str) -> dict[str, object] | None:
        """The content of a small object of our own; None where there is none."""
        try:
            said = self.wire.ask(Request("GET", key), lambda answer: answer.body)
        except Declined as declined:
            if declined.code in GONE:
                return None
            raise
        return cast("dict[str, object]", json.loads(said))

    def erase(self, prefix: str) -> list[tuple[ItemResult, Lock | None, str | None]]:
        """Remove the folder, or exactly this object, in every version. What was not removed, why, and what locks it."""
        place = place_of(prefix)
        left = {}
        for batch in self.objects.erase(place):
            for one in batch:
                lock = Lock(one.item.lock, one.item.locked_until) if one.item.lock else None
                left[one.item.name] = (one.result, lock, one.reason)
        return [said for said in left.values() if said[0] not in (ItemResult.DONE, ItemResult.ABSENT)]

    def remains(self, prefix: str) -> bool:
        """Whether another look still finds something there."""
        return any(True for _ in self.objects.remains(place_of(prefix)))

    @contextmanager
    def spoken(self) -> Iterator[None]:
        """What botocore raises inside the block is raised in the contract's words, without keys."""
        try:
            yield
        except ClientError as error:
            raise self._translated(error) from error
        except (ConnectTimeoutError, EndpointConnectionError) as error:
            raise Unavailable(self.store, f"the store was not reached: {type(error).__name__}") from error
        except (HTTPClientError, HTTPError, BotoCoreError) as error:
            raise OutcomeUnknown(self.store, f"no whole answer: {type(error).__name__}") from error

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self.objects.close()
        self.wire.close()
        self.client.close()

    def _translated(self, error: ClientError) -> NotFound | Refused | Unavailable | OutcomeUnknown:
        code = str(error.response.get("Error", {}).get("Code", "Error"))
        what = error.operation_name
        if code in GONE or code == "NoSuchBucket":
            return NotFound(self.store, f"{what}: {code}")
        if code in THROTTLED:
            return Unavailable(self.store, f"{what}: {code}")
        if code in FALTERED:
            return OutcomeUnknown(self.store, f"{what}: {code}")
        return Declined(self.store, f"{what}: {code}", "AccessDenied" if code == "403" else code)

    def _listed(self, prefix: str, subresource: str) -> Iterator[Entry]:
        read = answers.versions if subresource == "versions" else answers.uploads
        size = "max-keys" if subresource == "versions" else "max-uploads"
        cursor: answers.Cursor = ()
        while True:
            query = ((subresource, None), ("encoding-type", "url"), (size, "1000"), ("prefix", prefix), *cursor)
            page = self.wire.ask(Request("GET", query=query), lambda answer: read(answer.body))
            if not all(entry.key.startswith(prefix) for entry in page.entries):
                raise Refused(self.store, "the store lists keys outside the prefix it was asked for")
            yield from page.entries
            if not page.cursor:
                return
            if page.cursor == cursor:
                raise Unavailable(self.store, "the listing does not move on")
            cursor = page.cursor


def place_of(prefix: str) -> Prefix | Objects:
    """The place that a set's name means."""
    return Prefix(prefix) if prefix.endswith("/") else Objects((prefix,))


def digest_of(stream: BinaryIO) -> bytes:
    """The SHA-256 of what is left of a stream."""
    digest = hashlib.sha256()
    while chunk := stream.read(1024 * 1024):
        digest.update(chunk)
    return digest.digest()


def _filled(stream: BinaryIO, size: int, digest: hashlib._Hash | None = None) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (chunk := stream.read(size)):
        parts.append(chunk)
        size -= len(chunk)
        if digest is not None:
            digest.update(chunk)
    return b"".join(parts)


def _own(headers: Mapping[str, str]) -> Mapping[str, str]:
    start = "x-amz-meta-"
    return {name.removeprefix(start): value for name, value in headers.items() if name.startswith(start)}


def _carried(headers: Mapping[str, str]) -> datetime | None:
    said = headers.get(f"x-amz-meta-{WRITTEN_AT}")
    try:
        moment = None if said is None else datetime.fromisoformat(said)
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.astimezone(UTC)


def _client(store: str, settings: S3Settings) -> S3Client:
    config = Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"total_max_attempts": settings.tries, "mode": "standard"},
        max_pool_connections=settings.workers + 4,
        s3=_STYLES[settings.addressing],
        request_checksum_calculation="when_required",  # other stores refuse what AWS has added
        response_checksum_validation="when_required",
    )
    try:
        session = botocore.session.Session()
        session.register_component("data_loader", _models())
        return boto3.session.Session(botocore_session=session).client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.endpoint,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            aws_session_token=settings.session_token,
            verify=settings.ca_bundle,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise Refused(store, f"the AWS configuration cannot be read: {type(error).__name__}") from error


@cache
def _models() -> Loader:
    """What botocore knows of S3, read once: that takes longer than all else here."""
    return create_loader()


_STYLES: dict[Addressing, Any] = {one: {"addressing_style": one.value} for one in Addressing}
