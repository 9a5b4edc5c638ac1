"""How a tree grows: which leaf is split next, and at which position."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from eznas.spaces import Space
from eznas.supernets.cuts import Comparison, Cut, PartScore, best_cut, finite
from eznas.supernets.parts import Allowed, everything, restricted
from eznas.supernets.tree import Node, Rules

Watch = Callable[[int, int], None]  # leaves so far, and in all


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
