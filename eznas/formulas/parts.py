"""The parts of a formula: the terms that it adds up, or the factors that it multiplies."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch

from eznas.formulas.expression import Expression, call, constant
from eznas.formulas.terms import weighted_terms
from eznas.primitives import PRIMITIVES


@dataclass(frozen=True)
class Parts:
    """A formula, up to a constant that it adds: a "sum" of weight times part, a "product" of parts
    (times a number with the sign of `sign`), or a "single" part."""

    kind: Literal["sum", "product", "single"]
    parts: tuple[Expression, ...]
    weights: tuple[float, ...]
    sign: float = 1.0

    @staticmethod
    def of(formula: Expression) -> "Parts":
        """The parts of a formula that names a statistic, in the order of its canonical text."""
        weights, _ = weighted_terms(formula)
        weights = {term: weight for term, weight in weights.items() if term.statistics()}
        if len(weights) > 1:
            return Parts("sum", tuple(weights), tuple(weights.values()))
        [(term, weight)] = weights.items()
        factors = _factors(term)
        parts = [factor for factor in factors if factor.statistics()]
        if len(parts) < 2:
            return Parts("single", (term,), (weight,))
        signs = [math.copysign(1.0, f.value) for f in factors if f.value is not None]
        sign = math.prod(signs) * math.copysign(1.0, weight)
        return Parts("product", tuple(parts), (1.0,) * len(parts), sign)

    def without(self, dropped: Collection[int]) -> Expression:
        """The formula without the parts of these numbers; one at least is left."""
        kept = [i for i in range(len(self.parts)) if i not in dropped]
        if self.kind == "product":
            product = reduce(lambda x, y: call("mul", x, y), [self.parts[i] for i in kept])
            return product if self.sign > 0 else call("neg", product)
        return weighted_sum({self.parts[i]: self.weights[i] for i in kept})

    def alone(self, index: int) -> Expression:
        """A part by itself, with the sign of its weight."""
        return weighted_sum({self.parts[index]: self.weights[index]})


def weighted_sum(weights: Mapping[Expression, float]) -> Expression:
    """The formula that adds up terms, one at least, times their weights."""
    terms = [t if w == 1 else call("mul", constant(w), t) for t, w in weights.items()]
    return reduce(lambda total, term: call("add", total, term), terms)


def with_numbers(node: Expression, constants: Mapping[str, float]) -> Expression:
    """A formula with numbers in place of features (by their texts); arithmetic with numbers alone
    is carried out."""
    if node.text in constants:
        return constant(float(f"{constants[node.text]:.6g}"))
    if node.is_feature or not node.arguments:
        return node
    arguments = [with_numbers(argument, constants) for argument in node.arguments]
    if all(argument.value is not None for argument in arguments):
        numbers = [torch.tensor(argument.value, dtype=torch.float64) for argument in arguments]
        return constant(float(PRIMITIVES[node.name](*numbers)))
    return call(node.name, *arguments)


def _factors(term: Expression) -> list[Expression]:
    """What a term multiplies, and the reciprocals of what it divides by."""
    if not term.is_feature and term.name == "mul":
        return [factor for argument in term.arguments for factor in _factors(argument)]
    if not term.is_feature and term.name == "div":
        numerator, denominator = term.arguments
        return [*_factors(numerator), call("reciprocal", denominator)]
    return [term]
