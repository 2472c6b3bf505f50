"""The ways out of stores: found on real and exact servers, closed and fenced, and opened again as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from botocore.exceptions import ClientError
from mypy_boto3_s3 import S3Client

from storage_adapters.egress import BucketEgress
from storage_adapters.egress.contract import Change, Destination, Part, WayKind, WayOut
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, Unavailable
from storage_adapters.s3 import S3Settings
from storage_adapters.s3.wire import Request
from tests.conftest import NewBucket
from tests.services.buckets import REGION
from tests.services.cloud import enforced_cloud
from tests.services.exact_s3 import Call, Reply, error, exact_s3

XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OLD_RULE = """<Rule><ID>to-eu</ID><Prefix>users/</Prefix><Status>Enabled</Status>
    <Destination><Bucket>arn:aws:s3:::archive-eu</Bucket><Account>210987654321</Account></Destination></Rule>"""
NEW_RULE = """<Rule><ID>logs</ID><Priority>1</Priority><Status>Disabled</Status>
    <Filter><And><Prefix>logs/</Prefix><Tag><Key>a</Key><Value>b &amp; c</Value></Tag></And></Filter>
    <DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>
    <SomethingNew kind="x">kept</SomethingNew>
    <Destination><Bucket>arn:aws-cn:s3:::logs-cn</Bucket></Destination></Rule>"""
ALL_RULE = """<Rule><ID>all</ID><Status>Enabled</Status><Filter/>
    <Destination><Bucket>arn:minio:replication:us-west-2:4a5b:copies</Bucket></Destination></Rule>"""
THEIRS = {
    "Sid": "Theirs",
    "Effect": "Allow",
    "Principal": "*",
    "Action": ["s3:ListBucket"],
    "Resource": "arn:aws:s3:::b",
}


def configuration(*rules: str) -> bytes:
    inside = "".join(("<Role>arn:aws:iam::123456789012:role/copier</Role>", *rules))
    return f'<?xml version="1.0"?>\n<ReplicationConfiguration {XMLNS}>{inside}\n</ReplicationConfiguration>'.encode()


@dataclass
class Bucket:
    """An S3 bucket's configuration as AWS keeps it, and the way in."""

    endpoint: str
    egress: BucketEgress
    parts: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, Reply] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    deaf: bool = False

    def answer(self, call: Call, act: Callable[[], Reply]) -> Reply | None:
        part = next(iter(call.query), "")
        if part not in {"replication", "policy"}:
            return act()
        if refusal := self.refusals.get(f"{call.method} {part}"):
            return refusal
        if call.method == "GET":
            missing = {"replication": "ReplicationConfigurationNotFoundError", "policy": "NoSuchBucketPolicy"}
            return Reply(body=self.parts[part]) if part in self.parts else error(404, missing[part])
        self.changes.append(f"{call.method} {part}")
        if call.method == "PUT" and not self.deaf:
            self.parts[part] = call.body
        elif not self.deaf:
            self.parts.pop(part, None)
        return Reply(204)

    def way(self, name: str) -> WayOut:
        return next(way for way in self.egress.ways_out() if way.name == name)

    def closing(self, name: str) -> Change:
        change = self.egress.closing(self.way(name))
        assert change is not None
        return change

    def fencing(self, prefix: str) -> Change:
        change = self.egress.fencing(prefix)
        assert change is not None
        return change

    def statements(self) -> list[dict[str, object]]:
        statements: list[dict[str, object]] = json.loads(self.parts["policy"])["Statement"]
        return statements


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with exact_s3() as (s3, endpoint):
        settings = S3Settings("bucket", REGION, endpoint, "test", "test", tries=2, backoff=0.01)
        made = Bucket(endpoint, BucketEgress("home", settings))
        s3.fault = made.answer
        yield made
        made.egress.close()
        made.egress.close()


# ------------------------------------------------------------------------------------------------- replication rules


def test_rules_of_both_kinds_are_found_with_prefix_and_state(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE, NEW_RULE, ALL_RULE)
    assert bucket.egress.name == "home"
    assert bucket.egress.ways_out() == (
        WayOut(WayKind.REPLICATION, "all", Destination("copies", "us-west-2"), "", is_on=True),
        WayOut(WayKind.REPLICATION, "logs", Destination("logs-cn"), "logs/", is_on=False),
        WayOut(WayKind.REPLICATION, "to-eu", Destination("archive-eu", account="210987654321"), "users/", is_on=True),
    )


