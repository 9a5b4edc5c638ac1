"""Steps: what a plan computes, and from what, which need not be as the text of an expression says.

A text names a value wherever values are kept or shown. By which way the value is reached is decided
here, from the text alone, so that it does not depend on what else is in the plan.
"""

from dataclasses import dataclass

from eznas.formulas.expression import Expression
from eznas.formulas.simplify import simplified
from eznas.primitives import MOMENTS, PRIMITIVES, Primitive, ValueType
from eznas.statistics.catalogue import CATALOGUE

_SPECTRA = ("eigenvalues", "singular_values")


@dataclass(frozen=True, eq=False)
class Step:
    """The computation of an expression from the values of `arguments`: its own, or, with
    `by_moments`, the matrix whose spectrum it reduces."""

    expression: Expression
    arguments: tuple[Expression, ...]
    by_moments: bool = False

    @property
    def text(self) -> str:
        """The text of the expression."""
        return self.expression.text

    @property
    def type(self) -> ValueType:
        """The type of the value."""
        return self.expression.type

    @property
    def primitive(self) -> Primitive:
        """What is applied to the arguments; `KeyError` for a statistic or a constant."""
        return (MOMENTS if self.by_moments else PRIMITIVES)[self.expression.name]


def step_of(expression: Expression) -> Step:
    """The step that computes an expression.

    A reduction of the spectrum of a positive semi-definite matrix is computed without the spectrum
    where `MOMENTS` has it; so is what simplifies to one, which has the same value to the bit.
    """
    if expression.name in MOMENTS:
        (spectrum,) = simplified(expression).arguments
        if spectrum.name in _SPECTRA and _semidefinite(spectrum.arguments[0]):
            return Step(expression, spectrum.arguments, by_moments=True)
    return Step(expression, expression.arguments)


def _semidefinite(matrix: Expression) -> bool:
    """Whether all values of an expression are known to be symmetric and positive semi-definite."""
    if not matrix.arguments:
        return CATALOGUE[matrix.name].semidefinite
    kind = PRIMITIVES[matrix.name].semidefinite
    return kind == "made" or (kind == "kept" and all(map(_semidefinite, matrix.arguments)))
