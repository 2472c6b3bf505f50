"""The guard of S3 clients against a real server: what is refused does not arrive, what is allowed arrives byte for byte."""

from __future__ import annotations

import io
import os
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from mypy_boto3_s3 import S3Client
from sqlalchemy import create_engine
from urllib3 import HTTPResponse

from retention.guards.boto3_guard import guard_boto3
from retention.guards.permit import Subject, Territories, TransferBlocked, working_for
from retention.model.transfer import Crossing, Decision
from tests.conftest import NewBucket
from tests.unit.retention.guards.permitting import Permitting

BIG = os.urandom(9 * 1024 * 1024)


@dataclass
class Places:
    """One S3 server under two names, of which only the address is at home."""

    endpoint: str

    @property
    def abroad(self) -> str:
        return self.endpoint.replace("127.0.0.1", "localhost")

    def session(self) -> boto3.Session:
        return boto3.Session("test", "test", region_name="cn-north-1")


TERRITORIES = Territories(
    "CN",
    regions={"cn-north-1": "CN", "ap-southeast-1": "SG", "eu-central-1": "DE"},
    hosts={"127.0.0.1": "CN", "localhost": "SG"},
)


@pytest.fixture
def places(s3_endpoint: str) -> Places:
    return Places(s3_endpoint)


@pytest.fixture
def clients(places: Places) -> Iterator[Callable[..., Any]]:
    """Each call returns another client; they are closed after the test."""
    with ExitStack() as after_the_test:

        def client(endpoint: str | None = None, *, region: str = "cn-north-1", **more: Any) -> Any:
            """Without an endpoint: AWS's own host names, which a proxy leads to the test's server."""
            proxied = Config(proxies={"http": places.endpoint}).merge(more.pop("config", Config()))
            made = places.session().client(
                "s3", endpoint_url=endpoint, region_name=region, use_ssl=False, config=proxied if not endpoint else None
            )
            after_the_test.callback(made.close)
            return made

        yield client


def canned(url: str, status: int, headers: dict[str, str] | None = None) -> AWSResponse:
    """An answer as it comes from the network, without one."""
    return AWSResponse(
        url, status, HTTPHeaders.from_dict(headers or {}), HTTPResponse(io.BytesIO(b""), preload_content=False)
    )


def keys_in(client: S3Client, bucket: str) -> list[str]:
    found = [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return found + [each["Key"] for each in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


@pytest.fixture
def permit() -> Permitting:
    return Permitting()


WRITES: dict[str, Callable[[Any, str, Path], object]] = {
    "an object": lambda client, bucket, _: client.put_object(Bucket=bucket, Key="new", Body=b"x"),
    "a copy": lambda client, bucket, _: client.copy_object(Bucket=bucket, Key="new", CopySource=f"{bucket}/old"),
    "a managed copy": lambda client, bucket, _: client.copy({"Bucket": bucket, "Key": "old"}, bucket, "new"),
    "a multipart upload": lambda client, bucket, _: client.create_multipart_upload(Bucket=bucket, Key="new"),
    "a large file": lambda client, bucket, big: client.upload_file(str(big), bucket, "new"),
    "a stream": lambda client, bucket, _: client.upload_fileobj(io.BytesIO(b"x"), bucket, "new"),
    "tags": lambda client, bucket, _: client.put_object_tagging(
        Bucket=bucket, Key="old", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "a URL to write with": lambda client, bucket, _: client.generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "new"}
    ),
    "a URL to read with, for PUT": lambda client, bucket, _: client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "new"}, HttpMethod="PUT"
    ),
    "a form": lambda client, bucket, _: client.generate_presigned_post(bucket, "new"),
}


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("guards") / "big"
    path.write_bytes(BIG)
    return path


@pytest.mark.parametrize("what", WRITES)
def test_a_write_abroad_is_refused_and_nothing_arrives(
    what: str,
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    s3_bucket: str,
    big_file: Path,
) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="old", Body=b"old")
    client = clients(places.abroad)
    sent: list[AWSPreparedRequest] = []
    client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request))
    guard_boto3(client, permit, TERRITORIES)

    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked) as blocked:
        WRITES[what](client, s3_bucket, big_file)

    assert [each.method for each in sent if each.method != "HEAD"] == []
    assert keys_in(s3_client, s3_bucket) == ["old"]
    asked = blocked.value.crossing
    assert (asked.customer, asked.dataset, asked.destination) == ("c-1", "prompts", "SG")
    assert s3_bucket in asked.place
    assert permit.asked


@pytest.mark.parametrize("what", WRITES)
def test_a_write_at_home_is_not_asked(
    what: str,
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    s3_bucket: str,
    big_file: Path,
) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="old", Body=b"old")
    client = clients(places.endpoint)
    guard_boto3(client, permit, TERRITORIES)

    WRITES[what](client, s3_bucket, big_file)

    assert permit.asked == []


