"""A bucket's policy: read, put, compared, and a Deny statement of ours in it. Statements of others stay as they are.

Source: AWS, "Policies and permissions in Amazon S3", "Bucket policy limits" (20 KB); IAM, "JSON policy elements",
"aws:PrincipalArn".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from storage_adapters.errors import Refused
from storage_adapters.s3.refusals import NOT_OFFERED, Declined
from storage_adapters.s3.wire import Request, Wire

LIMIT = 20 * 1024
"""The most bytes of a bucket policy."""

PATTERNS = ("*", "?", "${")
"""What means more than itself in the resources of a statement, and cannot be escaped by other stores than AWS."""

_POLICY = (("policy", None),)
_EMPTY = {"Version": "2012-10-17", "Statement": []}
_LISTS = ("Action", "NotAction", "Resource", "NotResource")
_MAPS = ("Principal", "NotPrincipal")


@dataclass(frozen=True, slots=True)
class Deny:
    """A statement that denies everyone the actions on the resources (ARNs, not empty), or everyone but `unless`.

    sid: letters and digits; there is one such statement in a policy. unless: the ARN of a principal.
    """

    sid: str
    actions: tuple[str, ...]
    resources: frozenset[str]
    unless: str | None = None

    def as_json(self) -> dict[str, object]:
        """The statement as it stands in a policy."""
        statement: dict[str, object] = {
            "Sid": self.sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": list(self.actions),
            "Resource": sorted(self.resources),
        }
        if self.unless is not None:
            statement["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": self.unless}}
        return statement


class Policy:
    """One policy. It does not change: `with_deny` and `without` return another."""

    def __init__(self, text: str | None = None) -> None:
        """The policy of this text; None for that of a bucket that has none. Raises ValueError where it is no policy."""
        parsed = _EMPTY if text is None else json.loads(text)
        if not isinstance(parsed, dict):
            raise ValueError("a policy is a JSON object")
        self._document: dict[str, Any] = parsed
        said = parsed.get("Statement", [])
        self._statements: list[Any] = said if isinstance(said, list) else [said]
        if not all(isinstance(one, dict) for one in self._statements):
            raise ValueError("the statements of a policy are JSON objects")
        self.text = text if self._statements else None
        """The policy as it is put into a bucket; None where no statement is left, and so no policy."""

    def resources(self, sid: str) -> frozenset[str]:
        """The resources of the statement with this id; none where there is no such statement."""
        found: dict[str, Any] = next((one for one in self._statements if one.get("Sid") == sid), {})
        return frozenset(_listed(found.get("Resource", [])))

    def with_deny(self, deny: Deny) -> Policy:
        """This policy with the statement, in the place of one that has the same id; itself where it holds just this."""
        others = [one for one in self._statements if one.get("Sid") != deny.sid]
        return self._holding([*others, deny.as_json()])

    def without(self, sid: str) -> Policy:
        """This policy without the statement of this id."""
        return self._holding([one for one in self._statements if one.get("Sid") != sid])

    def means(self, other: Policy) -> bool:
        """Whether both say the same, in whichever order and form: a store gives back `"a"` for `["a"]`, and the like."""
        return self._meaning() == other._meaning()

    def _holding(self, statements: list[Any]) -> Policy:
        changed = Policy(json.dumps({**self._document, "Statement": statements}, separators=(",", ":")))
        return self if self.means(changed) else changed

    def _meaning(self) -> str | None:
        if not self._statements:
            return None
        statements = sorted(json.dumps(_normal(one), sort_keys=True) for one in self._statements)
        return json.dumps({**self._document, "Statement": statements}, sort_keys=True)


def read(wire: Wire) -> Policy | None:
    """The bucket's policy, empty where it has none; None where the store has no policies.

    Raises Declined where it may not be read, NotFound for a missing bucket.
    """
    try:
        return wire.ask(Request("GET", query=_POLICY), lambda answer: Policy(answer.body.decode()))
    except Declined as declined:
        if declined.code.startswith("NoSuch"):
            return Policy()
        if declined.code in NOT_OFFERED:
            return None
        raise


def put(wire: Wire, policy: Policy) -> None:
    """The bucket has this policy, or none where it is empty. Raises Refused where it is too large, or may not be put."""
    if policy.text is None:
        wire.ask(Request("DELETE", query=_POLICY), lambda _: None)
        return
    body = policy.text.encode()
    if len(body) > LIMIT:
        raise Refused(wire.store, f"the bucket policy is full: it would be larger than {LIMIT} bytes")
    wire.ask(Request("PUT", query=_POLICY, body=body), lambda _: None)


def _normal(statement: dict[str, Any]) -> dict[str, Any]:
    """The statement with everything that may be one or several as a sorted list."""
    normal = dict(statement)
    normal |= {key: _listed(normal[key]) for key in _LISTS if key in normal}
    for key in _MAPS:
        if isinstance(said := normal.get(key), dict):
            normal[key] = {kind: _listed(whom) for kind, whom in said.items()}
        elif said is not None:
            normal[key] = {"AWS": _listed(said)}
    if isinstance(conditions := normal.get("Condition"), dict):
        normal["Condition"] = {
            test: {key: _listed(wanted) for key, wanted in of.items()} if isinstance(of, dict) else of
            for test, of in conditions.items()
        }
    return normal


def _listed(said: object) -> list[str]:
    values = said if isinstance(said, list) else [said]
    return sorted(one if isinstance(one, str) else json.dumps(one, sort_keys=True) for one in values)
