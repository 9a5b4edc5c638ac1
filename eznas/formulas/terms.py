"""A formula as a weighted sum: the terms that it adds up, with the constants that weigh them."""

import math

from eznas.formulas.expression import Expression

_SIGNS = {"add": (1.0, 1.0), "sub": (1.0, -1.0), "neg": (-1.0,)}


def weighted_terms(formula: Expression) -> tuple[dict[Expression, float], float]:
    """The terms of a formula with their weights, in the order of its canonical text, and the
    constant that it adds to them: the formula is the sum of weight times term, plus the constant.

    A term that stands twice has the sum of its weights. A formula that is no sum is one term.
    """
    weights: dict[Expression, float] = {}
    constant = 0.0

    def visit(node: Expression, weight: float) -> None:
        nonlocal constant
        numbers = [a.value for a in node.arguments if a.value is not None]
        if node.name in _SIGNS:
            for argument, sign in zip(node.arguments, _SIGNS[node.name], strict=True):
                visit(argument, sign * weight)
        elif node.name == "mul" and len(numbers) == 1:
            [factor] = (a for a in node.arguments if a.value is None)
            visit(factor, math.prod(numbers) * weight)
        elif node.value is not None:
            constant += weight * node.value
        else:
            weights[node] = weights.get(node, 0.0) + weight

    visit(formula.canonical, 1.0)
    return weights, constant


def terms(formula: Expression) -> list[Expression]:
    """What a formula adds up, without signs, weights and duplicates."""
    return [term for term in weighted_terms(formula)[0] if term.statistics()]
