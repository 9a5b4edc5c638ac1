"""Trees: a space that is split into parts, one choice at a time, by any score of parts.

Sources: Zhao et al., "Few-Shot Neural Architecture Search", ICML 2021; Hu et al., "Generalizing
Few-Shot NAS with Gradient Matching", ICLR 2022 (the widest cut); Ly-Manson et al., "Analyzing
Few-Shot Neural Architecture Search in a Metric-Driven Framework", AutoML 2024 (any score).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES, Space
from eznas.supernets.cuts import GROUPS, Comparison, Cut, PartScore, best_cut, finite
from eznas.supernets.members import Scores
from eznas.supernets.parts import (
    Allowed,
    checked,
    everything,
    numbered,
    part,
    restricted,
    size,
)
from eznas.supernets.quality import Quality, leaf_indices, quality

EDGES = ("given", "random", "widest")
NEXT = ("level", "widest", "best")
Watch = Callable[[int, int], None]  # leaves so far, and in all


@dataclass(frozen=True)
class Rules:
    """How a tree grows.

    `leaves`: how many, fewer where nothing is left to cut. `edges`: which position is cut:
    "given" (level by level those of `positions`, or all in order), "random" (level by level in an
    order drawn with `seed`) or "widest" (of the positions that are whole in a part, the one with
    the highest cut value). `groups`: "free" or "balanced" (see `best_cut`). `next`: which leaf is
    split next: one of the highest "level", and there the one with the widest cut; the one with the
    "widest" cut; or the one with the "best" score. `stop`: a cut of less than this share of the
    root's value is not made. Raises `InputError` for what these cannot be.
    """

    leaves: int = 8
    edges: str = "given"
    groups: str = "free"
    next: str = "level"
    stop: float = 0.0
    positions: tuple[int, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        for what, value, known in (
            ("edges", self.edges, EDGES),
            ("groups", self.groups, GROUPS),
            ("next leaf", self.next, NEXT),
        ):
            if value not in known:
                raise unknown(what, value, known)
        if self.leaves < 1:
            raise InputError(f"leaves {self.leaves}: expected 1 or more")
        if not 0 <= self.stop <= 1:
            raise InputError(f"stop {self.stop}: expected a share from 0 to 1")

    def check(self, space: Space) -> None:
        """`InputError` for positions that a space does not have."""
        for position in self.positions:
            if not 0 <= position < len(space.positions):
                expected = f"expected 0 to {len(space.positions) - 1}"
                raise InputError(f"position {position}: {expected}")


@dataclass(frozen=True)
class Node:
    """A part in a tree: its allowed options, its score (None where lowest), and how it is cut; a
    leaf is not."""

    allowed: Allowed
    score: float | None = None
    cut: Cut | None = None
    children: tuple["Node", ...] = ()

    def leaves(self) -> Iterator["Node"]:
        """The leaves below, from left to right; a leaf itself."""
        if self.cut is None:
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(frozen=True)
class Tree:
    """A space in parts, by the name of the space; `proxy`, `by` and `rules` say how it was made.

    Every architecture of the space is in one leaf and no other. Raises `InputError` for a space
    that is unknown, and where a node's children do not share out its options.
    """

    space: str
    proxy: str
    root: Node
    by: str = "supernet"
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise unknown("space", self.space, SPACES)
        if self.root.allowed != everything(SPACES[self.space]):
            raise InputError(f"tree of {self.space}: its root does not have all options")
        _check(SPACES[self.space], self.root)

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The leaves from left to right."""
        return tuple(self.root.leaves())

    @property
    def parts(self) -> tuple[Space, ...]:
        """The leaves as search spaces."""
        return tuple(part(SPACES[self.space], leaf.allowed) for leaf in self.leaves)

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """How many architectures are in each leaf; see `parts.size`."""
        return tuple(size(SPACES[self.space], leaf.allowed) for leaf in self.leaves)

    @property
    def partition(self) -> frozenset[Allowed]:
        """The allowed options of all leaves: equal for trees of the same parts."""
        return frozenset(leaf.allowed for leaf in self.leaves)

    @property
    def chosen(self) -> int:
        """The index of the leaf with the highest score, the first of equal ones."""
        scores = [_key(leaf.score) for leaf in self.leaves]
        return scores.index(max(scores))

    def quality(self, dataset: str = "", scores: Scores | None = None) -> Quality:
        """What lies in the leaves on a data set of the space ("": its first), by the accuracies of
        its benchmark; see `quality.quality`.

        `scores(architectures)`: of the proxy, float64 [networks]. Raises `InputError` for an
        unknown data set, and for a space without accuracies here.
        """
        benchmark = load(self.space, [dataset or SPACES[self.space].datasets[0]])
        return qualities(self, benchmark, scores)[0]


def qualities(tree: Tree, benchmark: Benchmark, scores: Scores | None = None) -> list[Quality]:
    """What lies in the leaves of a tree on each data set of a benchmark of its space.

    `scores(architectures)`: of the proxy, float64 [networks], without which a leaf has no tau and
    some rules pick none. Networks without an accuracy are left out.
    """
    choices = numbered(SPACES[tree.space], benchmark.architectures)
    leaf_of = leaf_indices(choices, [leaf.allowed for leaf in tree.leaves])
    proxy_scores = None if scores is None else scores(benchmark.architectures)
    rows = []
    for dataset, accuracies in benchmark.accuracies.items():
        known = ~np.isnan(accuracies)
        here = None if proxy_scores is None else proxy_scores[known]
        own = [_key(leaf.score) for leaf in tree.leaves]
        rows.append(quality(dataset, accuracies[known], leaf_of[known], own, here))
    return rows


