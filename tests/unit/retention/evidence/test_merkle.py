"""Hashes, proofs and their verification against vectors and against the RFC's own recursion."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.evidence import merkle
from retention.evidence.errors import ProofInvalid


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(f"entry {i}".encode()) for i in range(size)]


def naive_root(row: Sequence[bytes]) -> bytes:
    """MTH as RFC 9162, 2.1.1 writes it."""
    if not row:
        return sha256(b"").digest()
    if len(row) == 1:
        return row[0]
    k = largest_power_below(len(row))
    return sha256(b"\x01" + naive_root(row[:k]) + naive_root(row[k:])).digest()


def naive_path(m: int, row: Sequence[bytes]) -> list[bytes]:
    """PATH as RFC 9162, 2.1.3.1 writes it."""
    if len(row) == 1:
        return []
    k = largest_power_below(len(row))
    if m < k:
        return [*naive_path(m, row[:k]), naive_root(row[k:])]
    return [*naive_path(m - k, row[k:]), naive_root(row[:k])]


def naive_subproof(m: int, row: Sequence[bytes], is_old_root: bool) -> list[bytes]:
    """SUBPROOF as RFC 9162, 2.1.4.1 writes it."""
    if m == len(row):
        return [] if is_old_root else [naive_root(row)]
    k = largest_power_below(len(row))
    if m <= k:
        return [*naive_subproof(m, row[:k], is_old_root), naive_root(row[k:])]
    return [*naive_subproof(m - k, row[k:], False), naive_root(row[:k])]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def subtree_of(row: Sequence[bytes]) -> merkle.Subtree:
    return lambda height, number: naive_root(row[number << height : (number + 1) << height])


def test_roots_are_those_of_the_vectors(merkle_vectors: Any) -> None:
    for size, root in merkle_vectors["roots"].items():
        assert merkle.root(leaves(int(size))).hex() == root, size


def test_inclusion_paths_are_those_of_the_vectors_and_verify(merkle_vectors: Any) -> None:
    assert merkle_vectors["inclusion"]
    for vector in merkle_vectors["inclusion"]:
        index, size = vector["index"], vector["size"]
        row = leaves(size)
        path = merkle.inclusion_path(index, size, subtree_of(row))
        assert [step.hex() for step in path] == vector["path"]
        merkle.verify_inclusion(row[index], index, size, path, naive_root(row))


def test_consistency_paths_are_those_of_the_vectors_and_verify(merkle_vectors: Any) -> None:
    assert merkle_vectors["consistency"]
    for vector in merkle_vectors["consistency"]:
        first, second = vector["first"], vector["second"]
        row = leaves(second)
        path = merkle.consistency_path(first, second, subtree_of(row))
        assert [step.hex() for step in path] == vector["path"]
        merkle.verify_consistency(first, naive_root(row[:first]), second, naive_root(row), path)


def test_every_small_tree_gives_the_proofs_of_the_recursion() -> None:
    row = leaves(34)
    for size in range(1, 35):
        subtree = subtree_of(row[:size])
        for index in range(size):
            path = merkle.inclusion_path(index, size, subtree)
            assert list(path) == naive_path(index, row[:size])
            merkle.verify_inclusion(row[index], index, size, path, naive_root(row[:size]))
        for first in range(1, size + 1):
            path = merkle.consistency_path(first, size, subtree)
            assert list(path) == naive_subproof(first, row[:size], True)
            merkle.verify_consistency(first, naive_root(row[:first]), size, naive_root(row[:size]), path)


sizes = st.integers(1, 700)


@settings(deadline=None, max_examples=60)
@given(sizes, st.data())
def test_an_inclusion_proof_holds_for_its_own_leaf_index_size_and_root_only(size: int, data: st.DataObject) -> None:
    row = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    root = merkle.root(row)
    path = merkle.inclusion_path(index, size, subtree_of(row))
    assert (root, list(path)) == (naive_root(row), naive_path(index, row))
    merkle.verify_inclusion(row[index], index, size, path, root)
    wrong: list[tuple[bytes, int, Sequence[bytes], bytes]] = [
        (merkle.leaf_hash(b"another"), index, path, root),
        (row[index], index, path, merkle.leaf_hash(b"another")),
        (row[index], index, [*path, root], root),
        (row[index], size, path, root),
        (row[index], -1, path, root),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong.append((row[index], index, path[:-1], root))
        wrong.append((row[index], index, [*path[:at], bytes(32), *path[at + 1 :]], root))
        wrong.append((row[index], data.draw(st.integers(0, size - 1).filter(lambda i: i != index)), path, root))
    for leaf, at_index, steps, expected in wrong:
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(leaf, at_index, size, steps, expected)


@settings(deadline=None, max_examples=60)
@given(sizes, st.data())
def test_a_consistency_proof_holds_for_its_own_trees_only(size: int, data: st.DataObject) -> None:
    row = leaves(size)
    first = data.draw(st.integers(0, size))
    old, new = merkle.root(row[:first]), merkle.root(row)
    path = merkle.consistency_path(first, size, subtree_of(row))
    merkle.verify_consistency(first, old, size, new, path)
    other = merkle.leaf_hash(b"another")
    wrong: list[tuple[bytes, bytes, Sequence[bytes]]] = [(other, new, path), (old, new, [*path, other])]
    if first:
        wrong.append((old, other, path))
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong += [(old, new, path[:-1]), (old, new, [*path[:at], other, *path[at + 1 :]])]
    for old_root, new_root, steps in wrong:
        with pytest.raises(ProofInvalid):
            merkle.verify_consistency(first, old_root, size, new_root, steps)


def test_a_longer_tree_is_not_the_beginning_of_a_shorter_one() -> None:
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(3, naive_root(leaves(3)), 2, naive_root(leaves(2)), ())
    with pytest.raises(ValueError, match="not the beginning"):
        merkle.consistency_path(3, 2, subtree_of(leaves(3)))


def test_a_compact_range_takes_whole_subtrees_where_they_begin_and_nowhere_else() -> None:
    row = leaves(7)
    tree = merkle.CompactRange()
    tree.append(naive_root(row[:4]), 2)
    tree.append(naive_root(row[4:6]), 1)
    tree.append(row[6])
    assert (tree.size, tree.root()) == (7, naive_root(row))
    with pytest.raises(ValueError, match="cannot begin"):
        tree.append(row[0], 1)


@pytest.mark.parametrize("count", [0, 3], ids=["no hashes", "three hashes"])
def test_a_complete_subtree_has_a_power_of_two_of_hashes(count: int) -> None:
    with pytest.raises(ValueError, match="complete"):
        merkle.complete_root(leaves(count))