def test_what_is_allowed_arrives_byte_for_byte(
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    s3_bucket: str,
    big_file: Path,
) -> None:
    permit.allowed = 99
    client = clients(places.abroad)
    guard_boto3(client, permit, TERRITORIES)

    with working_for("c-1", "prompts"):
        client.upload_file(str(big_file), s3_bucket, "large")
        client.copy({"Bucket": s3_bucket, "Key": "large"}, s3_bucket, "copied")
        url = client.generate_presigned_url("put_object", Params={"Bucket": s3_bucket, "Key": "by-url"})
    with urllib.request.urlopen(
        urllib.request.Request(url, b"by url", {"Content-Type": "a/b"}, method="PUT")
    ) as answer:
        assert answer.status == 200

    for key, content in {"large": BIG, "copied": BIG, "by-url": b"by url"}.items():
        assert s3_client.get_object(Bucket=s3_bucket, Key=key)["Body"].read() == content
    assert {(each.customer, each.dataset) for each in permit.asked} == {("c-1", "prompts")}
    assert len(permit.asked) >= 6  # creation, two parts and completion of an upload; a copy; a URL


@pytest.mark.parametrize("way", ["client", "resource", "session", "botocore session", "bucket of a resource"])
def test_everything_that_makes_requests_can_be_guarded(
    way: str, places: Places, permit: Permitting, s3_client: S3Client, s3_bucket: str
) -> None:
    session = places.session()
    resource = session.resource("s3", endpoint_url=places.abroad)
    guarded: dict[str, Any] = {
        "client": resource.meta.client,
        "resource": resource,
        "session": session,
        "botocore session": session._session,
        "bucket of a resource": resource.Bucket(s3_bucket),
    }
    guard_boto3(guarded[way], permit, TERRITORIES)
    if "session" in way:
        resource = session.resource("s3", endpoint_url=places.abroad)

    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        resource.Bucket(s3_bucket).upload_fileobj(io.BytesIO(b"x"), "new")
    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        resource.Object(s3_bucket, "new").put(Body=b"x")

    assert [each.customer for each in permit.asked] == ["c-1", "c-1"]
    assert keys_in(s3_client, s3_bucket) == []
    resource.meta.client.close()


def test_what_is_no_s3_cannot_be_guarded(places: Places, permit: Permitting) -> None:
    for wrong in (places.session().client("rds"), "s3"):
        with pytest.raises(TypeError, match="S3"):
            guard_boto3(wrong, permit, TERRITORIES)


HOSTS = {
    "the home region": ("cn-north-1", {}, "CN"),
    "a region abroad": ("ap-southeast-1", {}, "SG"),
    "a region that is not listed": ("us-west-2", {}, None),
    "accelerated, through the nearest edge": ("ap-southeast-1", {"s3": {"use_accelerate_endpoint": True}}, None),
    "dual stack abroad": ("ap-southeast-1", {"s3": {"use_dualstack_endpoint": True}}, "SG"),
    "unsigned, abroad": ("ap-southeast-1", {"signature_version": UNSIGNED}, "SG"),
    "in the path, abroad": ("ap-southeast-1", {"s3": {"addressing_style": "path"}}, "SG"),
}


@pytest.mark.parametrize("case", HOSTS)
def test_the_host_that_a_request_goes_to_tells_its_territory(
    case: str, clients: Callable[..., Any], permit: Permitting
) -> None:
    region, settings, territory = HOSTS[case]
    client = clients(region=region, config=Config(**settings))
    client.meta.events.register("before-send.s3", lambda **_: canned("http://x", 200))
    guard_boto3(client, permit, TERRITORIES)

    if territory == "CN":
        client.put_object(Bucket="some-bucket", Key="k")
        assert permit.asked == []
        return
    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        client.put_object(Bucket="some-bucket", Key="k")
    assert permit.asked[0].destination == territory


@pytest.mark.parametrize(
    ("bucket", "territory"),
    [
        ("arn:aws:s3:eu-central-1:123456789012:accesspoint/mine", "DE"),
        ("arn:aws:s3:ap-southeast-1:123456789012:accesspoint/theirs", "SG"),
    ],
)
def test_an_access_point_lies_where_its_name_says(
    bucket: str, territory: str, clients: Callable[..., Any], permit: Permitting
) -> None:
    client = clients(region="eu-central-1")
    guard_boto3(client, permit, Territories("DE", regions=TERRITORIES.regions))
    params = {"ClientMethod": "put_object", "Params": {"Bucket": bucket, "Key": "k"}}
    if territory == "DE":
        assert client.generate_presigned_url(**params)
    else:
        with pytest.raises(TransferBlocked):
            client.generate_presigned_url(**params)


