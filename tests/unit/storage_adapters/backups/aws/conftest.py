"""moto's RDS and EC2, each test with an account's memory of its own."""

from __future__ import annotations

import pytest
from moto.backends import get_backend

from storage_adapters.backups.aws import AwsSettings

REGION = "eu-west-1"


@pytest.fixture
def settings(s3_endpoint: str) -> AwsSettings:
    """How moto's server is reached. Its RDS and EC2 are empty."""
    for service in ("rds", "ec2"):
        for account in get_backend(service).values():
            for backend in account.values():
                backend.reset()
    return AwsSettings(REGION, s3_endpoint, "test", "test", tries=1, gone_checks=2, gone_pause=0.01)
