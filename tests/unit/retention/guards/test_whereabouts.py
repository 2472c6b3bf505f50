"""In which territory something lies, as far as names tell."""

from __future__ import annotations

import pytest

from retention.guards.permit import Territories
from retention.guards.whereabouts import Whereabouts, region_of_host

HOSTS = {
    "s3.cn-north-1.amazonaws.com.cn": "cn-north-1",
    "bucket.s3.ap-southeast-1.amazonaws.com": "ap-southeast-1",
    "bucket.s3.dualstack.eu-central-1.amazonaws.com": "eu-central-1",
    "s3-us-west-2.amazonaws.com": "us-west-2",
    "b--x-s3.s3express-use1-az4.us-east-1.amazonaws.com": "us-east-1",
    "mine-123456789012.s3-accesspoint.us-gov-west-1.amazonaws.com": "us-gov-west-1",
    "bucket.vpce-1.s3.us-east-1.vpce.amazonaws.com": "us-east-1",
    "s3.amazonaws.com": None,
    "cn-north-1.s3.amazonaws.com": None,
    "s3-cn-north-1.s3.amazonaws.com": None,
    "bucket.s3-accelerate.amazonaws.com": None,
    "mrap.accesspoint.s3-global.amazonaws.com": None,
    "s3.cn-north-1.amazonaws.com.evil.example": None,
    "s3.cn-north-1.notamazonaws.com": None,
    "127.0.0.1": None,
}


@pytest.mark.parametrize("host", HOSTS)
def test_only_the_label_beside_aws_s_own_domain_tells_a_region(host: str) -> None:
    assert region_of_host(host) == HOSTS[host]


LISTED = Whereabouts(
    Territories(
        "CN",
        regions={"CN-North-1": "CN", "ap-southeast-1": "SG", "us-east-1": "US"},
        hosts={"store.example": "CN", "sg.store.example": "SG", "10.0.0.1": "CN", "10.0.0.1:9000": "SG"},
        buckets={"Abroad": "SG", "here": "CN", "far": "US"},
    )
)

HOST_TERRITORIES = {
    ("store.example", None): "CN",
    ("STORE.example.", 443): "CN",
    ("bucket.store.example", None): "CN",
    ("bucket.sg.store.example", None): "SG",
    ("notstore.example", None): None,
    ("example", None): None,
    ("10.0.0.1", 80): "CN",
    ("10.0.0.1", 9000): "SG",
    ("1.10.0.0.1", None): None,
    ("::1", None): None,
}


@pytest.mark.parametrize(("host", "port"), HOST_TERRITORIES)
def test_the_longest_listed_domain_counts(host: str, port: int | None) -> None:
    assert LISTED.of_host(host, port) == HOST_TERRITORIES[host, port]


REQUESTS = {
    "a listed host at home": ("https://store.example", "any", "b", False, "CN"),
    "a host at home, signed for a region abroad": ("https://store.example", "us-east-1", "b", False, "US"),
    "a host at home, a bucket abroad": ("https://store.example", None, "abroad", False, "SG"),
    "a host abroad, a bucket at home": ("https://sg.store.example", None, "here", False, "SG"),
    "two different places abroad": ("https://sg.store.example", None, "far", False, None),
    "a host that is not listed, whatever the bucket": ("https://else.example", "cn-north-1", "here", False, None),
    "AWS at home": ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "b", False, "CN"),
    "AWS abroad": ("https://b.s3.ap-southeast-1.amazonaws.com", "ap-southeast-1", "b", False, "SG"),
    "AWS in a region that is not listed": ("https://s3.eu-west-1.amazonaws.com", "eu-west-1", "here", False, None),
    "AWS's global host, by the signature": ("https://s3.amazonaws.com", "us-east-1", "b", False, "US"),
    "AWS's global host, in a URL": ("https://s3.amazonaws.com", "us-east-1", "b", True, None),
    "AWS's global host, in a URL, by the bucket": ("https://s3.amazonaws.com", "us-east-1", "far", True, "US"),
    "an edge, though the bucket is home": ("https://b.s3-accelerate.amazonaws.com", "cn-north-1", "here", False, None),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_all_that_is_said_of_a_request_has_to_agree(case: str) -> None:
    server, region, bucket, presigned, territory = REQUESTS[case]
    assert LISTED.of_request(server, region, bucket, presigned=presigned) == territory


def test_an_arn_is_listed_by_its_bucket_or_tells_its_region() -> None:
    assert LISTED.of_bucket("arn:aws:s3:::ABROAD") == "SG"
    assert LISTED.of_bucket("arn:aws:s3:ap-southeast-1:123456789012:accesspoint/x") == "SG"
    assert LISTED.of_bucket("arn:aws:s3:::nowhere") is None