def test_a_bucket_that_is_listed_abroad_is_abroad_behind_an_endpoint_at_home(
    places: Places, clients: Callable[..., Any], permit: Permitting, s3_bucket: str
) -> None:
    client = clients(places.endpoint)
    guard_boto3(client, permit, Territories("CN", hosts={"127.0.0.1": "CN"}, buckets={s3_bucket.upper(): "SG"}))
    with pytest.raises(TransferBlocked):
        client.put_object(Bucket=s3_bucket, Key="k")
    assert (permit.asked[0].customer, permit.asked[0].destination) == (None, "SG")


def test_home_data_is_not_read_through_an_endpoint_abroad(
    places: Places, clients: Callable[..., Any], permit: Permitting, s3_client: S3Client, s3_bucket: str
) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="k", Body=b"x")
    client = clients(places.abroad)
    guard_boto3(client, permit, Territories("CN", hosts=TERRITORIES.hosts, buckets={s3_bucket: "CN"}))
    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        client.get_object(Bucket=s3_bucket, Key="k")
    assert client.list_objects_v2(Bucket=s3_bucket)["KeyCount"] == 1


def replicating_to(bucket: str, status: str) -> dict[str, Any]:
    rule = {
        "Status": status,
        "Priority": 1,
        "Filter": {"Prefix": "c-1/"},
        "DeleteMarkerReplication": {"Status": "Disabled"},
    }
    return {"Role": "arn:aws:iam::1:role/r", "Rules": [{**rule, "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"}}]}


def test_replication_is_configured_only_to_where_data_may_go(
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    new_s3_bucket: NewBucket,
) -> None:
    here, near, far = new_s3_bucket(), new_s3_bucket(), new_s3_bucket()
    client = clients(places.endpoint)
    territories = Territories("CN", hosts={"127.0.0.1": "CN"}, buckets={near: "CN", far: "SG"})
    guard_boto3(client, permit, territories, lambda _bucket, key: Subject(key.partition("/")[0], "prompts"))

    client.put_bucket_replication(Bucket=here, ReplicationConfiguration=replicating_to(near, "Enabled"))
    with pytest.raises(TransferBlocked):
        client.put_bucket_replication(Bucket=here, ReplicationConfiguration=replicating_to(far, "Enabled"))
    assert permit.asked == [Crossing("c-1", "prompts", "CN", "SG", far)]
    rules = s3_client.get_bucket_replication(Bucket=here)["ReplicationConfiguration"]["Rules"]
    assert rules[0]["Destination"]["Bucket"].endswith(near)
    client.put_bucket_replication(Bucket=here, ReplicationConfiguration=replicating_to(far, "Disabled"))
    with pytest.raises(TransferBlocked):
        client.put_bucket_replication(Bucket=here, ReplicationConfiguration=replicating_to("elsewhere", "Enabled"))
    assert permit.asked[-1].destination is None


def test_what_is_read_from_home_abroad_with_a_decision_arrives(
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    s3_bucket: str,
    tmp_path: Path,
) -> None:
    s3_client.put_object(Bucket=s3_bucket, Key="k", Body=BIG)
    client = clients(places.abroad)
    guard_boto3(client, permit, Territories("CN", hosts=TERRITORIES.hosts, buckets={s3_bucket: "CN"}))
    permit.allowed = 99
    with working_for("c-1", "prompts"):
        client.download_file(s3_bucket, "k", str(tmp_path / "k"))
    assert (tmp_path / "k").read_bytes() == BIG
    assert {each.customer for each in permit.asked} == {"c-1"}


def test_regions_behind_the_names_of_aws_are_told_apart(
    clients: Callable[..., Any], permit: Permitting, s3_client: S3Client, s3_bucket: str
) -> None:
    for region in ("eu-central-1", "ap-southeast-1"):
        client = clients(region=region)
        guard_boto3(client, permit, Territories("DE", regions=TERRITORIES.regions))
        if region == "eu-central-1":
            client.put_object(Bucket=s3_bucket, Key=region, Body=b"x")
            continue
        with pytest.raises(TransferBlocked):
            client.put_object(Bucket=s3_bucket, Key=region, Body=b"x")
    assert keys_in(s3_client, s3_bucket) == ["eu-central-1"]


def test_a_redirect_to_a_region_abroad_is_not_followed(clients: Callable[..., Any], permit: Permitting) -> None:
    client = clients()
    sent: list[str] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request.url)
        return canned(request.url, 301, {"x-amz-bucket-region": "ap-southeast-1"})

    client.meta.events.register("before-send.s3", answer)
    guard_boto3(client, permit, TERRITORIES)

    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        client.put_object(Bucket="some-bucket", Key="k", Body=b"x")
    assert len(sent) == 1
    assert "cn-north-1" in sent[0]
    assert [each.destination for each in permit.asked] == ["SG"]


