"""Trials: which networks they fit to and test on, and the rows that they give."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from eznas.benchmarks.loading import without_accuracies
from eznas.evaluation.executors import NoPhases
from eznas.metrics.predictions import prediction_metrics
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements
from eznas.spaces import SPACES
from eznas.studies.trials import TESTED, Job, Plan, run
from tests.predictors.made_up_networks import curves

NETWORKS = SPACES["nasbench201"].sample(230, seed=1)
RANDOM = np.random.default_rng(0)
ACCURACIES = RANDOM.normal(80, 5, len(NETWORKS))
POOL = replace(
    without_accuracies("nasbench201", NETWORKS, ["cifar10"]), accuracies={"cifar10": ACCURACIES}
)
EVERYTHING = np.arange(len(NETWORKS))
MEASURED = Measurements()
MEASURED.add("params", NETWORKS, ACCURACIES + RANDOM.normal(0, 3, len(NETWORKS)))
LINEAR = Job("linear", Predictor(["encoding"], "linear", measurements=MEASURED))
PARAMS = Job("params", Predictor(["params"], None, measurements=MEASURED))


def plan(trained=EVERYTHING[:100], tested=EVERYTHING[100:], sizes=(5, 20), trials=3, seed=0):
    return Plan(POOL, "cifar10", trained, tested, sizes, trials, seed)


def rows_of(jobs, plan, curves=None):
    return run(jobs, plan, curves, 1, NoPhases())


BY_LOT = plan(EVERYTHING, EVERYTHING)


@pytest.mark.parametrize("plan", [plan(), BY_LOT], ids=["parts", "by lot"])
def test_no_network_is_fitted_to_and_tested_on(plan):
    for trial in range(5):
        fitted, tested = plan.trial(trial)
        assert len(set(fitted.tolist()) | set(tested.tolist())) == len(fitted) + len(tested)
        assert set(fitted.tolist()) <= set(plan.trained.tolist())
        assert set(tested.tolist()) <= set(plan.tested.tolist())
    assert len(tested) == min(TESTED, len(plan.tested))


def test_a_plan_gives_the_same_trials_again_and_each_of_them_is_another():
    first, again, next_one = (
        [t.tolist() for t in p.trial(n)] for p, n in ((plan(), 0), (plan(), 0), (plan(), 1))
    )
    assert first == again
    assert first != next_one
    assert first != [t.tolist() for t in plan(seed=1).trial(0)]
    equal_parts = plan(EVERYTHING, EVERYTHING.copy())  # as a worker process gets them
    for one, other in zip(BY_LOT.trial(2), equal_parts.trial(2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_means_and_errors_by_hand():
    rows = rows_of([LINEAR], plan())
    assert [row["training"] for row in rows] == [5, 20]
    for row in rows:
        values = []
        for trial in range(3):
            fitted, tested = plan().trial(trial)
            chosen = fitted[: row["training"]]
            predictor = Predictor(["encoding"], "linear", measurements=MEASURED)
            predictor.fit([NETWORKS[i] for i in chosen], ACCURACIES[chosen])
            predictions = predictor.predict([NETWORKS[i] for i in tested])
            values.append(prediction_metrics(predictions, ACCURACIES[tested], True))
        taus = [value["tau"] for value in values]
        assert row["taus"] == pytest.approx(taus)
        assert row["tau"] == pytest.approx(np.mean(taus))
        assert row["tau_error"] == pytest.approx(stats.sem(taus))
        assert row["mae"] == pytest.approx(np.mean([value["mae"] for value in values]))


def test_what_needs_no_labels_has_one_row_and_no_scale():
    [row] = rows_of([PARAMS], plan())
    assert (row["predictor"], row["training"], row["fit_seconds"]) == ("params", 0, 0)
    _, tested = plan().trial(0)
    scores = MEASURED.scores(["params"], [NETWORKS[i] for i in tested])[:, 0]
    assert row["taus"][0] == pytest.approx(stats.kendalltau(scores, ACCURACIES[tested]).statistic)
    assert math.isnan(row["mae"])


def test_rows_keep_the_order_of_predictors_and_sizes():
    rows = rows_of([PARAMS, LINEAR], plan(trials=1))
    assert [(r["predictor"], r["training"]) for r in rows] == [
        *(("params", 0), ("linear", 5), ("linear", 20))
    ]
    assert all(math.isnan(row["tau_error"]) for row in rows)  # one trial has no spread


def test_curves_are_read_up_to_the_epoch_of_a_job():
    known = curves()
    pool = replace(
        without_accuracies("nasbench201", known.architectures, ["cifar10"]),
        accuracies={"cifar10": known.accuracies},
    )
    both = Plan(pool, "cifar10", np.arange(20), np.arange(20, 60), (10,), 2, 0)
    jobs = [
        Job("last_value", Predictor(["last_value"], None, measurements=MEASURED, epochs=epoch))
        for epoch in (1, 9)
    ]
    early, late = rows_of(jobs, both, known)
    assert (early["epochs"], late["epochs"]) == (1, 9)
    assert early["tau"] < late["tau"]
    assert late["mae"] < early["mae"]


def test_equal_predictions_rank_nothing():
    """Few equal labels make equal predictions; the other trials' mean is not lost."""
    accuracies = np.where(EVERYTHING < 10, 70.0, ACCURACIES)
    pool = replace(POOL, accuracies={"cifar10": accuracies})
    [row] = rows_of([LINEAR], replace(plan(EVERYTHING[:10], sizes=(5,)), pool=pool))
    assert row["taus"] == [0, 0, 0]
    assert (row["tau"], row["rho"], row["sparse_tau_1"]) == (0, 0, 0)
    assert row["mae"] == pytest.approx(np.abs(accuracies[100:] - 70).mean())


def test_networks_without_a_prediction_rank_last():
    scores = ACCURACIES.copy()
    scores[100:110] = np.nan
    measured = Measurements()
    measured.add("zen", NETWORKS, scores)
    job = Job("zen", Predictor(["zen"], None, measurements=measured))
    [row] = rows_of([job], plan(trials=1))
    lowest = np.where(np.isnan(scores), -1e9, scores)[100:]
    assert row["tau"] == pytest.approx(stats.kendalltau(lowest, ACCURACIES[100:]).statistic)
    measured.add("zen", NETWORKS, np.full(len(NETWORKS), np.nan))
    [row] = rows_of([job], plan(trials=1))
    assert math.isnan(row["tau"])


def test_progress_counts_the_fits():
    calls = []

    class Watcher:
        def phase(self, name, networks):
            calls.append((name, networks))
            return lambda done, total: calls.append((done, total))

    run([LINEAR, PARAMS], plan(trials=2), None, 1, Watcher())
    assert calls == [("fitting 2 predictors, 2 times", 4), *((i, 4) for i in range(1, 5))]


@pytest.mark.slow
def test_several_processes_give_the_same_rows():
    def without_times(rows):
        return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in rows]

    serial = rows_of([LINEAR, PARAMS], plan(trials=2))
    parallel = run([LINEAR, PARAMS], plan(trials=2), None, 2, NoPhases())
    np.testing.assert_equal(without_times(parallel), without_times(serial))
