"""The ways out of a bucket: its replication rules; and a fence in its policy against being written to."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TypeVar

from storage_adapters.egress import replication
from storage_adapters.egress.contract import Change, Part, WayKind, WayOut
from storage_adapters.egress.replication import Replication
from storage_adapters.errors import NotFound, OutcomeUnknown, Refused, StoreError
from storage_adapters.s3 import S3Settings, policy
from storage_adapters.s3.answers import Unreadable
from storage_adapters.s3.policy import Deny, Policy
from storage_adapters.s3.refusals import DENIED, Declined
from storage_adapters.s3.wire import Wire

_WRITES = ("s3:PutObject", "s3:ReplicateObject")
"""What brings data in: uploads, also in parts, copies, and another bucket's replication. Not s3:ReplicateDelete, which
takes away, and not s3:RestoreObject, which makes readable what is there already."""


S = TypeVar("S", Policy, Replication)


class BucketEgress:
    """One bucket, under the contract of `storage_adapters.egress.contract.Egress`.

    Needs s3:GetReplicationConfiguration; to close also s3:PutReplicationConfiguration, and iam:PassRole where rules are
    left or come back; to fence s3:GetBucketPolicy, s3:PutBucketPolicy and s3:DeleteBucketPolicy.
    """

    def __init__(self, name: str, settings: S3Settings) -> None:
        """Connects when it is first asked. Raises Refused where the AWS configuration cannot be read."""
        self._name = name
        self._settings = settings
        self._wire = Wire(name, settings)

    @property
    def name(self) -> str:
        """The store's configured name."""
        return self._name

    def ways_out(self) -> tuple[WayOut, ...]:
        """The bucket's replication rules; none where the store does not replicate."""
        said = self._rules()
        return () if said is None else said.ways()

    def closing(self, way: WayOut) -> Change | None:
        """The rules without this one; no replication configuration where it is the last."""
        if way.kind is not WayKind.REPLICATION:
            return None
        said = self._rules()
        if said is None or all(one.name != way.name for one in said.ways()):
            raise NotFound(self._name, "there is no such replication rule (any more)")
        return Change(Part.REPLICATION, said.text, said.without(way.name).text)

    def fencing(self, prefix: str) -> Change | None:
        """The bucket's policy with a statement of ours. It also stops what the product itself writes there."""
        if any(sign in prefix for sign in policy.PATTERNS):
            raise Refused(self._name, "a prefix that holds '*', '?' or '${' cannot be fenced by a policy")
        said = policy.read(self._wire)
        if said is None:
            return None
        sid = "RetentionNoTransfer" + hashlib.sha256(prefix.encode()).hexdigest()[:16]
        deny = Deny(sid, _WRITES, frozenset({f"{self._settings.arn}/{prefix}*"}))
        return Change(Part.POLICY, said.text, said.with_deny(deny).text)

    def apply(self, change: Change) -> None:
        """As the contract says."""
        self._turn(change.what, change.before, change.after)

    def undo(self, change: Change) -> None:
        """As the contract says."""
        self._turn(change.what, change.after, change.before)

    def close(self) -> None:
        """Release connections. A second call does nothing."""
        self._wire.close()

    def _rules(self) -> Replication | None:
        try:
            return replication.read(self._wire)
        except Declined as declined:
            if declined.code in DENIED:
                advice = "the replication rules may not be read: grant s3:GetReplicationConfiguration"
                raise Refused(self._name, f"{advice} ({declined.code})") from declined
            raise

    def _turn(self, what: Part, old: str | None, new: str | None) -> None:
        try:
            match Part(what):
                case Part.REPLICATION:
                    self._replace(Replication(old), Replication(new), replication.read, replication.put)
                case Part.POLICY:
                    self._replace(Policy(old), Policy(new), policy.read, policy.put)
        except (Unreadable, ValueError) as error:
            raise Refused(self._name, "the change is not one of a bucket's configuration") from error

    def _replace(self, old: S, new: S, read: Callable[[Wire], S | None], put: Callable[[Wire, S], None]) -> None:
        now = read(self._wire)
        if now is not None and now.means(new):
            return
        if now is None or not now.means(old):
            raise Refused(
                self._name, "the configuration is not what it was: somebody has changed it, so it is left alone"
            )
        lost: StoreError | None = None
        try:
            put(self._wire, new)
        except OutcomeUnknown as error:
            lost = error
        for pause in self._wire.pauses():  # a bucket's configuration takes a while to be the same everywhere
            time.sleep(pause)
            try:
                now = read(self._wire)
            except StoreError as error:  # it was put: whatever is wrong now, nobody may take it for undone
                lost = error
                continue
            if now is not None and now.means(new):
                return
        raise OutcomeUnknown(self._name, "the configuration that is read back is not the one that was put") from lost
