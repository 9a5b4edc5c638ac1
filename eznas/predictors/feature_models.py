"""Models of all features at once, without a formula: what features know together is a yardstick.

How scores become columns of a model is here, and kernel ridge regression; trees have their own
file.
"""

from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

# Features [fitted, features], targets [fitted] and features [networks, features] -> [networks].
FeatureModel = Callable[[Array, Array, Array], Array]

CLIPPED = 4.0  # deviations: kernels see no feature further from its mean
WIDTHS = (1.0, 2.0, 4.0, 8.0)  # of the Gaussian kernel, in median squared distances
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1)
CHOSEN_ON = 500  # networks: the two settings hardly depend on their number, the time on its cube


def predictions(model: FeatureModel, scores: Array, targets: Array) -> Array:
    """Predictions [networks] from the candidates' scores [networks, candidates], by a model that is
    fitted to the first networks, as many as there are targets [fitted].

    Networks that cannot be used (see `usable_scores`) get -inf, the lowest score, as a formula
    would give it.
    """
    scored, usable = usable_scores(scores)
    is_fitted_to = scored & (np.arange(len(scores)) < len(targets))
    result = np.full(len(scores), -np.inf)
    if is_fitted_to.any() and usable.any():
        x = scores[:, usable]
        y = targets[is_fitted_to[: len(targets)]]
        result[scored] = model(x[is_fitted_to], y, x[scored])
    return result


def usable_scores(scores: Array) -> tuple[Booleans, Booleans]:
    """The networks that most candidates score, [networks], and the candidates that score all of
    these, [candidates]; scores are [networks, candidates]."""
    scored = np.isfinite(scores).mean(1) > 0.5
    return scored, np.isfinite(scores[scored]).all(0)


def kernel_ridge(x: Array, y: Array, networks: Array) -> Array:
    """Predictions [networks] of kernel ridge regression (Saunders, Gammerman & Vovk, 1998) with a
    Gaussian kernel over standardised, clipped features [networks, features], fitted to x [fitted,
    features] and y [fitted].

    Width and penalty are those of the least squared error when each of the first `CHOSEN_ON`
    fitted networks is left out in turn, which has a closed form.
    """
    fitted, others, mean = _clipped(x, x), _clipped(networks, x), float(y.mean())
    if not fitted.shape[1]:
        return np.full(len(networks), mean)
    distances = _squared_distances(fitted, fitted)
    unit = np.median(distances[:CHOSEN_ON, :CHOSEN_ON]) or 1.0
    some_distances, some_y = distances[:CHOSEN_ON, :CHOSEN_ON] / unit, y[:CHOSEN_ON] - mean
    width, penalty = min(
        product(WIDTHS, PENALTIES), key=lambda s: _error_left_out(some_distances, some_y, *s)
    )
    kernel = np.exp(-distances / (width * unit)) + penalty * np.eye(len(y))
    weights = np.linalg.solve(kernel, y - mean)
    result: Array = mean + np.exp(-_squared_distances(others, fitted) / (width * unit)) @ weights
    return result


def _error_left_out(distances: Array, y: Array, width: float, penalty: float) -> float:
    """The mean squared error in y [networks] of kernel ridge regression that is fitted to all
    others, given squared distances [networks, networks]."""
    inverse = np.linalg.inv(np.exp(-distances / width) + penalty * np.eye(len(y)))
    return float(np.square(inverse @ y / np.diag(inverse)).mean())


def _clipped(x: Array, fitted: Array) -> Array:
    """Features [networks, features], standardised by those that are fitted to, and clipped, without
    those that do not vary."""
    # Divided by the largest before squaring: some features reach 1e43.
    means = fitted.mean(0)
    largest = np.abs(fitted - means).max(0)
    varies = largest > 1e-9 * np.abs(means)
    scaled = (fitted - means)[:, varies] / largest[varies]
    standardised = (x - means)[:, varies] / largest[varies] / scaled.std(0)
    clipped: Array = np.clip(standardised, -CLIPPED, CLIPPED)
    return clipped


def _squared_distances(a: Array, b: Array) -> Array:
    """Squared distances between rows of a [n, features] and of b [m, features]: [n, m]."""
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T
    distances: Array = np.maximum(squares, 0)
    return distances