def test_each_retry_asks_again(places: Places, clients: Callable[..., Any], permit: Permitting) -> None:
    permit.allowed = 1
    client = clients(places.abroad)
    sent: list[str] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request.url)
        return canned(request.url, 500)

    client.meta.events.register("before-send.s3", answer)
    client.meta.events.register_first("needs-retry.s3", lambda **_: 0)
    guard_boto3(client, permit, TERRITORIES)

    with working_for("c-1", "prompts"), pytest.raises(TransferBlocked):
        client.put_object(Bucket="some-bucket", Key="k", Body=b"x")
    assert (len(sent), len(permit.asked)) == (1, 2)


def test_a_withdrawal_between_two_parts_stops_the_next(
    places: Places,
    clients: Callable[..., Any],
    permit: Permitting,
    s3_client: S3Client,
    s3_bucket: str,
    big_file: Path,
) -> None:
    client = clients(places.abroad)
    guard_boto3(client, permit, TERRITORIES)
    permit.allowed = 2
    named = {"Bucket": s3_bucket, "Key": "new"}
    with working_for("c-1", "prompts"):
        upload = client.create_multipart_upload(**named)["UploadId"]
        client.upload_part(**named, UploadId=upload, PartNumber=1, Body=BIG)
        with pytest.raises(TransferBlocked) as blocked:
            client.upload_part(**named, UploadId=upload, PartNumber=2, Body=b"x")
        assert "part 2" in blocked.value.__notes__[0]
        assert len(s3_client.list_parts(Bucket=s3_bucket, Key="new", UploadId=upload)["Parts"]) == 1
        client.abort_multipart_upload(**named, UploadId=upload)

        permit.allowed = 2  # and the transfer manager aborts by itself
        with pytest.raises(TransferBlocked):
            client.upload_file(str(big_file), s3_bucket, "new")
    assert keys_in(s3_client, s3_bucket) == []


def test_threads_carry_their_own_customers(
    places: Places, clients: Callable[..., Any], permit: Permitting, s3_bucket: str, big_file: Path
) -> None:
    permit.allowed = 999
    client = clients(places.abroad)
    guard_boto3(client, permit, TERRITORIES)

    def work(number: int) -> None:
        with working_for(f"c-{number}", "prompts"):
            client.upload_file(str(big_file), s3_bucket, f"{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    counts = {name: sum(each.customer == name for each in permit.asked) for name in ("c-0", "c-1", "c-2", "c-3")}
    assert set(counts.values()) == {4}


SUBJECTS: dict[str, tuple[str | None, str | None, str | None]] = {
    "only the block": ("c-1", None, "c-1"),
    "only the object's name": (None, "c-1", "c-1"),
    "both, alike": ("c-1", "c-1", "c-1"),
    "both, and not alike": ("c-1", "c-2", None),
    "neither": (None, None, None),
}


@pytest.mark.parametrize("case", SUBJECTS)
def test_whose_data_it_is_comes_from_what_is_said(
    case: str, places: Places, clients: Callable[..., Any], permit: Permitting
) -> None:
    working, named, asked = SUBJECTS[case]
    client = clients(places.abroad)
    guard_boto3(client, permit, TERRITORIES, lambda _bucket, _key: Subject(named, "prompts") if named else None)
    with working_for(working, "prompts") if working else nullcontext(), pytest.raises(TransferBlocked):
        client.put_object(Bucket="some-bucket", Key="k", Body=b"x")
    assert permit.asked[0].customer == asked


def test_a_permit_that_fails_lets_nothing_go(
    places: Places, clients: Callable[..., Any], s3_client: S3Client, s3_bucket: str
) -> None:
    def broken(_: Crossing) -> Decision:
        raise OSError("the catalogue is away")

    client = clients(places.abroad)
    guard_boto3(client, broken, TERRITORIES)
    with pytest.raises(OSError, match="catalogue"):
        client.put_object(Bucket=s3_bucket, Key="k", Body=b"x")
    with pytest.raises(OSError, match="catalogue"):
        client.upload_fileobj(io.BytesIO(b"x"), s3_bucket, "k")
    assert keys_in(s3_client, s3_bucket) == []


def test_the_example_in_the_docs_does_what_it_says(places: Places, permit: Permitting) -> None:
    page = (Path(__file__).parents[2] / "docs" / "guards.md").read_text(encoding="utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    session, engine = places.session(), create_engine("sqlite://")
    with pytest.raises(TransferBlocked):
        exec(compile(example, "guards.md", "exec"), {"session": session, "engine": engine, "permit": permit})
    assert permit.asked == [Crossing("c-1", "prompts", "CN", "SG", "sg-reports at store.example.cn")]
    engine.dispose()
