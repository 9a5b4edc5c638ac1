"""With what probability the higher-scoring of two networks is the more accurate one.

A Bradley-Terry model (Bradley & Terry, 1952): every network has a utility, and of two the first is
more accurate with probability sigmoid(utility of the first - utility of the second). The utility
rises with the score: it is piecewise linear in the share of calibrated networks that score lower,
with slopes fitted by logistic regression and none below 0. One slope would not do: proxies tell bad
networks from good ones far better than they order the good ones.

Scores are [initialisations, networks]. The probability is the mean over initialisations, so that
one model that scores above another with some draws of the weights and below with others comes near
1/2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from eznas.errors import InputError
from eznas.metrics.resampling import bootstrap_weights, component_folds, interval
from eznas.metrics.weighted import Floats, Integers, checked

KNOTS = 51  # at which scores are turned into shares of networks
SEGMENTS, NETWORKS_PER_SEGMENT = 5, 50
FEWEST = 20  # networks, for a calibration
FOLDS = 5
STEEPEST = 100.0  # slope of a utility: where scores order networks without a fault it has no end
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # probabilities between which reliability is looked at
SUREST = 0.99  # no higher probability is given: reliability is not looked at more finely
REPLICATES = 200


@dataclass(frozen=True, eq=False)
class Curve:
    """From scores to utilities.

    `scores`: ascending, float64 [knots]; `shares` of the networks that score lower, float64
    [knots]; `utilities`, not falling, float64 [segments + 1], at equally spaced shares from 0 to 1.
    """

    scores: Floats
    shares: Floats
    utilities: Floats

    def utility(self, scores: ArrayLike) -> Floats:
        """The utility of scores [...], of the same shape; beyond the knots that of the nearest."""
        edges = np.linspace(0, 1, len(self.utilities))
        shares = np.interp(np.asarray(scores, np.float64), self.scores, self.shares)
        return np.asarray(np.interp(shares, edges, self.utilities))

    def probability(self, first: ArrayLike, second: ArrayLike) -> Floats:
        """With what probability a network with scores `first` [initialisations, ...] is more
        accurate than one with scores `second`, of the same shape: [...]."""
        return np.asarray(expit(self.utility(first) - self.utility(second)).mean(0))


def fit_curve(scores: ArrayLike, accuracies: ArrayLike, components: ArrayLike) -> Curve:
    """The curve for scores [initialisations, networks], accuracies [networks] and components
    [networks]: pairs within a component do not count.

    Raises `InputError` for shapes that do not match, for scores or accuracies that are not finite,
    and for scores that are all equal.
    """
    values, target = _finite(scores, accuracies)
    knots, shares = _shares(values.ravel())
    if knots.size < 2:
        raise InputError("all scores are equal: they order no networks")
    edges = np.linspace(0, 1, np.clip(target.size // NETWORKS_PER_SEGMENT, 1, SEGMENTS) + 1)
    first, second = _pairs(np.asarray(components))
    outcomes = _outcomes(target, first, second)
    lower, upper = edges[:-1, None, None], edges[1:, None, None]
    parts = np.clip(np.interp(values, knots, shares), lower, upper)  # [segments, seeds, networks]
    gaps = (parts[..., first] - parts[..., second]).reshape(len(parts), -1)
    slopes = _slopes(gaps, np.tile(outcomes, len(values)))
    utilities = np.concatenate([[0.0], np.cumsum(slopes * np.diff(edges))])
    return Curve(knots, shares, utilities)


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Pairs of networks with probabilities from networks of other components.

    `first`, `second`: the networks, int [pairs]; `probabilities` that the first is more accurate,
    `outcomes`: 1, 0, or 1/2 where both are equal, float64 [pairs].
    """

    first: Integers
    second: Integers
    probabilities: Floats
    outcomes: Floats

    def brier(self) -> float:
        """The mean squared error of the probabilities (Brier, 1950): 0.25 for knowing nothing."""
        return float(np.mean((self.probabilities - self.outcomes) ** 2))


