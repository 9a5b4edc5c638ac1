"""Plans on banks made by hand, against loops over single layers."""

import dataclasses
import itertools
import math
import weakref

import numpy as np
import pytest
import torch

from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import Status
from eznas.evaluation.values import Cache
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from tests.evaluation.hand_made import (
    AGGREGATED,
    BANK,
    CONNECTED,
    DISCONNECTED,
    LINEAR,
    NETWORKS,
    SIGNATURES,
    TENSORS,
    VARIED,
    bank_of,
    live_weights,
)


def evaluated(text, bank=BANK):
    """The values of one feature, its coverage and whether a network is empty: [networks] each."""
    values = evaluate(Plan.of([parse(text)]), bank)
    return values.values[0], values.coverage[0], values.status[0] == Status.EMPTY


def layer_means(network, statistic, layers):
    return [TENSORS[network][statistic][layer].double().mean().item() for layer in layers]


@pytest.mark.parametrize("text", AGGREGATED)
def test_aggregations_see_live_layers_only(text):
    values, coverage, empty = evaluated(text)
    for network in CONNECTED:
        assert values[network] == pytest.approx(AGGREGATED[text](network), rel=1e-12)
        assert (coverage[network], empty[network]) == (1, False)
    if text.startswith("sum"):  # over nothing: 0 and as it should be, or nothing to speak of
        assert (values[DISCONNECTED], coverage[DISCONNECTED]) == (0, 1)
    assert empty[DISCONNECTED] == (not text.startswith("sum"))


def test_every_live_aggregation_is_among_them():
    names = {parse(text).name for text in AGGREGATED}
    assert names == {p.name for p in PRIMITIVES.values() if p.aggregation and p.live}


@pytest.mark.parametrize(("primitive", "reference"), [("sum", np.sum), ("mean", np.mean)])
def test_the_aggregations_of_all_layers_see_dead_ones_too(primitive, reference):
    values, coverage, empty = evaluated(f"{primitive}_all_layers(mean(weight))")
    for network, tensors in enumerate(TENSORS):
        expected = reference([t.double().mean().item() for t in tensors["weight"]])
        assert values[network] == pytest.approx(expected, rel=1e-12)
    assert (coverage == 1).all()
    assert not empty.any()


# Of the live layers, in how many input and output have one shape; of all layers; per network.
LIVE_SHARES, ALL_SHARES = [2 / 3, 0, 1, 1], [3 / 4, 0, 1 / 2, 1]


@pytest.mark.parametrize("primitive", ["sum_layers", "mean_layers", "max_layers", "sum_all_layers"])
def test_a_layer_to_which_a_primitive_cannot_apply_is_absent(primitive):
    _, coverage, empty = evaluated(f"{primitive}(mean(data_conv_input * data_conv_output))")
    expected = ALL_SHARES if "all" in primitive else LIVE_SHARES
    np.testing.assert_allclose(coverage, expected, rtol=1e-15)
    is_empty = primitive in ("mean_layers", "max_layers")
    assert empty.tolist() == [False, False, is_empty, False]


def test_what_is_absent_does_not_count():
    values, _, _ = evaluated("mean_layers(mean(data_conv_input * data_conv_output))")
    x, y = (TENSORS[0][f"data_conv_{side}"] for side in ("input", "output"))
    products = [(x[i] * y[i]).double().mean().item() for i in (0, 3)]
    assert values[0] == pytest.approx(np.mean(products), rel=1e-6)


def test_absence_is_inherited_and_the_least_coverage_counts():
    text = (
        "sum_layers(log(abs(mean(data_conv_input * data_conv_output)))) + sum_layers(norm(weight))"
    )
    _, coverage, _ = evaluated(text)
    np.testing.assert_allclose(coverage, [2 / 3, 0, 1, 1], rtol=1e-15)


def test_a_missing_site_is_no_absence():
    """A layer without batch norm has no such tensor; the formula is not blamed for it."""
    values, coverage, empty = evaluated("mean_layers(mean(data_bn_output))")
    expected = np.mean(layer_means(0, "data_bn_output", (0, 1)))
    assert values[0] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(coverage, [1, 1, 1, 1])
    np.testing.assert_array_equal(empty, [False, False, True, False])


def test_a_missing_site_takes_the_layer_out_of_both_arguments():
    values, coverage, _ = evaluated("sum_layers(hamming(data_bn_output, data_conv_output))")
    x, y = TENSORS[0]["data_bn_output"], TENSORS[0]["data_conv_output"]
    shares = [(x[i].sign() != y[i].sign()).double().mean().item() for i in (0, 1)]
    assert values[0] == pytest.approx(sum(shares), rel=1e-12)
    assert coverage[0] == 1


