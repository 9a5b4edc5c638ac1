"""Plans on shards made by hand, against loops over single layers."""

import dataclasses
import itertools
import math
import weakref

import numpy as np
import pytest
import torch

from eznas.evaluation.bank import Axis, Shard
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.values import Cache, Value
from eznas.formulas.expression import call, statistic
from eznas.formulas.parser import parse, parse_any
from eznas.primitives import PRIMITIVES

# Layer signatures: the shapes of input and output (two images), of the weight, and whether there
# is a batch norm. Input and output of the narrowing one cannot be multiplied.
KEEPING = ((3, 4, 4), (3, 4, 4), (3, 3, 3, 3), True)
NARROWING = ((3, 4, 4), (5, 2, 2), (5, 3, 1, 1), True)
BARE = ((3, 4, 4), (3, 4, 4), (3, 3, 1, 1), False)

# Layers and activations in depth order with their liveness, and whether logits see the image.
NETWORKS = [
    (
        [(KEEPING, True), (NARROWING, True), (KEEPING, False), (BARE, True)],
        [True, False, True],
        True,
    ),
    ([(NARROWING, True), (NARROWING, True), (NARROWING, False)], [True, True], True),
    ([(KEEPING, False), (NARROWING, False)], [False], False),  # nothing in it is live
    ([(KEEPING, True), (KEEPING, True)], [], True),  # no activations
]
DISCONNECTED, LINEAR = 2, 3


def _network(number):
    """The measured tensors of one network: {statistic: one per layer or activation}."""
    layers, activations, connected = NETWORKS[number]
    generator = torch.Generator().manual_seed(number)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    def kernel():
        return PRIMITIVES["agreement"].function(normal(1, 4, 3, 2, 2))[0].double()

    signatures = [s for s, _ in layers]
    return {
        "data_conv_input": [normal(2, *s[0]) for s in signatures],
        "data_conv_output": [normal(2, *s[1]) for s in signatures],
        "weight": [normal(*s[2]) for s in signatures],
        "data_bn_output": [normal(2, *s[1]) if s[3] else None for s in signatures],
        "layer_params": [torch.tensor(float(math.prod(s[2]))).double() for s in signatures],
        "data_relu_agreement": [kernel() for _ in activations],
        "data_jacobian": [normal(2, 6).double() if connected else None],
        "params": [torch.tensor(100.0 + number).double()],
    }


TENSORS = [_network(n) for n in range(len(NETWORKS))]
NET_LEVEL = ("data_jacobian", "params")


def _shard(*numbers):
    layers, activations = (
        Axis.of([NETWORKS[n][0] for n in numbers]),
        Axis.of([[((), live) for live in NETWORKS[n][1]] for n in numbers]),
    )
    shard = Shard(len(numbers), {"layers": layers, "activations": activations}, {}, {})
    for name in TENSORS[0]:
        tensors = [TENSORS[n][name] for n in numbers]
        if name in NET_LEVEL:
            like = torch.zeros_like(TENSORS[0][name][0])
            rows = [t[0] is not None for t in tensors]
            shard.blocks[name] = [torch.stack([like if t[0] is None else t[0] for t in tensors])]
            shard.present[name] = torch.tensor(rows)
        else:
            axis = activations if name == "data_relu_agreement" else layers
            shard.blocks[name] = axis.stack(tensors)
    return shard


SHARD = _shard(*range(len(NETWORKS)))


def _evaluated(text, shard=SHARD):
    values, coverage = evaluate(Plan.of([parse(text)]), shard)
    return values[0], coverage[0]


def _live(number, name="weight"):
    pairs = zip(TENSORS[number][name], NETWORKS[number][0], strict=True)
    return [t for t, (_, live) in pairs if live]


def _means(number):
    return [t.double().mean().item() for t in _live(number)]


def _weighted(number):
    weights = [t.numel() for t in _live(number)]
    return np.average(_means(number), weights=weights)


