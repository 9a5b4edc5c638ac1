"""Statistics of the paths from one node of a directed acyclic graph back to another.

A path's total is the sum of what its nodes carry. The number of paths grows exponentially with
depth, so none is ever listed: each node, in order from the input, summarises the paths that end
in it by merging its parents' summaries.

A float64 is a whole multiple of a power of two. Counts, sums and sums of squares are therefore
kept as Python's integers, which have no limit, and are exact: only the results are rounded.
Hence they depend neither on the order of parents nor on the size of the totals beside their
spread.
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
    """What `paths` found. All but `log_count` are [quantities], over the totals of the paths.

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
    carried: Mapping[Node, Sequence[float]],
    quantities: int,
) -> Paths | None:
    """The statistics of all paths from `end` back to `start`; None where there is none.

    `parents[n]` lists the nodes directly before `n`, toward the input; a node listed twice is
    two edges, and so two paths. `carried[n]` [quantities] is what `n` adds to the total of a
    path on it, `start` and `end` included; a node without an entry adds 0 and one without
    parents needs none. `start` equal to `end` is one path without edges. Only the nodes between
    `start` and `end` are looked at.

    `ValueError` for a cycle, and for a carried value that is not finite or a number of them
    other than `quantities`; `OverflowError` for a result beyond float64. Takes time in
    proportion to edges x quantities, as long as the count has no more than thousands of digits.
    """
    feeds = _between(parents, start, end)
    if not feeds:
        return None
    values = {node: _checked(node, carried[node], quantities) for node in feeds if node in carried}
    order = list(TopologicalSorter(feeds).static_order())
    count = {start: 1}
    for node in order[1:]:
        count[node] = sum(count[parent] for parent in feeds[node])
    columns = [
        _summary(feeds, order, count, {node: row[q] for node, row in values.items()})
        for q in range(quantities)
    ]
    return Paths(log(count[end]), *zip(*columns, strict=True) if columns else [()] * 5)


def _summary(
    feeds: Mapping[Node, Sequence[Node]],
    order: Sequence[Node],
    count: Mapping[Node, int],
    values: Mapping[Node, float],
) -> tuple[float, float, float, float, float]:
    """Mean, std, smallest, largest and soft of one quantity, at the last node of `order`."""
    ratios = {node: value.as_integer_ratio() for node, value in values.items()}
    unit = max([1, *(below for _, below in ratios.values())])  # powers of two: each divides it
    whole = {node: above * (unit // below) for node, (above, below) in ratios.items()}

    first, last = order[0], order[-1]
    own = whole.get(first, 0)
    total, square = {first: own}, {first: own * own}  # sums over the paths that end in a node
    low, high = {first: own}, {first: own}
    soft = {first: 0.0}  # ln of the sum of exp(lowest total - total), in ordinary units
    for node in order[1:]:
        before, own = feeds[node], whole.get(node, 0)
        lowest = min(low[p] for p in before)
        logs = [soft[p] - (low[p] - lowest) / unit for p in before]
        peak = max(logs)
        soft[node] = peak + log(fsum(exp(x - peak) for x in logs))  # fsum ignores the order
        low[node], high[node] = lowest + own, max(high[p] for p in before) + own
        partial = sum(total[p] for p in before)
        total[node] = partial + count[node] * own
        square[node] = sum(square[p] for p in before) + own * (partial + total[node])

    scale = count[last] * unit
    spread = count[last] * square[last] - total[last] ** 2  # the variance times scale squared
    # An integer root, of 64 bits or more: in float64 the variance could over- or underflow.
    std = isqrt(spread << 128) / (scale << 64)
    smallest, largest = low[last] / unit, high[last] / unit
    return total[last] / scale, std, smallest, largest, smallest - soft[last]


def _between(
    parents: Mapping[Node, Sequence[Node]], start: Node, end: Node
) -> dict[Node, list[Node]]:
    """`parents`, of and among the nodes on a path from `end` to `start`; empty without one."""
    children: defaultdict[Node, list[Node]] = defaultdict(list)
    above = _reached(parents, end)
    for node in above:
        for parent in parents.get(node, ()):
            children[parent].append(node)
    between = _reached(children, start) if start in above else set()
    return {node: [p for p in parents.get(node, ()) if p in between] for node in between}


def _reached(neighbours: Mapping[Node, Sequence[Node]], origin: Node) -> set[Node]:
    """`origin` and all nodes that can be reached from it."""
    found, open_ = {origin}, [origin]
    while open_:
        new = set(neighbours.get(open_.pop(), ())) - found
        found |= new
        open_ += new
    return found


def _checked(node: Node, row: Sequence[float], quantities: int) -> list[float]:
    """`row` as Python's floats; `ValueError` unless they are finite and `quantities` many."""
    floats = [float(value) for value in row]
    if len(floats) != quantities or not all(map(isfinite, floats)):
        raise ValueError(f"{node!r} should carry {quantities} finite values, not {floats}")
    return floats
