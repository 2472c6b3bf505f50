"""Merkle trees over SHA-256: hashes, roots, proofs and their verification. Pure.

A tree of n leaves is split at k, the largest power of two below n: MTH(D[0:n]) = H(1 ‖ MTH(D[0:k]) ‖ MTH(D[k:n])).
So every tree is a row of *complete* subtrees, one for each set bit of n, the largest first; a complete subtree of
height h and number i covers the leaves [i·2^h, (i+1)·2^h) and never changes again. All here is built on that row.

Source: RFC 6962, section 2.1; RFC 9162, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

from retention.evidence.errors import ProofInvalid

HASH_SIZE = 32

EMPTY_ROOT = sha256(b"").digest()
"""The root of no leaves: MTH({}) = SHA-256(). Source: RFC 9162, section 2.1.1."""

Subtree = Callable[[int, int], bytes]
"""Gives the hash of the complete subtree of (height, number)."""


def leaf_hash(entry: bytes) -> bytes:
    """MTH({entry}) = SHA-256(0x00 ‖ entry). Source: RFC 9162, section 2.1.1."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right). Source: RFC 9162, section 2.1.1."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """A growing tree that remembers only the roots of its complete subtrees: at most one for each bit of its size."""

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def append(self, subtree: bytes, height: int = 0) -> None:
        """Make the tree larger by a complete subtree of 2^height leaves (a leaf hash by default).

        ValueError when the tree's size is no multiple of 2^height: the subtree would not be complete there.
        """
        if self.size & ((1 << height) - 1):
            raise ValueError(f"a subtree of height {height} cannot begin at leaf {self.size}")
        block = self.size >> height
        while block & 1:
            subtree = node_hash(self._roots.pop(), subtree)
            block >>= 1
        self._roots.append(subtree)
        self.size += 1 << height

    def root(self) -> bytes:
        """The root of the tree as it is now; `EMPTY_ROOT` for no leaves."""
        return _fold(self._roots)


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes, in memory that does not grow with their number."""
    tree = CompactRange()
    for leaf in leaf_hashes:
        tree.append(leaf)
    return tree.root()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2^h hashes of equal height. ValueError for another number of them."""
    if not hashes or len(hashes) & (len(hashes) - 1):
        raise ValueError(f"{len(hashes)} hashes do not make a complete subtree")
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def range_root(start: int, end: int, subtree: Subtree) -> bytes:
    """MTH(D[start:end]) from complete subtrees; `EMPTY_ROOT` for an empty range.

    `start` is a multiple of a power of two not smaller than the range, as every range of a proof is.
    """
    return _fold([subtree(height, number) for height, number in _complete_subtrees(start, end)])


def inclusion_path(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """PATH(index, D[0:size]): the siblings from the leaf up to the root's child; empty for a tree of one.

    ValueError unless 0 <= index < size. Source: RFC 9162, section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    siblings: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((start, middle))
            start = middle
    return tuple(range_root(a, b, subtree) for a, b in reversed(siblings))


def consistency_path(first: int, second: int, subtree: Subtree) -> tuple[bytes, ...]:
    """PROOF(first, D[0:second]): that the tree of `second` begins with the tree of `first`; empty where they are equal.

    The empty tree is the beginning of every tree and needs no proof. ValueError unless 0 <= first <= second.
    Source: RFC 9162, section 2.1.4.1.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {first} is not the beginning of one of {second}")
    if first in (0, second):
        return ()
    parts: list[tuple[int, int]] = []
    start, end = 0, second
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            parts.append((middle, end))
            end = middle
        else:
            parts.append((start, middle))
            start = middle
    if start:  # the old tree's last complete part is not the old root itself, so it has to be told
        parts.append((start, end))
    return tuple(range_root(a, b, subtree) for a, b in reversed(parts))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Return when the leaf hash is at `index` of the tree with this root, else raise ProofInvalid.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofInvalid(f"no leaf {index} in a tree of {size}")
    number, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofInvalid(f"the inclusion proof of leaf {index} is too long for a tree of {size}")
        if number & 1 or number == last:
            result = node_hash(sibling, result)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise ProofInvalid(f"the inclusion proof of leaf {index} is too short for a tree of {size}")
    if result != root:
        raise ProofInvalid(f"leaf {index} does not lead to the root of the tree of {size}")


def verify_consistency(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> None:
    """Return when the tree of `second` begins with the tree of `first`, else raise ProofInvalid.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= first <= second:
        raise ProofInvalid(f"a tree of {first} is not the beginning of one of {second}")
    if first in (0, second):
        expected = EMPTY_ROOT if first == 0 else second_root
        if path or first_root != expected:
            raise ProofInvalid(f"the tree of {first} is not the beginning of the tree of {second}")
        return
    old, new = _walk_consistency(first, second, first_root, path)
    if old != first_root:
        raise ProofInvalid(f"the consistency proof does not lead to the root of the tree of {first}")
    if new != second_root:
        raise ProofInvalid(f"the consistency proof does not lead to the root of the tree of {second}")


def _walk_consistency(first: int, second: int, first_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of both trees that the path leads to."""
    steps = list(path)
    if first & (first - 1) == 0:  # a power of two: the old root is itself a complete subtree of the new tree
        steps.insert(0, first_root)
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    if not steps:
        raise ProofInvalid("the consistency proof is empty")
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofInvalid("the consistency proof is too long")
        if number & 1 or number == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, step)
        number, last = number >> 1, last >> 1
    if last:
        raise ProofInvalid("the consistency proof is too short")
    return old, new


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _complete_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        height = (end - start).bit_length() - 1
        yield height, start >> height
        start += 1 << height


def _fold(roots: Sequence[bytes]) -> bytes:
    """One root over a row of complete subtrees, the smallest joined first."""
    if not roots:
        return EMPTY_ROOT
    result = roots[-1]
    for left in reversed(roots[:-1]):
        result = node_hash(left, result)
    return result
