"""The table of measures: every measure once on every shard, whatever asks for it and when."""

import numpy as np
import pytest

from eznas.evaluation.feature_table import SHARD, FeatureTable, JoinedTable, refill
from eznas.evaluation.status import OF_FORMULAS
from eznas.formulas.parser import parse

NAMES = tuple(f"network {i}" for i in range(2 * SHARD + 3))  # the last shard is not full
NORMS = "sum_layers(norm(weight + 1))"


class _Workers:
    """Evaluates by rule: setting, measure and network make the value; keeps what was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, shards, texts):
        self.asked += [(number, text) for number, _ in shards for text in texts]
        assert all(own == NAMES[n * SHARD : n * SHARD + SHARD] for n, own in shards)
        networks = [NAMES.index(name) for _, own in shards for name in own]
        rows = [[[s * 1000 + len(t) + n for n in networks] for t in texts] for s in range(2)]
        values = np.array(rows, dtype=float)
        return values, np.ones_like(values)


@pytest.fixture
def workers():
    return _Workers()


@pytest.fixture
def table(workers):
    return FeatureTable(NAMES, workers)


def test_scores_are_those_of_the_setting_and_the_first_networks(table):
    formula = parse("params * 2")
    table.fill([formula], 5)
    np.testing.assert_array_equal(table.scores(formula, 0, 5).values, 2 * (6 + np.arange(5)))
    np.testing.assert_array_equal(table.scores(formula, 1, 5).values, 2 * (1006 + np.arange(5)))


def test_shards_are_whole_and_evaluated_once(table, workers):
    assert table.fill([parse("params")], 1) > 0
    assert workers.asked == [(0, "params")]
    assert table.fill([parse("params + 1"), parse("log(params)")], SHARD) == 0
    assert workers.asked == [(0, "params")]


def test_growth_adds_shards(table, workers):
    formula = parse("params")
    table.fill([formula], SHARD)
    table.fill([formula], SHARD + 1)
    table.fill([formula], len(NAMES))
    assert workers.asked == [(0, "params"), (1, "params"), (2, "params")]
    values = table.scores(formula, 0, len(NAMES)).values
    np.testing.assert_array_equal(values, 6 + np.arange(len(NAMES)))


def test_a_late_measure_catches_up(table, workers):
    table.fill([parse("params")], len(NAMES))
    workers.asked.clear()
    both = parse(f"params + {NORMS}")
    table.fill([both], SHARD + 1)
    text = parse(NORMS).canonical.text
    assert workers.asked == [(0, text), (1, text)]
    expected = 6 + len(text) + 2 * np.arange(SHARD + 1)
    np.testing.assert_array_equal(table.scores(both, 0, SHARD + 1).values, expected)


def test_one_spelling_of_a_measure_is_enough(table, workers):
    table.fill([parse(NORMS), parse("sum_layers(norm(1 + weight)) * 3")], 1)
    assert len(workers.asked) == len(table) == 1


def test_order_of_growth_does_not_matter(workers):
    formulas = [parse("params"), parse(NORMS)]
    at_once, step_by_step = FeatureTable(NAMES, workers), FeatureTable(NAMES, workers)
    at_once.fill(formulas, len(NAMES))
    for networks in (1, SHARD, 2 * SHARD, len(NAMES)):
        step_by_step.fill(formulas[: 1 + networks // SHARD], networks)
    for f in formulas:
        a, b = (t.scores(f, 1, len(NAMES)).values for t in (at_once, step_by_step))
        np.testing.assert_array_equal(a, b)


def test_joined_tables_count_their_settings_through():
    first, second = _Workers(), _Workers()
    joined = JoinedTable([FeatureTable(NAMES, first), FeatureTable(NAMES[:9], second)], [2, 2])
    assert joined.networks == 9
    formula = parse("params")
    pairs = joined.fill(iter([formula]), SHARD)
    assert first.asked == second.asked == [(0, "params")]
    assert pairs == 2 * SHARD
    for setting, start in enumerate((6, 1006, 6, 1006)):
        values = joined.scores(formula, setting, 5).values
        np.testing.assert_array_equal(values, start + np.arange(5))
    assert len(joined) == 1
    assert joined.fill([formula], SHARD) == 0


class _Refusing(_Workers):
    """As the rule says, but no worker survives the norms."""

    def __call__(self, shards, texts):
        values, coverage = super().__call__(shards, texts)
        for row in (i for i, t in enumerate(texts) if "norm" in t):
            values[:, row], coverage[:, row] = np.nan, OF_FORMULAS["killed"]
        return values, coverage


def test_what_cannot_be_evaluated_is_not_tried_again():
    workers = _Refusing()
    table = FeatureTable(NAMES, workers, 2)
    formulas = [parse(NORMS), parse("params")]
    table.fill(formulas, SHARD)
    (text,) = table.refused()
    assert table.refused() == {text: "killed"}
    assert table.fill(formulas, len(NAMES)) == len(NAMES) - SHARD  # pairs: of params alone
    assert [n for n, t in workers.asked if t == text] == [0]
    for setting in (0, 1):
        scores = table.scores(parse(NORMS), setting, len(NAMES))
        assert (scores.reason, len(scores.values)) == ("killed", len(NAMES))
    assert table.filled() == {text: len(NAMES), "params": len(NAMES)}


def test_a_table_is_refilled_as_it_was():
    first = FeatureTable(NAMES, _Refusing(), 2)
    first.fill([parse("params")], len(NAMES))
    first.fill([parse(NORMS), parse("operations")], SHARD + 1)
    workers = _Refusing()
    second = FeatureTable(NAMES, workers, 2)
    refill(second, first.filled(), first.refused())
    assert second.filled() == first.filled()
    assert second.refused() == first.refused()
    assert not any("norm" in t for _, t in workers.asked)
    for formula in map(parse, ("params", "operations", NORMS)):
        for setting in (0, 1):
            one, other = (t.scores(formula, setting, SHARD + 1) for t in (first, second))
            np.testing.assert_array_equal(one.values, other.values)
            assert one.reason == other.reason
    joined = JoinedTable([first, second], [2, 2])
    assert joined.filled() == first.filled()
    assert joined.refused() == first.refused()
    assert joined.failed(len(NAMES)) == []
