"""The order of things that lead to one another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.sql.circles import targets_first

GRAPHS = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        st.just(size), st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=30)
    )
)


def reachable(start: int, edges: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    todo = list(edges.get(start, []))
    while todo:
        node = todo.pop()
        if node not in found:
            found.add(node)
            todo += edges.get(node, [])
    return found


def test_a_chain_comes_out_targets_first() -> None:
    assert targets_first("abc", {"a": ["b"], "b": ["c"]}) == [("c",), ("b",), ("a",)]


def test_a_circle_is_one_group_before_what_leads_to_it() -> None:
    groups = targets_first("abcd", {"a": ["b"], "b": ["c"], "c": ["b", "d"]})
    assert [set(group) for group in groups] == [{"d"}, {"b", "c"}, {"a"}]


def test_a_chain_of_a_hundred_thousand_needs_no_deep_stack() -> None:
    groups = targets_first(range(100_000), {each: [each + 1] for each in range(99_999)})
    assert groups[0] == (99_999,)
    assert groups[-1] == (0,)


@given(GRAPHS)
def test_every_group_is_one_circle_and_comes_after_all_it_leads_to(graph: tuple[int, list[tuple[int, int]]]) -> None:
    size, pairs = graph
    edges: dict[int, list[int]] = {}
    for child, parent in pairs:
        edges.setdefault(child, []).append(parent)
    groups = targets_first(range(size), edges)
    assert sorted(node for group in groups for node in group) == list(range(size))
    at = {node: place for place, group in enumerate(groups) for node in group}
    for node in range(size):
        for target in reachable(node, edges):
            assert at[target] <= at[node]
            assert (at[target] == at[node]) is (node == target or node in reachable(target, edges))
