"""Candidates with planted values, and a task that a weighted sum of three ranks perfectly."""

import numpy as np
from scipy.stats import norm

from eznas.benchmarks import Task
from eznas.formulas.parser import parse
from tests.evolution.made_up import NAMES, MadeUp, drawn, table_of

COUNT = len(NAMES)
AGGREGATIONS = ("sum", "mean", "std", "min", "max")
CANDIDATES = [
    parse(f"{aggregation}_layers({statistic})")
    for aggregation in AGGREGATIONS
    for statistic in ("layer_params", "layer_flops")
]
A, B, C, *OTHERS = (candidate.text for candidate in CANDIDATES)


def normal_draws(text):
    """A number from a normal distribution for each of `NAMES`, which depends on the text alone."""
    return norm.ppf([drawn("column", text, name) for name in NAMES])


# Accuracies whose normal scores are exactly A / 1e6 - B / 2 + 1000 C, at very unequal scales.
QUANTILES = norm.ppf((np.argsort(normal_draws("order")) + 0.5) / COUNT)
PLANTED = {A: 1e6 * normal_draws(A), B: normal_draws(B)}
PLANTED[C] = 1e-3 * (QUANTILES - normal_draws(A) + 0.5 * normal_draws(B))
ACCURACIES = np.exp(QUANTILES)  # any increasing function: only the order counts
TASKS = [Task("task", 0, ACCURACIES)]

SIGNS = np.where(np.arange(COUNT) % 2 == 0, 1.0, -1.0)
# A product and a square that rank the networks perfectly, of features that hardly do.
PRODUCT = {A: 5e6 + 1e3 * SIGNS, B: 7 + 1e-4 * SIGNS * QUANTILES}
SQUARE = {A: 1e5 + SIGNS * np.sqrt(QUANTILES - QUANTILES.min())}


def filled(planted=(), candidates=CANDIDATES, networks=COUNT, contexts=1):
    """A table of the candidates' features; planted values are the same in all contexts."""
    table = table_of(MadeUp(PLANTED | dict(planted), faults=False), contexts)
    table.fill(candidates, networks)
    return table
