"""Learning curves in numbers: summaries, extrapolation in closed form, and descriptions.

All take `Curves` of n networks, cut at the epoch up to which they were seen, and give float64
[n, ...] with larger is better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.curves import Curves
from eznas.errors import InputError

Floats = NDArray[np.float64]

MOMENTUM = 0.9  # of the averaged loss
SHAPES = np.geomspace(0.05, 4.0, 24)  # exponents that are tried, and 8 times as large rates
NOISE = 3.0  # percent that an accuracy may be off its curve; chosen on the three published sets


@dataclass(frozen=True)
class Summary:
    """One number of each curve: what it `reads` ("accuracy" or "train_loss"), by which `function`,
    and the paper it is from."""

    name: str
    reads: str
    function: Callable[[Curves], Floats]
    source: str


def last_value(curves: Curves) -> Floats:
    """The accuracy at the last epoch seen, in percent [n]."""
    values: Floats = _values(curves, "accuracy")[:, -1]
    return values


def sotl(curves: Curves) -> Floats:
    """Minus the sum of the training losses [n]."""
    total: Floats = _values(curves, "train_loss").sum(1)
    return -total


def sotl_e(curves: Curves) -> Floats:
    """Minus the training loss of the last epoch seen [n]."""
    last: Floats = _values(curves, "train_loss")[:, -1]
    return -last


def sotl_ema(curves: Curves) -> Floats:
    """Minus the exponential moving average of the training losses [n], `MOMENTUM` on the past."""
    losses = _values(curves, "train_loss")
    average: Floats = losses[:, 0]
    for loss in losses.T[1:]:
        average = MOMENTUM * average + (1 - MOMENTUM) * loss
    return -average


def extrapolated(curves: Curves) -> Floats:
    """The accuracy at the end of training in percent [n], from the accuracies seen so far.

    With a fixed shape s, each of c - a x^-s, c - a exp(-s x) and c - a / log(x + 1) is linear in c
    and a, so that least squares is in closed form; a is at least 0 and c at most 100. Predictions
    over families and shapes are averaged with weights exp(-SSE / 2 `NOISE`^2). A learning rate that
    restarts makes accuracy a saw: cut the curves at the end of a cycle.
    """
    accuracies = _values(curves, "accuracy")
    predictions, errors = [], []
    for basis, at_the_end in _bases(curves.epochs, curves.total_epochs):
        prediction, error = _closed_form(basis, at_the_end, accuracies)
        predictions.append(prediction)
        errors.append(error)
    squared = np.array(errors)  # [fits, n]
    weights = np.exp(-(squared - squared.min(0)) / (2 * NOISE**2))
    averaged: Floats = (weights * np.array(predictions)).sum(0) / weights.sum(0)
    return averaged


def described(curves: Curves) -> Floats:
    """What a regressor reads of curves: float64 [n, columns].

    Of every quantity that is known (accuracy, training loss): the last value, the mean and the
    standard deviation of the curve, and of its first and second differences (Baker et al., 2018).
    """
    columns = []
    for name in sorted(curves.values):
        values = curves.values[name]
        columns.append(values[:, -1])
        for order in range(3):
            if values.shape[1] > order:
                difference = np.diff(values, order, axis=1)
                columns += [difference.mean(1), difference.std(1)]
    return np.stack(columns, 1)


def _values(curves: Curves, name: str) -> Floats:
    """The values [n, points] of one quantity; `InputError` where the curves have none."""
    if name not in curves.values:
        raise InputError(f"curves {curves.name}: expected {name}, have {', '.join(curves.values)}")
    return curves.values[name]


def _bases(epochs: NDArray[np.int64], total: int) -> list[tuple[Floats, float]]:
    """The decreasing part of each family and shape, at the epochs seen [points] and at the end."""
    powers = [(epochs**-s, float(total) ** -s) for s in SHAPES]
    decays = [(np.exp(-8 * s * epochs / total), float(np.exp(-8 * s))) for s in SHAPES]
    logarithm = (1 / np.log(epochs + 1), float(1 / np.log(total + 1)))
    return [*powers, *decays, logarithm]


def _closed_form(basis: Floats, at_the_end: float, accuracies: Floats) -> tuple[Floats, Floats]:
    """Least squares of c - a basis: the prediction at the end [n] and the squared error [n]."""
    centred = basis - basis.mean()
    means = accuracies.mean(1)
    size = (centred**2).sum()
    a = np.zeros(len(accuracies)) if size < 1e-12 else -(accuracies @ centred) / size
    a = np.maximum(a, 0.0)
    c = np.minimum(means + a * basis.mean(), 100.0)
    # With c at its bound the best a is that through it.
    bounded = (basis * (100.0 - accuracies)).sum(1) / (basis**2).sum()
    a = np.where(c >= 100.0, np.maximum(bounded, 0.0), a)
    error = ((c[:, None] - a[:, None] * basis - accuracies) ** 2).sum(1)
    return c - a * at_the_end, error


_ROWS = (
    Summary("last_value", "accuracy", last_value, "Zhou et al., 2020 (EcoNAS): low fidelity"),
    Summary("sotl", "train_loss", sotl, "Ru et al., 2021 (sum of training losses)"),
    Summary("sotl_e", "train_loss", sotl_e, "Ru et al., 2021 (last epoch's training loss)"),
    Summary("sotl_ema", "train_loss", sotl_ema, "Ru et al., 2021 (moving average)"),
    Summary("extrapolated", "accuracy", extrapolated, "Domhan et al., 2015, in closed form"),
)
SUMMARIES = {summary.name: summary for summary in _ROWS}