def grow(
    space: Space,
    compare: Comparison,
    score: PartScore,
    rules: Rules,
    watch: Watch | None = None,
) -> Node:
    """The root of the tree of a space in SPACES; `compare`: the options of a position, `score`: of
    a leaf. Raises `InputError` for positions that are none, and as `compare` and `score` do."""
    rules.check(space)
    cutter = _Cutter(space, compare, rules)
    open_leaves = [_Leaf(everything(space), 0)]
    closed: list[_Leaf] = []
    least = -math.inf
    splits: dict[Allowed, tuple[Cut, tuple[Allowed, ...]]] = {}
    while open_leaves and len(open_leaves) + len(closed) < rules.leaves:
        for leaf in open_leaves:
            if leaf.cut is None:
                leaf.cut = cutter(leaf.allowed, leaf.level)
        stuck = [a for a in open_leaves if a.cut is None or a.cut.value < least]
        closed += stuck
        open_leaves = [leaf for leaf in open_leaves if leaf not in stuck]
        if not open_leaves:
            break
        leaf = min(open_leaves, key=lambda leaf: _turn(leaf, rules.next, score))
        open_leaves.remove(leaf)
        assert leaf.cut is not None
        if leaf.level == 0:
            least = rules.stop * leaf.cut.value
        parts = tuple(restricted(leaf.allowed, leaf.cut.position, g) for g in leaf.cut.groups)
        splits[leaf.allowed] = leaf.cut, parts
        open_leaves += [_Leaf(allowed, leaf.level + 1) for allowed in parts]
        if watch is not None:
            watch(len(open_leaves) + len(closed), rules.leaves)
    return _assembled(everything(space), splits, score)


@dataclass(eq=False)
class _Leaf:
    allowed: Allowed
    level: int
    cut: Cut | None = None


def _turn(leaf: _Leaf, rule: str, score: PartScore) -> tuple[float, ...]:
    """A key: the leaf with the lowest is split next."""
    assert leaf.cut is not None
    if rule == "best":
        return (-score(leaf.allowed),)
    return (leaf.level, -leaf.cut.value) if rule == "level" else (-leaf.cut.value,)


class _Cutter:
    """Finds the cut of a part on a level; None where every position has one option."""

    def __init__(self, space: Space, compare: Comparison, rules: Rules) -> None:
        self._whole, self._compare, self._rules = everything(space), compare, rules
        order = rules.positions or tuple(range(len(space.positions)))
        if rules.edges == "random":
            generator = np.random.default_rng(rules.seed)
            order = tuple(order[i] for i in generator.permutation(len(order)))
        self._order = order

    def __call__(self, allowed: Allowed, level: int) -> Cut | None:
        start = level % len(self._order)
        in_turn = self._order[start:] + self._order[:start]
        positions = [position for position in in_turn if len(allowed[position]) > 1]
        if self._rules.edges == "widest":
            whole = [p for p in positions if allowed[p] == self._whole[p]]
            cuts = [self._cut(allowed, position) for position in sorted(whole or positions)]
            return max(cuts, key=lambda cut: cut.value, default=None)
        return self._cut(allowed, positions[0]) if positions else None

    def _cut(self, allowed: Allowed, position: int) -> Cut:
        distances, cut = self._compare(allowed, position)
        groups, value = best_cut(distances, self._rules.groups == "balanced")
        options = allowed[position]
        named = tuple(tuple(options[i] for i in group) for group in groups)
        return replace(cut, groups=named, value=value)


def _assembled(
    allowed: Allowed,
    splits: dict[Allowed, tuple[Cut, tuple[Allowed, ...]]],
    score: PartScore,
) -> Node:
    if allowed not in splits:
        return Node(allowed, finite(score(allowed)))
    cut, parts = splits[allowed]
    children = tuple(_assembled(child, splits, score) for child in parts)
    return Node(allowed, cut.reference, cut, children)


def random_tree(space: Space, leaves: int, seed: int) -> Node:
    """The root of a tree whose positions, one for each level, and groups are drawn at random, each
    cut as likely as another; its leaves have random scores."""
    generator = np.random.default_rng(seed)

    def compare(allowed: Allowed, position: int) -> tuple[np.ndarray, Cut]:
        options = len(allowed[position])
        in_first = generator.integers(2 ** (options - 1) - 1)  # one is always in the second group
        second = [1, *(int(in_first) >> i & 1 for i in range(options - 1))]
        apart = np.not_equal.outer(second, second)
        return apart.astype(float), Cut(position, (), 0.0)

    rules = Rules(leaves, edges="random", seed=int(generator.integers(2**32)))
    return grow(space, compare, lambda _: float(generator.random()), rules)


def _check(space: Space, node: Node) -> None:
    checked(space, node.allowed)
    if node.cut is None:
        if node.children:
            raise InputError(f"tree of {space.name}: a node has children but no cut")
        return
    position = node.cut.position
    is_there = 0 <= position < len(node.allowed)
    shared_out = sorted(option for group in node.cut.groups for option in group)
    parts = [restricted(node.allowed, position, g) for g in node.cut.groups] if is_there else []
    matches = parts == [child.allowed for child in node.children]
    if not matches or shared_out != list(node.allowed[position]):
        raise InputError(
            f"tree of {space.name}: the groups {_listed(node.cut.groups)} of position {position} "
            "do not share out its options among the children"
        )
    for child in node.children:
        _check(space, child)


def _listed(groups: Sequence[Sequence[int]]) -> str:
    return " | ".join(",".join(map(str, group)) for group in groups)


def _key(score: float | None) -> float:
    return -math.inf if score is None else score
