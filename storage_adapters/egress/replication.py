"""A bucket's replication rules: read, put, compared, and without one of them.

Source: Amazon S3 API reference, "ReplicationConfiguration", "ReplicationRule", also the earlier version of it, in which
a rule has a prefix and no filter.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from xml.etree.ElementTree import Element, tostring

from storage_adapters.egress.contract import Destination, WayKind, WayOut
from storage_adapters.s3.answers import Document
from storage_adapters.s3.refusals import NOT_OFFERED, Declined
from storage_adapters.s3.wire import Request, Wire

_REPLICATION = (("replication", None),)
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PREFIXES = ("Filter/And/Prefix", "Filter/Prefix", "Prefix")


class Replication:
    """One replication configuration. It does not change: `without` returns another."""

    def __init__(self, text: str | None = None) -> None:
        """The configuration of this text; None where there is none. Raises Unreadable where it is another text."""
        self._root = Element("none") if text is None else Document(text.encode(), "ReplicationConfiguration").root
        self._named = _names(self._root.findall("Rule"))
        self.text = text if self._named else None
        """The configuration as it is put into a bucket; None where no rule is left, and so no configuration."""

    def ways(self) -> tuple[WayOut, ...]:
        """Its rules, by name."""
        return tuple(sorted((_way(name, rule) for name, rule in self._named), key=lambda way: way.name))

    def without(self, name: str) -> Replication:
        """This configuration without the rule of this name, all else as it is."""
        gone = [rule for each, rule in self._named if each == name]
        left = Element(self._root.tag, {**self._root.attrib, "xmlns": _NAMESPACE})
        left.extend(child for child in self._root if child not in gone)
        return Replication(tostring(left, encoding="unicode"))

    def means(self, other: Replication) -> bool:
        """Whether both say the same, in whichever order and layout."""
        return self._meaning() == other._meaning()

    def _meaning(self) -> str | None:
        return _normal(self._root) if self._named else None


def read(wire: Wire) -> Replication | None:
    """The bucket's replication configuration, empty where it has none; None where the store does not replicate.

    Raises Declined where it may not be read, NotFound for a missing bucket.
    """
    try:
        return wire.ask(Request("GET", query=_REPLICATION), lambda answer: Replication(answer.body.decode()))
    except Declined as declined:
        if declined.code.startswith("NoSuch") or declined.code == "ReplicationConfigurationNotFoundError":
            return Replication()
        if declined.code in NOT_OFFERED and not wire.settings.is_amazon:  # Amazon replicates, whatever it answers
            return None
        raise


def put(wire: Wire, replication: Replication) -> None:
    """The bucket has these rules, or no replication configuration where there are none.

    Raises Refused where they may not be put; Amazon also asks for iam:PassRole on the role that they name.
    """
    if replication.text is None:
        wire.ask(Request("DELETE", query=_REPLICATION), lambda _: None)
    else:
        wire.ask(Request("PUT", query=_REPLICATION, body=replication.text.encode()), lambda _: None)


def _names(rules: list[Element]) -> list[tuple[str, Element]]:
    """Each rule with its id; where it has none, or another has the same, with a hash of what it says."""
    ids = [rule.findtext("ID") or "" for rule in rules]
    counts = Counter(ids)
    return [
        (name if name and counts[name] == 1 else f"{name or 'rule'}~{_hash(rule)}", rule)
        for name, rule in zip(ids, rules, strict=True)
    ]


def _hash(rule: Element) -> str:
    return hashlib.sha256(_normal(rule).encode()).hexdigest()[:16]


def _way(name: str, rule: Element) -> WayOut:
    prefix = next((found for path in _PREFIXES if (found := rule.findtext(path))), "")
    # anything but this word may be a state in which it sends
    return WayOut(WayKind.REPLICATION, name, _destination(rule), prefix, is_on=rule.findtext("Status") != "Disabled")


def _destination(rule: Element) -> Destination:
    """The bucket of a name such as `arn:aws:s3:::bucket`; other stores put a region into it."""
    parts = (rule.findtext("Destination/Bucket") or "").split(":")
    region = parts[3] if len(parts) > 5 else ""
    account = rule.findtext("Destination/Account")
    return Destination(bucket=parts[-1] or None, region=region or None, account=account or None)


def _normal(element: Element) -> str:
    children = sorted(_normal(child) for child in element)
    text = "" if children else element.text or ""  # between elements there is layout
    return json.dumps([element.tag, sorted(element.attrib.items()), text, children])
