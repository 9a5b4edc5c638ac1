"""Interactions: short terms of one or two features, in which each is centred or scaled.

A product of raw features is hardly an interaction, since their means outweigh what varies.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from eznas.formulas.expression import Expression, call, constant
from eznas.primitives import PRIMITIVES

T = TypeVar("T")
Numbers = npt.NDArray[np.float64]


class Spread(NamedTuple, Generic[T]):
    """A feature, as an expression, with its mean and its standard deviation over the networks in
    hand; or many, as their values [features, ...], with those of each, float64 [features]."""

    feature: T
    mean: Any
    deviation: Any


# Applies a primitive, by its name, to arguments of which some are numbers.
Apply = Callable[..., Any]
# Builds an interaction of two features; the number: deviations from the mean.
Form = Callable[[Apply, Spread[Any], Spread[Any], Any], Any]


def interaction(
    form: Form, first: Spread[Expression], second: Spread[Expression], shift: float
) -> Expression:
    """The expression of an interaction. Raises `ValueTypeError` where a constant is not finite."""
    result: Expression = form(_expression, first, second, shift)
    return result


def interaction_values(
    form: Form, first: Spread[Tensor], second: Spread[Tensor], shifts: Numbers
) -> Tensor:
    """The values of interactions of one form, float64 [interactions, ...] as those of their
    features are; `shifts` [interactions]."""
    with np.errstate(over="ignore", invalid="ignore"):  # which make values that no term may have
        result: Tensor = form(_values, first, second, shifts)
    return result


def clamped(term: Expression, low: float, high: float) -> Expression:
    """The term, but `low` below and `high` above these."""
    return _expression("min", high, _expression("max", low, term))


def rounded_window(low: float, high: float) -> tuple[float, float]:
    """The bounds of a window to few digits, beside its width."""
    return _short(low, high - low), _short(high, high - low)


def _expression(name: str, *arguments: Expression | float) -> Expression:
    return call(name, *(constant(a) if isinstance(a, float) else a for a in arguments))


def _values(name: str, *arguments: Tensor | Numbers) -> Tensor:
    like = next(a for a in arguments if isinstance(a, Tensor))
    shape = (-1, *(1,) * (like.dim() - 1))
    return PRIMITIVES[name].function(
        *(a if isinstance(a, Tensor) else like.new_tensor(a).view(shape) for a in arguments)
    )


def _at(spread: Spread[Any], deviations: Any) -> Any:
    """A value of a feature, to few digits: so many deviations from its mean."""
    return _short(spread.mean + deviations * spread.deviation, spread.deviation)


def _centred(apply: Apply, spread: Spread[Any]) -> Any:
    return apply("sub", spread.feature, _at(spread, 0.0))


def _like(apply: Apply, first: Spread[Any], second: Spread[Any], shift: Any) -> Any:
    """The second feature on the scale of the first, moved by so many of its deviations."""
    factor = _short(first.deviation / second.deviation)
    level = first.mean - factor * second.mean + shift * first.deviation
    scaled = apply("mul", factor, second.feature)
    return apply("add", scaled, _short(level, first.deviation))


def _saturated(apply: Apply, first: Spread[Any], shift: Any) -> Any:
    above = apply("sub", first.feature, _at(first, shift))
    return apply("sigmoid", apply("div", above, _short(first.deviation / 2)))


FEATURE = "feature"  # the name of the form that is the first feature as it is
# How it is built of two features (the second may be left out), and how often it is drawn.
INTERACTIONS: Mapping[str, tuple[Form, float]] = {
    FEATURE: (lambda apply, a, b, shift: a.feature, 3.0),
    "log": (lambda apply, a, b, shift: apply("log", a.feature), 1.0),
    "product": (lambda apply, a, b, shift: apply("mul", a.feature, b.feature), 2.0),
    "centred product": (
        lambda apply, a, b, shift: apply("mul", _centred(apply, a), _centred(apply, b)),
        2.0,
    ),
    "ratio": (lambda apply, a, b, shift: apply("div", a.feature, b.feature), 1.5),
    "min": (lambda apply, a, b, shift: apply("min", a.feature, _like(apply, a, b, shift)), 1.5),
    "max": (lambda apply, a, b, shift: apply("max", a.feature, _like(apply, a, b, shift)), 1.5),
    "hinge below": (lambda apply, a, b, shift: apply("min", a.feature, _at(a, shift)), 1.0),
    "hinge above": (lambda apply, a, b, shift: apply("max", a.feature, _at(a, shift)), 1.0),
    "saturation": (lambda apply, a, b, shift: _saturated(apply, a, shift), 0.7),
}


def _short(value: Any, deviation: Any = math.inf) -> Any:
    """The value, or each of an array, to three digits, or to so many more that it is off by a tenth
    of its deviation at most."""
    if isinstance(value, np.ndarray):
        deviations = np.broadcast_to(deviation, value.shape).tolist()
        return np.array([_short(*pair) for pair in zip(value.tolist(), deviations, strict=True)])
    shorter = (float(f"{value:.{digits}g}") for digits in range(3, 17))
    return next((short for short in shorter if abs(short - value) <= deviation / 10), value)
