"""What holds for every named predictor; the suite finds new rows by itself."""

import numpy as np
import pytest
from sklearn.base import clone

from eznas.errors import InputError
from eznas.predictors.named import PREDICTORS, list_predictors, load
from eznas.predictors.regressors import REGRESSORS, regressor
from eznas.proxies.classics import CLASSICS
from eznas.proxies.discovered import DISCOVERED
from tests.predictors.made_up_networks import ACCURACIES, NETWORKS, curves, measurements

PROXY_NAMES = (*CLASSICS, *DISCOVERED)
MEASURED, CURVES = measurements(), curves()
FITTED, OTHERS = NETWORKS[:30], NETWORKS[30:]
LABELS = ACCURACIES[:30]
PROXIES = ("params", "naswot", "zico", "epe_nas", "synflow", "hybrid")
ONE_PROXY = [name for name in PREDICTORS if name in PROXY_NAMES]
# A proxy by itself has no regressor: one of them stands for all.
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if row.slow else [])
    for name, row in PREDICTORS.items()
    if name not in ONE_PROXY[1:]
]


def new(name):
    if name in PREDICTORS and PREDICTORS[name].regressor:
        pytest.importorskip("ngboost")
    return load(name, MEASURED, proxies=PROXIES)


def fitted(name, count=30):
    return new(name).fit(FITTED[:count], LABELS[:count], CURVES)


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def predictor(name):
    return fitted(name)


def test_predictions_are_numbers_one_for_each_network(predictor):
    predictions = predictor.predict(OTHERS)
    assert predictions.shape == (30,)
    assert predictions.dtype == np.float64
    assert np.isfinite(predictions).all() or predictor.regressor is None
    assert predictor.predict([]).shape == (0,)


@pytest.mark.parametrize("name", [name for name, row in PREDICTORS.items() if row.slow])
def test_slow_ones_are_tried_once(name):
    predictions = fitted(name).predict(OTHERS)
    assert np.isfinite(predictions).all()
    assert np.corrcoef(predictions, ACCURACIES[30:])[0, 1] > -0.5


def test_a_clone_is_not_fitted_and_fits_to_the_same(name, predictor):
    copy = clone(predictor)
    assert copy.get_params().keys() == predictor.get_params().keys()
    with pytest.raises(Exception, match="not fitted"):
        copy.predict(OTHERS)
    again = copy.fit(FITTED, LABELS, CURVES).predict(OTHERS)
    np.testing.assert_array_equal(again, predictor.predict(OTHERS))


def test_the_order_of_networks_changes_nothing(name, predictor):
    order = np.random.default_rng(1).permutation(30)
    shuffled = new(name).fit([FITTED[i] for i in order], LABELS[order], CURVES)
    np.testing.assert_array_equal(shuffled.predict(OTHERS), predictor.predict(OTHERS))
    queried = predictor.predict([OTHERS[i] for i in order])
    np.testing.assert_allclose(queried, predictor.predict(OTHERS)[order], rtol=1e-5)


def test_accuracies_stay_in_their_unit(predictor):
    if predictor.in_percent and predictor.regressor is not None:
        assert abs(predictor.predict(OTHERS).mean() - LABELS.mean()) < 10


@pytest.mark.parametrize("count", [2, 5])
def test_few_labels_are_enough(name, count):
    assert fitted(name, count).predict(OTHERS).shape == (30,)


def test_equal_labels_give_equal_predictions(name):
    predictor = new(name).fit(FITTED[:8], np.full(8, 70.0), CURVES)
    if predictor.regressor is not None:
        np.testing.assert_allclose(predictor.predict(OTHERS), 70.0)


def test_deviations_where_the_family_gives_them(predictor):
    try:
        means, deviations = predictor.predict(OTHERS, return_std=True)
    except InputError as error:
        assert "standard deviation" in str(error)  # noqa: PT017  (some families give none)
        return
    np.testing.assert_array_equal(means, predictor.predict(OTHERS))
    assert deviations.shape == (30,)
    assert (deviations >= 0).all()
    assert deviations.max() > 0


def test_what_it_requires_is_what_it_uses(name, predictor):
    needs = predictor.requires
    assert needs.labels == (predictor.regressor is not None)
    assert bool(needs.curve) == (needs.curve_epochs != 0)
    if needs.curve:
        with pytest.raises(InputError, match="reads learning curves"):
            new(name).fit(FITTED, LABELS).predict(OTHERS)
    if needs.labels:
        with pytest.raises(InputError, match="expected them, got none"):
            new(name).fit(FITTED)


def test_more_labels_help_what_reads_them():
    for name in ("proxies_linear", "proxies_trees", "champion_residual", "lcsvr"):
        few, many = (np.corrcoef(fitted(name, n).predict(OTHERS), ACCURACIES[30:])[0, 1]
                     for n in (3, 30))  # fmt: skip
        assert many > max(few, 0.3), name


def test_every_row_has_what_the_list_shows():
    rows = list_predictors()
    assert [row["name"] for row in rows] == [*PREDICTORS, "supernet:FOLDER"]
    assert len(rows) >= 20
    assert all(row["features"] and row["regressor"] and row["source"] for row in rows)
    assert set(PROXY_NAMES) <= {row["name"] for row in rows}
    behind = [(row["features"], row["regressor"]) for row in rows]
    assert len(set(behind)) == len(behind)  # no two are the same


@pytest.mark.parametrize("name", REGRESSORS)
def test_every_family_is_cloned_and_seeded(name):
    if REGRESSORS[name].extra:
        pytest.importorskip("ngboost")
    one, other = regressor(name, 1), clone(regressor(name, 1))
    assert type(one) is type(other)
