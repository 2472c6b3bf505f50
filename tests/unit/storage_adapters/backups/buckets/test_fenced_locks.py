"""Locks of a set whose heads a fence denies to everyone, as on AWS: they are read by calls of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from storage_adapters.backups.buckets.door import Door
from storage_adapters.backups.buckets.grounds import Found, Grounds
from storage_adapters.backups.contract import Lock
from storage_adapters.s3 import S3Settings
from tests.services.exact_s3 import Call, ExactS3, Reply, error, exact_s3, xml

FAR = datetime(2199, 1, 1, tzinfo=UTC)


def fenced(retention: str | None) -> Callable[[Call, Callable[[], Reply]], Reply]:
    """A bucket that denies to get, and says what it retains."""

    def answer(call: Call, act: Callable[[], Reply]) -> Reply:
        if "legal-hold" in call.query:
            return error(404, "NoSuchObjectLockConfiguration")
        if "retention" in call.query:
            if retention is None:
                return error(404, "NoSuchObjectLockConfiguration")
            return xml("Retention", f"<Mode>COMPLIANCE</Mode><RetainUntilDate>{retention}</RetainUntilDate>")
        if call.key and call.method in ("HEAD", "GET"):
            return error(403, "AccessDenied")
        return act()

    return answer


@pytest.mark.parametrize(
    ("retention", "locks"),
    [
        ("2199-01-01T00:00:00Z", [Lock("compliance", FAR)]),
        ("2020-01-01T00:00:00Z", []),
        (None, []),
    ],
    ids=["a lock in force", "one that has ended by the store's clock", "none"],
)
def test_only_a_lock_in_force_keeps_a_fenced_set(retention: str | None, locks: list[Lock]) -> None:
    with exact_s3() as (s3, endpoint):
        assert isinstance(s3, ExactS3)
        s3.locks = True
        s3.put("own/c-1/dump")
        s3.fault = fenced(retention)
        door = Door("nas", S3Settings("bucket", "us-east-1", endpoint, "test", "test", tries=1))
        grounds = Grounds("nas", door, None, None, None)
        found = Found("own/c-1/", list(door.entries("own/c-1/")), is_fenced=True)
        assert grounds.locks(found) == locks
        door.close()
