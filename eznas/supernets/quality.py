"""What lies in the parts of a space: accuracies of each leaf, and of the one that a rule picks.

Everything is a function of arrays over networks whose accuracies are known: `accuracies` float64
[networks] in percent, and `leaf_of` int64 [networks], the index of each network's leaf.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.metrics import kendall
from eznas.supernets.members import shares_below
from eznas.supernets.parts import Allowed, inside

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

TOP = 0.01  # the share of networks that are the best


@dataclass(frozen=True)
class LeafQuality:
    """What lies in a leaf; None where it holds no network.

    `networks`, and their `share` of all; `mean`, `median` and `best` accuracy; `top`: the share of
    the space's best networks (see `top_networks`) that are in the leaf; `enrichment`: `top` divided
    by `share`; `tau`: Kendall's of the proxy within the leaf (None also where not asked for).
    """

    networks: int
    share: float
    mean: float | None
    median: float | None
    best: float | None
    top: float
    enrichment: float | None
    tau: float | None = None


@dataclass(frozen=True)
class Pick:
    """What the leaf that a rule picks is worth.

    `leaf`: its index (None: `random` picks each with the same probability, and the numbers are
    means); `share`, `top` and `enrichment` as in `LeafQuality`; `regret`: the best accuracy of the
    space minus that of the leaf, in points; `lost`: the `top` of the oracle's leaf minus that of
    this one.
    """

    rule: str
    leaf: int | None
    share: float
    top: float
    enrichment: float
    regret: float
    lost: float


@dataclass(frozen=True)
class Quality:
    """What lies in the leaves of a tree on one data set. `eta_squared`: the share of the variance
    of accuracies that is between leaves; `tau`: of the proxy on all networks (None: not known)."""

    dataset: str
    leaves: tuple[LeafQuality, ...]
    picks: tuple[Pick, ...]
    eta_squared: float
    tau: float | None = None


def leaf_indices(choices: Integers, leaves: Sequence[Allowed]) -> Integers:
    """The index of the leaf of each network, int64 [networks]; `choices` [networks, positions]: as
    `parts.numbered` gives them. Every network is in exactly one of the leaves of a tree."""
    members = np.stack([inside(choices, allowed) for allowed in leaves])
    assert (members.sum(axis=0) == 1).all(), "leaves are disjoint and complete"
    return np.asarray(members.argmax(axis=0))


def top_networks(accuracies: Floats) -> Booleans:
    """Which networks are among the best `TOP` of all, and those as accurate as the last of these:
    bool [networks]."""
    count = math.ceil(TOP * len(accuracies))
    return np.asarray(accuracies >= np.sort(accuracies)[-count])


def eta_squared(accuracies: Floats, leaf_of: Integers) -> float:
    """The share of the variance of accuracies [networks] that is between leaves [networks]; 0 where
    all are equal (Fisher, 1925)."""
    total = float(((accuracies - accuracies.mean()) ** 2).sum())
    within = sum(
        float(((accuracies[leaf_of == i] - accuracies[leaf_of == i].mean()) ** 2).sum())
        for i in np.unique(leaf_of)
    )
    return 1.0 - within / total if total > 0 else 0.0


def quality(
    dataset: str,
    accuracies: Floats,
    leaf_of: Integers,
    own_scores: Sequence[float],
    scores: Floats | None = None,
) -> Quality:
    """What lies in the leaves, and what each rule picks.

    `own_scores`: a number for each leaf, by which the rule `score` picks the highest; `scores`
    [networks]: of the proxy, -inf where lowest and NaN where a network was not scored; without them
    there are no `members` (the leaf with the highest mean rank) and `best member`. `oracle`: the
    leaf with most of the top, of equal ones the smallest. `random`: any.
    """
    top = top_networks(accuracies)
    leaves = tuple(_leaf(leaf_of == i, accuracies, top, scores) for i in range(len(own_scores)))
    oracle = max(range(len(leaves)), key=lambda i: (leaves[i].top, -leaves[i].share))
    chosen = {"score": _highest(own_scores)}
    if scores is not None:
        chosen |= _by_members(leaf_of, len(leaves), scores)
    chosen |= {"oracle": oracle}
    best = float(accuracies.max())
    picks = [_pick(rule, leaves, i, oracle, best) for rule, i in chosen.items()]
    picks.append(_random_pick(leaves, oracle, best))
    tau = _tau(scores, accuracies)
    return Quality(dataset, leaves, tuple(picks), eta_squared(accuracies, leaf_of), tau)


def mean_ranks(scores: Floats) -> Floats:
    """Average ranks of scores [networks] among themselves, as shares from 0 to 1."""
    return shares_below(scores, np.sort(scores))


def _leaf(
    members: Booleans, accuracies: Floats, top: Booleans, scores: Floats | None
) -> LeafQuality:
    here, share = accuracies[members], float(members.mean())
    held = float(top[members].sum() / top.sum())
    if not len(here):
        return LeafQuality(0, 0.0, None, None, None, 0.0, None)
    tau = None if scores is None else _tau(scores[members], here)
    return LeafQuality(
        *(len(here), share, float(here.mean()), float(np.median(here)), float(here.max())),
        *(held, held / share, tau),
    )


def _by_members(leaf_of: Integers, leaves: int, scores: Floats) -> Mapping[str, int]:
    scored = ~np.isnan(scores)
    ranks, leaf_of = mean_ranks(scores[scored]), leaf_of[scored]
    groups = [ranks[leaf_of == i] for i in range(leaves)]
    return {
        "members": _highest([float(g.mean()) if len(g) else -math.inf for g in groups]),
        "best member": int(leaf_of[int(ranks.argmax())]),
    }


def _pick(rule: str, leaves: Sequence[LeafQuality], index: int, oracle: int, best: float) -> Pick:
    leaf = leaves[index]
    regret = best - (leaf.best if leaf.best is not None else 0.0)
    lost = leaves[oracle].top - leaf.top
    return Pick(rule, index, leaf.share, leaf.top, leaf.enrichment or 0.0, regret, lost)


def _random_pick(leaves: Sequence[LeafQuality], oracle: int, best: float) -> Pick:
    picks = [_pick("", leaves, i, oracle, best) for i, leaf in enumerate(leaves) if leaf.networks]
    names = ("share", "top", "enrichment", "regret", "lost")
    means = [float(np.mean([getattr(pick, name) for pick in picks])) for name in names]
    return Pick("random", None, *means)


def _highest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda i: values[i])


def _tau(scores: Floats | None, accuracies: Floats) -> float | None:
    """Kendall's tau on the networks that have a score; None where it is undefined."""
    if scores is None:
        return None
    scored = ~np.isnan(scores)
    tau = kendall(scores[scored], accuracies[scored])
    return tau if math.isfinite(tau) else None
