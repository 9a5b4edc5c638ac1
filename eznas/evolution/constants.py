"""Bounded local search on the constants of a formula; its evaluations are counted."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import randomness
from eznas.evolution.fitness import Reference, evaluate_fitness
from eznas.formulas.expression import Expression, call, constant, node_of

MOST_DIGITS = 17  # with which every number of float64 is printed as it is


def with_constants(formula: Expression, values: Sequence[float]) -> Expression:
    """The same formula with other constants: as many as it has, in the order of the text."""
    remaining = iter(values)

    def rebuilt(node: Expression) -> Expression:
        if node.value is not None:
            return node_of(node.name, node.type, (), next(remaining))
        return node_of(node.name, node.type, tuple(rebuilt(a) for a in node.arguments))

    return rebuilt(formula)


def tune(
    formula: Expression,
    table: FeatureTable,
    tasks: Sequence[Task],
    networks: int,
    rounds: int = 4,
    variants: int = 12,
    reference: Reference | None = None,
) -> tuple[Expression, int]:
    """The fittest variant of a formula (itself if none is fitter) on the first `networks`, and how
    many variants were evaluated, at most `rounds` x `variants`. `reference`: as `evaluate_fitness`
    takes it.

    Each round takes log-normal steps from the best variant so far, of one constant or of all, and
    halves them when nothing was gained. Constants inside features stay: changing those would mean
    evaluating new features.
    """
    is_free = _above_features(formula)
    if not any(is_free):
        return formula, 0
    best, evaluated, deviation = formula, 0, 0.5
    best_fitness = evaluate_fitness([formula], table, tasks, networks, reference)[0].fitness
    for _ in range(rounds):
        trials = [_stepped(best, is_free, deviation) for _ in range(variants)]
        results = evaluate_fitness(trials, table, tasks, networks, reference)
        evaluated += len(trials)
        fittest = max(range(len(trials)), key=lambda i: results[i].fitness)
        if results[fittest].fitness > best_fitness:
            best, best_fitness = trials[fittest], results[fittest].fitness
        else:
            deviation /= 2
    return best, evaluated


def with_digits_that_matter(
    formula: Expression, table: FeatureTable, tasks: Sequence[Task], networks: int
) -> Expression:
    """The formula with its constants rounded to the fewest significant digits, one number for all,
    with which the first `networks` of every sample have the order of their scores as before, ties
    included: so taus and fitness stay as they are. Factors of 1 are left out.

    Its features must have been filled. Constants inside features stay: they have few digits, and
    others would be new features.
    """
    is_free = _above_features(formula)
    contexts = sorted({task.context for task in tasks})
    order = _orders(formula, table, contexts, networks)
    for digits in range(1, MOST_DIGITS):
        values = [
            float(f"{value:.{digits}g}") if free else value
            for value, free in zip(formula.constants(), is_free, strict=True)
        ]
        if not np.isfinite(values).all():  # the largest number, rounded up
            continue
        shorter = _tidied(with_constants(formula, values))
        if shorter == formula or np.array_equal(_orders(shorter, table, contexts, networks), order):
            return shorter
    return formula


def _tidied(node: Expression) -> Expression:
    """The same, to the bit, without factors and divisors of 1 and without minus a negative weight,
    outside features."""
    if node.is_feature and node.statistics():
        return node
    arguments = tuple(map(_tidied, node.arguments))
    if node.name in ("mul", "div") and arguments[1].value == 1:
        return arguments[0]
    if node.name == "mul" and arguments[0].value == 1:
        return arguments[1]
    if node.name == "sub" and arguments[1].name == "mul":
        weight, *rest = arguments[1].arguments
        if weight.value is not None and weight.value < 0:
            return call("add", arguments[0], call("mul", constant(-weight.value), *rest))
    return node_of(node.name, node.type, arguments, node.value)


def _orders(
    formula: Expression, table: FeatureTable, contexts: Sequence[int], networks: int
) -> npt.NDArray[np.int64]:
    """The rank of each network among the distinct scores of its context: [contexts x networks]."""
    scores = [table.scores(formula, context, networks).values for context in contexts]
    return np.concatenate([np.unique(s, return_inverse=True)[1] for s in scores])


def _above_features(formula: Expression) -> list[bool]:
    """For each constant, in the order of the text, whether it is outside all features."""
    above_features: list[bool] = []

    def visit(node: Expression, above: bool) -> None:
        if node.value is not None:
            above_features.append(above)
        arguments_above = above and not (node.is_feature and bool(node.statistics()))
        for argument in node.arguments:
            visit(argument, arguments_above)

    visit(formula, True)
    return above_features


def _stepped(formula: Expression, is_free: Sequence[bool], deviation: float) -> Expression:
    """The formula with one of its free constants, or all of them, a random step away."""
    values = formula.constants()
    free = [i for i, value_is_free in enumerate(is_free) if value_is_free]
    for i in free if randomness.happens(0.3) else [randomness.choice(free)]:
        value = values[i] * 2.0 ** randomness.normal(deviation)
        value = -value if randomness.happens(0.02) else value
        values[i] = value if math.isfinite(value) else values[i]
    return with_constants(formula, values)
