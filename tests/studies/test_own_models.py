"""Proxies correlated with a user's own models and accuracies."""

import numpy as np
import pytest
import torch
from torch import nn

import eznas
from eznas.benchmarks.own_models import own_benchmark
from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.spaces import SPACES

SIZE = (1, 8, 8)
ARCHITECTURE = SPACES["nasbench201"].architectures()[int("323132", 5)]


def net(width: int, activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        activation(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 10),
    )


def small():
    return net(3)


def correlate(*proxies: str, models, accuracies, **options) -> eznas.Correlation:
    defaults = {"input_size": SIZE, "raw": 2, "sketch": 4, "replicates": 20}
    return eznas.correlate(proxies, models=models, accuracies=accuracies, **(defaults | options))


def test_modules_and_factories_are_scored_as_they_are():
    """Against each model scored by itself; a module comes back as it was."""
    modules = [net(4), net(6), net(8)]
    before = [{k: v.clone() for k, v in m.state_dict().items()} for m in modules]
    result = correlate("jacob_cov", "params", models=[*modules, small], accuracies=[4, 5, 6, 3])
    jacob_cov = eznas.load("jacob_cov")
    expected = [jacob_cov.score(m, SIZE, batch=4) for m in modules]
    np.testing.assert_allclose(result.scored.scores["accuracy"][0, 0, :3], expected, rtol=1e-9)
    assert [row["tau"] for row in result.rows if row["proxy"] == "params"] == [1]
    assert result.scored.benchmark.architectures[0] == "models[0] (Sequential)"
    assert result.scored.benchmark.architectures[3] == "models[3] (small)"
    for module, state in zip(modules, before, strict=True):
        assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())


def test_models_of_different_inputs_and_classes_stand_side_by_side():
    names = [ARCHITECTURE, "nasbench201/" + SPACES["nasbench201"].architectures()[int("322132", 5)]]
    wide = nn.Sequential(nn.Flatten(), nn.Linear(3072, 5), nn.ReLU(), nn.Linear(5, 7))
    result = correlate("jacob_cov", models=[*names, wide], accuracies=[1, 2, 3], input_size=None)
    scores = {row["model"]: row["score"] for row in eznas.score("jacob_cov", names, batch=4)}
    expected = [scores[name] for name in names] + [eznas.load("jacob_cov").score(wide, batch=4)]
    np.testing.assert_allclose(result.scored.scores["accuracy"][0, 0], expected, rtol=1e-9)


def test_one_undefined_model_does_not_lose_the_proxy():
    models = [net(4), net(5), net(6, nn.Identity), net(7)]
    accuracies = [1.0, 3.0, 9.0, 2.0]
    result = correlate("naswot", "params", models=models, accuracies=accuracies, against="params")
    naswot, params = result.rows
    reasons = {
        "no activation was seen: no elementwise nonlinear function between two layers": [
            "models[2] (Sequential)"
        ]
    }
    assert naswot["undefined"] == {"networks": 1, "reasons": reasons}
    assert "undefined" not in params
    scores = result.scored.scores["accuracy"][0]
    assert np.isnan(scores[0]).tolist() == [False, False, True, False]
    kept = [0, 1, 3]
    assert naswot["tau"] == pytest.approx(kendall(scores[0][kept], [1, 3, 2]))
    assert naswot["networks"] == 4
    [difference] = result.difference  # over the networks on which both are defined
    assert difference["tau"] == pytest.approx(kendall(scores[1][kept], [1, 3, 2]) - naswot["tau"])


def test_several_columns_of_accuracies():
    both = {"first": [1, 2, 3], "second": [3, 2, 1]}
    models = [net(4), net(5), net(6)]
    rows = correlate("params", models=models, accuracies=both).rows
    assert [(r["dataset"], r["tau"]) for r in rows] == [("first", 1), ("second", -1)]
    [row] = correlate("params", models=models, accuracies=both, datasets=["second"]).rows
    assert row["dataset"] == "second"
    with pytest.raises(InputError, match="unknown data set 'third'"):
        correlate("params", models=models, accuracies=both, datasets=["third"])


def test_seeds_draw_the_parameters_of_a_factory():
    models = [small, net(5), net(6)]
    scores = correlate("naswot", models=models, accuracies=[1, 2, 3], initialisations=2).scored
    first, second = scores.scores["accuracy"][:, 0]
    assert first[0] != second[0]
    assert first[1] == second[1]  # a module in hand is kept as it is
    fresh = correlate(
        "naswot", models=models, accuracies=[1, 2, 3], initialisations=2, init="kaiming"
    )
    first, second = fresh.scored.scores["accuracy"][:, 0]
    assert first[1] != second[1]


@pytest.mark.parametrize(
    ("models", "accuracies", "problem"),
    [
        ([small, net], [1, 2], "at least 3, got 2"),
        ([small, small, net(4)], [1, 2, 3], r"'models\[0\] \(small\)': 2 times"),
        ([small, 3, net(4)], [1, 2, 3], r"models\[1\] \(int\): expected a module, a function"),
        ([small, net, net(4)], [1, 2, 3], r"models\[1\] \(net\): the function failed: TypeError"),
        ([small, dict, net(4)], [1, 2, 3], r"the function gave a dict, not a module"),
        ([small, net(3), net(4)], [1, 2], "expected one for each of 3"),
        ([small, net(3), net(4)], [1, 2, np.nan], "expected finite numbers, 2 is nan"),
        ([small, net(3), net(4)], ["a", 2, 3], "expected numbers"),
        ([small, net(3), net(4)], None, "expected a number for each of the models"),
    ],
)
def test_bad_models_and_accuracies(models, accuracies, problem):
    with pytest.raises(InputError, match=problem):
        own_benchmark(models, accuracies)


def test_a_model_that_cannot_be_run_is_named():
    with pytest.raises(InputError, match=r"model models\[2\] \(Linear\): .*forward failed"):
        correlate("params", models=[small, net(5), nn.Linear(3, 2)], accuracies=[1, 2, 3])


@pytest.mark.parametrize(
    "option", [{"space": "naap440"}, {"accuracy": "a.csv"}, {"set_name": "search"}]
)
def test_options_of_benchmarks_are_refused(option):
    with pytest.raises(InputError, match="not with models of your own"):
        correlate("params", models=[small, net(5), net(6)], accuracies=[1, 2, 3], **option)