def _slope(values):
    return np.polyfit(range(len(values)), values, 1)[0]


AGGREGATED = {
    "sum_layers(mean(weight))": lambda n: sum(_means(n)),
    "mean_layers(mean(weight))": lambda n: np.mean(_means(n)),
    "weighted_mean_layers(mean(weight), layer_params)": _weighted,
    "std_layers(mean(weight))": lambda n: np.std(_means(n)),
    "min_layers(mean(weight))": lambda n: min(_means(n)),
    "max_layers(mean(weight))": lambda n: max(_means(n)),
    "first_layer(mean(weight))": lambda n: _means(n)[0],
    "last_layer(mean(weight))": lambda n: _means(n)[-1],
    "slope_layers(mean(weight))": lambda n: _slope(_means(n)),
    "step_layers(mean(weight))": lambda n: np.diff(_means(n)).min(),
}


@pytest.mark.parametrize("text", AGGREGATED)
def test_aggregations_see_live_layers_only(text):
    values, coverage = _evaluated(text)
    for n in (0, 1, 3):
        assert values[n] == pytest.approx(AGGREGATED[text](n), rel=1e-12)
        assert coverage[n] == 1
    if text.startswith("sum"):  # over nothing: 0 and as it should be, or nothing to speak of
        assert (values[DISCONNECTED], coverage[DISCONNECTED]) == (0, 1)
    else:
        assert np.isnan(coverage[DISCONNECTED])


def test_every_live_aggregation_is_among_them():
    names = {parse(text).name for text in AGGREGATED}
    assert names == {w.name for w in PRIMITIVES.values() if w.aggregation and w.live}


@pytest.mark.parametrize(("word", "reference"), [("sum", np.sum), ("mean", np.mean)])
def test_the_words_for_all_layers_see_dead_ones_too(word, reference):
    values, coverage = _evaluated(f"{word}_all_layers(mean(weight))")
    for n, tensors in enumerate(TENSORS):
        expected = reference([t.double().mean().item() for t in tensors["weight"]])
        assert values[n] == pytest.approx(expected, rel=1e-12)
    assert (coverage == 1).all()


# Of the live layers, in how many input and output have one shape; of all layers; per network.
APPLICABLE = {"live": [2 / 3, 0, None, 1], "all": [3 / 4, 0, 1 / 2, 1]}


@pytest.mark.parametrize("word", ["sum_layers", "mean_layers", "max_layers", "sum_all_layers"])
def test_a_layer_to_which_a_word_cannot_apply_is_absent(word):
    _, coverage = _evaluated(f"{word}(mean(data_conv_input * data_conv_output))")
    expected = list(APPLICABLE["all" if "all" in word else "live"])
    if expected[DISCONNECTED] is None:
        expected[DISCONNECTED] = 1 if word == "sum_layers" else np.nan
    np.testing.assert_allclose(coverage, expected, rtol=1e-15)


def test_what_is_absent_does_not_count():
    values, _ = _evaluated("mean_layers(mean(data_conv_input * data_conv_output))")
    x, y = (TENSORS[0][f"data_conv_{side}"] for side in ("input", "output"))
    products = [(x[i] * y[i]).double().mean().item() for i in (0, 3)]
    assert values[0] == pytest.approx(np.mean(products), rel=1e-6)


def test_absence_is_inherited_and_the_least_coverage_counts():
    text = (
        "sum_layers(log(abs(mean(data_conv_input * data_conv_output)))) + sum_layers(norm(weight))"
    )
    _, coverage = _evaluated(text)
    np.testing.assert_allclose(coverage, [2 / 3, 0, 1, 1], rtol=1e-15)


def test_a_site_that_is_not_there_is_no_absence():
    """A layer without batch norm has no such tensor; the formula is not blamed for it."""
    values, coverage = _evaluated("mean_layers(mean(data_bn_output))")
    expected = np.mean([TENSORS[0]["data_bn_output"][i].double().mean().item() for i in (0, 1)])
    assert values[0] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(coverage, [1, 1, np.nan, 1])


