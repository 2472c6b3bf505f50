"""Hiding and bringing back: what was there before is there again, and what the customer deleted is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import pytest

from storage_adapters.contract import Batch, ItemKind, ItemResult, Objects, Prefix
from storage_adapters.errors import OutcomeUnknown, Refused, StoreError
from storage_adapters.s3.entries import is_record, parse_name
from storage_adapters.s3.records import record_key
from tests.services.exact_s3 import Call, Reply, error, silent_after_acting, xml
from tests.unit.storage_adapters.s3.conftest import Bucket, Exact, MakeBucket

C1 = Prefix("c-1/")
DONE, REFUSED, ABSENT = ItemResult.DONE, ItemResult.REFUSED, ItemResult.ABSENT


def results(batches: Iterable[Batch]) -> dict[str, tuple[ItemResult, str | None]]:
    """The outcome of each key."""
    return {
        parse_name(outcome.item.name).key: (outcome.result, outcome.reason) for batch in batches for outcome in batch
    }


def test_what_is_hidden_comes_back_and_what_the_customer_deleted_does_not(bucket: Bucket) -> None:
    bucket.put("c-1/a", b"old")
    bucket.put("c-1/a", b"new")
    bucket.put("c-1/again", b"1")
    bucket.delete("c-1/again")
    bucket.put("c-1/again", b"2")
    bucket.put("c-1/deleted")
    bucket.delete("c-1/deleted")
    bucket.put("c-10/a")
    before, versions = bucket.visible(), bucket.versions()
    assert results(bucket.store.tombstone(C1)) == {"c-1/a": (DONE, None), "c-1/again": (DONE, None)}
    assert bucket.visible() == {"c-10/a": b"x"}
    assert results(bucket.store.bring_back(C1)) == {"c-1/a": (DONE, None), "c-1/again": (DONE, None)}
    assert bucket.visible() == before
    assert bucket.versions() == versions
    assert list(bucket.store.bring_back(C1)) == []


def test_thousands_are_hidden_and_come_back_in_pages(exact: Exact) -> None:
    for number in range(2_100):
        exact.s3.put(f"c-1/{number}", str(number).encode())
    before = exact.s3.visible()
    assert [len(batch) for batch in exact.store.tombstone(C1)] == [999, 999, 102]
    assert exact.s3.visible() == {}
    assert max(len(call.keys()) for call in exact.s3.calls if "delete" in call.query) == 1000
    assert [len(batch) for batch in exact.store.bring_back(C1)] == [1000, 1000, 100]
    assert exact.s3.visible() == before
    assert all(len(versions) == 1 for versions in exact.s3.keys.values() if versions)


def test_many_records_are_brought_back_too(exact: Exact) -> None:
    for number in range(120):
        exact.s3.put(f"c-1/{number}", b"1")
        list(exact.store.tombstone(C1))
    exact.s3.put("c-1/0", b"2")
    list(exact.store.tombstone(C1))
    assert set(results(exact.store.bring_back(C1)).values()) == {(DONE, None)}
    assert exact.s3.visible() == {f"c-1/{number}": b"1" for number in range(1, 120)} | {"c-1/0": b"2"}


def test_single_objects_with_many_versions_come_back_in_any_order_of_names(exact: Exact) -> None:
    for _ in range(600):
        for key in ("b", "a", "c"):
            exact.s3.put(key)
    names = Objects(("b", "a", "c"))
    before = {key: list(versions) for key, versions in exact.s3.keys.items()}
    assert set(results(exact.store.tombstone(names)).values()) == {(DONE, None)}
    assert exact.s3.visible() == {}
    assert results(exact.store.bring_back(names)) == dict.fromkeys("abc", (DONE, None))
    assert {key: versions for key, versions in exact.s3.keys.items() if versions} == before


@pytest.mark.parametrize("key", ["c-1/new\nline", "c-1/\x01", "c-1/../a", "c-1/ blank ", "c-1/", "c-1/&<>+%"])
def test_odd_keys_are_hidden_and_come_back(exact: Exact, key: str) -> None:
    exact.s3.put(key, b"content")
    list(exact.store.tombstone(C1))
    assert exact.s3.visible() == {}
    assert results(exact.store.bring_back(C1)) == {key: (DONE, None)}
    assert exact.s3.visible() == {key: b"content"}


def test_a_key_that_no_request_can_carry_safely_is_not_hidden(exact: Exact) -> None:
    exact.s3.put("c-1/\x01/../a")
    assert results(exact.store.tombstone(C1)) == {"c-1/\x01/../a": (REFUSED, "key-not-expressible")}


def test_the_record_is_out_of_sight_and_goes_with_the_place(bucket: Bucket) -> None:
    bucket.put("c-1/a")
    list(bucket.store.tombstone(C1))
    found = [item for page in bucket.store.survey(C1) for item in page]
    records = [item for item in found if is_record(parse_name(item.name).key)]
    assert len(records) == 2
    assert {item.kind for item in records} == {ItemKind.DELETE_MARKER}
    assert bucket.visible() == {}
    list(bucket.store.erase(C1))
    assert bucket.versions() == set()


def test_the_record_of_one_object_goes_with_it_and_with_every_prefix_above_it(bucket: Bucket) -> None:
    for place in (Objects(("c-1/deep/a",)), Prefix("c-1/deep/"), C1):
        bucket.put("c-1/deep/a")
        list(bucket.store.tombstone(Objects(("c-1/deep/a",))))
        list(bucket.store.erase(place))
        assert bucket.versions() == set()


def test_one_hidden_object_does_not_come_back_with_its_folder(bucket: Bucket) -> None:
    bucket.put("c-1/a")
    bucket.put("c-1/b")
    list(bucket.store.tombstone(Objects(("c-1/a",))))
    list(bucket.store.tombstone(C1))
    assert results(bucket.store.bring_back(C1)) == {"c-1/b": (DONE, None)}
    assert set(bucket.visible()) == {"c-1/b"}
    assert results(bucket.store.bring_back(Objects(("c-1/a",)))) == {"c-1/a": (DONE, None)}
    assert set(bucket.visible()) == {"c-1/a", "c-1/b"}


@pytest.mark.parametrize("name", ["a", "/a", "c-1/" + "x" * 1_000, "x" * 500 + "/" + "y" * 500, "é" * 500 + "/a"])
def test_the_record_of_any_object_has_a_key_that_s3_takes(name: str) -> None:
    assert len(record_key(name).encode()) <= 1024
    assert is_record(record_key(name))


def test_what_was_written_since_stands(bucket: Bucket) -> None:
    bucket.put("c-1/a", b"old")
    bucket.put("c-1/b", b"old")
    list(bucket.store.tombstone(C1))
    bucket.put("c-1/a", b"new")
    bucket.put("c-1/b", b"new")
    bucket.delete("c-1/b")
    assert set(results(bucket.store.bring_back(C1)).values()) == {(REFUSED, "written-since")}
    assert bucket.visible() == {"c-1/a": b"new"}


def test_what_was_erased_since_is_absent(bucket: Bucket) -> None:
    bucket.put("c-1/a")
    list(bucket.store.tombstone(C1))
    for key, version in bucket.versions():
        if key == "c-1/a":
            bucket.client.delete_object(Bucket=bucket.name, Key=key, VersionId=version)
    assert results(bucket.store.bring_back(C1)) == {"c-1/a": (ABSENT, None)}
    assert bucket.versions() == set()


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_bucket_without_enabled_versioning_refuses_and_loses_nothing(
    make_bucket: MakeBucket, versioning: str | None
) -> None:
    bucket = make_bucket(versioning)
    bucket.put("c-1/a")
    with pytest.raises(Refused, match="versioning is"):
        list(bucket.store.tombstone(C1))
    assert list(bucket.store.bring_back(C1)) == []
    assert bucket.visible() == {"c-1/a": b"x"}


def test_versioning_suspended_meanwhile_stops_the_hiding(exact: Exact) -> None:
    for number in range(1_500):
        exact.s3.put(f"c-1/{number}")
    batches = exact.store.tombstone(C1)
    next(batches)
    exact.s3.times(
        99,
        lambda call, act: xml("VersioningConfiguration", "<Status>Suspended</Status>"),
        lambda call: "versioning" in call.query,
    )
    with pytest.raises(Refused):
        next(batches)
    assert len([key for key in exact.s3.visible() if not is_record(key)]) == 501


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("", id="no marker at all"),
        pytest.param("<DeleteMarkerVersionId>null</DeleteMarkerVersionId>", id="a marker in place of the version"),
    ],
)
def test_a_store_that_confirms_no_marker_is_not_asked_again(exact: Exact, said: str) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(9, lambda call, act: xml("DeleteResult", f"<Deleted><Key>c-1/a</Key>{said}</Deleted>"))
    with pytest.raises(OutcomeUnknown, match="no delete marker"):
        list(exact.store.tombstone(C1))
    assert len([call for call in exact.s3.calls if call.is_delete]) == 1


def test_a_marker_put_twice_comes_off_whole(exact: Exact) -> None:
    exact.s3.put("c-1/a", b"content")
    exact.s3.times(1, silent_after_acting)
    assert results(exact.store.tombstone(C1)) == {"c-1/a": (DONE, None)}
    assert [version.marker for version in exact.s3.keys["c-1/a"]] == [True, True, False]
    assert results(exact.store.bring_back(C1)) == {"c-1/a": (DONE, None)}
    assert exact.s3.visible() == {"c-1/a": b"content"}
    assert exact.s3.left() == ["c-1/a"]


def broken(call: Call, act: Callable[[], Reply]) -> Reply:
    return error(500, "InternalError")


def broken_after_acting(call: Call, act: Callable[[], Reply]) -> Reply:
    act()
    return error(500, "InternalError")


@pytest.mark.parametrize("fault", [broken, broken_after_acting], ids=["not acting", "acting"])
@pytest.mark.parametrize("step", range(8))
def test_stopped_at_any_step_both_ways_it_ends_as_if_it_never_had(
    exact: Exact, step: int, fault: Callable[[Call, Callable[[], Reply]], Reply]
) -> None:
    exact.s3.put("c-1/a", b"1")
    exact.s3.put("c-1/gone", b"2")
    exact.s3.put("c-1/gone", marker=True)
    before = {key: [version.id for version in versions] for key, versions in exact.s3.keys.items()}
    once = exact.make_store(tries=1)
    for change in (once.tombstone, once.bring_back):
        count = iter(range(99))
        exact.s3.times(1, fault, lambda call, count=count: next(count) == step)  # type: ignore[misc] # early bound
        try:
            list(change(C1))
        except StoreError:
            exact.s3.fault = None
            list(change(C1))
        exact.s3.fault = None
        if change == once.tombstone:
            assert exact.s3.visible() == {}
    assert exact.s3.visible() == {"c-1/a": b"1"}
    assert {key: [one.id for one in versions] for key, versions in exact.s3.keys.items() if versions} == before


def test_a_record_left_in_sight_by_a_crash_is_hidden_the_next_time(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(1, broken)
    with pytest.raises(StoreError):
        list(exact.make_store(tries=1).tombstone(C1))
    assert len(exact.s3.visible()) == 2
    assert set(results(exact.store.tombstone(C1))) == {"c-1/a"}
    assert exact.s3.visible() == {}


def test_a_locked_record_never_brings_back_a_later_deletion(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    bucket.client.put_object_lock_configuration(
        Bucket=bucket.name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 30}},
        },
    )
    bucket.put("c-1/a")
    list(bucket.store.tombstone(C1))
    assert results(bucket.store.bring_back(C1)) == {"c-1/a": (DONE, None)}
    assert set(bucket.visible()) == {"c-1/a"}
    bucket.delete("c-1/a")
    assert list(bucket.store.bring_back(C1)) == []
    assert bucket.visible() == {}


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(
            {"format": "retention-tombstone/1", "hidden": [["c-10/a", "v000002"]]}, id="another customer's key"
        ),
        pytest.param({"format": "retention-tombstone/9", "hidden": []}, id="another format"),
        pytest.param({"format": "retention-tombstone/1", "hidden": [["c-1/a", 3]]}, id="a version that is no text"),
        pytest.param({"hidden": [1]}, id="no pairs"),
        pytest.param([], id="no record"),
    ],
)
def test_a_forged_record_brings_nothing_back(exact: Exact, forged: object) -> None:
    for key in ("c-1/a", "c-10/a"):
        exact.s3.put(key)
        exact.s3.put(key, marker=True)
    exact.s3.put(f"c-1/.retention-tombstones/p-{'0' * 64}", json.dumps(forged).encode())
    with pytest.raises(Refused, match="record of a tombstone"):
        list(exact.store.bring_back(C1))
    assert not set(exact.s3.visible()) & {"c-1/a", "c-10/a"}


def test_the_worked_example_of_the_format_is_what_is_written(exact: Exact) -> None:
    exact.s3.put("c-1/report.pdf", b"x")
    list(exact.store.tombstone(C1))
    key = "c-1/.retention-tombstones/p-771d43dc75412f5a2b207407281f075ddd3429a05eacbc1cfbdd461d066180f5"
    found = {name: versions for name, versions in exact.s3.keys.items() if is_record(name)}
    assert {name: [version.marker for version in versions] for name, versions in found.items()} == {key: [True, False]}
    assert found[key][1].body == b'{"format":"retention-tombstone/1","hidden":[["c-1/report.pdf","v000001"]]}'