def test_rules_without_an_id_of_their_own_are_told_apart(bucket: Bucket) -> None:
    rules = [OLD_RULE, OLD_RULE.replace("users/", "orders/"), ALL_RULE.replace("<ID>all</ID>", "")]
    bucket.parts["replication"] = configuration(*rules)
    before = [way.name for way in bucket.egress.ways_out()]
    assert len(set(before)) == 3
    change = bucket.egress.closing(next(way for way in bucket.egress.ways_out() if way.prefix == "orders/"))
    assert change is not None
    bucket.egress.apply(change)
    assert {way.prefix for way in bucket.egress.ways_out()} == {"users/", ""}


def test_closing_one_of_two_rules_keeps_the_other_whole(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE, NEW_RULE)
    other = bucket.way("logs")
    change = bucket.closing("to-eu")
    assert bucket.changes == []
    bucket.egress.apply(change)
    assert bucket.egress.ways_out() == (other,)
    left = bucket.parts["replication"].decode()
    for words in (
        '<SomethingNew kind="x">kept<',
        "<Value>b &amp; c</Value>",
        "<Role>arn:aws:iam::123456789012:",
        XMLNS,
    ):
        assert words in left


def test_closing_the_last_rule_removes_the_configuration_and_undoing_brings_it_back(bucket: Bucket) -> None:
    bucket.parts["replication"] = before = configuration(OLD_RULE)
    change = bucket.closing("to-eu")
    assert change.after is None
    bucket.egress.apply(change)
    assert bucket.parts == {}
    assert bucket.egress.ways_out() == ()
    bucket.egress.undo(change)
    assert bucket.parts["replication"] == before


def test_a_second_call_sends_nothing(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE, NEW_RULE)
    change = bucket.closing("to-eu")
    bucket.egress.undo(change)
    assert bucket.changes == []
    for turn in (bucket.egress.apply, bucket.egress.undo):
        turn(change)
        turn(change)
    assert bucket.changes == ["PUT replication", "PUT replication"]


def test_the_same_rules_in_another_layout_are_no_change(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE, NEW_RULE)
    change = bucket.closing("to-eu")
    bucket.parts["replication"] = configuration(NEW_RULE, OLD_RULE).replace(b"\n", b"").replace(XMLNS.encode(), b"")
    bucket.egress.apply(change)
    assert [way.name for way in bucket.egress.ways_out()] == ["logs"]


@pytest.mark.parametrize("turned", ["apply", "undo"])
def test_what_somebody_has_changed_meanwhile_is_left_alone(bucket: Bucket, turned: str) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE, NEW_RULE)
    change = bucket.closing("to-eu")
    if turned == "undo":
        bucket.egress.apply(change)
    bucket.parts["replication"] = changed = configuration(ALL_RULE)
    with pytest.raises(Refused, match="somebody has changed it"):
        getattr(bucket.egress, turned)(change)
    assert bucket.parts["replication"] == changed


def test_a_prefix_that_differs_by_a_space_is_another_rule(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE)
    change = bucket.closing("to-eu")
    bucket.parts["replication"] = configuration(OLD_RULE.replace("users/", "users/ "))
    with pytest.raises(Refused, match="somebody has changed it"):
        bucket.egress.apply(change)


def test_a_rule_that_is_gone_is_not_found_and_other_ways_are_not_closed_here(bucket: Bucket) -> None:
    way = WayOut(WayKind.REPLICATION, "to-eu", Destination("archive-eu"), "", is_on=True)
    with pytest.raises(NotFound, match="no such replication rule"):
        bucket.egress.closing(way)
    assert bucket.egress.closing(replace(way, kind=WayKind.BACKUP_COPY)) is None


def test_a_store_without_replication_has_no_ways_out(bucket: Bucket) -> None:
    bucket.refusals = {"GET replication": error(405, "MethodNotAllowed"), "GET policy": error(501, "NotImplemented")}
    assert bucket.egress.ways_out() == ()
    assert bucket.egress.fencing("users/") is None


@pytest.mark.parametrize(
    ("reply", "raised", "words"),
    [
        (error(403, "AccessDenied"), Refused, "grant s3:GetReplicationConfiguration"),
        (error(403, "InvalidAccessKeyId"), Refused, "InvalidAccessKeyId"),
        (error(404, "NoSuchBucket"), NotFound, "bucket does not exist"),
        (error(503, "SlowDown"), Unavailable, "SlowDown"),
        (Reply(body=b"<ListBucketResult/>"), Unavailable, "unreadable answer"),
        (Reply(body=b"<Error><Code>AccessDenied</Code></Error>"), Refused, "grant s3:GetReplicationConfiguration"),
    ],
    ids=[
        "access is denied",
        "the key is unknown",
        "the bucket is gone",
        "the store is throttled",
        "the store answers with something else",
        "the refusal comes as a success",
    ],
)
def test_what_may_not_be_read_is_never_no_ways_out(
    bucket: Bucket, reply: Reply, raised: type[Exception], words: str
) -> None:
    bucket.refusals["GET replication"] = reply
    with pytest.raises(raised, match=words):
        bucket.egress.ways_out()


