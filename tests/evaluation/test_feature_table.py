"""The feature table: every feature once on every shard, whatever asks for it and when."""

import numpy as np
import pytest

from eznas.evaluation.feature_table import SHARD, FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.formulas.parser import parse

ARCHITECTURES = tuple(f"network {i}" for i in range(2 * SHARD + 3))  # the last shard is not full
NORMS = "sum_layers(norm(weight + 1))"


class RuleEvaluation:
    """Evaluates by a rule: context, feature and network make the value; notes what it evaluates."""

    def __init__(self):
        self.calls = []  # (context, number of the shard, feature)

    def __call__(self, shards, texts):
        self.calls += [(s.context, s.number, text) for s in shards for text in texts]
        return [self._values(shard, texts) for shard in shards]

    def _values(self, shard, texts):
        start = shard.number * SHARD
        assert shard.architectures == ARCHITECTURES[start : start + len(shard.architectures)]
        values = FeatureValues.missing(len(texts), len(shard.architectures))
        numbers = start + np.arange(len(shard.architectures))
        values.values[:] = [1000 * shard.context + len(text) + numbers for text in texts]
        values.coverage[:] = 1
        return values


def calls_in_both_contexts(*pairs):
    """The calls that evaluate pairs of a shard's number and a feature."""
    return {(context, number, text) for context in (0, 1) for number, text in pairs}


@pytest.fixture
def evaluation():
    return RuleEvaluation()


@pytest.fixture
def table(evaluation):
    return FeatureTable([ARCHITECTURES] * 2, evaluation)


def test_scores_are_those_of_the_context_and_the_first_networks(table):
    formula = parse("params * 2")
    table.fill([formula], 5)
    np.testing.assert_array_equal(table.scores(formula, 0, 5).values, 2 * (6 + np.arange(5)))
    np.testing.assert_array_equal(table.scores(formula, 1, 5).values, 2 * (1006 + np.arange(5)))


def test_shards_are_complete_and_evaluated_once(table, evaluation):
    assert table.fill([parse("params")], 1) == SHARD
    assert evaluation.calls == [(0, 0, "params"), (1, 0, "params")]
    assert table.fill([parse("params + 1"), parse("log(params)")], SHARD) == 0
    assert len(evaluation.calls) == 2


def test_growth_adds_shards(table, evaluation):
    formula = parse("params")
    for number, networks in enumerate((SHARD, SHARD + 1, len(ARCHITECTURES))):
        evaluation.calls.clear()
        table.fill([formula], networks)
        assert set(evaluation.calls) == calls_in_both_contexts((number, "params"))
    values = table.scores(formula, 0, len(ARCHITECTURES)).values
    np.testing.assert_array_equal(values, 6 + np.arange(len(ARCHITECTURES)))


def test_a_smaller_sample_ends_where_it_has_no_more(evaluation):
    formula, small = parse("params"), SHARD + 1
    table = FeatureTable([ARCHITECTURES[:small], ARCHITECTURES], evaluation)
    assert table.networks == small
    assert table.fill([formula], SHARD) == 2 * SHARD
    assert table.fill([formula], len(ARCHITECTURES)) == 1 + len(ARCHITECTURES) - SHARD
    assert table.fill([formula], len(ARCHITECTURES)) == 0
    assert len(evaluation.calls) == len(set(evaluation.calls)) == 2 + 3
    np.testing.assert_array_equal(
        table.scores(formula, 0, len(ARCHITECTURES)).values, 6 + np.arange(small)
    )
    assert len(table.scores(formula, 1, len(ARCHITECTURES)).values) == len(ARCHITECTURES)
    assert table.filled() == {"params": len(ARCHITECTURES)}
    again = FeatureTable([ARCHITECTURES[:small], ARCHITECTURES], RuleEvaluation())
    again.refill(table.filled(), table.unusable())
    for context in (0, 1):
        row, expected = again.row("params", context), table.row("params", context)
        assert row.values.tobytes() == expected.values.tobytes()


def test_a_late_feature_catches_up(table, evaluation):
    table.fill([parse("params")], len(ARCHITECTURES))
    evaluation.calls.clear()
    both = parse(f"params + {NORMS}")
    table.fill([both], SHARD + 1)
    text = parse(NORMS).canonical.text
    assert set(evaluation.calls) == calls_in_both_contexts((0, text), (1, text))
    expected = 6 + len(text) + 2 * np.arange(SHARD + 1)
    np.testing.assert_array_equal(table.scores(both, 0, SHARD + 1).values, expected)


