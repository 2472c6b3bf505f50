"""Stores with a source or a target on them, each with a way in or out that these do not have."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine, create_engine, text

from storage_adapters.contract import Objects, Place, Prefix, Rows, Store, TablePlace
from storage_adapters.copies import (
    BucketTarget,
    CopySource,
    CopyTarget,
    FolderSource,
    FolderTarget,
    ObjectsSource,
    Piece,
    RowsSource,
)
from storage_adapters.files import FileStore
from storage_adapters.s3 import S3Settings, S3Store
from storage_adapters.sql import SqlStore

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART_SIZE = 5 * 1024 * 1024
LARGE = bytes(range(256)) * 45_000  # two blocks, three parts
TARGET_PLACE = Prefix("copies/c-1/")


class Withdrawn(Exception):
    """The customer has withdrawn the consent."""


def settings(endpoint: str, bucket: str) -> S3Settings:
    return S3Settings(bucket, "us-east-1", endpoint, "AKIDEXAMPLE", "secret", tries=2, backoff=0.01)


def may_go_on() -> None:
    """The gate is open."""


def bytes_of(source: CopySource, place: Place, piece: Piece) -> bytes | None:
    content = source.read(place, piece)
    return None if content is None else b"".join(content)


# ------------------------------------------------------------------------------------------------------- sources


class SourceBench(Protocol):
    """A store with a source on it and a way in that the source does not have."""

    source: CopySource
    store: Store

    def place(self, customer: str) -> Place: ...

    def part(self, customer: str, name: str) -> Place: ...

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None: ...

    def expected(self, customer: str) -> dict[str, bytes]:
        """What the pieces are called and hold."""
        ...

    def remove(self, customer: str) -> None: ...


class BucketBench:
    def __init__(self, client: S3Client, endpoint: str, bucket: str) -> None:
        self.client, self.bucket = client, bucket
        self.source: CopySource = ObjectsSource("from", settings(endpoint, bucket))
        self.store: Store = S3Store("from", settings(endpoint, bucket))

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            self.client.put_object(Bucket=self.bucket, Key=f"data/{customer}/{name}", Body=content)

    def expected(self, customer: str) -> dict[str, bytes]:
        return bucket_contents(self.client, self.bucket, f"data/{customer}/")

    def remove(self, customer: str) -> None:
        for name in self.expected(customer):
            self.client.delete_object(Bucket=self.bucket, Key=f"data/{customer}/{name}")


class FolderBench:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.source: CopySource = FolderSource("from", root)
        self.store: Store = FileStore("from", root)

    def place(self, customer: str) -> Place:
        return Prefix(f"data/{customer}/")

    def part(self, customer: str, name: str) -> Place:
        return Objects((f"data/{customer}/{name}",))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        for name, content in contents.items():
            path = self.root / "data" / customer / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def expected(self, customer: str) -> dict[str, bytes]:
        return folder_contents(self.root / "data" / customer)

    def remove(self, customer: str) -> None:
        for name in self.expected(customer):
            (self.root / "data" / customer / name).unlink()


class RowsBench:
    """A thing is a row of `session` and one of `note` below it; 2,002 more sessions make several chunks."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url)
        blob = "bytea" if self.engine.dialect.name == "postgresql" else "longblob"
        run(
            self.engine,
            "CREATE TABLE session (id bigint PRIMARY KEY, tenant varchar(60) NOT NULL, name varchar(200))",
            f"CREATE TABLE note (id bigint PRIMARY KEY, session bigint REFERENCES session (id), body {blob},"
            " FOREIGN KEY (session) REFERENCES session (id))",
        )
        self.source: CopySource = RowsSource("from", url)
        self.store: Store = SqlStore("from", url)
        self.tables = (TablePlace("note", through="session"), TablePlace("session", customer_column="tenant"))
        self._next = 0

    def place(self, customer: str) -> Place:
        return Rows(self.tables, customer)

    def part(self, customer: str, name: str) -> Place:
        return Rows(self.tables, customer, "session", ({"id": self._ids(customer)[name]},))

    def put(self, customer: str, contents: Mapping[str, bytes]) -> None:
        things = [*contents, *(f"n{at}" for at in range(2_002 if customer == "c-1" else 2))]
        ids = {name: self._next + at for at, name in enumerate(things)}
        sessions = [{"id": number, "tenant": customer, "name": name} for name, number in ids.items()]
        notes = [{"id": -ids[name], "session": ids[name], "body": content} for name, content in contents.items()]
        with self.engine.begin() as connection:
            connection.execute(text("INSERT INTO session VALUES (:id, :tenant, :name)"), sessions)
            connection.execute(text("INSERT INTO note VALUES (:id, :session, :body)"), notes)
        self._next += len(things)

    def expected(self, customer: str) -> dict[str, bytes]:
        with self.engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(text("SELECT * FROM session ORDER BY id"))]
            sessions = [row for row in rows if row["tenant"] == customer]  # MariaDB's own comparison takes C-1 for c-1
            ids = {row["id"] for row in sessions}
            rows = [dict(row._mapping) for row in connection.execute(text("SELECT * FROM note ORDER BY id"))]
        found = {"session": sessions, "note": [row for row in rows if row["session"] in ids]}
        return {
            f"{table}/{start // 1000 + 1:08}.jsonl": b"".join(map(json_line, rows[start : start + 1000]))
            for table, rows in found.items()
            for start in range(0, len(rows), 1000)
        }

    def remove(self, customer: str) -> None:
        run(self.engine, "DELETE FROM note", "DELETE FROM session")

    def _ids(self, customer: str) -> dict[str, int]:
        query = text("SELECT name, id FROM session WHERE tenant = :tenant")
        with self.engine.connect() as connection:
            return {row.name: row.id for row in connection.execute(query, {"tenant": customer})}


def run(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def json_line(row: dict[str, object]) -> bytes:
    told = {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def bucket_contents(client: S3Client, bucket: str, prefix: str) -> dict[str, bytes]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {key.removeprefix(prefix): client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def folder_contents(folder: Path) -> dict[str, bytes]:
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# ------------------------------------------------------------------------------------------------------- targets


class TargetBench(Protocol):
    """A store with a target on it, and what a plain reader finds at a prefix of it; `everything` has leftovers too."""

    target: CopyTarget

    def found(self, place: Prefix) -> dict[str, bytes]: ...

    def everything(self) -> list[str]: ...


class ToBucket:
    def __init__(self, client: S3Client, endpoint: str, bucket: str) -> None:
        self.client, self.bucket = client, bucket
        self.target: CopyTarget = BucketTarget("to", settings(endpoint, bucket), part_size=PART_SIZE)

    def found(self, place: Prefix) -> dict[str, bytes]:
        return bucket_contents(self.client, self.bucket, place.prefix)

    def everything(self) -> list[str]:
        uploads = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return [*bucket_contents(self.client, self.bucket, ""), *(f"upload of {each['Key']}" for each in uploads)]


class ToFolder:
    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.target: CopyTarget = FolderTarget("to", root)

    def found(self, place: Prefix) -> dict[str, bytes]:
        return folder_contents(self.root / place.prefix)

    def everything(self) -> list[str]:
        return [each.relative_to(self.root).as_posix() for each in self.root.rglob("*")]
