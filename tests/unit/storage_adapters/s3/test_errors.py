"""What goes wrong between the adapter and a store, told apart by what the caller does next."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from storage_adapters.contract import Prefix
from storage_adapters.errors import NotFound, Refused, StoreError, Unavailable
from storage_adapters.s3 import Addressing, S3Settings, S3Store
from storage_adapters.s3.answers import Unreadable, versions
from storage_adapters.s3.wire import Wire
from tests.services.exact_s3 import Call, Reply, error, silent_after_acting, xml
from tests.unit.storage_adapters.s3.conftest import Exact, MakeBucket

C1 = Prefix("c-1/")


@pytest.mark.parametrize(
    ("reply", "expected", "said"),
    [
        pytest.param(error(404, "NoSuchBucket"), NotFound, "does not exist", id="a missing bucket is not found"),
        pytest.param(error(403, "AccessDenied"), Refused, "AccessDenied", id="a missing permission is a refusal"),
        pytest.param(error(403, "SignatureDoesNotMatch"), Refused, "SignatureDoes", id="a wrong key is a refusal"),
        pytest.param(Reply(403), Refused, "AccessDenied", id="a 403 without a body is a refusal"),
        pytest.param(
            Reply(301, b"<Error><Code>PermanentRedirect</Code></Error>", {"x-amz-bucket-region": "eu-west-1"}),
            Refused,
            "lies in region eu-west-1",
            id="a wrong region is a refusal that names the right one",
        ),
        pytest.param(
            Reply(
                400,
                b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>cn-north-1</Region></Error>",
            ),
            Refused,
            "lies in region cn-north-1",
            id="a wrong region in the signature is a refusal that names the right one",
        ),
        pytest.param(Reply(302, b""), Refused, "another region", id="a bare redirect is a refusal"),
        pytest.param(error(500, "InternalError"), Unavailable, "InternalError", id="an internal error is unavailable"),
        pytest.param(error(503, "SlowDown"), Unavailable, "SlowDown", id="a throttle is unavailable"),
        pytest.param(Reply(200, b"<html/>"), Unavailable, "unreadable", id="a page of a proxy is unavailable"),
        pytest.param(Reply(200, b""), Unavailable, "unreadable", id="an empty answer is unavailable"),
        pytest.param(
            xml("ListVersionsResult", "<IsTruncated>true</IsTruncated>"),
            Unavailable,
            "without a marker",
            id="a truncated listing without a marker is unavailable",
        ),
        pytest.param(
            xml(
                "ListVersionsResult",
                "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Version><Key>c-1/%FF</Key></Version>",
            ),
            Unavailable,
            "unreadable",
            id="a key that is no UTF-8 is never guessed",
        ),
    ],
)
def test_an_answer_becomes_one_of_the_contracts_errors(
    exact: Exact, reply: Reply, expected: type[StoreError], said: str
) -> None:
    exact.s3.times(99, lambda call, act: reply, lambda call: "versions" in call.query)
    for look in (exact.store.survey, exact.store.erase):
        with pytest.raises(expected, match=said) as caught:
            list(look(C1))
        assert "secret" not in str(caught.value)
        assert "wJalrXUtnFEMI" not in repr(caught.value) + str(caught.value.__cause__)


def test_a_listing_that_repeats_its_marker_ends(exact: Exact) -> None:
    stuck = xml("ListVersionsResult", "<IsTruncated>true</IsTruncated><NextKeyMarker>c-1/a</NextKeyMarker>")
    exact.s3.times(99, lambda call, act: stuck, lambda call: "versions" in call.query)
    with pytest.raises(Unavailable, match="does not move on"):
        list(exact.store.survey(C1))


def test_nobody_listening_is_unavailable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        store = S3Store("objects", S3Settings("b", "r", endpoint, "k", "s", tries=2, backoff=0.01))
        for ask in (store.survey, store.erase, store.tombstone):
            with pytest.raises(Unavailable, match="EndpointConnectionError after 2 tries"):
                list(ask(C1))
        store.close()


def test_a_read_that_times_out_is_unavailable(exact: Exact) -> None:
    exact.s3.times(99, silent_after_acting, lambda call: "versions" in call.query)
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        list(exact.store.survey(C1))


def test_a_connection_cut_in_the_answer_is_read_again(exact: Exact) -> None:
    exact.s3.put("c-1/a")

    def cut(call: Call, act: Callable[[], Reply]) -> Reply | None:
        reply = act()
        return Reply(200, reply.body[:-10], {"Content-Length": str(len(reply.body))})

    exact.s3.times(1, cut, lambda call: "versions" in call.query)
    assert len(list(exact.store.survey(C1))) == 1


def test_no_credentials_are_a_refusal(monkeypatch: pytest.MonkeyPatch, exact: Exact) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    store = exact.make_store(access_key=None, secret_key=None)
    with pytest.raises(Refused, match="no credentials"):
        list(store.survey(C1))


def test_a_profile_that_does_not_exist_is_a_refusal(monkeypatch: pytest.MonkeyPatch, exact: Exact) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Refused, match="ProfileNotFound"):
        exact.make_store(access_key=None, secret_key=None)


def test_credentials_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch, exact: Exact) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDFROMENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    list(exact.make_store(access_key=None, secret_key=None).survey(C1))
    assert "Credential=AKIDFROMENV/" in exact.s3.calls[-1].headers["authorization"]


def test_the_secret_is_not_shown(exact: Exact) -> None:
    settings = S3Settings("b", "r", None, "AKID", "very-secret", "token-secret")
    assert "secret" not in repr(settings).replace("secret_key", "")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'<!DOCTYPE x [<!ENTITY a "b">]><ListVersionsResult/>', id="a document type"),
        pytest.param('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><a/>'.encode("utf-16"), id="in UTF-16"),
        pytest.param(b"<ListVersionsResult>", id="cut off"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_no_hostile_xml_is_read(body: bytes) -> None:
    with pytest.raises(Unreadable):
        versions(body)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"region": ""}, "region"),
        ({"access_key": "only"}, "together"),
        ({"endpoint": "objects.example.cn"}, "endpoint"),
        ({"endpoint": "ftp://objects.example.cn"}, "endpoint"),
        ({"endpoint": "https://user:secret@objects.example.cn"}, "password"),
        ({"tries": 0}, "at least 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, object], said: str) -> None:
    given: dict[str, object] = {"bucket": "b", "region": "r"}
    with pytest.raises(ValueError, match=said):
        S3Settings(**(given | changes))  # type: ignore[arg-type] # test settings


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (S3Settings("data", "cn-north-1"), "https://data.s3.cn-north-1.amazonaws.com.cn/"),
        (S3Settings("da.ta", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com/da.ta/"),
        (S3Settings("data", "r", "https://s3.example.cn:8443/"), "https://s3.example.cn:8443/data/"),
        (
            S3Settings("data", "r", "https://s3.example.cn", addressing=Addressing.VIRTUAL),
            "https://data.s3.example.cn/",
        ),
    ],
    ids=["AWS by host", "a dotted bucket by path", "an endpoint by path", "an endpoint by host"],
)
def test_the_bucket_is_addressed_as_the_settings_say(settings: S3Settings, url: str) -> None:
    wire = Wire("objects", settings)
    assert wire.base_url == url
    wire.close()


def test_a_closed_store_closes_again(make_bucket: MakeBucket) -> None:
    store = make_bucket().store
    store.close()
    store.close()