def test_statistics_of_the_network():
    values, coverage, empty = evaluated("params * 2 - 1")
    np.testing.assert_array_equal(values, [199, 201, 203, 205])
    np.testing.assert_array_equal(coverage, [1, 1, 1, 1])
    assert not empty.any()
    values, coverage, empty = evaluated("norm(data_jacobian)")
    np.testing.assert_array_equal(coverage, [1, 1, 1, 1])
    assert np.flatnonzero(empty).tolist() == [DISCONNECTED]
    for network in CONNECTED:
        expected = TENSORS[network]["data_jacobian"][0].norm().item()
        assert values[network] == pytest.approx(expected, rel=1e-12)


def test_kernels_are_summed_before_their_determinant():
    values, coverage, empty = evaluated("logdet(sum_layers(data_relu_agreement))")
    kernels = TENSORS[0]["data_relu_agreement"]
    expected = torch.linalg.slogdet(kernels[0] + kernels[2]).logabsdet.item()  # 1 is dead
    assert values[0] == pytest.approx(expected, rel=1e-12)
    assert values[DISCONNECTED] == -math.inf  # a sum over nothing is 0, and 0 is singular
    # No activations: no matrix at all, which is undefined.
    np.testing.assert_array_equal(coverage, [1, 1, 1, 0])
    assert LINEAR == 3
    assert not empty.any()
    values, _, _ = evaluated("logdet(sum_all_layers(data_relu_agreement))")
    expected = torch.linalg.slogdet(sum(kernels)).logabsdet.item()
    assert values[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("primitive", ["logdet", "trace", "norm"])
def test_a_bank_without_any_activation(primitive):
    _, coverage, empty = evaluated(f"{primitive}(sum_layers(data_relu_agreement))", bank_of(LINEAR))
    assert (coverage.tolist(), empty.tolist()) == ([0], [False])
    row = evaluated("sum_layers(trace(data_relu_agreement))", bank_of(LINEAR))
    assert row == ([0], [1], [False])


def test_what_never_applies_keeps_its_row():
    """The Jacobian is not square: undefined, and the formulas after it stay where they are."""
    plan = Plan.of([parse(t) for t in ("params", "det(data_jacobian)", "params + 1")])
    values = evaluate(plan, BANK)
    np.testing.assert_array_equal(values.values[0] + 1, values.values[2])
    assert np.isnan(values.values[1]).all()
    # 0 where it cannot apply; the third network has no gradient to which anything could.
    np.testing.assert_array_equal(values.coverage[1], [0, 0, 1, 0])
    np.testing.assert_array_equal(values.status[1], [0, 0, Status.EMPTY, 0])


def test_no_formulas():
    values = evaluate(Plan.of([]), BANK)
    assert {array.shape for array in values} == {(0, len(NETWORKS))}


def test_constants():
    texts = ["sum_layers(mean(weight * (2 * 3) + 1))", "sum_layers(mean(1 + weight * 6))"]
    values = evaluate(Plan.of([parse(t) for t in texts]), BANK).values
    np.testing.assert_array_equal(values[0], values[1])
    expected = sum((w * 6 + 1).double().mean().item() for w in live_weights(0))
    assert values[0, 0] == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def square_calls(monkeypatch):
    """The shapes on which `square` was called."""
    shapes = []

    def square(x):
        shapes.append(x.shape)
        return x * x

    monkeypatch.setitem(
        PRIMITIVES, "square", dataclasses.replace(PRIMITIVES["square"], function=square)
    )
    return shapes


SHARING = [
    "sum_layers(mean(square(weight)))",
    "max_layers(mean(square(weight))) + sum_layers(mean(square(weight)))",
    "sum_layers(norm(square(weight) + 2)) - min_layers(norm(2 + square(weight)))",
    "sum_layers(mean(square(weight)))",
]


def test_a_shared_expression_is_computed_once(square_calls):
    plan = Plan.of([parse(t) for t in SHARING])
    values = evaluate(plan, BANK).values
    assert len(square_calls) == SIGNATURES
    np.testing.assert_array_equal(values[0], values[3])
    np.testing.assert_array_equal(values, [evaluated(t)[0] for t in SHARING])


def test_steps_are_distinct_and_in_order():
    plan = Plan.of([parse(t) for t in SHARING])
    texts = [step.text for step in plan.steps]
    assert len(set(texts)) == len(texts)
    for i, step in enumerate(plan.steps):
        assert step.expression.canonical.text == step.text
        assert all(a.text in texts[:i] for a in step.arguments)
    assert [r.text for r in plan.roots] == [parse(t).canonical.text for t in SHARING]
    assert plan.statistics() == ["weight"]


def test_intermediate_tensors_are_freed(monkeypatch):
    """Only the numbers of the layers are left when they are aggregated."""
    squares = []

    def square(x):
        result = x * x
        squares.append(weakref.ref(result))
        return result

    def sum_after_squares(x, mask):
        assert len(squares) == SIGNATURES
        assert all(reference() is None for reference in squares)
        return PRIMITIVES["sum_all_layers"].function(x, mask)

    for name, function in (("square", square), ("sum_layers", sum_after_squares)):
        monkeypatch.setitem(
            PRIMITIVES, name, dataclasses.replace(PRIMITIVES[name], function=function)
        )
    evaluated("sum_layers(mean(square(data_conv_output)))")
    assert squares


def assert_values_equal(first, second):
    for array, expected in zip(first, second, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_a_cache_saves_the_work_and_changes_nothing(square_calls):
    plan, cache = Plan.of([parse(t) for t in SHARING]), Cache()
    first = evaluate(plan, BANK, cache)
    assert square_calls
    square_calls.clear()
    again = evaluate(plan, BANK, cache)
    slope_plan = Plan.of([parse("slope_layers(mean(square(weight)))")])
    slopes = evaluate(slope_plan, BANK, cache)
    assert not square_calls
    assert_values_equal(again, first)
    assert_values_equal(slopes, evaluate(slope_plan, BANK))


@pytest.mark.parametrize("limit", [0, 150, 500, 1000])
def test_a_small_cache_changes_nothing(limit):
    cache = Cache(limit)
    for text in [t for t in SHARING for _ in range(2)]:
        plan = Plan.of([parse(text)])
        assert_values_equal(evaluate(plan, BANK, cache), evaluate(plan, BANK))


def test_a_network_has_its_value_whatever_it_is_stacked_with():
    plan = Plan.of([parse(t) for t in VARIED])
    for networks in (range(4), (3, 1), (2, 0), (0, 0, 1)):
        together = evaluate(plan, bank_of(*networks))
        apart = FeatureValues.beside([evaluate(plan, bank_of(n)) for n in networks])
        np.testing.assert_array_equal(together.coverage, apart.coverage)
        np.testing.assert_array_equal(together.status, apart.status)
        for row, text in enumerate(VARIED):
            known = together.status[row] != Status.EMPTY  # an empty network's value says nothing
            # torch's exp of float32 differs in the last bit at the end of a tensor
            single = "sigmoid" in text or "softmax" in text
            near = 4 * np.finfo(np.float32 if single else np.float64).eps
            np.testing.assert_allclose(
                together.values[row, known], apart.values[row, known], rtol=near
            )


def test_dead_layers_do_not_change_what_live_ones_say():
    """The same network with and without the tensors of its dead layers and activations."""
    bank = bank_of(0)
    for axis in bank.axes.values():
        assert not axis.live[:, : sum(len(networks) for networks in axis.networks)].all()
    without_dead = dataclasses.replace(bank, blocks=dict(bank.blocks))
    for name, axis_name in (("weight", "layers"), ("data_relu_agreement", "activations")):
        axis = bank.axes[axis_name]
        groups = zip(bank.blocks[name], axis.networks, axis.positions, strict=True)
        without_dead.blocks[name] = [
            torch.where(axis.live[n, p].reshape(-1, *[1] * (block.dim() - 1)), block, torch.nan)
            for block, n, p in groups
        ]
    for text in ("mean_layers(norm(weight))", "logdet(sum_layers(data_relu_agreement))"):
        assert_values_equal(evaluated(text, without_dead), evaluated(text, bank))


def test_the_hand_made_bank_is_as_the_product_makes_them():
    """Guards the tests above: groups by signature, ragged networks, a group without a site."""
    axis = BANK.axes["layers"]
    assert axis.live.shape == (len(NETWORKS), 4)
    assert len(axis.networks) == SIGNATURES
    assert [b is None for b in BANK.blocks["data_bn_output"]] == [False, False, True]
    rows = itertools.chain.from_iterable(
        zip(networks.tolist(), positions.tolist(), strict=True)
        for networks, positions in zip(axis.networks, axis.positions, strict=True)
    )
    assert sorted(rows) == [
        (network, position)
        for network, (layers, _, _) in enumerate(NETWORKS)
        for position in range(len(layers))
    ]
