"""Short measures: formulas, each once, over all that was asked for."""

import pytest

from eznas.formulas.candidates import SIZES, TENSORS, candidate_features, scalars
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR, PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE, PATHS
from tests.evolution.made_up import STATISTICS


@pytest.mark.parametrize("statistics", [tuple(CATALOGUE), STATISTICS], ids=["all", "few"])
def test_short_measures_are_distinct_formulas(statistics):
    measures = candidate_features(statistics)
    assert len({m.canonical.text for m in measures}) == len(measures) > 0
    for m in measures:
        assert m.type == NET_SCALAR
        assert parse(m.text) == m
    assert {s for m in measures for s in m.statistics()} == set(statistics)


def test_short_measures_come_in_one_order():
    assert candidate_features(STATISTICS) == candidate_features(STATISTICS)
    both = candidate_features(("params", "layer_params"))
    assert both == candidate_features(("params",)) + candidate_features(("layer_params",))
    assert candidate_features(()) == []


def test_what_is_worth_measuring():
    every = (*TENSORS, *SIZES, *PATHS)
    assert len(set(every)) == len(every)
    assert set(every) <= set(CATALOGUE)
    assert {"params", "operations", "layer_params"} <= set(SIZES)
    assert len(PATHS) > 10
    assert all(scalars(CATALOGUE[name]) for name in every)


def test_a_number_of_the_network_stands_for_itself_and_its_log():
    assert [m.text for m in candidate_features(("params",))] == ["params", "log(params)"]


def test_a_number_of_layers_is_aggregated_in_every_way():
    texts = [m.text for m in candidate_features(("layer_flops",))]
    ways = [w.name for w in PRIMITIVES.values() if w.aggregation and w.live and w.arity == 1]
    assert {"sum_layers", "mean_layers", "step_layers"} <= set(ways)
    assert "sum_all_layers" not in ways
    expected = set()
    for scalar in ("layer_flops", "log(layer_flops)"):
        expected.add(f"weighted_mean_layers({scalar}, layer_params)")
        expected |= {f"{way}({scalar})" for way in ways}
    assert set(texts) == expected


def test_a_matrix_of_the_network_is_reduced_to_its_correlation():
    assert CATALOGUE["data_jacobian"].type.axis == "networks"
    texts = [m.text for m in candidate_features(("data_jacobian",))]
    assert "logdet(correlation(data_jacobian))" in texts
    assert all("correlation(data_jacobian)" in t for t in texts)
    assert not any("layers(" in t for t in texts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("noise_conv_output_covariance", "participation(eigenvalues({})) / layer_channels"),
        ("flow_weight_grad", "sum(abs(weight * log1p({})))"),
        ("label_weight_grad_std", "norm(label_weight_grad) / norm({})"),
        ("local_block_transfer", "largest(singular_values({}))"),
        ("weight", "sum_abs({})"),
        ("data_relu_agreement", "logdet({})"),
    ],
)
def test_what_a_statistic_is_for(name, text):
    texts = scalars(CATALOGUE[name])
    assert text.format(name) in texts
    assert len(set(texts)) == len(texts)
    meant = parse(f"mean_layers({text.format(name)})").canonical
    assert meant in candidate_features((name,))
