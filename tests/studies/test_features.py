"""The study of features: their rows, and yardsticks tested on networks they were not fitted to."""

from functools import partial

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import named_set
from eznas.evaluation.contexts import contexts_of
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.network_scores import network_scores
from eznas.evaluation.workers import start
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.predictors import randomised_trees as trees
from eznas.statistics.config import PROXY, MeasurementSettings
from eznas.studies import features as module
from tests.evolution.made_up import NAMES, MadeUp, accuracies, table_of
from tests.studies.made_up import SMALL

LANGUAGES = ("tensor features", "sizes and paths", "all features")
SPLITS = ("components", "networks")
MODELS = ("greedy", "greedy with products", "randomised trees")


@pytest.fixture(scope="module")
def study():
    """A study of few features on few networks: its rows, its yardsticks, the networks that it is
    fitted to and those that it is tested on."""
    benchmark = load_benchmark("nasbench201", [SMALL])
    parts = (named_set(benchmark, "search", 24, 0), named_set(benchmark, "held-out", 16, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "study", lambda _: parts)
        patch.setattr(module, "load_benchmark", lambda _: benchmark)
        patch.setattr(module, "TENSORS", ("weight",))
        patch.setattr(module, "SIZES", ("params", "layer_flops"))
        patch.setattr(module, "PATHS", ("paths_params_mean",))
        patch.setattr(trees, "TREES", 20)
        rows, yardsticks = module.features(raw=2, sketch=2)
    return rows, yardsticks, *parts


def scores_of(texts, benchmark):
    """Scores of formulas on all networks of a benchmark: float64 [formulas, networks]."""
    contexts = contexts_of(benchmark, MeasurementSettings(raw_batch=2, sketch_batch=2))
    team = start(partial(Evaluator, contexts), 1)
    return network_scores(benchmark, [parse(text) for text in texts], team)[SMALL]


def test_a_feature_has_its_tau_on_the_networks_that_are_fitted_to(study):
    rows, _, fitted, _ = study
    assert {len(row) for row in rows} == {3}
    texts = [row["feature"] for row in rows]
    assert len(set(texts)) == len(texts) > 100
    assert {s for text in texts for s in parse(text).statistics()} == {
        *("weight", "params", "layer_flops", "layer_params", "paths_params_mean")
    }
    every_seventh = rows[::7]
    scores_of_rows = scores_of([row["feature"] for row in every_seventh], fitted)
    for row, scores in zip(every_seventh, scores_of_rows, strict=True):
        tau = kendall(scores, fitted.accuracies[SMALL])
        assert row["tau"][SMALL] == (None if np.isnan(tau) else pytest.approx(tau, abs=0.02))
        assert 0 <= row["coverage"] <= 1


def test_an_undefined_tau_is_none():
    table = table_of(MadeUp({"params": np.full(len(NAMES), 5.0)}, faults=False))
    feature = parse("params")
    table.fill([feature], len(NAMES))
    row = module._feature_row(feature, table, [Task("one", 0, accuracies())], len(NAMES))
    assert row == {"feature": "params", "tau": {"one": None}, "coverage": 1.0}


@pytest.mark.parametrize(("missing", "is_defined"), [(1, True), (len(NAMES) // 2, False)])
def test_tau_is_over_the_networks_with_a_score_if_these_are_most(missing, is_defined):
    values = np.arange(len(NAMES), dtype=float)
    values[:missing] = np.nan
    table = table_of(MadeUp({"params": values}, faults=False))
    feature = parse("params")
    table.fill([feature], len(NAMES))
    row = module._feature_row(feature, table, [Task("one", 0, accuracies())], len(NAMES))
    tau = kendall(values[missing:], accuracies()[missing:])
    assert row["tau"] == {"one": tau if is_defined else None}
    assert row["undefined"] == {"one": missing}


def test_yardsticks_are_rows_of_splits_languages_and_models(study):
    rows, yardsticks, *_ = study
    assert [(y["split_by"], y["language"], y["model"]) for y in yardsticks] == [
        (split_by, language, model)
        for split_by in SPLITS
        for language in LANGUAGES
        for model in MODELS
    ]
    keys = {"split_by", "language", "features", "model", "formula", "networks", "tau"}
    assert all(set(y) == keys for y in yardsticks)
    assert {y["networks"] for y in yardsticks} == {16}
    assert all(y["tau"][SMALL][1] <= y["tau"][SMALL][2] for y in yardsticks)
    statistics_of_rows = [set(parse(row["feature"]).statistics()) for row in rows]
    sizes, paths, tensors = {"params", "layer_flops"}, {"paths_params_mean"}, {"weight"}
    counts = {
        "tensor features": sum(not statistics & paths for statistics in statistics_of_rows),
        "sizes and paths": sum(statistics <= sizes | paths for statistics in statistics_of_rows),
        "all features": len(statistics_of_rows),
    }
    assert {y["language"]: y["features"] for y in yardsticks} == counts
    for row in yardsticks:
        if row["model"] == "randomised trees":
            assert row["formula"] == ""
            continue
        statistics = set(parse(row["formula"]).statistics())
        assert statistics
        assert not statistics & (paths if row["language"] == "tensor features" else set())
        assert not statistics & (tensors if row["language"] == "sizes and paths" else set())
    with_products = [" * (" in y["formula"] for y in yardsticks]
    assert with_products == [m == "greedy with products" for m in MODELS] * 6


def test_yardsticks_are_tested_on_other_networks(study):
    """On those of the second part; and, where networks are split by lot, on the rest of both."""
    _, yardsticks, fitted, tested = study
    both = fitted.followed_by(tested)
    order = sample(np.arange(40), 40, 0)
    assert 0 < sum(order[24:] < 24) < 16
    parts = {"components": tested, "networks": both.subset(order[24:], "lot")}
    for split_by, part in parts.items():
        greedy = [y for y in yardsticks if y["split_by"] == split_by and y["formula"]]
        assert len(greedy) == 6
        scores_of_greedy = scores_of([y["formula"] for y in greedy], part)
        for row, scores in zip(greedy, scores_of_greedy, strict=True):
            tau = kendall(scores, part.accuracies[SMALL])
            assert row["tau"][SMALL][0] == pytest.approx(tau, abs=0.02)


def test_features_are_measured_as_the_arguments_say(monkeypatch):
    """Up to the workers, which are not started."""
    calls = []

    class NoWorkersError(Exception):
        pass

    def no_workers(benchmark, measurement, settings, callback):
        calls.append((benchmark.space, measurement, settings))
        raise NoWorkersError

    monkeypatch.setattr(module, "team_for", no_workers)
    with pytest.raises(NoWorkersError):
        module.features()
    with pytest.raises(NoWorkersError):
        module.features(seed=3, sketch=8, raw=2, device="cpu", workers=2)
    (space, default, settings), (_, measurement, others) = calls
    assert (space, default, settings.seeds) == ("nasbench201", PROXY, (0,))
    assert (others.seeds, others.workers) == ((3,), 2)
    expected = {"raw_batch": 2, "sketch_batch": 8, "seed": 3}
    assert measurement == PROXY.model_copy(update=expected)
