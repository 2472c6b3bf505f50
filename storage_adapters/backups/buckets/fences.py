"""Fences: one Deny statement of ours in the bucket's policy, which lists the sets that nobody may read.

The statement's id is made of the principal that it lets through, so that two stores on one bucket do not touch each
other's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from storage_adapters.backups.buckets.door import Door
from storage_adapters.errors import Refused
from storage_adapters.s3 import policy
from storage_adapters.s3.policy import Deny, Policy

_READS = (
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectTorrent",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectVersionTorrent",
    "s3:RestoreObject",
)


class Fences:
    """The fences of one bucket."""

    def __init__(self, door: Door, principal: str | None) -> None:
        self._door = door
        self._principal = principal
        self._sid = "RetentionQuarantine" + hashlib.sha256((principal or "").encode()).hexdigest()[:16]
        self._start = f"{door.settings.arn}/"

    def names(self) -> set[str]:
        """The names of the fenced sets, read now; empty where the store has no bucket policies."""
        return {self._name(one) for one in self._policy().resources(self._sid)}

    def put(self, name: str) -> None:
        """The set is fenced. Raises Refused where its name is a pattern, or the policy would grow beyond its limit."""
        if any(sign in name for sign in policy.PATTERNS):
            raise Refused(self._door.store, "a set whose name holds '*', '?' or '${' cannot be fenced by a policy")
        self._change(lambda resources: resources | {self._resource(name)})

    def drop(self, name: str) -> None:
        """The set is not fenced. Does nothing where it was not."""
        if name in self.names():
            self._change(lambda resources: resources - {self._resource(name)})

    def _change(self, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        said = self._policy()
        before = said.resources(self._sid)
        after = change(before)
        if after == before:
            return
        deny = Deny(self._sid, _READS, after, self._principal)
        policy.put(self._door.wire, said.with_deny(deny) if after else said.without(self._sid))

    def _policy(self) -> Policy:
        return policy.read(self._door.wire) or Policy()

    def _resource(self, name: str) -> str:
        return f"{self._start}{name}*" if name.endswith("/") else f"{self._start}{name}"

    def _name(self, resource: str) -> str:
        return resource.removeprefix(self._start).removesuffix("*")
