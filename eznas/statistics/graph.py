"""The autograd graph of one traced pass: which operation feeds which.

Autograd records additions, concatenations and views as well as layers, so the connections between
traced operations follow from it whatever lies between them.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Graph:
    """Autograd nodes and their edges: `parents` lead to the input, `children` to the logits."""

    parents: dict[Any, list[Any]] = field(default_factory=dict)
    children: dict[Any, list[Any]] = field(default_factory=dict)

    @staticmethod
    def of(roots: Iterable[Any]) -> "Graph":
        """The graph of every node upstream of the roots; a root of None (a constant) has none."""
        graph = Graph()
        pending = [root for root in roots if root is not None]
        while pending:
            node = pending.pop()
            if node in graph.parents:
                continue
            parents = [parent for parent, _ in node.next_functions if parent is not None]
            graph.parents[node] = parents
            for parent in parents:
                graph.children.setdefault(parent, []).append(node)
            pending.extend(parents)
        return graph

    def upstream(self, start: Any) -> set[Any]:
        """The node and everything that leads to it."""
        return set(_breadth_first(start, self.parents))

    def downstream(self, start: Any) -> set[Any]:
        """The node and everything that it leads to."""
        return set(_breadth_first(start, self.children))

    def nearest(
        self, start: Any, targets: Mapping[Any, int], barriers: Collection[Any], down: bool = False
    ) -> int | None:
        """The value in `targets` of the node that is fewest edges away from `start`.

        The search goes upstream, or downstream with `down`, and not beyond a barrier (which may be
        a target itself). None where there is no such target or `start` is None.
        """
        if start is None:
            return None
        edges = self.children if down else self.parents
        nodes = _breadth_first(start, edges, barriers)
        return next((targets[node] for node in nodes if node in targets), None)


def _breadth_first(
    start: Any, edges: Mapping[Any, list[Any]], barriers: Collection[Any] = ()
) -> Iterator[Any]:
    """The nodes that can be reached from `start`; barriers are yielded, but not passed."""
    seen, pending = {start}, deque([start])
    while pending:
        node = pending.popleft()
        yield node
        for neighbour in edges.get(node, ()) if node not in barriers else ():
            if neighbour not in seen:
                seen.add(neighbour)
                pending.append(neighbour)
