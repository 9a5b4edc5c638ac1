"""Statistics of all paths between two nodes of a directed acyclic graph.

A path's total is the sum of the values of its nodes. The number of paths grows exponentially with
depth, so they are never enumerated: each node, in order from the input, summarises the paths that
end in it by merging its parents' summaries.

A float64 is an integer multiple of a power of two. Counts, sums and sums of squares are therefore
kept as Python integers, which have no size limit, and are exact: only the results are rounded.
Hence the results do not depend on the order of parents, and a small spread beside large totals is
not lost.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from math import exp, fsum, isfinite, isqrt, log
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


@dataclass(frozen=True)
class Paths:
    """Statistics over paths. All but `log_count` are [quantities], over the totals of the paths.

    `log_count`: natural logarithm of the number of paths; `mean` and `std` (of the population):
    each path counts once; `smallest`, `largest`: the extreme totals; `soft`: a smooth minimum,
    -ln of the sum over paths of exp(-total), which is the total itself for a single path.
    """

    log_count: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    smallest: tuple[float, ...]
    largest: tuple[float, ...]
    soft: tuple[float, ...]


def paths(
    parents: Mapping[Node, Sequence[Node]],
    start: Node,
    end: Node,
    values: Mapping[Node, Sequence[float]],
    quantities: int,
) -> Paths | None:
    """The statistics of all paths from `start` to `end`; None where there is no path.

    `parents[n]` lists the nodes directly before `n`, toward the start; a node listed twice is
    two edges, and so two paths. `values[n]` [quantities] is what `n` adds to the total of every
    path on it, `start` and `end` included; a node without an entry adds 0, and one without
    parents needs none. If `start` equals `end` there is one path, without edges. Only the nodes
    between `start` and `end` are read.

    `ValueError` for a cycle, for a value that is not finite, and for a node with other than
    `quantities` values; `OverflowError` for a result beyond float64. Takes time in proportion to
    edges x quantities, as long as the count has no more than thousands of digits.
    """
    parents_between = _between(parents, start, end)
    if not parents_between:
        return None
    checked = {n: _checked(n, values[n], quantities) for n in parents_between if n in values}
    order = list(TopologicalSorter(parents_between).static_order())
    path_counts = {start: 1}
    for node in order[1:]:
        path_counts[node] = sum(path_counts[parent] for parent in parents_between[node])
    summaries = [
        _summary(parents_between, order, path_counts, {n: row[q] for n, row in checked.items()})
        for q in range(quantities)
    ]
    columns = zip(*summaries, strict=True) if summaries else [()] * 5
    return Paths(log(path_counts[end]), *columns)


def _summary(
    parents: Mapping[Node, Sequence[Node]],
    order: Sequence[Node],
    path_counts: Mapping[Node, int],
    values: Mapping[Node, float],
) -> tuple[float, float, float, float, float]:
    """Mean, std, smallest, largest and soft of one quantity, at the last node of `order`."""
    ratios = {node: value.as_integer_ratio() for node, value in values.items()}
    # Denominators are powers of two, so that each divides the largest.
    unit = max([1, *(denominator for _, denominator in ratios.values())])
    multiples = {node: n * (unit // d) for node, (n, d) in ratios.items()}  # values in 1 / unit

    first, last = order[0], order[-1]
    value = multiples.get(first, 0)
    sums, squares = {first: value}, {first: value * value}  # over the paths that end in a node
    smallest, largest = {first: value}, {first: value}
    log_sums = {first: 0.0}  # ln of the sum of exp(smallest total - total), totals not in 1 / unit
    for node in order[1:]:
        above, value = parents[node], multiples.get(node, 0)
        minimum = min(smallest[p] for p in above)
        logs = [log_sums[p] - (smallest[p] - minimum) / unit for p in above]
        peak = max(logs)
        # fsum does not depend on the order.
        log_sums[node] = peak + log(fsum(exp(x - peak) for x in logs))
        smallest[node], largest[node] = minimum + value, max(largest[p] for p in above) + value
        inherited = sum(sums[p] for p in above)
        sums[node] = inherited + path_counts[node] * value
        squares[node] = sum(squares[p] for p in above) + value * (inherited + sums[node])

    scale = path_counts[last] * unit
    spread = path_counts[last] * squares[last] - sums[last] ** 2  # the variance times scale^2
    # An integer root, of 64 bits or more: in float64 the variance could over- or underflow.
    std = isqrt(spread << 128) / (scale << 64)
    lowest = smallest[last] / unit
    return sums[last] / scale, std, lowest, largest[last] / unit, lowest - log_sums[last]


def _between(
    parents: Mapping[Node, Sequence[Node]], start: Node, end: Node
) -> dict[Node, list[Node]]:
    """`parents` restricted to the nodes on paths from `start` to `end`; empty without a path."""
    children: defaultdict[Node, list[Node]] = defaultdict(list)
    upstream = _reachable(parents, end)
    for node in upstream:
        for parent in parents.get(node, ()):
            children[parent].append(node)
    between = _reachable(children, start) if start in upstream else set()
    return {node: [p for p in parents.get(node, ()) if p in between] for node in between}


def _reachable(neighbours: Mapping[Node, Sequence[Node]], origin: Node) -> set[Node]:
    """`origin` and all nodes that can be reached from it."""
    reachable, pending = {origin}, [origin]
    while pending:
        new = set(neighbours.get(pending.pop(), ())) - reachable
        reachable |= new
        pending += new
    return reachable


def _checked(node: Node, values: Sequence[float], quantities: int) -> list[float]:
    """The values as Python floats; `ValueError` unless they are finite and `quantities` many."""
    floats = [float(value) for value in values]
    if len(floats) != quantities or not all(map(isfinite, floats)):
        raise ValueError(f"{node!r} should carry {quantities} finite values, not {floats}")
    return floats
