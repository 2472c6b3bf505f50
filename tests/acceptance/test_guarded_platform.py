"""A platform's own client under guard, with the real gate behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retention.clock import ManualClock
from retention.guards.boto3_guard import guard_boto3
from retention.guards.permit import TransferBlocked, working_for
from retention.model.transfer import TransferRequest
from retention.settings.sections import S3Store
from retention.wiring import open_gate
from retention.workflows.adopt_policy import adopt_policy
from retention.workflows.consents import grant_consent, withdraw_consent
from retention.workflows.decide_transfer import check_transfer
from tests.services.buckets import fresh_bucket, s3_client_of
from tests.transfer_policy import CONSENT, with_transfers
from tests.workflow.conftest import POLICY, START, Provider, open_provider

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGIONS = "regions: {us-east-1: SG,"
"""Moto's one region plays the one abroad."""
REQUEST = TransferRequest("c-1", "models", "CN", "SG", "Lion Pte", "support", "training", 1, 0)


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    opened = open_provider(tmp_path, ManualClock(START))
    text = with_transfers(POLICY).replace("regions: {", f"{REGIONS} ")
    (tmp_path / "policies.yaml").write_text(text, encoding="utf-8")
    adopt_policy(opened.deployment, tmp_path / "policies.yaml")
    opened.tell("service-activated", "c-1", service="training")
    yield opened
    opened.deployment.close()


def names_in(client: S3Client, bucket: str) -> list[str]:
    return [each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_nothing_leaves_before_a_decision_or_after_a_withdrawal(provider: Provider, s3_endpoint: str) -> None:
    abroad = S3Store(kind="s3", bucket="abroad", region="us-east-1", endpoint=s3_endpoint)

    def put(client: S3Client, bucket: str, name: str) -> None:
        with working_for("c-1", "models"):
            client.put_object(Bucket=bucket, Key=name, Body=b"weights")

    with s3_client_of(s3_endpoint) as free, s3_client_of(s3_endpoint) as guarded:
        bucket = fresh_bucket(free)
        guard_boto3(guarded, *open_gate(provider.deployment, {"abroad": abroad}))
        with pytest.raises(TransferBlocked, match="no-decision"):
            put(guarded, bucket, "before")
        grant_consent(provider.deployment, "c-1", CONSENT)
        check_transfer(provider.deployment, REQUEST)
        put(guarded, bucket, "under the decision")
        with pytest.raises(TransferBlocked, match="customer-unknown"):
            guarded.put_object(Bucket=bucket, Key="of nobody", Body=b"weights")
        withdraw_consent(provider.deployment, "c-1", "K-1")
        guard_boto3(free, *open_gate(provider.deployment, {"abroad": abroad}))  # whose gate has kept no answer
        with pytest.raises(TransferBlocked, match="consent-withdrawn"):
            put(free, bucket, "after")
        assert names_in(guarded, bucket) == ["under the decision"]
