"""Candidate features: distinct formulas over all the statistics asked for."""

import pytest

from eznas.formulas.candidates import SIZES, TENSORS, candidate_features, scalar_texts
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR, PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE, PATHS
from tests.evolution.made_up import STATISTICS


@pytest.mark.parametrize("statistics", [tuple(CATALOGUE), STATISTICS], ids=["all", "few"])
def test_candidate_features_are_distinct_formulas(statistics):
    features = candidate_features(statistics)
    assert len({f.canonical.text for f in features}) == len(features) > 0
    for feature in features:
        assert feature.type == NET_SCALAR
        assert parse(feature.text) == feature
    assert {s for f in features for s in f.statistics()} == set(statistics)


def test_candidate_features_come_in_the_order_of_the_statistics():
    assert candidate_features(STATISTICS) == candidate_features(STATISTICS)
    both = candidate_features(("params", "layer_params"))
    assert both == candidate_features(("params",)) + candidate_features(("layer_params",))
    assert candidate_features(()) == []


def test_the_lists_of_statistics_to_measure():
    names = (*TENSORS, *SIZES, *PATHS)
    assert len(set(names)) == len(names)
    assert set(names) <= set(CATALOGUE)
    assert {"params", "operations", "layer_params"} <= set(SIZES)
    assert len(PATHS) > 10
    assert all(scalar_texts(CATALOGUE[name]) for name in names)


def test_a_number_of_the_network_stands_for_itself_and_its_log():
    assert [f.text for f in candidate_features(("params",))] == ["params", "log(params)"]


def test_a_number_of_layers_is_aggregated_in_every_way():
    texts = [f.text for f in candidate_features(("layer_flops",))]
    aggregations = [
        p.name for p in PRIMITIVES.values() if p.aggregation and p.live and p.arity == 1
    ]
    assert {"sum_layers", "mean_layers", "step_layers"} <= set(aggregations)
    assert "sum_all_layers" not in aggregations
    expected = set()
    for scalar in ("layer_flops", "log(layer_flops)"):
        expected.add(f"weighted_mean_layers({scalar}, layer_params)")
        expected |= {f"{aggregation}({scalar})" for aggregation in aggregations}
    assert set(texts) == expected


def test_a_matrix_of_the_network_is_reduced_to_its_correlation():
    assert CATALOGUE["data_jacobian"].type.axis == "networks"
    texts = [f.text for f in candidate_features(("data_jacobian",))]
    assert "logdet(correlation(data_jacobian))" in texts
    assert all("correlation(data_jacobian)" in t for t in texts)
    assert not any("layers(" in t for t in texts)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("noise_conv_output_covariance", "participation(eigenvalues({})) / layer_channels"),
        ("noise_conv_output_covariance", "sum(log(0.0001 + eigenvalues({})))"),
        ("flow_weight_grad", "sum(abs(weight * log1p({})))"),
        ("label_weight_grad_std", "norm(label_weight_grad) / norm({})"),
        ("local_block_transfer", "largest(singular_values({}))"),
        ("weight", "sum_abs({})"),
        ("data_relu_agreement", "logdet({})"),
    ],
)
def test_reductions_for_one_statistic(name, text):
    texts = scalar_texts(CATALOGUE[name])
    assert text.format(name) in texts
    assert len(set(texts)) == len(texts)
    feature = parse(f"mean_layers({text.format(name)})").canonical
    assert feature in candidate_features((name,))


def test_no_covariance_of_channels_has_a_log_determinant():
    names = [name for name in CATALOGUE if name.endswith("_covariance")]
    assert len(names) > 2
    assert not any("logdet" in text for name in names for text in scalar_texts(CATALOGUE[name]))
