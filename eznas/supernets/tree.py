"""Trees: a space that is split into parts, one choice at a time, by any score of parts.

Sources: Zhao et al., "Few-Shot Neural Architecture Search", ICML 2021; Hu et al., "Generalizing
Few-Shot NAS with Gradient Matching", ICLR 2022 (the widest cut); Ly-Manson et al., "Analyzing
Few-Shot Neural Architecture Search in a Metric-Driven Framework", AutoML 2024 (any score).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES, Space
from eznas.supernets.cuts import GROUPS, Cut
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