def test_one_spelling_of_a_feature_is_enough(table, evaluation):
    table.fill([parse(NORMS), parse("sum_layers(norm(1 + weight)) * 3")], 1)
    assert len({text for *_, text in evaluation.calls}) == len(table) == 1


def test_order_of_growth_does_not_matter(evaluation):
    formulas = [parse("params"), parse(NORMS)]
    at_once, step_by_step = (FeatureTable([ARCHITECTURES] * 2, evaluation) for _ in range(2))
    at_once.fill(formulas, len(ARCHITECTURES))
    for networks in (1, SHARD, 2 * SHARD, len(ARCHITECTURES)):
        step_by_step.fill(formulas[: 1 + networks // SHARD], networks)
    for formula in formulas:
        first, second = (
            table.scores(formula, 1, len(ARCHITECTURES)).values for table in (at_once, step_by_step)
        )
        np.testing.assert_array_equal(first, second)


def test_samples_of_two_spaces_grow_together(evaluation):
    table = FeatureTable([ARCHITECTURES] * 2 + [ARCHITECTURES[:9]] * 2, evaluation)
    assert table.networks == 9
    formula = parse("params")
    pairs = table.fill(iter([formula]), SHARD)
    assert evaluation.calls == [(context, 0, "params") for context in range(4)]
    assert pairs == 2 * SHARD  # contexts of one sample count once
    for context in range(4):
        values = table.scores(formula, context, 5).values
        np.testing.assert_array_equal(values, 1000 * context + 6 + np.arange(5))
    assert len(table) == 1
    assert table.fill([formula], SHARD) == 0


class FailingEvaluation(RuleEvaluation):
    """As the rule says, but no worker survives the norms."""

    def _values(self, shard, texts):
        values = super()._values(shard, texts)
        for row, text in enumerate(texts):
            if "norm" in text:
                values.put([row], FeatureValues.failed(1, len(shard.architectures), "killed"))
        return values


def test_what_cannot_be_evaluated_is_not_tried_again():
    evaluation = FailingEvaluation()
    table = FeatureTable([ARCHITECTURES] * 2, evaluation)
    formulas = [parse(NORMS), parse("params")]
    table.fill(formulas, SHARD)
    (text,) = table.unusable()
    assert table.unusable() == {text: "killed"}
    # Pairs of a feature and a network: of params alone.
    assert table.fill(formulas, len(ARCHITECTURES)) == len(ARCHITECTURES) - SHARD
    assert [c for c in evaluation.calls if c[-1] == text] == [(0, 0, text), (1, 0, text)]
    for context in (0, 1):
        scores = table.scores(parse(NORMS), context, len(ARCHITECTURES))
        assert (scores.reason, len(scores.values)) == ("killed", len(ARCHITECTURES))
    assert table.filled() == {text: len(ARCHITECTURES), "params": len(ARCHITECTURES)}


def test_a_table_is_refilled_as_it_was():
    first = FeatureTable([ARCHITECTURES] * 2, FailingEvaluation())
    first.fill([parse("params")], len(ARCHITECTURES))
    first.fill([parse(NORMS), parse("operations")], SHARD + 1)
    evaluation = FailingEvaluation()
    second = FeatureTable([ARCHITECTURES] * 2, evaluation)
    second.refill(first.filled(), first.unusable())
    assert second.filled() == first.filled()
    assert second.unusable() == first.unusable()
    assert not any("norm" in text for *_, text in evaluation.calls)
    for formula in map(parse, ("params", "operations", NORMS)):
        for context in (0, 1):
            first_scores, second_scores = (
                table.scores(formula, context, SHARD + 1) for table in (first, second)
            )
            np.testing.assert_array_equal(first_scores.values, second_scores.values)
            assert first_scores.reason == second_scores.reason
    assert first.failed(len(ARCHITECTURES)) == []  # no network failed: features did


def test_a_reordered_table_holds_what_was_filled_on_all_networks(table):
    everywhere, at_first = parse("params"), parse("operations")
    table.fill([everywhere], len(ARCHITECTURES))
    table.fill([at_first], SHARD)
    order = [7, 3, 12]
    reordered = table.reordered(order)
    assert (reordered.networks, reordered.filled()) == (3, {"params": 3})
    for context in (0, 1):
        values = table.scores(everywhere, context, len(ARCHITECTURES)).values
        np.testing.assert_array_equal(
            reordered.scores(everywhere, context, 3).values, values[order]
        )
    with pytest.raises(ValueError, match="operations"):
        reordered.fill([at_first], 3)
