"""Erasing: everything goes, nothing else does, and no answer is believed that was not given."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from storage_adapters.contract import Batch, ItemOutcome, ItemResult, Keep, Objects, Prefix
from storage_adapters.errors import OutcomeUnknown, Unavailable
from storage_adapters.s3.entries import parse_name
from tests.services.exact_s3 import Call, Reply, error, silent_after_acting, xml
from tests.unit.storage_adapters.s3.conftest import Bucket, Exact, MakeBucket

C1 = Prefix("c-1/")
DONE, KEPT, LOCKED, REFUSED, UNKNOWN = (
    ItemResult.DONE,
    ItemResult.KEPT,
    ItemResult.LOCKED,
    ItemResult.REFUSED,
    ItemResult.UNKNOWN,
)

ODD_KEYS = [
    "c-1/new\nline",
    "c-1/carriage\rreturn",
    "c-1/tab\t",
    "c-1/\x01control\x7f",
    "c-1/\ufffe\uffff",
    "c-1/\x85\u2028",
    "c-1/plus+and space",
    "c-1/100%25",
    "c-1/&<>\"'",
    "c-1//double//slash/",
    "c-1/",
    "c-1/../c-10/a",
    "c-1/./a",
    "c-1/..",
    "c-1/ ends with blank ",
    "c-1/汉字😀",
    "c-1/a?versionId=null",
    "c-1/a?uploadId=b#c;d=e",
    "c-1/" + "é" * 510,
]


def outcomes(batches: Iterable[Batch]) -> list[ItemOutcome]:
    return [outcome for batch in batches for outcome in batch]


def last_words(batches: Iterable[Batch]) -> dict[str, tuple[ItemResult, str | None]]:
    """The last outcome of each item."""
    return {outcome.item.name: (outcome.result, outcome.reason) for outcome in outcomes(batches)}


def test_thousands_of_versions_markers_and_uploads_go_and_the_neighbour_stays(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(read_timeout=60.0)
    bucket.put_many(f"c-1/{number % 1_200}" for number in range(2_300))
    for number in range(300):
        bucket.delete(f"c-1/{number}")
    for number in range(5):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=f"c-1/part-{number}")
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="c-10/part")
    for key in ("c-10/a", "c-1", "c-1x", "C-1/a"):
        bucket.put(key, key.encode())
    others = bucket.visible().keys() - {key for key, _ in bucket.versions() if key.startswith("c-1/")}
    batches = list(bucket.store.erase(C1))
    assert Counter(outcome.result for outcome in outcomes(batches)) == {DONE: 2_605}
    assert max(map(len, batches)) <= 1000
    assert {key for key, _ in bucket.versions()} == others == {"c-10/a", "c-1", "c-1x", "C-1/a"}
    assert bucket.uploads() == 1
    assert list(bucket.store.remains(C1)) == []
    assert list(bucket.store.erase(C1)) == []


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_odd_key_goes_and_no_other(exact: Exact, key: str) -> None:
    exact.s3.put(key)
    exact.s3.put(key)
    exact.s3.put("c-10/a")
    exact.s3.put("c-1x")
    results = last_words(exact.store.erase(C1))
    assert [parse_name(name).key for name in results] == [key, key]
    assert set(results.values()) == {(DONE, None)}
    assert exact.s3.left() == ["c-10/a", "c-1x"]


def test_no_request_ever_deletes_more_than_a_thousand_keys(exact: Exact) -> None:
    for number in range(2_500):
        exact.s3.put(f"c-1/{number}")
    assert len(outcomes(exact.store.erase(C1))) == 2_500
    assert [len(call.keys()) for call in exact.s3.calls if "delete" in call.query] == [1000, 1000, 500]
    assert exact.s3.left() == []


def test_a_deletion_always_names_its_version(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.put("c-1/\x01")
    outcomes(exact.store.erase(C1))
    one, many = sorted((call for call in exact.s3.calls if call.is_delete), key=lambda call: call.method)
    assert b"<VersionId>v000001</VersionId>" in many.body
    assert one.query == {"versionId": "v000002"}


def test_everything_is_listed_before_anything_is_deleted(exact: Exact) -> None:
    exact.s3.page = 7
    for number in range(40):
        exact.s3.put(f"c-1/{number}")
    outcomes(exact.store.erase(C1))
    first = next(at for at, call in enumerate(exact.s3.calls) if call.is_delete)
    assert sum("versions" in call.query for call in exact.s3.calls[:first]) == 6
    assert exact.s3.left() == []


def test_what_appears_while_erasing_goes_in_another_pass(exact: Exact) -> None:
    exact.s3.put("c-1/a")

    def late_writer(call: Call, act: Callable[[], Reply]) -> Reply:
        exact.s3.put("c-1/late")
        return act()

    exact.s3.times(1, late_writer)
    assert len(outcomes(exact.store.erase(C1))) == 2
    assert exact.s3.left() == []


def test_superseded_versions_never_come_into_sight(exact: Exact) -> None:
    for content in (b"oldest", b"older", b"newest"):
        exact.s3.put("c-1/a", content)
    exact.s3.put("c-1/b", b"deleted before")
    exact.s3.put("c-1/b", marker=True)
    seen: set[bytes] = set()

    def watch(call: Call, act: Callable[[], Reply]) -> Reply:
        reply = act()
        seen.update(exact.s3.visible().values())
        return reply

    exact.s3.fault = watch
    outcomes(exact.store.erase(C1))
    assert seen == {b"newest"}


# ------------------------------------------------------------------------------------------------ bad answers


def per_key(code: str, keys: set[str], *, with_version: bool = True) -> Callable[[Call, Callable[[], Reply]], Reply]:
    """A 200 that deletes nothing and says `code` for these keys, Deleted for the others."""

    def answer(call: Call, act: Callable[[], Reply]) -> Reply:
        parts = []
        for key, version in zip(call.keys(), call.versions(), strict=True):
            shown = f"<Key>{key}</Key>" + (f"<VersionId>{version}</VersionId>" if with_version else "")
            parts.append(f"<Error>{shown}<Code>{code}</Code></Error>" if key in keys else "")
        return xml("DeleteResult", "".join(parts))

    return answer


@pytest.mark.parametrize("with_version", [True, False], ids=["naming the version", "naming only the key"])
def test_an_error_inside_a_200_is_the_keys_outcome(exact: Exact, with_version: bool) -> None:
    version = exact.s3.put("c-1/a")
    exact.s3.times(99, per_key("AccessDenied", {"c-1/a"}, with_version=with_version))
    assert last_words(exact.store.erase(C1)) == {f"c-1/a?versionId={version.id}": (REFUSED, "AccessDenied")}
    assert exact.s3.left() == ["c-1/a"]


@pytest.mark.parametrize("code", ["InternalError", "SlowDown", "ServiceUnavailable"])
def test_a_key_that_the_store_failed_on_is_sent_again(exact: Exact, code: str) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(2, per_key(code, {"c-1/a"}))
    assert set(last_words(exact.store.erase(C1)).values()) == {(DONE, None)}
    assert exact.s3.left() == []


def test_a_key_that_the_store_fails_on_forever_is_unknown_and_never_done(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(999, per_key("InternalError", {"c-1/a"}))
    results = [outcome.result for outcome in outcomes(exact.store.erase(C1))]
    assert set(results) == {UNKNOWN}
    assert exact.s3.left() == ["c-1/a"]


def test_a_version_already_gone_is_absent(exact: Exact) -> None:
    exact.s3.put("c-1/a")

    def gone(call: Call, act: Callable[[], Reply]) -> Reply:
        act()
        return per_key("NoSuchVersion", {"c-1/a"})(call, act)

    exact.s3.times(1, gone)
    assert [outcome.result for outcome in outcomes(exact.store.erase(C1))] == [ItemResult.ABSENT]


def test_a_key_that_the_answer_leaves_out_is_not_believed_gone(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.put("c-1/b")
    exact.s3.times(1, lambda call, act: xml("DeleteResult", ""))
    assert set(last_words(exact.store.erase(C1)).values()) == {(DONE, None)}
    assert exact.s3.left() == []


def test_a_store_that_says_deleted_and_keeps_it_is_found_out(exact: Exact) -> None:
    version = exact.s3.put("c-1/a")

    def lie(call: Call, act: Callable[[], Reply]) -> Reply:
        return xml("DeleteResult", f"<Deleted><Key>c-1/a</Key><VersionId>{version.id}</VersionId></Deleted>")

    exact.s3.times(99, lie)
    assert set(last_words(exact.store.erase(C1)).values()) == {(UNKNOWN, "listed-after-deletion")}
    assert list(exact.store.remains(C1)) != []


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Reply(body=b""), id="an empty answer"),
        pytest.param(Reply(body=b"<DeleteResult><Deleted><Key>c-1/a</K"), id="an answer cut off"),
        pytest.param(Reply(body=b"<html>please log in</html>"), id="another document"),
        pytest.param(Reply(body=b"<Error><Code>InternalError</Code></Error>"), id="an error with status 200"),
        pytest.param(error(500, "InternalError"), id="an internal error"),
        pytest.param(error(503, "SlowDown"), id="a throttle"),
        pytest.param(error(429, "TooManyRequests"), id="too many requests"),
        pytest.param(
            Reply(body=b'<!DOCTYPE a [<!ENTITY b "c">]><DeleteResult>&b;</DeleteResult>'), id="a document type"
        ),
    ],
)
def test_a_bad_answer_is_asked_for_again(exact: Exact, broken: Reply) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(2, lambda call, act: broken)
    assert set(last_words(exact.store.erase(C1)).values()) == {(DONE, None)}
    assert exact.s3.left() == []


def test_a_timeout_after_acting_is_settled_by_asking_again(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(1, silent_after_acting)
    assert set(last_words(exact.store.erase(C1)).values()) == {(DONE, None)}
    assert exact.s3.left() == []


def test_a_store_that_never_answers_a_deletion_leaves_the_outcome_unknown(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(99, silent_after_acting)
    with pytest.raises(OutcomeUnknown, match="may have acted"):
        outcomes(exact.store.erase(C1))


def test_a_store_that_throttles_forever_is_unavailable_and_nothing_happened(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    exact.s3.times(99, lambda call, act: error(503, "SlowDown"))
    with pytest.raises(Unavailable, match="SlowDown after 3 tries"):
        outcomes(exact.store.erase(C1))
    assert exact.s3.left() == ["c-1/a"]


def test_a_throttle_after_a_timeout_is_still_unknown(exact: Exact) -> None:
    exact.s3.put("c-1/a")
    tries = iter(range(99))

    def timeout_then_throttle(call: Call, act: Callable[[], Reply]) -> Reply | None:
        return silent_after_acting(call, act) if next(tries) == 0 else error(503, "SlowDown")

    exact.s3.times(9, timeout_then_throttle)
    with pytest.raises(OutcomeUnknown):
        outcomes(exact.store.erase(C1))


def test_pauses_grow_and_stay_below_their_cap(exact: Exact) -> None:
    store = exact.make_store(tries=4, backoff=0.05, backoff_cap=0.1)
    exact.s3.put("c-1/a")
    at: list[float] = []

    def throttle(call: Call, act: Callable[[], Reply]) -> Reply:
        at.append(time.monotonic())
        return error(503, "SlowDown")

    exact.s3.times(99, throttle)
    with pytest.raises(Unavailable):
        outcomes(store.erase(C1))
    pauses = [after - before for before, after in pairwise(at)]
    assert len(pauses) == 3
    assert all(pause >= least for pause, least in zip(pauses, (0.025, 0.05, 0.05), strict=True))
    assert max(pauses) < 1


@pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "MalformedXML")])
def test_a_store_without_delete_objects_is_emptied_key_by_key(exact: Exact, status: int, code: str) -> None:
    for key in ("c-1/a", "c-1/b"):
        exact.s3.put(key)
    exact.s3.times(99, lambda call, act: error(status, code), lambda call: "delete" in call.query)
    assert set(last_words(exact.store.erase(C1)).values()) == {(DONE, None)}
    assert exact.s3.left() == []


# ------------------------------------------------------------------------------------------------ what has to stay


def test_locked_versions_are_reported_with_their_lock(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    bucket.client.put_object(
        Bucket=bucket.name, Key="c-1/kept", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )
    bucket.client.put_object(Bucket=bucket.name, Key="c-1/held", ObjectLockLegalHoldStatus="ON")
    bucket.put("c-1/free")
    found = {parse_name(outcome.item.name).key: outcome for outcome in outcomes(bucket.store.erase(C1))}
    assert {key: (one.result, one.item.lock, one.item.locked_until) for key, one in found.items()} == {
        "c-1/kept": (LOCKED, "governance", until),
        "c-1/held": (LOCKED, "legal-hold", None),
        "c-1/free": (DONE, None, None),
    }
    assert set(bucket.visible()) == {"c-1/kept", "c-1/held"}


def test_a_governance_lock_is_passed_only_where_the_settings_say_so(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True, bypass_governance=True)
    until = datetime.now(UTC) + timedelta(days=2)
    bucket.client.put_object(
        Bucket=bucket.name, Key="c-1/kept", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )
    assert [outcome.result for outcome in outcomes(bucket.store.erase(C1))] == [DONE]


def test_a_marker_over_a_locked_version_stays_so_that_it_does_not_come_into_sight(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    bucket.client.put_object(Bucket=bucket.name, Key="c-1/a", ObjectLockLegalHoldStatus="ON")
    bucket.delete("c-1/a")
    results = sorted(last_words(bucket.store.erase(C1)).values(), key=str)
    assert results == [(LOCKED, "AccessDenied"), (LOCKED, "hides-what-remains")]
    assert bucket.visible() == {}
    assert sorted(last_words(bucket.store.erase(C1)).values(), key=str) == results


def test_a_locked_version_below_an_erased_one_is_hidden_first(make_bucket: MakeBucket) -> None:
    bucket = make_bucket(locked=True)
    held = bucket.client.put_object(Bucket=bucket.name, Key="c-1/a", Body=b"old", ObjectLockLegalHoldStatus="ON")
    newest = bucket.put("c-1/a", b"new")
    results = last_words(bucket.store.erase(C1))
    assert results[f"c-1/a?versionId={newest}"] == (DONE, None)
    assert results[f"c-1/a?versionId={held['VersionId']}"][0] is LOCKED
    assert bucket.visible() == {}
    assert len(bucket.versions()) == 2


def test_keep_leaves_what_was_written_at_or_after_its_instant(exact: Exact) -> None:
    exact.s3.put("c-1/old")
    exact.s3.put("c-1/both", b"old")
    instant = exact.s3.put("c-1/both", b"young").written
    exact.s3.put("c-1/young")
    results = last_words(exact.store.erase(C1, Keep(instant)))
    assert Counter(result for result, _ in results.values()) == {DONE: 2, KEPT: 2}
    assert exact.s3.visible() == {"c-1/both": b"young", "c-1/young": b"x"}


def test_keep_counts_a_second_as_written_at_its_end(exact: Exact) -> None:
    written = exact.s3.put("c-1/a").written
    assert last_words(exact.store.erase(C1, Keep(written + timedelta(milliseconds=900))))[
        "c-1/a?versionId=v000001"
    ] == (
        KEPT,
        None,
    )
    assert set(last_words(exact.store.erase(C1, Keep(written + timedelta(seconds=1)))).values()) == {(DONE, None)}


def test_a_marker_stays_while_a_version_of_its_key_is_kept(exact: Exact) -> None:
    kept = exact.s3.put("c-1/a")
    exact.s3.put("c-1/a", marker=True)
    kept.written = datetime(2027, 1, 1, tzinfo=UTC)  # the store tells times out of order
    exact.s3.put("c-1/b", marker=True)
    results = last_words(exact.store.erase(C1, Keep(datetime(2026, 12, 1, tzinfo=UTC))))
    assert sorted(results.values(), key=str) == [(DONE, None), (KEPT, "hides-what-remains"), (KEPT, None)]
    assert exact.s3.visible() == {}


def test_an_upload_begun_after_the_instant_is_kept(bucket: Bucket) -> None:
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="c-1/part")  # moto says 2010 for every upload
    begun = datetime(2010, 11, 10, 20, 48, 33, tzinfo=UTC)
    assert [outcome.result for outcome in outcomes(bucket.store.erase(C1, Keep(begun)))] == [KEPT]
    assert [outcome.result for outcome in outcomes(bucket.store.erase(C1, Keep(datetime(2020, 1, 1, tzinfo=UTC))))] == [
        DONE
    ]


# ------------------------------------------------------------------------------------------------ other buckets


@pytest.mark.parametrize("versioning", [None, "Suspended"])
def test_a_bucket_without_versioning_is_emptied_too(make_bucket: MakeBucket, versioning: str | None) -> None:
    bucket = make_bucket(versioning)
    for key in ("c-1/a", "c-1/b?versionId=1", "c-1/ c ", "c-10/a"):
        bucket.put(key)
    results = outcomes(bucket.store.erase(C1))
    assert [outcome.result for outcome in results] == [DONE] * 3
    assert set(bucket.visible()) == {"c-10/a"}


def test_versions_from_before_a_suspension_go_too(make_bucket: MakeBucket) -> None:
    bucket = make_bucket()
    bucket.put("c-1/a")
    bucket.put("c-1/a")
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Suspended"})
    bucket.put("c-1/a")
    outcomes(bucket.store.erase(C1))
    assert bucket.versions() == set()


def test_single_objects_go_and_nothing_that_begins_like_them(bucket: Bucket) -> None:
    for key in ("a", "a", "a/b", "ab"):
        bucket.put(key)
    assert len(outcomes(bucket.store.erase(Objects(("a", "missing"))))) == 2
    assert set(bucket.visible()) == {"a/b", "ab"}


def test_an_erasure_that_stopped_goes_on_where_it_was(exact: Exact) -> None:
    for number in range(2_200):
        exact.s3.put(f"c-1/{number}")
    batches = exact.store.erase(C1)
    assert len(next(batches)) == 1000
    del batches
    assert len(exact.s3.left()) == 1_200
    assert len(outcomes(exact.store.erase(C1))) == 1_200
    assert exact.s3.left() == []


def test_connections_are_used_again(exact: Exact) -> None:
    for number in range(20):
        exact.s3.put(f"c-1/{number}")
    outcomes(exact.store.erase(C1))
    assert len(exact.s3.calls) > 5
    assert exact.s3.connections == 1


def test_a_store_that_knows_no_versions_and_no_uploads_is_emptied_too(exact: Exact) -> None:
    for key in ("c-1/a", "c-1/b", "c-10/a"):
        exact.s3.put(key)
    unknown = {"versioning", "versions", "uploads", "object-lock"}
    exact.s3.times(999, lambda call, act: error(501, "NotImplemented"), lambda call: bool(unknown & set(call.query)))
    assert last_words(exact.store.erase(C1)) == {"c-1/a": (DONE, None), "c-1/b": (DONE, None)}
    assert set(exact.s3.visible()) == {"c-10/a"}
    assert list(exact.store.remains(C1)) == []


def test_what_is_hidden_and_kept_can_still_be_brought_back(exact: Exact) -> None:
    exact.s3.put("c-1/old")
    instant = exact.s3.put("c-1/young").written
    list(exact.store.tombstone(C1))
    results = last_words(exact.store.erase(C1, Keep(instant)))
    assert {name for name, (result, _) in results.items() if result is DONE} == {"c-1/old?versionId=v000001"}
    list(exact.store.bring_back(C1))
    assert set(exact.s3.visible()) == {"c-1/young"}
    assert all(not key.startswith("c-1/.retention") for key in exact.s3.left())


def test_records_go_with_an_erasure_that_keeps_nothing(exact: Exact) -> None:
    exact.s3.put("c-1/old")
    list(exact.store.tombstone(C1))
    outcomes(exact.store.erase(C1, Keep(datetime(2027, 1, 1, tzinfo=UTC))))
    assert exact.s3.left() == []
