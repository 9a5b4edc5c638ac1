"""A table of made-up feature values, drawn or planted, for tests of fitted sums."""

from dataclasses import replace

import numpy as np

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.evolution.sums import FOLDS, Sums
from eznas.formulas.parser import parse

COUNT, CONTEXTS = 90, 2
NAMES = tuple(f"network {i}" for i in range(COUNT))
A, B, C, D, E = FEATURES = tuple(
    f"{aggregation}_layers(layer_params)" for aggregation in ("max", "mean", "min", "std", "sum")
)
CANDIDATES = [parse(text) for text in FEATURES]
_DRAW = np.random.default_rng(7)
VALUES = {text: _DRAW.normal(size=(CONTEXTS, COUNT)) for text in FEATURES}
NOISE = _DRAW.normal(size=(3, COUNT))
COMPONENTS = [_DRAW.integers(0, 30, COUNT).astype(np.int64) for _ in range(3)]


def filled(values=(), coverage=(), status=(), networks=COUNT):
    """A table whose features are filled: each of these is feature -> [contexts, networks], in place
    of `VALUES`, full coverage and a status of 0."""
    values, coverage, status = VALUES | dict(values), dict(coverage), dict(status)
    everywhere = (CONTEXTS, COUNT)

    def evaluate(shards, texts):
        answers = []
        for shard in shards:
            at = shard.context, [NAMES.index(name) for name in shard.architectures]
            answers.append(
                FeatureValues(
                    np.stack([values[text][at] for text in texts]),
                    np.stack([coverage.get(text, np.ones(everywhere))[at] for text in texts]),
                    np.stack(
                        [status.get(text, np.zeros(everywhere, int))[at] for text in texts]
                    ).astype(np.int8),
                )
            )
        return answers

    table = FeatureTable([NAMES] * CONTEXTS, evaluate)
    table.fill([parse(text) for text in values], networks)
    return table


def tasks(of=None):
    """Three tasks, two of them in context 0, whose accuracies are `of`(context's values of A, B
    ...) and some noise; by default 2 A - B + A B."""
    of = of or (lambda a, b, c, d, e: 2 * a - b + a * b)
    made = []
    for number, context in enumerate((0, 1, 0)):
        signal = of(*(VALUES[text][context] for text in FEATURES))
        made.append(Task(f"task {number}", context, signal + 0.5 * NOISE[number]))
    return made


def sums(
    table=None,
    networks=COUNT,
    of=None,
    candidates=CANDIDATES,
    components=COMPONENTS,
    spaces=("", "", ""),
    alike=False,
):
    """Fits to the made-up tasks, which are of these spaces."""
    in_spaces = [replace(t, space=s) for t, s in zip(tasks(of), spaces, strict=True)]
    return Sums(table or filled(), in_spaces, components, networks, candidates, alike)


def rows_of_folds(fits):
    """The rows of each fold, as fits use them."""
    places = fits._products._places.view(FOLDS, -1)
    return [of_fold[of_fold < len(fits.y)] for of_fold in places]
