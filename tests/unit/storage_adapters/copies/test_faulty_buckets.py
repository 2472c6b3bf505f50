"""Buckets that go wrong: what they do is noticed, and what they did is not lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest

from storage_adapters.contract import Prefix
from storage_adapters.copies import Arrived, BucketTarget, ObjectsSource
from storage_adapters.errors import Refused, Unavailable
from storage_adapters.s3 import uploading
from tests.services.exact_s3 import Call, ExactS3, Reply, error, exact_s3, xml
from tests.unit.storage_adapters.copies.benches import (
    LARGE,
    TARGET_PLACE,
    Withdrawn,
    bytes_of,
    may_go_on,
    settings,
)


class PartsS3:
    """The exact server with uploads in parts and ETags, as a fault on it; what it does wrong is switched on.

    stores: what it keeps instead of what it was sent. tag: how it makes an ETag of a body.
    """

    def __init__(self, s3: ExactS3) -> None:
        self.s3 = s3
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.stores: Callable[[bytes], bytes] = lambda body: body
        self.tag: Callable[[bytes], str] = lambda body: f'"{hashlib.md5(body).hexdigest()}"'
        self.loses_completion = False
        self.aborts = True
        s3.fault = self.answer

    def answer(self, call: Call, act: Callable[[], Reply]) -> Reply | None:
        upload = call.query.get("uploadId")
        match call.method:
            case "POST" if "uploads" in call.query:
                self.uploads["u1"] = {}
                return xml("InitiateMultipartUploadResult", "<UploadId>u1</UploadId>")
            case "PUT" if upload:
                self.uploads[upload][int(call.query["partNumber"])] = call.body
                return Reply(headers={"ETag": self.tag(call.body)})
            case "POST" if upload:
                return self._complete(call, upload)
            case "DELETE" if upload:
                return (
                    Reply(204) if self.aborts and self.uploads.pop(upload) is not None else error(403, "AccessDenied")
                )
            case "PUT":
                self.s3.put(call.key, self.stores(call.body))
                return Reply(headers={"ETag": self.tag(self.stores(call.body))})
            case "HEAD" | "GET" if call.key in self.s3.visible():
                body = self.s3.visible()[call.key]
                # with HEAD, only the length is to be told: nobody reads on
                return Reply(body=body, headers={"ETag": self.tag(body), "Connection": "close"})
            case _:
                return act()

    def _complete(self, call: Call, upload: str) -> Reply | None:
        parts = self.uploads.pop(upload, None)
        if parts is None:
            return error(404, "NoSuchUpload")
        body = self.stores(b"".join(parts.values()))
        self.s3.put(call.key, body)
        return None if self.loses_completion else xml("CompleteMultipartUploadResult", f"<ETag>{self.tag(body)}</ETag>")


@pytest.fixture
def faulty() -> Iterator[tuple[PartsS3, BucketTarget]]:
    """A server that goes wrong as told, and a target on it with parts of 1,000 bytes."""
    with exact_s3() as (s3, endpoint):
        target = BucketTarget("to", settings(endpoint, "bucket"), part_size=1_000)
        yield PartsS3(s3), target
        target.close()


SIZES = {"at once": 900, "in parts": 2_500}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize(
    "stores",
    [lambda body: body[::-1], lambda body: body[:-1], lambda body: b""],
    ids=["other bytes", "a byte less", "nothing"],
)
def test_a_bucket_that_stores_something_else_is_noticed(
    faulty: tuple[PartsS3, BucketTarget], size: int, stores: Callable[[bytes], bytes]
) -> None:
    server, target = faulty
    server.stores = stores
    with pytest.raises(Refused, match="does not hold what was put"):
        target.put(TARGET_PLACE, "a", iter([LARGE[:size]]), may_go_on)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_where_an_etag_is_no_md5_the_bytes_are_read_back(faulty: tuple[PartsS3, BucketTarget], size: int) -> None:
    server, target = faulty
    server.tag = lambda body: f'"{hashlib.sha1(body).hexdigest()[:32]}"'
    done = target.put(TARGET_PLACE, "a", iter([LARGE[:size]]), may_go_on)
    assert done == Arrived("a", size, hashlib.sha256(LARGE[:size]).hexdigest())
    assert server.s3.calls[-1].method == "GET"
    server.tag = lambda body: '"always-the-same"'
    server.stores = lambda body: body[::-1]
    with pytest.raises(Refused, match="does not hold what was put"):
        target.put(TARGET_PLACE, "b", iter([LARGE[:size]]), may_go_on)


def test_an_object_whose_completion_got_no_answer_has_arrived(faulty: tuple[PartsS3, BucketTarget]) -> None:
    server, target = faulty
    server.loses_completion = True
    done = target.put(TARGET_PLACE, "a", iter([LARGE[:2_500]]), may_go_on)
    assert (done.size, server.s3.visible()) == (2_500, {"copies/c-1/a": LARGE[:2_500]})


def test_parts_that_cannot_be_removed_are_told_of(faulty: tuple[PartsS3, BucketTarget]) -> None:
    server, target = faulty
    server.aborts = False
    gates = iter([None, None])

    def gate() -> None:
        if next(gates, Withdrawn) is Withdrawn:
            raise Withdrawn

    with pytest.raises(Withdrawn) as caught:
        target.put(TARGET_PLACE, "a", iter([LARGE[:2_500]]), gate)
    assert any("may be left" in note for note in caught.value.__notes__)
    assert server.s3.visible() == {}


def test_a_store_that_lists_out_of_order_is_refused() -> None:
    def shuffled(call: Call, act: Callable[[], Reply]) -> Reply:
        keys = "".join(f"<Contents><Key>a/{each}</Key><Size>1</Size></Contents>" for each in "132")
        return xml("ListBucketResult", f"<IsTruncated>false</IsTruncated>{keys}")

    with exact_s3() as (s3, endpoint):
        s3.fault = shuffled
        source = ObjectsSource("from", settings(endpoint, "bucket"))
        pieces = source.pieces(Prefix("a/"))
        assert [next(pieces).name, next(pieces).name] == ["1", "3"]
        with pytest.raises(Refused, match="order"):
            next(pieces)
        source.close()


def test_a_store_that_passes_over_the_condition_and_the_range_is_noticed() -> None:
    with exact_s3() as (s3, endpoint):
        source = ObjectsSource("from", settings(endpoint, "bucket"))
        s3.put("a/small", b"x")
        s3.put("a/large", LARGE)
        pieces = {piece.name: piece for piece in source.pieces(Prefix("a/"))}
        assert bytes_of(source, Prefix("a/"), pieces["small"]) == b"x"
        with pytest.raises(Refused, match="ranges"):
            source.read(Prefix("a/"), pieces["large"])
        etags = iter(["one", "two"])

        def ranged(call: Call, act: Callable[[], Reply]) -> Reply:
            start, end = map(int, call.headers["range"].removeprefix("bytes=").split("-"))
            body = LARGE[start : end + 1]
            told = f"bytes {start}-{start + len(body) - 1}/{len(LARGE)}"
            return Reply(206, body, {"Content-Range": told, "ETag": next(etags)})

        s3.fault = ranged
        with pytest.raises(Unavailable, match="changed"):
            bytes_of(source, Prefix("a/"), pieces["large"])
        source.close()


def test_parts_grow_and_end_where_s3_takes_no_more(
    faulty: tuple[PartsS3, BucketTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, target = faulty
    monkeypatch.setattr(uploading, "_GROWS_AFTER", 2)
    monkeypatch.setattr(uploading, "MOST_PARTS", 4)
    done = target.put(TARGET_PLACE, "a", iter([LARGE[:6_000]]), may_go_on)
    sent = [len(call.body) for call in server.s3.calls if "partNumber" in call.query]
    assert (done.size, sent) == (6_000, [1_000, 1_000, 2_000, 2_000])
    for content in ([LARGE[:6_001]], [LARGE[:6_000], b"x"]):
        with pytest.raises(Refused, match="more than 4 parts"):
            target.put(TARGET_PLACE, "b", iter(content), may_go_on)
    assert (list(server.s3.visible()), server.uploads) == (["copies/c-1/a"], {})
