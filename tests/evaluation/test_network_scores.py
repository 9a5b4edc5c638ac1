"""Why a formula has no score on a network, by what a table holds of it."""

import numpy as np

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.network_scores import reasons_undefined, table_scores
from eznas.evaluation.status import IN_WORDS, REASONS, Status
from eznas.formulas.parser import parse

NAMES = ("fine", "thin", "infinite", "no number", "broken", "empty")


def evaluate(shards, texts):
    """One shard; the formula's one feature."""
    values = FeatureValues.missing(len(texts), len(NAMES))
    values.values[:] = [1.0, 2.0, np.inf, np.nan, np.nan, 0.0]
    values.coverage[:] = [1.0, 0.5, 1.0, 1.0, 0.0, 0.0]
    statuses = [Status.MEASURED] * 4 + [Status.FORWARD_FAILED, Status.EMPTY]
    values.status[:] = statuses
    return [values for _ in shards]


def test_reasons_are_in_words_and_by_network():
    table, formula = FeatureTable([NAMES], evaluate), parse("params * 2.0")
    tasks = [Task("d", 0, np.zeros(len(NAMES)))]
    scores = table_scores([formula], table, tasks)["d"][0]
    assert scores[0] == 2
    assert np.isnan(scores[1:5]).all()
    assert scores[5] == -np.inf
    assert reasons_undefined(formula, table, 0, NAMES, (1, 2, 3, 4)) == {
        IN_WORDS["coverage"]: ["thin"],
        IN_WORDS["infinite"]: ["infinite"],
        IN_WORDS["undefined"]: ["no number"],
        IN_WORDS["forward"]: ["broken"],
    }
    assert table.why_undefined(formula, 0, 0) == table.why_undefined(formula, 0, 5) == ""


def test_every_reason_has_words():
    assert set(REASONS.values()) < set(IN_WORDS)
