"""Commitments: how entries speak of customers and objects without naming them, and how one of them is opened.

    opening key = HMAC-SHA-256(ledger key,  "opening" ‖ 0x00 ‖ label ‖ 0x00 ‖ value)
    commitment  = HMAC-SHA-256(opening key, label ‖ 0x00 ‖ value)

Whoever gets {label, value, opening key} can check that one commitment, and learns nothing about another value or the
ledger key. The opening key is always 32 bytes, so a commitment opens to one value only.

Source: RFC 2104 (HMAC); `docs/formats/ledger.md`, Commitments.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

from retention.evidence.errors import Malformed, ProofInvalid
from retention.evidence.merkle import CompactRange, leaf_hash

Commitment = NewType("Commitment", str)
"""64 lower-case hex digits."""

KEY_SIZE = 32
CUSTOMER = "customer"
SUBSCRIPTION = "subscription"
ITEM = "item"

_LABEL = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens one commitment. `opening_key` is 64 hex digits; it is secret until it is given out."""

    label: str
    value: str
    opening_key: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch entry says of its items: how many, and the Merkle root over their commitments, 64 hex digits."""

    label: str
    count: int
    root: str


class Commitments:
    """Makes and opens commitments under one 32-byte ledger key, which never leaves it. Malformed for another length."""

    __slots__ = ("_ledger_key",)

    def __init__(self, ledger_key: bytes) -> None:
        if len(ledger_key) != KEY_SIZE:
            raise Malformed(f"a ledger key has {KEY_SIZE} bytes, not {len(ledger_key)}")
        self._ledger_key = ledger_key

    def of(self, label: str, value: str) -> Commitment:
        """The commitment to this value; the same whenever it is asked. Malformed for a label that is no label."""
        return Commitment(self._digest(label, value).hex())

    def open(self, label: str, value: str) -> Opening:
        """What lets others check `of(label, value)`."""
        return Opening(label, value, self._opening_key(_pair(label, value)).hex())

    def batch(self, label: str, values: Iterable[str]) -> Batch:
        """Count and root of the values' commitments in this order, in memory that does not grow with their number."""
        tree = BatchTree(label)
        for value in values:
            tree.add(self._digest(label, value))
        return tree.batch()

    def _digest(self, label: str, value: str) -> bytes:
        pair = _pair(label, value)
        return hmac.digest(self._opening_key(pair), pair, "sha256")

    def _opening_key(self, pair: bytes) -> bytes:
        return hmac.digest(self._ledger_key, b"opening\x00" + pair, "sha256")


class BatchTree:
    """A batch that is added to page by page."""

    __slots__ = ("_label", "_tree")

    def __init__(self, label: str) -> None:
        self._label = label
        self._tree = CompactRange()

    def add(self, commitment: bytes) -> None:
        """Make this item's commitment (32 bytes) the batch's next."""
        self._tree.append(leaf_hash(commitment))

    def batch(self) -> Batch:
        """What has been added so far; nothing added gives a count of 0 and the root of the empty tree."""
        return Batch(self._label, self._tree.size, self._tree.root().hex())


def batch_root(label: str, commitments: Iterable[Commitment]) -> Batch:
    """Count and root of these commitments in this order, in memory that does not grow with their number."""
    tree = BatchTree(label)
    for commitment in commitments:
        tree.add(bytes.fromhex(commitment))
    return tree.batch()


def commitment_of(opening: Opening) -> Commitment:
    """The commitment that the opening opens. Malformed for an opening key or label of the wrong form."""
    if not re.fullmatch(r"[0-9a-f]{64}", opening.opening_key):
        raise Malformed("an opening key has 64 lower-case hex digits")
    pair = _pair(opening.label, opening.value)
    return Commitment(hmac.digest(bytes.fromhex(opening.opening_key), pair, "sha256").hex())


def verify_opening(opening: Opening, commitment: Commitment) -> None:
    """Return when the opening opens this commitment, else raise ProofInvalid. Malformed as `commitment_of`."""
    if not hmac.compare_digest(commitment_of(opening), commitment):
        raise ProofInvalid(f"the opening of the {opening.label} does not open the commitment")


def _pair(label: str, value: str) -> bytes:
    if not _LABEL.fullmatch(label):
        raise Malformed("a label is lower-case letters, digits and hyphens, and begins with a letter")
    try:
        return label.encode("ascii") + b"\x00" + value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed(f"a {label} is text that UTF-8 can write") from error
