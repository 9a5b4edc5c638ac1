"""What a feature's text stands for."""

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.predictors.base import Predictor
from eznas.predictors.features import feature, proxies_of, table_of
from eznas.predictors.named import load
from eznas.statistics.catalogue import PATHS
from tests.predictors.made_up_networks import ACCURACIES, NETWORKS, curves, measurements

MEASURED = measurements()


def columns(text, names=NETWORKS, **keywords):
    made = feature(text, MEASURED, **keywords)
    return made.fit(names, curves()).transform(names, curves())


@pytest.mark.parametrize(
    ("text", "proxies"),
    [
        ("encoding", ()),
        ("graph", ()),
        ("curve", ()),
        ("sotl_e", ()),
        ("table:scores.csv", ()),
        ("paths", PATHS),
        ("proxies:naswot, zen", ("naswot", "zen")),
        ("proxies:zen,pow(params, 2.0)", ("zen", "pow(params, 2.0)")),
        ("run:quick-1", ("quick-1",)),
        ("hybrid", ("hybrid",)),
        ("sum_layers(layer_params)", ("sum_layers(layer_params)",)),
    ],
)
def test_the_proxies_behind_a_text(text, proxies):
    assert proxies_of(text) == proxies


def test_the_encoding_is_that_of_the_space():
    expected = [MEASURED.space.encode(a) for a in NETWORKS]
    np.testing.assert_array_equal(columns("encoding"), expected)


def test_curves_are_read_up_to_the_epoch():
    one, all_of_them = columns("curve", epochs=1), columns("curve")
    assert one.shape[1] == 6
    assert all_of_them.shape[1] == 14


def test_the_columns_of_a_file(tmp_path):
    file = tmp_path / "scores.csv"
    rows = [f"{a},{i}.0,{i * 2}" for i, a in enumerate(NETWORKS[:20])]
    file.write_text("\n".join(["architecture,mine,yours", *rows]) + "\n")
    values = columns(f"table:{file}", NETWORKS[:21])
    assert values.shape == (21, 4)  # two columns, and whether they are undefined
    assert (np.diff(values[:20, 0]) > 0).all()
    assert values[20].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_a_file_of_scores_is_read_once(tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text(f"architecture,mine\n{NETWORKS[0]},1\n{NETWORKS[1]},2\n")
    predictor = Predictor([f"table:{file}"], "linear", measurements=measurements())
    predictor.fit(NETWORKS[:9], ACCURACIES[:9])
    file.unlink()
    assert predictor.fit(NETWORKS[:5], ACCURACIES[:5]).predict(NETWORKS[:2]).shape == (2,)
    assert (table_of(f"table:{file}"), table_of("encoding")) == (str(file), "")


def test_any_combination_of_features_and_a_regressor():
    predictor = load("linear[encoding; naswot; proxies:zen,params]", MEASURED)
    assert predictor.features == ("encoding", "naswot", "proxies:zen,params")
    assert predictor.requires.proxies == ("naswot", "zen", "params")
    assert predictor.fit(NETWORKS[:20], ACCURACIES[:20]).predict(NETWORKS).shape == (60,)


def test_a_predictor_of_sklearn_can_stand_behind():
    from sklearn.linear_model import Ridge

    predictor = Predictor(["encoding"], Ridge(), measurements=MEASURED, target="accuracies")
    predictor.fit(NETWORKS, ACCURACIES)
    expected = Ridge().fit(columns("encoding"), ACCURACIES).predict(columns("encoding"))
    np.testing.assert_allclose(predictor.predict(NETWORKS), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("champion_residul", "unknown predictor 'champion_residul'; did you mean 'champion_resid"),
        ("tree[encoding]", "unknown regressor 'tree'"),
        ("gin[encoding; graph]", "gin reads graphs, expected gin.graph."),
        ("sum_layers(sum(wieght))", "did you mean 'weight'.*position 16"),
        ("nofile.json", "nofile.json: .*No such file"),
    ],
)
def test_unknown_texts(text, message):
    with pytest.raises(InputError, match=message):
        load(text, MEASURED)


@pytest.mark.parametrize(
    ("features", "accuracies", "message"),
    [
        (("encoding",), [1.0], "one accuracy for each of 60 architectures"),
        (("encoding",), [np.nan] * 60, "finite accuracies"),
        (("table:none.csv",), ACCURACIES, "none.csv"),
        (("proxies:",), ACCURACIES, "feature 'proxies:': expected proxies"),
    ],
)
def test_what_cannot_be_fitted(features, accuracies, message):
    with pytest.raises(InputError, match=message):
        Predictor(features, measurements=MEASURED).fit(NETWORKS, accuracies)


@pytest.mark.parametrize("features", [("encoding",), ("naswot", "zen"), ("proxies:naswot,zen",)])
def test_without_a_regressor_there_is_a_single_score(features):
    with pytest.raises(InputError, match="expected a single score without a regressor"):
        Predictor(features, None, measurements=MEASURED).fit(NETWORKS, ACCURACIES)
