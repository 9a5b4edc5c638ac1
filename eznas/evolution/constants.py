"""Bounded local search on the constants of a formula; its evaluations are counted."""

import math
from collections.abc import Sequence

from eznas.evaluation.feature_table import Measures
from eznas.evolution import randomness
from eznas.evolution.fitness import Task, judge
from eznas.formulas.expression import Expression


def with_constants(formula: Expression, values: Sequence[float]) -> Expression:
    """The same formula with other constants, in the order of the text."""
    left = iter(values)

    def rebuilt(node: Expression) -> Expression:
        if node.value is not None:
            return Expression(node.name, node.type, (), next(left))
        return Expression(node.name, node.type, tuple(rebuilt(a) for a in node.arguments))

    return rebuilt(formula)


def tune(
    formula: Expression,
    table: Measures,
    tasks: Sequence[Task],
    networks: int,
    rounds: int = 4,
    variants: int = 12,
) -> tuple[Expression, int]:
    """The best formula met, and how many were evaluated: `rounds` of `variants` at most.

    Each round steps log-normally from the best so far, one constant or all at once, narrower
    when nothing was gained. Constants inside measures stay: moving those costs measurements.
    """
    moving = _above_measures(formula)
    if not any(moving):
        return formula, 0
    best, evaluated, width = formula, 0, 0.5
    reached = judge([formula], table, tasks, networks)[0].fitness
    for _ in range(rounds):
        tried = [_stepped(best, moving, width) for _ in range(variants)]
        judged = judge(tried, table, tasks, networks)
        evaluated += len(tried)
        top = max(range(len(tried)), key=lambda i: judged[i].fitness)
        if judged[top].fitness > reached:
            best, reached = tried[top], judged[top].fitness
        else:
            width /= 2
    return best, evaluated


def _above_measures(formula: Expression) -> list[bool]:
    """For each constant, in the order of the text, whether it stands above all measures."""
    found: list[bool] = []

    def visit(node: Expression, above: bool) -> None:
        if node.value is not None:
            found.append(above)
        inside = above and not (node.is_feature and bool(node.statistics()))
        for argument in node.arguments:
            visit(argument, inside)

    visit(formula, True)
    return found


def _stepped(formula: Expression, moving: Sequence[bool], width: float) -> Expression:
    values = formula.constants()
    places = [i for i, m in enumerate(moving) if m]
    chosen = places if randomness.happens(0.3) else [randomness.choice(places)]
    for i in chosen:
        stepped = values[i] * 2.0 ** randomness.normal(width)
        stepped = -stepped if randomness.happens(0.02) else stepped
        values[i] = stepped if math.isfinite(stepped) else values[i]
    return with_constants(formula, values)
