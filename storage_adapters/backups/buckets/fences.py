"""Fences: one Deny statement of ours in the bucket's policy, which lists the sets that nobody may read.

Other statements are left as they are. The statement's id is made of the principal that it lets through, so that two
stores on one bucket do not touch each other's.
Source: AWS, "Policies and permissions in Amazon S3", "Bucket policy limits" (20 KB); IAM, "aws:PrincipalArn".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, cast

from botocore.exceptions import ClientError

from storage_adapters.backups.buckets.door import Door
from storage_adapters.errors import Refused

LIMIT = 20 * 1024
"""The most bytes of a bucket policy."""

_READS = [
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionTorrent",
    "s3:RestoreObject",
]
_PATTERNS = ("*", "?", "${")
_EMPTY = {"Version": "2012-10-17", "Statement": []}


class Fences:
    """The fences of one bucket."""

    def __init__(self, door: Door, principal: str | None) -> None:
        self._door = door
        self._principal = principal
        self._sid = "RetentionQuarantine" + hashlib.sha256((principal or "").encode()).hexdigest()[:16]

    def names(self) -> set[str]:
        """The names of the fenced sets, read now; empty where the store has no bucket policies."""
        statement = self._ours(self._policy())
        return set() if statement is None else {self._name(one) for one in _texts(statement["Resource"])}

    def put(self, name: str) -> None:
        """The set is fenced. Raises Refused where its name is a pattern, or the policy would grow beyond its limit."""
        if any(sign in name for sign in _PATTERNS):
            raise Refused(self._door.store, "a set whose name holds '*', '?' or '${' cannot be fenced by a policy")
        self._change(lambda resources: resources | {self._resource(name)})

    def drop(self, name: str) -> None:
        """The set is not fenced. Does nothing where it was not."""
        if name in self.names():
            self._change(lambda resources: resources - {self._resource(name)})

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        policy = self._policy()
        statement = self._ours(policy)
        before = set() if statement is None else set(_texts(statement["Resource"]))
        after = change(before)
        if after == before:
            return
        others = [one for one in _statements(policy) if one.get("Sid") != self._sid]
        statements = [*others, self._statement(after)] if after else others
        text = json.dumps({**policy, "Statement": statements}, separators=(",", ":"))
        if len(text.encode()) > LIMIT:
            raise Refused(self._door.store, f"the bucket policy is full: it would be larger than {LIMIT} bytes")
        bucket = self._door.settings.bucket
        with self._door.spoken():
            if statements:
                self._door.client.put_bucket_policy(Bucket=bucket, Policy=text)
            else:
                self._door.client.delete_bucket_policy(Bucket=bucket)

    def _policy(self) -> dict[str, Any]:
        try:
            said = self._door.client.get_bucket_policy(Bucket=self._door.settings.bucket)["Policy"]
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in {"NoSuchBucketPolicy", "NotImplemented", "MethodNotAllowed"}:
                return dict(_EMPTY)
            with self._door.spoken():
                raise
        return cast("dict[str, Any]", json.loads(said))

    def _ours(self, policy: dict[str, Any]) -> dict[str, Any] | None:
        return next((one for one in _statements(policy) if one.get("Sid") == self._sid), None)

    def _statement(self, resources: set[str]) -> dict[str, Any]:
        statement: dict[str, Any] = {
            "Sid": self._sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": _READS,
            "Resource": sorted(resources),
        }
        if self._principal is not None:
            statement["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": self._principal}}
        return statement

    def _resource(self, name: str) -> str:
        return f"{self._start()}{name}*" if name.endswith("/") else f"{self._start()}{name}"

    def _name(self, resource: str) -> str:
        return resource.removeprefix(self._start()).removesuffix("*")

    def _start(self) -> str:
        settings = self._door.settings
        partition = "aws"
        if settings.endpoint is None or "amazonaws" in settings.endpoint:
            partitions = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))
            partition = next((name for start, name in partitions if settings.region.startswith(start)), "aws")
        return f"arn:{partition}:s3:::{settings.bucket}/"


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    said = policy.get("Statement", [])
    return [said] if isinstance(said, dict) else list(said)


def _texts(said: str | list[str]) -> list[str]:
    return [said] if isinstance(said, str) else list(said)