def test_a_change_that_may_not_be_made_is_refused(bucket: Bucket) -> None:
    bucket.parts["replication"] = before = configuration(OLD_RULE)
    change = bucket.closing("to-eu")
    bucket.refusals["DELETE replication"] = error(403, "AccessDenied")
    with pytest.raises(Refused, match="DELETE bucket \\?replication: AccessDenied"):
        bucket.egress.apply(change)
    assert bucket.parts["replication"] == before


def test_a_store_that_says_yes_and_does_nothing_is_caught(bucket: Bucket) -> None:
    bucket.parts["replication"] = configuration(OLD_RULE)
    change = bucket.closing("to-eu")
    bucket.deaf = True
    with pytest.raises(OutcomeUnknown, match="read back"):
        bucket.egress.apply(change)


def test_a_text_that_is_no_configuration_is_refused(bucket: Bucket) -> None:
    for what, text in ((Part.REPLICATION, "<a/>"), (Part.POLICY, "[]"), (Part.POLICY, '{"Statement": [1]}')):
        with pytest.raises(Refused, match="not one of a bucket's configuration"):
            bucket.egress.apply(Change(what, text, None))
    assert bucket.changes == []


def test_rules_are_closed_and_brought_back_on_another_server(
    s3_client: S3Client, s3_endpoint: str, s3_bucket: str, new_s3_bucket: NewBucket
) -> None:
    target = f"arn:aws:s3:::{new_s3_bucket()}"
    for_all = {"Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""}, "Destination": {"Bucket": target}}
    role = "arn:aws:iam::123456789012:role/copier"
    rules = {"Role": role, "Rules": [{"ID": "one", **for_all}, {"ID": "two", **for_all, "Priority": 2}]}
    s3_client.put_bucket_replication(Bucket=s3_bucket, ReplicationConfiguration=rules)  # type: ignore[arg-type]
    before = s3_client.get_bucket_replication(Bucket=s3_bucket)["ReplicationConfiguration"]
    egress = BucketEgress("home", S3Settings(s3_bucket, REGION, s3_endpoint, "test", "test", tries=1))
    changes = []
    for name in ("one", "two"):
        change = egress.closing(next(way for way in egress.ways_out() if way.name == name))
        assert change is not None
        egress.apply(change)
        changes.append(change)
    with pytest.raises(ClientError, match="ReplicationConfigurationNotFoundError"):
        s3_client.get_bucket_replication(Bucket=s3_bucket)
    for change in reversed(changes):
        egress.undo(change)
    assert s3_client.get_bucket_replication(Bucket=s3_bucket)["ReplicationConfiguration"] == before
    egress.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_no_request_changes_the_bucket_itself(method: str) -> None:
    for query in ((), (("policy", "x"),), (("lifecycle", None),), (("policy", None), ("versions", None))):
        with pytest.raises(ValueError, match="speak to the bucket itself"):
            Request(method, query=query)


# ------------------------------------------------------------------------------------------------------------ fences


def test_a_fence_is_one_statement_beside_the_others_and_goes_again(bucket: Bucket) -> None:
    bucket.parts["policy"] = before = json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": THEIRS}).encode()
    change = bucket.fencing("users/")
    assert bucket.changes == []
    bucket.egress.apply(change)
    theirs, ours = bucket.statements()
    assert theirs == THEIRS
    assert str(ours.pop("Sid")).isalnum()
    assert ours == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:PutObject", "s3:ReplicateObject"],
        "Resource": ["arn:aws:s3:::bucket/users/*"],
    }
    bucket.egress.undo(change)
    assert bucket.parts["policy"] == before


def test_a_bucket_without_a_policy_gets_one_and_loses_it_again(bucket: Bucket) -> None:
    change = bucket.fencing("")
    assert change.before is None
    bucket.egress.apply(change)
    assert [one["Resource"] for one in bucket.statements()] == [["arn:aws:s3:::bucket/*"]]
    bucket.egress.undo(change)
    assert "policy" not in bucket.parts


