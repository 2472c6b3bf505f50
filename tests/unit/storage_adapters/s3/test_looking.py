"""What the adapter sees in a bucket, on moto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage_adapters.contract import Item, ItemKind, Objects, Prefix
from storage_adapters.errors import Refused
from storage_adapters.s3.entries import parse_name
from tests.unit.storage_adapters.s3.conftest import Bucket, Exact, MakeBucket

C1 = Prefix("c-1/")


def items(pages: object) -> list[Item]:
    return [item for page in pages for item in page]  # type: ignore[attr-defined] # any iterator of pages


def named(found: list[Item]) -> set[tuple[str, str | None]]:
    return {(parse_name(item.name).key, parse_name(item.name).id) for item in found}


def test_a_survey_finds_versions_markers_and_uploads(bucket: Bucket) -> None:
    first, second, gone = bucket.put("c-1/a", b"12"), bucket.put("c-1/a", b"123"), bucket.put("c-1/b")
    marker = bucket.delete("c-1/b")
    upload = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="c-1/part")["UploadId"]
    found = items(bucket.store.survey(C1))
    assert {(item.kind, item.name, item.size) for item in found} == {
        (ItemKind.VERSION, f"c-1/a?versionId={first}", 2),
        (ItemKind.VERSION, f"c-1/a?versionId={second}", 3),
        (ItemKind.VERSION, f"c-1/b?versionId={gone}", 1),
        (ItemKind.DELETE_MARKER, f"c-1/b?versionId={marker}", 0),
        (ItemKind.UPLOAD, f"c-1/part?uploadId={upload}", 0),
    }
    assert all(item.written_at is not None and item.written_at.tzinfo is UTC for item in found)


def test_a_survey_of_several_pages_lists_exactly_what_boto3_lists(exact: Exact, bucket: Bucket) -> None:
    for number in range(60):
        bucket.put(f"c-1/{number % 20} +%&", b"x")
    for number in range(0, 20, 2):
        bucket.delete(f"c-1/{number} +%&")
    assert named(items(bucket.store.survey(C1))) == bucket.versions()
    for number in range(2_600):
        exact.s3.put(f"c-1/{number % 1300}", b"x", marker=number % 7 == 0)
    pages = list(exact.store.survey(C1))
    assert [len(page) for page in pages] == [1000, 1000, 600]
    assert len(named(items(pages))) == 2_600


def test_a_bucket_without_versions_has_objects_named_by_their_keys(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(None)
    bucket.put("c-1/a")
    assert [(item.kind, item.name) for item in items(bucket.store.survey(C1))] == [(ItemKind.OBJECT, "c-1/a")]


def test_single_objects_are_found_and_nothing_that_begins_like_them(bucket: Bucket) -> None:
    versions = [bucket.put("a"), bucket.put("a")]
    for other in ("a/b", "ab", "a ", "A", "aa?versionId=1"):
        bucket.put(other)
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="ab")
    assert named(items(bucket.store.survey(Objects(("a", "missing", "a"))))) == {("a", id_) for id_ in versions}


def test_a_key_of_many_pages_of_versions_is_found_whole(exact: Exact) -> None:
    exact.s3.page = 10
    for _ in range(35):
        exact.s3.put("a")
        exact.s3.put("a/b")
    assert len(items(exact.store.survey(Objects(("a",))))) == 35
    assert len([call for call in exact.s3.calls if "versions" in call.query and call.query["prefix"] == "a"]) == 4


@pytest.mark.parametrize("names", [("",), ("a", "")])
def test_an_object_without_a_name_is_a_mistake(bucket: Bucket, names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not empty"):
        bucket.store.survey(Objects(names))


def test_a_key_too_long_for_s3_is_simply_not_there(bucket: Bucket) -> None:
    assert items(bucket.store.survey(Objects(("x" * 1025,)))) == []


def test_locks_are_told_with_their_end(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    bucket.client.put_object(
        Bucket=bucket.name, Key="c-1/kept", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )
    bucket.client.put_object(Bucket=bucket.name, Key="c-1/held", ObjectLockLegalHoldStatus="ON")
    bucket.put("c-1/free")
    bucket.delete("c-1/free")
    locks = {parse_name(item.name).key: (item.lock, item.locked_until) for item in items(bucket.store.survey(C1))}
    assert locks == {
        "c-1/kept": ("compliance", until),
        "c-1/held": ("legal-hold", None),
        "c-1/free": (None, None),
    }


def test_a_lock_whose_end_has_passed_by_the_stores_clock_is_none(exact: Exact) -> None:
    exact.s3.locks = True
    version = exact.s3.put("c-1/a")
    version.lock = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2020-01-01T00:00:00Z",
    }
    assert [item.lock for item in items(exact.store.survey(C1))] == [None]


def test_no_version_is_asked_for_its_lock_where_the_bucket_has_none(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    assert len(items(exact.store.survey(C1))) == 1
    assert [call for call in exact.s3.calls if call.method == "HEAD"] == []


def test_remains_sees_what_one_listing_omits(exact: Exact) -> None:
    exact.s3.put("c-1/omitted")
    exact.s3.times(99, lambda call, act: exact.s3.empty_versions(), lambda call: "versions" in call.query)
    assert items(exact.store.survey(C1)) == []
    assert [item.name for item in items(exact.store.remains(C1))] == ["c-1/omitted"]


def test_remains_names_nothing_twice(bucket: Bucket) -> None:
    bucket.put("c-1/a")
    bucket.put("c-1/b")
    bucket.delete("c-1/b")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="c-1/part")
    found = [item.name for item in items(bucket.store.remains(C1))]
    assert len(found) == len(set(found)) == 4


def test_a_listing_outside_its_prefix_is_refused_before_anything_is_touched(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.put("c-10/a")

    def without_prefix(call: object, act: object) -> object:
        return exact.s3.list_everything()

    exact.s3.times(99, without_prefix, lambda call: "versions" in call.query)  # type: ignore[arg-type] # a fault
    for look in (exact.store.survey, exact.store.erase, exact.store.tombstone, exact.store.remains):
        with pytest.raises(Refused, match="outside the prefix"):
            list(look(C1))
    assert exact.s3.left() == ["c-1/a", "c-10/a"]


def test_heads_are_the_first_bytes_of_each_version(bucket: Bucket) -> None:
    for content in (b"0123456789", b"ab", b""):
        bucket.put("c-1/a", content)
    bucket.delete("c-1/a")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="c-1/part")
    names = [item.name for item in items(bucket.store.survey(C1))]
    heads = list(bucket.store.heads([*names, "c-1/none?versionId=1"], 4))
    assert [name for name, _ in heads] == [*names, "c-1/none?versionId=1"]
    assert sorted(head for _, head in heads if head is not None) == [b"", b"0123", b"ab"]
    assert sum(head is None for _, head in heads) == 3


def test_a_store_that_ignores_ranges_does_not_send_the_whole_object(exact: Exact) -> None:
    exact.s3.put("c-1/a", b"0123456789" * 500_000)
    name = items(exact.store.survey(C1))[0].name
    assert list(exact.store.heads([name, name], 5)) == [(name, b"01234"), (name, b"01234")]


@pytest.mark.parametrize("length", [0, -1])
def test_heads_of_no_bytes_are_a_mistake(bucket: Bucket, length: int) -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        bucket.store.heads([], length)


def test_a_bucket_has_no_tables_to_drift(bucket: Bucket) -> None:
    assert bucket.store.unclaimed([C1]) == ()
