"""Which things lead to one another in a circle, and an order of the rest."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


def targets_first(nodes: Iterable[T], edges: Mapping[T, Sequence[T]]) -> list[tuple[T, ...]]:
    """All nodes in groups, each after every group that its edges lead to; a group of several is one circle.

    `edges` maps a node to the nodes it leads to, all of them among `nodes`. Takes linear time and no recursion, so
    that chains may be of any length.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972).
    """
    number: dict[T, int] = {}  # in order of discovery
    lowest: dict[T, int] = {}  # the earliest node that can be reached and is not yet in a group
    waiting: list[T] = []
    is_waiting: set[T] = set()
    groups: list[tuple[T, ...]] = []

    def discover(node: T) -> tuple[T, Iterator[T]]:
        number[node] = lowest[node] = len(number)
        waiting.append(node)
        is_waiting.add(node)
        return node, iter(edges.get(node, ()))

    def close(node: T) -> None:
        if lowest[node] == number[node]:
            group: list[T] = []
            while not group or group[-1] != node:
                group.append(waiting.pop())
            is_waiting.difference_update(group)
            groups.append(tuple(group))

    for root in nodes:
        path = [] if root in number else [discover(root)]
        while path:
            node, rest = path[-1]
            for target in rest:
                if target not in number:
                    path.append(discover(target))
                    break
                if target in is_waiting:
                    lowest[node] = min(lowest[node], number[target])
            else:
                path.pop()
                close(node)
                if path:
                    above = path[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
    return groups