def test_each_prefix_has_its_fence_and_a_second_fence_changes_nothing(bucket: Bucket) -> None:
    bucket.egress.apply(bucket.fencing("users/"))
    bucket.egress.apply(bucket.fencing("orders/"))
    assert len(bucket.statements()) == 2
    again = bucket.fencing("users/")
    assert again.before == again.after
    bucket.egress.apply(again)
    bucket.egress.undo(again)
    assert len(bucket.changes) == len(bucket.statements()) == 2


def test_a_store_that_spells_the_policy_its_own_way_is_understood(bucket: Bucket) -> None:
    bucket.parts["policy"] = json.dumps({"Version": "2012-10-17", "Statement": [THEIRS]}).encode()
    change = bucket.fencing("users/")
    bucket.egress.apply(change)
    theirs, ours = bucket.statements()
    spelled = [
        {**ours, "Principal": {"AWS": "*"}, "Resource": "arn:aws:s3:::bucket/users/*"},
        {**theirs, "Action": "s3:ListBucket"},
    ]
    bucket.parts["policy"] = json.dumps({"Statement": spelled, "Version": "2012-10-17"}, indent=1).encode()
    bucket.egress.apply(change)
    assert bucket.changes == ["PUT policy"]
    bucket.egress.undo(change)
    assert bucket.statements() == [THEIRS]


def test_a_policy_that_somebody_has_changed_is_left_alone(bucket: Bucket) -> None:
    change = bucket.fencing("users/")
    bucket.egress.apply(change)
    bucket.parts["policy"] = bucket.parts["policy"].replace(b"users/*", b"user*")
    with pytest.raises(Refused, match="somebody has changed it"):
        bucket.egress.undo(change)


@pytest.mark.parametrize("prefix", ["users/*/", "user?/", "${aws:username}/"])
def test_a_prefix_that_is_a_pattern_is_not_fenced(bucket: Bucket, prefix: str) -> None:
    with pytest.raises(Refused, match="cannot be fenced"):
        bucket.egress.fencing(prefix)


def test_a_policy_that_may_not_be_read_or_is_full_is_refused(bucket: Bucket) -> None:
    full = {**THEIRS, "Resource": [f"arn:aws:s3:::bucket/{number:0200}" for number in range(100)]}
    bucket.parts["policy"] = json.dumps({"Version": "2012-10-17", "Statement": [full]}).encode()
    change = bucket.fencing("users/")
    with pytest.raises(Refused, match="bucket policy is full"):
        bucket.egress.apply(change)
    bucket.refusals["GET policy"] = error(403, "AccessDenied")
    with pytest.raises(Refused, match="AccessDenied"):
        bucket.egress.fencing("users/")


@pytest.mark.parametrize(
    ("region", "endpoint", "arn"),
    [
        ("eu-west-1", None, "arn:aws:s3:::b"),
        ("cn-north-1", None, "arn:aws-cn:s3:::b"),
        ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn", "arn:aws-cn:s3:::b"),
        ("us-gov-west-1", None, "arn:aws-us-gov:s3:::b"),
        ("cn-north-1", "https://store.example", "arn:aws:s3:::b"),
    ],
    ids=["AWS", "AWS in China", "the same by its endpoint", "AWS GovCloud", "a store that speaks like it"],
)
def test_the_partition_is_that_of_the_region(region: str, endpoint: str | None, arn: str) -> None:
    assert S3Settings("b", region, endpoint).arn == arn


def test_below_a_fence_nobody_writes_and_deleting_goes_on(s3_endpoint: str, new_s3_bucket: NewBucket) -> None:
    name = new_s3_bucket()
    with enforced_cloud(s3_endpoint) as cloud:
        for key in ("users/1", "other/1"):
            cloud.client.put_object(Bucket=name, Key=key, Body=b"x")
        egress = BucketEgress("home", cloud.settings(name, cloud.user("auditor", name)))
        change = egress.fencing("users/")
        assert change is not None
        egress.apply(change)
        with pytest.raises(ClientError, match=r"AccessDenied|Forbidden"):
            cloud.client.put_object(Bucket=name, Key="users/2", Body=b"x")
        cloud.client.put_object(Bucket=name, Key="other/2", Body=b"x")
        cloud.client.delete_object(Bucket=name, Key="users/1")
        egress.undo(change)
        cloud.client.put_object(Bucket=name, Key="users/2", Body=b"x")
        egress.close()


def test_a_user_who_may_not_look_is_refused_by_a_real_policy(s3_endpoint: str, new_s3_bucket: NewBucket) -> None:
    name, other = new_s3_bucket(), new_s3_bucket()
    with enforced_cloud(s3_endpoint) as cloud:
        egress = BucketEgress("home", cloud.settings(name, cloud.user("stranger", other)))
        with pytest.raises(Refused):
            egress.ways_out()
        egress.close()
