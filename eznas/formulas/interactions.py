"""Interactions: short terms of one or two features, in which each is centred or scaled.

A product of raw features is hardly an interaction, since their means outweigh what varies.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from eznas.formulas.expression import Expression, call, constant


class Spread(NamedTuple):
    """A feature, with its mean and its standard deviation over the networks in hand."""

    feature: Expression
    mean: float
    deviation: float


Build = Callable[[Spread, Spread, float], Expression]  # the last: deviations from the mean


def _at(spread: Spread, deviations: float) -> Expression:
    """A value of a feature, to few digits: so many deviations from its mean."""
    return constant(_short(spread.mean + deviations * spread.deviation, spread.deviation))


def _centred(spread: Spread) -> Expression:
    return call("sub", spread.feature, _at(spread, 0.0))


def _like(first: Spread, second: Spread, shift: float) -> Expression:
    """The second feature on the scale of the first, moved by so many of its deviations."""
    factor = _short(first.deviation / second.deviation)
    level = first.mean - factor * second.mean + shift * first.deviation
    offset = _short(level, first.deviation)
    return call("add", call("mul", constant(factor), second.feature), constant(offset))


def _saturated(first: Spread, shift: float) -> Expression:
    width = constant(_short(first.deviation / 2))
    return call("sigmoid", call("div", call("sub", first.feature, _at(first, shift)), width))


# Form -> how it is built of two features (the second may be left out), and how often it is drawn.
INTERACTIONS: Mapping[str, tuple[Build, float]] = {
    "feature": (lambda a, b, shift: a.feature, 3.0),
    "log": (lambda a, b, shift: call("log", a.feature), 1.0),
    "product": (lambda a, b, shift: call("mul", a.feature, b.feature), 2.0),
    "centred product": (lambda a, b, shift: call("mul", _centred(a), _centred(b)), 2.0),
    "ratio": (lambda a, b, shift: call("div", a.feature, b.feature), 1.5),
    "min": (lambda a, b, shift: call("min", a.feature, _like(a, b, shift)), 1.5),
    "max": (lambda a, b, shift: call("max", a.feature, _like(a, b, shift)), 1.5),
    "hinge below": (lambda a, b, shift: call("min", a.feature, _at(a, shift)), 1.0),
    "hinge above": (lambda a, b, shift: call("max", a.feature, _at(a, shift)), 1.0),
    "saturation": (lambda a, b, shift: _saturated(a, shift), 0.7),
}


def _short(value: float, deviation: float = math.inf) -> float:
    """The value to three digits, or to so many more that it is off by a tenth of a deviation at
    most."""
    shorter = (float(f"{value:.{digits}g}") for digits in range(3, 17))
    return next((short for short in shorter if abs(short - value) <= deviation / 10), value)