def test_a_missing_site_takes_the_layer_out_of_both_arguments():
    text = "sum_layers(hamming(data_bn_output, data_conv_output))"
    values, coverage = _evaluated(text)
    x, y = TENSORS[0]["data_bn_output"], TENSORS[0]["data_conv_output"]
    shares = [(x[i].sign() != y[i].sign()).double().mean().item() for i in (0, 1)]
    assert values[0] == pytest.approx(sum(shares), rel=1e-12)
    assert coverage[0] == 1


def test_statistics_of_the_network():
    values, coverage = _evaluated("params * 2 - 1")
    np.testing.assert_array_equal(values, [199, 201, 203, 205])
    np.testing.assert_array_equal(coverage, [1, 1, 1, 1])
    values, coverage = _evaluated("norm(data_jacobian)")
    np.testing.assert_array_equal(coverage, [1, 1, np.nan, 1])
    for n in (0, 1, 3):
        assert values[n] == pytest.approx(TENSORS[n]["data_jacobian"][0].norm().item(), rel=1e-12)


def test_kernels_are_summed_before_their_determinant():
    values, coverage = _evaluated("logdet(sum_layers(data_relu_agreement))")
    kernels = TENSORS[0]["data_relu_agreement"]
    expected = torch.linalg.slogdet(kernels[0] + kernels[2]).logabsdet.item()  # 1 is dead
    assert values[0] == pytest.approx(expected, rel=1e-12)
    assert values[DISCONNECTED] == -math.inf  # a sum over nothing is 0, and 0 is singular
    np.testing.assert_array_equal(coverage, [1, 1, 1, np.nan])  # no activations: no matrix at all
    values, _ = _evaluated("logdet(sum_all_layers(data_relu_agreement))")
    expected = torch.linalg.slogdet(sum(kernels)).logabsdet.item()
    assert values[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("word", ["logdet", "trace", "norm"])
def test_a_shard_without_any_activation(word):
    _, coverage = _evaluated(f"{word}(sum_layers(data_relu_agreement))", _shard(LINEAR))
    np.testing.assert_array_equal(coverage, [np.nan])
    values, coverage = _evaluated("sum_layers(trace(data_relu_agreement))", _shard(LINEAR))
    assert (values, coverage) == (0, 1)


def test_what_never_applies_keeps_its_row():
    """The Jacobian is not square: undefined, and the formulas after it stay where they are."""
    plan = Plan.of([parse(t) for t in ("params", "det(data_jacobian)", "params + 1")])
    values, coverage = evaluate(plan, SHARD)
    np.testing.assert_array_equal(values[0] + 1, values[2])
    assert np.isnan(values[1]).all()
    # 0 where it cannot apply; the third network has no gradient to which anything could.
    np.testing.assert_array_equal(coverage[1], [0, 0, np.nan, 0])


def test_no_formulas():
    values, coverage = evaluate(Plan.of([]), SHARD)
    assert values.shape == coverage.shape == (0, len(NETWORKS))


def test_constants():
    texts = ["sum_layers(mean(weight * (2 * 3) + 1))", "sum_layers(mean(1 + weight * 6))"]
    values, _ = evaluate(Plan.of([parse(t) for t in texts]), SHARD)
    np.testing.assert_array_equal(values[0], values[1])
    expected = sum((t * 6 + 1).double().mean().item() for t in _live(0))
    assert values[0, 0] == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def calls(monkeypatch):
    """How often `square` was called."""
    counted = []

    def square(x):
        counted.append(x.shape)
        return x * x

    monkeypatch.setitem(
        PRIMITIVES, "square", dataclasses.replace(PRIMITIVES["square"], function=square)
    )
    return counted


SHARING = [
    "sum_layers(mean(square(weight)))",
    "max_layers(mean(square(weight))) + sum_layers(mean(square(weight)))",
    "sum_layers(norm(square(weight) + 2)) - min_layers(norm(2 + square(weight)))",
    "sum_layers(mean(square(weight)))",
]
GROUPS = 3  # one for every signature


def test_a_shared_expression_is_computed_once(calls):
    plan = Plan.of([parse(t) for t in SHARING])
    values, _ = evaluate(plan, SHARD)
    assert len(calls) == GROUPS
    np.testing.assert_array_equal(values[0], values[3])
    alone = [_evaluated(t)[0] for t in SHARING]
    np.testing.assert_array_equal(values, alone)


def test_steps_are_distinct_and_in_order():
    plan = Plan.of([parse(t) for t in SHARING])
    texts = [s.text for s in plan.steps]
    assert len(set(texts)) == len(texts)
    for i, step in enumerate(plan.steps):
        assert step.canonical.text == step.text
        assert all(a.text in texts[:i] for a in step.arguments)
    assert [r.text for r in plan.roots] == [parse(t).canonical.text for t in SHARING]
    assert plan.statistics() == ["weight"]


def test_intermediate_tensors_are_let_go(monkeypatch):
    """Only the numbers of the layers are left when they are aggregated."""
    made = []

    def square(x):
        result = x * x
        made.append(weakref.ref(result))
        return result

    def summed(x, mask):
        assert len(made) == GROUPS
        assert all(ref() is None for ref in made)
        return PRIMITIVES["sum_all_layers"].function(x, mask)

    for name, function in (("square", square), ("sum_layers", summed)):
        monkeypatch.setitem(
            PRIMITIVES, name, dataclasses.replace(PRIMITIVES[name], function=function)
        )
    _evaluated("sum_layers(mean(square(data_conv_output)))")
    assert made


def test_a_cache_saves_the_work_and_changes_nothing(calls):
    plan, cache = Plan.of([parse(t) for t in SHARING]), Cache()
    first = evaluate(plan, SHARD, cache)
    assert calls
    calls.clear()
    again = evaluate(plan, SHARD, cache)
    more = evaluate(Plan.of([parse("slope_layers(mean(square(weight)))")]), SHARD, cache)
    assert not calls
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(
        more, [[r] for r in _evaluated("slope_layers(mean(square(weight)))")]
    )


@pytest.mark.parametrize("limit", [0, 150, 500, 1000])
def test_a_small_cache_changes_nothing(limit):
    texts = [t for t in SHARING for _ in range(2)]
    cache = Cache(limit)
    for text in texts:
        np.testing.assert_array_equal(
            evaluate(Plan.of([parse(text)]), SHARD, cache), [[r] for r in _evaluated(text)]
        )


def _entries(count):
    leaf = statistic("params")
    for _ in range(count):
        leaf = call("neg", leaf)
        yield leaf, Value([torch.zeros(100, dtype=torch.float64)], (True,), None)


def test_a_cache_is_bounded_and_forgets_the_oldest():
    size = next(_entries(1))[1].nbytes
    cache, entries = Cache(3 * size), list(_entries(10))
    for i, (expression, value) in enumerate(entries):
        cache.put(expression, value)
        kept = [e.text for e, _ in entries if cache.get(e.text) is not None]
        assert kept == [e.text for e, _ in entries[max(0, i - 2) : i + 1]]


def test_a_cache_refuses_what_is_large():
    cache = Cache(1 << 20)
    features = parse_any("data_conv_output")
    cache.put(features, Value([torch.zeros(1)]))
    assert cache.get(features.text) is None
    huge = parse_any("mean(weight)")
    cache.put(huge, Value([torch.zeros(1 << 20)]))
    assert cache.get(huge.text) is None


def test_a_cache_is_bounded_in_number_too():
    """Absent values have no tensors, and a run meets ever new ones."""
    cache, entries = Cache(1000), list(_entries(50))
    for expression, _ in entries:
        cache.put(expression, Value([None, None], (False, False)))
    assert sum(cache.get(e.text) is not None for e, _ in entries) < 50


# Every way from tensors to numbers, on all three axes.
VARIED = [
    *AGGREGATED,
    "sum_all_layers(std(weight))",
    "mean_all_layers(norm(data_conv_output))",
    "sum_layers(entropy(eigenvalues(covariance(data_conv_output))))",
    "mean_layers(participation(singular_values(weight)))",
    "sum_layers(logdet(gram(data_conv_input)))",
    "sum_layers(trace(correlation(gram(data_conv_input))))",
    "max_layers(cosine(data_conv_input, data_conv_output))",
    "sum_layers(kl(softmax(data_conv_input), normalise(data_conv_input)))",
    "logdet(sum_layers(data_relu_agreement))",
    "logdet(sum_all_layers(data_relu_agreement))",
    "entropy(eigenvalues(sum_layers(data_relu_agreement)))",
    "std_layers(top_share(eigenvalues(data_relu_agreement)))",
    "sum(singular_values(data_jacobian)) / params",
    "weighted_mean_layers(sum(sigmoid(data_bn_output)), layer_params) * 2",
    "min(params, sum_layers(layer_params)) - max_layers(log(layer_params))",
]


def test_a_network_has_its_value_whatever_it_is_stacked_with():
    plan = Plan.of([parse(t) for t in VARIED])
    for numbers in (range(4), (3, 1), (2, 0), (0, 0, 1)):
        together = np.stack(evaluate(plan, _shard(*numbers)))
        apart = np.concatenate([np.stack(evaluate(plan, _shard(n))) for n in numbers], axis=2)
        np.testing.assert_array_equal(together[1], apart[1])
        for text, both, each, covered in zip(VARIED, together[0], apart[0], apart[1], strict=True):
            known = ~np.isnan(covered)  # without anything to aggregate, it has no meaning
            # torch's exp of float32 differs in the last bit at the end of a tensor
            single = "sigmoid" in text or "softmax" in text
            near = 4 * np.finfo(np.float32 if single else np.float64).eps
            np.testing.assert_allclose(both[known], each[known], rtol=near)


def test_dead_layers_do_not_change_what_live_ones_say():
    """The same network with and without its dead layers and activations."""
    pruned = _shard(0)
    for axis in pruned.axes.values():
        assert not axis.live[:, : sum(len(n) for n in axis.networks)].all()
    blind = dataclasses.replace(pruned, blocks=dict(pruned.blocks))
    for name, axis_name in (("weight", "layers"), ("data_relu_agreement", "activations")):
        axis = pruned.axes[axis_name]
        groups = zip(pruned.blocks[name], axis.networks, axis.places, strict=True)
        blind.blocks[name] = [
            torch.where(axis.live[n, p].reshape(-1, *[1] * (b.dim() - 1)), b, torch.nan)
            for b, n, p in groups
        ]
    for text in ("mean_layers(norm(weight))", "logdet(sum_layers(data_relu_agreement))"):
        np.testing.assert_array_equal(_evaluated(text, blind), _evaluated(text, pruned))


def test_shards_here_are_as_the_bank_makes_them():
    """Guards the tests above: groups by signature, ragged networks, a group without a site."""
    axis = SHARD.axes["layers"]
    assert axis.live.shape == (len(NETWORKS), 4)
    assert len(axis.networks) == GROUPS
    assert [b is None for b in SHARD.blocks["data_bn_output"]] == [False, False, True]
    places = itertools.chain(
        *(
            zip(n.tolist(), p.tolist(), strict=True)
            for n, p in zip(axis.networks, axis.places, strict=True)
        )
    )
    assert sorted(places) == [
        (n, p) for n, (own, _, _) in enumerate(NETWORKS) for p in range(len(own))
    ]