def cross_validated(
    scores: ArrayLike, accuracies: ArrayLike, components: ArrayLike, seed: int = 0
) -> OutOfFold:
    """Probabilities for the pairs within each of `FOLDS` folds of whole components, by a curve of
    the other folds: for scores [initialisations, networks], accuracies [networks] and components
    [networks].

    Raises `InputError` as `fit_curve` does, and for fewer components than two for every fold.
    """
    values, target = _finite(scores, accuracies)
    labels, members = np.unique(np.asarray(components), return_inverse=True)
    if labels.size < 2 * FOLDS:
        raise InputError(f"{labels.size} different networks, expected at least {2 * FOLDS}")
    folds = component_folds(members, FOLDS, seed)
    parts = []
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds == fold), folds != fold
        curve = fit_curve(values[:, outside], target[outside], members[outside])
        i, j = _pairs(members[inside])
        first, second = inside[i], inside[j]
        probabilities = curve.probability(values[:, first], values[:, second])
        parts.append((first, second, probabilities, _outcomes(target, first, second)))
    return OutOfFold(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass(frozen=True)
class Reliability:
    """Pairs whose higher probability lies in one range: how often the network that had it was more
    accurate, with a 95 % interval over components."""

    pairs: int
    predicted: float
    observed: float
    low: float
    high: float


def reliability(
    tested: OutOfFold, components: ArrayLike, networks: NDArray[np.bool_]
) -> list[Reliability]:
    """What was predicted and what was seen, for each range of `LEVELS` that has pairs, of the pairs
    of which both networks are among `networks`, bool [networks]; components [networks]."""
    weights = bootstrap_weights(components, REPLICATES).astype(np.float64)
    swapped = tested.probabilities < 0.5
    predicted = np.where(swapped, 1 - tested.probabilities, tested.probabilities)
    right = np.where(swapped, 1 - tested.outcomes, tested.outcomes)
    counted = networks[tested.first] & networks[tested.second]
    level = np.searchsorted(LEVELS[1:-1], predicted, side="right")
    return [
        _reliability(tested, weights, predicted, right, counted & (level == k))
        for k in range(len(LEVELS) - 1)
        if (counted & (level == k)).any()
    ]


def _reliability(
    tested: OutOfFold,
    weights: Floats,
    predicted: Floats,
    right: Floats,
    chosen: NDArray[np.bool_],
) -> Reliability:
    first, second, shares = tested.first[chosen], tested.second[chosen], list[float]()
    for drawn in weights:  # one after the other: there may be hundreds of thousands of pairs
        pairs = drawn[first] * drawn[second]
        if total := pairs.sum():
            shares.append(float(pairs @ right[chosen] / total))
    low, high = interval(shares)
    return Reliability(
        int(chosen.sum()),
        float(predicted[chosen].mean()),
        float(right[chosen].mean()),
        low,
        high,
    )


def _finite(scores: ArrayLike, accuracies: ArrayLike) -> tuple[Floats, Floats]:
    values, target = checked(scores, accuracies)
    if not (np.isfinite(values).all() and np.isfinite(target).all()):
        raise InputError("expected finite scores and accuracies")
    return values, target


def _shares(scores: Floats) -> tuple[Floats, Floats]:
    """Ascending scores [knots] and the share of `scores` below each, equal ones counted half."""
    positions = np.linspace(0, 1, KNOTS)
    knots, group = np.unique(np.quantile(scores, positions), return_inverse=True)
    return knots, np.bincount(group, positions) / np.bincount(group)


def _pairs(components: Integers) -> tuple[Integers, Integers]:
    """The pairs of networks [pairs] that are in different components [networks]."""
    first, second = np.triu_indices(len(components), 1)
    different = components[first] != components[second]
    return first[different], second[different]


def _outcomes(accuracies: Floats, first: Integers, second: Integers) -> Floats:
    return np.asarray((1 + np.sign(accuracies[first] - accuracies[second])) / 2)


def _slopes(gaps: Floats, outcomes: Floats) -> Floats:
    """Slopes [segments], none below 0, of the logistic regression of outcomes [pairs] on gaps
    [segments, pairs]."""
    from scipy.optimize import minimize  # slow to import

    def loss(slopes: Floats) -> tuple[float, Floats]:
        logits = slopes @ gaps
        value = np.mean(np.logaddexp(0, logits) - outcomes * logits)
        return float(value), gaps @ (expit(logits) - outcomes) / outcomes.size

    limits = [(0.0, STEEPEST)] * len(gaps)
    start = np.full(len(gaps), 5.0)
    return np.asarray(minimize(loss, start, jac=True, bounds=limits, method="L-BFGS-B").x)
